"""Stage the vectors: cut the space into parts, and bring the vectors of each together on disk.

The centres of the top level of the head tree are trained on a sample, and every vector goes to its
nearest one; where that leaves parts uneven, to the one that is nearest with its price. From here on
a vector's number is its *slot* in the staged file, and a part, which is read in order, fits into
memory whatever the input's size.
"""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer.planning.portions import ROUTE, TRAIN
from longspan.indexer.running.job import BOUNDS, STAGED, Job
from longspan.indexer.running.progress import Progress
from longspan.indexer.stages.balance import balanced_kmeans, cheapest, spread
from longspan.indexer.stages.work_files import ORIGIN, PRICES, RUNS, TOP, labels_of
from longspan.indexer.store.whole import bytes_of, naming, write_at
from longspan.indexer.tools.writer import copy, writing


def chunks_of(job: Job) -> range:
    """Return the units of the input."""
    return range(ceil(job.n / job.chunk))


def rows_of(job: Job, chunk: int) -> tuple[int, int]:
    """Return the first and the last row, plus one, of a unit of the input."""
    return chunk * job.chunk, min((chunk + 1) * job.chunk, job.n)


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


def sample(job: Job) -> None:
    """Write the centres of the parts, trained on a random sample, and their prices for others."""
    rng = np.random.default_rng(job.config.seed)
    sample = drawn(job, rng)
    mean = sample.mean(axis=0)
    sample -= mean
    centres = balanced_kmeans(sample, job.parts, rng)
    job.save(TOP, centres + mean)
    if len(sample) < job.n:
        del sample
        sample = drawn(job, rng)
        sample -= mean
    job.save(PRICES, spread(sample, centres))


def drawn(job: Job, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return random vectors, placed, as many as the parts' centres are trained on."""
    count = min(job.n, TRAIN * job.parts)
    rows = np.sort(rng.choice(job.n, count, replace=False))
    return job.space.place(job.input.gather(rows))


def route(job: Job, chunk: int) -> None:
    """Write the part of every vector of a unit of the input."""
    vectors, top, price = job.input, np.asarray(job.load(TOP)), np.asarray(job.load(PRICES))
    mean = top.mean(axis=0)
    centres = top - mean
    start, stop = rows_of(job, chunk)
    labels = np.empty(stop - start, np.uint32)
    step = max(1, ROUTE // job.space.width)
    for at in range(start, stop, step):
        to = min(at + step, stop)
        placed = job.space.place(vectors.rows(at, to))
        placed -= mean
        labels[at - start : to - start] = cheapest(placed, centres, price)
    vectors.release(start, stop)
    job.save(labels_of(chunk), labels)


def lay_out(job: Job) -> None:
    """Decide where the vectors of each unit of the input go; make the files for them."""
    sizes = sum(counts_of(job, chunk) for chunk in chunks_of(job))
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    job.save(BOUNDS, bounds)
    save_runs(job, bounds[:-1].copy())
    job.create(STAGED, job.input.dtype.type, (job.n, job.space.dim))
    job.create(ORIGIN, np.uint32, (job.n,))


def counts_of(job: Job, chunk: int) -> NDArray[np.int64]:
    """Return how many vectors of a unit of the input go to each part."""
    return np.bincount(job.load(labels_of(chunk)), minlength=job.parts)


def save_runs(job: Job, begin: NDArray[np.int64]) -> None:
    """Write where the vectors of each unit of the input begin in each part, (chunks, parts).

    begin  (parts,)  where the first unit's do; it is changed
    """
    shape = (len(chunks_of(job)), job.parts)
    with job.writing(job.work / RUNS, np.int64, shape) as write:
        for chunk in chunks_of(job):
            write(begin)
            begin += counts_of(job, chunk)


def stage(job: Job, chunk: int) -> None:
    """Copy the vectors of a unit of the input to their slots, and note where they came from.

    All units write into the same two files, which machines that share a disk over a network must
    not: NFS may write a page back whole, with what another has written in it meanwhile undone.
    """
    labels, runs = job.load(labels_of(chunk)), job.load(RUNS)[chunk]
    start, _ = rows_of(job, chunk)
    order = np.argsort(labels, kind="stable").astype(np.uint32)
    found, first = np.unique(labels[order], return_index=True)
    rows, origin = in_order(job, chunk, order), order + np.uint32(start)
    for name, values in ((STAGED, rows), (ORIGIN, origin)):
        with naming(job.work / name), (job.work / name).open("r+b") as file:
            at = data_offset(job, name)
            each = values.nbytes // len(values)
            for part, run in zip(found.tolist(), np.split(values, first[1:]), strict=True):
                write_at(file.fileno(), at + int(runs[part]) * each, bytes_of(run))
        job.written.add(job.work / name)


def in_order(job: Job, chunk: int, order: NDArray[np.uint32]) -> NDArray[Any]:
    """Return the vectors of a unit of the input in some order, which has each once."""
    vectors, (start, stop) = job.input, rows_of(job, chunk)
    position = np.empty(len(order), np.uint32)
    position[order] = np.arange(len(order), dtype=np.uint32)
    rows = np.empty((len(order), vectors.dim), vectors.dtype)
    step = max(1, ROUTE // vectors.dim)  # what cannot be viewed is copied, some at a time
    for at in range(start, stop, step):
        some = slice(at - start, at - start + step)
        rows[position[some]] = vectors.rows(at, min(at + step, stop))
    vectors.release(start, stop)
    return rows


def data_offset(job: Job, name: str) -> int:
    """Return where the values of an array file begin."""
    offset: int = job.load(name).offset  # type: ignore[attr-defined]
    return offset
