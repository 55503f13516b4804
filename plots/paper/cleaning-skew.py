#!/usr/bin/python3
"""cleaning-skew.py - write amplification where some pages are hot: who keeps them apart, and what it saves.

A panel a pattern. Points are runs; lines are the two closed forms, all pages mixed in a FIFO and the best split of the spare
over separate logs; crosses are Monte Carlo simulations made apart from this code, and one published value.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import closed   # noqa: E402
import load     # noqa: E402
import style    # noqa: E402

QUESTION = "Cleaning under skew: what does separation save?"
# name in the legend: (collect, gc_stream), colour, marker
POLICIES = (("FIFO, mixed", ("fifo", "shared"), style.BLACK, "o"),
            ("greedy, mixed", ("greedy", "shared"), style.BLUE, "s"),
            ("greedy, moved pages apart", ("greedy", "own"), style.SKY, "D"),
            ("greedy, placement hints", ("greedy", "stream"), style.ORANGE, "v"),
            ("cost-benefit, moved pages apart", ("costbenefit", "own"), style.GREEN, "^"))
# Monte Carlo, 2048 blocks (cost-benefit 1024) of 128 pages; in the order of POLICIES from the second on.
MONTE_CARLO = {
    "hotcold:80/20": {0.7: (2.19, 2.08, 1.86, 1.80), 0.8: (3.01, 2.92, 2.66, 2.50), 0.9: (5.42, 5.39, 5.07, 4.70),
                      0.95: (10.09, 10.19, 9.75, 9.35)},
    "hotcold:90/10": {0.7: (2.58, 2.25, 1.85, 1.46), 0.8: (3.53, 3.16, 2.64, 1.93), 0.9: (6.09, 5.75, 5.01, 3.36),
                      0.95: (10.84, 10.79, 9.63, 6.51)},
    "zipf:0.8": {0.7: (2.34, 2.05, 1.81, 2.01), 0.8: (3.36, 2.91, 2.55, 2.73), 0.9: (6.26, 5.41, 4.86, 4.84)},
    "zipf:0.99": {0.7: (2.69, 2.18, 1.62, 1.83), 0.8: (3.92, 3.07, 2.18, 2.32), 0.9: (7.44, 5.43, 3.80, 3.76)},
}
PUBLISHED = {"hotcold:80/20": 4.52, "hotcold:90/10": 5.11, "hotcold:95/5": 5.90}  # greedy, mixed, u = 0.875
CAPTION = ("Points: simulated flash, 2048 blocks of 128 pages (cost-benefit under hot and cold pages 1024, as its "
           "reference). Lines: all pages mixed in a FIFO (upper; Desnoyers, SYSTOR 2012) and the optimum, a log for each "
           "class of pages and the spare split best (lower; Stoica and Ailamaki, PVLDB 2013). Crosses: Monte Carlo made "
           "apart from this code, whose open blocks count as spare lost; at 0.875 greedy as published by Haas et al., PVLDB "
           "2025. Deviations: FIFO from its line at the effective utilisation, others from their crosses. Shaded: 3 %.")
CROSS = {**against.REFERENCE, "markersize": 2.6, "markeredgewidth": 0.7}
NAMES = {"hotcold": "hot/cold {}", "zipf": "Zipf {}"}


def classes(pattern, live):
    kind, words = pattern.split(":")
    if kind == "zipf":
        return closed.zipf(live, float(words))
    writes, data = (float(word) / 100 for word in words.split("/"))
    return closed.hot_cold(writes, data)


def reference(pattern, policy, u):
    """What a point is compared with; None: nothing."""
    if policy == 1 and round(u, 3) == 0.875:
        return PUBLISHED.get(pattern)
    cells = MONTE_CARLO.get(pattern, {}).get(round(u, 3))
    return cells[policy - 1] if cells else None


def draw(experiment, pyplot):
    patterns = []
    for run in experiment.runs:
        if run.spec["device.pattern"] not in patterns:
            patterns.append(run.spec["device.pattern"])
    if not patterns:
        raise load.LoadError("there is no pattern to show")
    figure, upper, lower = against.panels(pyplot, len(patterns), against.PAGE, 4.0,
                                          against.caption_lines(CAPTION, against.PAGE), title_height=0.62, wspace=0.16)
    for top, below, pattern in zip(upper, lower, patterns):
        runs = [run for run in experiment.runs if run.spec["device.pattern"] == pattern]
        flash = runs[0].device["flash_pages"]
        grid = [0.68 + 0.0125 * i for i in range(23)]
        mixed = [closed.fifo_classes(u, classes(pattern, int(u * flash))) for u in grid]
        best = [closed.optimal(u, classes(pattern, int(u * flash))) for u in grid]
        top.plot(grid, mixed, color=style.BLACK, linewidth=0.9, zorder=2)
        top.plot(grid, best, color=style.PURPLE, linewidth=0.9, linestyle=(0, (4, 1.5)), zorder=2)
        for at, (name, how, colour, marker) in enumerate(POLICIES):
            chosen = [run for run in runs if (run.spec["sim_ssd.collect"], run.spec["sim_ssd.gc_stream"]) == how]
            look = {"linestyle": "none", "marker": marker, "markersize": 4, "color": colour, "zorder": 3}
            top.plot([run.number("device.utilisation") for run in chosen],
                     [run.number("write_amplification") for run in chosen], **look,
                     label=name if top is upper[0] else None)
            for run in chosen:
                u, wa = run.number("device.utilisation"), run.number("write_amplification")
                if at == 0:
                    aim = closed.fifo_classes(run.number("utilisation_effective"),
                                              classes(pattern, run.device["live_pages"]))
                else:
                    aim = reference(pattern, at, u)
                    if aim:
                        top.plot(u, aim, **CROSS, zorder=5)
                if aim:
                    below.plot(u + 0.006 * (at - 2), against.deviation(wa, aim), **look)
        kind, words = pattern.split(":")
        against.title(top, NAMES[kind].format(words))
        top.set_yscale("log")
        top.set_ylim(1.05, 16)
        against.plain_log(top.yaxis, (1.5, 2, 3, 5, 8, 12), None if top is upper[0] else [""] * 6)
        against.band(below, 3, 11)
        below.set_yticks((-10, -3, 0, 3, 10), labels=None if below is lower[0] else [""] * 5)
        below.set_xlim(0.67, 0.98)
        below.set_xticks((0.7, 0.8, 0.9))
    lower[len(patterns) // 2].set_xlabel("utilisation", labelpad=2)
    upper[0].set_ylabel("write amplification", labelpad=2)
    against.deviation_label(lower[0])
    handles, labels = upper[0].get_legend_handles_labels()
    from matplotlib.lines import Line2D
    handles += [Line2D([], [], color=style.BLACK, linewidth=0.9),
                Line2D([], [], color=style.PURPLE, linewidth=0.9, linestyle=(0, (4, 1.5))),
                Line2D([], [], **CROSS)]
    labels += ["theory, mixed", "theory, optimum", "Monte Carlo, published"]
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=4, frameon=False,
                  fontsize=against.SMALL + 0.3, handletextpad=0.3, columnspacing=1.2, labelspacing=0.3)
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION))
