"""What each stage of a build takes of memory, said before any work is done.

The memory is that of the process itself. Pages of the files that it maps are the kernel's, which
takes them back when it wants; a build gives back what it has read as it goes. A stage that works
on several units at once is given as many as fit: it is slower then, and makes the same.

Each stage is one formula, of the bytes that it has at hand at its peak. `bench/plan_memory.py`
holds them against what builds take, and so does tests/indexer/test_memory.py.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from longspan.cext.codes_tier import WIDER
from longspan.indexer.planning import footprint, portions
from longspan.indexer.planning.need import DOUBLE, FLOAT, INT, LONG, Build, Need, blas
from longspan.indexer.planning.shape import Shape
from longspan.indexer.reader.payload import PER_ROW
from longspan.indexer.running.proc import own_memory
from longspan.indexer.store.codec import SCALARS, TIERS
from longspan.indexer.store.postings import BATCH, PAGE
from longspan.indexer.tools.exhaustive import CHUNK_BYTES, SCORED_AT_ONCE
from longspan.indexer.tools.truth import RESCORED_AT_ONCE

PROGRAM = 36 << 20  # interpreter, libraries, and what their allocators keep,
AT_REST = 30 << 20  # ... of it before a build begins
NOTED = 6 << 10  # of the files of a part: their names, until they are safe on the disk
RECORD = 24  # of a posting in the directory
SAVED = 16 << 20  # of an array while it goes into a file of several
MAPPED = 1 << 20  # of vectors that are lifted, or read from here and there
NODE = 600  # of a node of the tree as Python holds it, beside its centre
STORED = 4 + 4 + 4  # of a copy: head, distance and place
SORTED = 2 * STORED + 3 * INT + STORED // 2  # ... while they are sorted, and holes between them
SETTLING = 2 * STORED  # ... and as it comes and goes
SETTLED = 72  # ... and while the postings that it may be in are filled
TRAINED = {"pq": 4, "rabitq": 3}  # floats of each value that a codec is trained on
TRAINING = 184  # bytes of each vector of the group that a thread trains
KNN = 4096, 1024  # queries and vectors that faiss compares at once
WAITING = 5  # portions of a thread, made or being made: postings, or queries with their heads
RANKS = 4 + 3 * 4 + 2  # of a head ranked in calibration: number, distances, whether it is read
TERMS = 4 * (4 + 8 + 8 + 8) + 4 * 8  # the law's terms of each head that it is fitted to
CANDIDATE = 23 * (1 + 4) + 32 * 4  # of the trials of depths: its place in each, and rows
TRIALS = 23 * 100 * (3 * 8 + 2 * 4)  # of a query: its neighbours' places, by both codes or one
HELD = 3 * 8  # of a posting that holds a neighbour: the word for it, on its way and sorted
NEIGHBOURS = 101  # of a query, itself among them
TAKEN = 133  # neighbours of a query, a third more than are wanted,
ANSWERED = 60  # ... each of two chunks, and sorted
MERGED = 3  # times that of those queries whose neighbours are many
DEEP = 11 * (1 + 4 + 3) + 36  # of a candidate where they are many: its place in each trial, rows


def sample(b: Build) -> Need:
    """The sample as it comes and lifted; then its k-means: centres, sums and distances."""
    parts = b.shape.parts
    count = min(b.n, portions.TRAIN * parts)
    drawn = LONG * b.n if 50 * count > b.n else 0
    means = count * (b.vector + INT) + 4 * parts * b.vector + b.distances(count, parts)
    return Need(max(drawn, count * (b.row + b.vector + LONG) + MAPPED, means))


def route(b: Build) -> Need:
    """Some vectors as they come and lifted, the centres, and distances to them."""
    step = min(b.shape.chunk, max(1, portions.ROUTE // b.shape.space.width))
    centres = 2 * b.shape.parts * b.vector
    lifted = step * (b.row + b.vector) + MAPPED
    each = b.shape.chunk * INT + centres + lifted + b.distances(step, b.shape.parts)
    return Need(0, each, b.chunks)


def lay_out(b: Build) -> Need:
    """Each part's vectors in a unit of the input and so far."""
    return Need(b.shape.chunk * LONG + 6 * LONG * b.shape.parts)


def stage(b: Build) -> Need:
    """The vectors of a unit of the input in their order, and that order."""
    step = min(b.shape.chunk, max(1, portions.ROUTE // b.shape.space.dim))
    return Need(0, b.shape.chunk * (max(b.row, LONG) + 4 * INT) + step * b.row, b.chunks)


def cluster(b: Build) -> Need:
    """The vectors of a part and those of them that are trained on; its heads."""
    picked = int(portions.TRAIN * b.shape.fan) * b.vector
    numbers = LONG + INT * (4 + b.shape.levels)
    vectors = b.part * (b.vector + numbers)
    heads = b.part_heads * (b.vector + NODE)
    distances = b.distances(b.part, b.shape.fan)
    return Need(0, vectors + heads + max(distances + min(picked, b.part * b.vector), MAPPED))


def tree(b: Build) -> Need:
    """The tree above the heads, and what is joined of a part."""
    return Need(b.tree + min(SAVED, b.tree) + b.part_heads * b.vector)


def closure(b: Build) -> Need:
    """The tree; vectors and copies of a part, or these while they are sorted; a group at work."""
    together, candidates = min(b.shape.together, b.part), min(portions.COMPARED, b.heads)
    nearest = portions.NEAREST * b.copies * (INT + FLOAT)
    most = together * portions.COMPARED // portions.CANDIDATES  # where they have fewer candidates
    found = nearest + b.copies * (INT + FLOAT)
    group = together * FLOAT * candidates + most * (2 * b.vector + b.row + found)
    heads = 3 * candidates * b.vector + 6 * INT * b.shape.inner
    kept = b.part * (b.row + b.copies * (INT + FLOAT) + 2 * INT)
    sorting = b.part * (b.copies - 1) * SORTED
    return Need(b.tree, max(kept + group + heads, sorting))


def count(b: Build) -> Need:
    """How many vectors each head is nearest to, and its pieces."""
    return Need(b.heads * 4 * INT + b.part * 9 * INT)


def settle(b: Build) -> Need:
    """The tree; what is stored under the heads of a part; these; a crowded one's vectors."""
    crowd = 3 * min(portions.CROWD * FLOAT, b.part * b.vector)
    heads = 3 * b.part_heads * b.vector
    settled = min(b.stored, portions.SETTLED) * SETTLED
    return Need(b.tree, b.stored * SETTLING + settled + heads + crowd)


def mean(b: Build) -> Need:
    """Vectors of a part, which rows they are, and its means; some vectors lifted and summed."""
    some = min(b.part, portions.ENCODED // b.shape.space.width + 1)
    summed = some * (b.row + b.vector) + min(some, b.part_heads) * 2 * b.vector
    return Need(0, b.part * (b.row + 4 * LONG) + b.part_heads * b.vector + summed)


def number(b: Build) -> Need:
    """The tree before and after heads went, and rounded; the heads' sizes; a part; some ids."""
    part = b.stored * INT + b.part * 4 * LONG + b.part_heads * b.vector
    ids = min(b.n, portions.NAMED) * 3 * LONG
    return Need(max(part, ids, b.tree + 3 * b.shape.inner * b.vector) + 3 * b.heads * LONG)


def train(b: Build) -> Need:
    """The sample, its heads, what is left over; some of it encoded; the group of a thread."""
    count = min(b.n, portions.SAMPLE)
    sample = count * b.vector
    unit = count * TRAINING if b.shape.kind == "pq" else 0
    once = max(TRAINED[b.shape.kind] * sample, 2 * sample + b.turned(count))
    return Need(once, unit, b.shape.form.groups)


def encode(b: Build) -> Need:
    """Vectors and codes of a part, its heads as they are stored, and some vectors turned."""
    codes = TIERS * b.shape.form.groups + sum(SCALARS)
    heads = 3 * b.part_heads * b.vector
    return Need(0, b.part * (b.row + codes + 4 * LONG) + heads + b.turned(b.part))


def count_pages(b: Build) -> Need:
    """The directory, twice, and the sizes of a part's postings."""
    return Need(2 * RECORD * b.heads + 10 * LONG * b.part_heads)


def pack(b: Build) -> Need:
    """A transaction, vectors and entries of a part, the directory; postings on their way."""
    most = b.shape.dials.posting_pages * PAGE
    made = max(1, min(WAITING * max(portions.POSTINGS, most), b.part_heads * most))
    transaction = min(BATCH, footprint.index(b.shape)) * 17 // 16
    part = b.part * b.row + b.stored * INT + b.part_heads * 5 * LONG
    once = transaction + part + 2 * RECORD * b.heads
    return Need(once, made, -(-b.part_heads * most // made))


def directory(b: Build) -> Need:
    """The records of all shards, and of all together."""
    return Need(2 * RECORD * b.heads)


def truth(b: Build) -> Need:
    """The answers so far; a chunk as it is scored, and its distances."""
    scored = FLOAT * b.n * b.shape.space.dim
    again = min(3 * DOUBLE * SCORED_AT_ONCE, 3 * DOUBLE * b.queries * b.n)
    compared = FLOAT * min(b.queries, KNN[0]) * min(b.n, KNN[1]) + again
    each = min(CHUNK_BYTES, scored) + compared
    taken = [
        MERGED * ANSWERED * min(b.queries, few) * min(b.n, ks[-1] + ks[-1] // 4)
        for ks, few in zip(portions.MANY, portions.FEW, strict=True)
        if b.n > ks[0]
    ]
    answers = ANSWERED * TAKEN * b.queries + max(taken, default=0)
    rescored = 3 * DOUBLE * min(RESCORED_AT_ONCE, b.queries * b.n * b.shape.space.dim)
    if b.shape.space.dtype in ("u8", "i8") and b.shape.space.metric != "cosine":
        rescored = 0  # float32 has their sums exactly
    return Need(answers + max(0, rescored - each), each, -(-scored // CHUNK_BYTES))


def calibrate(b: Build) -> Need:
    """The ranked heads and the law's terms, what was found in a trial, and the directory."""
    ranked = min(b.heads, portions.MOST_RANKED) * RANKS
    terms = min(b.heads, portions.RANKED) * TERMS
    deep = min(b.n, WIDER * 2 * portions.MANY[-1][-1])
    found = max(WIDER * portions.DEPTHS[0] * CANDIDATE, deep * DEEP)
    holders = b.stored * (INT + 2 * LONG) + b.queries * NEIGHBOURS * b.copies * HELD
    trials = b.queries * (ranked + max(terms, TRIALS))
    way = WAITING * portions.ASKED
    on_the_way = way * min(b.heads, portions.MOST_RANKED) * (INT + FLOAT)
    unit = on_the_way + (found if b.shape.form.groups else 0)
    return Need(max(holders, trials) + 3 * RECORD * b.heads, unit, -(-b.queries // way))


def payload(b: Build) -> Need:
    """Where each object lies, its size and its row."""
    return Need(PER_ROW * b.n)


STAGES: dict[str, Callable[[Build], Need]] = {
    "sample": sample,
    "route": route,
    "lay out": lay_out,
    "stage": stage,
    "cluster": cluster,
    "tree": tree,
    "closure": closure,
    "count": count,
    "settle": settle,
    "mean": mean,
    "number": number,
    "train": train,
    "encode": encode,
    "count pages": count_pages,
    "pack": pack,
    "directory": directory,
    "payload": payload,
    "truth": truth,
    "calibrate": calibrate,
}
LIBRARIES = 2  # with a BLAS of their own: numpy, from the first stage on, and faiss
SHARE = 8  # of a limit that BLAS may keep, one in so many


def threads_within(limit: int | None, shape: Shape, wanted: int) -> int:
    """Return how many threads may work, at most as many as wanted: what BLAS keeps is bounded."""
    if limit is None:
        return wanted
    return max(1, min(wanted, limit // SHARE // (LIBRARIES * blas(shape))))


def held_by_caller() -> int:
    """Return the bytes of this process that are neither the program's nor a build's."""
    return max(0, (own_memory() or 0) - AT_REST)


def needs(
    shape: Shape,
    queries: int,
    *,
    threads: int = 1,
    largest: int | None = None,
    stored: int | None = None,
    objects: bool = False,
    held: int = 0,
) -> dict[str, Need]:
    """Return what every stage takes, in their order.

    queries  how many it is calibrated with
    threads  that work, at most
    largest  vectors of the largest part; default what is to be expected
    stored   vectors and copies under the heads of a part at most; default as many as may be
    objects  whether every vector has one, its payload
    held     bytes that the caller has in this process besides
    """
    part = largest or min(shape.n, ceil(portions.LARGEST * shape.n / shape.parts))
    queries = min(queries, portions.KNOWN)
    build = Build(shape, queries, part, stored or part * shape.config.max_copies, threads)
    coded = bool(shape.form.groups)
    done = {"train": coded, "encode": coded, "mean": shape.space.clusters_apart, "payload": objects}
    multiply = "sample", "train" if coded else "truth"  # the first with either BLAS
    always = PROGRAM + held + NOTED * shape.parts
    found = {}
    for name, stage in STAGES.items():
        always += build.blas if name in multiply else 0  # kept to the end
        if done.get(name, True):
            need = stage(build)
            found[name] = replace(need, once=always + need.once)
    return found
