#!/usr/bin/python3
"""demo.py - the demo's one figure: in place or in zones, raw or LZ4 or holes, slotted or ordinal?

Small multiples. A row is a device, a column one measure: throughput under each workload, then what the writes cost
(YCSB A: bytes written a byte the user wrote, split into user, engine and device) and what a reader waits (YCSB A: p99
of reads). Every panel has the same six places on its x axis, placement by space policy, so an eye that goes down or
across compares the same six variants; colour repeats the space policy, marker and face the page layout. All axes but
that of latencies begin at zero. The best of a panel bears its number.

Where several seeds were run, a mark is their median and the line through it their range.
"""

import pathlib
import statistics
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

QUESTION = "In place or in zones? Raw, LZ4 or holes? Slotted or ordinal pages?"
PLACEMENTS, SPACES, NODES = ("inplace", "zone"), ("raw", "lz4", "hole"), ("slotted", "ordinal")
PLATE = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}  # behind numbers
GAP = 0.7  # between the placements, in places


def place(placement, space):
    """x of a variant."""
    at = PLACEMENTS.index(placement)
    return at * (len(SPACES) + GAP) + SPACES.index(space)


def group(runs):
    """{(device, workload, placement, space, node): [run of each seed]}"""
    groups = {}
    for run in runs:
        key = (run.choice("device"), measures.workload(run), run.choice("placement"), run.choice("space"),
               run.choice("node"))
        if key[2] in PLACEMENTS and key[3] in SPACES and key[4] in NODES:
            groups.setdefault(key, []).append(run)
    return groups


def points(groups, device, workload, measure):
    """[(placement, space, node, [value of each seed])] of one panel."""
    found = []
    for (of_device, of_workload, placement, space, node), runs in groups.items():
        values = [value for value in map(measure, runs) if value is not None]
        if (of_device, of_workload) == (device, workload) and values:
            found.append((placement, space, node, values))
    return found


def dodge(node):
    return -0.17 if node == NODES[0] else 0.17


def draw_marks(axes, found, best, stem=True):
    """Marks at the medians; a number at the best one."""
    if not found:
        return
    chosen = best(found, key=lambda point: statistics.median(point[3]))
    for placement, space, node, values in found:
        colour, _, _ = style.look("space", space)
        _, marker, _ = style.look("node", node)
        x, y = place(placement, space) + dodge(node), statistics.median(values)
        if stem:
            axes.plot([x, x], [0, y], color=colour, linewidth=1.1, alpha=0.45, zorder=2)
        if len(values) > 1:
            axes.plot([x, x], [min(values), max(values)], color=colour, linewidth=2.2, zorder=3)
        axes.plot(x, y, marker, markersize=4.6, markeredgewidth=1.1, markeredgecolor=colour,
                  markerfacecolor=colour if node == NODES[0] else "white", zorder=4)
        if (placement, space, node) == chosen[:3]:
            at = max(values) if stem else min(values)
            axes.annotate(style.number(y), (x, at), xytext=(0, 5 if stem else -5), textcoords="offset points",
                          ha="center", va="bottom" if stem else "top", fontsize=7, fontweight="bold", zorder=6,
                          bbox=PLATE)


def draw_amplification(axes, groups, device, workload):
    """Stacked bars: user, engine and device share of the bytes written a byte the user wrote.

    Returns (parts, height of the highest) of each."""
    found = points(groups, device, workload, measures.amplification)
    top, least, bars = 0.0, None, []
    for placement, space, node, values in found:
        parts = [statistics.median(part) for part in zip(*values)]
        x, bottom = place(placement, space) + 1.25 * dodge(node), 0.0
        for name, part in zip(measures.BYTES, parts):
            if part == 0:
                continue
            colour, _, _ = style.look("bytes", name)
            hatch = "" if node == NODES[0] else "////"
            axes.bar(x, part, 0.36, bottom=bottom, color=colour if not hatch else "white", edgecolor=colour,
                     hatch=hatch, linewidth=0.8, zorder=3)
            bottom += part
        top = max(top, bottom)
        bars.append(parts)
        if least is None or bottom < least[1]:
            least = (x, bottom)
    if least:
        axes.annotate(style.number(least[1]), least, xytext=(0, 2), textcoords="offset points", ha="center",
                      va="bottom", fontsize=7, fontweight="bold", zorder=6, bbox=PLATE)
    return [(parts, top) for parts in bars]


def high_of(point):
    """Greatest value of a point's seeds; of written bytes, of all parts together."""
    return max(sum(value) if isinstance(value, tuple) else value for value in point[3])


def dress(axes, found, impossible, log=False):
    """What every panel has: the six places, their names, and a word where there is nothing.

    impossible: the placements that the runs themselves said this device cannot have."""
    axes.set_xlim(-0.6, place("zone", "hole") + 0.6)
    axes.set_xticks([place(placement, space) for placement in PLACEMENTS for space in SPACES])
    axes.set_xticklabels([style.word(space) for _ in PLACEMENTS for space in SPACES])
    axes.tick_params(axis="x", length=0)
    for placement in PLACEMENTS:
        if not any(point[0] == placement for point in found):
            axes.text(place(placement, SPACES[1]), 0.5, "not possible\nhere" if placement in impossible else
                      "no data", transform=axes.get_xaxis_transform(), ha="center", va="center", fontsize=7.5,
                      color=style.GREY)
    if not log:
        axes.set_ylim(0, max((high_of(point) for point in found), default=1) * 1.16 or 1)  # the number fits in
    axes.axvline(len(SPACES) - 1 + (GAP + 1) / 2, color="#BBBBBB", linewidth=0.6)


def log_ticks(axes, least, greatest):
    """A log axis with at least two numbers on it, in plain digits."""
    ticks = [digit * 10.0 ** power for power in range(-3, 9) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if least <= tick <= greatest]
    if len(ticks) > 6:
        ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
    axes.set_yticks(ticks)
    axes.set_yticklabels([style.number(tick) for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(least, greatest)


def name_placements(axes):
    for placement in PLACEMENTS:
        axes.text(place(placement, SPACES[1]), -0.22, style.word(placement), transform=axes.get_xaxis_transform(),
                  ha="center", va="top", fontsize=8, fontweight="bold")


def legend(figure, thin):
    """Once for the whole figure: layouts, then the parts of the written bytes but those too thin to see."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    handles = [Line2D([], [], linestyle="", marker=style.look("node", node)[1], color=style.BLACK, markersize=5,
                      markerfacecolor=style.BLACK if node == NODES[0] else "white",
                      label=f"{style.word(node)} pages ({'full' if node == NODES[0] else 'hollow, hatched'})")
               for node in NODES]
    handles += [Patch(color=style.look("space", space)[0], label=style.word(space)) for space in SPACES]
    handles += [Patch(color=style.look("bytes", name)[0], label=f"bytes: {measures.BYTES_WORDS[name]}")
                for name in measures.BYTES if name not in thin]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.048, 1 - 0.33 / figure.get_figheight()),
                  ncol=len(handles), frameon=False, columnspacing=1.3, handletextpad=0.4)


def draw(experiment, pyplot):
    groups = group(experiment.runs)
    devices = [name for name in measures.order("device", {key[0] for key in groups})]
    workloads = sorted({key[1] for key in groups}, reverse=True)
    if not groups:
        raise load.LoadError(f"{experiment.directory} has no run that this figure shows")
    costly = "a" if "a" in workloads else workloads[-1]
    rows, columns = len(devices), len(workloads) + 2
    height = 1.75 * rows + 2.03
    amplified = []  # (parts, greatest of its panel) of each bar
    figure, grid = pyplot.subplots(rows, columns, figsize=(2.42 * columns + 0.6, height), squeeze=False)
    for row, device in zip(grid, devices):
        impossible = {run["choices"].get("placement") for run, _ in experiment.skipped
                      if run.get("choices", {}).get("device") == device}
        for axes, workload in zip(row, workloads):
            found = points(groups, device, workload, measures.kops)
            draw_marks(axes, found, max)
            dress(axes, found, impossible)
        axes = row[-2]
        amplified += draw_amplification(axes, groups, device, costly)
        dress(axes, points(groups, device, costly, measures.amplification), impossible)
        axes = row[-1]
        found = points(groups, device, costly, measures.p99_read_us)
        draw_marks(axes, found, min, stem=False)
        axes.set_yscale("log")
        dress(axes, found, impossible, log=True)
        if found:
            values = [value for point in found for value in point[3]]
            log_ticks(axes, min(values) / 1.8, max(values) * 1.5)
        row[0].set_ylabel(style.word(device), fontsize=9, fontweight="bold", labelpad=9)
    heads = [f"YCSB {workload.upper()}: {measures.MIX.get(workload, '')}\nthroughput, thousand operations/s"
             for workload in workloads]
    heads += [f"YCSB {costly.upper()}: write amplification\nbytes written / byte of the user",
              f"YCSB {costly.upper()}: reads' p99\nmicroseconds (log)"]
    for axes, head in zip(grid[0], heads):
        axes.set_title(head, loc="left", pad=9)
    for axes in grid[-1]:
        name_placements(axes)
    figure.subplots_adjust(left=0.055, right=0.992, top=1 - 1.05 / height, bottom=1.06 / height, wspace=0.24,
                           hspace=0.32)
    legend(figure, measures.thin_parts(amplified))
    figure.text(0.055, 1 - 0.10 / height, QUESTION, fontsize=13, fontweight="bold", va="top")
    real = "Times on a real device are wall-clock times of one machine, once." if any(
        not run.run.get("simulated") for run in experiment.runs) else ""
    said = ["Higher is better on the left, lower in the last two columns; the best of a "
            "panel bears its number.", real, measures.thin_words(amplified), measures.uncounted_words(experiment)]
    lines = textwrap.wrap(" ".join(filter(None, said)), 44 * columns)
    figure.text(0.055, (0.10 + style.FOOTER) / height, "\n".join(lines), fontsize=7.5, color="#444444", va="bottom",
                linespacing=1.4)
    style.footer(figure, measures.caption(experiment))
    return figure


if __name__ == "__main__":
    sys.exit(against.program(__file__, draw, QUESTION, measures.caption))
