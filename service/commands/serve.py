"""The verb that answers over HTTP: serve."""

import click

from longspan.indexer.bounds import MOST_WORKERS
from longspan.indexer.commands import flags
from longspan.indexer.commands.console import emit

HOST, PORT = "127.0.0.1", 8000


@click.command()
@click.argument("indexes", metavar="[NAME=]INDEX...", nargs=-1, required=True)
@click.option(
    "--host",
    type=flags.NAME,
    default=HOST,
    show_default=True,
    help="0.0.0.0: every interface.",
)
@click.option("--port", metavar="N", type=flags.Number(0, 65535), default=PORT, show_default=True)
@click.option(
    "--workers",
    metavar="N",
    type=flags.Number(1, MOST_WORKERS),
    default=1,
    show_default=True,
    help="Processes; they share the memory of the index.",
)
@flags.serving_memory
@flags.as_json
def serve(
    indexes: tuple[str, ...], host: str, port: int, workers: int, memory: int | None, as_json: bool
) -> None:
    """Answer searches over HTTP until stopped.

    \b
    longspan serve my-index
    longspan serve my-index --memory 2GiB
    longspan serve prod=indexes/v42 test=indexes/v43 --host 0.0.0.0 --workers 4
    """
    from longspan.service.http.process import serve as serve_indexes
    from longspan.service.http.settings import by_name, named_index

    named = by_name(named_index(text) for text in indexes)
    paths = {name: str(path) for name, path in named.items()}

    def announce(url: str) -> None:
        if as_json:
            emit({"url": url, "workers": workers, "indexes": paths}, [], as_json)

    serve_indexes(list(named.items()), host, port, workers, memory, announce)
