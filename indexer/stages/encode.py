"""Code every vector: train the codec on a sample, then write the records of each part's rows."""

import json

import numpy as np

from longspan.cext import posting
from longspan.indexer.planning.portions import ENCODED, SAMPLE
from longspan.indexer.running.job import Job
from longspan.indexer.running.workers import Workers
from longspan.indexer.stages import codec as codecs
from longspan.indexer.stages.partrows import PartRows
from longspan.indexer.stages.rows import as_stored, heads_of, owners
from longspan.indexer.stages.work_files import FINAL, MEANING, ORDER, SETTLED, codes_in
from longspan.indexer.store.codec import FIRST, SCALARS, SECOND, Codec


def train(job: Job, pool: Workers) -> None:
    """Write the codec into the index, trained on a sample of the vectors and their heads."""
    count = min(job.n, SAMPLE)
    rows = np.sort(np.random.default_rng(job.config.seed).choice(job.n, count, replace=False))
    heads = as_stored(job, job.load(SETTLED)[owners(job, rows)])
    lifted = job.space.lift(job.staged.gather(job.load(ORDER)[rows].astype(np.int64)))
    codec = codecs.train(job.kind, job.reason, job.space, lifted, heads, job.config.seed, pool)
    codec.save(job.draft)
    with job.replacing(job.work / MEANING) as file:
        file.write(json.dumps(codec.meaning.as_dict()).encode())


def codec_of(job: Job) -> Codec | None:
    """Return the codec of the index; None for raw postings."""
    if job.kind == "raw":
        return None
    codec: Codec = job.keep(MEANING, lambda: read_codec(job))
    return codec


def read_codec(job: Job) -> Codec:
    """Read the codec."""
    return Codec.load(job.draft, json.loads((job.work / MEANING).read_bytes()))


def encode(job: Job, part: int) -> None:
    """Write the records of a part's rows."""
    codec = codec_of(job)
    if codec is None:
        return
    final = job.load_all(FINAL)
    first, last = final["first_row"][part : part + 2]
    heads = heads_of(job, *final["first_head"][part : part + 2])
    under = owners(job, np.arange(first, last)) - final["first_head"][part]
    slots = job.load(ORDER)[first:last].astype(np.int64)
    made = [np.empty((last - first, codec.groups + scalars), np.uint8) for scalars in SCALARS]
    vectors = PartRows.read(job, part)
    step = max(1, ENCODED // job.space.width)
    for start in range(0, last - first, step):
        some = slice(start, start + step)
        lifted = job.space.lift(vectors.take(slots[some]))
        records = codecs.encode(codec, job.space, lifted, heads[under[some]])
        for whole, record in zip(made, records, strict=True):
            whole[some] = record
    counts = np.bincount(under, minlength=len(heads)).astype(np.uint32)
    tiles = np.empty_like(made[0])
    posting.tile(made[0], counts, tiles)
    for name, whole in zip((FIRST, SECOND), (tiles, made[1]), strict=True):
        job.save(codes_in(name, part), whole)


def join_codes(job: Job) -> None:
    """Bring the records of all parts together in the index."""
    for name, scalars in zip((FIRST, SECOND), SCALARS, strict=True):
        shape = (job.n, job.form.groups + scalars)
        with job.writing(job.draft / name, np.uint8, shape) as write:
            for part in job.filled:
                write(job.load(codes_in(name, part)))
