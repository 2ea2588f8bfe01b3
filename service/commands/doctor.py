"""The verb that examines the machine: doctor."""

from pathlib import Path

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import CHECK_FAILED, emit


@click.command()
@click.argument("path", type=flags.PATH, default=Path())
@flags.as_json
@click.pass_context
def doctor(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Say what this machine can do for longspan, and what is wrong with it.

    Reads at random what lies at PATH, by default here: the postings of an index, thrown out of the
    page cache first; or in a directory a file of 256 MiB at most, which is gone in the end. Takes
    under ten seconds. Exits with 3 when something makes it unusable.

    \b
    longspan doctor /mnt/ssd
    longspan doctor my-index --json
    """
    try:
        from longspan.service.tools.doctor.report import examine_all
        from longspan.service.tools.doctor.text import lines
    except (ImportError, ValueError) as exc:  # a library is not there, or LONGSPAN_SIMD is unknown
        emit({"usable": False, "error": str(exc)}, [f"unusable: {exc}"], as_json)
        ctx.exit(CHECK_FAILED)
    report = examine_all(path)
    emit(report.as_dict(), lines(report), as_json)
    ctx.exit(0 if report.usable else CHECK_FAILED)
