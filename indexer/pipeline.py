"""The build: the order of its stages, on one screen."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from longspan.indexer.config import LOCAL, BuildConfig
from longspan.indexer.errors import BadConfig
from longspan.indexer.inputs import Inputs, open_inputs
from longspan.indexer.planning import footprint
from longspan.indexer.planning.budget import Budget
from longspan.indexer.planning.memory import held_by_caller, threads_within
from longspan.indexer.planning.plan import Plan, planned
from longspan.indexer.planning.shape import shape_of
from longspan.indexer.reader import Vectors
from longspan.indexer.reader import payload as payloads
from longspan.indexer.reader.copies import beside
from longspan.indexer.running.executor import connection
from longspan.indexer.running.job import INPUT, Job
from longspan.indexer.running.journal import READ, STAMP, begun, check_same, opened
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.running.runner import Stages
from longspan.indexer.running.workers import workers
from longspan.indexer.stages import (
    calibrate,
    closure,
    cluster,
    encode,
    entries,
    means,
    pack,
    publish,
    rows,
    samples,
    staging,
    work_files,
)
from longspan.indexer.stages.holders import holders_of
from longspan.indexer.store import heads as store_heads
from longspan.indexer.store.calibration import Calibration
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.opened import Parts
from longspan.indexer.tools.speed import speed


def build(
    source: str | Path,
    index: str | Path,
    *,
    metric: str = "l2",
    ids: str | Path | None = None,
    queries: str | Path | None = None,
    payload: str | Path | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    resume: bool = False,
    restart: bool = False,
    tmp: str | Path | None = None,
    executor: str = LOCAL,
    address: str | None = None,
    config: BuildConfig | None = None,
    progress: Progress = SILENT,
    announce: Callable[[Plan], None] | None = None,
) -> Manifest:
    """Build an index of a file or folder of vectors and publish it; return its manifest.

    ids           file of the vectors' names; default: their row numbers in source
    queries       file of calibration queries; default: a sample of the vectors
    payload       file of a JSON object for every vector (longspan.indexer.reader.payload)
    threads       units of work at a time: default, every core there is
    memory_limit  bytes of this process, what the caller has in it among them; DoesNotFit when it
                  would take more; with Ray each of its processes
    resume        go on with a build of this index that was cut off, if there is one
    restart       throw away what such a build has done
    tmp           folder for copies of inputs that cannot be mapped; default: beside the index
    executor      `local`, threads of this process, or `ray`, a cluster (docs/ray.md)
    address       HOST:PORT of the Ray cluster; default: the one that Ray finds or starts
    announce      told the plan before any work is done
    Any BadInput is raised before something is written; so are BuildCutOff, where a build was cut
    off and neither resume nor restart is said, and CannotResume, where it was of another input or
    of other dials.
    """
    config, held = config or BuildConfig(), held_by_caller()
    connect = connection(executor, address, threads)
    publish.refuse_existing(Path(index))
    if resume and restart:
        raise BadConfig("resume and restart: a build that was cut off goes on, or it goes")
    if not (resume or restart):
        publish.refuse_cut_off(Path(index))
    folder = Path(tmp) if tmp else beside(index)
    given = open_inputs(source, metric, ids, queries, payload, folder, progress)
    vectors, job = given.vectors, job_of(given, Path(index), config)
    asked = given.queries.n if given.queries else config.calibration
    threads = (threads if executor == LOCAL else None) or len(os.sched_getaffinity(0))
    threads = threads_within(memory_limit, job, threads)
    budget = Budget(job, asked, bool(payload), memory_limit, threads, held)
    budget.check()
    budget.check_address_space()
    if announce:
        announce(planned(job, asked, threads, speed(), memory_limit, held=held))
    place = publish.workplace(Path(index))
    building = given.identity(config)
    resume = resume and begun(place) is not None
    if resume:
        check_same(place, building, vectors.stamp)
    with (
        payloads.opened(payload, vectors.n, Path(index)) as objects,
        connect(beside(index), None if vectors.copied else job.source) as elsewhere,
        publish.publishing(Path(index), resume, restart),
        opened(place, {**building, STAMP: vectors.stamp}) as journal,
        workers(threads) as pool,
    ):
        if not resume:
            wanted = footprint.most(job) + (objects.disk if objects else 0)
            wanted += vectors.n * job.form.row_bytes if elsewhere and vectors.copied else 0
            publish.require_space(place, wanted)
        if given.names is not None:
            job.save(work_files.NAMES, given.names)
        stages = Stages(job, journal, pool, progress, budget.at_once, elsewhere)
        try:
            make(stages)
            if objects:
                with stages.timed("payload"):
                    stages.once("payload", partial(save_payload, objects, job, progress))
            calibration = calibrated(stages, given.queries)
        finally:
            stages.make_safe()
        with stages.timed("publish"):
            files = publish.records_of(job)
        name, source_of = Path(index).name, given.record()
        manifest = publish.manifest_of(job, name, source_of, calibration, stages.seconds, files)
        manifest.write(job.draft)
    return manifest


def job_of(given: Inputs, index: Path, config: BuildConfig) -> Job:
    """Return what the units of the build know, its dials chosen."""
    vectors, space = given.vectors, given.space
    place = publish.workplace(index).absolute()
    shared = place / publish.WORK / work_files.SHARED
    job = Job(
        **vars(shape_of(vectors.n, space, config)),
        source=str(shared if vectors.copied else Path(given.source).absolute()),
        work=place / publish.WORK,
        draft=place / publish.DRAFT,
    )
    job.keep(INPUT, lambda: vectors)
    return job


def make(stages: Stages) -> None:
    """Make the index's files, all but the manifest; what no stage reads any more goes."""
    job = stages.job
    in_chunk, in_part = partial(staging.vectors_of, job), job.vectors_of
    with stages.timed("stage"):
        chunks = staging.chunks_of(job)
        if stages.executor.elsewhere and job.input.copied:
            stages.once("share", lambda: staging.share(job, stages.progress))
        stages.once("sample", lambda: staging.sample(job))
        stages.each("route", staging.route, chunks, in_chunk, "vectors")
        stages.once("lay out", lambda: staging.lay_out(job))
        stages.each("stage", staging.stage, chunks, in_chunk, "vectors", here=True)
        stages.once(READ, job.input.refuse_changed)
        stages.discard("labels-*")
        stages.discard(work_files.SHARED)
    with stages.timed("cluster"):
        stages.each("cluster", cluster.cluster, job.filled, in_part, "vectors")
        stages.once("tree", lambda: cluster.join_tree(job))
    with stages.timed("closure"):
        stages.each("closure", closure.write_closure, job.filled, in_part, "vectors")
        stages.discard("below-*")
        stages.once("count", lambda: entries.count(job))
        stages.each("settle", entries.settle, job.filled, in_part, "vectors")
        stages.discard("primary-*")
        stages.discard("copies-*")
        if job.space.clusters_apart:
            stages.each("mean", means.write_means, job.filled, in_part, "vectors")
        stages.once("number", lambda: rows.number(job))
        stages.discard("means-*")
    with stages.timed("pack"):
        if job.form.groups:
            with stages.pool_for("train") as few:
                stages.once("train", lambda: encode.train(job, few))
            stages.each("encode", encode.encode, job.filled, in_part, "vectors")
            stages.once("join", lambda: encode.join_codes(job))
            stages.discard("*-codes-*")
        stages.once("count pages", lambda: pack.count_pages(job))
        stages.in_turn("pack", pack.pack, pack.postings_of(job), "postings")
        stages.once("directory", lambda: pack.join_directory(job))


def save_payload(objects: payloads.Objects, job: Job, progress: Progress) -> None:
    """Write the objects of the rows, in the order of these."""
    lines = job.load(work_files.ORIGIN)[job.load(work_files.ORDER)].astype(np.int64)
    objects.save(job.draft, lines, progress)


def calibrated(stages: Stages, given: Vectors | None) -> Calibration:
    """Return the calibration of the index whose files were made."""
    job, progress = stages.job, stages.progress
    with stages.timed("calibrate"), stages.pool_for("calibrate") as pool:
        at_once = stages.at_once("truth", stages.pool.threads)
        stages.once("truth", lambda: samples.write_truth(job, given, at_once, progress))
        levels = job.load_all(work_files.FINAL)["levels"].tolist()
        heads = store_heads.Heads(job.draft, job.space, levels)
        parts = Parts(job.draft, job.space, heads, encode.codec_of(job), pack.first_heads(job))
        return calibrate.calibrate(
            parts,
            samples.read_truth(job),
            partial(holders_of, job),
            pool,
            progress,
            job.config.recall_of,
        )
