"""The closure: which heads each vector is stored under.

A vector's candidates are the heads of its own group and of the groups whose centres lie nearest
to it, compared by one GEMM a group. Of its nearest heads those are kept that no kept head stands
in front of (longspan.cext.assign).

Why the spread is .6 and not SPTAG's 1: measured on 1 M SIFT, 50,000 heads, postings of at most 4
pages, recall@10 of .95: factor 1 needs 116 postings (1.8 copies a vector), .8 59, .7 44, .6 31,
and a plain distance ratio of 1.7 needs 39 with as many copies as .6 has.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from longspan.cext import assign as native
from longspan.indexer.config import BuildConfig
from longspan.indexer.planning.portions import CANDIDATES, COMPARED, NEAREST
from longspan.indexer.running.job import UNDER, Job
from longspan.indexer.stages import runs
from longspan.indexer.stages.cluster import tree_of
from longspan.indexer.stages.tree import NOBODY, Tree
from longspan.indexer.stages.work_files import below_of, owners_in, stored_in

NEIGHBOURS = 256  # groups whose centres are compared exactly

# Where a vector is stored, sorted by head and then by distance (squared L2, as they are placed).
STORED = np.dtype([("head", "<u4"), ("dist", "<f4"), ("slot", "<u4")])
KINDS = PRIMARY, COPIES = "primary", "copies"


@dataclass(frozen=True, slots=True)
class Candidates:
    """The heads that vectors of a group are compared with.

    ids      (c,)        the likeliest first
    mean     (width,)    of them
    near     (c, width)  less mean: GEMM distances lose digits far from the origin
    squares  (c,)        squared norms of near
    """

    ids: NDArray[np.uint32]
    mean: NDArray[np.float32]
    near: NDArray[np.float32]
    squares: NDArray[np.float32]

    @classmethod
    def of(cls, heads: NDArray[np.float32], ids: NDArray[np.uint32]) -> Self:
        """Return the numbered heads as candidates."""
        near = heads[ids]
        mean = near.mean(axis=0)
        near -= mean
        return cls(ids, mean, near, square(near))


def write_closure(job: Job, part: int) -> None:
    """Write the copies of a part's vectors, those at their nearest heads apart from the others."""
    tree, start = tree_of(job), job.bounds[part]
    kept, dist = copies_in(job, tree, part)
    slots = np.arange(start, start + len(kept), dtype=np.uint32)
    save(job, PRIMARY, part, stored(kept[:, 0], dist[:, 0], slots))
    is_copy = kept[:, 1:] != NOBODY
    slots = np.repeat(slots, is_copy.sum(axis=1))
    heads, dist = kept[:, 1:][is_copy], dist[:, 1:][is_copy]
    del kept, is_copy
    save(job, COPIES, part, stored(heads, dist, slots))


def copies_in(job: Job, tree: Tree, part: int) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return the heads that a part's vectors are stored under, as `copies_of` does."""
    below, start = job.load_all(below_of(part), "groups", "order"), job.bounds[part]
    rows = np.array(job.staged.rows(start, job.bounds[part + 1]))
    job.staged.release(start, job.bounds[part + 1])
    kept = np.empty((len(rows), job.config.max_copies), np.uint32)
    dist = np.empty(kept.shape, np.float32)
    for number, (first, last) in enumerate(pairwise(below["groups"].tolist())):
        parent = tree.parent_of(int(tree.first_group[part]) + number)
        candidates = Candidates.of(tree.heads, heads_near(tree, parent))
        step = max(1, min(job.together, job.together * COMPARED // len(candidates.ids)))
        for at in range(first, last, step):
            mine = below["order"][at : min(at + step, last)]
            placed = job.space.place(rows[mine])
            kept[mine], dist[mine] = copies_of(placed, tree.heads, candidates, job.config)
    return kept, dist


def stored(
    heads: NDArray[np.uint32], dist: NDArray[np.float32], slots: NDArray[np.uint32]
) -> NDArray[np.void]:
    """Return where vectors are stored, in the order of STORED; of equals the first stays first."""
    order = np.argsort(sort_key(heads, dist), kind="stable")
    found = np.empty(len(heads), STORED)
    found["head"], found["dist"], found["slot"] = heads[order], dist[order], slots[order]
    return found


def sort_key(heads: NDArray[np.uint32], dist: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return keys that sort by head, then by distance: non-negative floats sort as their bits."""
    key = heads.astype(np.uint64)
    key <<= np.uint64(32)
    key |= dist.view(np.uint32)
    return key


def save(job: Job, kind: str, part: int, found: NDArray[np.void]) -> None:
    """Write what the vectors of a part are stored under, a run for the heads of each part."""
    bounds = np.searchsorted(np.array(found["head"]), tree_of(job).first_head)
    runs.save(job, stored_in(kind, part), found, bounds)


def stored_under(job: Job, kind: str, part: int) -> NDArray[np.void]:
    """Return what is stored under the heads of a part, of equal heads and distances in order."""
    names = runs.with_run(job, all_stored(job, kind), owners_in(kind), part)
    return runs.run_of(job, names, part, STORED)


def under_heads(found: NDArray[np.void], first: int, last: int) -> NDArray[np.void]:
    """Return what is stored under the heads [first, last), in the order of STORED."""
    some = found[(found["head"] >= first) & (found["head"] < last)]
    return some[np.argsort(sort_key(some["head"], some["dist"]), kind="stable")]


def heads_nearest(job: Job, part: int) -> NDArray[np.uint32]:
    """Return the nearest head of each of a part's vectors, ascending."""
    heads: NDArray[np.uint32] = runs.all_of(job, stored_in(PRIMARY, part), STORED)["head"]
    return heads


def note_owners(job: Job) -> None:
    """Write which parts have vectors that are stored under the heads of each part, and how many."""
    records = [runs.note_filled(job, all_stored(job, kind), owners_in(kind)) for kind in KINDS]
    job.save(UNDER, np.sum(records, axis=0))


def all_stored(job: Job, kind: str) -> list[str]:
    """Return the files of what the vectors of all parts are stored under."""
    return [stored_in(kind, part) for part in job.filled]


def heads_near(tree: Tree, parent: int) -> NDArray[np.uint32]:
    """Return CANDIDATES heads or a few more: those of the nearest parents, its own first."""
    parents, family = tree.parents, tree.family
    near = np.arange(len(parents))
    if len(near) > NEIGHBOURS:  # first by the dot product, which is quick and less exact
        rough = tree.squares - 2 * (parents @ parents[parent])
        near = np.sort(np.argpartition(rough, NEIGHBOURS)[:NEIGHBOURS])
    dist = np.square(parents[near] - parents[parent]).sum(axis=1)
    order = near[np.argsort(dist, kind="stable")]
    sizes = np.diff(family)[order]
    enough = order[: 1 + int(np.searchsorted(np.cumsum(sizes), CANDIDATES))]
    runs = [np.arange(family[near], family[near + 1]) for near in enough]
    return np.concatenate(runs).astype(np.uint32)


def copies_of(
    placed: NDArray[np.float32],
    heads: NDArray[np.float32],
    candidates: Candidates,
    config: BuildConfig,
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return the heads that vectors are stored under and their distances, nearest first.

    placed   (n, width)  of which the candidates' mean is subtracted
    returns  (n, max_copies) each; NOBODY and inf beyond the last
    """
    found, dist = nearest(placed, candidates, config)
    kept = np.empty((len(placed), config.max_copies), np.uint32)
    kept_dist = np.empty(kept.shape, np.float32)
    ratio, factor = config.closure_ratio**2, config.closure_spread
    native.spread(dist, found, heads, ratio, factor, kept, kept_dist)
    return kept, kept_dist


def nearest(
    placed: NDArray[np.float32], candidates: Candidates, config: BuildConfig
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Return each vector's nearest candidates and their squared distances, nearest first."""
    placed -= candidates.mean
    width = min(NEAREST * config.max_copies, len(candidates.ids))
    found = np.empty((len(placed), width), np.uint32)
    dist = np.empty(found.shape, np.float32)
    dots = placed @ candidates.near.T
    native.nearest(dots, square(placed), candidates.squares, candidates.ids, dist, found)
    return found, dist


def square(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared norm of each row."""
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", rows, rows)
    return squares
