"""What a build decides before any work, and what it will take of memory, disk and time."""
