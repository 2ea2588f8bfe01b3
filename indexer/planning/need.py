"""The memory of a stage, and the figures of a build that it is worked out from."""

from dataclasses import dataclass

from longspan.indexer.planning import portions
from longspan.indexer.planning.shape import Shape

MANY = 1 << 32  # units
HOLES = 16  # of a limit one part in so many
INT, FLOAT, LONG, DOUBLE = 4, 4, 8, 8
# What a library of BLAS packs for each thread that multiplies: rows of the longer matrix, so many
# values of each, and a block of the other. Measured on products as builds have them.
BLAS_COLUMNS, BLAS_BLOCK = 384, 1 << 16
TURNED = 10  # floats of each value that a thread encodes at once


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a stage takes: once, and for each of the units at work, of most that there are."""

    once: int
    unit: int = 0
    most: int = MANY

    def of(self, units: int) -> int:
        """Return the bytes with so many units at work."""
        return self.once + min(units, self.most) * self.unit

    def units(self, limit: int | None, wanted: int) -> int:
        """Return how many units fit into a limit at once, at most as many as wanted; one does.

        Several leave holes in the heap between what is of one and of another.
        """
        if limit is None or self.unit == 0:
            return wanted
        return max(1, min(wanted, (limit - limit // HOLES - self.once) // self.unit))


def blas(shape: Shape) -> int:
    """Return the bytes that a library of BLAS keeps for a thread that has multiplied."""
    rows = min(shape.n, portions.TOGETHER)
    return FLOAT * (rows * min(shape.space.width, BLAS_COLUMNS) + BLAS_BLOCK)


@dataclass(frozen=True, slots=True)
class Build:
    """What the formulas are made of.

    queries  that the build is calibrated with
    part     vectors of the largest part
    stored   vectors and copies under the heads of a part at most
    threads  that work
    """

    shape: Shape
    queries: int
    part: int
    stored: int
    threads: int

    @property
    def n(self) -> int:
        """Vectors."""
        return self.shape.n

    @property
    def row(self) -> int:
        """Bytes of a vector as it comes."""
        return self.shape.form.row_bytes

    @property
    def vector(self) -> int:
        """Bytes of a vector in the head space; a head has as much."""
        return FLOAT * self.shape.space.width

    @property
    def heads(self) -> int:
        """Heads of the tree."""
        return self.shape.dials.heads

    @property
    def part_heads(self) -> int:
        """Heads of the largest part."""
        return -(-self.part * self.heads // self.n)

    @property
    def copies(self) -> int:
        """Postings that a vector may be in."""
        return self.shape.config.max_copies

    @property
    def chunks(self) -> int:
        """Units of the input."""
        return -(-self.n // self.shape.chunk)

    @property
    def blas(self) -> int:
        """Bytes that a library of BLAS keeps once all threads have multiplied at the same time."""
        return self.threads * blas(self.shape)

    @property
    def tree(self) -> int:
        """Bytes of the tree above the heads: centres, squares, sizes, and where families begin."""
        return self.shape.inner * (self.vector + FLOAT + 2 * LONG)

    def distances(self, vectors: int, centres: float) -> int:
        """Return the bytes of comparing vectors with centres."""
        step = max(1, min(vectors, portions.TOGETHER, portions.DISTANCES // max(1, int(centres))))
        return int(step * centres * FLOAT)

    def turned(self, vectors: int) -> int:
        """Return the bytes of encoding vectors, some at a time."""
        return min(portions.ENCODED, vectors * self.shape.space.width) * FLOAT * TURNED
