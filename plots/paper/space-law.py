#!/usr/bin/python3
"""space-law.py - the size of page images: what rounding up to blocks costs, what free space, compression and packing save.

A panel for each compressible share of the values; above the allocated share of a page over its size, below how far the
rounding is from the law.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import load     # noqa: E402
import style    # noqa: E402

QUESTION = "The size of page images: the law of half a block"
BLOCK, GRANULE = 4096, 64
# (space, classes, packed): name in the legend, colour, marker, bytes that are half left over (a block an edge), None: no law
SERIES = {
    ("raw", "-", False): ("raw", style.BLUE, "o", None),
    ("hole", "-", False): ("holes", style.GREEN, "v", 2 * BLOCK),
    ("lz4", "2", False): ("LZ4, half a page or raw", style.ORANGE, "s", None),
    ("hole_lz4", "-", False): ("holes and LZ4", style.PURPLE, "D", BLOCK),
    ("zstd", "finest", False): ("zstd, to the block", style.BLACK, "P", BLOCK),
    ("lz4", "-", True): ("LZ4, packed", style.SKY, "X", GRANULE),
}
TOLERANCE = 3  # per cent of a page, as the experiment claims
CAPTION = ("Marks: blocks of 4 KiB written for a page image, as a share of the page; mean over the images of leaves that checkpoints wrote to zones. "
           "Dotted: what packed images take of their blocks, in units of 64 bytes, and so what LZ4 needs; what lies between it and "
           "the mark is left empty, for no other image fitted before the block was written. Below: mean rounding less what the law says "
           "(half a block for a tail, a whole one for a hole in the middle, half a unit if packed) in per cent of a page; shaded: "
           "3 %, claimed from 16 KiB on for LZ4, from 32 KiB on for holes and zstd. Images of 8 KiB pages lock to a step, one or two "
           "blocks. Holes and LZ4: as InnoDB's transparent page compression; LZ4 to the block gives the same within 1 %. "
           "Pages of 4 KiB are one block, which only packed images share. YCSB records of 100 "
           "bytes under hashed keys, loaded and then updated uniformly; as printable characters they compress to 0.7 with zstd even "
           "where nothing repeats.")


def series(run):
    """(space, classes, packed) of a run; packed images know no classes."""
    space, packed = run.choice("space"), run.spec.get(f"{run.choice('placement')}.pack", "0") not in ("0", "none")
    has_classes = space in ("lz4", "zstd") and not packed
    return space, run.spec.get(f"{space}.classes", "2") if has_classes else "-", packed


def sizes(run):
    """(page bytes, mean bytes needed, of its own, in blocks) of the images of the run phase, or None."""
    writes = run.metric("run", "page_writes")
    if not writes or run.metric("run", "page_exact_bytes") is None:
        return None
    own = run.metric("run", "page_write_bytes") / writes
    blocks = run.metric("run", "host_write_bytes_leaf") / writes if series(run)[2] else own
    return float(run.spec["page_bytes"]), run.metric("run", "page_exact_bytes") / writes, own, blocks


def law_deviation(size, spread):
    """Rounding beyond the law, in per cent of a page."""
    page, needed, own, _ = size
    return (own - needed - spread / 2) / page * 100


def shown(run):
    return run.choice("placement") == "zone" and series(run) in SERIES and sizes(run)


def draw_share(top, below, found, pages):
    """found: {series: [sizes]} of one compressible share."""
    for key, (name, colour, marker, spread) in SERIES.items():
        here = sorted(found.get(key, []))
        at = [pages.index(size[0]) for size in here]
        look = {"color": colour, "marker": marker, "markersize": 3.4, "markeredgewidth": 0}
        top.plot(at, [size[3] / size[0] for size in here], linewidth=0.9, zorder=4, label=name, **look)
        if key[2]:
            top.plot(at, [size[2] / size[0] for size in here], linewidth=1.0, linestyle=":", color=colour, zorder=3,
                     label="of it, taken by images")
        if spread:
            off = [law_deviation(size, spread) for size in here]
            below.plot(at, off, linestyle="none", zorder=4, **look)
            below.plot(at, off, linewidth=0.7, color=colour, zorder=3)


def draw(experiment, pyplot):
    shares = {}
    for run in filter(shown, experiment.runs):
        share = shares.setdefault(float(run.spec.get("value.compressibility", 0)), {})
        share.setdefault(series(run), []).append(sizes(run))
    if not shares:
        raise load.LoadError("there is no run that this figure shows")
    pages = sorted({size[0] for found in shares.values() for of_series in found.values() for size in of_series})
    lines = against.caption_lines(CAPTION, against.PAGE)
    figure, upper, lower = against.panels(pyplot, len(shares), against.PAGE, 3.7 + 0.125 * lines, lines,
                                          title_height=0.62, wspace=0.1)
    for column, (top, below, share) in enumerate(zip(upper, lower, sorted(shares))):
        draw_share(top, below, shares[share], pages)
        against.title(top, f"{share * 100:g} % of a value repeats")
        top.set_ylim(0, 1.07)
        top.set_yticks((0, 0.25, 0.5, 0.75, 1), labels=[""] * 5 if column else None)
        against.band(below, TOLERANCE, 27)
        below.set_ylim(-27, 8)
        below.set_yticks((-25, -15, -3, 3), labels=[""] * 4 if column else None)
        below.set_xlim(-0.3, len(pages) - 0.7)
        below.set_xticks(range(len(pages)), labels=[f"{page / 1024:g}" for page in pages])
        below.set_xlabel("page, KiB", labelpad=2)
    upper[0].set_ylabel("written / page", labelpad=2)
    against.deviation_label(lower[0], "off the law,\n% of page")
    lower[0].yaxis.label.set_size(against.SMALL)
    handles, labels = upper[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=4, frameon=False,
                  fontsize=against.SMALL + 0.3, handletextpad=0.4, columnspacing=1.6, labelspacing=0.3)
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION, shows=lambda run: run.phases))
