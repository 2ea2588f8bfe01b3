"""The build: the order of its stages, on one screen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from longspan.indexer import calibrate, closure, cluster, dials, entries, fit, memory, pack, publish
from longspan.indexer import codec as codecs
from longspan.indexer.config import METRICS, BuildConfig
from longspan.indexer.errors import BadConfig, BadFile
from longspan.indexer.form import form_of
from longspan.indexer.ids import read_ids
from longspan.indexer.progress import SILENT, Progress
from longspan.indexer.reader import Vectors, open_vectors
from longspan.indexer.reader.address import parse
from longspan.indexer.reader.staging import beside
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store.codec import Codec
from longspan.indexer.store.layout import IDS
from longspan.indexer.store.manifest import FORMAT, Manifest, file_record
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.space import LEAST_NORM, MOST_DIMS, MOST_SQUARE, HeadSpace
from longspan.indexer.tree import Copies
from longspan.indexer.workers import Workers, workers

CHECK = 2 << 20  # values looked at together before anything is built
MOST_ROWS = 2**32 - 2  # row numbers take 32 bits in a posting, and one of them means nobody


def build(
    source: str | Path,
    index: str | Path,
    *,
    metric: str = "l2",
    ids: str | Path | None = None,
    queries: str | Path | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    tmp: str | Path | None = None,
    config: BuildConfig | None = None,
    progress: Progress = SILENT,
) -> Manifest:
    """Build an index of a file or folder of vectors and publish it; return its manifest.

    ids           file of the vectors' names; default: their row numbers in source
    queries       file of calibration queries; default: a sample of the vectors
    memory_limit  bytes; DoesNotFit when the build would take more
    tmp           folder for copies of inputs that cannot be mapped; default: beside the index
    Any BadInput is raised before something is written; a build that fails leaves nothing.
    """
    config = config or BuildConfig()
    publish.refuse_existing(Path(index))
    folder = Path(tmp) if tmp else beside(index)
    vectors = open_vectors(source, folder, progress)
    space = check(vectors, metric)
    given = check_queries(queries, vectors, space, folder) if queries else None
    kind, reason = codecs.choose(config.codec, vectors.n, space.dim)
    form = form_of(vectors.dim, vectors.dtype.itemsize, metric, kind)
    chosen = dials.choose(vectors.n, form, config)
    asked = min(given.n, calibrate.MOST_QUERIES) if given else config.calibration
    memory.require(vectors, memory.peak(vectors, space, form, chosen, config, asked), memory_limit)
    names = read_ids(ids, vectors.n, folder) if ids else np.arange(vectors.n, dtype=np.int64)
    stages: dict[str, float] = {}
    with publish.publishing(Path(index)) as draft, workers(threads) as pool:
        publish.require_space(draft, memory.disk(vectors, space, form, chosen, config))
        with timed(stages, "cluster"):
            tree = cluster.grow(vectors, space, chosen.heads, config.seed, pool, progress)
        with timed(stages, "closure"):
            copies = closure.assign(vectors, space, tree, config, pool, progress)
            tree = fit.fit(vectors, space, tree, copies, chosen.cap)
        with timed(stages, "pack"):
            arranged = entries.arrange(
                copies, len(tree.heads), lambda primary: form.room(primary, chosen.posting_pages)
            )
            stored = space.round_heads(tree.heads).astype(np.float32)
            codec = train(vectors, space, copies, stored, kind, reason, config.seed, pool)
            made = pack.Source(vectors, arranged, space, stored, form, codec)
            pack.pack(made, draft, pool, progress)
            if codec:
                codec.save(draft)
            store_heads.save(draft, tree.levels, tree.sizes, space)
            np.save(draft / IDS, names[arranged.order])
        with timed(stages, "calibrate"):
            sample = sample_of(vectors, given, metric, config, pool, progress)
            levels = [len(level) for level in tree.levels]
            parts = Parts(draft, space, store_heads.Heads(draft, space, levels), codec)
            calibration = calibrate.calibrate(parts, copies, arranged.order, sample, pool, progress)
        with timed(stages, "publish"):
            files = {path.name: file_record(path) for path in sorted(draft.iterdir())}
        manifest = Manifest(
            format=FORMAT,
            longspan=version("longspan"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            name=Path(index).name,
            metric=metric,
            dtype=vectors.dtype_name,
            dim=vectors.dim,
            n=vectors.n,
            heads=len(tree.heads),
            entries=len(arranged.vectors),
            levels=levels,
            radius=space.radius,
            config=config.as_dict(),
            dials={"heads": chosen.heads, "posting_pages": chosen.posting_pages},
            codec=codec.meaning.as_dict() if codec else {"kind": kind, "reason": reason},
            stages=stages,
            input={**vectors.fingerprint(), "ids": parse(ids).name if ids else None},
            calibration=calibration.as_dict(),
            files=files,
        )
        manifest.write(draft)
    return manifest


def train(
    vectors: Vectors,
    space: HeadSpace,
    copies: Copies,
    heads: NDArray[np.float32],
    kind: str,
    reason: str,
    seed: int,
    pool: Workers,
) -> Codec | None:
    """Return the codec, trained on a sample of the vectors; None for raw postings."""
    if kind == "raw":
        return None
    count = min(vectors.n, codecs.SAMPLE)
    rows = np.sort(np.random.default_rng(seed).choice(vectors.n, count, replace=False))
    lifted = space.lift(vectors.take(rows))
    return codecs.train(kind, reason, space, lifted, heads[copies.heads[rows, 0]], seed, pool)


def check(vectors: Vectors, metric: str) -> HeadSpace:
    """Return the head space, after one look at every vector that needs it.

    BadFile names the first vector that is not finite, too long, or zero with cosine.
    """
    if metric not in METRICS:
        raise BadConfig(f"metric is {metric!r}, must be one of {', '.join(METRICS)}")
    if vectors.dim > MOST_DIMS:
        raise BadFile(f"{vectors.path}: {vectors.dim} dims, at most {MOST_DIMS} are supported")
    if vectors.n > MOST_ROWS:
        raise BadFile(f"{vectors.path}: {vectors.n} vectors, at most {MOST_ROWS} fit one index")
    radius = 0.0
    if metric != "l2" or vectors.dtype.kind == "f":
        step = max(1, CHECK // vectors.dim)
        for start in range(0, vectors.n, step):
            stop = min(start + step, vectors.n)
            norms = np.linalg.norm(vectors.rows(start, stop).astype(np.float64), axis=1)
            radius = max(radius, float(norms.max()))
            if radius**2 > MOST_SQUARE:
                row = start + int(np.argmax(norms))
                raise BadFile(
                    f"{vectors.path}: row {row} has norm {radius:.3g}, distances overflow"
                )
            if metric == "cosine" and norms.min() < LEAST_NORM:
                row = start + int(np.argmin(norms))
                raise BadFile(f"{vectors.path}: row {row} is zero or nearly, which has no cosine")
            vectors.release(start, stop)
    return HeadSpace(metric, vectors.dtype_name, vectors.dim, radius if metric == "ip" else 0.0)


def check_queries(path: str | Path, vectors: Vectors, space: HeadSpace, tmp: Path) -> Vectors:
    """Return the opened calibration queries; BadFile unless they fit the vectors."""
    given = open_vectors(path, tmp)
    if given.dim != vectors.dim:
        raise BadFile(f"{path}: {given.dim} dims, {vectors.path} has {vectors.dim}")
    if vectors.dtype.kind != "f" and given.dtype != vectors.dtype:
        raise BadFile(f"{path}: holds {given.dtype_name}, {vectors.path} {vectors.dtype_name}")
    check(given, space.metric)
    return given


def sample_of(
    vectors: Vectors,
    given: Vectors | None,
    metric: str,
    config: BuildConfig,
    pool: Workers,
    progress: Progress,
) -> calibrate.Sample:
    """Return the calibration queries with their true neighbours."""
    if given is not None:
        return calibrate.sample_queries(vectors, given, metric, pool.threads, progress)
    count = config.calibration
    return calibrate.sample_base(vectors, metric, count, config.seed, pool.threads, progress)


@contextmanager
def timed(stages: dict[str, float], name: str) -> Iterator[None]:
    """Note how many seconds the block took."""
    start = time.monotonic()
    yield
    stages[name] = round(time.monotonic() - start, 3)
