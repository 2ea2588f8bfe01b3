"""Judge the stored results of run.py: `python bench/report.py WORK`.

Prints Markdown tables: of each curve the setting that first reaches recall@10 .95, then all. Writes
them with the pictures to WORK/report/, once as separate files and once as one page that needs
nothing else, report.html. Needs matplotlib; it runs nothing.
"""

import sys
from pathlib import Path

from judge import figures
from pictures import draw
from tables import markdown, page


def main() -> None:
    """Judge, print, draw."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = Path(sys.argv[1])
    found = figures(work / "results")
    if not found:
        sys.exit(f"{work / 'results'}: no measurements")
    folder = work / "report"
    folder.mkdir(exist_ok=True)
    text = markdown(found)
    print(text)
    (folder / "report.md").write_text(text)
    (folder / "report.html").write_text(page(found, draw(found, folder)))


if __name__ == "__main__":
    main()
