"""Keep measured figures where longspan forecasts by them: targets.jsonl into measured.json.

`python bench/keep.py WORK` takes what bench/targets.py left in WORK; `python -m tests.doc_tables`
then writes the tables of docs/measurements.md anew. The disks and the growth of the file stay.
"""

import argparse
import json
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from longspan.service.tools.measured import FILE, RECALLS

Figure = dict[str, Any]

SETS = {"sift": (1_000_000, 128), "text": (49_152, 384)}
CODECS = {"raw": "raw", "coded": "auto"}  # as the file has it: as targets.py asked for it


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path)
    lines = (parser.parse_args().work / "targets.jsonl").read_text().splitlines()
    known = json.loads(FILE.read_text("utf-8"))
    known["sets"] = sets([json.loads(line) for line in lines])
    FILE.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


def sets(figures: list[Figure]) -> dict[str, Any]:
    """Return the sets of measured.json, from all figures of one run of targets.py."""
    return {
        name: {
            "n": n,
            "dim": dim,
            **{kind: tiers(figures, name, n, codec) for kind, codec in CODECS.items()},
        }
        for name, (n, dim) in SETS.items()
    }


def tiers(figures: list[Figure], name: str, n: int, codec: str) -> list[dict[str, Any]]:
    """Return the tiers of one index, as many as were measured."""
    built = (one for one in figures if one["figure"] == f"{name}: build, codec {codec}")
    disk = round(next(built)["size_mb"] * 10**6 / n)
    found: list[dict[str, Any]] = []
    for number in count():
        about = f"{name}, codec {codec}, tier {number}"
        targets, warm, cold = (
            [one for one in figures if one["figure"] == f"{about}: {what}"]
            for what in ("recall@10", "warm", "cold")
        )
        if not targets:
            return found
        found.append({"disk": disk, **tier(n, targets, warm, cold)})
    return found


def tier(n: int, targets: list[Figure], warm: list[Figure], cold: list[Figure]) -> dict[str, Any]:
    """Return one tier, of the rows for each recall, and of those that were timed."""
    by_recall = {row["recall_target"]: row for row in targets}
    rows = [by_recall[recall] for recall in RECALLS]
    middle = rows[RECALLS.index(0.95)]
    alone = [row for row in warm if row["threads"] == 1]
    both = [row["qps"] for row in warm if row["threads"] == 2]
    return {
        "memory": round(middle["resident_bytes"] / n, 1),
        "recall": [round(row["recall"], 3) for row in rows],
        "postings": [round(row["postings_read"]) for row in rows],
        "pages": [round(row["pages_read"]) for row in rows],
        "kilobytes": round(middle["bytes_read"] / 1024),
        "warm": {
            "qps": [round(median(row["qps"] for row in alone)), *map(round, both)],
            "p50": round(median(row["p50_ms"] for row in alone), 3),
        },
        "cold": {
            "qps": [round(row["qps"]) for row in cold],
            "p50": [round(row["p50_ms"], 2) for row in cold],
            "share_of_fio": next(row["share"] for row in cold if row["threads"] == 2),
        },
    }


if __name__ == "__main__":
    main()
