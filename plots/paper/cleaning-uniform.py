#!/usr/bin/python3
"""cleaning-uniform.py - write amplification under uniform overwrites: simulated flash against theory.

One panel a policy: FIFO, greedy, the best of d. Points are runs, at their effective utilisation; lines are closed forms.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import closed   # noqa: E402
import style    # noqa: E402

QUESTION = "Does simulated cleaning follow theory?"
COLOURS, MARKERS = (style.BLUE, style.ORANGE, style.GREEN, style.VERMILION), ("o", "s", "D", "^")
CAPTION = ("Points: simulated flash, at the effective utilisation (live pages over the mean pages written and not erased); "
           "filled: pages that are moved share the host's block, hollow: they have their own. Lines: FIFO, Desnoyers, "
           "SYSTOR 2012; greedy and d choices, mean field of Van Houdt, SIGMETRICS 2013. Shaded: claimed tolerance.")


def series(runs, collect):
    """{pages of a block, or choices: [(u, write amplification, own)]}"""
    found = {}
    for run in runs:
        if run.spec.get("sim_ssd.collect") != collect:
            continue
        key = int(run.number("sim_ssd.choices" if collect == "dchoices" else "super_pages"))
        found.setdefault(key, []).append((run.number("utilisation_effective"), run.number("write_amplification"),
                                          run.spec.get("sim_ssd.gc_stream") == "own", int(run.number("super_pages"))))
    return found


def draw(experiment, pyplot):
    pages = max((int(run.number("super_pages")) for run in experiment.runs
                 if run.spec.get("sim_ssd.collect") == "dchoices"), default=256)
    policies = (("fifo", "FIFO", 0.5, lambda u, key: closed.fifo(u), "{} pages a block"),
                ("greedy", "greedy", 0.5, closed.greedy, "{} pages a block"),
                ("dchoices", "best of d drawn", 1.0, lambda u, key: closed.choices(u, pages, key), "d = {}"))
    figure, upper, lower = against.panels(pyplot, 3, against.PAGE, 3.5, against.caption_lines(CAPTION, against.PAGE))
    for top, below, (collect, name, tolerance, theory, words) in zip(upper, lower, policies):
        found = series(experiment.runs, collect)
        grid = [0.48 + 0.001 * i for i in range(481)][:: 8 if collect == "dchoices" else 2]
        for index, key in enumerate(sorted(found)):
            colour, marker = COLOURS[index], MARKERS[index]
            if collect != "fifo" or index == 0:
                top.plot(grid, [theory(u, key) for u in grid], color=style.BLACK if collect == "fifo" else colour,
                         linewidth=0.9, zorder=2)
            for own in (False, True):
                points = sorted(point for point in found[key] if point[2] == own)
                look = {"linestyle": "none", "marker": marker, "markersize": 3.4, "markeredgewidth": 0.9,
                        "markeredgecolor": colour, "markerfacecolor": "white" if own else colour, "zorder": 3}
                top.plot([u for u, *_ in points], [wa for _, wa, *_ in points], **look,
                         label=words.format(key) if points and own == (not any(not p[2] for p in found[key])) else None)
                dodge = 0.008 * (index - (len(found) - 1) / 2) + (0.004 if own else 0)  # else they hide each other
                below.plot([u + dodge for u, *_ in points],
                           [against.deviation(wa, theory(u, key)) for u, wa, *_ in points], **look)
        against.title(top, name)
        top.set_yscale("log")
        top.set_ylim(1.1, 16)
        against.plain_log(top.yaxis, (1.2, 1.5, 2, 3, 5, 8, 12))
        top.legend(frameon=False, loc="upper left", handletextpad=0.2, fontsize=against.SMALL + 0.5)
        against.band(below, tolerance, 1.6 * tolerance)
        below.set_xlim(0.47, 0.985)
        below.set_xlabel("utilisation", labelpad=2)
    upper[0].set_ylabel("write amplification", labelpad=2)
    against.deviation_label(lower[0])
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION))
