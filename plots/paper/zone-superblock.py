#!/usr/bin/python3
"""zone-superblock.py - a store overwrites extents of its own: how large must they be that the flash device moves nothing?

Left: extents that divide or are multiples of the superblock, one to eight written at a time; lines are theory. Right: one
writer, extents that end anywhere.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import closed   # noqa: E402
import style    # noqa: E402

QUESTION = "Extents against superblocks: when does the device move nothing?"
LOOKS = {1: (style.BLUE, "o"), 2: (style.ORANGE, "s"), 4: (style.GREEN, "D"), 8: (style.VERMILION, "^")}
CAPTION = ("Points: simulated flash, {u:.0%} live, whole extents overwritten at random, greedy. Lines: a superblock of b = max("
           "writers, superblock / extent) parts that die independently is a block of b pages under greedy cleaning (Van Houdt, "
           "SIGMETRICS 2013). One writer of whole superblocks: 1. The sweep is that by which Lee, Ziegler and Leis, PVLDB 19 "
           "(2026), find the superblock of real devices. Shaded: tolerance claimed of four and more interleaved extents of "
           "a superblock and more.")
UNITS = {"k": 1024, "M": 1 << 20, "G": 1 << 30}


def read(run):
    """(superblocks of an extent, writers) of a run."""
    size, writers = run.spec["device.pattern"].removeprefix("extents:").split("/")
    extent = int(size[:-1]) * UNITS[size[-1]] if size[-1] in UNITS else int(size)
    return extent / run.device["describe"]["super_bytes"], int(writers)


def parts(superblocks, writers):
    return max(writers, round(1 / superblocks))


def draw(experiment, pyplot):
    about = CAPTION.format(u=max(run.number("device.utilisation") for run in experiment.runs))
    figure, upper, lower = against.panels(pyplot, 2, against.PAGE, 3.6, against.caption_lines(about, against.PAGE),
                                          wspace=0.16)
    points = [(*read(run), run.number("write_amplification"), run.number("utilisation_effective"),
               run.run["group"]) for run in experiment.runs]
    whole = sorted(point for point in points if point[4] == "aligned")
    sizes = sorted({point[0] for point in whole})
    u = sum(point[3] for point in whole) / len(whole)
    for writers, (colour, marker) in LOOKS.items():
        mine = [point for point in whole if point[1] == writers]
        if not mine:
            continue
        look = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4, "zorder": 3}
        upper[0].plot(sizes, [closed.greedy(u, parts(size, writers)) for size in sizes], color=colour, linewidth=0.9)
        upper[0].plot([point[0] for point in mine], [point[2] for point in mine], **look,
                      label=f"{writers} writer{'s' if writers > 1 else ''}")
        lower[0].plot([point[0] for point in mine],
                      [against.deviation(point[2], closed.greedy(point[3], parts(point[0], writers))) for point in mine],
                      **look)
    alone = sorted(point for point in points if point[1] == 1)
    steps = [point for point in alone if point[4] == "aligned"]
    odd = [point for point in alone if point[4] != "aligned"]
    divided = [size for size in sizes if size <= 1]
    colour, marker = LOOKS[1]
    upper[1].plot([point[0] for point in alone], [point[2] for point in alone], color=style.LIGHT, linewidth=0.8, zorder=1)
    upper[1].plot(divided, [closed.greedy(u, parts(size, 1)) for size in divided], color=colour, linewidth=0.9)
    upper[1].plot([point[0] for point in steps], [point[2] for point in steps], color=colour, marker=marker,
                  linestyle="none", markersize=4, label="ends with a superblock", zorder=3)
    upper[1].plot([point[0] for point in odd], [point[2] for point in odd], markeredgecolor=style.PURPLE, marker="o",
                  markerfacecolor="white", linestyle="none", markersize=4, label="ends within one", zorder=3)
    lower[1].plot([point[0] for point in odd], [against.deviation(point[2], 1) for point in odd],
                  markeredgecolor=style.PURPLE, marker="o", markerfacecolor="white", linestyle="none", markersize=4)
    lower[1].plot([point[0] for point in steps if point[0] >= 1],
                  [against.deviation(point[2], 1) for point in steps if point[0] >= 1], color=colour, marker=marker,
                  linestyle="none", markersize=4, zorder=3)
    for top, below, words in zip(upper, lower, ("so many extents written at a time", "one writer")):
        against.title(top, words)
        top.set_ylim(0.8, None)
        top.axhline(1, color=style.BLACK, linewidth=0.6)
        top.legend(frameon=False, handletextpad=0.2, fontsize=against.SMALL + 0.5, borderaxespad=0.2,
                   loc="upper right" if top is upper[1] else (0.03, 0.09), labelspacing=0.25)
        below.set_xscale("log", base=2)
        below.set_xlim(min(sizes) / 1.2, max(sizes) * 1.25)
        against.plain_log(below.xaxis, sizes, [f"1/{round(1 / size)}" if size < 1 else f"{size:g}" for size in sizes])
        below.set_xlabel("extent / superblock", labelpad=2)
    against.band(lower[0], 10, 18)
    lower[1].set_ylim(-10, max([against.deviation(point[2], 1) for point in odd if point[0] > 0.7] + [10]) * 1.15)
    lower[1].set_ylabel("above 1, %", labelpad=2)
    upper[0].set_ylabel("write amplification", labelpad=2)
    against.deviation_label(lower[0])
    against.caption(figure, about)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION.format(u=0.9)))
