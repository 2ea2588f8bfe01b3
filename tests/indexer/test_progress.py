"""Progress on a terminal and in a log."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest

from longspan.indexer.progress import SILENT, Lines, Terminal, duration, how_far


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
    with Lines(log, clock).stage("pack", 1000, "vectors") as advance:
        for _ in range(25):
            clock.now += 1
            advance(40)
    assert log.getvalue().splitlines() == [
        "pack: 1,000 vectors",
        "pack: 400 of 1,000 vectors (40 %), 40 vectors/s, 15 s left",
        "pack: 800 of 1,000 vectors (80 %), 40 vectors/s, 5.0 s left",
        "pack: 1,000 vectors in 25 s",
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
    assert "2,000 of 2,000 rows (100 %)" in screen.getvalue()
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


def test_how_far_needs_neither_a_total_nor_a_start() -> None:
    assert how_far(0, 5, "rows", 1.0) == "0 of 5 rows"
    assert how_far(3, 0, "rows", 1.0) == "3 of 0 rows (300 %), 3 rows/s, 1.0 s"
