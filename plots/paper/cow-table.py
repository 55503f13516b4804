#!/usr/bin/python3
"""cow-table.py - what it writes that parents hold the places of their children, against a mapping table.

Left: a checkpoint's bytes for a byte of leaves, over how many updates lie between two; crosses are what distinct draws say.
Middle and right: a store over zones that are cleaned, over the share of them that lives: all bytes, and those of cleaning.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import stores   # noqa: E402
import style    # noqa: E402

QUESTION = "Places held by parents, or by a mapping table: bytes written a byte of leaves"
LOOKS = {"table": (style.BLUE, "o", False), "cow": (style.VERMILION, "s", True)}
WORDS = {"table": "mapping table", "cow": "copy on write, up to the root"}
CAPTION = ("Updates of one record, uniform; leaves of 4 KiB with four records. Left: all pages in the pool, shadow placement, a "
           "log of 256 KiB to 16 MiB, whose bytes do not count; crosses: distinct inner pages above the leaves hit, the root, and "
           "those leaves, without anchors. Others: no log, a pool of 4 MiB, zones of 256 KiB, the emptiest cleaned first. "
           "Cleaning under copy on write moves a page by writing its path.")


def distinct(pages, draws):
    return pages * (1 - (1 - 1 / pages) ** draws)


def interval(run):
    return stores.counter(run, "operations") / max(stores.counter(run, "checkpoints"), 1)


def live_share(run):
    return stores.counter(run, "live_bytes") / stores.counter(run, "data_capacity_bytes")


def a_byte_of_leaves(*tags):
    return lambda run: stores.written(run, *tags) / max(stores.written(run, "leaf"), 1)


def theory(runs):
    """[(operations a checkpoint, bytes a byte of leaves)]"""
    found = []
    for run in runs:
        leaves = int(run.spec["records"]) / 4
        inner = stores.counter(run, "live_pages") - leaves - 1
        if inner > 1:
            draws = interval(run)
            found.append((draws, 1 + (1 + distinct(inner, draws)) / distinct(leaves, draws)))
    return sorted(found)


def draw(experiment, pyplot):
    groups = stores.in_groups(experiment)
    figure, panels = stores.row(pyplot, 3, 2.7, CAPTION, left=0.05, right=0.99, wspace=0.22)
    for addressing, look in LOOKS.items():
        runs = [run for run in groups.get("interval", []) if run.run["choices"]["addressing"] == addressing]
        if addressing == "cow":
            points = theory(runs)
            panels[0].plot([at for at, _ in points], [value for _, value in points], **against.REFERENCE)
        stores.curve(panels[0], runs, interval, a_byte_of_leaves("leaf", "inner", "map", "clean", "meta"), look)
        runs = [run for run in groups.get("zones", []) if run.run["choices"]["addressing"] == addressing]
        stores.curve(panels[1], runs, live_share, a_byte_of_leaves("leaf", "inner", "map", "clean", "meta"), look)
        stores.curve(panels[2], runs, live_share, a_byte_of_leaves("clean"), look)
    panels[0].set_xscale("log")
    against.plain_log(panels[0].xaxis, (20, 50, 100, 200, 500, 1000))
    for axes, words, xlabel in zip(panels, ("checkpoints: bytes / leaf byte", "zones: bytes / leaf byte", "cleaning: bytes / leaf byte"),
                                   ("updates between two checkpoints", "live share of the zones", "live share of the zones")):
        stores.headroom(axes, 0 if axes is panels[2] else 1)
        stores.dress(axes, words, xlabel)
    stores.legend(figure, [stores.handle(LOOKS[key], WORDS[key]) for key in LOOKS], 2)
    return figure


if __name__ == "__main__":
    sys.exit(stores.main(__file__, draw, QUESTION, ("interval", "zones")))
