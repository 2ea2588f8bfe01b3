"""Figures of a run of targets.py, as measured.json keeps them."""

import json
from itertools import product
from typing import Any

import keep
import pytest

from longspan.service.tools.measured import FILE, measured


def row(figure: str, threads: int, qps: float, recall: float = 0.95) -> dict[str, Any]:
    """Return a figure as targets.py writes it."""
    return {
        "figure": figure, "recall_target": recall, "recall": recall + 0.0004, "threads": threads,
        "qps": qps, "p50_ms": 1e3 / qps, "postings_read": 20.4, "pages_read": 7.0,
        "bytes_read": 2048.0, "resident_bytes": 2_600_000, "size_mb": 252, "share": 0.5,
    }  # fmt: skip


def test_a_tier_has_its_recalls_in_order_and_the_medians_of_what_was_timed():
    about = "sift, codec auto, tier 0"
    (found,) = keep.tiers(
        [
            *(row(f"{about}: recall@10", 1, 900, recall) for recall in (0.99, 0.9, 0.95)),
            *(row(f"{about}: warm", 1, qps) for qps in (1000, 4000, 2000)),
            row(f"{about}: warm", 2, 3000),
            *(row(f"{about}: cold", threads, threads * 100) for threads in (1, 2, 4)),
            row("text, codec auto, tier 0: recall@10", 1, 900),
            row("sift: build, codec auto", 2, 1),
        ],
        "sift", 1_000_000, "auto",
    )  # fmt: skip
    assert found == {
        "memory": 2.6, "disk": 252, "recall": [0.9, 0.95, 0.99], "postings": [20] * 3,
        "pages": [7] * 3, "kilobytes": 2, "warm": {"qps": [2000, 3000], "p50": 0.5},
        "cold": {"qps": [100, 200, 400], "p50": [10.0, 5.0, 2.5], "share_of_fio": 0.5},
    }  # fmt: skip


def test_what_is_kept_is_what_forecasts_read(tmp_path, monkeypatch):
    indexes = list(product(keep.SETS, keep.CODECS.values()))
    figures = [row(f"{name}: build, codec {codec}", 2, 1) for name, codec in indexes]
    figures += [
        row(f"{name}, codec {codec}, tier 0: {what}", threads, 100, recall)
        for name, codec in indexes
        for what in ("recall@10", "warm", "cold")
        for threads in (1, 2, 4)
        for recall in (0.9, 0.95, 0.99)
    ]
    (tmp_path / "targets.jsonl").write_text("\n".join(map(json.dumps, figures)))
    file = tmp_path / "measured.json"
    file.write_text(FILE.read_text("utf-8"))
    monkeypatch.setattr(keep, "FILE", file)
    monkeypatch.setattr("longspan.service.tools.measured.FILE", file)
    monkeypatch.setattr("sys.argv", ["keep.py", str(tmp_path)])
    measured.cache_clear()
    before = measured()
    keep.main()
    measured.cache_clear()
    after = measured()
    measured.cache_clear()
    assert after.sets["sift"].raw[0].memory == pytest.approx(2.6)
    assert (after.disks, after.growth) == (before.disks, before.growth)
