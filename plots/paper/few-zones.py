#!/usr/bin/python3
"""few-zones.py - stores of a few zones: how much of a device they take, and what they cost as their zones grow.

Left: device bytes for a byte of data on the least device, ten zones, against in place on a conventional one. Then a store of
20 MB on devices of which a third or two thirds are raw pages, over the number of zones they have.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import measures  # noqa: E402
import stores    # noqa: E402
import style     # noqa: E402

QUESTION = "Stores of few zones: space, amplification, throughput, tail"
LEAST = {"least-256k": (style.SKY, "^", False, "256 KiB"), "least-1M": (style.GREEN, "D", False, "1 MiB"),
         "least-4M": (style.BLACK, "s", False, "4 MiB")}
FILLS = {"third": (style.BLUE, "o", False), "two-thirds": (style.VERMILION, "s", True)}
WORDS = {"third": "others: a third of the device in raw pages", "two-thirds": "two thirds"}
CAPTION = ("Left: bytes of device for a byte of keys and values: ten zones of each size are the least store there is; crosses: "
           "the same data in place, bytes that a conventional device holds for them. Others: 20 MB of data on a simulated zoned "
           "SSD, YCSB A, Zipf 0.8, 8 KiB pages, no log, zones of 128 KiB to 8 MiB; store amplification = bytes written / bytes "
           "of pages evicted or checkpointed; the device's own is 1. Many small zones cost time: more resets, more anchors.")


def zones(run):
    return run.run["device_bytes"] / int(run.spec["sim_zns.zone_bytes"])


def data_mib(run):
    return stores.counter(run, "logical_bytes") / (1 << 20)


def draw(experiment, pyplot):
    from matplotlib.lines import Line2D
    groups = stores.in_groups(experiment)
    figure, panels = stores.row(pyplot, 4, 2.85, CAPTION, 0.54, left=0.052, right=0.984, wspace=0.3)
    space = panels[0]
    for group, look in LEAST.items():
        stores.curve(space, groups.get(group, []), data_mib,
                     lambda run: run.run["device_bytes"] / stores.counter(run, "logical_bytes"), look[:3])
    found = stores.points(groups.get("conventional", []), data_mib,
                          lambda run: stores.counter(run, "stored_bytes") / stores.counter(run, "logical_bytes"))
    space.plot([point[0] for point in found], [point[1] for point in found], **against.REFERENCE)
    space.set_xscale("log")
    space.set_yscale("log")
    against.plain_log(space.xaxis, (0.3, 1, 3))
    against.plain_log(space.yaxis, (1, 3, 10, 30, 100))
    space.set_ylim(1, 250)
    stores.dress(space, "device bytes / byte of data", "data, MiB")
    for group, look in FILLS.items():
        runs = groups.get(group, [])
        stores.curve(panels[1], runs, zones, stores.store_amplification, look)
        stores.curve(panels[2], runs, zones, measures.kops, look)
        stores.curve(panels[3], runs, zones, stores.read_p999_ms, look)
    for axes, words in zip(panels[1:], ("store amplification", "thousand operations/s", "p99.9 of reads, ms")):
        axes.set_xscale("log")
        against.plain_log(axes.xaxis, (12, 24, 48, 96, 192, 384, 768), ["12", "24", "48", "96", "192", "384", "768"])
        stores.headroom(axes, 1 if axes is panels[1] else 0)
        stores.dress(axes, words, "zones of the device")
    handles = [stores.handle(look[:3], f"left: ten zones of {look[3]}" if at == 0 else look[3])
               for at, look in enumerate(LEAST.values())]
    stores.legend(figure, [*handles, Line2D([], [], **against.REFERENCE, label="in place")], 4, 0.3)
    stores.legend(figure, [stores.handle(FILLS[group], WORDS[group]) for group in FILLS], 2, 0.3, 0.16)
    return figure


if __name__ == "__main__":
    sys.exit(stores.main(__file__, draw, QUESTION, ("third", "two-thirds")))
