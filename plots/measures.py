"""measures.py - what figures and reports compute from counters, in one place, so that they agree.

Ratios are made here, at display, from counters of one phase of one run; never from other ratios.
"""

import statistics

import load

MIX = {"a": "50 % read, 50 % update", "b": "95 % read, 5 % update", "c": "reads only", "d": "95 % read latest",
       "e": "95 % short scans", "f": "50 % read-modify-write"}
BYTES = ("user", "engine", "device")
# The order in which readers meet devices and the like; what is not named here follows by name.
_ORDER = {
    "device": ("sim_ssd", "sim_zns", "sim_opfs", "file", "direct", "uring", "zoned", "opfs", "null"),
    "placement": ("inplace", "shadow", "zone"), "space": ("raw", "lz4", "hole"),
    "node": ("slotted", "ordinal", "b2"),
}


def rank(axis, name):
    """A sorting key for the choices of an axis."""
    known = _ORDER.get(axis, ())
    return (known.index(name) if name in known else len(known), str(name))


def order(axis, names):
    return sorted(names, key=lambda name: rank(axis, name))


def order_variants(axes, variants):
    """Variants (tuples of choices on these axes) in the readers' order."""
    return sorted(variants, key=lambda variant: [rank(axis, name) for axis, name in zip(axes, variant)])


# What an experiment may differ in, most general first; spec keys follow.
AXES = ("device", "workload", "structure", "node", "space", "placement", "addressing", "cleaning", "durability",
        "guard")


def varying(experiment):
    """The axes and spec keys in which the runs differ, most general first.

    Left out: the seed, and what follows from one already named (addressing follows placement, say)."""
    keys = list(AXES)
    for run in experiment.runs:
        keys += [key for key in run.spec if key not in keys and key != "seed"]
    found = []
    for key in keys:
        values = [dimension(run, key) for run in experiment.runs]
        if len(set(values)) < 2:
            continue
        if not any(follows(experiment.runs, other, key) for other in found):
            found.append(key)
    return found


def follows(runs, other, key):
    """True if the value of `other` determines that of `key` in these runs."""
    seen = {}
    return all(seen.setdefault(dimension(run, other), dimension(run, key)) == dimension(run, key) for run in runs)


def dimension(run, key):
    return workload(run) if key == "workload" else load.value_of(run, key)


def variants(experiment, within=("device", "workload")):
    """{(value of each key in within): {(value of each other varying key): [run of each seed]}} and those other keys."""
    others = [key for key in varying(experiment) if key not in within]
    table = {}
    for run in experiment.runs:
        outer = tuple(dimension(run, key) for key in within)
        inner = tuple(dimension(run, key) or "-" for key in others)
        table.setdefault(outer, {}).setdefault(inner, []).append(run)
    return table, others


def median(runs, measure):
    values = [value for value in map(measure, runs) if value is not None]
    return statistics.median(values) if values else None


def space_amplification(run):
    used, logical = run.metric("run", "device_used_bytes"), run.metric("run", "logical_bytes")
    return used / logical if used and logical else None


def workload(run):
    """The letter of a YCSB core workload ("a"), or the workload's own name."""
    name = str(load.value_of(run, "workload") or "-")
    for prefix in ("ycsb/", "ycsb_", "workload"):
        if name.startswith(prefix) and len(name) == len(prefix) + 1:
            return name[len(prefix):]
    return name


def kops(run):
    per_second = run.operations_per_second()
    return None if per_second is None else per_second / 1e3


def p99_read_us(run):
    p99_ns = run.quantile_ns("run", "read", 9900)
    return None if p99_ns is None else p99_ns / 1e3


def host_write_bytes(run, phase="run"):
    """What the engine asked the device to write, all tags."""
    total = run.metric(phase, "host_write_bytes")
    return run.sum_of(phase, "host_write_bytes_") if total is None else total


def amplification(run):
    """(user, engine, device) parts of the bytes written a byte the user wrote; they add up to the whole.

    The user part is 1, or less if not all has been written yet; a device that counts no media adds 0.
    None if the phase wrote nothing of the user's."""
    user, host = run.metric("run", "user_write_bytes"), host_write_bytes(run)
    if not user or host is None:
        return None
    media = max(run.metric("run", "media_write_bytes") or 0, host)
    return (min(host, user) / user, max(host - user, 0) / user, (media - host) / user)


def write_amplification(run):
    parts = amplification(run)
    return None if parts is None else sum(parts)


def revisions(experiment):
    return sorted({str(run.host.get("revision", "unknown")) for run in experiment.runs})


def seeds(experiment):
    found = sorted({run.seed for run in experiment.runs if run.seed is not None})
    return ", ".join(map(str, found)) or "none"


def counted(number, noun):
    return f"{number} {noun}{'' if number == 1 else 's'}"


def caption(experiment):
    """One sentence of provenance for under a figure."""
    many = len({run.seed for run in experiment.runs}) > 1
    return (f"{counted(len(experiment.runs), 'run')}, {'seeds' if many else 'seed'} {seeds(experiment)}"
            f"{'; marks are medians over seeds, lines their range' if many else ''}; "
            f"{'revisions' if len(revisions(experiment)) > 1 else 'revision'} {', '.join(revisions(experiment))}.")
