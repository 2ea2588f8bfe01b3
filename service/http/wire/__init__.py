"""Bodies in, bodies out: JSON and raw, their schema, their errors."""
