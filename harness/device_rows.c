/* device_rows.c - what a device run came to, as rows of result files, as one JSON object, and as a table.
 *
 * Invariants:
 *  1. The exact row holds whole numbers and texts of the specification only, and nothing of this machine.
 *  2. Ratios are computed once, in put_ratios; row, object and table show the same. */
#include "harness/device_rows.h"

#include "harness/device_parts.h"
#include "harness/options.h"
#include "harness/util.h"
#include "results/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MIB 1048576.0
#define SECOND 1e9

static void put_whole(json_t *row, const char *key, uint64_t value)
{
	(void)json_object_set_new(row, key, json_integer((json_int_t)value));
}
static void put_real(json_t *row, const char *key, double value)
{
	(void)json_object_set_new(row, key, json_real(value));
}

static json_t *describe_object(const struct device_result *r)
{
	json_t *o = json_object();
	for (size_t i = 0; i < r->describes; i++)
		put_whole(o, r->describe[i].key, r->describe[i].value);
	return o;
}

static uint64_t sum_tags(const uint64_t *by_tag)
{
	uint64_t sum = 0;
	for (int i = 0; i < DEV_TAGS; i++)
		sum += by_tag[i];
	return sum;
}

static uint64_t elapsed_ns(const struct device_result *r)
{
	return r->timed ? tally_elapsed_ns(r->tally) : 0;
}

/* ---- exact ---- */

struct values { /* in the order of RES_DEVICE_RUN */
#define X(name, unit, direction, text) uint64_t name;
	RES_DEVICE_UNTIMED(X) RES_DEVICE_TIMED(X)
#undef X
};

static struct values values_of(const struct device_result *r)
{
	const struct device_counts *c = &r->counts;
	struct values v = {.flash_pages = r->flash_pages,
		.live_pages = r->live_pages,
		.window_pages = r->window_pages,
		.warm_windows = r->warm_windows,
		.windows = r->windows,
		.steady = r->steady,
		.host_write_pages = c->host_pages,
		.media_write_pages = c->host_pages + c->moved_pages,
		.moved_pages = c->moved_pages,
		.victims = c->victims,
		.victim_valid_pages = c->victim_valid_pages,
		.victim_written_pages = c->victim_written_pages,
		.erases = r->timed ? r->stats.erases : c->erases,
		.erases_least = device_result_describe(r, "super_erases_least", 0),
		.erases_greatest = device_result_describe(r, "super_erases_greatest", 0)};
	if (!r->timed)
		return v;
	v.requests = r->tally->requests;
	v.errors = r->tally->errors;
	v.elapsed_ns = tally_elapsed_ns(r->tally);
	v.host_read_bytes = sum_tags(r->stats.host_read_bytes);
	v.host_write_bytes = sum_tags(r->stats.host_write_bytes);
	v.media_read_bytes = r->stats.media_read_bytes;
	v.media_write_bytes = r->stats.media_write_bytes;
	v.media_moved_bytes = r->stats.media_moved_bytes;
	v.zone_resets_untimed = r->zone_resets_untimed;
	return v;
}

static void put_values(json_t *row, const struct device_result *r)
{
	struct values v = values_of(r);
	if (r->timed) {
#define X(name, unit, direction, text) put_whole(row, #name, v.name);
		RES_DEVICE_TIMED(X)
		X(erases, , , )
#undef X
		return;
	}
#define X(name, unit, direction, text) put_whole(row, #name, v.name);
	RES_DEVICE_UNTIMED(X)
#undef X
}

json_t *device_row_exact(const struct device_result *r)
{
	json_t *row = json_pack("{s:s, s:s}", "row", "device", "kind", r->timed ? "timed" : "untimed");
	put_values(row, r);
	if (r->timed)
		tally_put_exact(row, r->tally, &r->caps);
	(void)json_object_set_new(row, "describe", describe_object(r));
	return row;
}

json_t *device_row_hist(const struct device_result *r, int op)
{
	const struct pl_hist *h = &r->tally->op[op].latency;
	json_t *buckets = json_array();
	if (!h->count) {
		json_decref(buckets);
		return NULL;
	}
	for (uint32_t i = 0; i < PL_HIST_BUCKETS; i++)
		if (h->bucket[i])
			(void)json_array_append_new(
				buckets, json_pack("[I, I]", (json_int_t)pl_hist_upper(i), (json_int_t)h->bucket[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "row", "hist", "phase", "device", "op",
		dev_op_name[op], "kind", "latency", "count", (json_int_t)h->count, "sum_ns", (json_int_t)h->sum,
		"least_ns", (json_int_t)h->least, "greatest_ns", (json_int_t)h->greatest, "buckets", buckets);
}

/* ---- ratios ---- */

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0;
}

/* What theory means by utilisation: live pages over the mean number of pages written and not erased. That mean is the
 * rate of writes times the mean life of a written page (Little's law), and the life is what closed forms reckon with,
 * whatever the heads and the reserve. When a victim is chosen the number is highest; it then falls by what the victim
 * gives and grows again page by page, so the mean is half of that gain lower. */
static double effective(const struct device_result *r)
{
	double super = (double)device_result_describe(r, "super_pages", 0);
	double gain = super - ratio(r->counts.victim_valid_pages, r->counts.victims);
	double written = ratio(r->counts.victim_written_pages, r->counts.victims) - gain / 2;
	return r->counts.victims && written > 0 ? (double)r->live_pages / written : 0;
}

static void put_closed_forms(json_t *row, const struct device_result *r, const struct pl_conf *conf, double u)
{
	struct pattern_text t;
	struct closed_class *class;
	uint64_t super = device_result_describe(r, "super_pages", 0);
	char key[80];
	if (!(u > 0 && u < 1) || pattern_parse(pl_conf_str(conf, "device.pattern"), &t, NULL))
		return;
	put_real(row, "formula_fifo", closed_fifo(u));
	if (super)
		put_real(row, "formula_greedy", closed_greedy(u, super));
	(void)snprintf(key, sizeof key, "%s.collect", r->ops->name);
	if (super && lab_find_option(conf, key, NULL) && strcmp(pl_conf_str(conf, key), "dchoices") == 0) {
		(void)snprintf(key, sizeof key, "%s.choices", r->ops->name);
		put_real(row, "formula_choices", closed_choices(u, super, (unsigned)lab_u64_or(conf, key, 2)));
	}
	class = lab_calloc(CLOSED_GROUPS_MAX, sizeof *class);
	size_t n = pattern_closed_classes(&t, r->live_pages, class);
	if (n) {
		put_real(row, "formula_fifo_mixed", closed_fifo_classes(u, class, n));
		put_real(row, "formula_optimal", closed_optimal(u, class, n, NULL));
	}
	free(class);
}

static void put_ratios(json_t *row, const struct device_result *r, const struct pl_conf *conf)
{
	const struct device_counts *c = &r->counts;
	if (r->timed) {
		uint64_t ns = elapsed_ns(r), host = sum_tags(r->stats.host_write_bytes);
		uint64_t ended = r->tally->requests - r->tally->errors, blocks = 0;
		for (int k = 0; k < DEV_OPS; k++)
			blocks += r->tally->op[k].blocks;
		put_real(row, "operations_per_second", ratio(ended, ns) * SECOND);
		put_real(row, "bandwidth_mib_per_s", ratio(blocks * r->caps.block_bytes, ns) * SECOND / MIB);
		if (r->stats.media_write_bytes && host)
			put_real(row, "write_amplification", ratio(r->stats.media_write_bytes, host));
		return;
	}
	double wa = ratio(c->host_pages + c->moved_pages, c->host_pages), u = effective(r);
	put_real(row, "utilisation", ratio(r->live_pages, r->flash_pages));
	put_real(row, "utilisation_effective", u);
	put_real(row, "write_amplification", wa);
	put_real(row, "victim_valid_share",
		ratio(c->victim_valid_pages, c->victims * device_result_describe(r, "super_pages", 0)));
	put_real(row, "utilisation_formula_fifo", closed_fifo_utilisation(wa));
	put_real(row, "wear_mean", (double)device_result_describe(r, "super_erases_mean_milli", 0) / 1000);
	put_closed_forms(row, r, conf, u);
}

json_t *device_row_derived(const struct device_result *r, const struct pl_conf *conf)
{
	json_t *row = json_pack("{s:s}", "row", "derived");
	put_ratios(row, r, conf);
	if (r->timed)
		tally_put_derived(row, r->tally, &r->caps);
	return row;
}

/* ---- for programs ---- */

/* All options of the device and of the run as they hold. */
static json_t *options_object(const struct device_result *r, const struct pl_conf *conf)
{
	json_t *o = json_object();
	lab_options_in_force(conf, r->ops->name, o);
	lab_options_in_force(conf, "device", o);
	return o;
}

json_t *device_json(const struct device_result *r, const struct pl_conf *conf)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I}", "device", r->ops->name, "kind",
		r->timed ? "timed" : "untimed", "profile", pl_conf_str(conf, "profile"), "pattern",
		pl_conf_str(conf, "device.pattern"), "seed", (json_int_t)pl_conf_u64(conf, "seed"));
	if (r->timed)
		(void)json_object_set_new(o, "op", json_string(pl_conf_str(conf, "device.op")));
	put_ratios(o, r, conf);
	put_values(o, r);
	if (r->timed) {
		json_t *operations = tally_json(r->tally, &r->caps);
		/* what one kind of request did stands beside the rest, too */
		if (json_object_size(operations) == 1)
			(void)json_object_update_missing(o, json_object_iter_value(json_object_iter(operations)));
		(void)json_object_set_new(o, "operations", operations);
	} else {
		(void)json_object_set_new(o, "steady", json_boolean(r->steady));
	}
	(void)json_object_set_new(o, "describe", describe_object(r));
	(void)json_object_set_new(o, "options", options_object(r, conf));
	json_t *host = json_object();
	put_real(host, "wall_seconds", (double)r->wall_ns / SECOND);
	if (r->timed)
		put_real(host, "requests_per_second", ratio(r->tally->requests, r->measured_wall_ns) * SECOND);
	else
		put_real(host, "pages_per_second", ratio(r->submitted, r->wall_ns) * SECOND);
	(void)json_object_set_new(o, "host", host);
	return o;
}

/* ---- for people ---- */

static void print_line(FILE *out, const char *name, const char *fmt, ...) PL_PRINTF(3, 4);
static void print_line(FILE *out, const char *name, const char *fmt, ...)
{
	va_list ap;
	(void)fprintf(out, "%-26s ", name);
	va_start(ap, fmt);
	(void)vfprintf(out, fmt, ap);
	va_end(ap);
	(void)fputc('\n', out);
}

/* The device's options that name a choice, and those that were set. */
static void print_policies(FILE *out, const struct device_result *r, const struct pl_conf *conf)
{
	char key[256];
	bool first = true;
	for (size_t i = 0; i < conf->nsets; i++) {
		const struct pl_opt_set *set = &conf->sets[i];
		if (strcmp(set->prefix, r->ops->name) != 0)
			continue;
		for (const struct pl_opt *opt = set->opts; opt->name; opt++) {
			lab_option_name(key, sizeof key, set, opt);
			if (opt->type != PL_OPT_ENUM && !pl_conf_is_set(conf, key))
				continue;
			print_line(out, first ? "options" : "", "%-28s %s", opt->name, pl_conf_str(conf, key));
			first = false;
		}
	}
}

static void print_geometry(FILE *out, const struct device_result *r, const struct pl_conf *conf)
{
	const struct dev_caps *c = &r->caps;
	print_line(out, "device", "%s%s%s, %.3f GiB in %" PRIu64 " blocks of %" PRIu32 " bytes", r->ops->name,
		*pl_conf_str(conf, "profile") ? ", profile " : "", pl_conf_str(conf, "profile"),
		(double)c->capacity_blocks * c->block_bytes / (MIB * 1024), c->capacity_blocks, c->block_bytes);
	if (c->zones)
		print_line(out, "zones",
			"%" PRIu64 " of %" PRIu64 " blocks, %" PRIu64 " of them writable; at most %" PRIu32
			" open, %" PRIu32 " active",
			c->zones, c->zone_blocks, c->zone_capacity, c->max_open, c->max_active);
	print_policies(out, r, conf);
	for (size_t i = 0; i < r->describes; i++)
		print_line(
			out, i ? "" : "it says of itself", "%-28s %" PRIu64, r->describe[i].key, r->describe[i].value);
}

static void print_ratio(FILE *out, const json_t *o, const char *key, const char *text)
{
	const json_t *v = json_object_get(o, key);
	if (v)
		print_line(out, key, "%.4f  %s", json_real_value(v), text);
}

static void print_untimed(FILE *out, const struct device_result *r, const struct pl_conf *conf)
{
	json_t *o = json_object();
	put_ratios(o, r, conf);
	print_line(out, "pattern", "%s", pl_conf_str(conf, "device.pattern"));
	print_line(out, "pages", "%" PRIu64 " live of %" PRIu64 " of raw flash", r->live_pages, r->flash_pages);
	print_ratio(out, o, "utilisation", "live / raw flash");
	print_ratio(out, o, "utilisation_effective", "live / mean of the pages written and not erased");
	print_ratio(out, o, "write_amplification",
		r->steady ? "steady" : "NOT STEADY: it still moved by more than 0.1 %; see --until, --cap");
	print_ratio(out, o, "victim_valid_share", "valid pages of a victim / its pages");
	print_ratio(out, o, "formula_fifo", "closed form at utilisation_effective: FIFO, uniform");
	print_ratio(out, o, "formula_greedy", "greedy, uniform, superblocks of this size");
	print_ratio(out, o, "formula_choices", "the best of d, uniform");
	print_ratio(out, o, "formula_fifo_mixed", "FIFO, this pattern, all classes in one log");
	print_ratio(out, o, "formula_optimal", "this pattern, each class in a log of its own, spare split best");
	print_ratio(out, o, "utilisation_formula_fifo", "utilisation at which FIFO would give this amplification");
	print_line(out, "windows", "%" PRIu64 " of %" PRIu64 " pages measured, %" PRIu64 " before", r->windows,
		r->window_pages, r->warm_windows);
	print_line(out, "written", "%" PRIu64 " pages by the host, %" PRIu64 " moved, %" PRIu64 " erases",
		r->counts.host_pages, r->counts.moved_pages, r->counts.erases);
	print_line(out, "erases of a superblock", "%" PRIu64 " least, %.2f mean, %" PRIu64 " greatest",
		device_result_describe(r, "super_erases_least", 0),
		(double)device_result_describe(r, "super_erases_mean_milli", 0) / 1000,
		device_result_describe(r, "super_erases_greatest", 0));
	json_decref(o);
}

static void print_timed(FILE *out, const struct device_result *r, const struct pl_conf *conf)
{
	json_t *o = json_object();
	put_ratios(o, r, conf);
	print_line(out, "run", "%s of %s bytes, %s in flight, %s", pl_conf_str(conf, "device.op"),
		pl_conf_str(conf, "device.size"), pl_conf_str(conf, "device.qd"), pl_conf_str(conf, "device.pattern"));
	tally_print(out, r->tally, &r->caps);
	print_ratio(out, o, "write_amplification", "written to the medium / by the host");
	if (r->zone_resets_untimed)
		print_line(out, "zones emptied", "%" PRIu64 " out of band, taking no time", r->zone_resets_untimed);
	json_decref(o);
}

void device_print(FILE *out, const struct device_result *r, const struct pl_conf *conf)
{
	print_geometry(out, r, conf);
	if (r->timed)
		print_timed(out, r, conf);
	else
		print_untimed(out, r, conf);
	if (r->timed)
		print_line(out, "simulated", "%" PRIu64 " requests in %.2f s: %.2f million a second; in all %.2f s",
			r->tally->requests, (double)r->measured_wall_ns / SECOND,
			ratio(r->tally->requests, r->measured_wall_ns) * 1e3, (double)r->wall_ns / SECOND);
	else
		print_line(out, "simulated", "%" PRIu64 " pages in %.2f s: %.2f million a second", r->submitted,
			(double)r->wall_ns / SECOND, ratio(r->submitted, r->wall_ns) * 1e3);
}
