"""What a server has at once: bodies that come, searches that wait, and the work on them."""
