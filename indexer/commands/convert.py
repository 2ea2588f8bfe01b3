"""The verb that writes vectors in another format: convert."""

from pathlib import Path
from time import perf_counter

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit_made


@click.command()
@click.argument("source", metavar="IN", type=flags.SOURCE)
@click.argument("output", metavar="OUT", type=flags.PATH)
@click.option(
    "--dtype", type=click.Choice(["f32", "f16", "u8", "i8"]),
    help="Type to write; a value that does not fit is refused. Default: as OUT's suffix says, or "
    "as in IN.",
)  # fmt: skip
@click.option("--limit", metavar="N", type=flags.COUNT, help="The first N vectors at most.")
@click.option("--sample", metavar="N", type=flags.COUNT, help="N of them, drawn at random.")
@click.option(
    "--seed", metavar="S", type=flags.Number(0, 2**32 - 1), default=1, show_default=True,
    help="Seed of the sample.",
)  # fmt: skip
@click.option("--ids", metavar="OUT2", type=flags.PATH,
              help="Write the ids of an index too: .npy, or text.")  # fmt: skip
@flags.as_json
def convert(
    source: str,
    output: Path,
    dtype: str | None,
    limit: int | None,
    sample: int | None,
    seed: int,
    ids: Path | None,
    as_json: bool,
) -> None:
    """Write the vectors of IN, any input of `build` or an index, to OUT, a new file.

    \b
    longspan convert base.fvecs base.u8bin
    longspan convert base.fbin part.npy --dtype f16 --sample 100000
    longspan convert my-index vectors.npy --ids ids.npy
    longspan convert vectors.parquet base.fbin

    OUT is .npy, .fbin .u8bin .i8bin, or .fvecs .bvecs.
    """
    from longspan.indexer.running.progress import Terminal
    from longspan.indexer.tools.convert import convert as write_converted

    began = perf_counter()
    done = write_converted(
        source, output, dtype=dtype, limit=limit, sample=sample, seed=seed, ids=ids,
        progress=Terminal(),
    )  # fmt: skip
    seconds = perf_counter() - began
    record = {
        "output": str(output), "ids": str(ids) if ids else None, "vectors": done.n,
        "dim": done.dim, "dtype": done.dtype, "seconds": round(seconds, 3),
    }  # fmt: skip
    line = f"{output}: {done.n:,} x {done.dim} {done.dtype}, {seconds:.1f} s"
    emit_made(record, [line], as_json)
