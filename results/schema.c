/* schema.c - results/SCHEMA.md: the rows of a result file, and the table of metrics as it stands in the code. */
#include "results/metrics.h"

static const char *const head =
	"# Result files\n"
	"\n"
	"Made by `pagelab schema`; do not edit. One run gives one file `<out>/<experiment>/<index>-<run_id>.jsonl`, "
	"one\n"
	"JSON object a line. While it is being written it is called `.part`. An illegal combination has a file, too: a "
	"run row,\n"
	"a host row and an end row with status skipped and the reason. ";

static const char *const rows =
	"\n"
	"Rows, in this order:\n"
	"\n"
	"| row | what | keys |\n"
	"|---|---|---|\n"
	"| run | what was run | `schema`, `experiment`, `group`, `index`, `label`, `run_id`, `seed`, `simulated`, "
	"`punch` (the device can punch), `block_bytes`, `device_bytes`, `choices` {axis: choice, `-` where an axis "
	"does "
	"not apply}, `sweep` {swept key: value}, `spec` {key: value} (the canonical words), `workload_facts`, `hints` "
	"{title, x, y, plot.*: text}, "
	"`expect` {name: text} |\n"
	"| host | where it was run; no part of the digest | `time`, `hostname`, `kernel`, `cpu`, `cpus`, "
	"`memory_bytes`, "
	"`compiler`, `flags`, `lz4_version`, `revision`, `file_system`, `device_path` |\n"
	"| phase | the metrics of one phase: load, settle, warm, run, verify, reopen, verify_again | `phase`, metrics "
	"|\n"
	"| hist | latencies of one kind of operation in one phase | `phase`, `op`, `kind` (service or response), "
	"`count`, `sum_ns`, "
	"`least_ns`, `greatest_ns`, `buckets` [[upper_ns, count], ...] (a bucket holds values up to and including its "
	"upper bound; empty ones are left out; at most 1.6 % wide) |\n"
	"| series | one interval of a phase, equal numbers of operations | `phase`, `t_ns` (end of the interval since "
	"the start "
	"of the phase), `interval_ns`, `operations`, `response_p50_ns`, `response_p99_ns`, `response_max_ns`, "
	"`user_write_bytes`, `host_read_bytes`, `host_write_bytes`, `media_write_bytes`, `pool_hits`, `pool_misses`, "
	"`live_bytes`, "
	"`dead_bytes` |\n"
	"| end | how it ended | `status` (ok, failed, skipped), `reason`, `wall_ms`, `digest` (simulated runs) |\n"
	"\n"
	"The digest is the XXH64 (seed 0), as 16 hex digits, of the bytes of all rows but host and end, each with its\n"
	"newline, in the order of the file. It depends on nothing but the specification and the code: same digest, "
	"same\n"
	"results. Numbers in these rows are whole. In runs on real devices the same rows depend on the machine; they\n"
	"have `simulated` false and no digest.\n"
	"\n"
	"Service time runs from the start of an operation to its end; response time from when it was meant to start: "
	"the\n"
	"end of the client's previous operation (closed loop), or its place in the schedule (open loop).\n"
	"\n"
	"Ratios, computed from the counters of one phase and never averaged over phases:\n"
	"\n"
	"| ratio | formula |\n"
	"|---|---|\n"
	"| throughput, operations per second | operations / elapsed_ns * 10^9 |\n"
	"| write amplification of the engine | host_write_bytes / user_write_bytes |\n"
	"| write amplification of the device | media_write_bytes / host_write_bytes |\n"
	"| write amplification, total | media_write_bytes / user_write_bytes |\n"
	"| space amplification | device_used_bytes / logical_bytes |\n"
	"| cache hit rate | pool_hits / (pool_hits + pool_misses) |\n"
	"\n"
	"## Metrics\n"
	"\n"
	"A level is the state at the end of the phase; everything else is counted over the phase. Latency metrics "
	"appear\n"
	"for the kinds of operation that occurred. Class exact: a pure function of specification and seed in simulated "
	"runs.\n"
	"\n"
	"| metric | unit | better | class | kind | meaning |\n"
	"|---|---|---|---|---|---|\n";

void res_schema(FILE *out)
{
	static const char *const direction[] = {"", "higher", "lower"};
	(void)fprintf(out, "%sSchema version %d.\n%s", head, RES_SCHEMA_VERSION, rows);
	for (size_t i = 0; i < res_metrics(); i++) {
		const struct res_metric *m = res_metric(i);
		(void)fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", m->name, m->unit, direction[m->direction],
			m->class == RES_EXACT ? "exact" : "wall", m->level ? "level" : "count", m->text);
	}
}
