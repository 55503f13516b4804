#!/usr/bin/python3
"""zn540.py - the simulated ZN540 against the measured one: latencies, request rates, zone management; deviations below.

Measured numbers are those of the experiment's claims, so that figure and judgement cannot differ.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import style    # noqa: E402

QUESTION = "Simulated ZN540 against the measured one"
CAPTION = ("Points: simulated Western Digital ZN540. Crosses: a real one, means of the raw fio results of Doekemeijer, Tehrany, "
           "Chandrasekaran, Bjørling and Trivedi, “Performance Characterization of NVMe Flash Devices with Zoned Namespaces”, "
           "IEEE CLUSTER 2023 (SPDK, 4 KiB blocks). Shaded: claimed tolerance, 5 %.")
KIB = 1024
CAPACITY = 275712 * 4096  # writable bytes of a zone
LOOKS = {"read": (style.BLUE, "o", "random reads"), "write": (style.VERMILION, "s", "writes"),
         "append": (style.ORANGE, "D", "appends"), "reset": (style.GREEN, "^", "reset"),
         "finished": (style.SKY, "v", "reset after finish"), "finish": (style.PURPLE, "P", "finish")}


def written(run):
    """Share of the zone that is written before the operation."""
    fill = run.spec.get("device.fill", "0")
    if fill.isdigit():
        return int(fill) / 1000 if int(fill) <= 1000 else int(fill) / CAPACITY
    return int(fill[:-1]) * {"k": KIB, "M": KIB * KIB, "G": KIB ** 3}[fill[-1]] / CAPACITY


def cells(experiment):
    """[(panel, look, x, model, measured)]: panels latency, rate, zone."""
    found = []
    for run in experiment.runs:
        op = run.spec["device.op"]
        size, depth = run.number("device.size") or 4096, int(run.number("device.qd") or 1)
        for metric, _, measured in against.claims(run):
            model = run.number(metric)
            if op in ("reset", "finish"):
                look = "finished" if run.spec.get("device.finished") == "1" else op
                if measured > 100:  # milliseconds; those that cost next to nothing are in the words below
                    found.append(("zone", look, max(written(run), 4096 / CAPACITY), model / 1000, measured / 1000))
            elif metric.endswith("mean_us") and op in LOOKS:
                found.append(("latency", op, size / KIB, model, measured))
            elif metric.endswith("operations_per_second"):
                found.append(("rate", op, depth, model / 1000, measured / 1000))
    return found


def draw(experiment, pyplot):
    figure, upper, lower = against.panels(pyplot, 3, against.PAGE, 3.6, against.caption_lines(CAPTION, against.PAGE),
                                          wspace=0.26)
    plan = (("latency", "latency alone, µs", "KiB a request", (4, 16, 64), (10, 20, 50, 100), (7, 330)),
            ("rate", "thousand 4 KiB requests a second", "requests in flight", (1, 4, 8, 14, 32, 256),
             (10, 20, 50, 100, 200, 500), (9, 1100)),
            ("zone", "a zone's management, ms", "share of the zone written", None, (1, 3, 10, 30, 100, 300, 1000), (1, 9000)))
    found = cells(experiment)
    for (panel, name, label, ticks, powers, limits), top, below in zip(plan, upper, lower):
        for look, (colour, marker, words) in LOOKS.items():
            mine = sorted(cell[2:] for cell in found if cell[:2] == (panel, look))
            if not mine:
                continue
            how = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4.6}
            line = look == "read" or panel == "latency" or look in ("reset", "finished")
            top.plot([x for x, *_ in mine], [model for _, model, _ in mine], **how, label=words)
            if line:
                top.plot([x for x, *_ in mine], [model for _, model, _ in mine], color=colour, linewidth=0.7, zorder=1)
            top.plot([x for x, *_ in mine], [measured for *_, measured in mine], **{**against.REFERENCE, "zorder": 4})
            below.plot([x for x, *_ in mine], [against.deviation(model, measured) for _, model, measured in mine], **how)
        against.title(top, name)
        top.set_yscale("log")
        top.set_ylim(*limits)
        against.plain_log(top.yaxis, powers)
        below.set_xlabel(label, labelpad=2)
        against.band(below, 5, 7.5)
        if ticks:
            below.set_xscale("log")
            against.plain_log(below.xaxis, ticks)
            below.set_xlim(min(ticks) / 1.3, max(ticks) * 1.3)
        else:
            below.set_xlim(-0.05, 1.05)
        top.legend(frameon=False, handletextpad=0.1, fontsize=against.SMALL + 0.3, borderaxespad=0.1, labelspacing=0.25,
                   loc="upper right" if panel == "zone" else "upper left")
    against.deviation_label(lower[0])
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION))
