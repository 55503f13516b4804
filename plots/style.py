"""style.py - how a choice looks in every figure of the lab.

One table gives each choice of each axis its colour, marker and hatch, so that a reader who has learnt one figure can
read them all. Colours are the Okabe-Ito palette, which stays distinct for colour-blind readers; markers and hatches
repeat what colours say, so that a figure survives a grey printer.

Both matplotlib and gnuplot figures take their looks from here. Nothing here reads results.
"""

import contextlib
import pathlib

# Okabe and Ito, "Color Universal Design" (2008).
BLACK, GREY, LIGHT = "#000000", "#767676", "#AAAAAA"
ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"

#          axis        choice        colour     marker hatch
_TABLE = (
    ("space",      "raw",         BLUE,      "o",  ""),
    ("space",      "lz4",         ORANGE,    "o",  "//"),
    ("space",      "hole",        GREEN,     "o",  ".."),
    ("space",      "hole_lz4",    PURPLE,    "o",  "\\\\"),
    ("space",      "zstd",        BLACK,     "o",  "xx"),
    ("node",       "slotted",     BLUE,      "o",  ""),
    ("node",       "ordinal",     ORANGE,    "D",  "//"),
    ("node",       "b2",          GREEN,     "^",  ".."),
    ("placement",  "inplace",     VERMILION, "s",  ""),
    ("placement",  "shadow",      PURPLE,    "v",  "\\\\"),
    ("placement",  "zone",        SKY,       "o",  "//"),
    ("cleaning",   "greedy",      BLUE,      "o",  ""),
    ("cleaning",   "costbenefit", ORANGE,    "s",  "//"),
    ("cleaning",   "deathtime",   GREEN,     "D",  ".."),
    ("cleaning",   "dchoices",    PURPLE,    "v",  "\\\\"),
    ("structure",  "btree",       BLUE,      "o",  ""),
    ("structure",  "bulk",        ORANGE,    "s",  "//"),
    ("structure",  "lsm",         GREEN,     "^",  ".."),
    ("addressing", "fixed",       BLUE,      "s",  ""),
    ("addressing", "table",       ORANGE,    "o",  "//"),
    ("addressing", "cow",         GREEN,     "^",  ".."),
    # Where written bytes come from, from the cause to the consequence: darker towards the device.
    ("bytes",      "user",        LIGHT,     "o",  ""),
    ("bytes",      "engine",      PURPLE,    "o",  "//"),
    ("bytes",      "device",      BLACK,     "o",  ""),
    ("source",     "leaf",        BLUE,      "o",  ""),
    ("source",     "inner",       SKY,       "o",  "//"),
    ("source",     "overflow",    GREEN,     "o",  ".."),
    ("source",     "map",         YELLOW,    "o",  "xx"),
    ("source",     "log",         ORANGE,    "o",  ""),
    ("source",     "journal",     VERMILION, "o",  "//"),
    ("source",     "meta",        LIGHT,     "o",  ""),
    ("source",     "cleaning",    PURPLE,    "o",  "\\\\"),
    ("source",     "moved",       BLACK,     "o",  ""),
    ("source",     "padding",     GREY,      "o",  "xx"),
)
LOOKS = {(axis, choice): (colour, marker, hatch) for axis, choice, colour, marker, hatch in _TABLE}

# Words for a reader where the registry name alone would not do.
WORDS = {
    "inplace": "in place", "zone": "zones", "shadow": "shadow", "raw": "raw", "lz4": "LZ4", "hole": "holes",
    "hole_lz4": "holes and LZ4",
    "slotted": "slotted", "ordinal": "ordinal", "sim_ssd": "simulated SSD", "sim_zns": "simulated zoned SSD",
    "sim_opfs": "simulated OPFS", "file": "file of this machine", "null": "RAM disk",
    "btree": "B+-tree", "redo": "redo log", "dwb": "double-write journal", "costbenefit": "cost-benefit",
    "deathtime": "death time", "dchoices": "best of d drawn",
    "pingpong": "two slots a page", "b2": "B²-tree page", "cow": "copy on write",
}
# Where the same name means something else on each axis, or nothing without it.
_WORDS_OF = {
    ("guard", "none"): "no guard", ("durability", "none"): "no log", ("durability", "-"): "",
    ("workload", "-"): "",
    ("keys", "fixed8"): "8-byte keys", ("keys", "fixed16"): "16-byte keys", ("keys", "ycsb"): "YCSB keys",
    ("keys", "dense8"): "ordinals", ("keys", "url"): "URL-like keys", ("keys", "mail"): "mail-like keys",
    ("keys", "title"): "title-like keys", ("keys", "uuid"): "UUIDs", ("keys", "file"): "keys of a file",
}
# What a reader is told for an axis or a key of the specification.
_KEYS = {
    "node": "page layout", "space": "space policy", "page_bytes": "page size", "pool_bytes": "pool size",
    "device_bytes": "device size", "log_bytes": "log size", "block_bytes": "block size", "value.bytes": "value size",
    "zone.zone_bytes": "zone size", "sim_zns.zone_bytes": "zone size", "zone.write_bytes": "zone write size",
    "dwb.journal_bytes": "journal size", "fill_permille": "fill of the device",
    "target_ops_per_second": "arrivals a second", "redo.group_count": "commits a group", "zipf.theta": "Zipf exponent",
    "value.compressibility": "compressible share",
}

# Looks of choices that the table does not know yet: they still get one, always the same within a figure.
SPARE_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
SPARE_MARKERS = ("o", "D", "^", "s", "v", "P", "X")
SPARE_HATCHES = ("", "//", "..", "\\\\")


def word(choice):
    """What a reader is told for a registry name."""
    return WORDS.get(choice, choice)


def key_word(key):
    """What a reader is told for the name of an axis or of a key of the specification."""
    if key.startswith(("device.", "sim_")):
        return _KEYS.get(key, key)  # as it is written in the experiment
    return _KEYS.get(key, key.removesuffix("_bytes").removesuffix("_ns").replace("_", " "))


def scaled(value, step, units):
    """A whole number in the largest unit that leaves at least 1 of it."""
    at = 0
    while value >= step and at + 1 < len(units):
        value, at = value / step, at + 1
    return f"{value:.4g} {units[at]}"


def value_word(key, value):
    """What a reader is told for a value on an axis or of a key: "YCSB A", "16 KiB", "in place"."""
    value = "" if value is None else str(value)
    if (key, value) in _WORDS_OF:
        return _WORDS_OF[key, value]
    if key == "workload":
        return f"YCSB {value.upper()}" if len(value) == 1 else value
    if value.isdecimal():
        if key.endswith(("_bytes", ".bytes")) or key == "device.size":
            return scaled(int(value), 1024, ("B", "KiB", "MiB", "GiB", "TiB"))
        if key.endswith("_ns"):
            return scaled(int(value), 1000, ("ns", "µs", "ms", "s"))
        return f"{int(value):,}"
    return "" if value == "-" else word(value)


def phrase(key, value):
    """The same where the key has not been named before: the choice on an axis says enough, a value does not."""
    words = value_word(key, value)
    if not words or not words[0].isdigit() or (key, str(value)) in _WORDS_OF:
        return words
    return f"{words} {key_word(key)}" if key == "target_ops_per_second" else f"{key_word(key)} {words}"


def number(value):
    """Three digits, and never an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def look(axis, choice, index=0):
    """(colour, marker, hatch) of a choice; index chooses among the spare ones if the table has no row for it."""
    spare = tuple(looks[index % len(looks)] for looks in (SPARE_COLOURS, SPARE_MARKERS, SPARE_HATCHES))
    return LOOKS.get((axis, choice), spare)


def matplotlib_defaults():
    """Set the fonts, lines and metadata of paper figures; returns pyplot."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    matplotlib.rcParams.update({
        "font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8.5, "axes.labelsize": 8,
        "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "legend.fontsize": 8,
        "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "lines.linewidth": 1.0,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#DDDDDD", "grid.linewidth": 0.6,
        "hatch.linewidth": 0.6, "figure.facecolor": "white", "savefig.facecolor": "white",
        # Outlines, so that no reader needs our font; a fixed salt, so that the same data give the same bytes.
        "svg.fonttype": "path", "svg.hashsalt": "pagelab", "pdf.fonttype": 42,
    })
    return pyplot


class WriteError(Exception):
    """A picture or page could not be written; the text says which and why."""


@contextlib.contextmanager
def written(*paths):
    """Files that appear whole or not at all: yields the names to write to, which become paths when the body has ended."""
    parts = [path.with_name(path.name + ".part") for path in paths]
    try:
        yield parts
        for part, path in zip(parts, paths):
            part.replace(path)
    except OSError as error:
        raise WriteError(f"cannot write {paths[0]}: {error.strerror or error}") from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()


FOOTER = 0.125  # inches that the footer takes
_PROVENANCE = "provenance"


def footer(figure, provenance):
    """One line at the foot of every figure: how many runs, which seeds, which revision."""
    width, height = figure.get_size_inches()
    figure.text(0.06 / width, 0.05 / height, provenance, fontsize=6.5, color=GREY, va="bottom", gid=_PROVENANCE)


def provenance(figure):
    """What the footer says, None without one."""
    return next((text.get_text() for text in figure.texts if text.get_gid() == _PROVENANCE), None)


def save(figure, stem, title, description):
    """Write stem.svg, .pdf and .png; the SVG carries title and description for readers who hear it. A figure without a
    footer is a mistake of the program: nobody could tell later what it shows."""
    if not provenance(figure):
        raise ValueError(f"{stem}: the figure does not say which runs it shows")
    metadata = {"svg": {"Date": None, "Title": title, "Description": description},
                "pdf": {"CreationDate": None, "Title": title, "Subject": description},
                "png": {"Title": title, "Description": description, "Software": None}}
    with written(*(pathlib.Path(f"{stem}.{ending}") for ending in metadata)) as parts:
        for part, (ending, about) in zip(parts, metadata.items()):
            figure.savefig(part, format=ending, metadata=about, dpi=160 if ending == "png" else "figure")
