#!/usr/bin/python3
"""zone-size.py - a store on conventional flash: how large must its zones be, and how written, that the device moves nothing?

Three panels over zone / superblock: what the device copies, what the store's cleaning copies, and both together.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import load      # noqa: E402
import style     # noqa: E402

QUESTION = "Zones against superblocks: what do the store and the device copy?"
# (zone.streams, zone.order): name, colour, marker
WAYS = {("one", "free"): ("one open zone", style.BLUE, "o"),
        ("temperature", "free"): ("four streams, each zone for itself", style.VERMILION, "^"),
        ("temperature", "nowa"): ("four streams, zones in order (NoWA)", style.GREEN, "D")}
CAPTION = ("Runs of the whole engine on simulated flash with superblocks of {super:.0f} KiB and 7 % spare, {live:.0f} % of the zones "
           "live, updates hot/cold 90/10, cost-benefit. Device: bytes programmed over bytes written to it. Store: pages written "
           "to zones over pages that clients and the map had written. NoWA opens, fills and cleans zones together: Lee, Ziegler, "
           "Leis, PVLDB 19 (2026).")


def super_bytes(run):
    keys = ("channels", "dies_per_channel", "planes", "flash_page_bytes", "pages_per_block")
    product = 1
    for key in keys:
        product *= int(run.number(f"sim_ssd.{key}"))
    return product


def amplifications(run):
    """(of the device, of the store, of both)"""
    count = run.phases["run"]
    device = count["media_write_bytes"] / count["host_write_bytes"]
    store = 1 + count["moved_bytes"] / (count["page_write_bytes"] + count["host_write_bytes_map"])
    return device, store, device * store


def draw(experiment, pyplot):
    found = {}
    for run in experiment.runs:
        way = (run.spec.get("zone.streams", "one"), run.spec.get("zone.order", "free"))
        found.setdefault(way, []).append((int(run.number("zone.zone_bytes")) / super_bytes(run), *amplifications(run)))
    if not set(found) <= set(WAYS):
        raise load.LoadError(f"no name for streams and order {sorted(set(found) - set(WAYS))}")
    first = experiment.runs[0]
    count = first.phases["run"]
    about = CAPTION.format(super=super_bytes(first) / 1024, live=100 * count["live_bytes"] / count["data_capacity_bytes"])
    lines, width, height = against.caption_lines(about, against.PAGE), against.PAGE, 3.0
    figure, panels = pyplot.subplots(1, 3, figsize=(width, height), sharey=True)
    figure.subplots_adjust(left=0.46 / width, right=1 - 0.08 / width, top=1 - 0.5 / height,
                           bottom=(0.44 + 0.125 * lines) / height, wspace=0.08)
    sizes = sorted({point[0] for points in found.values() for point in points})
    for place, (axes, words) in enumerate(zip(panels, ("device", "store", "both together"))):
        against.title(axes, words)
        for way, (name, colour, marker) in WAYS.items():
            points = sorted(found.get(way, []))
            axes.plot([point[0] for point in points], [point[1 + place] for point in points], color=colour, marker=marker,
                      markersize=4, linewidth=0.9, label=name, zorder=3)
        axes.axhline(1, color=style.BLACK, linewidth=0.6)
        axes.axvline(1, color=style.LIGHT, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_ylim(0.93, 5.5)
        against.plain_log(axes.xaxis, sizes, [f"1/{round(1 / size)}" if size < 1 else f"{size:g}" for size in sizes])
        against.plain_log(axes.yaxis, (1, 1.5, 2, 3, 4, 5))
        axes.tick_params(labelsize=against.SMALL + 0.5, pad=2)
        axes.grid(True, axis="both")
        axes.set_xlabel("zone / superblock", labelpad=2)
    panels[0].set_ylabel("write amplification", labelpad=2)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=3, frameon=False,
                  fontsize=against.SMALL + 0.5, handletextpad=0.4, columnspacing=1.6)
    against.caption(figure, about)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, QUESTION,
                          shows=lambda run: "media_write_bytes" in run.phases.get("run", {})))
