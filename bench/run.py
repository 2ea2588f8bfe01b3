"""Measure longspan and its peers side by side: `python bench/run.py DATA WORK`.

Every build and every measurement is a process of its own, one after the other; nothing else should
run. WORK gets the sets, the indexes and results/, where each measurement is a .json and a .npz of
raw results; `python bench/report.py WORK` judges them. What is there already is kept: a run that
was cut off goes on where it stopped. `install_peers.py` makes the Pythons that --venvs names.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpora import SOURCES, K, prepare

BENCH = Path(__file__).parent
PEERS = BENCH / "peers"
NAMES = sorted(path.parent.name for path in PEERS.glob("*/module.py"))

UNSAID = ("tier", "memory")  # of a setting: the curve's name says it

Spec = dict[str, Any]


def main() -> None:
    """Measure what the command line asks for; exit code 1 when a measurement failed."""
    args = arguments()
    failed = []
    for name in args.set.split(",") if args.set else SOURCES:
        folder = prepare(name, args.data, args.work, args.limit, args.queries)
        for peer in args.only:
            for spec in builds(peer, name, folder, args):
                failed += [spec["out"] for spec in measure(spec, args) if not done(spec, args)]
    if failed:
        sys.exit("failed, see the .log beside each:\n" + "\n".join(failed))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder of the vectors")
    parser.add_argument("work", type=Path, help="folder for what is made")
    parser.add_argument("--only", default=",".join(NAMES), help="competitors, default all")
    parser.add_argument("--set", help=f"sets, default {','.join(SOURCES)}")
    parser.add_argument("--venvs", type=Path, help="folder with a venv for each competitor")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3, help="of each warm measurement")
    parser.add_argument("--queries", type=int, default=2000, help="to measure with, at most")
    parser.add_argument("--limit", type=int, help="base vectors; default all")
    parser.add_argument("--no-cold", action="store_true")
    args = parser.parse_args()
    args.only = args.only.split(",")
    for name in args.only:
        if name not in NAMES:
            parser.error(f"no competitor {name!r}, there are {', '.join(NAMES)}")
    args.threads = [int(count) for count in args.threads.split(",")]
    args.work = args.work.absolute()
    (args.work / "results").mkdir(parents=True, exist_ok=True)
    return args


def builds(peer: str, name: str, folder: Path, args: argparse.Namespace) -> Iterator[Spec]:
    """Yield what to build of a competitor for a set."""
    config = json.loads((PEERS / peer / "config.json").read_text())
    known = json.loads((folder / "set.json").read_text())
    for label, options in config["sets"][name].items():
        curve = f"{peer}-{label}"
        yield {
            "do": "build",
            "peer": peer,
            "curve": curve,
            "package": config["package"],
            "disk": options.get("disk", config["disk"]),
            "folder": str(PEERS / peer),
            "options": options,
            "set": known["set"],
            "set_folder": str(folder),
            "metric": known["metric"],
            "index": str(args.work / "indexes" / f"{known['set']}-{curve}"),
            "commit": commit(),
            "out": str(args.work / "results" / f"{known['set']}-{curve}-build.json"),
        }


def measure(built: Spec, args: argparse.Namespace) -> Iterator[Spec]:
    """Yield the build, then every measurement of the index that came of it."""
    yield built
    note = Path(built["out"])
    if not note.exists():
        return
    temperatures = (False, True) if built["disk"] and not args.no_cold else (False,)
    settings = json.loads(note.read_text())["settings"]
    for setting, threads, cold in itertools.product(settings, args.threads, temperatures):
        tier = f"-tier{setting['tier']}" if "tier" in setting else ""
        values = [f"{name}{value}" for name, value in setting.items() if name not in UNSAID]
        how = f"{threads}t-{'cold' if cold else 'warm'}"
        stem = f"{built['set']}-{built['curve']}{tier}-{'-'.join(values)}-{how}"
        yield {
            **built,
            "do": "search",
            "curve": built["curve"] + tier,
            "build": built["out"],
            "setting": setting,
            "threads": threads,
            "cold": cold,
            "k": K,
            "rounds": args.rounds,
            "out": str(args.work / "results" / f"{stem}.json"),
        }


def done(spec: Spec, args: argparse.Namespace) -> bool:
    """Run one specification unless its result is there; return whether it is there now."""
    out = Path(spec["out"])
    if out.exists():
        return True
    if spec["do"] == "build":
        Path(spec["index"]).parent.mkdir(exist_ok=True)
    given = out.with_suffix(".spec")
    given.write_text(json.dumps(spec))
    # A search is one thread, whatever OpenMP thinks; a build takes all cores.
    count = "1" if spec["do"] == "search" else str(len(os.sched_getaffinity(0)))
    command = [python_of(spec["peer"], args.venvs), str(BENCH / "measure.py"), str(given)]
    begin = time.monotonic()
    with out.with_suffix(".log").open("w") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": count}
        subprocess.run(command, env=environment, stdout=log, stderr=log, check=False)
    given.unlink()
    word = "done" if out.exists() else "FAILED"
    print(f"{word} {out.stem} in {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)
    return out.exists()


def python_of(peer: str, venvs: Path | None) -> str:
    """Return the Python that a competitor is installed in; longspan's is the one that runs this."""
    if venvs is None or peer == "longspan":
        return sys.executable
    return str(venvs / peer / "bin" / "python")


def commit() -> str:
    """Return the commit that is measured, marked when the tree differs from it."""
    command = ["git", "-C", str(BENCH), "describe", "--always", "--dirty", "--abbrev=40"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
