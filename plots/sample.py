"""sample.py - a small experiment with made-up numbers, for tests and for trying a figure before there are results.

The numbers follow simple rules, so that a test knows what a figure or sentence must say: LZ4 is 1.5 times as fast as
raw, holes as fast as raw, zones half as fast in YCSB C and twice as fast in A, ordinal pages 10 % faster than slotted.
"""

import json

DEVICES, WORKLOADS = ("sim_ssd", "sim_zns"), ("a", "c")
PLACEMENTS, SPACES, NODES = ("inplace", "zone"), ("raw", "lz4", "hole"), ("slotted", "ordinal")
BASE_OPERATIONS_PER_SECOND = 50000


def speed(workload, placement, space, node):
    return (BASE_OPERATIONS_PER_SECOND * {"raw": 1.0, "lz4": 1.5, "hole": 1.0}[space]
            * {"slotted": 1.0, "ordinal": 1.1}[node]
            * ({"a": 2.0, "c": 0.5}[workload] if placement == "zone" else 1.0))


def rows_of(index, seed, device, workload, placement, space, node):
    """All rows of one run; in place on a zoned device is skipped."""
    choices = {"structure": "btree", "node": node, "space": space, "placement": placement, "device": device,
               "addressing": "fixed" if placement == "inplace" else "table", "durability": "redo",
               "cleaning": "-" if placement == "inplace" else "greedy",
               "guard": "dwb" if placement == "inplace" else "-"}
    run = {"row": "run", "schema": 1, "experiment": "demo", "run_id": f"{index:016x}", "index": index, "seed": seed,
           "label": f"{device} {workload} {placement} {space} {node}", "choices": choices,
           "spec": {"workload": f"ycsb/{workload}", "page_bytes": "16384", "seed": str(seed)}, "expect": {},
           "simulated": True}
    host = {"row": "host", "revision": "0123456789abcdef", "compiler": "some cc"}
    if (device, placement) == ("sim_zns", "inplace"):
        return [run, host, {"row": "end", "status": "skipped", "reason": "a zoned device cannot be overwritten"}]
    operations = 10000
    user_bytes = operations * 50 if workload == "a" else 0
    phase = {"row": "phase", "phase": "run", "operations": operations,
             "elapsed_ns": round(operations * 1e9 / speed(workload, placement, space, node)),
             "user_write_bytes": user_bytes, "host_write_bytes": 10 * user_bytes, "media_write_bytes": 12 * user_bytes,
             "pool_hits": 900, "pool_misses": 100, "device_used_bytes": 3000, "logical_bytes": 2000}
    hist = {"row": "hist", "phase": "run", "op": "read", "kind": "service", "count": 100, "sum_ns": 5000000,
            "least_ns": 10000, "greatest_ns": 900000, "buckets": [[20479, 50], [40959, 48], [90111, 1], [917503, 1]]}
    end = {"row": "end", "status": "ok", "reason": "", "wall_ms": 1, "digest": f"{index:016x}"}
    return [run, host, phase, hist, end]


def write(directory, seeds=(1,)):
    """Write the whole product below directory; returns how many runs are not skipped."""
    directory.mkdir(parents=True, exist_ok=True)
    product = [(seed, device, workload, placement, space, node) for seed in seeds for device in DEVICES
               for workload in WORKLOADS for placement in PLACEMENTS for space in SPACES for node in NODES]
    done = 0
    for index, run in enumerate(product):
        rows = rows_of(index, *run)
        done += rows[-1]["status"] == "ok"
        (directory / f"{index:04d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return done


def write_sweep(directory, seeds=(1, 2, 3), sizes=(8192, 16384, 32768, 65536)):
    """A numeric sweep: zones twice as fast as in place in YCSB A, half as fast with every doubling of the page; a seed
    moves it by its own number of per cent, so that seed 2 is the median of 1, 2, 3."""
    directory.mkdir(parents=True, exist_ok=True)
    index = 0
    for seed in seeds:
        for size in sizes:
            for placement in PLACEMENTS:
                rows = rows_of(index, seed, "sim_ssd", "a", placement, "raw", "slotted")
                rows[0]["experiment"], rows[0]["spec"]["page_bytes"] = "sweep", str(size)
                rows[2]["elapsed_ns"] = round(rows[2]["elapsed_ns"] * size / 8192 / (1 + seed / 100))
                (directory / f"{index:04d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows),
                                                             encoding="utf-8")
                index += 1
    return index


# More choices than there are today, so that a figure of all products is tried with about a thousand of them.
MANY = {"node": ("slotted", "ordinal", "b2", "further"), "space": ("raw", "lz4", "hole", "hole_lz4", "zstd"),
        "cleaning": ("greedy", "costbenefit", "deathtime", "dchoices"), "durability": ("redo", "none")}
FACTOR = {"slotted": 1.0, "ordinal": 1.02, "b2": 0.99, "further": 1.01, "raw": 1.0, "lz4": 1.5, "hole": 1.1, "hole_lz4": 1.6,
          "zstd": 1.3, "redo": 1.0, "none": 2.0}


def write_overview(directory, choices=None):
    """Every product of these choices: speed is the product of their factors, in place 10, in zones 20 and a little."""
    choices = choices or MANY
    directory.mkdir(parents=True, exist_ok=True)
    index = 0
    for device in ("sim_ssd", "sim_zns", "sim_opfs"):
        for node in choices["node"]:
            for space in choices["space"]:
                for durability in choices["durability"]:
                    places = [("zone", "table", cleaning, "-") for cleaning in choices["cleaning"]]
                    places += [("zone", "cow", cleaning, "-") for cleaning in choices["cleaning"]]
                    if device != "sim_zns":
                        places += [("inplace", "fixed", "-", "dwb"), ("inplace", "fixed", "-", "pingpong"),
                                   ("shadow", "table", "-", "-"), ("shadow", "cow", "-", "-")]
                    for at, (placement, addressing, cleaning, guard) in enumerate(places):
                        kops = (FACTOR[node] * FACTOR[space] * FACTOR[durability] * (20 + at / 10 if placement != "inplace" else 10))
                        rows = rows_of(index, 1, device, "a", "zone", "raw", "slotted")
                        rows[0]["experiment"] = "overview"
                        rows[0]["choices"].update(node=node, space=space, placement=placement, addressing=addressing,
                                                  cleaning=cleaning, guard=guard, durability=durability)
                        rows[0]["sweep"] = dict(rows[0]["choices"])
                        rows[2]["elapsed_ns"] = round(rows[2]["operations"] * 1e6 / kops)
                        (directory / f"{index:04d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows),
                                                                     encoding="utf-8")
                        index += 1
    return index
