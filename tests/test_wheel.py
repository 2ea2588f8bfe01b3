"""The wheel, as somebody else would get it: built from a clean copy, installed elsewhere, run.

Every trap that packaging has laid so far showed only here: a wheel without native code, a
subpackage that was left out, a stale list of files. Nothing is fetched: dependencies come from
the environment that runs the tests, longspan itself only from the wheel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGED = ("service", "indexer", "cext")
COPIED = (
    *("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md"),
    *("LICENSE", "NOTICE", *PACKAGED),
)


def run(*command: str | Path, cwd: Path) -> str:
    """Return what the command prints; the test fails with all of it when the command does."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, by way of the sdist, from a copy without anything that was built here."""
    tree = tmp_path_factory.mktemp("clean") / "longspan"
    tree.mkdir()
    built = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=built)
        else:
            shutil.copy(ROOT / name, tree / name)
    run(sys.executable, "-m", "build", "--no-isolation", ".", cwd=tree)
    (made,) = (tree / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a virtual environment `venv` that has longspan from the wheel."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "venv/bin/python")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    # Of a folder in a .pth file no other .pth file is read: an editable longspan stays out.
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def modules() -> list[str]:
    """Return the name of every module in the source tree, but for those that run when imported."""
    found = []
    for package in PACKAGED:
        for path in sorted([*(ROOT / package).rglob("*.py"), *(ROOT / package).glob("*.pyx")]):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "__main__":
                found.append(".".join(("longspan", *parts)).removesuffix(".__init__"))
    return found


def test_every_module_can_be_imported_from_the_wheel(elsewhere):
    importing = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    )
    files = run(elsewhere / "venv/bin/python", "-c", importing, *modules(), cwd=elsewhere)
    places = {Path(file).is_relative_to(elsewhere / "venv") for file in files.splitlines()}
    assert places == {True}


def test_the_program_runs_from_another_folder(elsewhere):
    program = elsewhere / "venv/bin/longspan"
    printed = run(program, "quickstart", cwd=elsewhere)
    assert "recall@10" in printed
    run(program, "verify", "longspan-quickstart/index", cwd=elsewhere)


def test_the_wheel_has_types_licences_and_sample_but_no_sources_of_native_code(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    suffixes = {Path(name).suffix for name in names}
    assert not suffixes & {".pyx", ".pxd", ".c", ".h"}
    for package in PACKAGED:
        assert f"longspan/{package}/py.typed" in names
    assert "longspan/service/tools/measured.json" in names
    for file in (ROOT / "service/tools/quickstart/sample").iterdir():
        assert f"longspan/service/tools/quickstart/sample/{file.name}" in names
    for stub in (ROOT / "cext").glob("*.pyi"):
        assert f"longspan/cext/{stub.name}" in names
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
