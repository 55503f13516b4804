#!/usr/bin/python3
"""zns-conventional.py - the same flash behind two interfaces: throughput and write amplification as it is overwritten.

Above: throughput of the host's writes, and as lines what the dies leave for it at the write amplification measured. Below:
how far the two are apart, and how much slower than zones each is.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import style    # noqa: E402

READ_NS = 40000  # of a die: sim_ssd.read_ns, which the experiment leaves at its default
QUESTION = "Overwriting: zones against a conventional interface"
LOOKS = {"zoned": (style.BLUE, "o", "zones, no spare"), "conventional-28": (style.ORANGE, "s", "conventional, 28 % spare"),
         "conventional-7": (style.VERMILION, "D", "conventional, 7 % spare")}
CAPTION = ("Points: the same simulated flash behind both interfaces, eight writers overwriting extents at random; each a mean over a "
           "quarter of the capacity. Lines: what the dies can program, less erases and the reading of what is moved, divided by "
           "the write amplification. After figure 1 of Bjørling et al., “ZNS: Avoiding the Block Interface Tax for Flash-based "
           "SSDs”, USENIX ATC 2021 (equal raw capacity; 7 % and 28 % of spare against none). Shaded: claimed tolerance. Right, "
           "below: how many times slower than zones.")


def flash_limit(run):
    """MiB/s that the host gets at the run's write amplification."""
    amplification = run.number("write_amplification")
    if run.run["group"] == "zoned":
        return run.number("sim_zns.write_bytes_per_s") / (1 << 20) / amplification
    program, erase = run.number("sim_ssd.program_ns"), run.number("sim_ssd.erase_ns")
    pages, read = run.number("sim_ssd.pages_per_block"), READ_NS * (1 - 1 / amplification)
    unit = run.number("sim_ssd.planes") * run.number("sim_ssd.flash_page_bytes")
    dies = run.number("sim_ssd.channels") * run.number("sim_ssd.dies_per_channel")
    link = run.number("sim_ssd.link_bytes_per_s") / (1 << 20)
    erases = erase / pages if amplification > 1 or run.number("erases") else 0
    return min(link, dies * unit / (1 << 20) / ((program + erases + read) * 1e-9) / amplification)


def draw(experiment, pyplot):
    figure, upper, lower = against.panels(pyplot, 2, against.PAGE, 3.5, against.caption_lines(CAPTION, against.PAGE),
                                          wspace=0.2)
    fastest = max(run.number("write_bandwidth_mib_per_s") for run in experiment.runs)
    for group, (colour, marker, words) in LOOKS.items():
        runs = sorted((run for run in experiment.runs if run.run["group"] == group),
                      key=lambda run: run.number("device.warm"))
        if not runs:
            continue
        # the middle of what was measured, in capacities; device.count is a quarter of one
        at = [(run.number("device.warm") / run.number("device.count") + 0.5) / 4 for run in runs]
        speed = [run.number("write_bandwidth_mib_per_s") for run in runs]
        limit = [flash_limit(run) for run in runs]
        wa = [run.number("write_amplification") for run in runs]
        look = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4.4, "zorder": 3}
        upper[0].plot(at, limit, color=colour, linewidth=0.9)
        upper[0].plot(at, speed, **look, label=words)
        lower[0].plot(at, [against.deviation(a, b) for a, b in zip(speed, limit)], **look)
        upper[1].plot(at, wa, color=colour, linewidth=0.9)
        upper[1].plot(at, wa, **look)
        lower[1].plot(at, [fastest / value for value in speed], **look)
    against.title(upper[0], "throughput, MiB/s")
    against.title(upper[1], "write amplification of the device")
    upper[0].set_ylim(0, fastest * 1.07)
    upper[1].set_ylim(0, None)
    upper[0].legend(frameon=False, fontsize=against.SMALL + 0.5, handletextpad=0.2, loc="upper right",
                    bbox_to_anchor=(1.0, 0.93), borderaxespad=0)
    against.band(lower[0], 10, 15)
    lower[1].set_ylim(0, fastest / min(run.number("write_bandwidth_mib_per_s") for run in experiment.runs) * 1.25)
    lower[1].set_yticks((1, 5, 10))
    lower[1].lines[0].set_visible(False)
    for axes in lower:
        axes.set_xlabel("overwritten, times the capacity", labelpad=2)
    against.deviation_label(lower[0])
    lower[1].set_ylabel("times slower", labelpad=2)
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION))
