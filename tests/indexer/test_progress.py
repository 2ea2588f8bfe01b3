"""Progress on a terminal and in a log."""

import io
import mmap
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from longspan.indexer.running.proc import own_memory
from longspan.indexer.running.progress import SILENT, Lines, Stage, Terminal, duration


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_a_line_at_the_start_every_10_seconds_and_at_the_end() -> None:
    log, clock = io.StringIO(), Clock()
    with Lines(log, clock, memory=lambda: 512 << 20).stage("pack", 1000, "vectors") as advance:
        for _ in range(25):
            clock.now += 1
            advance(40)
    assert log.getvalue().splitlines() == [
        "pack: 1,000 vectors",
        "pack: 400 of 1,000 vectors (40 %), 40 vectors/s, 15 s left, 512 MiB",
        "pack: 800 of 1,000 vectors (80 %), 40 vectors/s, 5.0 s left, 512 MiB",
        "pack: 1,000 vectors in 25 s, 512 MiB",
    ]


def test_a_stage_that_fails_says_how_far_it_came() -> None:
    log = io.StringIO()
    with pytest.raises(ValueError, match="oops"), Lines(log).stage("pack", 9, "rows") as advance:
        advance(4)
        raise ValueError("oops")
    assert log.getvalue().splitlines() == ["pack: 9 rows", "pack: stopped at 4 of 9 rows"]


def test_many_threads_may_advance_one_stage() -> None:
    log = io.StringIO()
    with Terminal(log).stage("pack", 4000, "rows") as advance, ThreadPoolExecutor(8) as pool:
        list(pool.map(advance, [1] * 4000))
    assert log.getvalue().splitlines()[-1].startswith("pack: 4,000 rows in ")


def test_off_a_terminal_nothing_is_animated() -> None:
    log = io.StringIO()
    with Terminal(log).stage("pack", 2, "rows") as advance:
        advance(2)
    assert "\x1b" not in log.getvalue()
    assert "\r" not in log.getvalue()


def test_a_terminal_gets_a_bar_and_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with Terminal(screen).stage("pack", 2000, "rows") as advance:
        advance(2000)
    assert "pack" in screen.getvalue()
    assert re.search(r"2,000 of 2,000 rows \(100 %\), [\d.]+ s, [\d,.]+ MiB", screen.getvalue())
    assert "\x1b[" in screen.getvalue()


def test_no_color_leaves_out_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    with Terminal(screen).stage("pack", 2, "rows") as advance:
        advance(1)
    for colour in ("\x1b[3", "\x1b[9", "\x1b[1;3", ";5;"):
        assert colour not in screen.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    with Terminal(screen).stage("pack", 2, "rows") as advance:
        advance(2)
    assert screen.getvalue().startswith("pack: 2 rows\n")


def test_stages_may_overlap_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    progress = Terminal(screen)
    with progress.stage("outer", 2, "rows") as outer, progress.stage("inner", 3, "heads") as inner:
        outer(1)
        inner(3)
    with progress.stage("next", 1, "rows") as advance:
        advance(1)
    for text in ("1 of 2 rows", "3 of 3 heads", "1 of 1 rows"):
        assert text in screen.getvalue()


def test_silence_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    with SILENT.stage("pack", 2, "rows") as advance:
        advance(2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (200, "3 min 20 s"), (7505, "2 h 5 min")],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_how_far_says_what_is_known() -> None:
    clock = Clock()
    stage = Stage("pack", 5, "rows", clock)
    said = [stage.how_far()]
    for rows in (0, 2, 3):
        clock.now += 1
        stage.advance(rows)
        said.append(stage.how_far())
    clock.now += 7
    assert said == [
        "0 of 5 rows",
        "0 of 5 rows",
        "2 of 5 rows (40 %), 2 rows/s, 1.5 s left",
        "5 of 5 rows (100 %), 2 rows/s, 3.0 s",
    ]
    assert stage.how_far() == said[-1]


def test_what_was_done_before_does_not_count_for_the_rate() -> None:
    clock = Clock()
    stage = Stage("pack", 1000, "rows", clock)
    stage.advance(900)
    assert (stage.rate, stage.seconds_left) == (None, None)
    clock.now += 10
    stage.advance(20)
    assert (stage.percent, stage.rate, stage.seconds_left) == (92, 2, 40)


def test_a_stage_of_nothing_is_done_at_once() -> None:
    stage = Stage("pack", 0, "rows", Clock())
    stage.advance(0)
    assert stage.how_far() == "0 of 0 rows, 0.0 s"


def test_memory_is_the_process_own_and_not_that_of_files(tmp_path: Path) -> None:
    size = 32 << 20
    (tmp_path / "file").write_bytes(bytes(size))
    with (
        (tmp_path / "file").open("rb") as file,
        mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped,
        mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as own,
    ):
        found = [own_memory() or 0]
        assert mapped.find(b"x") == -1  # reads all of it
        found.append(own_memory() or 0)
        for page in range(0, size, mmap.PAGESIZE):
            own[page] = 1
        found.append(own_memory() or 0)
    assert abs(found[1] - found[0]) < size / 4
    assert abs(found[2] - found[1] - size) < size / 4


def test_where_the_kernel_hides_the_memory_a_line_leaves_it_out(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\nVmRSS:\t9 kB\n")
    assert own_memory(tmp_path / "status") is None
    assert own_memory(tmp_path / "none") is None
    log = io.StringIO()
    with Lines(log, Clock(), memory=lambda: None).stage("pack", 2, "rows") as advance:
        advance(2)
    assert log.getvalue().splitlines()[-1] == "pack: 2 rows in 0.0 s"
