"""run.py through its real processes: what it stores, that it goes on, that it says what failed."""

import json
import math
from pathlib import Path

import judge
import tables

from tests.bench.conftest import Run

EXACT = json.dumps(
    {
        "package": "longspan",
        "disk": True,
        "sets": {"sift": {"raw": {"build": {"codec": "raw"}, "recall": [1.0]}}},
    }
)
WITHOUT_CODEC = EXACT.replace('"raw"}', '"none"}')


def test_what_a_run_stored_is_judged_and_told(run: Run, tmp_path: Path):
    done = run(EXACT)
    assert done.returncode == 0, done.stderr
    found = judge.figures(tmp_path / "work" / "results")
    assert [(one.curve, one.setting, one.threads, one.cold) for one in found] == [
        ("longspan-raw-tier0", "tier 0, recall 1.0", 2, cold) for cold in (False, True)
    ]
    for one in found:
        assert (one.n, one.queries, one.recall) == (600, 40, 1)
        assert one.qps > 0 and 0 < one.p50_ms <= one.p99_ms
        assert one.postings and one.index_bytes > 600 * 16

    text = tables.markdown(found)
    assert (
        text.count("| longspan-raw-tier0 |") == 4
    )  # warm and cold, among those chosen and among all
    assert f"longspan {found[0].note['version']}" in text

    again = run(EXACT)
    assert (again.returncode, again.stderr) == (0, "")


def test_a_build_that_fails_is_named_and_its_log_kept(run: Run, tmp_path: Path):
    done = run(WITHOUT_CODEC)
    assert done.returncode == 1
    out = tmp_path / "work" / "results" / "sift-longspan-raw-build.json"
    assert done.stderr.splitlines()[-1] == str(out)
    assert "codec" in out.with_suffix(".log").read_text()
    assert not out.exists()


def test_what_is_not_known_is_an_empty_cell():
    assert [tables.number(value, 1) for value in (None, math.nan, 1234.56)] == ["", "", "1,234.6"]
