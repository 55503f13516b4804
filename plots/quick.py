#!/usr/bin/python3
"""quick.py - gnuplot figures of any experiment: data tables, a script beside them, PNG and SVG.

One figure per measure; one panel per device and workload; one bar per variant, the median over its seeds, with their
range. The tables (.dat) and the script (.gp) stay beside the pictures, so that a figure can be changed by hand and
drawn again with `gnuplot name.gp`. If plots/quick/<experiment>.gp exists, it is run too, in the same directory.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

#           name            measure                        label
MEASURES = (
    ("throughput", measures.kops,                 "thousand operations/s"),
    ("writes",     measures.write_amplification,  "bytes written / byte of the user"),
    ("latency",    measures.p99_read_us,          "p99 of reads, microseconds"),
    ("space",      measures.space_amplification,  "device bytes used / byte of the user"),
)


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def write_table(path, table, others, measure):
    """One gnuplot index (block) per panel; returns the panels that have any value, in order."""
    panels = []
    outers = measures.order_variants(("device", "workload"), table)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"# variant ({', '.join(others) or 'the only one'}), median, least, greatest over seeds\n")
        for outer in outers:
            rows = []
            for inner in measures.order_variants(others, table[outer]):
                values = [value for value in map(measure, table[outer][inner]) if value is not None]
                if values:
                    name = " ".join(style.word(value) for value in inner) or "all"
                    rows.append((name, measures.median(table[outer][inner], measure), min(values), max(values)))
            if not rows:
                continue
            panels.append((outer, len(rows), max(len(row[0]) for row in rows)))
            file.write(f"\n\n# {' '.join(map(str, outer))}\n")
            file.writelines(f'"{name}" {middle:.9g} {least:.9g} {greatest:.9g}\n'
                            for name, middle, least, greatest in rows)
    return panels


def write_script(path, stem, panels, label, title):
    """A gnuplot script that draws stem.dat into stem.svg and stem.png."""
    columns = len({panel[0][1] for panel in panels}) or 1
    rows = -(-len(panels) // columns)
    bars, letters = max(panel[1] for panel in panels), max(panel[2] for panel in panels)
    width, height = max(360, 80 + 26 * bars) * columns, 40 + (220 + 7 * letters) * rows
    colour = style.BLUE
    lines = [
        f"# {title}: {label}. Drawn from {stem}.dat.",
        "set style fill solid 0.85 noborder", "set boxwidth 0.7", "set grid ytics lc rgb '#dddddd'",
        "set xtics rotate by 90 right nomirror scale 0", "set ytics nomirror autofreq", "set border 3", "unset key",
        "set yrange [0:*]",
        f"set bmargin {2 + 0.45 * letters:.1f}", "set tmargin 4", "set lmargin 9", f"set ylabel {quoted(label)}",
        "do for [ending in 'svg png'] {",
        f"  if (ending eq 'svg') {{ set terminal svg size {width},{height} font 'DejaVu Sans,11' "
        "background '#ffffff' }",
        f"  else {{ set terminal pngcairo size {width},{height} font 'DejaVu Sans,9' }}",
        f"  set output {quoted(stem + '.')} . ending",
        f"  set multiplot layout {rows},{columns} title {quoted(title)} noenhanced",
    ]
    for number, (outer, _, _) in enumerate(panels):
        name = f"{style.word(outer[0])}, {outer[1]}"
        data = f"{quoted(stem + '.dat')} index {number}"
        lines += [f"  set title {quoted(name)} noenhanced",
                  f"  plot {data} using 0:2:xtic(1) with boxes lc rgb '{colour}', "
                  f"{data} using 0:3:(0):($4-$3) with vectors nohead lc rgb 'black'"]
    lines += ["  unset multiplot", "  unset output", "}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(experiment, out):
    """All figures of an experiment; returns how many."""
    table, others = measures.variants(experiment)
    scripts = []
    for name, measure, label in MEASURES:
        stem = f"{experiment.name}.{name}"
        panels = write_table(out / f"{stem}.dat", table, others, measure)
        if not panels:
            (out / f"{stem}.dat").unlink()
            continue
        scripts.append(out / f"{stem}.gp")
        write_script(scripts[-1], stem, panels, label, f"{experiment.name}: {measures.caption(experiment)}")
    by_hand = pathlib.Path(__file__).resolve().parent / "quick" / f"{experiment.name}.gp"
    if by_hand.exists():
        scripts.append(by_hand)
    for script in scripts:
        done = subprocess.run(["gnuplot", str(script)], cwd=out, capture_output=True, text=True, check=False)
        # gnuplot says what went wrong on stderr and may still end with 0.
        if done.returncode != 0 or "error" in done.stderr.lower():
            raise load.LoadError(f"gnuplot {script} failed: {done.stderr.strip()}")
    return len(scripts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=pathlib.Path, help="directory of the experiment's results")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="directory for tables, scripts and pictures")
    options = parser.parse_args()
    if not shutil.which("gnuplot"):
        print("quick.py: gnuplot is not installed (package gnuplot-nox)", file=sys.stderr)
        return 1
    try:
        experiment = load.load(options.runs)
        if not experiment.runs:
            raise load.LoadError(f"{options.runs} holds no finished run")
        options.out.mkdir(parents=True, exist_ok=True)
        draw(experiment, options.out)
    except load.LoadError as error:
        print(f"quick.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
