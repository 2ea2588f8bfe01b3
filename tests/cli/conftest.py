"""An index and the files around it, all made by commands, once for all tests of the commands."""

from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import succeeds
from tests.data import Corpus


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, clustered: Corpus) -> Path:
    """A directory with base.npy, queries.npy, truth.npz and an index, all made by commands."""
    directory = tmp_path_factory.mktemp("cli")
    np.save(directory / "base.npy", clustered.base)
    np.save(directory / "queries.npy", clustered.queries)
    succeeds("truth", "base.npy", "queries.npy", "-k", "20", "-o", "truth.npz", cwd=directory)
    succeeds("build", "base.npy", "index", "--seed", "3", cwd=directory)
    return directory
