"""load.py - reads the results of an experiment: results/runs/<experiment>/*.jsonl, one file per run.

A file is a list of rows, told apart by their member "row":

    run     what was run: experiment, run_id, index, seed, label, choices {axis: choice}, spec {key: text}
    host    where: facts that differ between machines and never enter a digest
    phase   counters of one phase (load, settle, warm, run, verify ...): flat, integers, the unit last in the name
    hist    latencies of one phase, op and kind: buckets [[greatest ns of the bucket, count], ...]
    series  samples over time
    device  what a device run counted, node what a run of layouts did; derived: ratios of it, and what theory says
    end     status and digest; the last row of a file, without which the file is not a result

What this module promises to its callers:
1. A run that is returned ended with status "ok". Everything else is in `refused`, with the reason in words,
   or in `skipped` if the run itself said that its combination is not allowed or its device not there.
2. All runs of an experiment have one schema and one experiment name, else LoadError: such numbers must not be compared.
3. Of several results of one index (the experiment file was changed and run again) the newest file counts.
4. Nothing is averaged or guessed: a metric that a run does not have is None, never 0.
"""

import json
import pathlib
from dataclasses import dataclass, field


class LoadError(Exception):
    """The results cannot be used as a whole; the text says why and names the file."""


@dataclass
class Hist:
    """A latency histogram. A bucket is known by the greatest value that falls into it."""
    count: int
    sum_ns: int
    least_ns: int
    greatest_ns: int
    buckets: list

    def quantile_ns(self, permyriad):
        """Upper bound of the bucket with the value of this rank (9900 = p99), never above the greatest value."""
        if self.count == 0:
            return None
        rank = max(1, -(-self.count * permyriad // 10000))
        seen = 0
        for upper_ns, count in self.buckets:
            seen += count
            if seen >= rank:
                return min(upper_ns, self.greatest_ns)
        return self.greatest_ns


@dataclass
class Run:
    """One finished run."""
    path: pathlib.Path
    run: dict
    host: dict
    end: dict
    phases: dict = field(default_factory=dict)  # name -> counters
    hists: dict = field(default_factory=dict)   # (phase, op, kind) -> Hist
    series: list = field(default_factory=list)
    device: dict = field(default_factory=dict)   # of device runs: counters, in their "describe" the device's own
    node: dict = field(default_factory=dict)     # of runs of layouts: counters
    derived: dict = field(default_factory=dict)  # of both: ratios and what theory says
    wall: dict = field(default_factory=dict)     # of runs of layouts: what depends on the machine

    @property
    def label(self):
        return self.run.get("label") or self.run.get("run_id", self.path.stem)

    @property
    def seed(self):
        return self.run.get("seed")

    @property
    def spec(self):
        return self.run.get("spec", {})

    def choice(self, axis):
        """Registry name of the choice on an axis; "-" where the axis does not apply."""
        return self.run.get("choices", {}).get(axis, "-")

    def metric(self, phase, name):
        """A counter of a phase, or None if the run has no such phase or counter."""
        return self.phases.get(phase, {}).get(name)

    def number(self, name):
        """A number of a device run, or of its specification: derived, counted, described or asked for; None if none."""
        for row in (self.derived, self.device, self.device.get("describe", {}), self.node):
            if name in row:
                return row[name]
        try:
            return float(self.spec[name])
        except (KeyError, ValueError):
            return None

    def quantile_ns(self, phase, op, permyriad, kind="service"):
        hist = self.hists.get((phase, op, kind))
        return hist.quantile_ns(permyriad) if hist else None

    def operations_per_second(self, phase="run"):
        """Throughput, from counters."""
        operations, elapsed_ns = self.metric(phase, "operations"), self.metric(phase, "elapsed_ns")
        return operations * 1e9 / elapsed_ns if operations and elapsed_ns else None

    def sum_of(self, phase, prefix):
        """Sum of all counters of a phase whose names begin so; None if there is none."""
        values = [value for name, value in self.phases.get(phase, {}).items() if name.startswith(prefix)]
        return sum(values) if values else None


@dataclass
class Experiment:
    name: str
    directory: pathlib.Path
    runs: list
    refused: list   # (path, reason)
    skipped: list   # (run row, reason)

    def values(self, key):
        """Sorted distinct values of an axis or spec key over all runs."""
        return sorted({value_of(run, key) for run in self.runs} - {None})


def value_of(run, key):
    """Value of a key of the specification, or the choice on an axis of that name."""
    return run.run.get("choices", {}).get(key) or run.spec.get(key)


def _read(path):
    """(rows, reason): all rows of a file, or why it is not a result."""
    rows = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith("\n"):
                    return None, f"line {number} is cut off"
                rows.append(json.loads(line))
                if not isinstance(rows[-1], dict) or "row" not in rows[-1]:
                    return None, f"line {number} is not a row"
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        return None, f"cannot be read: {error}"
    kinds = [row["row"] for row in rows]
    if not kinds or kinds[0] != "run":
        return None, "does not begin with a run row"
    if kinds[-1] != "end":
        return None, "has no end row: the run did not finish"
    if kinds.count("run") != 1 or kinds.count("end") != 1:
        return None, "holds more than one run"
    return rows, None


def _assemble(path, rows):
    run = Run(path, rows[0], {}, rows[-1])
    for row in rows[1:-1]:
        body = {name: value for name, value in row.items() if name != "row"}
        if row["row"] == "host":
            run.host = body
        elif row["row"] == "phase":
            run.phases[body.pop("phase")] = body
        elif row["row"] == "hist":
            run.hists[(body["phase"], body["op"], body["kind"])] = Hist(
                body["count"], body["sum_ns"], body["least_ns"], body["greatest_ns"], body["buckets"])
        elif row["row"] == "series":
            run.series.append(body)
        elif row["row"] in ("device", "node", "derived", "wall"):
            setattr(run, row["row"], body)
    return run


def _newest(runs):
    """(runs in order of their index, the newest of each; [(outdated run, the newest of its index)])"""
    by_index, outdated = {}, []
    for run in sorted(runs, key=lambda run: (run.path.stat().st_mtime_ns, run.path.name)):
        other = by_index.get(run.run.get("index"))
        by_index[run.run.get("index")] = run
        if other:
            outdated.append((other, run))
    return [by_index[index] for index in sorted(by_index, key=lambda index: (index is None, index))], outdated


def load(directory):
    """Read an experiment's results. LoadError if there is no result at all, or results that do not go together."""
    directory = pathlib.Path(directory)
    paths = sorted(directory.glob("*.jsonl"))
    if not paths:
        raise LoadError(f"{directory} holds no results (*.jsonl)")
    return _load_all(directory, paths)


def load_files(paths):
    """The same of these files of one experiment."""
    return _load_all(pathlib.Path(paths[0]).parent, sorted(map(pathlib.Path, paths)))


def _load_all(directory, paths):
    runs, refused, skipped, schemas, names = [], [], [], {}, {}
    for path in paths:
        rows, reason = _read(path)
        if rows is None:
            refused.append((path, reason))
            continue
        schemas.setdefault(rows[0].get("schema"), path)
        names.setdefault(rows[0].get("experiment"), path)
        end = rows[-1]
        if end.get("status") == "skipped":
            skipped.append((rows[0], end.get("reason") or "no reason given"))
        elif end.get("status") != "ok":
            refused.append((path, f"ended with status {end.get('status')!r}"
                            + (f": {end['reason']}" if end.get("reason") else "")))
        else:
            runs.append(_assemble(path, rows))
    for what, found in (("schemas", schemas), ("experiments", names)):
        if len(found) > 1:
            shown = ", ".join(f"{value} ({path.name})" for value, path in found.items())
            raise LoadError(f"{directory} mixes {what}: {shown}; move the old results away and run again")
    runs, outdated = _newest(runs)
    refused += [(run.path, f"older than {newest.path.name}, which is run {run.run.get('index')} of the same experiment")
                for run, newest in outdated]
    name = next(iter(names), directory.name)
    return Experiment(name or directory.name, directory, runs, refused, skipped)
