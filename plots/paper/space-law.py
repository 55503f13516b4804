#!/usr/bin/python3
"""space-law.py - the size of page images: what rounding up to blocks costs, what free space and compression save.

A panel for each compressible share of the values; above the allocated share of a page, below how far the rounding is
from the law. Full marks are in zones, hollow ones in place. A stroke under a mark is what its images need before they are
rounded up.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import load     # noqa: E402
import style    # noqa: E402

QUESTION = "The size of page images: the law of half a block"
BLOCK = 4096
# (space, classes, packed): name in the legend, colour, marker, edges of a hole or tail that are rounded up; None: no law
SERIES = {
    ("raw", "-", False): ("raw", style.BLUE, "o", None),
    ("lz4", "2", False): ("LZ4, two classes", style.ORANGE, "s", None),
    ("hole", "-", False): ("holes", style.GREEN, "v", 2),
    ("hole_lz4", "-", False): ("holes and LZ4", style.PURPLE, "D", 1),
    ("lz4", "finest", False): ("LZ4, a class a block", style.VERMILION, "^", 1),
    ("zstd", "finest", False): ("zstd, a class a block", style.BLACK, "P", 1),
    ("lz4", "-", True): ("LZ4, packed", style.SKY, "X", None),
}
TOLERANCE = 3  # per cent of a page, as the experiment claims
CAPTION = ("Marks: allocated bytes of a page image over the page's size, mean over the images that checkpoints wrote; full in "
           "zones, hollow in place. Strokes: what the same images need before they are rounded up to blocks of 4 KiB. "
           "Below: the mean rounding less what the law says, half a block for a tail and a whole one for a hole in the "
           "middle, in per cent of a page; shaded: 3 %, claimed from 16 KiB on for LZ4, from 32 KiB on for holes and zstd. "
           "Smaller pages lock to a step and have no such law. Holes and LZ4: the shape of InnoDB's transparent page "
           "compression; two classes: of block pointers that are either compressed or not. YCSB records of 100 bytes under "
           "hashed keys, loaded and then updated uniformly; as printable characters they compress to 0.7 with zstd even "
           "where nothing repeats.")


def series(run):
    """(space, classes, packed) of a run; packed images know no classes."""
    space, packed = run.choice("space"), run.spec.get(f"{run.choice('placement')}.pack", "0") not in ("0", "none")
    has_classes = space in ("lz4", "zstd") and not packed
    return space, run.spec.get(f"{space}.classes", "2") if has_classes else "-", packed


def sizes(run):
    """(page bytes, mean bytes needed, mean bytes allocated) of the images of the run phase, or None."""
    writes = run.metric("run", "page_writes")
    if not writes or run.metric("run", "page_exact_bytes") is None:
        return None
    return (float(run.spec["page_bytes"]), run.metric("run", "page_exact_bytes") / writes,
            run.metric("run", "page_write_bytes") / writes)


def law_deviation(size, edges):
    """Rounding beyond the law, in per cent of a page."""
    page, needed, allocated = size
    return (allocated - needed - edges * BLOCK / 2) / page * 100


def mark(axes, x, y, run, colour, marker, label):
    hollow = run.choice("placement") == "inplace"
    axes.plot(x, y, linestyle="none", marker=marker, markersize=5.4 if hollow else 3.2, color=colour, zorder=4,
              markeredgewidth=0.6, markerfacecolor="none" if hollow else colour, label=None if hollow else label)


def draw(experiment, pyplot):
    runs = [(run, sizes(run)) for run in experiment.runs if series(run) in SERIES and sizes(run)]
    shares = sorted({float(run.spec.get("value.compressibility", 0)) for run, _ in runs})
    pages = sorted({size[0] for _, size in runs})
    if not runs:
        raise load.LoadError("there is no run that this figure shows")
    lines = against.caption_lines(CAPTION, against.PAGE)
    figure, upper, lower = against.panels(pyplot, len(shares), against.PAGE, 3.6 + 0.125 * lines, lines,
                                          title_height=0.62, wspace=0.1)
    known = [key for key in SERIES if any(series(run) == key for run, _ in runs)]
    for top, below, share in zip(upper, lower, shares):
        labelled = set()
        for run, size in runs:
            if float(run.spec.get("value.compressibility", 0)) != share:
                continue
            key = series(run)
            name, colour, marker, edges = SERIES[key]
            x = pages.index(size[0]) + 0.13 * (known.index(key) - (len(known) - 1) / 2)
            fresh = run.choice("placement") != "inplace" and key not in labelled and top is upper[0]
            mark(top, x, size[2] / size[0], run, colour, marker, name if fresh else None)
            if fresh:
                labelled.add(key)
            if size[1] < size[2]:
                top.plot([x, x], [size[1] / size[0], size[2] / size[0]], color=colour, linewidth=0.5, zorder=2)
                top.plot(x, size[1] / size[0], linestyle="none", marker="_", markersize=5, color=colour, zorder=3)
            if edges:
                mark(below, x, law_deviation(size, edges), run, colour, marker, None)
        against.title(top, f"{share * 100:g} % of a value repeats")
        top.set_ylim(0, 1.05)
        top.set_yticks((0, 0.25, 0.5, 0.75, 1), labels=None if top is upper[0] else [""] * 5)
        against.band(below, TOLERANCE, 27)
        below.set_ylim(-27, 8)
        below.set_yticks((-25, -15, -3, 3), labels=None if below is lower[0] else [""] * 4)
        below.set_xlim(-0.5, len(pages) - 0.5)
        below.set_xticks(range(len(pages)), labels=[f"{page / 1024:g}" for page in pages])
        for axes in (top, below):
            axes.grid(False, axis="x")
            for edge in range(1, len(pages)):
                axes.axvline(edge - 0.5, color="#DDDDDD", linewidth=0.5, zorder=0)
    for axes in lower:
        axes.set_xlabel("page, KiB", labelpad=2)
    upper[0].set_ylabel("allocated, of a page", labelpad=2)
    against.deviation_label(lower[0], "off the law,\n% of page")
    lower[0].yaxis.label.set_size(against.SMALL)
    order = {SERIES[key][0]: at for at, key in enumerate(SERIES)}
    entries = sorted(zip(*upper[0].get_legend_handles_labels()), key=lambda entry: order[entry[1]])
    figure.legend(*zip(*entries), loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=4, frameon=False,
                  fontsize=against.SMALL + 0.3, handletextpad=0.3, columnspacing=1.4, labelspacing=0.3)
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION, shows=lambda run: run.phases))
