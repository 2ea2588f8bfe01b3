"""Arguments that nobody means: refused in one line, whatever the verb and the flag."""

from pathlib import Path

import click
import numpy as np
import pytest

from longspan.indexer.commands import flags
from longspan.service.commands.main import longspan as program
from tests.cli.command import longspan

ODD = ("", "nan", "-inf", "1e999", "9" * 400, str(2**70), "-1", "\udcff\udcfe", "a\nb", "x" * 5000)
ASKED = {  # what a verb must have, of which nothing is there
    "plan": ["none.npy"],
    "build": ["none.npy", "new"],
    "truth": ["none.npy", "none.npy", "-o", "new.npz"],
    "info": ["none"],
    "verify": ["none"],
    "search": ["none", "--queries", "none.npy", "-o", "new.npz"],
    "bench": ["none", "--queries", "none.npy", "--truth", "none.npz"],
    "convert": ["none.npy", "new.npy"],
    "merge": ["none", "none", "new"],
    "doctor": ["none"],
}


def values_of(verb: str) -> list[click.Parameter]:
    """Return the flags and arguments of a verb that take a value."""
    made = program.commands[verb].params
    return [one for one in made if not (isinstance(one, click.Option) and one.is_flag)]


def ends(arguments: list[str], folder: Path) -> None:
    """Check that a command is refused in one line, and that nothing is written."""
    done = longspan(*arguments, cwd=folder)
    assert done.returncode in (2, 3, 4), (arguments, done.stderr)
    assert "a fault of longspan" not in done.stderr, (arguments, done.stderr)
    errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error: ")]
    assert len(errors) == 1 or done.returncode == 3, (arguments, done.stderr)
    assert {path.name for path in folder.iterdir()} <= {*ODD}  # status files, which were asked for


@pytest.mark.parametrize("verb", ASKED)
def test_odd_values_are_refused(verb: str, tmp_path: Path) -> None:
    for one in values_of(verb):
        for value in ODD:
            if isinstance(one, click.Option):
                ends([verb, *ASKED[verb], one.opts[0], value], tmp_path)
            else:
                ends([verb, value, *ASKED[verb][1:]], tmp_path)


@pytest.mark.parametrize("verb", program.commands)
def test_an_empty_name_is_refused_by_every_argument_that_is_one(verb: str, tmp_path: Path) -> None:
    for one in values_of(verb):
        assert not isinstance(one.type, click.Path), "flags.PATH refuses an empty name"
        if isinstance(one.type, flags.Name | flags.PathName):
            with pytest.raises(click.BadParameter, match="empty name"):
                one.type.convert("", one, None)


def test_serving_no_name_is_refused(tmp_path: Path) -> None:
    for name in ("", "prod="):
        ends(["serve", name], tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "--threads", "99999999999"],
        ["bench", "--threads", "1,4097"],
        ["bench", "--fail-under", "nan"],
        ["build", "--threads", "4097"],
        ["truth", "-k", str(2**62)],
        ["convert", "--sample", str(2**32)],
        ["serve", "--workers", "257"],
    ],
)
def test_every_number_has_an_upper_bound(arguments: list[str], tmp_path: Path) -> None:
    verb, *more = arguments
    done = longspan(verb, *ASKED.get(verb, ["none"]), *more, cwd=tmp_path)
    assert done.returncode == 2
    assert "is not in the range" in done.stderr or "is no number" in done.stderr


def test_an_index_is_no_input_of_a_build(files: Path, tmp_path: Path) -> None:
    done = longspan("build", files / "index", "new", cwd=tmp_path)
    assert done.returncode == 2
    assert "`longspan merge`" in done.stderr
    assert np.load(files / "base.npy").ndim == 2
