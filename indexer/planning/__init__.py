"""What a build will take of memory, disk and time, said before any work."""
