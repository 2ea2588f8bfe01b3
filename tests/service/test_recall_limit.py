"""What an answer says when the index was measured to give less than is asked for."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import httpx
import numpy as np
import pytest

from longspan.indexer.store.calibration import ALLOWED, TARGETS, Calibration, Table
from longspan.indexer.store.manifest import NAME, Manifest
from longspan.service import Index
from longspan.service.search.request import SearchParams
from tests.cli.command import succeeds
from tests.conftest import BuildIndex
from tests.data import Corpus
from tests.service.serving import RAW, serving

KS = [1, 10, 100]
MEASURED = [[0.92, 0.96, 0.99], [0.9, 0.94, 0.97], [0.8, 0.8, 0.8]]  # for each of KS and TARGETS
ERROR = 0.002


def table(measured: list[list[float]]) -> Table:
    """Return a table in which nothing matters but what was measured."""
    ones, tens = [[1, 1]] * len(KS), [[10.0, 10.0]] * len(KS)
    errors = [[ERROR] * len(TARGETS)] * len(measured)
    return Table(
        law=[-1.0, 0.0, 0.0],
        ranked=ones,
        threshold=tens,
        depth=ones,
        postings=tens,
        pages=tens,
        measured=measured,
        error=errors,
        tenth=measured,
    )


@pytest.mark.parametrize(
    ("k", "recall", "expected"),
    [
        (1, 0.95, None), (1, 0.99, None), (1, 0.999, None),
        (10, 0.9, None), (10, 0.95, 0.94), (10, 0.99, 0.97), (10, 0.97, None), (10, 0.999, 0.97),
        (5, 0.95, 0.94), (2, 0.9, None), (50, 0.5, None), (50, 0.85, 0.8), (100, 0.8, None),
        (1000, 0.95, 0.8),
    ],
)  # fmt: skip
def test_the_limit_is_what_was_measured_for_the_next_target(
    k: int, recall: float, expected: float | None
) -> None:
    calibration = Calibration(
        queries=1,
        source="x",
        ks=KS,
        recalls=[0.5, 1.0],
        tiers=[table(MEASURED)],
        targets=list(TARGETS),
    )
    assert ERROR < ALLOWED  # of .94 and .95 the one is less
    assert calibration.limit(0, k, recall) == expected


def test_an_index_that_nobody_measured_has_none() -> None:
    old = Calibration(queries=1, source="x", ks=KS, recalls=[0.5, 1.0], tiers=[table([])])
    assert old.limit(0, 10, 0.99) is None


@pytest.fixture(scope="module")
def short(coded_index: BuildIndex, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index whose manifest says that it gives .7 where .99 is asked for."""
    index = tmp_path_factory.mktemp("short") / "index"
    copytree(coded_index(), index)
    manifest = Manifest.read(index)
    calibration = Calibration.from_dict(manifest.calibration)
    tiers = [
        replace(tier, measured=[[*row[:-1], 0.7] for row in tier.measured])
        for tier in calibration.tiers
    ]
    (index / NAME).unlink()
    replace(manifest, calibration=replace(calibration, tiers=tiers).as_dict()).write(index)
    return index


def test_an_answer_says_it_and_only_where_it_is_so(short: Path, clustered: Corpus) -> None:
    query = clustered.queries[0]
    with Index.open(short) as index:
        assert index.search(query, 10, 0.99).recall_limit == 0.7
        assert index.search(query, 10, 0.9).recall_limit is None
        assert index.search(query, 10, 1.0).recall_limit is None
        for params in (SearchParams(probes=3), SearchParams(exact=True)):
            assert index.search(query, 10, params=params).recall_limit is None


@pytest.fixture(scope="module")
def client(short: Path) -> Iterator[httpx.Client]:
    with serving({"short": short}) as (opened, _):
        yield opened


@pytest.mark.parametrize(("recall", "said"), [(0.99, 0.7), (0.9, None)])
def test_so_do_json_and_raw_answers_alone_and_of_a_batch(
    client: httpx.Client, clustered: Corpus, recall: float, said: float | None
) -> None:
    queries, path = clustered.queries[:2], "/v1/indexes/short/search"
    one = client.post(path, json={"vector": queries[0].tolist(), "recall": recall})
    assert one.json().get("recall_limit") == said
    body = {"vectors": queries.tolist(), "recall": recall}
    batch = client.post(f"{path}/batch", json=body)
    assert batch.json().get("recall_limit") == said
    raw = client.post(
        f"{path}?recall={recall}",
        content=queries[0].astype("<f4").tobytes(),
        headers={"content-type": RAW, "accept": RAW},
    )
    assert raw.headers.get("longspan-recall-limit") == (None if said is None else "0.7")


def test_so_does_the_command(short: Path, clustered: Corpus, tmp_path: Path) -> None:
    np.save(tmp_path / "queries.npy", clustered.queries)
    asked: list[str | Path] = [
        "search",
        short,
        "--queries",
        tmp_path / "queries.npy",
        "--recall",
        "0.99",
    ]
    done = succeeds(*asked, "-o", tmp_path / "a.npz")
    assert "0.99, 0.7 to expect" in done.stdout
    done = succeeds(*asked, "-o", tmp_path / "b.npz", "--json")
    assert json.loads(done.stdout)["recall_limit"] == 0.7
