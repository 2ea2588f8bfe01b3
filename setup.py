"""Find the packages and build the Cython modules; all else is in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOMS = ("service", "indexer", "cext")
CHECKED = os.environ.get("LONGSPAN_CHECKED_BUILD") == "1"

# Float sums are not reordered (a row has one distance wherever it is stored; kernels_plain.c alone
# gives that up for speed), but a comparison may be done for lanes that do not need it.
VECTORISE = ["-O3", "-fno-signed-zeros", "-fno-trapping-math"]
# A checked build keeps what a debugger needs; else it is 1 MB a module and a sixth of the time.
SYMBOLS = ["-g"] if CHECKED else ["-g0"]
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-unused-function",
    "-Wno-sign-compare",
]

packages = [
    ".".join(("longspan", *init.parent.parts))
    for room in ROOMS
    for init in sorted(Path(room).rglob("__init__.py"))
]
sources = sorted(Path("cext").glob("*.pyx"))
kernels = sorted(str(path) for path in Path("cext").glob("kernels_*.c"))
if not sources or not kernels:
    raise SystemExit("no cext/*.pyx or cext/kernels_*.c: the source tree is incomplete")

# Cython's cimport and mypy look modules up by path: links show them the package as it is installed.
# Made here, not checked in: archives and copies of a repository lose links quietly.
tree = Path("build/tree")
(tree / "longspan").mkdir(parents=True, exist_ok=True)
for room in ROOMS:
    link = tree / "longspan" / room
    link.unlink(missing_ok=True)
    link.symlink_to(Path("../../..", room))

setup(
    packages=packages,
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
    ext_modules=cythonize(
        [
            Extension(
                f"longspan.cext.{source.stem}",
                # One module owns the kernels; the others reach them through its table.
                [str(source), *(kernels if source.stem == "kernels" else [])],
                include_dirs=["cext"],
                extra_compile_args=[*VECTORISE, *SYMBOLS, *WARNINGS],
                # Headers are part of every module: a changed one must rebuild it.
                depends=[str(path) for path in Path("cext").glob("*.h")],
            )
            for source in sources
        ],
        include_path=[str(tree)],  # where `cimport longspan.cext.x` finds x.pxd
        build_dir="build/cython",
        nthreads=os.cpu_count() or 1,
        force=True,  # timestamps do not notice a changed directive
        compiler_directives={
            "language_level": 3,
            "boundscheck": CHECKED,
            "wraparound": False,
            "initializedcheck": CHECKED,
            "cdivision": not CHECKED,
        },
    ),
)
