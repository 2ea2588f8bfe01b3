"""Stage the vectors: cut the space into parts, and bring the vectors of each together on disk.

The centres of the top level of the head tree are trained on a sample, and every vector goes to its
nearest one. From here on a vector's number is its *place* in the staged file, and a part, which is
read in order, fits into memory whatever the input's size.
"""

from math import ceil
from pathlib import Path

import numpy as np

from longspan.indexer.running.job import BOUNDS, STAGED, Job
from longspan.indexer.running.progress import Progress
from longspan.indexer.stages.balance import balanced_kmeans, cheapest
from longspan.indexer.store.whole import naming, write_at
from longspan.indexer.tools.writer import copy, writing

TRAIN = 256  # vectors a centre that its training sees at most, as in faiss
ROUTE = 2 << 20  # values of the vectors that are routed at once
CHUNK = 32 << 20  # bytes of the input that are one unit

TOP, ORIGIN = "top.npy", "origin.npy"
SHARED = "shared.npy"  # a copy of an input that only the process that opened it can read


def chunks_of(job: Job) -> range:
    """Return the units of the input."""
    return range(ceil(job.n / chunk_rows(job)))


def chunk_rows(job: Job) -> int:
    """Return the vectors of a unit of the input."""
    return max(1, CHUNK // job.form.row_bytes)


def rows_of(job: Job, chunk: int) -> tuple[int, int]:
    """Return the first and the last row, plus one, of a unit of the input."""
    rows = chunk_rows(job)
    return chunk * rows, min((chunk + 1) * rows, job.n)


def vectors_of(job: Job, chunk: int) -> int:
    """Return how many vectors a unit of the input has."""
    start, stop = rows_of(job, chunk)
    return stop - start


def share(job: Job, progress: Progress) -> None:
    """Write the vectors of the input where other processes can read them."""
    vectors, path = job.input, Path(job.source)
    path.unlink(missing_ok=True)  # of a build that was cut off before it noted it
    with (
        writing(path, job.n, vectors.dim, vectors.dtype_name) as write,
        progress.stage("share", job.n, "vectors") as advance,
    ):
        copy(vectors, range(job.n), vectors.dtype_name, write, advance)


def train(job: Job) -> None:
    """Write the centres of the parts, trained on a random sample."""
    rng = np.random.default_rng(job.config.seed)
    vectors = job.input
    count = min(job.n, TRAIN * job.parts)
    rows = np.sort(rng.choice(job.n, count, replace=False))
    sample = job.space.lift(vectors.gather(rows))
    mean = sample.mean(axis=0)
    job.save(TOP, balanced_kmeans(sample - mean, job.parts, rng) + mean)


def route(job: Job, chunk: int) -> None:
    """Write the part of every vector of a unit of the input."""
    vectors, top = job.input, np.asarray(job.load(TOP))
    mean = top.mean(axis=0)
    start, stop = rows_of(job, chunk)
    labels = np.empty(stop - start, np.uint32)
    step = max(1, ROUTE // job.space.width)
    for at in range(start, stop, step):
        to = min(at + step, stop)
        labels[at - start : to - start] = cheapest(
            job.space.lift(vectors.rows(at, to)) - mean, top - mean
        )
    vectors.release(start, stop)
    job.save(labels_of(chunk), labels)


def lay_out(job: Job) -> None:
    """Decide where the vectors of each unit of the input go; make the files for them."""
    counts = np.array(
        [np.bincount(job.load(labels_of(chunk)), minlength=job.parts) for chunk in chunks_of(job)]
    )
    bounds = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    job.save(BOUNDS, bounds)
    job.save("runs.npy", bounds[:-1] + np.cumsum(counts, axis=0) - counts)
    job.create(STAGED, job.input.dtype.type, (job.n, job.space.dim))
    job.create(ORIGIN, np.uint32, (job.n,))


def place(job: Job, chunk: int) -> None:
    """Copy the vectors of a unit of the input to their places, and note where they came from.

    All units write into the same two files, which machines that share a disk over a network must
    not: NFS may write a page back whole, with what another has written in it meanwhile undone.
    """
    vectors, labels, runs = (
        job.input,
        job.load(labels_of(chunk)),
        job.load("runs.npy"),
    )
    start, stop = rows_of(job, chunk)
    order = np.argsort(labels, kind="stable")
    found, first = np.unique(labels[order], return_index=True)
    rows = vectors.rows(start, stop)[order]
    origin = (order + start).astype(np.uint32)
    vectors.release(start, stop)
    for name, values in ((STAGED, rows), (ORIGIN, origin)):
        with naming(job.work / name), (job.work / name).open("r+b") as file:
            at = data_offset(job, name)
            each = values.nbytes // len(values)
            for part, run in zip(found.tolist(), np.split(values, first[1:]), strict=True):
                write_at(file.fileno(), at + int(runs[chunk, part]) * each, run)
        job.written.add(job.work / name)


def data_offset(job: Job, name: str) -> int:
    """Return where the values of an array file begin."""
    offset: int = job.load(name).offset  # type: ignore[attr-defined]
    return offset


def labels_of(chunk: int) -> str:
    """Return the name of the file of a unit's parts."""
    return f"labels-{chunk:05}.npy"
