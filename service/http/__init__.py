"""The server: an application, its settings, its process."""
