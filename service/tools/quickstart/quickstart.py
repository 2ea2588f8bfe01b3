"""`longspan quickstart`: the whole of longspan once, on a sample that ships in the package.

It lays the sample out in a directory as a user's own files would lie there, builds an index of
it, searches it, and prints what came of it and the commands to type next. Run again it finds the
index and leaves out the build.
"""

import filecmp
import json
import shlex
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longspan.indexer import build
from longspan.indexer.errors import IndexExists
from longspan.indexer.reader import open_vectors
from longspan.indexer.running.progress import SILENT, Progress
from longspan.indexer.tools.answers import read_answers, write_answers
from longspan.indexer.tools.truth import exact, recall
from longspan.service.http.process import serve as serve_indexes
from longspan.service.search.index import Index

SAMPLE = Path(__file__).with_name("sample")
NAME, METRIC, K = "quickstart", "cosine", 10
HOST, PORT = "127.0.0.1", 8000
EXAMPLES, HITS_SHOWN = 3, 3

# In the directory, INDEX made last: where it is the others are too.
BASE, CALIBRATION, QUERIES = "base.npy", "calibration.npy", "queries.npy"
TRUTH, REQUEST, INDEX = "truth.ibin", "query.json", "index"


def quickstart(directory: Path, serve: bool = False, progress: Progress = SILENT) -> None:
    """Build and search the sample in `directory`, print the outcome; then serve it, if asked."""
    if not (directory / INDEX).exists():
        lay_out(directory, progress)
        build(
            directory / BASE,
            directory / INDEX,
            metric=METRIC,
            queries=directory / CALIBRATION,
            progress=progress,
        )
    with Index.open(directory / INDEX) as index:
        print_figures(index, directory)
        print_examples(index, directory)
    print_next(directory, serving=serve)
    if serve:
        serve_indexes([(NAME, directory / INDEX)], HOST, PORT, workers=1)


def lay_out(directory: Path, progress: Progress = SILENT) -> None:
    """Write the sample, the exact answers to its queries and the body of one HTTP search.

    IndexExists when the directory holds other files: none of them is overwritten.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()) and not _is_ours(directory):
        raise IndexExists(f"{directory}: holds other files, wanted a directory of its own")
    for name in (BASE, CALIBRATION, QUERIES):
        shutil.copyfile(SAMPLE / name, directory / name)
    queries = np.load(directory / QUERIES)
    truth = exact(open_vectors(directory / BASE), queries, 100, METRIC, progress=progress)
    (directory / TRUTH).unlink(missing_ok=True)  # of a quickstart that was interrupted
    write_answers(directory / TRUTH, *truth)
    search = {"vector": queries[0].tolist(), "k": HITS_SHOWN}
    (directory / REQUEST).write_text(json.dumps(search))


def _is_ours(directory: Path) -> bool:
    """Tell whether an earlier quickstart, perhaps interrupted, wrote here."""
    base = directory / BASE
    return base.is_file() and filecmp.cmp(base, SAMPLE / BASE, shallow=False)


def print_figures(index: Index, directory: Path) -> None:
    """Search every query of the sample, print recall and cost beside the size of the index."""
    queries = np.load(directory / QUERIES)
    _, true_distances = read_answers(directory / TRUTH)
    answer = index.search(queries, k=K, stats=True)
    reached = float(recall(answer.distances, true_distances, K).mean())
    made, cost = index.manifest, answer.stats
    if cost is None:
        raise RuntimeError("search(stats=True) gave no statistics: please report this")
    count = len(queries)
    print(
        f"{made.n:,} passages of the PostgreSQL and Python manuals, {made.dim} float16 dimensions\n"
        f"built     {index.path}: {made.heads:,} postings, "
        f"{made.entries / made.n:.1f} times each passage, {made.size_bytes / 1e6:.1f} MB, "
        f"{sum(made.stages.values()):.1f} s\n"
        f"searched  {count} queries, {K} nearest: recall@{K} {reached:.3f} against exact answers "
        f"({cost.recall_target:.2f} asked for; calibrated with other queries)\n"
        f"a query   {cost.postings_read / count:.1f} of {made.heads:,} postings read, "
        f"{cost.vectors_scored / count:,.0f} vectors scored, "
        f"{cost.bytes_read / count / 1e3:,.0f} kB read, {cost.total_ms / count:.2f} ms"
    )


def print_examples(index: Index, directory: Path) -> None:
    """Print a few query texts with the texts found."""
    queries: NDArray[Any] = np.load(directory / QUERIES)[:EXAMPLES]
    texts, passages = _lines("queries.jsonl"), _lines("base.jsonl")
    answer = index.search(queries, k=HITS_SHOWN)
    for query, ids, distances in zip(texts, answer.ids, answer.distances, strict=False):
        print(f"\n{query['text']}")
        for row, distance in zip(ids, distances, strict=True):
            hit = passages[row]
            where = f"  {distance:.3f}  {hit['ref']}: "
            print(where + textwrap.shorten(hit["text"], 100 - len(where), placeholder=" …"))


def print_next(directory: Path, serving: bool) -> None:
    """Print the commands that do the same with the user's own files."""
    me, here = _program(), shlex.quote(str(directory))
    url = f"http://{HOST}:{PORT}/v1/indexes/{NAME}/search"
    curl = f"curl -s {url} -H 'content-type: application/json' -d @{here}/query.json"
    lines = [
        f"{me} search {here}/index --queries {here}/queries.npy -k 10 -o answers.npz",
        f"{me} bench {here}/index --queries {here}/queries.npy --truth {here}/truth.ibin -k 10",
        *([] if serving else [f"{me} serve {NAME}={here}/index"]),
        f"{curl}" + ("" if serving else "   # while it serves"),
        f"{me} build VECTORS.npy MY-INDEX --metric cosine --queries REAL-QUERIES.npy",
    ]
    print("\nNext" + (", in another terminal" if serving else "") + ":")
    print(textwrap.indent("\n".join(lines), "  "), flush=True)


def _lines(name: str) -> list[dict[str, str]]:
    """Return the texts of the sample: `text` and `ref` of each."""
    with (SAMPLE / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _program() -> str:
    """Return how the user called longspan, so that what is printed works when it is pasted."""
    called = sys.argv[0]
    if Path(called).name != "longspan" or shutil.which("longspan") == called:
        return "longspan"
    return shlex.quote(called)
