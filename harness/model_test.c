/* model_test.c - every legal product against the reference store.
 *
 * Per product: a sequential part, the same operations for all products, whose content must therefore be the same for
 * all; a part with several operations in flight, whose outcome is decided by the order of lsn; and filling the device
 * until it is full. After every single operation the accounts of space must be right. The counters must show that what
 * was to be tested did happen: splits, merges, evictions, checkpoints, cleaning, journaled images, roll-forward.
 *
 *   PAGELAB_MODEL_OPS      operations per product (sequential part)
 *   PAGELAB_SEED, PAGELAB_PRODUCT, PAGELAB_SHARD, PAGELAB_SAMPLE   as in products.h */
#include "harness/campaign.h"
#include "harness/products.h"

#include "engine/iface/durability.h"
#include "engine/iface/guard.h"
#include "engine/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS 6u
#define WINDOW 64u
#define KEYS_MAX 1000u

struct trial {
	struct kv_choice choice;
	char name[200];
	struct model_lab lab;
	uint64_t seed, op; /* number of the operation under way, for the failure's sentence */
	const char *part;
	struct dev *dev;
	struct kv *kv;
	struct pl_ctx x;
	struct model model;
	struct model_client client[CLIENTS];
	struct kv_stats stats;
	struct model_content found; /* by the scan last compared */
	uint64_t last_lsn, capacity_bytes;
	uint64_t accounted; /* operations after which the accounts of space were looked at */
	uint64_t key_hash[KEYS_MAX]; /* as scans leave it, by key number */
	bool failed;
	char text[700];
};

static bool PL_PRINTF(2, 3) wrong(struct trial *t, const char *fmt, ...)
{
	if (t->failed)
		return false;
	va_list ap;
	int n = snprintf(t->text, sizeof t->text, "%s: seed %" PRIu64 ", %s operation %" PRIu64 ": ", t->name, t->seed,
		t->part, t->op);
	va_start(ap, fmt);
	(void)vsnprintf(t->text + n, sizeof t->text - (size_t)n, fmt, ap);
	va_end(ap);
	return !(t->failed = true);
}

/* --- opening and closing --------------------------------------------------------------------------------------- */

static const char *scratch_path(void)
{
	static char path[300];
	const char *dir = getenv("TMPDIR");
	if (!dir || !*dir) /* in memory if possible: nothing here is about how long a disk takes */
		dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(path, sizeof path, "%s/pagelab_model_%ld", dir, (long)getpid());
	return path;
}

static bool trial_open(struct trial *t, const char *when)
{
	struct pl_fault f = {0};
	int err = kv_open(&t->choice, &t->lab.conf, t->dev, &t->x, &t->kv, &f);
	if (err) {
		t->kv = NULL;
		return wrong(t, "%s: kv_open: %s: %s", when, pl_err_name(err), f.text);
	}
	t->last_lsn = 0; /* may or may not continue */
	return true;
}

static bool trial_close(struct trial *t)
{
	struct pl_fault f = {0};
	struct kv_stats s;
	kv_stats(t->kv, &s);
	campaign_add_stats(&t->stats, &s);
	int err = kv_close(t->kv, &t->x, &f);
	t->kv = NULL;
	return err ? wrong(t, "kv_close: %s: %s", pl_err_name(err), f.text) : true;
}

/* set: a workload's form of keys, NULL: the model's own. */
static bool trial_begin(struct trial *t, const struct kv_choice *c, uint64_t seed, bool int_keys, bool small_zones,
	const struct wl_key_ops *set, const struct wl_key_form *set_form)
{
	struct pl_fault f = {0};
	memset(t, 0, sizeof *t);
	t->choice = *c;
	t->seed = seed;
	t->part = "opening,";
	(void)model_product_name(c, t->name);
	model_lab_init(&t->lab, c, int_keys);
	if (set) {
		t->lab.form.set = set;
		t->lab.form.set_form = *set_form;
	}
	if (small_zones) {
		model_lab_set(&t->lab, "zone.zone_bytes", "65536");
		model_lab_set(&t->lab, "sim_zns.zone_bytes", "65536");
		/* two homes a page; or cleaning writes paths, and needs more room for itself */
		t->lab.capacity_bytes = c->placement->in_place || c->addressing->by_parent ? 4u << 20 : 2u << 20;
	}
	for (uint32_t i = 0; i < CLIENTS; i++)
		model_client_init(&t->client[i], &t->lab.form);
	assert(t->lab.form.keys <= KEYS_MAX);
	for (uint32_t k = 0; k < t->lab.form.keys; k++)
		t->key_hash[k] = model_key_hash(
			pl_slice_of(t->client[0].last_key, model_key_bytes(&t->lab.form, k, t->client[0].last_key)));
	int err = model_lab_device(&t->lab, c, seed, scratch_path(), &t->dev, &f);
	if (err)
		return wrong(t, "device: %s: %s", pl_err_name(err), f.text);
	t->x.simulated = t->dev->caps.simulated;
	t->x.now_ns = t->x.simulated ? 0 : pl_clock_ns();
	err = kv_format(c, &t->lab.conf, seed, t->dev, &t->x, &f);
	if (err)
		return wrong(t, "kv_format: %s: %s", pl_err_name(err), f.text);
	return trial_open(t, "after format");
}

static void trial_end(struct trial *t)
{
	if (t->kv)
		kv_abandon(t->kv);
	dev_close(t->dev);
	(void)unlink(scratch_path());
	for (uint32_t i = 0; i < CLIENTS; i++)
		model_client_free(&t->client[i]);
	model_free(&t->model);
	model_lab_free(&t->lab);
}

/* The process dies: what reached the device is there, in a fresh one of the same kind. */
static bool trial_die(struct trial *t)
{
	struct dev *fresh;
	struct pl_fault f = {0};
	struct kv_stats s;
	const struct dev_caps *c = &t->dev->caps;
	uint8_t *buf = malloc(c->block_bytes);
	kv_stats(t->kv, &s);
	campaign_add_stats(&t->stats, &s);
	kv_abandon(t->kv);
	t->kv = NULL;
	int err = model_lab_device(&t->lab, &t->choice, t->seed, NULL, &fresh, &f);
	for (uint64_t b = 0; b < c->capacity_blocks && !err; b++) {
		err = t->dev->ops->peek(t->dev, b, 1, buf);
		if (!err)
			err = fresh->ops->poke(fresh, b, 1, buf);
	}
	for (uint64_t z = 0; z < c->zones && c->sequential && !err; z++) {
		struct dev_zone zone;
		err = dev_zone(t->dev, z, &zone);
		bool whole = zone.state == DEV_ZONE_EMPTY || zone.state == DEV_ZONE_FULL;
		enum dev_zone_state state = whole                              ? zone.state
					    : zone.write_pointer == zone.start ? DEV_ZONE_EMPTY
									       : DEV_ZONE_CLOSED;
		if (!err)
			err = fresh->ops->poke_zone(fresh, z, state, zone.write_pointer);
	}
	free(buf);
	assert(!err);
	dev_close(t->dev);
	t->dev = fresh;
	t->x = (struct pl_ctx){.simulated = true};
	return trial_open(t, "after the process died");
}

/* --- checks ---------------------------------------------------------------------------------------------------- */

static bool same_content(struct trial *t, const char *when)
{
	struct model_content c;
	char text[300] = "";
	int err = model_content(t->kv, &t->x, &t->lab.form, &c);
	t->found = c;
	if (!err && !c.disorder && c.hash == t->model.hash && c.count == t->model.count)
		return true;
	int again = model_difference(t->kv, &t->x, &t->lab.form, &t->model, text, sizeof text);
	return wrong(t, "%s: scan gives %s and %" PRIu64 " records instead of %zu: %s (%s; %s)", when, pl_err_name(err),
		c.count, t->model.count, text, pl_err_name(again), kv_fault_text(t->kv));
}

static bool whole(struct trial *t)
{
	struct pl_fault f = {0};
	int err = kv_check(t->kv, &t->x, &f);
	return err ? wrong(t, "kv_check: %s: %s", pl_err_name(err), f.text) : true;
}

/* Bytes of all images that the addressing names, counted anew. */
static uint64_t named_bytes(const struct store *s)
{
	const struct adr_ops *adr = s->choice.addressing;
	uint64_t bytes = 0, maps = adr->map_pages && adr->map_loc ? adr->map_pages(s) : 0;
	for (uint64_t b = 0; adr->by_parent && b < s->layout.data_blocks; b++) /* pages may have no id */
		bytes += (uint64_t)adr->extent(s, s->layout.data_start + b) * s->block_bytes;
	for (uint64_t id = 1; id <= s->max_ids && !adr->by_parent; id++)
		bytes += s->directory[id] ? loc_bytes(store_loc(s, id), s->block_bytes) : 0;
	for (uint64_t i = 0; i < maps; i++)
		bytes += loc_bytes(adr->map_loc(s, i), s->block_bytes);
	return bytes;
}

/* After every operation: no block is lost, none is counted twice, no account is below zero (which the sum would not
 * show), and out of place what lives is what is named. */
static bool conserved(struct trial *t)
{
	struct kv_stats s;
	const struct store *store = (const struct store *)t->kv;
	kv_stats(t->kv, &s);
	t->accounted++;
	uint64_t whole = s.data_capacity_bytes;
	uint64_t most = pl_max64(pl_max64(s.live_bytes, s.dead_bytes), pl_max64(s.free_bytes, s.reserved_bytes));
	if (s.live_bytes + s.dead_bytes + s.free_bytes + s.reserved_bytes != whole || most > whole)
		return wrong(t,
			"live %" PRIu64 " + dead %" PRIu64 " + free %" PRIu64 " + reserved %" PRIu64
			" != capacity %" PRIu64,
			s.live_bytes, s.dead_bytes, s.free_bytes, s.reserved_bytes, whole);
	if (!whole || (t->capacity_bytes && t->capacity_bytes != whole))
		return wrong(t, "the capacity was %" PRIu64 " bytes and is %" PRIu64, t->capacity_bytes, whole);
	t->capacity_bytes = whole;
	if (store->choice.placement->in_place || named_bytes(store) == s.live_bytes)
		return true;
	return wrong(t, "live %" PRIu64 " bytes, but pages and map name %" PRIu64, s.live_bytes, named_bytes(store));
}

static bool accounts(struct trial *t)
{
	struct kv_stats s;
	kv_stats(t->kv, &s);
	if (s.records != t->model.count)
		return wrong(t, "the store counts %" PRIu64 " records, there are %zu", s.records, t->model.count);
	return conserved(t);
}

static bool do_checkpoint(struct trial *t)
{
	int err = kv_checkpoint(t->kv, &t->x);
	return err ? wrong(t, "kv_checkpoint: %s: %s", pl_err_name(err), kv_fault_text(t->kv)) : accounts(t);
}

static bool reopen(struct trial *t)
{
	return trial_close(t) && trial_open(t, "after a close") && whole(t) &&
	       same_content(t, "after close and opening") && accounts(t);
}

static bool die_and_recover(struct trial *t)
{
	return trial_die(t) && whole(t) && same_content(t, "after death and recovery") && accounts(t);
}

/* --- one operation after another ------------------------------------------------------------------------------- */

static bool check_scan(struct trial *t, const struct model_client *c)
{
	bool exact;
	size_t at = model_lower_bound(&t->model, c->op.key, &exact), n = t->model.count - at;
	if (c->act.limit && n > c->act.limit)
		n = c->act.limit;
	if (c->nemitted != n || c->op.emitted != n)
		return wrong(t, "scan of at most %" PRIu32 " gave %zu records (%" PRIu64 " counted) instead of %zu",
			c->act.limit, c->nemitted, c->op.emitted, n);
	for (size_t i = 0; i < n; i++)
		if (c->emitted[i].record_hash != t->model.record[at + i].hash)
			return wrong(t, "record %zu of a scan is another", i);
	return true;
}

static bool changes(enum kv_kind k)
{
	return k == KV_PUT || k == KV_UPDATE || k == KV_RMW || k == KV_DELETE;
}

static bool perform(struct trial *t, const struct model_act *a)
{
	struct model_client *c = &t->client[0];
	char text[160];
	bool replaced;
	int got = model_do(c, t->kv, &t->x, a), want = model_perform(&t->model, &t->lab.form, a, &replaced);
	if (got != want)
		return wrong(t, "%s ended with %s instead of %s (%s)", model_act_text(&t->lab.form, a, text),
			pl_err_name(got), pl_err_name(want), kv_fault_text(t->kv));
	if (a->kind == KV_PUT && c->op.replaced != replaced)
		return wrong(t, "%s: replaced is %d", model_act_text(&t->lab.form, a, text), c->op.replaced);
	if (a->kind == KV_SCAN && !check_scan(t, c))
		return false;
	if (a->kind == KV_GET && !got) {
		bool exact;
		size_t at = model_lower_bound(&t->model, c->op.key, &exact);
		if (c->found != t->model.record[at].hash)
			return wrong(t, "%s gave another value", model_act_text(&t->lab.form, a, text));
		if (c->op.result.n != t->model.record[at].value_bytes)
			return wrong(t, "%s gave %zu bytes", model_act_text(&t->lab.form, a, text), c->op.result.n);
	}
	bool changed = changes(a->kind) && !got;
	if (changed && c->op.lsn.v <= t->last_lsn)
		return wrong(t, "%s: lsn %" PRIu64 " after %" PRIu64, model_act_text(&t->lab.form, a, text),
			c->op.lsn.v, t->last_lsn);
	if (changed)
		t->last_lsn = c->op.lsn.v;
	return conserved(t);
}

/* Grow, churn, shrink, grow again: pages split, are evicted, merge. */
static const struct model_mix phase_mix[] = {
	{.put = 200, .update = 8, .rmw = 8, .erase = 8, .scan = 4, .commit = 2, .no_wait = 128},
	{.put = 80, .update = 30, .rmw = 30, .erase = 40, .scan = 8, .commit = 4, .no_wait = 60},
	{.put = 10, .update = 10, .rmw = 10, .erase = 200, .scan = 6, .commit = 2, .no_wait = 128},
	{.put = 170, .update = 10, .rmw = 10, .erase = 30, .scan = 4, .commit = 2, .no_wait = 60},
};

static bool sequential(struct trial *t, uint64_t n)
{
	struct pl_rng rng;
	bool mortal = t->x.simulated && strcmp(t->choice.durability->name, "none") != 0, ok = true;
	t->part = "sequential";
	pl_rng_seed(&rng, t->seed, 2);
	for (t->op = 0; ok && t->op < n; t->op++) {
		struct model_act a = model_draw(&t->lab.form, &phase_mix[t->op * 8 / n % 4], &rng);
		ok = perform(t, &a);
		if (ok && t->op % 97 == 50)
			ok = do_checkpoint(t);
		if (ok && t->op % 200 == 199)
			ok = whole(t);
		if (ok && (t->op == n / 4 || t->op == n * 3 / 5))
			ok = reopen(t);
		if (ok && mortal && (t->op == n / 3 || t->op == n * 4 / 5)) {
			a = (struct model_act){.kind = KV_COMMIT};
			ok = perform(t, &a) && die_and_recover(t);
		}
	}
	return ok && whole(t) && same_content(t, "at the end of the sequential part") && do_checkpoint(t);
}

/* --- several in flight ----------------------------------------------------------------------------------------- */

struct outcome {
	struct model_act act;
	int status;
	uint64_t lsn, found, floor; /* floor: the last lsn acknowledged when it started */
	uint64_t started, ended; /* in the order of starts and ends */
	bool replaced, disorder;
	struct model_emitted *emitted;
	size_t nemitted;
};

/* What a key was after a change (or before the window: lsn 0). */
struct version {
	uint64_t lsn, started, hash;
	uint32_t value_bytes;
	uint32_t keynum;
};

struct window {
	struct outcome op[WINDOW];
	struct version version[WINDOW];
	size_t ops, versions;
	uint64_t clock, acknowledged;
};

static struct version version_of(struct trial *t, uint32_t keynum, uint64_t lsn, uint64_t started)
{
	struct version v = {.lsn = lsn, .started = started, .keynum = keynum};
	bool exact;
	pl_slice key = pl_slice_of(t->client[0].last_key, model_key_bytes(&t->lab.form, keynum, t->client[0].last_key));
	size_t at = model_lower_bound(&t->model, key, &exact);
	if (exact) {
		v.hash = t->model.record[at].hash;
		v.value_bytes = t->model.record[at].value_bytes;
	}
	return v;
}

static bool fits(const struct outcome *o, const struct version *v)
{
	if (o->status == PL_NOTFOUND)
		return v->hash == 0;
	if (o->status == PL_RANGE)
		return v->hash && o->act.offset + o->act.value_bytes > v->value_bytes;
	return v->hash == o->found;
}

/* Some version of the key that was current between start and end of o explains its outcome. */
static bool explained(const struct window *w, const struct outcome *o, const struct version *first)
{
	const struct version *current = first;
	for (size_t i = 0; i <= w->versions; i++) {
		const struct version *next = i < w->versions ? &w->version[i] : NULL;
		if (next && next->keynum != first->keynum)
			continue;
		bool gone = next && next->lsn <= o->floor;
		if (!gone && current->started < o->ended && fits(o, current))
			return true;
		if (next)
			current = next;
	}
	return false;
}

static int by_lsn(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;
	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	return x->started < y->started ? -1 : x->started > y->started;
}

/* Every record of a scan is a version of its time, and no untouched key in its range is left out. */
static bool scan_explained(
	struct trial *t, const struct window *w, const struct outcome *o, const struct version *before)
{
	uint32_t keys = t->lab.form.keys;
	uint8_t *key = t->client[0].last_key, *start = t->client[1].last_key;
	size_t nstart = model_key_bytes(&t->lab.form, o->act.keynum, start);
	bool to_end = !o->act.limit || o->nemitted < o->act.limit;
	size_t expected = 0, found = 0;
	uint32_t last = UINT32_MAX;
	uint32_t *which = calloc(o->nemitted + 1, sizeof *which);
	bool ok = !o->disorder;
	for (size_t i = 0; ok && i < o->nemitted; i++) {
		uint32_t k = 0;
		while (k < keys && t->key_hash[k] != o->emitted[i].key_hash)
			k++;
		struct outcome one = {.act = {.kind = KV_GET},
			.found = o->emitted[i].record_hash,
			.floor = o->floor,
			.ended = o->ended};
		ok = k < keys && explained(w, &one, &before[k]);
		which[i] = last = k;
	}
	for (uint32_t k = 0; ok && k < keys; k++) {
		bool touched = before[k].hash == 0, emitted = false;
		for (size_t i = 0; i < w->versions; i++)
			touched |= w->version[i].keynum == k;
		pl_slice s = pl_slice_of(key, model_key_bytes(&t->lab.form, k, key));
		if (touched || pl_slice_cmp(s, pl_slice_of(start, nstart)) < 0)
			continue;
		if (!to_end) {
			uint8_t *end = t->client[2].last_key;
			if (pl_slice_cmp(s, pl_slice_of(end, model_key_bytes(&t->lab.form, last, end))) > 0)
				continue;
		}
		expected++;
		for (size_t i = 0; i < o->nemitted; i++)
			emitted |= which[i] == k;
		found += emitted;
	}
	free(which);
	return ok && found == expected;
}

static bool settle_window(struct trial *t, struct window *w, const struct version *before)
{
	char text[160];
	qsort(w->op, w->ops, sizeof *w->op, by_lsn);
	for (size_t i = 0; i < w->ops; i++) {
		struct outcome *o = &w->op[i];
		bool replaced;
		if (!o->lsn)
			continue;
		if (o->lsn <= t->last_lsn)
			return wrong(t, "%s: lsn %" PRIu64 " comes again or late",
				model_act_text(&t->lab.form, &o->act, text), o->lsn);
		t->last_lsn = o->lsn;
		int want = model_perform(&t->model, &t->lab.form, &o->act, &replaced);
		if (want != PL_OK || (o->act.kind == KV_PUT && replaced != o->replaced))
			return wrong(t, "%s succeeded (replaced %d); in the order of lsn it is %s (replaced %d)",
				model_act_text(&t->lab.form, &o->act, text), o->replaced, pl_err_name(want), replaced);
		w->version[w->versions++] = version_of(t, o->act.keynum, o->lsn, o->started);
	}
	for (size_t i = 0; i < w->ops; i++) {
		const struct outcome *o = &w->op[i];
		if (o->lsn || o->act.kind == KV_COMMIT)
			continue;
		if (o->act.kind == KV_SCAN ? !scan_explained(t, w, o, before)
					   : !explained(w, o, &before[o->act.keynum]))
			return wrong(t, "%s ended with %s: no moment between its start and end explains that",
				model_act_text(&t->lab.form, &o->act, text), pl_err_name(o->status));
	}
	return true;
}

static bool note_outcome(struct trial *t, struct window *w, struct model_client *c)
{
	char text[160];
	struct outcome *o = &w->op[c->user[0]];
	o->status = c->op.status;
	o->lsn = changes(c->act.kind) && c->op.status == PL_OK ? c->op.lsn.v : 0;
	o->ended = ++w->clock;
	o->found = c->found;
	o->replaced = c->op.replaced;
	o->disorder = c->disorder;
	o->nemitted = c->nemitted;
	if (c->nemitted) {
		o->emitted = malloc(c->nemitted * sizeof *o->emitted);
		memcpy(o->emitted, c->emitted, c->nemitted * sizeof *o->emitted);
	}
	w->acknowledged = w->acknowledged > o->lsn ? w->acknowledged : o->lsn;
	c->busy = false;
	if (o->status != PL_OK && o->status != PL_NOTFOUND && o->status != PL_RANGE)
		return wrong(t, "%s ended with %s (%s)", model_act_text(&t->lab.form, &c->act, text),
			pl_err_name(o->status), kv_fault_text(t->kv));
	if (changes(c->act.kind) && o->status == PL_OK && !o->lsn)
		return wrong(t, "%s has no lsn", model_act_text(&t->lab.form, &c->act, text));
	return conserved(t);
}

static bool wait_until(struct trial *t, struct window *w, uint32_t *busy, uint32_t until)
{
	while (*busy > until) {
		struct kv_op *op = model_wait(t->kv, &t->x, true);
		if (!op)
			return wrong(t, "%" PRIu32 " operations wait but nothing is under way", *busy);
		(*busy)--;
		if (!note_outcome(t, w, model_client_of(op)))
			return false;
	}
	return true;
}

static bool run_window(struct trial *t, struct window *w, struct pl_rng *rng, const struct model_mix *mix)
{
	uint32_t busy = 0, clients = CLIENTS; /* also beyond kv_max_active: they wait to start */
	for (; w->ops < WINDOW; w->ops++, t->op++) {
		if (busy == clients && !wait_until(t, w, &busy, clients - 1 - (uint32_t)pl_rng_below(rng, clients)))
			return false;
		struct model_client *c = t->client;
		while (c->busy)
			c++;
		struct model_act a = model_draw(&t->lab.form, mix, rng);
		if (a.kind != KV_COMMIT && pl_rng_below(rng, 2))
			a.keynum %= 8; /* make them meet */
		model_client_set(c, &a);
		c->busy = true;
		c->user[0] = w->ops;
		w->op[w->ops] = (struct outcome){.act = a, .started = ++w->clock, .floor = w->acknowledged};
		busy++;
		if (kv_start(t->kv, &t->x, &c->op) != PL_AGAIN) {
			busy--;
			if (!note_outcome(t, w, c)) {
				w->ops++;
				return false;
			}
		}
	}
	return wait_until(t, w, &busy, 0);
}

/* The process dies with puts in flight: each is there whole or not at all. */
static bool die_in_flight(struct trial *t)
{
	t->part = "dying";
	for (t->op = 0; t->op < CLIENTS; t->op++) {
		struct model_act a = {.kind = KV_PUT,
			.keynum = 900 + (uint32_t)t->op,
			.value_bytes = 100 + 1900 * (uint32_t)t->op,
			.dice = t->op + 5};
		model_client_set(&t->client[t->op], &a);
		int status = kv_start(t->kv, &t->x, &t->client[t->op].op);
		if (status != PL_AGAIN && status != PL_OK)
			return wrong(t, "put ended with %s", pl_err_name(status));
	}
	if (!trial_die(t) || !whole(t))
		return false;
	for (t->op = 0; t->op < CLIENTS; t->op++) {
		struct model_client reader;
		struct model_act put = t->client[t->op].act, get = put;
		bool replaced;
		get.kind = KV_GET;
		model_client_init(&reader, &t->lab.form);
		if (model_do(&reader, t->kv, &t->x, &get) == PL_OK)
			(void)model_perform(&t->model, &t->lab.form, &put, &replaced);
		model_client_free(&reader);
	}
	return same_content(t, "after death with puts in flight") && accounts(t);
}

static bool concurrent(struct trial *t, uint64_t windows)
{
	struct pl_rng rng;
	bool ok = true;
	t->part = "concurrent";
	t->op = 0;
	pl_rng_seed(&rng, t->seed, 3);
	for (uint64_t i = 0; ok && i < windows; i++) {
		struct window *w = calloc(1, sizeof *w);
		struct version *before = calloc(t->lab.form.keys, sizeof *before);
		for (uint32_t k = 0; k < t->lab.form.keys; k++)
			before[k] = version_of(t, k, 0, 0);
		ok = run_window(t, w, &rng, &phase_mix[i % 4]) && settle_window(t, w, before);
		for (size_t k = 0; k < w->ops; k++)
			free(w->op[k].emitted);
		free(before);
		free(w);
		if (ok && i % 2)
			ok = same_content(t, "after operations in flight together") && do_checkpoint(t);
	}
	bool mortal = t->x.simulated && strcmp(t->choice.durability->name, "none") != 0;
	return ok && whole(t) && reopen(t) && (!mortal || die_in_flight(t));
}

/* --- device full ----------------------------------------------------------------------------------------------- */

static int put_number(struct trial *t, uint32_t keynum, uint32_t value_bytes, uint64_t dice, bool erase)
{
	struct model_form f = t->lab.form;
	struct model_act a = {.kind = erase ? KV_DELETE : KV_PUT,
		.no_wait = true,
		.keynum = keynum,
		.value_bytes = value_bytes,
		.dice = dice};
	bool replaced;
	int got = model_do(&t->client[0], t->kv, &t->x, &a);
	if (got == PL_OK && model_perform(&t->model, &f, &a, &replaced) != PL_OK)
		(void)wrong(t, "delete of an absent key succeeded");
	(void)conserved(t);
	return got;
}

static bool fill_until_full(struct trial *t, uint32_t from, uint32_t *filled)
{
	for (uint32_t k = from; k < from + 100000; k++, t->op++) {
		int err = put_number(t, k, k % 16 ? 1400 : 15000, k | 1u, false);
		*filled = k;
		if (err == PL_FULL)
			return true;
		if (err)
			return wrong(t, "put of key %" PRIu32 " ended with %s (%s)", k, pl_err_name(err),
				kv_fault_text(t->kv));
	}
	return wrong(t, "100000 puts and the device is not full");
}

static bool full(struct trial *t)
{
	uint32_t end = 0, again = 0;
	t->part = "full";
	t->op = 0;
	if (!fill_until_full(t, 1000, &end) || !same_content(t, "on the full device") || !whole(t))
		return false;
	if (end < 1200)
		return wrong(t, "full after only %" PRIu32 " puts", end - 1000);
	for (uint32_t k = 1000; k < end; k += 2, t->op++) {
		int err = put_number(t, k, 0, 0, true);
		if (err)
			return wrong(t, "delete of key %" PRIu32 " on the full device ended with %s (%s)", k,
				pl_err_name(err), kv_fault_text(t->kv));
	}
	if (!do_checkpoint(t) || !same_content(t, "after deletes on the full device"))
		return false;
	for (uint32_t k = 0; k < 20; k++) {
		int err = put_number(t, 1000 + 2 * k, 1000, k, false);
		if (err)
			return wrong(t, "put after half was deleted ended with %s (%s)", pl_err_name(err),
				kv_fault_text(t->kv));
	}
	if (!fill_until_full(t, end + 1, &again) || !reopen(t))
		return false;
	return !t->failed;
}

/* --- did it happen? -------------------------------------------------------------------------------------------- */

static bool happened(struct trial *t)
{
	const struct kv_stats *s = &t->stats;
	bool zone = t->choice.placement->appends, in_place = t->choice.placement->in_place;
	bool journals = in_place && (!strcmp(t->choice.guard->name, "dwb") || !strcmp(t->choice.guard->name, "fpi"));
	bool logs = t->choice.durability->logs;
	const struct {
		const char *what;
		uint64_t count;
		bool wanted;
	} fact[] = {
		{"splits", s->splits, true},
		{"merges", s->merges, true},
		{"clean evictions", s->evictions_clean, true},
		{"dirty evictions", s->evictions_dirty, true},
		{"misses", s->pool_misses, true},
		{"checkpoints", s->checkpoints, true},
		{"log records", s->log_records, logs},
		{"records rolled forward", s->recovered_records, logs && t->x.simulated},
		{"cleaned zones", s->cleaned_zones, zone},
		{"moved pages", s->moved_pages, zone},
		{"home writes", s->home_writes, journals},
		{"waits", s->waits, strncmp(t->choice.device->name, "sim_", 4) == 0},
		{"syncs", s->syncs, true},
	};
	for (size_t i = 0; i < PL_COUNT(fact); i++)
		if (fact[i].wanted && !fact[i].count)
			return wrong(t, "no %s: the test does not test", fact[i].what);
	return true;
}

/* --- the tests ------------------------------------------------------------------------------------------------- */

/* What every product must hold after the sequential part: the acts, performed without any store. */
static struct model_content content_of_acts(uint64_t n, uint64_t seed, bool int_keys)
{
	struct model_lab lab;
	struct model m;
	struct pl_rng rng;
	model_lab_init(&lab, NULL, int_keys);
	model_init(&m);
	pl_rng_seed(&rng, seed, 2);
	for (uint64_t i = 0; i < n; i++) {
		bool replaced;
		struct model_act a = model_draw(&lab.form, &phase_mix[i * 8 / n % 4], &rng);
		(void)model_perform(&m, &lab.form, &a, &replaced);
	}
	struct model_content c = {.hash = m.hash, .count = m.count};
	model_free(&m);
	model_lab_free(&lab);
	return c;
}

static bool same_as_all(struct trial *t, const struct model_content *want)
{
	return (t->found.hash == want->hash && t->found.count == want->count) ||
	       wrong(t, "another content (%" PRIu64 " records) after the same operations", t->found.count);
}

static void every_product(bool int_keys)
{
	uint64_t n = model_env("MODEL_OPS", 600), seed = model_env("SEED", 1), compared = 0, failures = 0,
		 accounted = 0;
	struct model_content want = content_of_acts(n, seed, int_keys);
	struct trial *t = calloc(1, sizeof *t);
	struct products p;
	products_choose(&p, NULL);
	for (size_t i = 0; i < p.n; i++) {
		bool ok = trial_begin(t, &p.item[i].choice, seed, int_keys, false, NULL, NULL) && sequential(t, n) &&
			  same_as_all(t, &want);
		compared += ok;
		if (ok)
			ok = concurrent(t, 4 + n / 200) && full(t) && trial_close(t) && happened(t);
		accounted += t->accounted;
		if (!ok && failures++ < 40)
			print_error("%s\n", t->text);
		trial_end(t);
	}
	print_message("%zu of %zu products, %" PRIu64 " operations each, seed %" PRIu64 ": %" PRIu64
		      " have the same %" PRIu64 " records, space accounted for %" PRIu64 " times, %" PRIu64 " failed\n",
		p.n, p.all, n, seed, compared, want.count, accounted, failures);
	assert_true(p.n > 0);
	assert_int_equal(failures, 0);
	/* nothing was compared with nothing, and none was left out */
	assert_true(want.count > 40 && want.hash);
	assert_int_equal(compared, p.n);
	assert_true(accounted > p.n * n);
	products_free(&p);
	free(t);
}

static void products_equal_the_model(void **state)
{
	(void)state;
	every_product(false);
}

static void products_equal_the_model_with_integer_keys(void **state)
{
	(void)state;
	every_product(true);
}

/* What an opening takes for itself must be there again for the next: openings with a little between them, then with
 * nothing at all, on a store that is half full. */
static bool open_often(struct trial *t)
{
	bool mortal = t->x.simulated && strcmp(t->choice.durability->name, "none") != 0;
	struct model_act commit = {.kind = KV_COMMIT};
	t->part = "opening often,";
	for (t->op = 0; t->op < 700; t->op++) {
		bool loading = t->op < 140;
		uint32_t key = loading ? (uint32_t)t->op : (uint32_t)(pl_mix64(t->op) % 140);
		int err = put_number(t, 1000 + key, 1500, t->op | 1u, false);
		if (err)
			return wrong(t, "put ended with %s (%s)", pl_err_name(err), kv_fault_text(t->kv));
		/* from 1 to 12 puts to a life, so that what an opening rolls forward takes any share of a zone */
		if (loading || pl_mix64(t->op / 12 + t->seed) % 12 + 1 > t->op % 12 + 1)
			continue;
		if (!perform(t, &commit))
			return false;
		bool dies = mortal && pl_mix64(t->op) % 3;
		if (dies ? !trial_die(t) : !(trial_close(t) && trial_open(t, "after one of many closes")))
			return false;
	}
	return whole(t) && same_content(t, "after many openings") && accounts(t);
}

static bool can_die(const struct kv_choice *c)
{
	return c->device->poke != NULL;
}

static void openings_cost_no_space(void **state)
{
	(void)state;
	uint64_t seed = model_env("SEED", 1), failures = 0;
	struct trial *t = calloc(1, sizeof *t);
	struct products p;
	products_choose(&p, can_die);
	for (size_t i = 0; i < p.n; i++) {
		if (!trial_begin(t, &p.item[i].choice, seed, false, true, NULL, NULL) || !open_often(t)) {
			if (failures++ < 40)
				print_error("%s\n", t->text);
		}
		trial_end(t);
	}
	print_message("%zu of %zu products: %" PRIu64 " failed\n", p.n, p.all, failures);
	products_free(&p);
	free(t);
	assert_int_equal(failures, 0);
}

/* A file of keys, numbers behind 0 to 1021 zeros: of all lengths up to the longest that a page of the tests takes. */
static struct wl_key_file *some_file(uint32_t lines)
{
	uint32_t longest = model_packed_page_bytes() == 4096 ? 4096 / 8 : 8192 / 8;
	struct pl_fault f = {0};
	struct wl_key_file *k = NULL;
	FILE *out = fopen(scratch_path(), "w");
	assert(out);
	for (uint32_t i = 0; i < lines; i++)
		(void)fprintf(out, "%0*" PRIu32 "\n", (int)(3 + i * 7 % (longest - 2)), i);
	(void)fclose(out);
	if (wl_key_file_open(scratch_path(), &k, &f))
		fail_msg("%s", f.text);
	(void)unlink(scratch_path());
	return k;
}

/* Every form of keys over every layout of pages: the first product of that layout that is simulated and logs. */
static void key_sets_equal_the_model(void **state)
{
	(void)state;
	const char *only = getenv("PAGELAB_PRODUCT");
	uint64_t n = model_env("MODEL_OPS", 600), seed = model_env("SEED", 1), runs = 0, failures = 0;
	struct trial *t = calloc(1, sizeof *t);
	struct wl_key_form form = {.zeropadding = 1, .file = some_file(400)};
	const char *last = "";
	struct kv_choice c;
	for (size_t i = 0; model_product(&i, &c); i++) {
		char name[200];
		if (strcmp(c.node->name, last) == 0 || !can_die(&c) || !c.durability->logs ||
			(only && !strstr(model_product_name(&c, name), only)))
			continue;
		last = c.node->name;
		for (size_t k = 0; wl_key_forms[k]; k++) {
			if (!products_mine(k))
				continue;
			bool ok = trial_begin(t, &c, seed, wl_key_forms[k]->integers, false, wl_key_forms[k], &form);
			ok = ok && sequential(t, n) && trial_close(t);
			if (ok && !t->stats.splits)
				ok = wrong(t, "no splits: the test does not test");
			runs++;
			if (!ok && failures++ < 40)
				print_error("keys=%s: %s\n", wl_key_forms[k]->name, t->text);
			trial_end(t);
		}
	}
	print_message("%" PRIu64 " runs: %" PRIu64 " failed\n", runs, failures);
	wl_key_file_close((struct wl_key_file *)(uintptr_t)form.file);
	free(t);
	assert_true(runs > 0);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"model.bytes.products_equal_the_model", products_equal_the_model, NULL, NULL, NULL},
		{"model.keys.sets_equal_the_model", key_sets_equal_the_model, NULL, NULL, NULL},
		{"model.opening.costs_no_space", openings_cost_no_space, NULL, NULL, NULL},
		{"model.integers.products_equal_the_model", products_equal_the_model_with_integer_keys, NULL, NULL,
			NULL},
	};
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
