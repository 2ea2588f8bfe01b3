"""The verb that makes an index: build."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit_made
from longspan.indexer.commands.info import describe
from longspan.indexer.config import EXECUTORS, LOCAL
from longspan.indexer.errors import BuildCutOff
from longspan.indexer.sizes import show_size

if TYPE_CHECKING:
    from longspan.indexer.planning.plan import Plan


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
@click.option("--restart", is_flag=True, help="Throw away what such a build has done.")
@flags.status
@flags.tmp
@click.option(
    "--executor", type=click.Choice(EXECUTORS), default=LOCAL, show_default=True,
    help="Where to work: threads here, or a Ray cluster with shared storage (docs/ray.md).",
)  # fmt: skip
@click.option(
    "--address", metavar="HOST:PORT", type=flags.NAME,
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
    restart: bool,
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
    from longspan.indexer.running.status import progress_for

    with hint_at_resuming(index), progress_for(status, index) as progress:
        manifest = build_index(
            source, index, metric=metric, ids=ids, queries=queries, payload=payload,
            threads=threads, memory_limit=memory, resume=resume, restart=restart, tmp=tmp,
            executor=executor, address=address, config=config, progress=progress,
            announce=announce,
        )  # fmt: skip
    emit_made(manifest.as_dict(), describe(index, manifest), as_json)


def announce(plan: "Plan") -> None:
    """Say before a build what it will take."""
    from longspan.indexer.running.progress import duration

    click.echo(
        f"plan: {plan.shape.dials.heads:,} postings, {plan.shape.kind}; at most "
        f"{show_size(plan.peak)} of memory, {show_size(plan.index)} of disk and "
        f"{show_size(plan.work)} meanwhile; about {duration(plan.seconds)}",
        err=True,
    )


@contextmanager
def hint_at_resuming(index: Path) -> Iterator[None]:
    """Say, when the block is cut off, that a build can go on."""
    try:
        yield
    except BuildCutOff:
        raise  # it says so itself
    except BaseException:
        from longspan.indexer.running.journal import has_work
        from longspan.indexer.stages.publish import workplace

        if has_work(workplace(index)):
            click.echo(
                "what was done is kept: add --resume to go on, or --restart to throw it away",
                err=True,
            )
        raise
