"""What each stage of a build takes of memory, said before any work is done.

The memory is that of the process itself. Pages of the files that it maps are the kernel's, which
takes them back when it wants; a build gives back what it has read as it goes. A stage that works
on several units at once is given as many as fit: it is slower then, and makes the same.

The figures below were measured, stage by stage, on builds of 49,152 to 10 million vectors.
"""

from dataclasses import dataclass

from longspan.indexer.planning.shape import FAN, Shape
from longspan.indexer.stages.calibrate import MOST_RANKED, RANKED
from longspan.indexer.stages.closure import CANDIDATES, TOGETHER
from longspan.indexer.stages.codec import SAMPLE
from longspan.indexer.stages.depths import MOST_DEPTH
from longspan.indexer.stages.staging import CHUNK, ROUTE, TRAIN
from longspan.indexer.store.postings import BATCH
from longspan.indexer.tools.exhaustive import CHUNK_BYTES

PROGRAM = 135 << 20  # interpreter, numpy, faiss, and what their allocators keep
LARGEST = 1.3  # a part over the mean one, as long as it is not known
FLOAT = 4
SPLIT = 1.3  # vectors of a part, and of its largest piece while that is split
TRAINED = 6.5  # floats of each value that a codec is trained on: turned, left over, by faiss
TURNED = 24 << 20  # of the vectors that a thread encodes at once
STORED = 8 + 3 * 12  # of a copy: head and distance, and its record while the part's are sorted
RANKS = 4 + 4 + 1  # of a head ranked in calibration: number, distance, whether it is read
TERMS = 4 * (4 + 8 + 8) + 8  # the law's terms of each head that it is fitted to
CANDIDATE = 4 * 3 + 8  # of a trial of the depths: its row, on its way and sorted


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a stage takes: once, and for each of the units at work."""

    once: int
    unit: int = 0

    def of(self, units: int) -> int:
        """Return the bytes with so many units at work."""
        return self.once + units * self.unit

    def units(self, limit: int | None, wanted: int) -> int:
        """Return how many units fit into a limit at once, at most as many as wanted; one does."""
        if limit is None or self.unit == 0:
            return wanted
        return max(1, min(wanted, (limit - self.once) // self.unit))


def needs(shape: Shape, queries: int, largest: int | None = None) -> dict[str, Need]:
    """Return what every stage takes, in their order.

    queries  how many it is calibrated with
    largest  vectors of the largest part; default what is to be expected
    """
    n, heads, copies = shape.n, shape.dials.heads, shape.config.max_copies
    part = largest or min(n, int(LARGEST * n / shape.parts))
    vector = FLOAT * shape.space.width  # in the head space; a head has as much
    inner = 2 * (heads // FAN) * vector
    group = TOGETHER * (FLOAT * CANDIDATES + 2 * vector) + 2 * CANDIDATES * vector
    columns = max(FAN, shape.parts)
    found = {
        "sample": Need(4 * min(n, TRAIN * shape.parts) * vector),
        "route": Need(0, ROUTE * FLOAT * 2 + ROUTE // shape.space.width * columns * FLOAT),
        "stage": Need(0, CHUNK + CHUNK // shape.form.row_bytes * 24),
        "cluster": Need(0, int(part * (SPLIT * vector + FLOAT * FAN + 8))),
        "tree": Need(2 * inner),
        "closure": Need(inner, part * (shape.form.row_bytes + copies * STORED) + group),
        "settle": Need(inner, part * copies * STORED + 3 * part * heads // n * vector),
        "number": Need(n * 9 + 3 * inner),
    }
    if shape.form.groups:
        found["train"] = Need(int(TRAINED * min(n, SAMPLE) * vector) + heads * vector)
        found["encode"] = Need(
            0, TURNED + part * (shape.form.row_bytes + 2 * shape.form.groups + 40)
        )
    found["pack"] = Need(BATCH + part * (shape.form.row_bytes + copies * FLOAT) + BATCH // 2)
    found["truth"] = Need(queries * CANDIDATE * 100, CHUNK_BYTES)
    found["calibrate"] = Need(calibration(shape, queries))
    return {name: Need(PROGRAM + need.once, need.unit) for name, need in found.items()}


def calibration(shape: Shape, queries: int) -> int:
    """Return what the trials of a calibration take, besides the program."""
    heads = shape.dials.heads
    ranked = min(heads, MOST_RANKED) * RANKS + min(heads, RANKED) * TERMS
    rows = shape.n * 8 + MOST_DEPTH * CANDIDATE * queries if shape.form.groups else 0
    return queries * ranked + rows
