"""against.py - what figures of model against reference share.

Such a figure has panels side by side, each with a panel of deviations below: points are the model, lines a closed form,
crosses a measurement or simulation of somebody else. The band in the lower panel is the tolerance that the experiment
claims. Widths are those of a paper: one column or two.
"""

import argparse
import pathlib
import re
import sys
import textwrap

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

COLUMN, PAGE = 3.45, 7.1  # inches: widths of a column and of a page with two
SMALL = 6.5               # points: the smallest letters
LETTERS = 20.3            # of a caption to an inch
REFERENCE = {"linestyle": "none", "marker": "x", "color": style.BLACK, "markersize": 4.2, "markeredgewidth": 0.9}

# `metric within 5 % of 11.4`: a claim against a number.
_CLAIM = re.compile(r"(\w+) within ([\d.]+) % of ([\d.]+)(?: where (.*))?$")


def claims(run):
    """[(metric, per cent, number)] of a run's claims that compare a metric with one number and have no filter."""
    found = (_CLAIM.match(text) for text in run.run.get("expect", {}).values())
    return [(match[1], float(match[2]), float(match[3])) for match in found if match and not match[4]]


def panels(pyplot, columns, width, height, caption_lines, title_height=0.24, wspace=0.28, sharey=False):
    """(figure, upper panels, lower panels): columns side by side, deviations below with the same x axis."""
    below = 0.42 + 0.125 * caption_lines  # inches: label of the x axis and caption
    figure, grid = pyplot.subplots(2, columns, figsize=(width, height), sharex="col", squeeze=False,
                                   gridspec_kw={"height_ratios": [2.1, 1], "hspace": 0.08, "wspace": wspace})
    figure.subplots_adjust(left=0.52 / width, right=1 - 0.08 / width, top=1 - title_height / height,
                           bottom=below / height)
    for axes in grid.flat:
        axes.tick_params(labelsize=SMALL + 0.5, pad=2)
        axes.grid(True, axis="both")
    for axes in grid[1]:
        axes.axhline(0, color=style.BLACK, linewidth=0.7)
    return figure, grid[0], grid[1]


def band(axes, percent, limit):
    """The tolerance claimed, and the limits of the panel, in per cent."""
    axes.axhspan(-percent, percent, color="#E3EBF3", zorder=0, linewidth=0)
    axes.set_ylim(-limit, limit)
    axes.set_yticks([-percent, 0, percent])


def deviation(model, reference):
    return (model / reference - 1) * 100


def deviation_label(axes, words="deviation, %"):
    axes.set_ylabel(words, labelpad=2)


def plain_log(axis, ticks, words=None):
    """A log axis with these numbers on it, in plain digits."""
    axis.set_ticks(ticks, labels=words or [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def title(axes, text):
    axes.set_title(text, loc="left", fontsize=8, fontweight="bold", pad=4)


def caption(figure, text):
    """Above the footer, in small letters, wrapped to the width."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, int(width * LETTERS))
    figure.text(0.06 / width, (0.05 + style.FOOTER) / height, "\n".join(lines), fontsize=SMALL, color="#444444",
                va="bottom", linespacing=1.25)


def caption_lines(text, width):
    """Lines that caption and footer take."""
    return len(textwrap.wrap(text, int(width * LETTERS))) + 1


def finish(figure, experiment, **words):
    """The footer: where the numbers come from; words are those of measures.caption. Returns the figure."""
    style.footer(figure, measures.caption(experiment, **words))
    return figure


def program(path, draw, question, about):
    """The program of a figure: arguments, results, drawing, files. draw(experiment, pyplot) returns the figure or raises
    LoadError; about: a text, or of an experiment one."""
    name = pathlib.Path(path).stem
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("runs", type=pathlib.Path, help="directory of the experiment's results")
    parser.add_argument("--out", type=pathlib.Path, required=True, help=f"directory for {name}.svg, .pdf and .png")
    options = parser.parse_args()
    try:
        experiment = load.load(options.runs)
        figure = draw(experiment, style.matplotlib_defaults())
        style.save(figure, options.out / name, question, about(experiment) if callable(about) else about)
    except (load.LoadError, style.WriteError) as error:
        print(f"{name}.py: {error}", file=sys.stderr)
        return 1
    return 0


def main(path, draw, question, about, shows=lambda run: run.derived, **words):
    """The program of a figure with this module's footer. shows(run): whether the figure can show a run, by default those of
    devices alone; words: of the footer."""
    def checked(experiment, pyplot):
        if not any(shows(run) for run in experiment.runs):
            raise load.LoadError(f"{experiment.directory} has no run that this figure shows")
        return finish(draw(experiment, pyplot), experiment, **words)
    return program(path, checked, question, about)
