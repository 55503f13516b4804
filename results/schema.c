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
	"not apply}, `sweep` {swept key: value}, `spec` {key: value} (the canonical words), `device_options` (all of "
	"the device, as they held), `workload_facts`, `hints` "
	"{title, x, y, plot.*: text}, "
	"`expect` {name: text} |\n"
	"| host | where it was run; no part of the digest | `time`, `hostname`, `kernel`, `cpu`, `cpus`, "
	"`memory_bytes`, "
	"`compiler`, `flags`, `lz4_version`, `zstd_version`, `revision`, `file_system`, `device_path` |\n"
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
	"| device | runs without an engine (`run = device`), instead of phase and series: what the device did, in "
	"whole "
	"numbers | `kind` (untimed, timed), the metrics of the second table below, `describe` {name: number} (geometry "
	"and "
	"counters of this kind of device, since its opening) |\n"
	"| derived | the same runs: ratios and closed forms, in reals, no part of the digest | untimed: `utilisation`, "
	"`utilisation_effective` (live_pages over the mean pages written and not erased), "
	"`write_amplification`, `victim_valid_share`, `wear_mean`, `utilisation_formula_fifo`, `formula_fifo`, "
	"`formula_greedy`, `formula_choices`, `formula_fifo_mixed`, `formula_optimal` (write amplification in theory "
	"at "
	"utilisation_effective); timed: `operations_per_second`, `bandwidth_mib_per_s`, `write_amplification`, and for "
	"each operation `<op>_latency_mean_us`, `_p50_us`, `_p90_us`, `_p95_us`, `_p99_us`, `_p999_us`, `_max_us`, "
	"`<op>_operations_per_second`, `<op>_bandwidth_mib_per_s` |\n"
	"| node | runs of layouts alone (`run = node`), instead of phase and series: what lookups touched and what "
	"pages are made of, in whole numbers | the metrics of the third table below |\n"
	"| derived | the same runs: ratios of these, no part of the digest | `lines_per_lookup`, "
	"`leaf_lines_per_lookup`, `inner_lines_per_lookup`, `search_lines_per_lookup` (without those of the value), "
	"`loaded_lines_per_lookup`, `comparisons_per_lookup`, `leaf_comparisons_per_lookup`, "
	"`record_comparisons_per_lookup`, `read_bytes_per_lookup`, `bytes_per_record`, `search_bytes_per_record` "
	"(tries, hints, heads), `fill`, `trie_share`, `trie_used_share` |\n"
	"| wall | the same runs: what depends on the machine; no part of the digest, judged by no claim | "
	"`wall_ns_per_lookup`, `cpu_ns_per_lookup` (of the thread; of each the least of `rounds`; each lookup waits "
	"for the one before), "
	"`cache_misses_per_lookup`, `instructions_per_lookup` (null where the processor's counters cannot be read: "
	"`not_counted_because`) |\n";

static const char *const more =
	"| end | how it ended | `status` (ok, failed, skipped), `reason`, `wall_ms`, `digest` (simulated runs) |\n"
	"\n"
	"The digest is the XXH64 (seed 0), as 16 hex digits, of the bytes of all rows but host, derived, wall and end, "
	"each "
	"with its\n"
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

static const char *const direction[] = {"", "higher", "lower"};

static void device_schema(FILE *out)
{
	(void)fputs(
		"\n## Metrics of device runs\n\nAll exact. For each operation (read, write, append, punch, sync, "
		"reset, finish, open, close, ...) that occurred\nalso `<op>_requests`, `<op>_errors`, `<op>_bytes`, "
		"`<op>_latency_sum_ns`, `_least_ns`, `_p50_ns`, `_p90_ns`, `_p95_ns`,\n`_p99_ns`, `_p999_ns`, "
		"`_max_ns`; latency of requests without error, quantiles by the upper bound of the bucket.\n\n"
		"| metric | unit | better | kind of run | meaning |\n|---|---|---|---|---|\n",
		out);
#define X(name, unit, better, text)                                                                                    \
	(void)fprintf(out, "| %s | %s | %s | untimed | %s |\n", #name, unit, direction[better], text);
	RES_DEVICE_UNTIMED(X)
#undef X
#define X(name, unit, better, text)                                                                                    \
	(void)fprintf(out, "| %s | %s | %s | timed | %s |\n", #name, unit, direction[better], text);
	RES_DEVICE_TIMED(X)
#undef X
}

static void node_schema(FILE *out)
{
	(void)fputs("\n## Metrics of runs of layouts\n\nAll exact.\n\n| metric | unit | better | meaning "
		    "|\n|---|---|---|---|\n",
		out);
#define X(name, unit, better, text) (void)fprintf(out, "| %s | %s | %s | %s |\n", #name, unit, direction[better], text);
	RES_NODE(X)
#undef X
}

void res_schema(FILE *out)
{
	(void)fprintf(out, "%sSchema version %d.\n%s%s", head, RES_SCHEMA_VERSION, rows, more);
	for (size_t i = 0; i < res_metrics(); i++) {
		const struct res_metric *m = res_metric(i);
		(void)fprintf(out, "| %s | %s | %s | %s | %s | %s |\n", m->name, m->unit, direction[m->direction],
			m->class == RES_EXACT ? "exact" : "wall", m->level ? "level" : "count", m->text);
	}
	device_schema(out);
	node_schema(out);
}
