"""What a user does with vectors and with finished indexes, besides building."""
