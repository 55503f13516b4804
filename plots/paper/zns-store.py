#!/usr/bin/python3
"""zns-store.py - a store on zones and on a conventional interface to the same flash: who moves data, and what is left.

Over the share of the flash that live pages take: amplification of the store, of the device, throughput as fast as it goes,
and the p99.9 of reads at a rate that all can keep.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import measures  # noqa: E402
import stores    # noqa: E402
import style     # noqa: E402

QUESTION = "The same flash behind zones and behind a conventional interface, under a store"
LOOKS = {"zoned": (style.BLUE, "o", False), "conventional-7": (style.ORANGE, "D", False),
         "conventional-28": (style.ORANGE, "D", True), "inplace-7": (style.VERMILION, "s", False)}
WORDS = {"zoned": "store's zones = the device's", "conventional-7": "store's zones, 7 % spare",
         "conventional-28": "store's zones, 28 % spare", "inplace-7": "in place, 7 % (and 28 %) spare"}
CAPTION = ("Simulated flash of {raw} MiB behind a zoned and a conventional interface, YCSB A, Zipf 0.8, 16 KiB pages, no log, at "
           "least twice the flash written before. Store amplification = bytes written / bytes of pages evicted or checkpointed; device "
           "amplification = bytes of flash / bytes written. In place both spares give the same numbers: logical space never "
           "written is spare. Right: open arrivals at {rate} operations/s. After Bjørling et al., USENIX ATC 2021, who find twice "
           "the throughput and p99.9 of reads two to four times lower on zones.")


def draw(experiment, pyplot):
    groups = stores.in_groups(experiment)
    zoned = groups["zoned"][0]
    raw = zoned.run["device_bytes"]
    rates = [run.spec["target_ops_per_second"] for run in groups.get("zoned-rate", [])]
    figure, panels = pyplot.subplots(1, 4, figsize=(against.PAGE, 2.75))
    below = stores.foot(figure, CAPTION.format(raw=raw >> 20, rate=f"{int(rates[0]):,}" if rates else "no"))
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.05, right=0.992, top=1 - 0.5 / height, bottom=(below + 0.34) / height, wspace=0.28)

    def live(run):
        return 100 * stores.counter(run, "live_bytes") / raw

    for group, look in LOOKS.items():
        runs = groups.get(group, [])
        stores.curve(panels[0], runs, live, stores.store_amplification, look)
        stores.curve(panels[1], runs, live, stores.device_amplification, look)
        stores.curve(panels[2], runs, live, measures.kops, look)
        stores.curve(panels[3], groups.get(f"{group}-rate", []), live, stores.read_p999_ms, look)
    for axes, words in zip(panels, ("store amplification", "device amplification", "thousand operations/s",
                                    "p99.9 of reads, ms")):
        stores.headroom(axes, 0)
        stores.dress(axes, words, "live pages, % of the flash")
    for axes in panels[:2]:
        stores.headroom(axes, 0.9)
        axes.axhline(1, color=style.BLACK, linewidth=0.6)
    stores.legend(figure, [stores.handle(LOOKS[group], WORDS[group]) for group in LOOKS], 4, 0.3)
    return figure


if __name__ == "__main__":
    sys.exit(stores.main(__file__, draw, QUESTION, ("zoned", "conventional-7")))
