"""A plan as a person reads it."""

from collections.abc import Iterator

from longspan.indexer.commands.console import aligned
from longspan.indexer.planning.plan import Plan
from longspan.indexer.planning.shape import levels_of
from longspan.indexer.running.progress import duration
from longspan.indexer.sizes import show_size
from longspan.service.tools.forecast import Served
from longspan.service.tools.stated import Stated


def lines(plan: Plan, serving: list[Served], recall: float, where: Stated) -> Iterator[str]:
    """Yield every line."""
    shape = plan.shape
    yield from aligned(
        {
            "vectors": f"{shape.n:,} x {shape.space.dim} {shape.space.dtype}, {shape.space.metric}",
            "codec": f"{shape.kind} ({shape.reason})",
            "postings": f"{shape.dials.heads:,} of {show_size(plan.posting)}, a vector in "
            f"{plan.copies:g} of them, below {levels_of(shape.dials.heads)} levels",
            "memory": f"{show_size(plan.peak)} to build, at most",
            "disk": f"{show_size(plan.index)} for the index, {show_size(plan.work)} more meanwhile",
            "time": f"{duration(plan.seconds)} on {where.vcpus} cores of {where.speed:.2g} times "
            "the measured speed",
            "fits": "; ".join(plan.misfits) or "yes",
        }
    )
    yield ""
    yield f"{'stage':<10}{'memory':>10}{'at once':>9}{'time':>14}"
    for stage in plan.stages:
        taken = duration(stage.seconds)
        yield f"{stage.name:<10}{show_size(stage.memory):>10}{stage.units:>9}{taken:>14}"
    yield ""
    yield f"a query of recall@10 {recall:g}, by what is in memory"
    for one in serving:
        cold = "" if one.cold is None else f", {one.cold:,.0f} queries/s cold"
        yield (
            f"  {one.resident:<21} {show_size(one.bytes):>9}  reads {one.query.postings:.0f} "
            f"postings and {one.query.pages:.0f} pages, {one.warm:,.0f} queries/s warm{cold}"
        )
    yield ""
    yield "all projected: from builds and searches that were measured"
