"""The rules of cext/ that no compiler checks: each was broken once, and broke quietly."""

import ast
import importlib
import re
from pathlib import Path

import pytest

CEXT = Path(__file__).parent.parent / "cext"
SOURCES = sorted([*CEXT.glob("*.pyx"), *CEXT.glob("*.pxd")])
MODULES = sorted(path.stem for path in CEXT.glob("*.pyx"))
OURS = {path.stem for path in SOURCES}


def offending(source: Path, pattern: str) -> list[str]:
    """Return the lines that match, as file:number: line."""
    return [
        f"{source.name}:{number}: {line.strip()}"
        for number, line in enumerate(source.read_text().splitlines(), start=1)
        if re.search(pattern, line)
    ]


def test_there_are_sources_to_check():
    assert MODULES


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_our_own_modules_are_cimported_by_their_full_name(source):
    # `from heap cimport` and `from . cimport` compile, and fail when they are imported.
    ours = "|".join(OURS)
    assert not offending(
        source, rf"^\s*(from\s+(\.|cext\b|{ours})\S*\s+cimport|cimport\s+({ours})\b)"
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_directives_are_set_in_setup_py_alone(source):
    # One in a file would switch bounds checks off in the checked build too.
    directive = r"#\s*(cython|distutils)\s*:|cython\.(boundscheck|wraparound|cdivision|initialized)"
    assert not offending(source, directive)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_loop_takes_the_gil_back(source):
    assert not offending(source, r"\bwith\s+gil\b")


def test_a_class_that_nobody_builds_on_is_final():
    # Without it each call of a method within its own module goes through a table.
    classes = [
        found
        for source in SOURCES
        for found in re.findall(
            r"^(@final\n)?cdef class (\w+)(?:\((\w+)\))?:", source.read_text(), re.MULTILINE
        )
    ]
    bases = {base for _, _, base in classes}
    assert classes
    assert not [name for final, name, _ in classes if not final and name not in bases]


@pytest.mark.parametrize("name", MODULES)
def test_every_native_module_says_its_types(name):
    stub = ast.parse((CEXT / f"{name}.pyi").read_text())
    promised = {
        node.name
        for node in stub.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    module = importlib.import_module(f"longspan.cext.{name}")
    there = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }
    assert promised == there


@pytest.mark.parametrize("name", MODULES)
def test_every_native_constant_says_its_type(name):
    stub = ast.parse((CEXT / f"{name}.pyi").read_text())
    promised = {ast.unparse(node.target) for node in stub.body if isinstance(node, ast.AnnAssign)}
    module = importlib.import_module(f"longspan.cext.{name}")
    there = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and isinstance(value, int | tuple)
    }
    assert promised == there


@pytest.mark.parametrize("name", MODULES)
def test_every_native_function_says_what_it_does(name):
    module = importlib.import_module(f"longspan.cext.{name}")
    silent = [
        key
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and not value.__doc__
    ]
    assert module.__doc__ and not silent
