"""What is served: the list of indexes, and one of them."""

from typing import Any

from fastapi import Request

from longspan.indexer.store import payload
from longspan.indexer.store.tiers import tiers
from longspan.service.catalog.catalog import Status
from longspan.service.http.routes.serving import serving_of
from longspan.service.http.wire import limits
from longspan.service.http.wire.media import JSON, RAW
from longspan.service.http.wire.schemas import (
    IndexDetails,
    IndexList,
    IndexSummary,
    Limits,
    Memory,
    QueryKind,
    TierCost,
)
from longspan.service.search.index import Index
from longspan.service.search.request import MAX_K


async def list_indexes(request: Request) -> IndexList:
    """List the indexes served, open or not."""
    return IndexList(indexes=[_summary(*one) for one in serving_of(request).catalog])


async def describe_index(name: str, request: Request) -> IndexDetails:
    """Say what an index holds, and what may be asked of it."""
    serving = serving_of(request)
    index = serving.catalog.get(name)
    return _details(name, index, serving.limits_of(index))


def _summary(name: str, status: Status, index: Index | None) -> IndexSummary:
    return IndexSummary(name=name, status=status, **(_facts(index) if index else {}))


def _details(name: str, index: Index, most: limits.Limits) -> IndexDetails:
    manifest = index.manifest
    return IndexDetails(
        name=name,
        **_facts(index),
        heads=manifest.heads,
        entries=manifest.entries,
        codec=manifest.codec["kind"],
        size_bytes=manifest.size_bytes,
        payload_bytes=payload.size(manifest),
        memory=_memory(index),
        created=manifest.created,
        format=manifest.format,
        built_by=manifest.longspan,
        recall_of=manifest.recall_of,
        limits=_limits(most),
        queries=QueryKind(**index.kind._asdict()),
        damaged=index.damaged,
    )


def _limits(most: limits.Limits) -> Limits:
    return Limits(
        k=MAX_K,
        batch=most.batch,
        body_bytes=most.body(JSON),
        raw_body_bytes=most.body(RAW),
        payload_bytes=most.payload_bytes,
        hits=most.hits,
        payload_hits=most.objects,
        reads=most.reads,
    )


def _memory(index: Index) -> Memory:
    each = [TierCost(**tier.as_dict()) for tier in tiers(index.manifest)]
    now = each[index.tier]
    return Memory(resident=now.resident, bytes=now.bytes, locked=index.locked, tiers=each)


def _facts(index: Index) -> dict[str, Any]:
    return {"metric": index.metric, "dtype": index.dtype_name, "dim": index.dim, "n": index.n}
