"""The verb that says what an index will cost: plan."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import DOES_NOT_FIT, emit
from longspan.indexer.errors import BadConfig

if TYPE_CHECKING:
    from longspan.indexer.config import BuildConfig
    from longspan.indexer.planning.shape import Shape


@click.command()
@click.argument("source", metavar="[INPUT]", type=flags.SOURCE, required=False)
@flags.metric
@click.option(
    "--n", metavar="N", type=flags.COUNT, help="Without INPUT: so many vectors, as 1e9.",
)  # fmt: skip
@click.option(
    "--dim", metavar="N", type=flags.DIMS, help="Without INPUT: of so many dimensions.",
)  # fmt: skip
@click.option(
    "--dtype", type=click.Choice(["f32", "f16", "u8", "i8"]), help="Without INPUT: of this type.",
)  # fmt: skip
@click.option("--memory", type=flags.size, metavar="SIZE", help="Most memory that a build may use.")
@click.option(
    "--machine", metavar="KEY=VALUE,...", default="",
    help="Another machine than this one: vcpus=32, iops=1e6 of its disk, disk=4TiB free on it, "
    "speed=1.5 times that of a core of this one.",
)  # fmt: skip
@flags.tmp
@flags.dials
@flags.as_json
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    source: str | None,
    metric: str,
    n: int | None,
    dim: int | None,
    dtype: str | None,
    memory: int | None,
    machine: str,
    tmp: Path | None,
    as_json: bool,
    **dials: Any,
) -> None:
    """Say what an index of INPUT will take to build and to search, before any work.

    \b
    longspan plan base.fbin --memory 4GiB
    longspan plan --n 1e9 --dim 128 --dtype u8 --machine vcpus=32,iops=1e6

    All figures are projected, from builds that were measured. Exits with 4 when it does not fit.
    """
    from longspan.indexer.planning.plan import planned
    from longspan.service.tools.forecast import served
    from longspan.service.tools.plan_text import lines
    from longspan.service.tools.stated import stated

    config = flags.config_from(dials)
    if source is None:
        shape = shape_said(n, dim, dtype, metric, config)
    elif (n, dim, dtype) != (None, None, None):
        raise BadConfig("--n, --dim and --dtype are for a plan without INPUT")
    else:
        shape = shape_read(source, metric, config, tmp)
    where = stated(machine, None if source is None else Path())
    made = planned(shape, config.calibration, where.vcpus, where.speed, memory, where.disk)
    serving = served(made, config.recall, where)
    record = {**made.as_dict(), "recall": config.recall, "machine": where.as_dict()}
    record["serving"] = [one.as_dict() for one in serving]
    emit(record, lines(made, serving, config.recall, where), as_json)
    ctx.exit(DOES_NOT_FIT if made.misfits else 0)


def shape_said(
    n: int | None, dim: int | None, dtype: str | None, metric: str, config: "BuildConfig"
) -> "Shape":
    """Return the shape of vectors that are described; BadConfig when that is not whole."""
    from longspan.indexer.planning.shape import shape_of
    from longspan.indexer.store.space import HeadSpace

    if n is None or dim is None or dtype is None:
        raise BadConfig("a plan wants INPUT, or --n, --dim and --dtype")
    return shape_of(n, HeadSpace(metric, dtype, dim), config)


def shape_read(source: str, metric: str, config: "BuildConfig", tmp: Path | None) -> "Shape":
    """Return the shape of the vectors of an input."""
    from longspan.indexer.planning.shape import shape_of
    from longspan.indexer.reader import open_vectors
    from longspan.indexer.reader.norms import unevenness_of
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.store.space import HeadSpace

    vectors = open_vectors(source, tmp, Terminal())
    unevenness = unevenness_of(vectors, metric)
    space = HeadSpace(metric, vectors.dtype_name, vectors.dim, unevenness=unevenness)
    return shape_of(vectors.n, space, config)
