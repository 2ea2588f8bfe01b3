"""The pictures of a comparison, one set a picture, as PNG files."""

from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from judge import WANTED, Figure, reaching
from matplotlib.axes import Axes

COLOURS = {"longspan": "tab:red", "hnswlib": "tab:blue", "usearch": "tab:cyan",
           "faiss_ivf": "tab:green", "diskannpy": "tab:purple", "lancedb": "tab:orange",
           "scann": "tab:brown"}  # fmt: skip
MARKERS = "osD^v"
LINES = ("-", "--", ":", "-.", "-")

mpl.use("Agg")  # there may be no display


def draw(figures: list[Figure], folder: Path) -> list[Path]:
    """Draw every picture of every set; return their paths, in the order of a page."""
    made = []
    for name in sorted({one.set for one in figures}):
        mine = [one for one in figures if one.set == name]
        for cold, threads in sorted({(one.cold, one.threads) for one in mine}):
            these = [one for one in mine if (one.cold, one.threads) == (cold, threads)]
            how = f"{'cold' if cold else 'warm'}, {threads} thread{'s' * (threads > 1)}"
            stem = f"{name}-{threads}t-{'cold' if cold else 'warm'}"
            title = f"{name}, {how}"
            made.append(picture(folder / f"{stem}-qps.png", title, recall_qps, these))
            if any(one.p50_ms == one.p50_ms for one in these):  # some of them told
                made.append(picture(folder / f"{stem}-p50.png", title, recall_latency, these))
            made.append(picture(folder / f"{stem}-memory.png", title, memory_qps, these))
        made.append(picture(folder / f"{name}-build.png", name, build_times, mine))
    return made


def picture(
    path: Path, title: str, fill: Callable[[Axes, list[Figure]], None], figures: list[Figure]
) -> Path:
    """Draw one picture; return its path."""
    canvas, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    fill(axes, figures)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small")
    canvas.savefig(path, dpi=110)
    plt.close(canvas)
    return path


def recall_qps(axes: Axes, figures: list[Figure]) -> None:
    """Recall against queries a second."""
    curves(axes, figures, lambda one: one.qps)
    axes.set_ylabel("queries/s")


def recall_latency(axes: Axes, figures: list[Figure]) -> None:
    """Recall against the median latency."""
    curves(axes, figures, lambda one: one.p50_ms)
    axes.set_ylabel("latency p50, ms")


def curves(axes: Axes, figures: list[Figure], value: Callable[[Figure], float]) -> None:
    """Draw a line for each competitor, recall so that .9, .99 and .999 are equally far apart."""
    for name, points in by_curve(figures):
        misses = [max(1 - one.recall, 1e-4) for one in points]
        colour, marker, line = look(name, figures)
        values = [value(one) for one in points]
        axes.plot(misses, values, color=colour, marker=marker, linestyle=line, label=name)
    axes.set(xscale="log", yscale="log", xlabel="recall@10")
    ticks = [0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001]
    axes.set_xticks(ticks, [f"{1 - tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.6, min(axes.get_xlim()))


def memory_qps(axes: Axes, figures: list[Figure]) -> None:
    """Bytes of memory a vector against queries a second, of the first with enough recall."""
    for best in reaching(figures, WANTED):
        colour, marker, _ = look(best.curve, figures)
        label = f"{best.curve} ({best.recall:.3f})"
        axes.scatter(best.own_bytes / best.n, best.qps, color=colour, marker=marker, label=label)
        if best.held_bytes is not None:  # the rest are pages that the kernel may take back
            spot = best.held_bytes / best.n
            axes.plot([spot, best.own_bytes / best.n], [best.qps] * 2, color=colour, alpha=0.4)
            axes.scatter(spot, best.qps, edgecolors=colour, facecolors="none", marker=marker)
    axes.set(xscale="log", yscale="log", ylabel=f"queries/s at recall ≥ {WANTED:g}")
    axes.set_xlabel("resident bytes a vector (hollow: those that must stay)")


def build_times(axes: Axes, figures: list[Figure]) -> None:
    """Seconds to build."""
    seconds = {one.curve.split("-tier")[0]: one.build_seconds for one in figures}
    names = sorted(seconds, key=lambda name: seconds[name])
    bars = axes.barh(names, [seconds[name] for name in names],
                     color=[look(name, figures)[0] for name in names])  # fmt: skip
    axes.bar_label(bars, fmt="%.0f s", padding=3)
    axes.set_xlabel("seconds to build")


def by_curve(figures: list[Figure]) -> Iterable[tuple[str, list[Figure]]]:
    """Yield each competitor's measurements, by recall."""
    for name in sorted({one.curve for one in figures}):
        mine = [one for one in figures if one.curve == name]
        yield name, sorted(mine, key=lambda one: one.recall)


def look(name: str, figures: list[Figure]) -> tuple[str, str, str]:
    """Return colour, marker and line: a colour each competitor, the others for its curves."""
    peer = name.split("-")[0]
    kin = sorted({one.curve for one in figures if one.curve.split("-")[0] == peer} | {name})
    place = int(np.clip(kin.index(name), 0, len(MARKERS) - 1))
    return COLOURS.get(peer, "black"), MARKERS[place], LINES[place]
