"""The verbs around the server: quickstart, serve, health."""

from pathlib import Path

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import FAILED, emit

HOST, PORT = "127.0.0.1", 8000


@click.command()
@click.argument("directory", type=flags.PATH, default=Path("longspan-quickstart"))
@click.option("--serve", is_flag=True, help="Start the server at the end.")
def quickstart(directory: Path, serve: bool) -> None:
    """Build, search and serve a small sample.

    It lies in DIRECTORY, by default longspan-quickstart.
    """
    from longspan.indexer.running.progress import Terminal
    from longspan.service.tools.quickstart.quickstart import quickstart as start

    start(directory, serve, Terminal())


@click.command()
@click.argument("indexes", metavar="[NAME=]INDEX...", nargs=-1, required=True)
@click.option("--host", default=HOST, show_default=True, help="0.0.0.0: every interface.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=PORT, show_default=True)
@click.option("--workers", metavar="N", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes; they share the memory of the index.")  # fmt: skip
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
    record = {
        "url": f"http://{host}:{port}", "workers": workers,
        "indexes": {name: str(path) for name, path in named.items()},
    }  # fmt: skip
    if as_json:
        emit(record, [], as_json)
    serve_indexes(list(named.items()), host, port, workers, memory)


@click.command()
@click.argument("url", default=f"http://{HOST}:{PORT}")
@flags.as_json
@click.pass_context
def health(ctx: click.Context, url: str, as_json: bool) -> None:
    """Ask a server whether it is ready.

    Exit code 0 when the server at URL is, 1 when it is not.
    """
    from longspan.service.http.process import health as is_ready

    ready = is_ready(url)
    emit({"url": url, "ready": ready}, [f"{url}: {'ready' if ready else 'not ready'}"], as_json)
    ctx.exit(0 if ready else FAILED)


VERBS = (serve, health)
