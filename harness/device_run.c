/* device_run.c - the options of device runs, what can be said against them, and the device under test.
 *
 * Invariants:
 *  1. Whatever device_wish_read accepts is refused later only for what the opened device says of itself (its zones, its
 *     files, its geometry).
 *  2. Results but wall_ns are a function of the configuration. */
#include "harness/device_run.h"

#include "harness/device_parts.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "harness/util.h"
#include "variants/registry.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_BYTES ((uint64_t)16 << 30) /* 512 superblocks of the default geometry: a reserve of 3 is small */
#define SIZE_MAX_BYTES ((uint64_t)64 << 20)

static const char *const start_names[] = {"auto", "fresh", "seq", "random", NULL};

const struct pl_opt device_run_opts[] = {
	{"pattern", PL_OPT_STR, "uniform", 0, 0, NULL,
		"which units are used: uniform, seq, hotcold:W/D (W %% of the writes to D %% of the data), zipf:THETA, "
		"extents:SIZE/WRITERS"},
	{"streams", PL_OPT_BOOL, "0", 0, 0, NULL,
		"1: each class of the pattern has a placement hint of its own (hotcold: hot, cold; zipf: groups of "
		"equal "
		"mass; extents: writer)"},
	{"utilisation", PL_OPT_REAL, "0.8", 1, 980, NULL, "untimed: live pages / raw flash pages, all spare included"},
	{"until", PL_OPT_STR, "steady", 0, 0, NULL,
		"untimed: steady, or host pages (5000000), or turnovers of the live pages (40x); of these the second "
		"half "
		"is measured"},
	{"cap", PL_OPT_U64, "0", 0, 1000000, NULL,
		"untimed: most turnovers until steady; 0: as 2 * 10^9 pages make, from 600 to 20000"},
	{"fill", PL_OPT_STR, "", 0, 0, NULL,
		"untimed: order of the first writes: seq, random or class; timed: how full a zone (permille, or a "
		"size) or "
		"file (a size) is made before each operation on it"},
	{"op", PL_OPT_STR, "", 0, 0, NULL,
		"timed: read, write, append, punch, mixed:R (R %% reads), sync, reset, finish, open, close, truncate, "
		"file_open, file_close, move, remove, create; empty: untimed"},
	{"size", PL_OPT_BYTES, "4096", 1, SIZE_MAX_BYTES, NULL, "timed: bytes of a request"},
	{"qd", PL_OPT_U64, "1", 1, 65536, NULL, "timed: requests in flight"},
	{"count", PL_OPT_U64, "10000", 1, (uint64_t)1 << 40, NULL, "timed: requests that are measured"},
	{"warm", PL_OPT_U64, "0", 0, (uint64_t)1 << 40, NULL, "timed: requests before these"},
	{"zones", PL_OPT_U64, "0", 0, (uint64_t)1 << 32, NULL,
		"timed: zones written at a time, or used by the operation; 0: as many as it takes"},
	{"zone_requests", PL_OPT_U64, "0", 0, (uint64_t)1 << 40, NULL,
		"timed: a zone is left for an empty one after so many writes; 0: when it is full"},
	{"start", PL_OPT_ENUM, "auto", 0, 0, start_names,
		"timed: state before: fresh (nothing written), seq (all written in order), random (then overwritten "
		"twice by "
		"the pattern); auto: seq if it is read or overwritten"},
	{"finished", PL_OPT_BOOL, "0", 0, 0, NULL, "timed reset: the zone was filled, then finished"},
	{"region_bytes", PL_OPT_BYTES, "0", 0, 0, NULL, "timed: use only the first bytes of the device; 0: all"},
	{"sync_writes", PL_OPT_U64, "1", 0, 1000000, NULL, "timed sync: writes of size before each"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

/* ---- values ---- */

static const char *const ask_name[ASKS] = {
	[ASK_NONE] = "",
	[ASK_READ] = "read",
	[ASK_WRITE] = "write",
	[ASK_APPEND] = "append",
	[ASK_PUNCH] = "punch",
	[ASK_MIXED] = "mixed",
	[ASK_SYNC] = "sync",
	[ASK_RESET] = "reset",
	[ASK_FINISH] = "finish",
	[ASK_OPEN] = "open",
	[ASK_CLOSE] = "close",
	[ASK_TRUNCATE] = "truncate",
	[ASK_FILE_OPEN] = "file_open",
	[ASK_FILE_CLOSE] = "file_close",
	[ASK_MOVE] = "move",
	[ASK_REMOVE] = "remove",
	[ASK_CREATE] = "create",
};

static int parse_op(const char *text, struct device_wish *w, struct pl_fault *f)
{
	static const char mixed[] = "mixed:";
	if (strncmp(text, mixed, strlen(mixed)) == 0) {
		char *end;
		errno = 0;
		double reads = strtod(text + strlen(mixed), &end);
		if (!isdigit((unsigned char)text[strlen(mixed)]) || *end || errno || reads > 100)
			return pl_fault_set(f, PL_INVALID,
				"op: '%.60s' wants the per cent of reads from 0 to 100, such as mixed:70", text);
		w->ask = ASK_MIXED;
		w->read_permille = (uint32_t)(reads * 10 + 0.5);
		return PL_OK;
	}
	if (strcmp(text, "mixed") == 0)
		return pl_fault_set(f, PL_INVALID, "op: mixed wants the per cent of reads, such as mixed:70");
	for (int i = 0; i < ASKS; i++)
		if (strcmp(text, ask_name[i]) == 0) {
			w->ask = (enum device_ask)i;
			return PL_OK;
		}
	const char *near = pl_nearest(text, ask_name + 1, ASKS - 1);
	if (near)
		return pl_fault_set(f, PL_INVALID, "op: unknown operation '%.60s'; did you mean '%s'?", text,
			strcmp(near, "mixed") == 0 ? "mixed:70" : near);
	return pl_fault_set(f, PL_INVALID,
		"op: unknown operation '%.60s' (read, write, append, punch, mixed:R, sync, reset, finish, open, close, "
		"truncate, file_open, file_close, move, remove, create)",
		text);
}

static int parse_until(const char *text, struct device_wish *w, struct pl_fault *f)
{
	char *end;
	if (strcmp(text, "steady") == 0) {
		w->steady = true;
		return PL_OK;
	}
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	bool turnovers = *end && strcmp(end, "x") == 0;
	if (!isdigit((unsigned char)*text) || (*end && !turnovers) || errno || !n || n > (uint64_t)1 << 48)
		return pl_fault_set(f, PL_INVALID,
			"until: '%.60s' is neither steady, nor host pages such as 5000000, nor turnovers such as 40x",
			text);
	*(turnovers ? &w->until_turnovers : &w->until_pages) = n;
	return PL_OK;
}

static const char *const fill_name[] = {"seq", "random", "class"};

/* Either an order, or how full; which of them is wanted is said when the operation is known. */
static int parse_fill(const char *text, struct device_wish *w, bool *order, struct pl_fault *f)
{
	static const struct pl_opt size = {"fill", PL_OPT_BYTES, "0", 0, 0, NULL, ""};
	char bytes[32];
	*order = true;
	w->fill = PATTERN_FILL_SEQ;
	if (!*text)
		return PL_OK;
	for (size_t i = 0; i < PL_COUNT(fill_name); i++)
		if (strcmp(text, fill_name[i]) == 0) {
			w->fill = (enum pattern_fill)i;
			return PL_OK;
		}
	*order = false;
	if (pl_opt_canonical(&size, "fill", text, bytes, sizeof bytes, NULL)) {
		const char *near = pl_nearest(text, fill_name, PL_COUNT(fill_name));
		return near ? pl_fault_set(f, PL_INVALID, "fill: '%.60s' is no order; did you mean '%s'?", text, near)
			    : pl_fault_set(f, PL_INVALID,
				      "fill: '%.60s' is neither an order (seq, random, class), nor permille of a zone, "
				      "nor a size such as 64k",
				      text);
	}
	w->fill_amount = strtoull(bytes, NULL, 10);
	w->fill_is_bytes = !isdigit((unsigned char)text[strlen(text) - 1]);
	return PL_OK;
}

int device_run_check_value(const char *key, const char *value, struct pl_fault *f)
{
	struct device_wish w = {0};
	bool order;
	if (strcmp(key, "pattern") == 0)
		return pattern_parse(value, &w.pattern, f);
	if (strcmp(key, "op") == 0)
		return parse_op(value, &w, f);
	if (strcmp(key, "until") == 0)
		return parse_until(value, &w, f);
	return strcmp(key, "fill") == 0 ? parse_fill(value, &w, &order, f) : PL_OK;
}

/* ---- the whole ---- */

static const struct dev_ops *ops_of(const struct pl_conf *conf)
{
	struct kv_choice c;
	/* whether an engine could run on the device is no concern here */
	if (reg_choose(conf, &c, NULL))
		return c.device;
	return c.device;
}

static bool is_zone_ask(enum device_ask ask)
{
	return ask == ASK_APPEND || ask == ASK_RESET || ask == ASK_FINISH || ask == ASK_OPEN || ask == ASK_CLOSE;
}

static bool takes_fill(enum device_ask ask)
{
	return ask == ASK_RESET || ask == ASK_FINISH || ask == ASK_OPEN || ask == ASK_CLOSE || ask == ASK_TRUNCATE;
}

static int check_timed(const struct pl_conf *c, struct device_wish *w, bool order, struct pl_fault *f)
{
	static const char *const untimed_only[] = {"utilisation", "until", "cap"};
	uint64_t bytes = pl_conf_u64(c, "device.size");
	const char *fill = pl_conf_str(c, "device.fill"), *op = pl_conf_str(c, "device.op");
	for (size_t i = 0; i < PL_COUNT(untimed_only); i++) {
		char key[64];
		(void)snprintf(key, sizeof key, "device.%s", untimed_only[i]);
		if (pl_conf_is_set(c, key))
			return pl_fault_set(f, PL_INVALID,
				"%s: belongs to untimed runs; leave it out, or the operation (op = %s)",
				untimed_only[i], op);
	}
	if (bytes % w->block_bytes != 0)
		return pl_fault_set(f, PL_INVALID,
			"size: %" PRIu64 " bytes are no multiple of the device's block of %" PRIu32, bytes,
			w->block_bytes);
	w->size_blocks = (uint32_t)(bytes / w->block_bytes);
	if (*fill && order)
		return pl_fault_set(f, PL_INVALID,
			"fill: '%s' is an order, for untimed runs; with op = %s say how full (permille, or a size)",
			fill, op);
	if (*fill && !takes_fill(w->ask))
		return pl_fault_set(f, PL_INVALID,
			"fill: op = %s prepares nothing (reset, finish, open, close and truncate do)", op);
	if (*fill && w->ask == ASK_TRUNCATE && !w->fill_is_bytes && w->fill_amount)
		return pl_fault_set(f, PL_INVALID, "fill: of a file say a size, such as 16M, not '%s'", fill);
	if (*fill && !w->fill_is_bytes && w->fill_amount > 1000)
		return pl_fault_set(f, PL_INVALID,
			"fill: %s permille are more than the whole zone; a size has a suffix, such as 64k", fill);
	if (w->fill_is_bytes && w->fill_amount % w->block_bytes != 0)
		return pl_fault_set(f, PL_INVALID, "fill: %s is no multiple of the device's block of %" PRIu32, fill,
			w->block_bytes);
	if (w->ask >= ASK_SYNC && !is_zone_ask(w->ask) && w->qd != 1)
		return pl_fault_set(f, PL_INVALID, "qd: op = %s is done one at a time; qd must be 1", op);
	if (w->finished && w->ask != ASK_RESET)
		return pl_fault_set(f, PL_INVALID, "finished: only op = reset looks at it");
	return PL_OK;
}

static int check_untimed(const struct pl_conf *c, struct device_wish *w, bool order, struct pl_fault *f)
{
	static const char *const timed_only[] = {"size", "qd", "count", "warm", "zones", "zone_requests", "start",
		"finished", "region_bytes", "sync_writes"};
	for (size_t i = 0; i < PL_COUNT(timed_only); i++) {
		char key[64];
		(void)snprintf(key, sizeof key, "device.%s", timed_only[i]);
		if (pl_conf_is_set(c, key))
			return pl_fault_set(f, PL_INVALID,
				"%s: belongs to timed runs; say which operation (op = read, write, ...), or leave it "
				"out",
				timed_only[i]);
	}
	if (!order)
		return pl_fault_set(f, PL_INVALID,
			"fill: '%s' is how full, for timed runs; an untimed run wants an order (seq, random, class)",
			pl_conf_str(c, "device.fill"));
	if (!w->ops->write_untimed)
		return pl_fault_set(f, PL_INVALID,
			"device %s has no flash beneath its blocks that an untimed run could wear; take sim_ssd, or "
			"say "
			"which operation to time (op)",
			w->ops->name);
	return PL_OK;
}

int device_wish_read(const struct pl_conf *c, struct device_wish *w, struct pl_fault *f)
{
	bool order;
	*w = (struct device_wish){.ops = ops_of(c),
		.seed = pl_conf_u64(c, "seed"),
		.device_bytes = pl_conf_u64(c, "device_bytes"),
		.block_bytes = (uint32_t)lab_u64_or(c, "block_bytes", 4096),
		.streams = pl_conf_bool(c, "device.streams"),
		.utilisation = pl_conf_real(c, "device.utilisation"),
		.cap_windows = pl_conf_u64(c, "device.cap"),
		.qd = (uint32_t)pl_conf_u64(c, "device.qd"),
		.count = pl_conf_u64(c, "device.count"),
		.warm = pl_conf_u64(c, "device.warm"),
		.zones = pl_conf_u64(c, "device.zones"),
		.zone_requests = pl_conf_u64(c, "device.zone_requests"),
		.region_bytes = pl_conf_u64(c, "device.region_bytes"),
		.sync_writes = pl_conf_u64(c, "device.sync_writes"),
		.finished = pl_conf_bool(c, "device.finished")};
	if (!w->device_bytes)
		w->device_bytes = DEFAULT_BYTES;
	while (strcmp(start_names[w->start], pl_conf_str(c, "device.start")) != 0)
		w->start++;
	int err = pattern_parse(pl_conf_str(c, "device.pattern"), &w->pattern, f);
	if (!err)
		err = parse_op(pl_conf_str(c, "device.op"), w, f);
	if (!err)
		err = parse_until(pl_conf_str(c, "device.until"), w, f);
	if (!err)
		err = parse_fill(pl_conf_str(c, "device.fill"), w, &order, f);
	if (!err && w->ops->unavailable)
		err = pl_fault_set(
			f, PL_UNSUPPORTED, "device %s is unavailable: %s", w->ops->name, w->ops->unavailable);
	if (!err && w->ops->real)
		err = pl_fault_set(f, PL_INVALID,
			"device %s is real; device runs want a simulated one (`pagelab calibrate` measures real ones)",
			w->ops->name);
	if (err)
		return err;
	return w->ask == ASK_NONE ? check_untimed(c, w, order, f) : check_timed(c, w, order, f);
}

int device_run_check(const struct pl_conf *conf, struct pl_fault *f)
{
	struct device_wish w;
	return device_wish_read(conf, &w, f);
}

/* ---- the session ---- */

uint64_t device_wall_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int device_session_open(struct device_session *s, uint64_t capacity_bytes, const char *media_bytes)
{
	struct pl_conf conf;
	char key[80];
	int err = PL_OK;
	pl_conf_copy(&conf, s->args->conf);
	(void)snprintf(key, sizeof key, "%s.media_bytes", s->wish->ops->name);
	if (media_bytes && !lab_find_option(&conf, key, NULL))
		err = pl_fault_set(s->f, PL_INVALID,
			"device %s cannot be given its raw flash (%s): no untimed runs on it", s->wish->ops->name, key);
	else if (media_bytes && profile_set_besides(&conf, key))
		err = pl_fault_set(s->f, PL_INVALID,
			"%s: in untimed runs device_bytes is the raw flash; set device_bytes instead", key);
	else if (media_bytes)
		err = pl_conf_set(&conf, key, media_bytes, s->f);
	if (!err) {
		struct dev_args a = {.conf = &conf,
			.seed = s->wish->seed,
			.capacity_bytes = capacity_bytes,
			.block_bytes = s->wish->block_bytes,
			.contentless = true};
		err = dev_open(s->wish->ops, &a, &s->dev, s->f);
	}
	pl_conf_free(&conf);
	if (!err)
		s->result->caps = s->dev->caps;
	return err;
}

int device_session_progress(struct device_session *s, const char *phase, uint64_t done, uint64_t of)
{
	if (!s->args->progress || s->args->progress(s->args->arg, phase, done, of, device_wall_ns() - s->started_ns))
		return PL_OK;
	return pl_fault_set(s->f, PL_INTERRUPTED, "interrupted");
}

static void keep_number(void *arg, const char *key, uint64_t value)
{
	struct device_result *r = arg;
	size_t i = 0;
	while (i < r->describes && strcmp(r->describe[i].key, key) != 0)
		i++;
	if (i == r->describes) {
		r->describe = lab_realloc(r->describe, (i + 1) * sizeof *r->describe);
		r->describe[r->describes++] = (struct device_number){0};
		lab_copy(r->describe[i].key, sizeof r->describe[i].key, key);
	}
	r->describe[i].value = value;
}

void device_session_describe(struct device_session *s)
{
	dev_describe(s->dev, keep_number, s->result);
}

uint64_t device_result_describe(const struct device_result *r, const char *key, uint64_t otherwise)
{
	for (size_t i = 0; i < r->describes; i++)
		if (strcmp(r->describe[i].key, key) == 0)
			return r->describe[i].value;
	return otherwise;
}

struct device_counts device_counts_of(const struct device_result *r)
{
	return (struct device_counts){.host_pages = device_result_describe(r, "host_pages", 0),
		.moved_pages = device_result_describe(r, "moved_pages", 0),
		.victims = device_result_describe(r, "victims", 0),
		.victim_valid_pages = device_result_describe(r, "victim_valid_pages", 0),
		.victim_written_pages = device_result_describe(r, "victim_written_pages", 0),
		.erases = device_result_describe(r, "erases", 0)};
}

struct device_counts device_counts_minus(const struct device_counts *a, const struct device_counts *b)
{
	return (struct device_counts){.host_pages = a->host_pages - b->host_pages,
		.moved_pages = a->moved_pages - b->moved_pages,
		.victims = a->victims - b->victims,
		.victim_valid_pages = a->victim_valid_pages - b->victim_valid_pages,
		.victim_written_pages = a->victim_written_pages - b->victim_written_pages,
		.erases = a->erases - b->erases};
}

int device_open_alone(const struct pl_conf *conf, struct dev **out, struct pl_fault *f)
{
	const struct dev_ops *ops = ops_of(conf);
	uint64_t bytes = pl_conf_u64(conf, "device_bytes");
	struct dev_args a = {.conf = conf,
		.seed = pl_conf_u64(conf, "seed"),
		.capacity_bytes = bytes ? bytes : DEFAULT_BYTES,
		.block_bytes = (uint32_t)lab_u64_or(conf, "block_bytes", 4096),
		.contentless = true};
	if (ops->real)
		return pl_fault_set(f, PL_INVALID, "device %s is real; take a simulated one", ops->name);
	return dev_open(ops, &a, out, f);
}

int device_run(const struct device_run_args *args, struct device_result *out, struct pl_fault *f)
{
	struct device_wish w;
	struct device_session s = {.args = args, .wish = &w, .result = out, .f = f, .started_ns = device_wall_ns()};
	*out = (struct device_result){0};
	int err = device_wish_read(args->conf, &w, f);
	if (err)
		return err;
	out->ops = w.ops;
	out->timed = w.ask != ASK_NONE;
	err = out->timed ? device_timed(&s) : device_untimed(&s);
	if (s.dev)
		dev_close(s.dev);
	out->wall_ns = device_wall_ns() - s.started_ns;
	return err;
}

void device_result_free(struct device_result *r)
{
	free(r->describe);
	free(r->tally);
	*r = (struct device_result){0};
}
