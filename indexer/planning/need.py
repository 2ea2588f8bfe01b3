"""The memory of a stage, and the figures of a build that it is worked out from."""

from dataclasses import dataclass

from longspan.indexer.planning import portions
from longspan.indexer.planning.shape import Shape

MANY = 1 << 32  # units
INT, FLOAT, LONG, DOUBLE = 4, 4, 8, 8
BLAS_ROWS, BLAS_COLUMNS = 2048, 512  # of a matrix that BLAS keeps packed for each thread
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
        """Return how many units fit into a limit at once, at most as many as wanted; one does."""
        if limit is None or self.unit == 0:
            return wanted
        return max(1, min(wanted, (limit - self.once) // self.unit))


@dataclass(frozen=True, slots=True)
class Build:
    """What the formulas are made of.

    queries  that the build is calibrated with
    part     vectors of the largest part
    stored   vectors and copies under the heads of a part at most
    """

    shape: Shape
    queries: int
    part: int
    stored: int

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
        """Bytes that BLAS keeps for each thread."""
        return FLOAT * BLAS_ROWS * min(self.shape.space.width, BLAS_COLUMNS)

    @property
    def tree(self) -> int:
        """Bytes of the tree above the heads: centres, squares, sizes, and where families begin."""
        return self.shape.inner * (self.vector + FLOAT + 2 * LONG)

    def distances(self, vectors: int, centres: float) -> int:
        """Return the bytes of comparing vectors with centres, and of what BLAS keeps for that."""
        step = max(1, min(vectors, portions.DISTANCES // max(1, int(centres))))
        return int(step * centres * FLOAT) + self.blas

    def turned(self, vectors: int) -> int:
        """Return the bytes of encoding vectors, some at a time."""
        return min(portions.ENCODED, vectors * self.shape.space.width) * FLOAT * TURNED
