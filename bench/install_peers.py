"""A venv for each competitor, with what it pins: `python bench/install_peers.py VENVS`.

One each, because they want different numpys; and VENVS/report, which report.py runs in. longspan is
not among them: it is measured in the Python that runs run.py.
"""

import subprocess
import sys
import venv
from pathlib import Path

BENCH = Path(__file__).parent


def main() -> None:
    """Make or complete the venvs."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    wanted = {path.parent.name: path for path in sorted(BENCH.glob("peers/*/requirements.txt"))}
    del wanted["longspan"]
    for name, requirements in {**wanted, "report": BENCH / "requirements.txt"}.items():
        folder = Path(sys.argv[1]) / name
        if not folder.exists():
            venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        done = subprocess.run([*pip, "--requirement", str(requirements)], check=False)
        print(f"{name}: {'installed' if done.returncode == 0 else 'FAILED'}")


if __name__ == "__main__":
    main()
