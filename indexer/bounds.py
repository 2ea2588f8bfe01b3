"""The most that is taken of what a user counts: above it a number is refused, by its name."""

MOST_ROWS = 2**32 - 2  # a row number takes 32 bits in a posting, and one of them means nobody
MOST_DIMS = 16_384  # of a vector; up to 32,768 the integer kernels cannot overflow
MOST_THREADS = 4096  # more than any machine has; each takes a stack
MOST_WORKERS = 256
MOST_NEIGHBOURS = 1 << 20  # of a query in `truth`
MOST_BYTES = 1 << 60  # of a size
