"""stores.py - what figures of whole stores share: numbers of the phase `run`, points over seeds, a legend for all panels.

A point is the median over seeds, its line their range. Widths and letters are those of against.py.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import against   # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

PAGES = ("leaf", "inner", "overflow", "map", "clean")  # tags of page images that are no second copy


def counter(run, name):
    return run.metric("run", name) or 0


def written(run, *tags):
    """Bytes to the device with these tags."""
    return sum(counter(run, f"host_write_bytes_{tag}") for tag in tags)


def page_bytes(run):
    """What the store meant to write: whole pages evicted or checkpointed, whatever they became."""
    return counter(run, "page_writes") * int(run.spec["page_bytes"])


def store_amplification(run):
    """Bytes to the device for a byte of pages that it meant to write; the log not counted."""
    return (counter(run, "host_write_bytes") - written(run, "log")) / page_bytes(run)


def device_amplification(run):
    return counter(run, "media_write_bytes") / counter(run, "host_write_bytes")


def total_amplification(run):
    return store_amplification(run) * device_amplification(run)


def read_p999_ms(run):
    value = run.quantile_ns("run", "read", 9990, "response")
    return None if value is None else value / 1e6


def in_groups(experiment):
    """{group: [run]}"""
    groups = {}
    for run in experiment.runs:
        groups.setdefault(run.run.get("group"), []).append(run)
    return groups


def points(runs, x, y):
    """[(x, median, least, greatest)] over seeds, sorted; runs without a value are left out."""
    found = {}
    for run in runs:
        value = y(run)
        if value is not None:
            found.setdefault(x(run), []).append(value)
    return [(at, statistics.median(values), min(values), max(values)) for at, values in sorted(found.items())]


def curve(axes, runs, x, y, look, label=None, line="-"):
    """Points joined by a line, their range over seeds as a bar. look: colour, marker, hollow."""
    found = points(runs, x, y)
    if not found:
        return found
    colour, marker, hollow = look
    xs, ys = [point[0] for point in found], [point[1] for point in found]
    axes.plot(xs, ys, color=colour, marker=marker, markerfacecolor="white" if hollow else colour, markersize=3.6,
              linewidth=0.9, linestyle=line, label=label, zorder=3)
    axes.vlines(xs, [point[2] for point in found], [point[3] for point in found], color=colour, linewidth=1.4, zorder=2)
    return found


def dress(axes, words, xlabel=None):
    axes.set_title(words, loc="left", fontsize=7.2, fontweight="bold", pad=4)
    axes.tick_params(labelsize=against.SMALL, pad=1.5)
    axes.grid(True, axis="both")
    if xlabel:
        axes.set_xlabel(xlabel, labelpad=2, fontsize=against.SMALL + 0.5)


def headroom(axes, bottom, share=0.07):
    """Limits from `bottom` to above all that is drawn, so that no mark is cut at the upper edge; panels that share the axis
    count if they are drawn by now."""
    top = max(panel.dataLim.y1 for panel in axes.get_shared_y_axes().get_siblings(axes))
    axes.set_ylim(bottom, top + share * (top - bottom))


def foot(figure, words):
    """Caption: what is shown. Returns inches from below that it and the footer take."""
    against.caption(figure, words)
    return 0.1 + 0.125 * against.caption_lines(words, figure.get_figwidth())


def legend(figure, handles, columns, left=0.5, down=0.02):
    """Once, above all panels; inches from the left and from above."""
    figure.legend(handles=handles, loc="upper left", frameon=False, ncol=columns, fontsize=against.SMALL + 0.5,
                  bbox_to_anchor=(left / figure.get_figwidth(), 1 - down / figure.get_figheight()), columnspacing=1.2,
                  handletextpad=0.4, borderaxespad=0, labelspacing=0.3)


def handle(look, label, line="-"):
    from matplotlib.lines import Line2D
    colour, marker, hollow = look
    return Line2D([], [], color=colour, marker=marker, markerfacecolor="white" if hollow else colour, markersize=4,
                  linewidth=0.9, linestyle=line, label=label)


def row(pyplot, columns, height, words, above=0.5, **margins):
    """(figure, panels): panels side by side and what they show in words; above: inches for titles and legend; margins: left,
    right, wspace."""
    figure, panels = pyplot.subplots(1, columns, figsize=(against.PAGE, height))
    figure.subplots_adjust(top=1 - above / height, bottom=(foot(figure, words) + 0.34) / height, **margins)
    return figure, panels


def main(path, draw, question, groups):
    """The program of a figure. draw(experiment, pyplot) returns the figure; groups: those it cannot do without."""
    def checked(experiment, pyplot):
        missing = [group for group in groups if group not in in_groups(experiment)]
        if missing:
            raise load.LoadError(f"{experiment.directory} has no run of group {', '.join(missing)}, which this figure shows")
        return against.finish(draw(experiment, pyplot), experiment)
    return against.program(path, checked, question, measures.caption)
