"""measures.py - what figures and reports compute from counters, in one place, so that they agree.

Ratios are made here, at display, from counters of one phase of one run; never from other ratios.
"""

import math
import statistics

import load
import style

MIX = {"a": "50 % read, 50 % update", "b": "95 % read, 5 % update", "c": "reads only", "d": "95 % read latest",
       "e": "95 % short scans", "f": "50 % read-modify-write"}
BYTES = ("user", "engine", "device")
BYTES_WORDS = {"user": "user's own", "engine": "engine adds", "device": "device adds"}
THIN = 0.012  # of the height of a panel
# The order in which readers meet devices and the like; what is not named here follows by name.
_ORDER = {
    "device": ("sim_ssd", "sim_zns", "sim_opfs", "file", "direct", "uring", "zoned", "opfs", "null"),
    "placement": ("inplace", "shadow", "zone"), "space": ("raw", "lz4", "hole", "hole_lz4", "zstd"),
    "node": ("slotted", "ordinal", "b2"),
}


def rank(axis, name):
    """A sorting key for the choices of an axis: the known ones, then numbers; what is not given comes first."""
    known, value = _ORDER.get(axis, ()), -math.inf if name == "-" else numeric(name)
    return (-1 if name == "-" else known.index(name) if name in known else len(known),
            math.inf if value is None else value, str(name))


def numeric(value):
    """A value of the specification as a number, None if it is none."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


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


def companions(experiment, key):
    """The axes whose choice follows from that of a varying key, so that they change with it."""
    found = varying(experiment)
    return [axis for axis in AXES if axis not in found and len({dimension(run, axis) for run in experiment.runs}) > 1
            and follows(experiment.runs, key, axis)]


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


def device_write_amplification(run):
    """Of an untimed device run."""
    return run.derived.get("write_amplification") if run.device.get("kind") == "untimed" else None


def device_latency_us(run):
    """Of a timed device run: the mean of the operation it asked for; of a mix, of its reads."""
    operation = run.spec.get("device.op", "").split(":")[0]
    named = {"mixed": "read", "create": "file_open"}.get(operation, operation)
    return run.derived.get(f"{named}_latency_mean_us") if run.device.get("kind") == "timed" else None


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


def thin_parts(bars):
    """Parts of written bytes that no reader could see. bars: [(parts, greatest value of its panel)]

    A part below THIN of the height of its panel in every bar is drawn, but it has no place in a legend."""
    return [name for at, name in enumerate(BYTES)
            if not any(top and parts[at] >= THIN * top for parts, top in bars)]


def thin_words(bars):
    """What a caption says of these parts."""
    thin = [name for name in thin_parts(bars) if any(parts[BYTES.index(name)] for parts, _ in bars)]
    said = {"user": "the user's own bytes (at most 1 in each bar)", "engine": "what the engine adds",
            "device": "what the device adds"}
    if not thin:
        return ""
    words = " and ".join(said[name] for name in thin)
    return f"{words[0].upper()}{words[1:]} {'are' if len(thin) > 1 or thin == ['user'] else 'is'} too little to see."


def uncounted_words(experiment):
    """What a caption says of devices that do not count what they write themselves."""
    found = {run.choice("device") for run in experiment.runs
             if host_write_bytes(run) and not run.metric("run", "media_write_bytes")}
    if not found:
        return ""
    names = " and ".join(style.word(name) for name in order("device", found))
    return f"What the device itself adds is not known for: {names}."


def caption(experiment, seeds_shown="marks are medians over seeds, lines their range"):
    """One sentence of provenance for under a figure."""
    many = len({run.seed for run in experiment.runs}) > 1
    made_by = revisions(experiment)
    if len(made_by) > 4:
        made_by = made_by[:3] + [f"and {len(made_by) - 3} more"]
    return (f"{counted(len(experiment.runs), 'run')}, {'seeds' if many else 'seed'} {seeds(experiment)}"
            f"{'; ' + seeds_shown if many else ''}; "
            f"{'revisions' if len(made_by) > 1 else 'revision'} {', '.join(made_by)}.")
