"""The verbs that make and check an index: build, truth, info, verify."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import CHECK_FAILED, aligned, emit
from longspan.indexer.config import EXECUTORS, LOCAL
from longspan.indexer.sizes import show_size

if TYPE_CHECKING:
    from longspan.indexer.planning.plan import Plan
    from longspan.indexer.running.progress import Progress
    from longspan.indexer.store.manifest import Manifest


@click.command()
@click.argument("source", metavar="INPUT", type=flags.SOURCE)
@click.argument("index", type=flags.PATH)
@flags.metric
@click.option(
    "--ids", metavar="FILE", type=flags.SOURCE,
    help="Your names for the vectors: .npy, parquet, or text.",
)  # fmt: skip
@click.option(
    "--queries", metavar="FILE", type=flags.SOURCE,
    help="Calibrate with these instead of held-out rows.",
)  # fmt: skip
@click.option(
    "--payload", type=flags.PATH, help="A JSON object for every vector: JSON lines, or .parquet."
)
@flags.threads
@click.option("--memory", type=flags.size, help="Most memory to use, such as 1GiB.")
@click.option("--resume", is_flag=True, help="Go on with a build of INDEX that was cut off.")
@flags.status
@flags.tmp
@click.option(
    "--executor", type=click.Choice(EXECUTORS), default=LOCAL, show_default=True,
    help="Where to work: threads here, or a Ray cluster with shared storage (docs/ray.md).",
)  # fmt: skip
@click.option(
    "--address", metavar="HOST:PORT",
    help="The Ray cluster. Default: one that Ray finds, or one of this machine for the build.",
)  # fmt: skip
@flags.dials
@flags.as_json
def build(
    source: str,
    index: Path,
    metric: str,
    ids: str | None,
    queries: str | None,
    payload: Path | None,
    threads: int | None,
    memory: int | None,
    resume: bool,
    status: Path | None,
    tmp: Path | None,
    executor: str,
    address: str | None,
    as_json: bool,
    **dials: Any,
) -> None:
    """Build INDEX, a new directory, from the vectors in INPUT.

    \b
    longspan build base.fbin my-index
    longspan build base.npy my-index --metric cosine --memory 4GiB
    longspan build glove.hdf5::train my-index
    longspan build s3://bucket/base.parquet::vector my-index --tmp /scratch

    INPUT is .npy (float32, float16, uint8, int8), .fbin .u8bin .i8bin, .fvecs .bvecs, a dataset of
    .hdf5, a column of .parquet, a folder of these, or a URL of one.
    """
    config = flags.config_from(dials)
    from longspan.indexer.pipeline import build as build_index

    with hint_at_resuming(index), told(status, index) as progress:
        manifest = build_index(
            source, index, metric=metric, ids=ids, queries=queries, payload=payload,
            threads=threads, memory_limit=memory, resume=resume, tmp=tmp, executor=executor,
            address=address, config=config, progress=progress, announce=announce,
        )  # fmt: skip
    emit(manifest.as_dict(), describe(index, manifest), as_json)


def announce(plan: "Plan") -> None:
    """Say before a build what it will take."""
    from longspan.indexer.running.progress import duration

    click.echo(
        f"plan: {plan.shape.dials.heads:,} postings, {plan.shape.kind}; at most "
        f"{show_size(plan.peak)} of memory, {show_size(plan.index)} of disk and "
        f"{show_size(plan.work)} meanwhile; about {duration(plan.seconds)}",
        err=True,
    )


def told(status: Path | None, index: Path) -> AbstractContextManager["Progress"]:
    """Give what is told how far the build is: the terminal, and a status file when one is named."""
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.running.status import status_file

    return status_file(status, index, Terminal()) if status else nullcontext(Terminal())


@contextmanager
def hint_at_resuming(index: Path) -> Iterator[None]:
    """Say, when the block is cut off, that a build can go on."""
    try:
        yield
    except BaseException:
        from longspan.indexer.running.journal import can_go_on
        from longspan.indexer.stages.publish import workplace

        place = workplace(index)
        if can_go_on(place):
            click.echo(
                f"what was done is kept: add --resume to go on, or remove {place} to give it up",
                err=True,
            )
        raise


@click.command()
@click.argument("base", type=flags.SOURCE)
@click.argument("queries", type=flags.SOURCE)
@click.option("-k", type=int, default=100, show_default=True, help="Neighbours of each query.")
@flags.metric
@click.option("-o", "--output", type=flags.PATH, required=True, help="New .npz or .ibin file.")
@flags.threads
@flags.tmp
@flags.as_json
def truth(
    base: str,
    queries: str,
    k: int,
    metric: str,
    output: Path,
    threads: int | None,
    tmp: Path | None,
    as_json: bool,
) -> None:
    """Write the exact neighbours of each query.

    Scans all of BASE for QUERIES, in little memory.

    \b
    longspan truth base.fbin queries.fbin -k 100 --metric l2 -o truth.ibin
    """
    from longspan.indexer.reader import open_vectors
    from longspan.indexer.reader.copies import beside
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.tools.answers import check_target, write_answers
    from longspan.indexer.tools.truth import exact

    began = perf_counter()
    check_target(output)
    folder = tmp or beside(output)
    vectors, wanted = (open_vectors(source, folder, Terminal()) for source in (base, queries))
    check_target(output, largest_id=vectors.n - 1)
    found = exact(vectors, wanted.rows(0, wanted.n), k, metric, threads, Terminal())
    write_answers(output, *found)
    seconds = perf_counter() - began
    record = {
        "output": str(output), "queries": wanted.n, "k": k, "metric": metric,
        "vectors": vectors.n, "seconds": round(seconds, 3),
    }  # fmt: skip
    line = f"{output}: {k} neighbours of {wanted.n:,} queries among {vectors.n:,} vectors"
    emit(record, [f"{line}, {seconds:.1f} s"], as_json)


@click.command()
@click.argument("index", type=flags.PATH)
@flags.as_json
def info(index: Path, as_json: bool) -> None:
    """Say what INDEX holds and how it was built."""
    from longspan.indexer.store.manifest import Manifest

    manifest = Manifest.read(index)
    emit(manifest.as_dict(), describe(index, manifest), as_json)


@click.command()
@click.argument("index", type=flags.PATH)
@flags.as_json
@click.pass_context
def verify(ctx: click.Context, index: Path, as_json: bool) -> None:
    """Read all of INDEX and check every promise.

    Prints what is wrong, a line each, and exits with 3 when something is.
    """
    from longspan.indexer.tools.verify import verify as problems_of

    problems = problems_of(index)
    record = {"index": str(index), "ok": not problems, "problems": problems}
    emit(record, problems or [f"{index}: every check holds"], as_json)
    ctx.exit(CHECK_FAILED if problems else 0)


def describe(index: Path, manifest: "Manifest") -> list[str]:
    """Return the manifest as lines for a person; --json has all of it."""
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in manifest.stages.items())
    each = f"{manifest.entries / manifest.n:.2f} times each vector"
    given = {name: value for name, value in manifest.config.items() if value is not None}
    return aligned(
        {
            "index": f"{index} ({show_size(manifest.size_bytes)} in {len(manifest.files)} files)",
            "vectors": f"{manifest.n:,} x {manifest.dim} {manifest.dtype}, {manifest.metric}",
            "postings": f"{manifest.heads:,}, with {each}",
            "input": f"{manifest.input['name']} ({show_size(manifest.input['bytes'])})",
            "codec": f"{manifest.codec['kind']} ({manifest.codec['reason']})",
            **payload_line(manifest),
            **memory_lines(manifest),
            "dials": ", ".join(
                f"{name} {value}" for name, value in (manifest.dials | given).items()
            ),
            "built": f"{manifest.created} by longspan {manifest.longspan}",
            "seconds": f"{sum(manifest.stages.values()):.1f} ({stages})",
        }
    )


def payload_line(manifest: "Manifest") -> dict[str, str]:
    """Return how much payload there is, when there is."""
    from longspan.indexer.store import payload

    if not payload.is_in(manifest):
        return {}
    return {"payload": f"{manifest.n:,} objects ({show_size(payload.size(manifest))})"}


def memory_lines(manifest: "Manifest") -> dict[str, str]:
    """Return a line for each tier of the memory dial."""
    from longspan.indexer.store.tiers import tiers

    lines: dict[str, str] = {}
    for tier in tiers(manifest):
        postings = f"{tier.postings} postings and " if tier.postings else ""
        reads = f"a query reads {postings}{tier.pages} pages"
        lines[f"memory {len(lines)}"] = f"{show_size(tier.bytes)} for {tier.resident}: {reads}"
    return lines


VERBS = (build, truth, info, verify)
