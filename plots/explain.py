#!/usr/bin/python3
"""explain.py - where each byte written came from: a stacked bar per run, in bytes per byte that clients wrote.

From left to right as a byte travels: pages by kind, map, log, journal, anchors, what the engine's cleaning moved, what the
device moved, what it padded. A bar's length is the write amplification, bearing its number; the least is on top. The sums are
`pagelab explain`'s, which also refuses results that do not add up.

An experiment of more runs than fit shows every so many in the order of their sums, and says so.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import against   # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

QUESTION = "Where does each byte written come from?"
TAGS = ("leaf", "inner", "overflow", "map", "log", "journal", "meta", "clean")
SOURCES = ("leaf", "inner", "overflow", "map", "log", "journal", "meta", "cleaning", "moved", "padding")
WORDS = {"leaf": "leaf pages", "inner": "inner pages", "overflow": "overflow pages", "map": "mapping table",
         "meta": "anchors", "cleaning": "moved by cleaning", "moved": "moved by the device", "padding": "padded by the device"}
MOST = 60  # bars
BAR = 0.16  # inches a bar


def sources(run, phase="run"):
    """{source: bytes} of what was written, and how many of the host's bytes the device absorbed; None if nothing was.

    LoadError if the counters do not add up."""
    host = run.metric(phase, "host_write_bytes")
    if not host:
        return None
    parts = {"cleaning" if tag == "clean" else tag: run.metric(phase, f"host_write_bytes_{tag}") or 0 for tag in TAGS}
    if sum(parts.values()) != host:
        raise load.LoadError(f"{run.path}: the sources sum to {sum(parts.values())} bytes, host_write_bytes is {host}")
    media, moved = run.metric(phase, "media_write_bytes") or 0, run.metric(phase, "media_moved_bytes") or 0
    rest = media - host - moved if media else 0
    return {**parts, "moved": moved, "padding": max(rest, 0)}, max(-rest, 0)


def bars(experiment, phase="run"):
    """[(label, {source: bytes per client byte})], the least sum first; and how many runs have no client bytes."""
    found, left_out = [], 0
    for run in experiment.runs:
        client, parts = run.metric(phase, "user_write_bytes"), sources(run, phase)
        if not client or parts is None:
            left_out += 1
            continue
        found.append((label(experiment, run), {name: value / client for name, value in parts[0].items()}))
    return sorted(found, key=lambda bar: (sum(bar[1].values()), bar[0])), left_out


def label(experiment, run):
    """What the run differs in from others, in words."""
    words = [style.phrase(key, value) for key, value in run.run.get("sweep", {}).items() if key != "seed"]
    if len({other.run.get("group", "") for other in experiment.runs}) > 1:
        words.insert(0, run.run.get("group", ""))
    if len({other.seed for other in experiment.runs}) > 1:
        words.append(f"seed {run.seed}")
    return ", ".join(filter(None, words)) or run.label


def thinned(found, most=MOST):
    """Evenly spaced in their order, the first and the last among them."""
    if len(found) <= most:
        return found
    return [found[round(at * (len(found) - 1) / (most - 1))] for at in range(most)]


def draw(experiment, pyplot, phase="run"):
    all_bars, left_out = bars(experiment, phase)
    if not all_bars:
        raise load.LoadError(f"{experiment.directory} has no run in which clients wrote in phase {phase}")
    shown = thinned(all_bars)
    said = [f"Bytes written in phase {phase} per byte of keys and values that clients asked to write; the number is the sum."]
    if len(shown) < len(all_bars):
        said.append(f"{len(shown)} of {len(all_bars)} runs, evenly spaced in the order of their sums.")
    if left_out:
        said.append(f"{measures.counted(left_out, 'run')} in which clients wrote nothing left out.")
    said.append(measures.uncounted_words(experiment))
    text = " ".join(filter(None, said))
    width = against.PAGE
    lines = against.caption_lines(text, width)
    height = 1.25 + BAR * len(shown) + 0.125 * lines
    longest = max(len(name) for name, _ in shown)
    figure, axes = pyplot.subplots(figsize=(width, height))
    figure.subplots_adjust(left=min(0.6, (0.25 + longest * 0.058) / width), right=0.93, top=1 - 0.68 / height,
                           bottom=(0.45 + 0.125 * lines) / height)
    used = [name for name in SOURCES if any(parts.get(name) for _, parts in shown)]
    greatest = max(sum(parts.values()) for _, parts in shown)
    for at, (name, parts) in enumerate(shown):
        left = 0.0
        for source in used:
            colour, _, hatch = style.look("source", source)
            axes.barh(at, parts[source], 0.78, left=left, color=colour, hatch=hatch, edgecolor="white", linewidth=0.3)
            left += parts[source]
        axes.text(left + greatest * 0.008, at, style.number(left), va="center", fontsize=against.SMALL)
    axes.set_yticks(range(len(shown)), labels=[name for name, _ in shown], fontsize=against.SMALL)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, greatest * 1.02)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x")
    axes.grid(False, axis="y")
    axes.set_xlabel("bytes written per client byte", labelpad=2)
    figure.text(0.06 / width, 1 - 0.06 / height, QUESTION, fontsize=10, fontweight="bold", va="top")
    from matplotlib.patches import Patch
    handles = [Patch(facecolor=style.look("source", source)[0], hatch=style.look("source", source)[2], edgecolor="white",
                     label=WORDS.get(source, source)) for source in used]
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1 - 0.22 / height), ncol=min(5, len(used)),
                  frameon=False, fontsize=against.SMALL + 0.5, columnspacing=1.0, handletextpad=0.4, labelspacing=0.2)
    against.caption(figure, text)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=pathlib.Path, nargs="+", help="a directory of results, or result files")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="directory for the pictures")
    parser.add_argument("--phase", default="run")
    parser.add_argument("--stem", default="explain", help="name of the pictures; {name} is the experiment's")
    parser.add_argument("--if-any", action="store_true", help="draw nothing where clients wrote nothing")
    options = parser.parse_args()
    try:
        one = options.runs[0]
        experiment = load.load(one) if one.is_dir() else load.load_files(options.runs)
        if options.if_any and not bars(experiment, options.phase)[0]:
            return 0
        pyplot = style.matplotlib_defaults()
        figure = against.finish(draw(experiment, pyplot, options.phase), experiment)
        style.save(figure, options.out / options.stem.format(name=experiment.name), QUESTION,
                   measures.caption(experiment))
    except (load.LoadError, style.WriteError) as error:
        print(f"explain.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
