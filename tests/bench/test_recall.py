"""The table of recall: its sets, and one of them measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import recall

from longspan.indexer.store.tiers import NAMES


@pytest.mark.parametrize("name", recall.SETS)
def test_a_set_makes_vectors_and_fresh_queries_of_its_kind(name: str) -> None:
    base, queries = replace(recall.SETS[name], n=40).made()
    assert len(base) == 40
    assert base.dtype == queries.dtype == recall.SETS[name].dtype
    assert base.shape[1] == queries.shape[1]
    assert np.isfinite(base.astype(np.float32)).all()


def test_every_tier_is_asked_for_every_target(tmp_path: Path) -> None:
    small = replace(recall.SETS["clouds-l2"], n=700, dim=8, codec="pq", ks=(1, 10))
    rows = list(recall.measured(small, tmp_path))
    assert [row["tier"] for row in rows] == list(NAMES)
    for row in rows:
        assert set(row["found"]) == {f"{k}@{target}" for k in (1, 10) for target in recall.TARGETS}
        assert row["worst"] > -0.05
        assert recall.line({"set": "small", **row}).count("@") == 6
