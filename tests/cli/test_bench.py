"""`longspan bench`."""

import json
import re
from pathlib import Path

from tests.cli.command import Done, longspan

KEYS = (
    "recall_target", "recall", "qps", "mean_ms", "p50_ms", "p99_ms", "threads", "cold",
    "postings_read", "vectors_scored", "bytes_read", "rss_bytes",
)  # fmt: skip


def bench(files: Path, *more: str) -> Done:
    given = ("--queries", files / "queries.npy", "--truth", files / "truth.npz")
    return longspan("bench", files / "index", *given, *more)


def test_its_json_has_a_line_for_each_target_and_number_of_threads(files: Path) -> None:
    done = bench(files, "--recall", "0.8,0.95", "--threads", "1,2", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(set(row) >= set(KEYS) for row in rows)
    targets = {(row["recall_target"], row["threads"]) for row in rows}
    assert targets == {(0.8, 1), (0.8, 2), (0.95, 1), (0.95, 2)}
    assert all(0.5 < row["recall"] <= 1 and row["qps"] > 0 for row in rows)


def test_its_table_is_aligned_under_one_line_of_names(files: Path) -> None:
    done = bench(files, "--recall", "0.9,1", "--skip", "10", "--first", "50")
    assert done.returncode == 0, done.stderr
    names, *rows = done.stdout.splitlines()
    assert names.split()[:2] == ["recall_target", "recall"]
    assert len(rows) == 2
    ends = [[match.end() for match in re.finditer(r"\S+", line)][:6] for line in (names, *rows)]
    assert ends[0] == ends[1] == ends[2]


def test_reading_everything_has_a_recall_of_exactly_one(files: Path) -> None:
    done = bench(files, "--recall", "1", "--json", "--fail-under", "0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recall"] == 1.0


def test_a_recall_that_misses_its_target_by_too_much_has_its_exit_code(files: Path) -> None:
    done = bench(files, "--recall", "0.9", "--fail-under", "0.2")
    assert done.returncode == 3
    assert "0.9" in done.stdout


def test_it_refuses_bad_arguments(files: Path) -> None:
    for more, words in [
        (("--recall", "0.9,x"), "'x'"),
        (("--recall", "0"), "0.0 is not in the range"),
        (("--threads", "1,0"), "0 is not in the range"),
        (("-k", "21"), "20"),
    ]:
        done = bench(files, *more)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert "Traceback" not in done.stderr
