#!/usr/bin/python3
"""opfs-calls.py - the simulated Origin Private File System against calls measured in Chromium.

Measured numbers are those of the experiment's claims, so that figure and judgement cannot differ.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against  # noqa: E402
import style    # noqa: E402

QUESTION = "Simulated OPFS against calls measured in Chromium"
CAPTION = ("Points: simulated OPFS. Crosses: FileSystemSyncAccessHandle in a worker of Chromium 156, Debian 12, Linux 6.18, ext4 on a "
           "virtual disk, warm page cache: means of 16 to 3000 calls, good to a factor of two from run to run. Lines: the model's "
           "laws, 2.1 µs + 0.15 µs/KiB for reads, 33 µs + 0.23 µs/KiB for writes, 150 µs + 25 µs a dirty page for flushes. Shaded: "
           "within 5 %.")
LOOKS = {"read": (style.BLUE, "o", "read", lambda kib: 2.1 + 0.15 * kib),
         "write": (style.VERMILION, "s", "write", lambda kib: 33 + 0.23 * kib)}
CALLS = (("truncate-16k-up", "truncate\n+16 KiB"), ("close", "close"), ("move", "move"), ("remove", "remove"),
         ("create", "create\nand open"), ("open", "open\nand close"), ("truncate-64M-to-0", "truncate\n64 MiB"))
_WHERE = re.compile(r"(\w+) within [\d.]+ % of ([\d. +]+?)(?: where ([\w.]+)=(\w+))?$")
UNITS = {"k": 1 << 10, "M": 1 << 20}


def number(words):
    return int(words[:-1]) * UNITS[words[-1]] if words[-1] in UNITS else int(words)


def measured(run):
    """(model, measured) of the claim `measured` that speaks of this run; None if there is none."""
    for name, text in run.run.get("expect", {}).items():
        match = _WHERE.match(text.replace("file_open_latency_mean_us + file_close_latency_mean_us[group=close]",
                                          "file_open_latency_mean_us"))
        if not match or not name.startswith("measured"):
            continue
        if not match[3] or run.number(match[3]) == number(match[4]):
            return run.number(match[1]), sum(map(float, match[2].split("+")))
    return None


def draw(experiment, pyplot):
    figure, upper, lower = against.panels(pyplot, 3, against.PAGE, 3.7, against.caption_lines(CAPTION, against.PAGE) + 1,
                                          wspace=0.26)
    sizes = [2.0 ** power for power in range(1, 13)]
    for op, (colour, marker, words, law) in LOOKS.items():
        runs = sorted((run for run in experiment.runs if run.spec["device.op"] == op),
                      key=lambda run: run.number("device.size"))
        how = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4.6}
        kib = [run.number("device.size") / 1024 for run in runs]
        pairs = [measured(run) for run in runs]
        upper[0].plot(sizes, [law(size) for size in sizes], color=colour, linewidth=0.8, zorder=1)
        upper[0].plot(kib, [pair[0] for pair in pairs], **how, label=words)
        upper[0].plot(kib, [pair[1] for pair in pairs], **{**against.REFERENCE, "zorder": 4})
        lower[0].plot(kib, [against.deviation(*pair) for pair in pairs], **how)
    flushes = sorted((run for run in experiment.runs if run.run["group"] == "flushes"),
                     key=lambda run: run.number("device.sync_writes"))
    count, pairs = [run.number("device.sync_writes") for run in flushes], [measured(run) for run in flushes]
    how = {"color": style.GREEN, "marker": "D", "linestyle": "none", "markersize": 4.6}
    dirty = [2.0 ** power for power in range(0, 11)]
    upper[1].plot(dirty, [(150 + 25 * n) / 1000 for n in dirty], color=style.GREEN, linewidth=0.8, zorder=1)
    upper[1].plot(count, [pair[0] / 1000 for pair in pairs], **how, label="flush")
    upper[1].plot(count, [pair[1] / 1000 for pair in pairs], **{**against.REFERENCE, "zorder": 4})
    lower[1].plot(count, [against.deviation(*pair) for pair in pairs], **how)
    by_group = {run.run["group"]: run for run in experiment.runs}
    places = []
    for group, words in CALLS:
        pair = measured(by_group[group]) if group in by_group else None
        if not pair:
            continue
        model, real = pair
        if group == "open" and "close" in by_group:
            model += by_group["close"].number("file_close_latency_mean_us")
        how = {"color": style.PURPLE, "marker": "P", "linestyle": "none", "markersize": 4.8}
        upper[2].plot(len(places), model / 1000, **how)
        upper[2].plot(len(places), real / 1000, **{**against.REFERENCE, "zorder": 4})
        lower[2].plot(len(places), against.deviation(model, real), **how)
        places.append(words)
    for top, name in zip(upper, ("a call's mean, µs", "a flush, ms", "files, ms")):
        against.title(top, name)
        top.set_yscale("log")
    against.plain_log(upper[0].yaxis, (2, 5, 10, 30, 100, 300, 1000))
    against.plain_log(upper[1].yaxis, (0.2, 0.5, 1, 2, 5, 10, 20))
    against.plain_log(upper[2].yaxis, (0.03, 0.1, 0.3, 1, 3, 10, 30))
    lower[0].set_xscale("log", base=2)
    against.plain_log(lower[0].xaxis, (4, 16, 64, 256, 1024, 4096), ("4", "16", "64", "256", "1024", "4096"))
    lower[0].set_xlabel("KiB a call", labelpad=2)
    lower[1].set_xscale("log", base=2)
    against.plain_log(lower[1].xaxis, (1, 64, 256, 1024))
    lower[1].set_xlabel("16 KiB overwrites before it", labelpad=2)
    lower[2].set_xticks(range(len(places)), places, rotation=60, fontsize=against.SMALL - 0.5, linespacing=0.85)
    lower[2].set_xlim(-0.5, len(places) - 0.5)
    upper[0].legend(frameon=False, handletextpad=0.1, fontsize=against.SMALL + 0.5, loc="upper left")
    for axes in lower:
        against.band(axes, 5, 32)
        axes.set_yticks((-25, -5, 5, 25))
    against.deviation_label(lower[0])
    against.caption(figure, CAPTION)
    return figure


if __name__ == "__main__":
    sys.exit(against.main(__file__, draw, QUESTION, CAPTION))
