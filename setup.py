"""Find the packages and build the Cython modules; all else is in pyproject.toml."""

import os
import shutil
from hashlib import sha256
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer

ROOMS = ("service", "indexer", "cext")
CHECKED = os.environ.get("LONGSPAN_CHECKED_BUILD") == "1"  # .ci/checked tests such a build

# Float sums are not reordered (a row has one distance wherever it is stored; kernels_plain.c alone
# gives that up for speed), but a comparison may be done for lanes that do not need it.
VECTORISE = ["-O3", "-fno-signed-zeros", "-fno-trapping-math"]
# What no search waits for is compiled in half the time.
QUICK = ["-O1"]
# A checked build keeps what a debugger needs; else it is a fifth of the time and most of the size.
SYMBOLS = ["-g"] if CHECKED else ["-g0"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"] if CHECKED else []
WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-unused-function",
    "-Wno-sign-compare",
]
# Cython's own code for memoryviews: once for all modules, or it is most of each of them.
SHARED = Path("cext/_cython.c")
OPTIONS = [*VECTORISE, *(QUICK if CHECKED else []), *SYMBOLS, *SANITIZERS, *WARNINGS]

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

# Cython makes anew what is older than its source, but does not notice a changed directive.
translated = Path("build/cython", "checked" if CHECKED else "fast")
made = [translated / path.with_suffix(".c") for path in (*sources, SHARED)]


class KeepModules(build_ext):
    """Compiles a module, or takes it as an earlier build of this tree left it.

    Kept under a hash of all that makes it: installing twice, or after a change in one module, is
    then a matter of seconds.
    """

    def build_extension(self, ext: Extension) -> None:
        """Put the module where it is wanted, and a copy of it into build/native."""
        wanted = Path(self.get_ext_fullpath(ext.name))
        recipe = sha256(repr([self.compiler.compiler_so, ext.extra_compile_args]).encode())
        for path in (*ext.sources, *ext.depends):
            recipe.update(Path(path).read_bytes())
        kept = Path("build/native", recipe.hexdigest()[:16], wanted.name)
        if kept.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, wanted)
            return
        super().build_extension(ext)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wanted, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)  # whole or not at all


setup(
    packages=packages,
    cmdclass={"build_ext": KeepModules},
    options={"build_ext": {"parallel": os.cpu_count() or 1, "force": True}},
    ext_modules=cythonize(
        [
            Extension(
                f"longspan.cext.{source.stem}",
                # One module owns the kernels; the others reach them through its table.
                [str(source), *(kernels if source.stem == "kernels" else [])],
                include_dirs=["cext"],
                extra_compile_args=OPTIONS,
                extra_link_args=SANITIZERS,
                # Headers are part of every module: a changed one must rebuild it.
                depends=sorted(str(path) for path in Path("cext").glob("*.h")),
            )
            for source in sources
        ]
        + [
            Extension(
                "longspan.cext._cython",
                [str(SHARED)],
                extra_compile_args=[*QUICK, *SYMBOLS, *WARNINGS],
            )
        ],
        shared_utility_qualified_name="longspan.cext._cython",
        include_path=[str(tree)],  # where `cimport longspan.cext.x` finds x.pxd
        build_dir=str(translated),
        nthreads=os.cpu_count() or 1,
        force=any(newer("setup.py", path) for path in made),
        compiler_directives={
            "language_level": 3,
            "boundscheck": CHECKED,
            "wraparound": False,
            "initializedcheck": CHECKED,
            "cdivision": not CHECKED,
        },
    ),
)
