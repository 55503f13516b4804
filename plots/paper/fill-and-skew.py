#!/usr/bin/python3
"""fill-and-skew.py - in place against out of place as a device fills up and as updates become skewed.

Columns: what the store writes a page, what the device makes of it, the product, throughput. Upper row over the fill of the
device, lower row over the Zipf exponent at 75 % full. Crosses are what Lee, Ziegler and Leis measured.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import measures  # noqa: E402
import stores    # noqa: E402
import style     # noqa: E402

QUESTION = "In place against out of place, as the device fills up and updates become skewed"
LOOKS = {"inplace": (style.VERMILION, "s", False), "plain": (style.SKY, "o", True), "plain-lz4": (style.ORANGE, "D", True),
         "aligned": (style.SKY, "o", False), "aligned-lz4": (style.ORANGE, "D", False),
         "ordered-packed": (style.GREEN, "^", False)}
WORDS = {"inplace": "in place, written twice", "plain": "zones, unaligned", "plain-lz4": "unaligned, LZ4",
         "aligned": "zones of two superblocks", "aligned-lz4": "of two superblocks, LZ4",
         "ordered-packed": "of one, in order, LZ4 packed"}
LINES = {"plain": "--", "plain-lz4": "--"}
MEASURES = ((stores.store_amplification, "store amplification"), (stores.device_amplification, "device amplification"),
            (stores.total_amplification, "total amplification"), (measures.kops, "thousand operations/s"))
# Table 1 and figure 15 of the paper: (fill, store, device) of in place, and the total of out of place with everything.
PUBLISHED = ((18, 2.0, 2.33 / 2.0), (90, 2.0, 2.36))
PUBLISHED_BEST = (90, 0.60)
CAPTION = ("Simulated flash with 12.5 % of spare beside the device's capacity, YCSB A, Zipf 0.8 (lower row: 75 % full; exponent 0 is 0.001), "
           "16 KiB pages that LZ4 halves, no log, aged by several times the capacity. Fill: pages as in place stores them / "
           "capacity. Store amplification = bytes written / bytes of pages evicted or checkpointed; device = bytes of flash / "
           "bytes written; total = their product. Unaligned zones are a quarter of a superblock; those of two hold raw pages up to 85 % full. Crosses: Lee, Ziegler, Leis, "
           "PVLDB 19 (2026), in place, and their best out of place (total 0.60); a real drive, 4 KiB pages.")


def fill(run):
    """Per cent of the device that the same records take in place: records give it, whatever they compress to."""
    return FILL_OF_RECORDS.get(run.spec["records"])


FILL_OF_RECORDS = {}


def fills(groups):
    """{records: per cent} from what the store in place holds."""
    for run in groups["inplace"] + groups.get("inplace-skew", []):
        FILL_OF_RECORDS[run.spec["records"]] = 100 * stores.counter(run, "live_bytes") / run.run["device_bytes"]


def runs_of(groups, group, suffix):
    """A run that both rows need is made once: the lower one takes it from the upper."""
    mine = groups.get(group + suffix, [])
    records = {run.spec["records"] for run in mine}
    return mine + [run for run in groups.get(group, []) if suffix and run.spec["records"] in records]


def theta(run):
    return round(float(run.spec["zipf.theta"]), 2)


def draw(experiment, pyplot):
    groups = stores.in_groups(experiment)
    fills(groups)
    rows = 2 if any(name.endswith("-skew") for name in groups) else 1
    figure, grid = pyplot.subplots(rows, 4, figsize=(against.PAGE, 1.05 + 1.75 * rows), squeeze=False,
                                   sharey="col")
    below = stores.foot(figure, CAPTION)
    height = figure.get_figheight()
    figure.subplots_adjust(left=0.05, right=0.992, top=1 - 0.48 / height, bottom=(below + 0.34) / height, wspace=0.25,
                           hspace=0.62)
    for row, suffix, x, words in zip(grid, ("", "-skew"), (fill, theta), ("fill of the device, %", "Zipf exponent, 75 % full")):
        for axes, (measure, title) in zip(row, MEASURES):
            for group, look in LOOKS.items():
                stores.curve(axes, runs_of(groups, group, suffix), x, measure, look, line=LINES.get(group, "-"))
            stores.dress(axes, title, words)
            if measure is not measures.kops:
                ticks = (1, 1.5, 2, 3) if measure is stores.device_amplification else (0.5, 1, 2, 4, 8, 16)
                axes.set_yscale("log", base=2)
                against.plain_log(axes.yaxis, ticks)
                axes.axhline(1, color=style.BLACK, linewidth=0.6)
            else:
                stores.headroom(axes, 0)
    for axes in grid[:, 1]:
        axes.set_ylim(0.93, 3.6)
    for at, store, device in PUBLISHED:
        for axes, value in zip(grid[0], (store, device, store * device)):
            axes.plot([at], [value], **against.REFERENCE, zorder=4)
    grid[0][2].plot(*([value] for value in PUBLISHED_BEST), **against.REFERENCE, zorder=4)
    for axes in grid[0]:
        axes.set_xlim(10, 98)
        axes.set_xticks((20, 40, 60, 80))
    from matplotlib.lines import Line2D
    handles = [stores.handle(LOOKS[group], WORDS[group], LINES.get(group, "-")) for group in LOOKS]
    stores.legend(figure, handles + [Line2D([], [], **against.REFERENCE, label="measured by Lee et al.")], 4, 0.05)
    return figure


if __name__ == "__main__":
    sys.exit(stores.main(__file__, draw, QUESTION, ("inplace", "plain", "aligned-lz4")))
