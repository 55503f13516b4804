#!/usr/bin/python3
"""node-layouts.py - cache lines that a lookup touches, by layout, keys and page size.

A column a set of keys. Above: lines from the root to the value; in the middle: the same over those of the slotted page with
heads; below: nanoseconds of processor time on the machine at hand, beside the counts and judged by nobody.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import load     # noqa: E402
import style    # noqa: E402

QUESTION = "Page layouts: how many cache lines does a lookup touch?"
LOOKS = {"textbook": (style.GREY, "s", (0, (1, 1)), "slotted, textbook"), "heads": (style.BLUE, "o", "-", "slotted, heads"),
         "hints": (style.SKY, "D", (0, (4, 1.5)), "slotted, heads and 16 hints"),
         "ordinal": (style.ORANGE, "v", "-", "ordinal"), "b2": (style.PURPLE, "P", (0, (4, 1.5)), "B²-tree page"),
         "b2-heads": (style.GREEN, "^", "-", "B²-tree page, heads")}
COLUMNS = (("url", "addresses"), ("mail", "mail"), ("title", "titles"), ("uuid", "UUIDs"), ("ycsb", "YCSB"),
           ("fixed8", "integers"), ("dense8", "dense"))
PUBLISHED = {"url": (0.57, 0.39), "title": (0.75, 0.45), "uuid": (0.86, 0.51)}  # B²-tree over B+-tree: misses, L1D and LLC


def mean(runs, value):
    found = [value(run) for run in runs]
    found = [one for one in found if one is not None]
    return statistics.fmean(found) if found else None


def lines(run):
    return run.number("lines_per_lookup")


def nanoseconds(run):
    return run.wall.get("cpu_ns_per_lookup")


def about(experiment):
    first = experiment.runs[0]
    reasons = {run.wall.get("not_counted_because") for run in experiment.runs} - {None}
    misses = f" Cache misses: not counted ({'; '.join(sorted(reasons))})." if reasons else ""
    return (f"Distinct 64-byte lines that a lookup reads in the pages from the root to the value of a record, mean of "
            f"{int(first.node['lookups']):,} uniform lookups in a B+-tree of {int(first.node['records']):,} records with values of "
            f"{first.spec.get('node.value_bytes', '100')} bytes, filled by inserts in random order; exact, the same on every machine. "
            "Middle: over those of the slotted page with heads; shaded: the 10 % within which pages of 4 KiB are claimed to "
            "gain nothing; bars at the right: B²-tree over B+-tree as published, misses of the first level (upper end) and of "
            "the last (lower), where UUIDs stand for random keys (Schmeisser et al., “B²-Tree”, BTW 2021, table 2, 64 KiB). "
            "Below: processor time of dependent lookups, least of three rounds and of the seeds, on a shared machine: not judged."
            f"{misses}")


def draw(experiment, pyplot):
    if not any(run.node for run in experiment.runs):
        raise load.LoadError("there is no run of layouts to show")
    columns = [(keys, words) for keys, words in COLUMNS if any(run.spec.get("keys") == keys for run in experiment.runs)]
    text = about(experiment)
    width, height = against.PAGE, 5.4
    below = 0.42 + 0.125 * against.caption_lines(text, width)
    figure, grid = pyplot.subplots(3, len(columns), figsize=(width, height), sharex=True, sharey="row", squeeze=False,
                                   gridspec_kw={"height_ratios": [1.7, 1.3, 1], "hspace": 0.1, "wspace": 0.1})
    figure.subplots_adjust(left=0.52 / width, right=1 - 0.08 / width, top=1 - 0.62 / height, bottom=below / height)
    for column, (keys, words) in enumerate(columns):
        cells = {}
        for run in experiment.runs:
            if run.spec.get("keys") == keys:
                cells.setdefault((run.run["group"], int(run.spec["page_bytes"]) >> 10), []).append(run)
        sizes = sorted({size for _, size in cells})
        for group, (colour, marker, dash, label) in LOOKS.items():
            at = [size for size in sizes if (group, size) in cells]
            look = {"color": colour, "marker": marker, "linestyle": dash, "linewidth": 0.9, "markersize": 2.9,
                    "markeredgewidth": 0, "zorder": 3 if group == "b2-heads" else 2}
            counted = [mean(cells[group, size], lines) for size in at]
            grid[0][column].plot(at, counted, **look, label=label)
            rival = [mean(cells["heads", size], lines) if ("heads", size) in cells else None for size in at]
            pairs = [(size, one / other) for size, one, other in zip(at, counted, rival) if other]
            grid[1][column].plot([size for size, _ in pairs], [ratio for _, ratio in pairs], **look)
            timed = [(size, min(found)) for size in at
                     if (found := [ns for run in cells[group, size] if (ns := nanoseconds(run)) is not None])]
            grid[2][column].plot([size for size, _ in timed], [ns for _, ns in timed], **look)
        grid[1][column].axhspan(0.9, 1.1, color="#E3EBF3", zorder=0, linewidth=0)
        if keys in PUBLISHED:
            upper, lower = PUBLISHED[keys]
            grid[1][column].plot([sizes[-1] * 1.35] * 2, [lower, upper], color=style.BLACK, linewidth=1.1, marker="_",
                                 markersize=4, solid_capstyle="butt", zorder=4,
                                 label="published" if keys == "url" else None)
        against.title(grid[0][column], words)
        grid[0][column].set_xscale("log", base=2)
        grid[0][column].set_xlim(sizes[0] * 0.8, sizes[-1] * 1.7)
        against.plain_log(grid[2][column].xaxis, [size for size in sizes if size in (4, 16, 64)])
    grid[0][0].set_ylim(0, None)
    grid[1][0].set_ylim(0.3, 1.95)
    grid[2][0].set_ylim(0, None)
    for axes in grid.flat:
        axes.tick_params(labelsize=against.SMALL + 0.3, pad=2)
        axes.grid(True, axis="y")
    grid[0][0].set_ylabel("lines a lookup", labelpad=2)
    grid[1][0].set_ylabel("/ slotted, heads", labelpad=2)
    grid[2][0].set_ylabel("CPU, ns", labelpad=2)
    grid[2][len(columns) // 2].set_xlabel("page size, KiB", labelpad=2)
    handles, labels = grid[0][0].get_legend_handles_labels()
    more, words = grid[1][0].get_legend_handles_labels()
    figure.legend(handles + more, labels + words, loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=4, frameon=False,
                  fontsize=against.SMALL + 0.3, handletextpad=0.4, columnspacing=1.4, labelspacing=0.3)
    against.caption(figure, text)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, __doc__, seeds_shown="marks are means over seeds"))
