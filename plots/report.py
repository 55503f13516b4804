#!/usr/bin/python3
"""report.py - one self-contained HTML page of an experiment.

Everything a reader needs is in the file: the question, what the numbers say in words, the figures (SVG, inline), a
table of all runs, the combinations that were left out and why, where and how it was run, and the command that runs each
line again. No external resource is fetched. The table sorts by a few lines of script and is complete without them.

Every sentence is computed from the counters. "As fast" means within NOISE of each other.
"""

import argparse
import html
import json
import math
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

NOISE = 0.02
FIRST = ".throughput."  # the measure that the words are about is the first of the plain figures
GROW, LEAST_WIDTH = 1.35, 760  # how far a figure may grow, and the width below which it scrolls instead of shrinking
ROOT = pathlib.Path(__file__).resolve().parent.parent


def text(value):
    return html.escape(str(value))


def unbroken(words):
    """A number stays on one line with its sign or unit."""
    return words.replace(" %", "\N{NO-BREAK SPACE}%").replace("× ", "×\N{NO-BREAK SPACE}")


def variant_words(others, variant):
    words = [style.phrase(key, value) for key, value in zip(others, variant)]
    return ", ".join(word for word in words if word) or "the only variant"


def choice_words(axis, choice):
    return style.value_word(axis, choice) or "not given"


def setting_words(outer):
    device, workload = outer
    mix = f" ({measures.MIX[workload]})" if workload in measures.MIX else ""
    return f"{style.value_word('device', device)}, {style.value_word('workload', workload)}{mix}"


# --- what the numbers say ---------------------------------------------------------------------------------------------

def ranking(table, others):
    """Per device and workload: the fastest variant, how far the slowest is behind, what it costs in writes."""
    rows = []
    for outer in measures.order_variants(("device", "workload"), table):
        speeds = {variant: measures.median(runs, measures.kops) for variant, runs in table[outer].items()}
        speeds = {variant: value for variant, value in speeds.items() if value}
        if not speeds:
            continue
        best, worst = max(speeds, key=speeds.get), min(speeds, key=speeds.get)
        tied = [variant for variant, value in speeds.items()
                if variant != best and value >= speeds[best] * (1 - NOISE)]
        writes = measures.median(table[outer][best], measures.write_amplification)
        p99 = measures.median(table[outer][best], measures.p99_read_us)
        rows.append([
            setting_words(outer), variant_words(others, best), style.number(speeds[best]),
            f"{speeds[best] / speeds[worst]:.2f} × {variant_words(others, worst)}" if len(speeds) > 1 else "-",
            "; ".join(variant_words(others, variant) for variant in measures.order_variants(others, tied)) or "-",
            "-" if writes is None else style.number(writes), "-" if p99 is None else style.number(p99)])
    return ["device and workload", "fastest variant", "thousand operations/s", "against the slowest",
            f"within {NOISE * 100:.0f} % of it", "its bytes written / user byte", "its p99 of reads, µs"], rows


def effects(table, others):
    """Per axis: throughput of each choice over the first one, all else equal; geometric mean, least and greatest."""
    rows = []
    for at, axis in enumerate(others):
        choices = measures.order(axis, {variant[at] for group in table.values() for variant in group})
        for choice in choices[1:]:
            for outer in measures.order_variants(("device", "workload"), table):
                ratios = []
                for variant, runs in table[outer].items():
                    base = variant[:at] + (choices[0],) + variant[at + 1:]
                    if variant[at] != choice or base not in table[outer]:
                        continue
                    value, basis = (measures.median(one, measures.kops) for one in (runs, table[outer][base]))
                    if value and basis:
                        ratios.append(value / basis)
                if ratios:
                    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
                    rows.append((axis, choice, choices[0], outer, mean, min(ratios), max(ratios), len(ratios)))
    return rows


def real_settings(table):
    """Devices and workloads whose times are wall-clock times of this machine."""
    return {outer for outer, group in table.items() for runs in group.values() for run in runs
            if not run.run.get("simulated")}


def sentences(effect_rows, real=frozenset(), companions=None):
    """The effects in words: one sentence per choice, naming where it helps, where it hurts, and by how much.

    companions: {axis: [axes that change with it]}; "all else equal" leaves them out.
    Settings on real devices are left out, unless there are no others: one run on a shared machine proves nothing."""
    def spread(least, greatest):
        """Pairs are told where they say anything that the mean does not."""
        if round(least, 2) == round(greatest, 2):
            return ""
        return f"; single pairs × {least:.2f} to × {greatest:.2f}"

    said = []
    simulated = [row for row in effect_rows if row[3] not in real]
    left_out = len(simulated) < len(effect_rows) and simulated
    effect_rows = simulated or effect_rows
    pairs = []
    for axis, choice, base, *_ in effect_rows:
        if (axis, choice, base) not in pairs:
            pairs.append((axis, choice, base))
    for axis, choice, base in pairs:
        same = [row for row in effect_rows if row[:3] == (axis, choice, base)]
        means = [(row[3], row[4]) for row in same]
        groups = (("faster", [pair for pair in means if pair[1] >= 1 + NOISE]),
                  ("slower", [pair for pair in means if pair[1] <= 1 - NOISE]),
                  ("as fast", [pair for pair in means if abs(pair[1] - 1) < NOISE]))
        parts = []
        for verdict, found in groups:
            if not found:
                continue
            where = f"in {len(found)} of {measures.counted(len(means), 'setting')}"
            if len(found) == len(means):
                where = "everywhere" if len(means) > 1 else f"on {setting_words(found[0][0])}"
            if verdict == "as fast":
                parts.append(f"as fast (within {NOISE * 100:.0f} %) {where}")
            else:
                extreme = (max if verdict == "faster" else min)(found, key=lambda pair: pair[1])
                most = f", most on {setting_words(extreme[0])}" if len(means) > 1 and len(found) > 1 else ""
                most = most or (f", on {setting_words(extreme[0])}" if len(means) > 1 else "")
                parts.append(f"{verdict} {where}{most} (× {extreme[1]:.2f})")
        pairs_said = spread(min(row[5] for row in same), max(row[6] for row in same))
        about = style.key_word(axis) + "".join((", and with it " if number == 0 else ", ") + style.key_word(other)
                                               for number, other in enumerate((companions or {}).get(axis, ())))
        said.append(f"<strong>{text(choice_words(axis, choice))}</strong> against {text(choice_words(axis, base))} "
                    f"({text(about)}), all else equal: {text('; '.join(parts) + pairs_said)}.")
    if left_out:
        devices = ", ".join(style.word(name) for name in measures.order("device", {device for device, _ in real}))
        said.append(f"Runs on a real device ({text(devices)}) are wall-clock times of one machine at one time. They "
                    "are in the figures and tables, not in these sentences.")
    return said


# --- pieces of the page -----------------------------------------------------------------------------------------------

def plain_table(head, rows, caption):
    cells = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{unbroken(text(value))}</td>" for value in row) + "</tr>\n" for row in rows)
    return (f'<div class="wide"><table><caption>{text(caption)}</caption><thead><tr>{cells}</tr></thead>\n'
            f"<tbody>{body}</tbody></table></div>")


def effect_table(rows):
    shown = [[style.key_word(axis), f"{choice_words(axis, choice)} / {choice_words(axis, base)}", setting_words(outer),
              f"{mean:.3f}", f"{least:.3f} … {greatest:.3f}", pairs]
             for axis, choice, base, outer, mean, least, greatest, pairs in rows]
    return plain_table(["axis", "choice / basis", "device and workload", "ratio of throughput (geometric mean)",
                        "least … greatest", "pairs"], shown, "What one choice changes, all else equal")


COLUMNS = (
    ("thousand operations/s", measures.kops),
    ("p50 read, µs", lambda run: in_us(run.quantile_ns("run", "read", 5000))),
    ("p99 read, µs", measures.p99_read_us),
    ("p99 update, µs", lambda run: in_us(run.quantile_ns("run", "update", 9900))),
    ("engine bytes / user byte", lambda run: per_user_byte(run, measures.host_write_bytes(run))),
    ("media bytes / user byte", lambda run: per_user_byte(run, run.metric("run", "media_write_bytes"))),
    ("space used / logical", measures.space_amplification),
    ("pool hits, %", lambda run: hit_percent(run)),
)


def in_us(value_ns):
    return None if value_ns is None else value_ns / 1e3


def per_user_byte(run, value):
    user = run.metric("run", "user_write_bytes")
    return value / user if user and value else None


def hit_percent(run):
    hits, misses = run.metric("run", "pool_hits"), run.metric("run", "pool_misses")
    return 100 * hits / (hits + misses) if hits is not None and misses is not None and hits + misses else None


def rerun(experiment, run):
    return f"./lab run harness/exp/{experiment.name}.ini --index {run.run.get('index', 0)}"


def first_number(run, ending):
    """The first derived number whose name ends so."""
    return next((value for name, value in run.derived.items() if name.endswith(ending)), None)


# Of device runs; those that no run has are left out.
DEVICE_COLUMNS = (
    ("write amplification", lambda run: run.derived.get("write_amplification")),
    ("effective utilisation", lambda run: run.derived.get("utilisation_effective")),
    ("FIFO theory", lambda run: run.derived.get("formula_fifo")),
    ("greedy theory", lambda run: run.derived.get("formula_greedy")),
    ("theory, classes mixed", lambda run: run.derived.get("formula_fifo_mixed")),
    ("optimum", lambda run: run.derived.get("formula_optimal")),
    ("operations/s", lambda run: first_number(run, "_operations_per_second")),
    ("MiB/s", lambda run: first_number(run, "_bandwidth_mib_per_s")),
    ("mean, µs", lambda run: first_number(run, "_latency_mean_us")),
    ("p99, µs", lambda run: first_number(run, "_latency_p99_us")),
)


def columns(experiment):
    if not any(run.derived for run in experiment.runs):
        return COLUMNS
    return tuple((name, of) for name, of in DEVICE_COLUMNS if any(of(run) is not None for run in experiment.runs))


def run_table(experiment, keys):
    head = ["#"] + list(keys) + ["seed"] + [name for name, _ in columns(experiment)] + ["digest", "run it again"]
    lines = []
    for run in experiment.runs:
        cells = [f'<td data-v="{run.run.get("index", 0)}">{text(run.run.get("index", "-"))}</td>']
        cells += [f"<td>{text(measures.dimension(run, key) or '-')}</td>" for key in keys]
        cells.append(f"<td>{text(run.seed)}</td>")
        for _, measure in columns(experiment):
            value = measure(run)
            cells.append('<td class="n" data-v="">-</td>' if value is None else
                         f'<td class="n" data-v="{value:.9g}">{style.number(value)}</td>')
        cells.append(f'<td><code>{text(str(run.end.get("digest", "-"))[:16])}</code></td>')
        cells.append(f"<td><code>{text(rerun(experiment, run))}</code></td>")
        lines.append("<tr>" + "".join(cells) + "</tr>\n")
    names = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return (f'<div class="wide"><table class="sortable"><caption>All {measures.counted(len(lines), "run")}'
            f"{'' if any(run.derived for run in experiment.runs) else ', phase <code>run</code>'}. A column's head sorts by it.</caption><thead><tr>{names}</tr></thead>\n"
            f"<tbody>{''.join(lines)}</tbody></table></div>")


def inline_svg(path, number, words):
    """The SVG element of a file, its ids made unique in the page, labelled for those who cannot see it."""
    svg = path.read_text(encoding="utf-8")
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", svg, flags=re.S)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="f{number}-\1"', svg)
    svg = re.sub(r"\bid='([^']+)'", rf"id='f{number}-\1'", svg)
    svg = re.sub(r"(href=[\"'])#", rf"\1#f{number}-", svg)
    svg = re.sub(r"url\(#", f"url(#f{number}-", svg)
    head, rest = svg.split(">", 1)
    if "viewBox" not in head:
        size = [re.search(rf'{name}="([\d.]+)', head) for name in ("width", "height")]
        head += f' viewBox="0 0 {size[0].group(1)} {size[1].group(1)}"'
    head = re.sub(r'\s(width|height)="[^"]*"', "", head)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', head).group(1))
    # Not blown up beyond what its letters are made for; what is too small on a phone scrolls in its own box.
    limits = f"max-width:{width * GROW:.0f}px;min-width:{min(width, LEAST_WIDTH):.0f}px"
    return (f'<div class="wide">{head} style="{limits}" role="img" aria-label="{text(words)}">{rest}</div>')


def figures(directory, experiment, alternative):
    """The paper figure first and open; gnuplot's below, folded."""
    main, quick = directory / f"{experiment.name}.svg", sorted(
        directory.glob(f"{experiment.name}.*.svg"), key=lambda path: (FIRST not in path.name, path.name))
    parts = []
    if main.exists():
        parts.append(f"<figure>{inline_svg(main, 0, alternative)}</figure>")
    inner = "".join(f"<figure>{inline_svg(path, number, f'{path.stem}: the numbers are in the table of all runs')}"
                    f"<figcaption><code>{text(path.stem)}</code></figcaption></figure>"
                    for number, path in enumerate(quick, 1))
    if inner:
        parts.append(f"<details{'' if main.exists() else ' open'}><summary>Each measure by itself</summary>{inner}"
                     "</details>")
    return "".join(parts)


def left_out(experiment):
    parts = []
    if experiment.skipped:
        grouped = {}
        for run, reason in experiment.skipped:
            grouped.setdefault(reason, []).append(run.get("label") or run.get("run_id"))
        items = "".join(f"<li>{text(reason)} <details><summary>{measures.counted(len(labels), 'combination')}</summary>"
                        f"{text('; '.join(labels))}</details></li>" for reason, labels in sorted(grouped.items()))
        parts.append(f"<p>Left out, with the reason:</p><ul>{items}</ul>")
    else:
        parts.append("<p>No combination was left out.</p>")
    if experiment.refused:
        items = "".join(f"<li><code>{text(path.name)}</code>: {text(reason)}</li>"
                        for path, reason in experiment.refused)
        parts.append(f'<p class="bad">Not used, because they are no finished results:</p><ul>{items}</ul>')
    return "".join(parts)


def judged(experiment):
    """What `pagelab report` found of the claims: [{name, text, label, holds, measured, reference | missing}]."""
    try:
        readings = json.loads((experiment.directory / "claims.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [reading for reading in readings if isinstance(reading, dict) and "holds" in reading]


def reading_row(reading):
    """One line of the table of claims."""
    cells = [f"<td>{text(reading['name'])}</td>", f"<td>{text(reading['label'])}</td>"]
    if "missing" in reading:
        cells.append(f'<td colspan="3">{text(reading["missing"])}</td>')
    else:
        measured, reference = reading["measured"], reading["reference"]
        off = f"{(measured / reference - 1) * 100:+.2f} %" if reference else "-"
        cells += [f'<td class="n">{measured:.6g}</td>', f'<td class="n">{reference:.6g}</td>', f'<td class="n">{off}</td>']
    cells.append("<td>holds</td>" if reading["holds"] else '<td class="bad">FAILS</td>')
    return "<tr>" + "".join(cells) + "</tr>"


def verdicts(readings):
    """The judged claims: how many hold, and each reading."""
    failed = [reading for reading in readings if not reading["holds"]]
    claims = sorted({(reading["name"], reading["text"]) for reading in readings})
    said = (f'<p class="bad">{len(failed)} of {measures.counted(len(readings), "reading")} FAIL.</p>' if failed else
            f"<p>All {measures.counted(len(claims), 'claim')} hold, in {measures.counted(len(readings), 'reading')}.</p>")
    names = "".join(f'<th scope="col">{name}</th>' for name in ("claim", "run", "measured", "reference", "deviation", ""))
    return (said + plain_table(["about", "claim"], claims, "Judged claims")
            + f'<details{" open" if failed else ""}><summary>Every reading</summary><div class="wide"><table>'
            f"<thead><tr>{names}</tr></thead><tbody>{''.join(map(reading_row, readings))}</tbody></table></div></details>")


def expectations(experiment):
    """Claims that the experiment makes, if it makes any: judged ones with their verdicts, then stated ones."""
    claims = sorted({(name, value) for run in experiment.runs for name, value in (run.run.get("expect") or {}).items()})
    readings = judged(experiment)
    known = {(reading["name"], reading["text"]) for reading in readings}
    stated = [claim for claim in claims if claim not in known]
    if not claims:
        return ""
    parts = ["<h2>Claims</h2>"]
    if readings:
        parts.append(verdicts(readings))
    if stated:
        parts.append("<p><strong>Stated, not judged:</strong> this is what the experiment file expects "
                     "(<code>expect.*</code>), from a paper or from its design. Nothing on this page checks whether the "
                     "numbers bear it out; that is the reader's to do.</p>"
                     + plain_table(["about", "claim"], stated, "Claims"))
    return "".join(parts)


def warnings(experiment):
    """What a reader must know before the numbers."""
    said = []
    if experiment.refused:
        said.append(f"{measures.counted(len(experiment.refused), 'result')} could not be used and are missing below; "
                    "the reasons stand under “What is not here”.")
    if len(measures.revisions(experiment)) > 1:
        said.append(f"These runs come from {len(measures.revisions(experiment))} revisions of the program; remove the "
                    "older results and run again before you conclude anything.")
    return "".join(f'<p class="bad">{text(sentence)}</p>' for sentence in said)


def provenance(experiment):
    hosts = [{(key, str(value)) for key, value in run.host.items()} for run in experiment.runs]
    shared = {key: value for key, value in experiment.runs[0].spec.items()
              if all(run.spec.get(key) == value for run in experiment.runs)}
    facts = [["runs", len(experiment.runs)], ["seeds", measures.seeds(experiment)],
             ["revision", ", ".join(measures.revisions(experiment))],
             ["simulated runs", sum(bool(run.run.get("simulated")) for run in experiment.runs)],
             ["schema", experiment.runs[0].run.get("schema")]]
    parts = [plain_table(["what", "value"], facts, "The experiment")]
    # Facts of a host that all runs share are told once; those that differ from run to run stay in the files.
    common = sorted(set.intersection(*hosts))
    if common:
        parts.append(plain_table(["fact", "value"], common,
                                 "The machine and the program, as far as the same for all runs"))
    parts.append(plain_table(["key", "value"], sorted(shared.items()),
                             "The specification, as far as the same for all runs"))
    return "".join(parts)


STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; color: #111; background: #fff; max-width: 76rem;
       margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
p.sub { color: #444; margin-top: 0; } .bad { color: #a00000; font-weight: 600; }
figure { margin: 1rem 0; } figure svg { width: 100%; height: auto; } figcaption { color: #444; font-size: .85rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .82rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .2rem .55rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #555; vertical-align: bottom; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer; text-align: left;
            color: #0b4f8a; }
th button:focus-visible, summary:focus-visible { outline: 2px solid #0b4f8a; outline-offset: 2px; }
code { font-size: .92em; } .sortable code { white-space: nowrap; } summary { cursor: pointer; color: #0b4f8a; }
tbody tr:hover { background: #f3f6fa; }
@media (max-width: 40rem) { body { padding: .5rem 1rem 3rem; } ul { padding-left: 1.2rem; }
  table:not(.sortable) :is(th, td) { min-width: 5.5rem; } }
@media print { body { font-size: 10pt; max-width: none; padding: 0; } .wide { overflow: visible; }
  table { font-size: 7pt; }
  details { display: none; } figure, tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button"; button.textContent = head.textContent; head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      const value = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const rows = [...body.rows].sort((a, b) => {
        const x = value(a), y = value(b), order = x === "" || y === "" ? (x === "") - (y === "") :
          isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return x === "" || y === "" ? order : down ? -order : order;
      });
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows);
    });
  });
}
"""


def question(experiment):
    """The title that the experiment gives itself, else the question of its paper figure, else its name."""
    title = (experiment.runs[0].run.get("hints") or {}).get("title")
    if title:
        return title
    figure = ROOT / "plots" / "paper" / f"{experiment.name}.py"
    found = re.search(r'^QUESTION = "([^"]+)"', figure.read_text(encoding="utf-8"), re.M) if figure.exists() else None
    return found.group(1) if found else f"Experiment {experiment.name}"


def findings(experiment, found, real):
    """The sentences, and what their words mean."""
    if not found:
        return "<p>No two variants differ in one choice only, so there is nothing to compare.</p>"
    companions = {axis: measures.companions(experiment, axis) for axis in {row[0] for row in found}}
    items = "".join(f"<li>{unbroken(sentence)}</li>" for sentence in sentences(found, real, companions))
    return ("<p>About throughput. A setting is a device and a workload; “faster”, “slower” and “as fast” are said of "
            "the geometric mean of all pairs of variants of a setting that differ in this one choice.</p>"
            f"<ul>{items}</ul>")


def page(experiment, figure_directory):
    table, others = measures.variants(experiment)
    head, rows = ranking(table, others)
    found = effects(table, others)
    title = question(experiment)
    alternative = f"{title} " + " ".join(
        f"Fastest on {setting}: {best}, {speed} thousand operations per second." for setting, best, speed, *_ in rows)
    keys = measures.varying(experiment)
    said = effect = ""
    if rows:  # runs of devices alone have no throughput of an engine to speak of
        said = ("<h2>What the numbers say</h2>" + findings(experiment, found, real_settings(table))
                + plain_table(head, rows, "The fastest variant of each setting"))
        effect = ("<h2>One choice at a time</h2><p>Ratios of throughput between variants that differ in one choice only "
                  "(and in what follows from it). Above 1 the choice is faster than its basis.</p>"
                  + effect_table(found))
    about = measures.caption(experiment, "of several seeds the median counts")
    whole = shlex.join(["./lab", "run", f"harness/exp/{experiment.name}.ini", "--out", "results/runs"])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{text(title)} - pagelab {text(experiment.name)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{text(title)}</h1>
<p class="sub">pagelab, experiment <code>{text(experiment.name)}</code>. {text(about)}</p>
{warnings(experiment)}
{said}
<h2>Figures</h2>
{figures(figure_directory, experiment, alternative)}
{effect}
{expectations(experiment)}
<h2>All runs</h2>
{run_table(experiment, keys)}
<h2>What is not here</h2>
{left_out(experiment)}
<h2>Where it comes from</h2>
{provenance(experiment)}
<p>Everything again: <code>{text(whole)}</code>. Numbers of simulated devices are a function of specification and
seed and come out the same on every machine; those of a real device are this machine's, this time.</p>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=pathlib.Path, help="directory of the experiment's results")
    parser.add_argument("--figures", type=pathlib.Path, required=True, help="directory of its figures")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the page to write")
    options = parser.parse_args()
    try:
        experiment = load.load(options.runs)
        if not experiment.runs:
            raise load.LoadError(f"{options.runs} holds no finished run: "
                                 + "; ".join(f"{path.name} {reason}" for path, reason in experiment.refused[:3]))
        whole = page(experiment, options.figures)
        with style.written(options.out) as (part,):
            part.write_text(whole, encoding="utf-8")
    except (load.LoadError, style.WriteError) as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
