"""canvas.py - a gnuplot script, written in pixels.

gnuplot lays out the panels of a multiplot by the width of their tick labels, so that equal bars come out unequal and
long labels are cut off at the edge. Here every panel, label and swatch is placed by the caller:

    y = 0   heading                         what is drawn, in bold
            legend                          one line for each thing that a look stands for
            panels                          each with its title above and its labels below
    y = H   caption                         runs, seeds, revision

1. All positions are pixels from the top left corner. The script holds them as shares of the screen.
2. The script is complete: `gnuplot name.gp` in its directory draws name.svg and name.png from name.dat.
3. Text is estimated at LETTER pixels a letter, a little more than DejaVu Sans needs on average.
"""

import textwrap

LETTER, LINE = 6.7, 16
SWATCH, STROKE = 20, 52  # widths in the legend: of a bar's look, and of a line's, in which three dashes are seen
# gnuplot's numbers for what style.py says of markers, hatches and (by order) dashes.
POINTS = {"o": 7, "D": 13, "^": 9, "s": 5, "v": 11, "P": 1, "X": 2}
PATTERNS = {"": 3, "//": 5, "..": 2, "\\\\": 4, "xx": 1}
# Dash and gap, in turn, by order; drawn dash by dash in the legend, because the SVG terminal draws any arrow solid.
DASHES = ((), (8, 6), (2, 5), (12, 5, 2, 5))
INK, FAINT = "#222222", "#DDDDDD"


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def bold(text, scale=1.0):
    """Enhanced text; what it would take for markup is escaped."""
    plain = "".join("\\" + letter if letter in "\\{}_^@&~" else letter for letter in str(text))
    return f"{{/*{scale:g} {{/:Bold {plain}}}}}"


def width_of(text, scale=1.0):
    return len(str(text)) * LETTER * scale


def tics(axis, ticks):
    """ticks: [(label, value)]"""
    shown = ", ".join(f"{quoted(label)} {value:.9g}" for label, value in ticks)
    return f"set {axis} ({shown}) nomirror out scale 0.5" if ticks else f"unset {axis}"


def fill(hatch):
    """A fill style: solid, or hatched on white, with an outline in its colour."""
    return f"fs pattern {PATTERNS.get(hatch, 3)}"


def dash_type(dash):
    """What a plot is told for the dash of this order."""
    lengths = DASHES[dash % len(DASHES)]
    return f"dt ({','.join(map(str, lengths))})" if lengths else "dt 1"


def strokes(dash):
    """[(begin, end)] of a line of STROKE pixels with the dash of this order."""
    lengths, at, found = DASHES[dash % len(DASHES)] or (STROKE, 0), 0, []
    while at < STROKE:
        for number, length in enumerate(lengths):
            if number % 2 == 0 and at < STROKE:
                found.append((at, min(at + length, STROKE)))
            at += length
    return found


class Canvas:
    """Collects the lines of a script; `text` gives the whole."""

    def __init__(self, width, height, about):
        self.width, self.height, self.about = round(width), round(height), about
        self.outside, self.panels = [], []

    def at(self, x, y):
        return f"screen {x / self.width:.5f}, screen {1 - y / self.height:.5f}"

    def label(self, text, x, y, align="left", markup=False, colour=INK):
        """Text whose middle line is at y."""
        self.outside.append(f"set label {quoted(text)} at {self.at(x, y)} {align} front "
                            f"{'enhanced' if markup else 'noenhanced'} tc rgb '{colour}'")

    def caption(self, text, x, y):
        """Text in as many lines as the width asks for; returns the y below it."""
        for line in wrapped(text, self.width - 2 * x):
            self.label(line, x, y, colour="#444444")
            y += LINE
        return y

    def swatch(self, x, y, colour, hatch):
        # Objects count from 1; without a number of its own each would replace the one before.
        number = 1 + sum(line.startswith("set object") for line in self.outside)
        self.outside.append(f"set object {number} rectangle from {self.at(x, y + 5)} to {self.at(x + SWATCH, y - 5)} "
                            f"fillcolor rgb '{colour}' {fill(hatch)} border lc rgb '{colour}'")

    def stroke(self, x, y, colour, marker, dash):
        for begin, end in strokes(dash):
            self.outside.append(f"set arrow from {self.at(x + begin, y)} to {self.at(x + end, y)} nohead lw 1.6 "
                                f"lc rgb '{colour}'")
        if marker:
            self.outside.append(f"set label '' at {self.at(x + STROKE / 2, y)} point pt {POINTS.get(marker, 7)} ps 0.9 "
                                f"lc rgb '{colour}'")

    def panel(self, box, title, xrange, yticks, xticks, plots, below):
        """One panel. box: (left, top, width, height). yticks, xticks: [(label, value)]. plots: what to plot, as text.
        below: [(text, x in the panel's own units, y in pixels, bold)]."""
        left, top, width, height = box
        lines = [
            f"set lmargin at screen {left / self.width:.5f}",
            f"set rmargin at screen {(left + width) / self.width:.5f}",
            f"set tmargin at screen {1 - top / self.height:.5f}",
            f"set bmargin at screen {1 - (top + height) / self.height:.5f}",
            f"set xrange [{xrange[0]:g}:{xrange[1]:g}]", f"set yrange [0:{yticks[-1][1] if yticks else 1:.9g}]",
            tics("ytics", yticks), tics("xtics", xticks),
            f"set label {quoted(bold(title))} at {self.at(left, top - 14)} left enhanced tc rgb '{INK}'",
        ]
        for text, x, y, heavy in below:
            lines.append(f"set label {quoted(bold(text) if heavy else text)} at first {x:g}, screen "
                         f"{1 - y / self.height:.5f} center {'enhanced' if heavy else 'noenhanced'} tc rgb '{INK}'")
        lines += ["plot " + ", \\\n    ".join(plots), "unset label"]
        self.panels.append(lines)

    def text(self, stem):
        lines = [
            f"# {self.about} Drawn from {stem}.dat.",
            "set encoding utf8", "set border 3 lw 0.8", "unset key", "set boxwidth 0.9",
            f"set grid ytics lt 1 lc rgb '{FAINT}' lw 0.8", "unset xtics",
            "do for [ending in 'svg png'] {",
            f"  if (ending eq 'svg') {{ set terminal svg size {self.width},{self.height} font 'DejaVu Sans,11' "
            "background '#ffffff' }",
            f"  else {{ set terminal pngcairo size {self.width},{self.height} font 'DejaVu Sans,9' }}",
            f"  set output {quoted(stem + '.')} . ending",
            "  set multiplot",
            "  # What stands outside the panels hangs on the first of them.",
        ]
        lines += ["  " + line for line in self.outside]
        for panel in self.panels:
            lines += ["  " + line for line in panel] + ["  unset object", "  unset arrow"]
        return "\n".join(lines + ["  unset multiplot", "  unset output", "}"]) + "\n"


def wrapped(text, width):
    return textwrap.wrap(text, max(20, int(width / LETTER)))


def legend_width(entries):
    """Width of one line of the legend. entries: (title, [words])"""
    title, words = entries
    return width_of(title) + 20 + sum(STROKE + 32 + width_of(word) for word in words)
