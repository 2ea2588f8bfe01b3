"""The opened files of an index, and what a search of them does for a request."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from longspan.cext.files import Files
from longspan.cext.postings import Postings
from longspan.cext.search import Searcher, SearchPlan
from longspan.indexer.store import payload
from longspan.indexer.store.calibration import READ_ALL, Calibration
from longspan.indexer.store.codec import CODEC, Codec
from longspan.indexer.store.heads import Heads, beams
from longspan.indexer.store.layout import DIRECTORY
from longspan.indexer.store.manifest import Manifest
from longspan.indexer.store.opened import Parts
from longspan.indexer.store.payload import Payload
from longspan.indexer.store.space import HeadSpace
from longspan.indexer.store.tiers import CODES
from longspan.service.search import memory
from longspan.service.search.request import SearchRequest
from longspan.service.search.watch import Watch

SETTLED = 256  # requests whose effort is kept: finding it takes 10 us


class Effort(NamedTuple):
    """What is done for each query.

    ranked     heads
    threshold  log of the hits that a posting must promise to be read
    depth      candidates by code that get an exact distance
    beam       nodes of the lowest inner level to expand; None: as `ranked` needs
    settle     answer with fewer than k vectors where the ranked postings hold no more
    exact      score every vector instead: nothing less finds what is wanted
    limit      the recall that was measured, where it is less than is wanted; else None
    plan       all this as the native search takes it
    """

    ranked: int
    threshold: float
    depth: int
    beam: int | None
    settle: bool
    exact: bool
    limit: float | None
    plan: SearchPlan

    def ranking(self, levels: tuple[int, ...], ranked: int) -> SearchPlan:
        """Return the plan that ranks so many heads of an index instead."""
        settle = self.settle or ranked == levels[-1]
        beam = beams(levels, ranked, self.beam)
        return SearchPlan(beam, ranked, self.threshold, self.depth, settle)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """All that a search runs on. The files are let go when nobody holds it any more.

    locked   whether the system let the codes of the tier be locked in memory
    law      of pruning, at the tier
    effort   (k, recall, probes, beam, depth) -> what is done for each query
    payload  None when the index has none
    watch    on the kind of the queries
    files    that all else is mapped from
    damaged  what searches found not to have its checksum, in sets that grow
    """

    path: Path
    manifest: Manifest
    tier: int
    locked: bool
    heads: Heads
    parts: Parts
    law: list[float]
    postings: Postings
    searcher: Searcher
    payload: Payload | None
    effort: Callable[..., Effort]
    watch: Watch
    files: Files
    damaged: tuple[set[str], ...]


def open_files(
    path: Path,
    manifest: Manifest,
    tier: int,
    lock: bool,
    wanted: Callable[[], bool] = lambda: True,
) -> Opened:
    """Open the files of an index, with the codes of a tier in memory, locked there if asked for.

    wanted  says, every now and then, whether it is still wanted; memory.Stopped when not
    """
    space = HeadSpace(manifest.metric, manifest.dtype, manifest.dim, manifest.radius)
    heads = Heads(path, space, manifest.levels)
    codec = Codec.load(path, manifest.codec) if is_coded(manifest) else None
    parts = Parts(path, space, heads, codec, manifest.shards)
    codes = parts.codes(tier)
    check = memory.unless_stopped(wanted)
    locked = memory.hold(codes, lock, check)
    parts.check_codes(codes, check)
    calibration = Calibration.from_dict(manifest.calibration)
    law = calibration.tiers[tier].law
    postings, ids = parts.postings(codes), parts.ids
    files = mapped_files(path, manifest, tier)
    return Opened(
        path=path,
        manifest=manifest,
        tier=tier,
        locked=locked,
        heads=heads,
        parts=parts,
        law=law,
        postings=postings,
        searcher=parts.searcher(postings, law, files),
        payload=Payload(path, manifest.n) if payload.is_in(manifest) else None,
        effort=lru_cache(SETTLED)(partial(effort, calibration, tier, heads.levels, manifest.n)),
        watch=Watch(path, calibration.nearness),
        files=files,
        damaged=(postings.checks.damaged, ids.checks.damaged),
    )


def mapped_files(path: Path, manifest: Manifest, tier: int) -> Files:
    """Return the files of an index that are mapped, with the codes of a tier."""
    others = {DIRECTORY, CODEC, *payload.FILES, *CODES[tier:]}  # those that are read
    sizes = {
        path / name: int(record["bytes"])
        for name, record in manifest.files.items()
        if name not in others
    }
    return Files([*sizes], [*sizes.values()])


def is_coded(manifest: Manifest) -> bool:
    """Return whether an index's copies are codes."""
    return str(manifest.codec["kind"]) != "raw"


def effort_of(opened: Opened, request: SearchRequest, recall: float) -> Effort | None:
    """Return what is done for each query; None when every vector is scored."""
    if request.exact or recall >= 1:
        return None
    effort = opened.effort(request.k, recall, request.probes, request.beam, request.depth)
    return None if effort.exact else effort


def effort(
    calibration: Calibration,
    tier: int,
    levels: tuple[int, ...],
    n: int,
    k: int,
    recall: float,
    probes: int | None,
    beam: int | None,
    depth: int | None,
) -> Effort:
    """Return what is done for each query: the calibrated settings, or what a request puts there.

    Never more than the index has: all postings when more are to be read, all vectors when more
    are to be candidates.
    """
    calibrated = calibration.plan(tier, k, recall)
    ranked = min(probes or calibrated.ranked, levels[-1])
    threshold = READ_ALL if probes else calibrated.threshold
    depth = min(depth or calibrated.depth, n)
    settle = probes is not None or beam is not None or ranked == levels[-1]
    plan = SearchPlan(beams(levels, ranked, beam), ranked, threshold, depth, settle)
    own = bool(probes or beam)
    exact = calibrated.depth >= n and not own
    limit = None if own or depth > calibrated.depth else calibration.limit(tier, k, recall)
    return Effort(ranked, threshold, depth, beam, settle, exact, limit, plan)
