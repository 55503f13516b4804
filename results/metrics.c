/* metrics.c - the table of metrics, built once from the lists in the headers.
 *
 * Invariants:
 *  1. A name occurs once; every name of the engine's and the device's lists is in the table.
 *  2. res_each visits exactly the table's counters, in its order.
 *  3. A name ends in its unit (_ns, _bytes) or counts something. */
#include "results/metrics.h"

#include <assert.h>
#include <string.h>

const char *const res_latency_name[RES_LATENCIES] = {"service", "response"};
const uint32_t res_quantile_permyriad[RES_QUANTILES] = {5000, 9500, 9900, 9990, 10000};
static const char *const quantile_name[RES_QUANTILES] = {"p50", "p95", "p99", "p999", "max"};

static const char *const kv_levels[] = {"cache_pages", "height", "records", "live_pages", "live_bytes", "dead_bytes",
	"free_bytes", "reserved_bytes", "data_capacity_bytes", "device_used_bytes", "moved_pages_at_once"};
static const char *const higher[] = {"operations", "pool_hits", "free_bytes"};
static const char *const lower[] = {"failures", "not_found", "elapsed_ns", "cpu_ns", "mismatches", "waits", "turns",
	"pool_misses", "evictions_dirty", "page_writes", "page_write_bytes", "page_reads", "checkpoint_ns", "log_bytes",
	"log_flushes", "syncs", "cleaned_zones", "moved_pages", "moved_bytes", "moved_pages_blocking",
	"moved_pages_at_once", "home_writes", "live_pages", "live_bytes", "dead_bytes", "reserved_bytes",
	"device_used_bytes", "device_syncs", "media_write_bytes", "media_moved_bytes", "media_read_bytes", "erases",
	"device_busy_ns", "stored_bytes", "host_read_bytes", "host_write_bytes", "host_reads", "host_writes",
	"zone_resets"};

#define TAG_TABLES 4
#define MAX_METRICS 400
static const char *const tag_table[TAG_TABLES] = {"host_read_bytes", "host_write_bytes", "host_reads", "host_writes"};

static struct res_metric table[MAX_METRICS];
static char names[MAX_METRICS][64], texts[MAX_METRICS][160];
static size_t count, latency_first;

static bool listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static void add(const char *name, const char *unit, bool level, const char *text)
{
	assert(count < MAX_METRICS);
	struct res_metric *m = &table[count++];
	*m = (struct res_metric){.name = name, .unit = unit, .level = level, .text = text};
	if (listed(higher, PL_COUNT(higher), name))
		m->direction = RES_HIGHER;
	else if (listed(lower, PL_COUNT(lower), name))
		m->direction = RES_LOWER;
}

static void add_tagged(size_t t)
{
	static const char *const what[TAG_TABLES] = {"bytes read", "bytes written", "read requests", "write requests"};
	static const char *const tag_text[DEV_TAGS] = {
#define X(id, name, text) [DEV_TAG_##id] = text,
		DEV_TAGS_TABLE(X)
#undef X
	};
	static const char *const tag_name[DEV_TAGS] = {
#define X(id, name, text) [DEV_TAG_##id] = name,
		DEV_TAGS_TABLE(X)
#undef X
	};
	const char *unit = t < 2 ? "bytes" : "count";
	(void)snprintf(texts[count], sizeof texts[0], "%s by the engine, all tags", what[t]);
	add(tag_table[t], unit, false, texts[count]);
	for (int tag = 0; tag < DEV_TAGS; tag++) {
		(void)snprintf(names[count], sizeof names[0], "%s_%s", tag_table[t], tag_name[tag]);
		(void)snprintf(texts[count], sizeof texts[0], "%s: %s", what[t], tag_text[tag]);
		add(names[count], unit, false, texts[count]);
		table[count - 1].direction = RES_LOWER;
	}
}

static void add_latencies(void)
{
	static const char *const kind[WL_KINDS] = {"read", "update", "insert", "scan", "rmw", "delete"};
	latency_first = count;
	for (int k = 0; k < WL_KINDS; k++)
		for (int l = 0; l < RES_LATENCIES; l++)
			for (int q = 0; q < RES_QUANTILES; q++) {
				(void)snprintf(names[count], sizeof names[0], "%s_%s_%s_ns", kind[k],
					res_latency_name[l], quantile_name[q]);
				(void)snprintf(texts[count], sizeof texts[0], "%s latency of %s, %s", quantile_name[q],
					kind[k],
					l == RES_SERVICE ? "from its start" : "from when it was meant to start");
				add(names[count], "ns", false, texts[count]);
				table[count - 1].direction = RES_LOWER;
			}
}

static void build(void)
{
	if (count)
		return;
#define X(name, unit, text) add(#name, unit, strcmp(#name, "logical_bytes") == 0, text);
	RES_DRIVER(X)
#undef X
#define X(name, unit, text) add(#name, unit, listed(kv_levels, PL_COUNT(kv_levels), #name), text);
	KV_STATS(X)
#undef X
	for (size_t t = 0; t < TAG_TABLES; t++)
		add_tagged(t);
#define X(name, field, unit, level, text) add(#name, unit, level, text);
	RES_DEVICE(X)
#undef X
	add_latencies();
}

size_t res_metrics(void)
{
	build();
	return count;
}

const struct res_metric *res_metric(size_t i)
{
	build();
	return i < count ? &table[i] : NULL;
}

const struct res_metric *res_metric_find(const char *name)
{
	for (size_t i = 0; i < res_metrics(); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

const struct res_metric *res_latency_metric(enum wl_kind op, enum res_latency l, enum res_quantile q)
{
	build();
	return &table[latency_first + ((size_t)op * RES_LATENCIES + (size_t)l) * RES_QUANTILES + (size_t)q];
}

const struct res_metric *res_device_metric(const char *name)
{
	static const struct res_metric table_of_device[] = {
#define X(name, unit, direction, text) {#name, unit, direction, RES_EXACT, false, text},
		RES_DEVICE_UNTIMED(X) RES_DEVICE_TIMED(X)
#undef X
	};
	static const struct {
		const char *ending, *unit, *text;
		enum res_direction direction;
	} of_operation[] = {{"_requests", "count", "requests of one operation", RES_NONE},
		{"_errors", "count", "failed requests of one operation", RES_LOWER},
		{"_bytes", "bytes", "bytes of one operation's requests", RES_NONE},
		{"_ns", "ns", "latency of one operation", RES_LOWER}};
	static struct res_metric found;
	for (size_t i = 0; i < PL_COUNT(table_of_device); i++)
		if (strcmp(table_of_device[i].name, name) == 0)
			return &table_of_device[i];
	for (size_t i = 0; i < PL_COUNT(of_operation); i++) {
		size_t n = strlen(name), end = strlen(of_operation[i].ending);
		if (n <= end || strcmp(name + n - end, of_operation[i].ending) != 0)
			continue;
		found = (struct res_metric){
			name, of_operation[i].unit, of_operation[i].direction, RES_EXACT, false, of_operation[i].text};
		return &found;
	}
	return NULL;
}

static const uint64_t *tagged(const struct dev_stats *d, size_t t)
{
	const uint64_t *const all[TAG_TABLES] = {
		d->host_read_bytes, d->host_write_bytes, d->host_reads, d->host_writes};
	return all[t];
}

void res_each(const struct res_counters *c, void (*fn)(void *, const struct res_metric *, uint64_t), void *arg)
{
	const struct res_metric *m = res_metric(0);
#define X(name, unit, text) fn(arg, m++, c->driver.name);
	RES_DRIVER(X)
#undef X
#define X(name, unit, text) fn(arg, m++, c->kv.name);
	KV_STATS(X)
#undef X
	for (size_t t = 0; t < TAG_TABLES; t++) {
		uint64_t sum = 0;
		for (int tag = 0; tag < DEV_TAGS; tag++)
			sum += tagged(&c->dev, t)[tag];
		fn(arg, m++, sum);
		for (int tag = 0; tag < DEV_TAGS; tag++)
			fn(arg, m++, tagged(&c->dev, t)[tag]);
	}
#define X(name, field, unit, level, text) fn(arg, m++, c->dev.field);
	RES_DEVICE(X)
#undef X
	assert(m == &table[latency_first]);
}

static uint64_t minus(const char *name, bool level, uint64_t before, uint64_t after)
{
	if (level)
		return after;
	if (after < before)
		(void)fprintf(stderr, "pagelab: counter %s ran backwards\n", name);
	assert(after >= before);
	return after - before;
}

void res_difference(const struct res_counters *before, const struct res_counters *after, struct res_counters *out)
{
	struct res_counters d = *after;
#define X(name, unit, text)                                                                                            \
	d.driver.name = minus(#name, strcmp(#name, "logical_bytes") == 0, before->driver.name, after->driver.name);
	RES_DRIVER(X)
#undef X
#define X(name, unit, text)                                                                                            \
	d.kv.name = minus(#name, listed(kv_levels, PL_COUNT(kv_levels), #name), before->kv.name, after->kv.name);
	KV_STATS(X)
#undef X
#define X(name, field, unit, level, text) d.dev.field = minus(#name, level, before->dev.field, after->dev.field);
	RES_DEVICE(X)
#undef X
	for (size_t t = 0; t < TAG_TABLES; t++) {
		uint64_t *to = (uint64_t *[]){
			d.dev.host_read_bytes, d.dev.host_write_bytes, d.dev.host_reads, d.dev.host_writes}[t];
		for (int tag = 0; tag < DEV_TAGS; tag++)
			to[tag] = minus(tag_table[t], false, tagged(&before->dev, t)[tag], tagged(&after->dev, t)[tag]);
	}
	*out = d;
}

const struct res_metric *res_node_metric(const char *name)
{
	static const struct res_metric table_of_node[] = {
#define X(name, unit, direction, text) {#name, unit, direction, RES_EXACT, false, text},
		RES_NODE(X)
#undef X
	};
	for (size_t i = 0; i < PL_COUNT(table_of_node); i++)
		if (strcmp(table_of_node[i].name, name) == 0)
			return &table_of_node[i];
	return NULL;
}
