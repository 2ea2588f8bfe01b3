"""Kill builds at random moments and resume them: `python bench/kills.py BASE WORK`.

Builds BASE undisturbed, to WORK/calm. Then, --times times, starts a build of the same, kills all
of its processes (SIGKILL) at a moment drawn from as long as the calm one took, goes on with
`--resume` on 1 to --threads threads, and compares every file with the calm index, byte for byte:
of the manifest all but its name, its times and the checksum of these. Prints one JSON line a kill,
then how many were identical; exit code 1 when one was not. What such a one left is kept in WORK.
"""

import argparse
import filecmp
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from targets import LONGSPAN

INDEX, MANIFEST, STATUS = "index", "manifest.json", "status.json"
OF_ONE_BUILD = ("name", "created", "stages", "checksum")  # of a manifest


def main() -> None:
    """Kill and resume as the command line asks; exit code 1 unless all came out identical."""
    args = arguments()
    calm = args.work / "calm"
    if calm.exists():
        sys.exit(f"{calm}: already exists, remove it or name another folder")
    args.work.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    subprocess.run(build(args, calm, args.threads), stdout=subprocess.DEVNULL, check=True)
    wall = time.monotonic() - begin
    print(json.dumps({"calm_seconds": round(wall, 3)}), flush=True)
    rng, identical = random.Random(args.seed), 0
    for number in range(1, args.times + 1):
        folder = args.work / f"killed-{number}"
        record = kill_and_resume(args, folder, calm, wall, rng)
        print(json.dumps(record), flush=True)
        if record["identical"]:
            identical += 1
            shutil.rmtree(folder)
    print(f"{identical} of {args.times} identical")
    sys.exit(identical < args.times)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, help="vectors, any input of `longspan build`")
    parser.add_argument("work", type=Path, help="folder for what is made")
    parser.add_argument("--times", type=int, default=10, help="builds to kill")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the threads")
    parser.add_argument("--threads", type=int, default=2, help="of a build; of a resumed one most")
    parser.add_argument("--codec", default="auto")
    return parser.parse_args()


def build(args: argparse.Namespace, index: Path, threads: int, *more: str) -> list[str]:
    """Return the command that builds the index."""
    command = [*LONGSPAN, "build", str(args.base), str(index), "--codec", args.codec]
    return [*command, "--threads", str(threads), *more]


def kill_and_resume(
    args: argparse.Namespace, folder: Path, calm: Path, wall: float, rng: random.Random
) -> dict[str, Any]:
    """Kill one build, in a folder of its own, and resume it; return when, where and what came."""
    killed_at = cut_off(args, folder, wall, rng)
    stage, threads = stage_of(folder / STATUS), rng.randint(1, args.threads)
    begin = time.monotonic()
    failed = run(build(args, folder / INDEX, threads, "--resume"), folder / "resume.log")
    seconds = time.monotonic() - begin
    wrong = ["the build failed: resume.log"] if failed else differences(calm, folder / INDEX)
    wrong += [path.name for path in folder.glob(f".{INDEX}*")]
    return {
        "killed_at": round(killed_at, 3),
        "stage": stage,
        "threads": threads,
        "resume_seconds": round(seconds, 3),
        "identical": not wrong,
        "wrong": wrong,
    }


def cut_off(args: argparse.Namespace, folder: Path, wall: float, rng: random.Random) -> float:
    """Start a build and kill it; return after how many seconds.

    When it has ended by then, another moment is taken.
    """
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        command = build(args, folder / INDEX, args.threads, "--status", str(folder / STATUS))
        moment = rng.uniform(0, wall)
        code = run(command, folder / "build.log", moment)
        if code not in (0, -signal.SIGKILL):
            sys.exit(f"{' '.join(command)} failed, see {folder / 'build.log'}")
        if code == -signal.SIGKILL and not (folder / INDEX).exists():
            return moment
        print(f"the build had ended before {moment:.2f} s, another moment", file=sys.stderr)


def run(command: list[str], log: Path, seconds: float | None = None) -> int:
    """Run a command, and kill all of its processes after so many seconds; return its exit code."""
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True) as child,
    ):
        try:
            with suppress(subprocess.TimeoutExpired):
                child.wait(seconds)
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)
    return child.returncode


def stage_of(status: Path) -> str | None:
    """Return the stage that a build was in, or after which it was; None before the first."""
    said = json.loads(status.read_text()) if status.exists() else {"stage": None, "stages": {}}
    over = [f"after {name}" for name in said["stages"]]
    return said["stage"] or (over[-1] if over else None)


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of the files that two indexes do not have alike."""
    names = sorted({path.name for index in (one, other) for path in index.iterdir()})
    return [name for name in names if not alike(one / name, other / name)]


def alike(one: Path, other: Path) -> bool:
    """Return whether both files are there and say the same."""
    if not (one.exists() and other.exists()):
        return False
    if one.name == MANIFEST:
        return lasting(one) == lasting(other)
    return filecmp.cmp(one, other, shallow=False)


def lasting(manifest: Path) -> dict[str, Any]:
    """Return what is in a manifest whenever and under whatever name the index is built."""
    found = json.loads(manifest.read_text())
    return {key: value for key, value in found.items() if key not in OF_ONE_BUILD}


if __name__ == "__main__":
    main()
