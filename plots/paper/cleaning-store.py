#!/usr/bin/python3
"""cleaning-store.py - a B+-tree over zones: what its cleaning writes, by victims, by where survivors go, by streams.

A column a pattern of updates. Upper row: over the utilisation, survivors apart, one stream; under skew also what is there
without separation and with the best one. Lower row: deviations from theory where there is one, else all separations at one
utilisation.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import closed   # noqa: E402
import load     # noqa: E402
import style    # noqa: E402

QUESTION = "Cleaning in a store: what do victims, survivors apart and streams save?"
POLICIES = ("greedy", "dchoices", "costbenefit", "deathtime")
COLUMNS = (("uniform", "uniform"), ("hotspot", "hot/cold 90/10"), ("zipf", "Zipf 0.99"))
SEPARATIONS = (("one", "mixed", "mixed"), ("one", "apart", "apart"), ("temperature", "stream", "interval"),
               ("death", "stream", "death"))
TOLERANCES = {"greedy": 1.5, "dchoices": 2}  # per cent, as the experiment claims
AT = 0.8  # live share of the zones that the lower row shows
CAPTION = ("Points: runs of the whole engine, {zones} zones of {pages} pages of 8 KiB, updates of one record, no log. Write "
           "amplification of cleaning: pages written to zones over pages that clients and the map had written. Effective "
           "utilisation: live pages over the mean of pages written and not yet emptied. Theory: greedy and d choices, Van "
           "Houdt, SIGMETRICS 2013 (lines under uniform updates); optimum, a log for each class, cleaned greedily, and the spare split best (Stoica and Ailamaki, PVLDB 2013). "
           "Upper row, unless hollow: survivors apart, one stream. Lower row, middle and right: {at:.0f} % of the zones live; "
           "survivors written among clients' pages (mixed), in a zone of their own (apart), or both in four zones each by "
           "interval between updates or by estimated death. Shaded: tolerances claimed, 1.5 % (greedy) and 2 % (d choices).")


def pages_of(run):
    return int(run.number("zone.zone_bytes")) // int(run.number("page_bytes"))


def amplification(run):
    count = run.phases["run"]
    return 1 + count["moved_bytes"] / (count["page_write_bytes"] + count["host_write_bytes_map"])


def utilisation(run):
    """Effective: as the claims reckon it."""
    count = run.phases["run"]
    return count["live_bytes"] / 4096 * count["page_writes"] / count["occupied_blocks"]


def live_share(run):
    return run.phases["run"]["live_bytes"] / run.phases["run"]["data_capacity_bytes"]


def chosen(runs, policy, streams, survivors):
    """[(effective utilisation, write amplification, live share)], by utilisation."""
    return sorted((utilisation(run), amplification(run), live_share(run)) for run in runs
                  if run.choice("cleaning") == policy and run.spec.get("zone.streams", "one") == streams
                  and run.spec.get("zone.survivors", "apart") == survivors)


def look(policy, hollow=False):
    colour, marker, _ = style.look("cleaning", policy)
    return {"color": colour, "marker": marker, "markersize": 3.8, "markeredgewidth": 0.9,
            "markerfacecolor": "white" if hollow else colour}


def theory(policy, u, pages, drawn):
    return closed.greedy(u, pages) if policy == "greedy" else closed.choices(u, pages, drawn)


def optimum(u, pages, writes=0.9, data=0.1, steps=400):
    """A log for each of two classes, greedy in both; the hot one has the share of the medium that writes least."""
    found = []
    for step in range(1, steps):
        hot = data * u + step / steps * (1 - u)  # room of the hot class: its live pages and a part of the spare
        inside = (data * u / hot, (1 - data) * u / (1 - hot))
        found.append(sum(share * closed.greedy(v, pages) for share, v in zip((writes, 1 - writes), inside)))
    return min(found)


def draw_uniform(top, below, runs, pages, drawn):
    grid = [0.49 + 0.01 * i for i in range(47)]
    for policy in POLICIES:
        if policy in TOLERANCES:
            top.plot(grid, [theory(policy, u, pages, drawn) for u in grid], color=look(policy)["color"], linewidth=0.9)
        for survivors in ("mixed", "apart"):
            points = chosen(runs, policy, "one", survivors)
            if survivors == "apart":
                top.plot([u for u, *_ in points], [wa for _, wa, _ in points], linestyle="none", **look(policy), zorder=3)
            if policy in TOLERANCES:
                below.plot([u for u, *_ in points],
                           [against.deviation(wa, theory(policy, u, pages, drawn)) for u, wa, _ in points],
                           linestyle="none", **look(policy, survivors == "mixed"), zorder=3)
    against.band(below, TOLERANCES["dchoices"], 1.6 * TOLERANCES["dchoices"])
    below.axhspan(-TOLERANCES["greedy"], TOLERANCES["greedy"], color="#C9D9EA", zorder=0, linewidth=0)
    below.axhline(0, color=style.BLACK, linewidth=0.7)
    below.set_xlim(top.get_xlim())
    against.deviation_label(below)


def draw_skewed(top, below, runs, best):
    for policy in POLICIES:
        points = chosen(runs, policy, "one", "apart")
        top.plot([u for u, *_ in points], [wa for _, wa, _ in points], linewidth=0.8, **look(policy), zorder=3)
        at, height = [], []
        for place, (streams, survivors, _) in enumerate(SEPARATIONS):
            near = [point for point in chosen(runs, policy, streams, survivors) if abs(point[2] - AT) < 0.03]
            at += [place] * len(near)
            height += [wa for _, wa, _ in near]
        below.plot(at, height, linewidth=0.8, **look(policy), zorder=3)
    for policy, streams, survivors in (("greedy", "one", "mixed"), best):
        points = chosen(runs, policy, streams, survivors)
        top.plot([u for u, *_ in points], [wa for _, wa, _ in points], linewidth=0.8, linestyle=(0, (3, 1.5)),
                 **look(policy, True), zorder=3)
    below.set_xlim(-0.4, len(SEPARATIONS) - 0.6)
    below.set_xticks(range(len(SEPARATIONS)), labels=[words for *_, words in SEPARATIONS])
    below.set_ylim(1, 3.1)


def draw(experiment, pyplot):
    columns = [(pattern, words, [run for run in experiment.runs if run.spec.get("request") == pattern])
               for pattern, words in COLUMNS]
    if not all(runs for *_, runs in columns):
        raise load.LoadError("the three patterns of updates are not all there")
    first = experiment.runs[0]
    pages = pages_of(first)
    drawn = next((int(run.number("dchoices.d")) for run in experiment.runs if run.choice("cleaning") == "dchoices"), 8)
    zones = first.phases["run"]["data_capacity_bytes"] // int(first.number("zone.zone_bytes"))
    about = CAPTION.format(zones=zones, pages=pages, at=100 * AT)
    figure, upper, lower = grid_of_panels(pyplot, against.caption_lines(about, against.PAGE))
    for top, below, (pattern, words, runs) in zip(upper, lower, columns):
        against.title(top, words)
        top.set_xlim(0.48, 0.97)
        if pattern == "uniform":
            draw_uniform(top, below, runs, pages, drawn)
            below.set_xlabel("effective utilisation", labelpad=2)
        else:
            draw_skewed(top, below, runs, ("deathtime", "temperature", "stream"))
            below.set_xlabel("what is kept apart", labelpad=2)
        grid = [0.49 + 0.01 * i for i in range(47)]
        if pattern != "uniform":
            top.plot(grid, [closed.greedy(u, pages) for u in grid], color=style.BLACK, linewidth=0.9, linestyle=":")
        if pattern == "hotspot":
            top.plot(grid, [optimum(u, pages) for u in grid], color=style.BLACK,
                     linewidth=0.9, linestyle=(0, (5, 1.5)))
        top.set_yscale("log")
        top.set_ylim(1, 7)
        against.plain_log(top.yaxis, (1, 1.5, 2, 3, 4, 6))
        top.set_xlabel("effective utilisation", labelpad=1)
    upper[0].set_ylabel("write amplification", labelpad=2)
    lower[1].set_ylabel("write amplification", labelpad=2)
    legend(figure)
    against.caption(figure, about)
    return figure


def grid_of_panels(pyplot, caption_lines):
    """Two rows of three, each panel with an x axis of its own."""
    width, height = against.PAGE, 4.9
    below = 0.44 + 0.125 * caption_lines
    figure, grid = pyplot.subplots(2, 3, figsize=(width, height), gridspec_kw={"height_ratios": [1.45, 1],
                                                                              "hspace": 0.34, "wspace": 0.25})
    figure.subplots_adjust(left=0.46 / width, right=1 - 0.08 / width, top=1 - 0.62 / height, bottom=below / height)
    for axes in grid.flat:
        axes.tick_params(labelsize=against.SMALL + 0.5, pad=2)
        axes.grid(True, axis="both")
    return figure, grid[0], grid[1]


def legend(figure):
    from matplotlib.lines import Line2D
    handles = [Line2D([], [], linestyle="none", **look(policy)) for policy in POLICIES]
    labels = [style.word(policy) for policy in POLICIES]
    handles += [Line2D([], [], linestyle=(0, (3, 1.5)), linewidth=0.8, **look("greedy", True)),
                Line2D([], [], linestyle=(0, (3, 1.5)), linewidth=0.8, **look("deathtime", True)),
                Line2D([], [], color=style.BLACK, linewidth=0.9, linestyle=":"),
                Line2D([], [], color=style.BLACK, linewidth=0.9, linestyle=(0, (5, 1.5)))]
    labels += ["greedy, survivors mixed", "death time, by interval", "theory, greedy, uniform", "theory, optimum"]
    figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.0, 1.005), ncol=4, frameon=False,
                  fontsize=against.SMALL + 0.3, handletextpad=0.4, columnspacing=1.4, labelspacing=0.3)


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION.format(zones=530, pages=8, at=100 * AT),
                          shows=lambda run: "occupied_blocks" in run.phases.get("run", {})))
