"""What longspan needs: each with the lowest version that is tested, said once."""

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
TOLD = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, Any] = TOLD["project"]["optional-dependencies"]
TO_BUILD = [*map(Requirement, TOLD["build-system"]["requires"])]
TO_RUN = [*map(Requirement, TOLD["project"]["dependencies"])]
TO_DEVELOP = [one for one in map(Requirement, EXTRAS["dev"]) if one.name != "longspan"]
OF_EXTRAS = [Requirement(one) for extra, many in EXTRAS.items() if extra != "dev" for one in many]


@pytest.mark.parametrize("needed", [*TO_BUILD, *TO_RUN, *OF_EXTRAS, *TO_DEVELOP], ids=str)
def test_everything_has_a_lowest_version_and_no_other_bound(needed: Requirement) -> None:
    assert [bound.operator for bound in needed.specifier] == [">="]


def test_the_lowest_versions_of_all_that_is_needed_are_tested() -> None:
    shown = subprocess.run([ROOT / ".ci/lowest", "--show"], capture_output=True, text=True)
    bounds = [*TO_BUILD, *TO_RUN, *OF_EXTRAS]
    wanted = [f"{one.name}{one.specifier}".replace(">=", "==") for one in bounds]
    assert shown.stdout.splitlines() == wanted


def test_what_a_build_needs_is_needed_alike_by_who_tests_it() -> None:
    known = {one.name: one.specifier for one in TO_DEVELOP}
    assert {one.name: known[one.name] for one in TO_BUILD} == {
        one.name: one.specifier for one in TO_BUILD
    }
