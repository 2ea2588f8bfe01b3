"""Which searches run when: the queue, and the work that is taken from it."""
