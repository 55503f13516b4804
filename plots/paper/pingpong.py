#!/usr/bin/python3
"""pingpong.py - two slots a page against a double-write journal and shadow pages: bytes, space, throughput, and the model.

Bars: bytes of flash a byte of the user, by what caused them. Dots: throughput and the space that the device holds. Then the
model of what a checkpoint writes, and what waiting for anchors costs the device.
"""

import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import measures  # noqa: E402
import stores    # noqa: E402
import style     # noqa: E402

QUESTION = "Two slots a page, a double-write journal, shadow pages: what is written twice?"
# (group, guard, label) from left to right
BARS = (("guards", "dwb", "journal"), ("guards", "pingpong", "two slots"), ("shadow", "none", "shadow"),
        ("unlogged", "dwb", "journal"), ("unlogged", "pingpong", "two slots"), ("unlogged", "none", "unsafe"))
PARTS = (("page images", ("leaf", "inner", "overflow", "map", "clean"), style.BLUE), ("journal", ("journal",), style.ORANGE),
         ("log and anchors", ("log", "meta"), style.GREEN))
MOVED = ("moved by the device", style.BLACK)
GUARDS = {"dwb": (style.ORANGE, "s", False, "journal"), "pingpong": (style.BLUE, "o", False, "two slots")}
SPACES = ("raw", "hole")
CAPTION = ("Left: bytes of flash for a byte of the user. Simulated SSD, {live:.0f} % of it live raw pages, YCSB A (Zipf), 16 KiB pages; left bars raw pages, right bars pages with holes; "
           "with a log on the left, without any on the right (unsafe: no guard at all, a crash loses the store). “Stored”: bytes "
           "that the device holds for a byte of keys and values, journal, log and anchors included. Model: uniform updates, all "
           "pages in memory: a page dirtied by x updates between checkpoints is written once (two slots) or twice (journal), "
           "(1 − e⁻ˣ) / x pages an update. Last: images that wait for an anchor, as a limit on their number is raised. After "
           "Qiao et al., FAST 2022 (deterministic page shadowing).")


def guard(run):
    return run.choice("guard") if run.choice("guard") != "-" else "none"


def find(groups, group, name, space):
    return [run for run in groups.get(group, []) if guard(run) == name and run.choice("space") == space]


def parts(run):
    """Bytes of flash a byte of the user, by cause."""
    user = stores.counter(run, "user_write_bytes")
    found = [stores.written(run, *tags) / user for _, tags, _ in PARTS]
    moved = max(stores.counter(run, "media_write_bytes") - stores.counter(run, "host_write_bytes"), 0)
    return found + [moved / user]


def places():
    """x of each entry of BARS; a gap before those without a log."""
    return [at + (0.6 if group == "unlogged" else 0) for at, (group, _, _) in enumerate(BARS)]


def name_bars(axes):
    axes.set_xticks(places(), [label for _, _, label in BARS], rotation=50, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, places()[-1] + 0.6)
    axes.tick_params(axis="x", length=0)
    axes.axvline(2.8, color=style.LIGHT, linewidth=0.6)
    axes.grid(False, axis="x")


def draw_bytes(axes, groups):
    for x, (group, name, _) in zip(places(), BARS):
        for at, space in enumerate(SPACES):
            runs = find(groups, group, name, space)
            if not runs:
                continue
            floor = 0
            heights = [measures.statistics.median(values) for values in zip(*(parts(run) for run in runs))]
            for height, colour in zip(heights, [colour for _, _, colour in PARTS] + [MOVED[1]]):
                axes.bar(x - 0.2 + 0.4 * at, height, 0.36, bottom=floor, color=colour, linewidth=0)
                floor += height
    stores.headroom(axes, 0)
    name_bars(axes)


def draw_dots(axes, groups, measure):
    for x, (group, name, _) in zip(places(), BARS):
        for at, space in enumerate(SPACES):
            values = [measure(run) for run in find(groups, group, name, space)]
            if not values:
                continue
            colour, marker = style.look("space", space)[:2]
            middle = measures.statistics.median(values)
            here = x - 0.15 + 0.3 * at
            axes.vlines(here, min(values), max(values), color=colour, linewidth=1.4)
            axes.plot([here], [middle], color=colour, marker="o" if at == 0 else "D", linestyle="none",
                      markersize=4.2 if at == 0 else 3.6, markerfacecolor=colour if at == 0 else "white")
    stores.headroom(axes, 0)
    name_bars(axes)


def per_page(run):
    return stores.counter(run, "updates") / stores.counter(run, "checkpoints") / stores.counter(run, "live_pages")


def pages_an_update(run):
    return stores.written(run, "leaf", "inner", "journal") / int(run.spec["page_bytes"]) / stores.counter(run, "updates")


def draw_model(axes, runs):
    grid = [0.03 * 1.1 ** step for step in range(60)]
    for name, (colour, marker, _, label) in GUARDS.items():
        factor = 2 if name == "dwb" else 1
        axes.plot(grid, [factor * (1 - math.exp(-x)) / x for x in grid], color=colour, linewidth=0.9)
        found = stores.points([run for run in runs if guard(run) == name], per_page, pages_an_update)
        axes.plot([point[0] for point in found], [point[1] for point in found], color=colour, marker=marker,
                  linestyle="none", markersize=4, label=label)
    axes.set_xscale("log")
    axes.set_xlim(0.07, 5)
    against.plain_log(axes.xaxis, (0.1, 0.3, 1, 3))
    axes.set_ylim(0, 2.1)
    axes.legend(frameon=False, fontsize=against.SMALL, handletextpad=0.2, loc="lower left", borderaxespad=0.1)


def stale(run):
    """The limit, in per cent of the pages there is room for; none: 100."""
    return int(run.spec["pingpong.stale_permille"]) / 10 or 100


def draw_stale(axes, runs):
    look = (style.BLACK, "^", False)
    stores.curve(axes, runs, stale, stores.device_amplification, look)
    axes.set_xscale("log")
    against.plain_log(axes.xaxis, (2, 5, 10, 25, 100), ["2", "5", "10", "25", "none"])
    stores.headroom(axes, 1)


def draw(experiment, pyplot):
    from matplotlib.patches import Patch
    groups = stores.in_groups(experiment)
    raw = find(groups, "guards", "pingpong", "raw")
    live = stores.counter(raw[0], "live_bytes") / raw[0].run["device_bytes"]
    figure, panels = pyplot.subplots(1, 5, figsize=(against.PAGE, 3.1), gridspec_kw={"width_ratios": [1.35, 1.2, 1.2, 1.1, 1.3]})
    below = stores.foot(figure, CAPTION.format(live=100 * live))
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.05, right=0.984, top=1 - 0.5 / height, bottom=(below + 0.52) / height, wspace=0.34)
    draw_bytes(panels[0], groups)
    draw_dots(panels[1], groups, measures.kops)
    draw_dots(panels[2], groups, lambda run: stores.counter(run, "stored_bytes") / stores.counter(run, "logical_bytes"))
    draw_model(panels[3], groups["model"])
    draw_stale(panels[4], groups["stale"])
    for axes, words in zip(panels, ("flash / user's byte", "thousand ops/s", "stored / byte",
                                    "pages / update", "device amplification")):
        stores.dress(axes, words)
    panels[3].set_xlabel("updates a page\nand checkpoint", labelpad=2, fontsize=against.SMALL + 0.5)
    panels[4].set_xlabel("limit on stale\nimages, % of pages", labelpad=2, fontsize=against.SMALL + 0.5)
    for axes in panels[:3]:
        axes.grid(False, axis="x")
    handles = [Patch(color=colour, label=words) for words, _, colour in PARTS] + [Patch(color=MOVED[1], label=MOVED[0])]
    handles += [stores.handle((style.look("space", space)[0], "o" if at == 0 else "D", at == 1), style.word(space), "none")
                for at, space in enumerate(SPACES)]
    stores.legend(figure, handles, len(handles), 0.3)
    return figure


if __name__ == "__main__":
    sys.exit(stores.main(__file__, draw, QUESTION, ("guards", "shadow", "unlogged", "model", "stale")))
