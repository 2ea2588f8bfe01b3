"""A search, without HTTP: open files, the stages of a query, what stays in memory."""
