"""How units of work are run: on threads or on Ray, with a journal, with progress."""
