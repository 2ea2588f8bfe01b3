"""The verb that asks a server whether it is ready: health."""

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import FAILED, emit
from longspan.service.commands.serve import HOST, PORT


@click.command()
@click.argument("url", type=flags.NAME, default=f"http://{HOST}:{PORT}")
@flags.as_json
@click.pass_context
def health(ctx: click.Context, url: str, as_json: bool) -> None:
    """Ask a server whether it is ready.

    Exit code 0 when the server at URL is, 1 when it is not.
    """
    from longspan.service.http.health import health as is_ready

    ready = is_ready(url)
    emit({"url": url, "ready": ready}, [f"{url}: {'ready' if ready else 'not ready'}"], as_json)
    ctx.exit(0 if ready else FAILED)
