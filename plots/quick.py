#!/usr/bin/python3
"""quick.py - gnuplot figures of any experiment: data tables, a script beside them, PNG and SVG.

One figure per measure, one panel per device and workload. What else the runs differ in becomes:

    bars                                              lines, if a number varies over three values or more
    group, named below   placement and what is left   x        that number (the experiment's own `x`, if it is one)
    colour               space policy, or the first    colour   as on the left
    pattern              page layout                   marker and dash: the next; what is left: more panels

Written bytes are stacked (user, engine, device), so their colour is the part, and the space policy is named below.
A bar or line is the median over seeds. The tables (.dat) and the script (.gp) stay beside the pictures, so that a
figure can be changed by hand and drawn again with `gnuplot name.gp`. If plots/quick/<experiment>.gp exists, it is run
too, in the same directory.
"""

import argparse
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import canvas    # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

#           name            measure                        heading                              better
MEASURES = (
    ("throughput", measures.kops,                "Throughput, thousand operations/s",          "higher"),
    ("writes",     measures.write_amplification, "Write amplification, bytes written / byte of the user", "lower"),
    ("latency",    measures.p99_read_us,         "p99 latency of reads, microseconds",         "lower"),
    ("space",      measures.space_amplification, "Space, device bytes used / byte of the user", "lower"),
)
# Of devices alone. Experiments that have a figure of their own ask one question; these would not add to it.
DEVICE_MEASURES = (
    ("amplification", measures.device_write_amplification, "Write amplification, pages programmed / page of the host",
     "lower"),
    ("mean",          measures.device_latency_us,          "Mean latency of a request, microseconds", "lower"),
)
COLOUR_FIRST = ("space", "structure", "cleaning", "addressing", "node", "placement")
PATTERN_FIRST = ("node", "placement")
MOST_COLOURS, MOST_PATTERNS = len(style.SPARE_COLOURS), len(style.SPARE_HATCHES)
# Pixels.
BAR, SIDE, HEIGHT, ROW_WIDTH = 17, 18, 170, 1330
LINES_WIDTH, LEAST_WIDTH, LINE = 300, 80, canvas.LINE
# In widths of a bar: between bars of two colours, of two groups, and at the ends of a panel.
COLOUR_GAP, GROUP_GAP, END_GAP = 0.35, 1.3, 0.6


@dataclass
class Roles:
    """Which varying key (its place in a variant) is shown by what; None if nothing is."""
    within: tuple
    others: list
    fixed: str = ""         # the device or workload of all runs, where it is no part of `within`
    x: int = None
    colour: int = None
    pattern: int = None
    group: list = field(default_factory=list)
    values: dict = field(default_factory=dict)  # place -> all values in order, so that looks are the same everywhere

    def key(self, at):
        return self.others[at]

    def look(self, at, variant):
        """(colour, marker, hatch) of the choice that a variant has at a place."""
        if at is None:
            return style.BLUE, "o", ""
        return style.look(self.key(at), variant[at], self.values[at].index(variant[at]))


@dataclass
class Mark:
    """A bar, or a point of a line."""
    variant: tuple
    values: list            # of each seed
    middle: float
    parts: tuple = ()       # user, engine, device
    x: float = 0.0


@dataclass
class Panel:
    title: str
    outer: tuple
    marks: list
    top: float = 0.0
    units: float = 0.0      # how far the x axis goes, in widths of a bar
    below: list = field(default_factory=list)  # (text, x, line, bold)


# --- who plays which part ---------------------------------------------------------------------------------------------

def numeric_key(experiment, others, table):
    """The place of the key that makes an x axis, or None."""
    counts = {}
    for at in range(len(others)):
        values = {variant[at] for group in table.values() for variant in group}
        if all(measures.numeric(value) is not None for value in values):
            counts[at] = len(values)
    hinted = (experiment.runs[0].run.get("hints") or {}).get("x")
    if hinted in others and counts.get(others.index(hinted), 0) >= 2:
        return others.index(hinted)
    best = max(counts, key=counts.get, default=None)
    return best if best is not None and counts[best] >= 3 else None


def assign(experiment):
    """(table of variants, Roles)"""
    within = ("device", "workload")
    table, others = measures.variants(experiment, within)
    # With one variant a panel, devices or workloads are what is compared: they move into the panels.
    while within and not others:
        within = within[:-1]
        table, others = measures.variants(experiment, within)
    one = experiment.runs[0]
    roles = Roles(within, others, ", ".join(style.value_word(key, measures.dimension(one, key))
                                            for key in ("device", "workload") if key not in (*within, *others)))
    roles.values = {at: measures.order(key, {variant[at] for group in table.values() for variant in group})
                    for at, key in enumerate(others)}
    roles.x = numeric_key(experiment, others, table)
    free = [at for at in range(len(others)) if at != roles.x]

    def take(first, most):
        fitting = [at for at in free if len(roles.values[at]) <= most]
        named = [at for name in first for at in fitting if others[at] == name]
        found = (named or fitting or [None])[0]
        if found is not None:
            free.remove(found)
        return found

    roles.colour = take(COLOUR_FIRST, MOST_COLOURS)
    if roles.x is not None or len(free) > 1 or (free and others[free[0]] == "node"):
        roles.pattern = take(PATTERN_FIRST, MOST_PATTERNS)
    roles.group = free
    return table, roles


def group_words(roles, variants):
    """{variant: words of its group}, naming only what differs between these variants."""
    named = []
    for at in roles.group:
        if len({variant[at] for variant in variants}) < 2:
            continue
        if not any(len({(variant[other], variant[at]) for variant in variants}) ==
                   len({variant[other] for variant in variants}) for other in named):
            named.append(at)
    named = named or roles.group[:1]
    return {variant: tuple(words for words in (style.phrase(roles.key(at), variant[at]) for at in named) if words)
            for variant in variants}


def panel_title(roles, outer):
    words = [style.value_word(key, value) for key, value in zip(roles.within, outer)] + [roles.fixed]
    return ", ".join(word for word in words if word)


def collect(table, roles, measure, stacked):
    """Panels that have any value, in order."""
    panels = []
    for outer in measures.order_variants(roles.within, table):
        marks = []
        for variant in measures.order_variants(roles.others, table[outer]):
            runs = table[outer][variant]
            values = [value for value in map(measure, runs) if value is not None]
            if values:
                parts = [part for part in map(measures.amplification, runs) if part] if stacked else []
                marks.append(Mark(variant, values, measures.median(runs, measure),
                                  tuple(measures.statistics.median(part) for part in zip(*parts))))
        if marks:
            panels.append(Panel(panel_title(roles, outer), outer, marks, max(max(mark.values) for mark in marks)))
    return panels


# --- where things stand -----------------------------------------------------------------------------------------------

def place_bars(panel, roles, stacked):
    """Give each bar its x, in widths of a bar; and the panel its labels."""
    words = group_words(roles, [mark.variant for mark in panel.marks])
    groups = {}
    for mark in sorted(panel.marks, key=lambda mark: [measures.rank(roles.key(at), mark.variant[at])
                                                      for at in roles.group]):
        groups.setdefault(tuple(mark.variant[at] for at in roles.group), []).append(mark)
    # Without groups, or where colour says something else, the colours are named below the bars, too.
    named = roles.colour is not None and (stacked or not roles.group)
    x, panel.below = END_GAP, []
    for marks in groups.values():
        begin = x
        colours = {}
        for mark in marks:
            colours.setdefault(None if roles.colour is None else mark.variant[roles.colour], []).append(mark)
        for choice in measures.order("" if roles.colour is None else roles.key(roles.colour), colours):
            name = style.value_word(roles.key(roles.colour), choice) if named else ""
            bars = sorted(colours[choice], key=lambda mark: 0 if roles.pattern is None else
                          roles.values[roles.pattern].index(mark.variant[roles.pattern]))
            room = max(len(bars), canvas.width_of(name) / BAR)
            for number, mark in enumerate(bars):
                mark.x = x + (room - len(bars)) / 2 + number + 0.5
            if name:
                panel.below.append((name, x + room / 2, 0, False))
            x += room + (COLOUR_GAP if roles.pattern is not None or named else 0)
        x -= COLOUR_GAP if roles.pattern is not None or named else 0
        lines = words[marks[0].variant] if roles.group else ()
        lacking = max([canvas.width_of(line, 1.12) / BAR for line in lines], default=0) - (x - begin)
        if lacking > 0:
            move(marks, panel.below, begin, lacking / 2)
            x += lacking
        panel.below += [(line, (begin + x) / 2, number + named, True) for number, line in enumerate(lines)]
        x += GROUP_GAP
    panel.units = x - GROUP_GAP + END_GAP


def move(marks, below, begin, by):
    """Move a group's bars and labels to the right."""
    for mark in marks:
        mark.x += by
    for number, (text, x, line, heavy) in enumerate(below):
        if x >= begin:
            below[number] = (text, x + by, line, heavy)


def nice_ticks(top):
    """[(label, value)] from zero to the first tick not below top, at most six."""
    if top <= 0:
        return [("0", 0), ("1", 1)]
    power = 10.0 ** (len(f"{top:.0f}") - 1) if top >= 1 else 10.0 ** -len(f"{1 / top:.0f}")
    step = next(digit * power * scale for scale in (0.1, 1, 10) for digit in (1, 2, 2.5, 5)
                if top / (digit * power * scale) <= 5)
    count = next(count for count in range(1, 7) if count * step >= top * 0.999999)
    return [(f"{number * step:,.10g}", number * step) for number in range(count + 1)]


def arrange(panels, widths, complete):
    """[(left, row)] of each panel: a row of its own for each device if the product is complete, else as they fit.

    In a complete product, panels of one workload stand below each other."""
    placed = []
    if complete:
        columns = sorted({panel.outer[1:] for panel in panels}, key=[panel.outer[1:] for panel in panels].index)
        rows = sorted({panel.outer[:1] for panel in panels}, key=[panel.outer[:1] for panel in panels].index)
        column_width = [max(width for panel, width in zip(panels, widths) if panel.outer[1:] == column)
                        for column in columns]
        for panel in panels:
            at = columns.index(panel.outer[1:])
            placed.append((sum(column_width[:at]), rows.index(panel.outer[:1])))
        return placed
    left, row = 0, 0
    for width in widths:
        if left and left + width > ROW_WIDTH:
            left, row = 0, row + 1
        placed.append((left, row))
        left += width
    return placed


def is_grid(panels, widths):
    """True if every device has every workload, and the rows fit."""
    columns = {panel.outer[1:] for panel in panels}
    rows = {panel.outer[:1] for panel in panels}
    widest = sum(max(width for panel, width in zip(panels, widths) if panel.outer[1:] == column) for column in columns)
    return len(columns) * len(rows) == len(panels) and (widest <= ROW_WIDTH or len(rows) == 1 and len(columns) == 1)


# --- the legend -------------------------------------------------------------------------------------------------------

def legend_lines(roles, panels, stacked):
    """[(title, [(words, colour, marker, hatch, dash)])]"""
    lines = []
    if stacked:
        thin = measures.thin_parts([(mark.parts, panel.top) for panel in panels for mark in panel.marks])
        lines.append(("bytes", [(measures.BYTES_WORDS[name], style.look("bytes", name)[0], "o", "", 0)
                                for name in measures.BYTES if name not in thin]))
    shown = {}
    for panel in panels:
        for mark in panel.marks:
            for at in (roles.colour, roles.pattern):
                if at is not None:
                    shown.setdefault(at, {})[mark.variant[at]] = mark.variant
    for at in (roles.colour, roles.pattern):
        if at is None or (at == roles.colour and stacked):
            continue
        entries = []
        for choice in measures.order(roles.key(at), shown.get(at, {})):
            colour, marker, hatch = roles.look(at, shown[at][choice])
            patterned = at == roles.pattern
            entries.append((style.value_word(roles.key(at), choice) or "default", style.GREY if patterned else colour,
                            marker if patterned or roles.pattern is None else "", hatch if patterned else "",
                            roles.values[at].index(choice) if patterned else 0))
        lines.append((style.key_word(roles.key(at)), entries))
    return lines


def draw_legend(picture, roles, lines, y):
    indent = SIDE + max(canvas.width_of(title) for title, _ in lines) + 14
    for title, entries in lines:
        picture.label(f"{title}:", SIDE, y)
        x = indent
        for words, colour, marker, hatch, dash in entries:
            if roles.x is None:
                picture.swatch(x, y, colour, hatch)
            else:
                picture.stroke(x, y, colour, marker, dash)
            x += (canvas.SWATCH if roles.x is None else canvas.STROKE) + 12
            picture.label(words, x, y)
            x += 20 + canvas.width_of(words)
        y += 20


# --- tables and plots -------------------------------------------------------------------------------------------------

def series(panel, roles):
    """[(variant of its look, marks)]: marks of one colour and pattern, in order of x."""
    found = {}
    for mark in panel.marks:
        found.setdefault(tuple(mark.variant[at] for at in (roles.colour, roles.pattern) if at is not None),
                         []).append(mark)
    return [(marks[0].variant, sorted(marks, key=lambda mark: mark.x)) for marks in found.values()]


def write_table(path, panels, roles, stacked):
    """One gnuplot index (block) for each colour and pattern of each panel; for lines a second one with all seeds."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"# x, median, least, greatest over seeds{', user, engine, device' if stacked else ''}, variant ("
                   f"{', '.join(roles.others) or 'the only one'})\n")
        for panel in panels:
            for variant, marks in series(panel, roles):
                file.write(f"\n\n# {panel.title}\n")
                for mark in marks:
                    numbers = [mark.x, mark.middle, min(mark.values), max(mark.values), *mark.parts]
                    file.write(" ".join(f"{number:.9g}" for number in numbers) + f' "{" ".join(mark.variant)}"\n')
                if roles.x is not None:
                    file.write(f"\n\n# {panel.title}: each seed of the above\n")
                    file.writelines(f"{mark.x:.9g} {value:.9g}\n" for mark in marks for value in mark.values)


def bar_plots(panel, roles, stacked, data, block):
    plots = []
    for variant, marks in series(panel, roles):
        hatch = roles.look(roles.pattern, variant)[2] if roles.pattern is not None else ""
        source, block = f"{data} index {block}", block + 1
        if stacked:
            for at, name in enumerate(measures.BYTES):
                low = "+".join(f"${column}" for column in range(5, 5 + at)) or "0"
                # A part of nothing is not drawn: its outline would look like a little.
                plots.append(f"{source} using (${5 + at} > 0 ? $1 : NaN):2:($1-0.45):($1+0.45):({low}):"
                             f"({low}+${5 + at}) with boxxyerror {canvas.fill(hatch)} "
                             f"lc rgb '{style.look('bytes', name)[0]}'")
        else:
            plots.append(f"{source} using 1:2 with boxes {canvas.fill(hatch)} "
                         f"lc rgb '{roles.look(roles.colour, variant)[0]}'")
        if any(max(mark.values) > min(mark.values) for mark in marks):
            # Light below dark: the range is seen on every colour.
            plots += [f"{source} using 1:3:(0):($4-$3) with vectors nohead lw {lw} lc rgb '{colour}'"
                      for lw, colour in ((3.5, "white"), (1.5, "black"))]
    return plots, block


def line_plots(panel, roles, data, block):
    plots = []
    for variant, marks in series(panel, roles):
        colour = roles.look(roles.colour, variant)[0]
        at = roles.colour if roles.pattern is None else roles.pattern
        point = canvas.POINTS.get(roles.look(at, variant)[1], 7)
        dash = 0 if roles.pattern is None else roles.values[at].index(variant[at])
        if any(len(mark.values) > 1 for mark in marks):
            plots.append(f"{data} index {block + 1} using 1:2 with points pt 6 ps 0.45 lc rgb '{colour}'")
        plots.append(f"{data} index {block} using 1:2 with linespoints lw 1.6 {canvas.dash_type(dash)} pt {point} "
                     f"ps 0.9 lc rgb '{colour}'")
        block += 2
    return plots, block


def suits_log(values):
    """True if each value is at least 1.5 times the one before, so that a linear axis would crowd the small ones."""
    return len(values) > 2 and values[0] > 0 and all(after >= 1.5 * before for before, after in zip(values, values[1:]))


def place_points(panels, roles):
    """Give each mark its x: the value of the key, on a log axis its binary logarithm. ((from, to), ticks)

    Ticks are the values themselves, but those whose label would touch the one before."""
    key = roles.key(roles.x)
    names = roles.values[roles.x]
    numbers = [measures.numeric(name) for name in names]
    log = suits_log(numbers)
    where = dict(zip(names, [math.log2(value) for value in numbers] if log else numbers))
    for panel in panels:
        for mark in panel.marks:
            mark.x = where[mark.variant[roles.x]]
    span = (where[names[-1]] - where[names[0]]) or 1
    ticks, last = [], None
    for name in names:
        label = style.value_word(key, name)
        if last is None or (where[name] - last) / span * (LINES_WIDTH - 40) >= canvas.width_of(label) + 8:
            ticks.append((label, where[name]))
            last = where[name]
    return (where[names[0]] - 0.07 * span, where[names[-1]] + 0.07 * span), ticks


def split_panels(panels, roles):
    """For lines: what has no look of its own makes more panels."""
    if not roles.group:
        return panels
    found = []
    for panel in panels:
        words = group_words(roles, [mark.variant for mark in panel.marks])
        parts = {}
        for mark in panel.marks:
            parts.setdefault(tuple(mark.variant[at] for at in roles.group), []).append(mark)
        for marks in parts.values():
            title = ", ".join(text for text in (panel.title, *words[marks[0].variant]) if text)
            found.append(Panel(title, (*panel.outer, marks[0].variant), marks,
                               max(max(mark.values) for mark in marks)))
    return found


def compose(experiment, roles, panels, heading, better, stacked, stem):
    """The picture of one measure."""
    lines = legend_lines(roles, panels, stacked)
    as_lines = roles.x is not None
    below = 0
    if as_lines:
        xrange, ticks = place_points(panels, roles)
        inner = [LINES_WIDTH] * len(panels)
    else:
        for panel in panels:
            place_bars(panel, roles, stacked)
            panel.units = max(panel.units, LEAST_WIDTH / BAR)
        inner = [panel.units * BAR for panel in panels]
        below = max([line + 1 for panel in panels for _, _, line, _ in panel.below], default=0)
    ticks_of = [nice_ticks(panel.top) for panel in panels]
    room = SIDE + 12 + max(canvas.width_of(label, 1.05) for ticks_y in ticks_of for label, _ in ticks_y)
    widths = [room + max(one, canvas.width_of(panel.title, 1.15)) + 14 for one, panel in zip(inner, panels)]
    placed = arrange(panels, widths, is_grid(panels, widths) and len(roles.within) == 2)
    shown = "bars are medians over seeds, lines their range" if not as_lines else \
        "lines join medians over seeds, small circles are single runs"
    said = [f"{experiment.name}: {measures.caption(experiment, shown)}"]
    if experiment.skipped:
        said.append(f"{measures.counted(len(experiment.skipped), 'combination')} left out (reasons in the report).")
    if stacked:
        said.append(measures.thin_words([(mark.parts, panel.top) for panel in panels for mark in panel.marks]))
    if stem.endswith(".writes"):
        said.append(measures.uncounted_words(experiment))
    said = " ".join(filter(None, said))
    title = f"{heading} ({better} is better)"
    width = max(max(left + width for (left, _), width in zip(placed, widths)) + SIDE,
                2 * SIDE + canvas.width_of(title, 1.45), 480,
                *(canvas.legend_width((max((title for title, _ in lines), key=len), [entry[0] for entry in entries]))
                  + 2 * SIDE + 6 * len(entries) for _, entries in lines))
    first = 48 + 20 * len(lines) + 34
    row_height = HEIGHT + 34 + (LINE * below + 14 if not as_lines else 54)
    rows = max(row for _, row in placed) + 1
    foot = first + rows * row_height - 20
    height = foot + 12 + canvas.LINE * len(canvas.wrapped(said, width - 2 * SIDE))
    picture = canvas.Canvas(width, height, f"{experiment.name}: {heading}.")
    picture.label(canvas.bold(title, 1.25), SIDE, 22, markup=True)
    if lines:
        draw_legend(picture, roles, lines, 50)
    picture.caption(said, SIDE, foot + 4)
    block = 0
    for panel, (left, row), one, ticks_y in zip(panels, placed, inner, ticks_of):
        data = canvas.quoted(stem + ".dat")
        plots, block = line_plots(panel, roles, data, block) if as_lines else \
            bar_plots(panel, roles, stacked, data, block)
        top = first + row * row_height
        names = [(text, x, top + HEIGHT + 12 + LINE * line, heavy) for text, x, line, heavy in panel.below]
        if as_lines:
            names = [(style.key_word(roles.key(roles.x)), sum(xrange) / 2, top + HEIGHT + 38, False)]
        picture.panel((left + room, top, one, HEIGHT), panel.title or experiment.name,
                      xrange if as_lines else (0, panel.units), ticks_y, ticks if as_lines else [],
                      plots, names)
    return picture


def is_whole(path):
    """Whether a picture has its end: on a full disk gnuplot leaves a stump and says nothing."""
    end = {".png": b"IEND", ".svg": b"</svg>"}.get(path.suffix)
    return end is None or end in path.read_bytes()[-16:]


def draw(experiment, out):
    """All figures of an experiment, each file whole or not at all; returns how many."""
    try:
        with tempfile.TemporaryDirectory(prefix=".part.", dir=out) as part:
            part = pathlib.Path(part)
            count = draw_into(experiment, part, out)
            made = sorted(part.iterdir())
            for path in made:
                if not is_whole(path):
                    raise style.WriteError(f"cannot write {out / path.name}: gnuplot left it unfinished; "
                                           "is the disk full?")
            for path in made:
                path.replace(out / path.name)
            return count
    except OSError as error:
        raise style.WriteError(f"cannot write to {out}: {error.strerror or error}") from error


def draw_into(experiment, part, out):
    """The figures, as files in part; those of before that there are no more go from out."""
    table, roles = assign(experiment)
    scripts = []
    own = (pathlib.Path(__file__).resolve().parent / "paper" / f"{experiment.name}.py").exists()
    for name, measure, heading, better in MEASURES + (() if own else DEVICE_MEASURES):
        stem = f"{experiment.name}.{name}"
        stacked = name == "writes" and roles.x is None
        panels = collect(table, roles, measure, stacked)
        if roles.x is not None:
            panels = split_panels(panels, roles)
        if not panels:
            for ending in ("dat", "gp", "svg", "png"):
                (out / f"{stem}.{ending}").unlink(missing_ok=True)
            continue
        picture = compose(experiment, roles, panels, heading, better, stacked, stem)
        write_table(part / f"{stem}.dat", panels, roles, stacked)
        scripts.append(part / f"{stem}.gp")
        scripts[-1].write_text(picture.text(stem), encoding="utf-8")
    by_hand = pathlib.Path(__file__).resolve().parent / "quick" / f"{experiment.name}.gp"
    if by_hand.exists():
        scripts.append(by_hand)
    for script in scripts:
        done = subprocess.run(["gnuplot", str(script)], cwd=part, capture_output=True, text=True, check=False)
        # gnuplot says what went wrong on stderr and may still end with 0.
        if done.returncode != 0 or "error" in done.stderr.lower() or "warning" in done.stderr.lower():
            said = " ".join(done.stderr.split()) or f"it ended with status {done.returncode}"
            raise load.LoadError(f"gnuplot {script.name} failed: {said}")
    return len(scripts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=pathlib.Path, help="directory of the experiment's results")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="directory for tables, scripts and pictures")
    options = parser.parse_args()
    if not shutil.which("gnuplot"):
        print("quick.py: gnuplot is not installed (package gnuplot-nox)", file=sys.stderr)
        return 1
    try:
        experiment = load.load(options.runs)
        if not experiment.runs:
            raise load.LoadError(f"{options.runs} holds no finished run")
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise style.WriteError(f"cannot write to {options.out}: {error.strerror or error}") from error
        draw(experiment, options.out.resolve())  # gnuplot works there
    except (load.LoadError, style.WriteError) as error:
        print(f"quick.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
