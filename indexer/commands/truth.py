"""The verb that writes exact neighbours: truth."""

from pathlib import Path
from time import perf_counter

import click

from longspan.indexer.bounds import MOST_NEIGHBOURS
from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit_made


@click.command()
@click.argument("base", type=flags.SOURCE)
@click.argument("queries", type=flags.SOURCE)
@click.option(
    "-k",
    type=flags.Number(1, MOST_NEIGHBOURS),
    default=100,
    show_default=True,
    help="Neighbours of each query.",
)
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
    emit_made(record, [f"{line}, {seconds:.1f} s"], as_json)
