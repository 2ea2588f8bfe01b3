"""What is done to every request, whatever its route."""
