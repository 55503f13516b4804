/* metrics.h - every number that a run reports, declared once: name, unit, direction, class, meaning.
 *
 * Counters are whole numbers; ratios (throughput, write amplification, hit rate) are computed where they are shown,
 * from the counters of one phase, and never averaged over phases. */
#ifndef PL_RESULTS_METRICS_H
#define PL_RESULTS_METRICS_H

#include "engine/kv.h"
#include "workloads/workload.h"

#include <stdio.h>

#define RES_SCHEMA_VERSION 1

enum res_direction { RES_NONE, RES_HIGHER, RES_LOWER }; /* which is better */
enum res_class {
	RES_EXACT, /* a pure function of (spec, seed) in a simulated run */
	RES_WALL, /* depends on the machine and the hour */
};

struct res_metric {
	const char *name, *unit;
	enum res_direction direction;
	enum res_class class;
	bool level; /* a state at the end of the phase, not a difference over it */
	const char *text;
};

/* What the driver itself counts, per phase. */
/* clang-format off */
#define RES_DRIVER(X)                                                                                               \
	X(operations, "count", "operations that ended, failures included")                                         \
	X(failures, "count", "operations that ended with an error other than not found")                           \
	X(not_found, "count", "operations whose record was not there")                                             \
	X(read_operations, "count", "reads")                                                                       \
	X(update_operations, "count", "updates")                                                                   \
	X(insert_operations, "count", "inserts")                                                                   \
	X(scan_operations, "count", "scans")                                                                       \
	X(rmw_operations, "count", "read-modify-writes")                                                           \
	X(delete_operations, "count", "deletes")                                                                   \
	X(scanned_records, "count", "records that scans returned")                                                 \
	X(touched_bytes, "bytes", "bytes of values that were read and looked at")                                  \
	X(elapsed_ns, "ns", "length of the phase: virtual time if simulated, else the monotonic clock")            \
	X(cpu_ns, "ns", "virtual time of the engine core that was charged as work (simulated runs)")               \
	X(logical_bytes, "bytes", "bytes of keys and values of the records that should be there at the end")       \
	X(verified_records, "count", "records compared with what was last written to them")                        \
	X(mismatches, "count", "records that differ from what was last written, are missing, or should not be there")
/* clang-format on */

/* Of struct dev_stats, without its tables by tag. X(metric, field, unit, level, text) */
#define RES_DEVICE(X)                                                                                                  \
	X(device_syncs, syncs, "count", false, "syncs that the device was asked for")                                  \
	X(device_punches, punches, "count", false, "punch or trim requests")                                           \
	X(device_punch_bytes, punch_bytes, "bytes", false, "bytes punched or trimmed")                                 \
	X(zone_resets, zone_resets, "count", false, "zones reset")                                                     \
	X(zone_finishes, zone_finishes, "count", false, "zones finished before they were full")                        \
	X(media_write_bytes, media_write_bytes, "bytes", false,                                                        \
		"bytes programmed on the flash: host writes and what the device moved itself")                         \
	X(media_moved_bytes, media_moved_bytes, "bytes", false, "of these, by the device's own collection")            \
	X(media_read_bytes, media_read_bytes, "bytes", false,                                                          \
		"bytes read from the flash, its own collection included")                                              \
	X(erases, erases, "count", false, "erase units erased")                                                        \
	X(device_busy_ns, busy_ns, "ns", false, "busy time summed over dies")                                          \
	X(stored_bytes, stored_bytes, "bytes", true, "bytes the device holds for the store, after punches")

/* The row `device` of device runs without an engine; X(name, unit, direction, text). An untimed run has the first list,
 * a timed one the second and erases, and for each operation that occurred what harness/device_tally.h tells. */
/* clang-format off */
#define RES_DEVICE_UNTIMED(X)                                                                                          \
	X(flash_pages, "pages", RES_NONE, "raw flash, all spare included")                                             \
	X(live_pages, "pages", RES_NONE, "pages that hold something, which are all the capacity")                      \
	X(window_pages, "pages", RES_NONE, "pages that the host overwrites in a window")                               \
	X(warm_windows, "count", RES_NONE, "windows before those that are measured")                                   \
	X(windows, "count", RES_NONE, "windows that are measured; all below is over these")                            \
	X(steady, "0|1", RES_HIGHER, "1: write amplification had come to rest")                                        \
	X(host_write_pages, "pages", RES_NONE, "pages written by the host")                                            \
	X(media_write_pages, "pages", RES_LOWER, "pages programmed")                                                   \
	X(moved_pages, "pages", RES_LOWER, "of these, by the device's own collection")                                 \
	X(victims, "count", RES_LOWER, "superblocks chosen for collection")                                            \
	X(victim_valid_pages, "pages", RES_LOWER, "sum over them of their valid pages")                                \
	X(victim_written_pages, "pages", RES_NONE,                                                                     \
		"sum over the same moments of all pages written and not erased since")                                 \
	X(erases, "count", RES_LOWER, "superblocks erased")                                                            \
	X(erases_least, "count", RES_NONE, "erases of the superblock with the fewest, since the opening")              \
	X(erases_greatest, "count", RES_LOWER, "erases of the superblock with the most, since the opening")
#define RES_DEVICE_TIMED(X)                                                                                            \
	X(requests, "count", RES_NONE, "requests that ended, failed ones included")                                    \
	X(errors, "count", RES_LOWER, "requests that ended with an error")                                             \
	X(elapsed_ns, "ns", RES_LOWER, "virtual time from the first submission to the last completion")                \
	X(host_read_bytes, "bytes", RES_NONE, "bytes read by requests, preparation between them included")             \
	X(host_write_bytes, "bytes", RES_NONE, "bytes written by requests, preparation between them included")         \
	X(media_read_bytes, "bytes", RES_LOWER, "bytes read from the flash, its own collection included")              \
	X(media_write_bytes, "bytes", RES_LOWER, "bytes programmed")                                                   \
	X(media_moved_bytes, "bytes", RES_LOWER, "of these, by the device's own collection")                           \
	X(zone_resets_untimed, "count", RES_NONE, "zones emptied out of band, taking no time")
/* The row `node` of runs of layouts alone (run = node); X(name, unit, direction, text). What concerns searches is summed
 * over all lookups; a line has 64 bytes and counts once a lookup. */
#define RES_NODE(X)                                                                                                    \
	X(records, "count", RES_NONE, "records in the tree")                                                           \
	X(lookups, "count", RES_NONE, "lookups, all of records that are there")                                        \
	X(height, "count", RES_LOWER, "pages from the root to a leaf")                                                 \
	X(pages, "pages", RES_LOWER, "pages of the tree")                                                              \
	X(leaf_pages, "pages", RES_LOWER, "of these, leaves")                                                          \
	X(page_bytes_total, "bytes", RES_LOWER, "bytes of all pages")                                                  \
	X(user_bytes, "bytes", RES_NONE, "bytes of all keys and values as given")                                      \
	X(leaf_lines, "count", RES_LOWER, "lines touched in leaves, those of the value included")                      \
	X(inner_lines, "count", RES_LOWER, "lines touched in inner pages")                                             \
	X(value_lines, "count", RES_NONE, "lines of leaves that hold bytes of the value")                              \
	X(loaded_lines, "count", RES_LOWER, "lines touched or prefetched, in all pages")                               \
	X(distinct_lines, "count", RES_LOWER, "different lines that any lookup touched: what a cache has to hold")     \
	X(leaf_comparisons, "count", RES_LOWER, "comparisons with the key in leaves: of integers, heads, hints, "      \
		"records; a node of a trie is one")                                                                    \
	X(inner_comparisons, "count", RES_LOWER, "the same in inner pages")                                            \
	X(array_comparisons, "count", RES_LOWER, "of both, with elements of dense arrays")                             \
	X(trie_comparisons, "count", RES_LOWER, "of both, with nodes of a trie")                                       \
	X(record_comparisons, "count", RES_LOWER, "of both, with key bytes found through a slot or a start")           \
	X(leaf_read_bytes, "bytes", RES_LOWER, "bytes of leaves looked at, the value included")                        \
	X(inner_read_bytes, "bytes", RES_LOWER, "bytes of inner pages looked at")                                      \
	X(fixed_bytes, "bytes", RES_LOWER, "bookkeeping and fences of all pages")                                      \
	X(trie_bytes, "bytes", RES_LOWER, "room for tries in all pages")                                               \
	X(trie_used_bytes, "bytes", RES_LOWER, "of these, used")                                                       \
	X(hint_bytes, "bytes", RES_LOWER, "hints of all pages")                                                        \
	X(head_bytes, "bytes", RES_LOWER, "heads of all pages")                                                        \
	X(slot_bytes, "bytes", RES_LOWER, "slots, starts, lengths and flags of all pages")                             \
	X(key_bytes, "bytes", RES_LOWER, "key bytes as stored in all pages")                                           \
	X(value_bytes, "bytes", RES_NONE, "values of all pages, references to children included")                      \
	X(free_bytes, "bytes", RES_LOWER, "free bytes of all pages")
/* clang-format on */

/* A metric of the row `node`, or NULL. */
const struct res_metric *res_node_metric(const char *name);
/* A metric of the row `device`, or NULL: also those of single operations. Valid until the next call. */
const struct res_metric *res_device_metric(const char *name);

struct res_driver {
#define X(name, unit, text) uint64_t name;
	RES_DRIVER(X)
#undef X
};

/* Everything about one phase (or, as a reading of the counters, one moment). */
struct res_counters {
	struct res_driver driver;
	struct kv_stats kv;
	struct dev_stats dev;
};

/* The table, in the order of the rows: RES_COUNTERS names, then latencies. */
size_t res_metrics(void);
const struct res_metric *res_metric(size_t i);
/* By name, or NULL. */
const struct res_metric *res_metric_find(const char *name);

/* The counters' metrics in the order of the table: fn(arg, metric, value) for each. */
void res_each(
	const struct res_counters *c, void (*fn)(void *arg, const struct res_metric *m, uint64_t value), void *arg);
/* after - before, except for levels, which are after's. Asserts that no counter ran backwards. */
void res_difference(const struct res_counters *before, const struct res_counters *after, struct res_counters *out);

enum res_latency { RES_SERVICE, RES_RESPONSE, RES_LATENCIES };
enum res_quantile { RES_P50, RES_P95, RES_P99, RES_P999, RES_MAX, RES_QUANTILES };
extern const char *const res_latency_name[RES_LATENCIES];
extern const uint32_t res_quantile_permyriad[RES_QUANTILES];
/* The metric `<operation>_<service|response>_<p50|...|max>_ns`. */
const struct res_metric *res_latency_metric(enum wl_kind op, enum res_latency l, enum res_quantile q);

/* results/SCHEMA.md, from the tables. */
void res_schema(FILE *out);

#endif
