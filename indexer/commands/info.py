"""The verb that says what an index is: info."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from longspan.indexer.commands import flags
from longspan.indexer.commands.console import aligned, emit
from longspan.indexer.config import DECILE
from longspan.indexer.sizes import show_size

if TYPE_CHECKING:
    from longspan.indexer.store.manifest import Manifest


@click.command()
@click.argument("index", type=flags.PATH)
@flags.as_json
def info(index: Path, as_json: bool) -> None:
    """Say what INDEX holds and how it was built."""
    from longspan.indexer.store.manifest import Manifest

    manifest = Manifest.read(index)
    emit(manifest.as_dict(), describe(index, manifest), as_json)


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
            **recall_lines(manifest),
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


def recall_lines(manifest: "Manifest") -> dict[str, str]:
    """Return the recall of ten neighbours at each tier, and all that are short of their target."""
    from longspan.indexer.store.tiers import tiers

    lines: dict[str, str] = {}
    for number, tier in enumerate(tiers(manifest)):
        ten = [f"{one.recall:.3f} for {one.target}" for one in tier.measured if one.k == 10]
        short = [
            f"k {one.k}: {one.recall:.3f} for {one.target}" for one in tier.measured if one.is_short
        ]
        if ten:
            asked = ", of nine queries in ten" if manifest.recall_of == DECILE else ""
            lines[f"recall {number}"] = f"of 10{asked}: {', '.join(ten)}, with {tier.resident}"
        if short:
            lines[f"short {number}"] = f"less is found than is asked for: {', '.join(short)}"
    return lines
