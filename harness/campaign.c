#include "harness/campaign.h"

#include "engine/iface/durability.h"
#include "engine/iface/guard.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 8u

static void *must(void *p)
{
	if (!p) {
		(void)fputs("campaign: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* A change that took effect. Order is (session, lsn): lsn need not continue over an opening. */
struct change {
	struct model_act act;
	uint32_t session;
	uint64_t lsn;
	uint64_t started; /* event */
};

/* From this event on, the changes that had these sessions and lsn at most are durable. */
struct promise {
	uint64_t event;
	uint32_t session;
	uint64_t lsn;
};

struct life {
	struct crash_trace trace;
	const struct crash_image *start; /* NULL: an empty device, to be formatted */
	struct model base; /* content on which the changes build */
	uint64_t opened; /* event at which base was shown by an open store */
	struct change *change;
	size_t changes, changes_room;
	struct promise *promise;
	size_t promises, promises_room;
	uint64_t *hash; /* content after the first p changes */
	uint32_t session;
	struct kv_stats stats;
};

struct run {
	const struct campaign_plan *plan;
	struct campaign_report *report;
	bool promises; /* an acknowledgement is one */
	bool unsafe;
	struct model_client client[CLIENTS_MAX];
};

/* --- violations ------------------------------------------------------------------------------------------------ */

static bool PL_PRINTF(2, 3) violate(struct run *r, const char *fmt, ...)
{
	if (!r->report->violated) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(r->report->text, sizeof r->report->text, fmt, ap);
		va_end(ap);
		r->report->violated = true;
	}
	return false;
}

void campaign_add_stats(struct kv_stats *sum, const struct kv_stats *s)
{
	struct kv_stats last = *s;
#define X(name, unit, text) sum->name += s->name;
	KV_STATS(X)
#undef X
#define LEVEL(name) sum->name = last.name
	LEVEL(cache_pages);
	LEVEL(height);
	LEVEL(records);
	LEVEL(live_pages);
	LEVEL(live_bytes);
	LEVEL(dead_bytes);
	LEVEL(free_bytes);
	LEVEL(reserved_bytes);
	LEVEL(data_capacity_bytes);
	LEVEL(device_used_bytes);
#undef LEVEL
}

/* --- recording a life ------------------------------------------------------------------------------------------ */

static void life_init(struct life *l, const struct crash_image *start)
{
	memset(l, 0, sizeof *l);
	crash_trace_init(&l->trace);
	model_init(&l->base);
	l->start = start;
	l->opened = UINT64_MAX;
}

static void life_free(struct life *l)
{
	crash_trace_free(&l->trace);
	model_free(&l->base);
	free(l->change);
	free(l->promise);
	free(l->hash);
}

static void note_change(struct life *l, const struct model_client *c)
{
	if (l->changes == l->changes_room) {
		l->changes_room = l->changes_room ? l->changes_room * 2 : 128;
		l->change = must(realloc(l->change, l->changes_room * sizeof *l->change));
	}
	l->change[l->changes++] = (struct change){c->act, l->session, c->op.lsn.v, c->user[0]};
}

static void note_promise(struct life *l, uint64_t lsn)
{
	if (l->promises == l->promises_room) {
		l->promises_room = l->promises_room ? l->promises_room * 2 : 128;
		l->promise = must(realloc(l->promise, l->promises_room * sizeof *l->promise));
	}
	l->promise[l->promises++] = (struct promise){l->trace.events, l->session, lsn};
}

static bool is_change(enum kv_kind k)
{
	return k == KV_PUT || k == KV_UPDATE || k == KV_RMW || k == KV_DELETE;
}

/* user[0]: event at its start; user[1]: greatest lsn acknowledged before its start (what a commit then covers). */
static bool ended(struct run *r, struct life *l, struct model_client *c, uint64_t *acknowledged)
{
	int status = c->op.status;
	enum kv_kind kind = c->act.kind;
	char text[160];
	c->busy = false;
	if (status != PL_OK && status != PL_NOTFOUND && !(status == PL_RANGE && kind == KV_UPDATE))
		return violate(r, "%s ended with %s", model_act_text(&c->form, &c->act, text), pl_err_name(status));
	if (c->disorder)
		return violate(r, "a scan was out of order");
	if (kind == KV_COMMIT)
		note_promise(l, c->user[1]);
	if (!is_change(kind) || status != PL_OK)
		return true;
	if (!c->op.lsn.v)
		return violate(r, "%s succeeded without an lsn", model_act_text(&c->form, &c->act, text));
	note_change(l, c);
	*acknowledged = pl_max64(*acknowledged, c->op.lsn.v);
	if (r->promises && !c->act.no_wait)
		note_promise(l, c->op.lsn.v);
	return true;
}

static bool drain(struct run *r, struct life *l, struct kv *kv, struct pl_ctx *x, uint32_t *busy, uint32_t until,
	uint64_t *acknowledged)
{
	while (*busy > until) {
		struct kv_op *op = model_wait(kv, x, true);
		if (!op)
			return violate(r, "%" PRIu32 " operations wait but nothing is under way", *busy);
		(*busy)--;
		if (!ended(r, l, model_client_of(op), acknowledged))
			return false;
	}
	return true;
}

static const struct model_mix mix = {
	.put = 130, .update = 24, .rmw = 20, .erase = 34, .scan = 6, .commit = 8, .no_wait = 70};

static bool checkpoint(struct run *r, struct life *l, struct kv *kv, struct pl_ctx *x, uint64_t acknowledged)
{
	int err = kv_checkpoint(kv, x);
	if (err)
		return violate(r, "kv_checkpoint: %s: %s", pl_err_name(err), kv_fault_text(kv));
	note_promise(l, acknowledged);
	struct kv_stats s;
	kv_stats(kv, &s);
	if (s.live_bytes + s.dead_bytes + s.free_bytes + s.reserved_bytes != s.data_capacity_bytes)
		return violate(r,
			"live %" PRIu64 " + dead %" PRIu64 " + free %" PRIu64 " + reserved %" PRIu64
			" != capacity %" PRIu64,
			s.live_bytes, s.dead_bytes, s.free_bytes, s.reserved_bytes, s.data_capacity_bytes);
	return true;
}

static bool operate(struct run *r, struct life *l, struct kv *kv, struct pl_ctx *x, struct pl_rng *rng, uint32_t n)
{
	const struct campaign_plan *p = r->plan;
	uint64_t acknowledged = 0, often = 24u << p->seed % 4; /* rare checkpoints: evictions and log pressure show */
	uint32_t busy = 0, clients = p->clients;
	for (uint32_t i = 0; i < n; i++) {
		if (pl_rng_below(rng, often) == 0) {
			if (!drain(r, l, kv, x, &busy, 0, &acknowledged) || !checkpoint(r, l, kv, x, acknowledged))
				return false;
		}
		if (busy == clients && !drain(r, l, kv, x, &busy, clients - 1, &acknowledged))
			return false;
		struct model_client *c = r->client;
		while (c->busy)
			c++;
		struct model_act a = model_draw(&p->lab->form, &mix, rng);
		model_client_set(c, &a);
		c->busy = true;
		c->user[0] = l->trace.events;
		c->user[1] = acknowledged;
		busy++;
		if (kv_start(kv, x, &c->op) != PL_AGAIN) {
			busy--;
			if (!ended(r, l, c, &acknowledged))
				return false;
		}
	}
	return drain(r, l, kv, x, &busy, 0, &acknowledged);
}

static int by_order(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	if (x->session != y->session)
		return x->session < y->session ? -1 : 1;
	return x->lsn < y->lsn ? -1 : x->lsn > y->lsn;
}

/* Put the changes in order and compute the content after each; *end gets the last one. */
static bool settle(struct run *r, struct life *l, struct model *end)
{
	const struct model_form *f = &r->plan->lab->form;
	char text[160];
	if (l->changes)
		qsort(l->change, l->changes, sizeof *l->change, by_order);
	l->hash = must(realloc(l->hash, (l->changes + 1) * sizeof *l->hash));
	model_copy(end, &l->base);
	l->hash[0] = end->hash;
	for (size_t i = 0; i < l->changes; i++) {
		bool replaced;
		if (i && by_order(&l->change[i - 1], &l->change[i]) == 0)
			return violate(r, "two operations have lsn %" PRIu64, l->change[i].lsn);
		int status = model_perform(end, f, &l->change[i].act, &replaced);
		l->hash[i + 1] = end->hash;
		if (status)
			return violate(r, "%s succeeded as number %zu by lsn where the model says %s",
				model_act_text(f, &l->change[i].act, text), i, pl_err_name(status));
	}
	return true;
}

static bool content_is(struct run *r, struct kv *kv, struct pl_ctx *x, const struct model *m, const char *when)
{
	char text[200];
	struct model_content content;
	int err = model_content(kv, x, &r->plan->lab->form, &content);
	if (err)
		return violate(r, "%s: scan: %s: %s", when, pl_err_name(err), kv_fault_text(kv));
	if (!content.disorder && content.hash == m->hash && content.count == m->count)
		return true;
	err = model_difference(kv, x, &r->plan->lab->form, m, text, sizeof text);
	return violate(r, "%s: %" PRIu64 " records instead of %zu; %s (%s)", when, content.count, m->count, text,
		pl_err_name(err));
}

static bool close_kv(struct run *r, struct kv *kv, struct pl_ctx *x)
{
	struct pl_fault f = {0};
	int err = kv_close(kv, x, &f);
	return err ? violate(r, "kv_close: %s: %s", pl_err_name(err), f.text) : true;
}

static bool open_kv(struct run *r, struct dev *d, struct pl_ctx *x, struct kv **kv, const char *when)
{
	struct pl_fault f = {0};
	int err = kv_open(r->plan->choice, &r->plan->lab->conf, d, x, kv, &f);
	return err ? violate(r, "%s: kv_open: %s: %s", when, pl_err_name(err), f.text) : true;
}

static void keep_stats(struct life *l, const struct kv *kv)
{
	struct kv_stats s;
	kv_stats(kv, &s);
	campaign_add_stats(&l->stats, &s);
}

/* Operations, and in half of the lives a close and an opening among them. */
static bool live(
	struct run *r, struct life *l, struct dev *d, struct kv *kv, struct pl_ctx *x, struct pl_rng *rng, uint32_t n)
{
	struct model end;
	bool reopens = n > 20 && pl_rng_below(rng, 2), ok;
	uint32_t first = reopens ? n / 2 : n;
	ok = operate(r, l, kv, x, rng, first);
	if (ok && reopens) {
		keep_stats(l, kv);
		if (!close_kv(r, kv, x))
			return false;
		note_promise(l, UINT64_MAX);
		l->session++;
		if (!open_kv(r, d, x, &kv, "after a close"))
			return false;
		ok = operate(r, l, kv, x, rng, n - first);
	}
	if (ok) {
		ok = settle(r, l, &end) && content_is(r, kv, x, &end, "at the end of a life");
		model_free(&end);
	}
	keep_stats(l, kv);
	if (ok && l->trace.violation[0])
		ok = violate(r, "device contract: %s", l->trace.violation);
	if (ok && pl_rng_below(rng, 2)) {
		ok = close_kv(r, kv, x);
		note_promise(l, UINT64_MAX);
	} else {
		kv_abandon(kv);
	}
	return ok;
}

static int open_device(struct run *r, const struct crash_image *i, struct dev **out)
{
	struct pl_fault f = {0};
	int err = model_lab_device(r->plan->lab, r->plan->choice, r->plan->seed, NULL, out, &f);
	if (!err && i) {
		err = crash_load(*out, i);
		if (err)
			dev_close(*out);
	}
	if (err)
		(void)violate(r, "cannot open the device: %s %s", pl_err_name(err), f.text);
	return err;
}

static int record_first(struct run *r, struct life *l, struct pl_fault *f)
{
	const struct campaign_plan *p = r->plan;
	struct dev *inner, *d;
	struct pl_ctx x = {.simulated = true};
	struct pl_rng rng;
	struct kv *kv;
	pl_rng_seed(&rng, p->seed, 1);
	int err = model_lab_device(p->lab, p->choice, p->seed, NULL, &inner, f);
	if (err)
		return err;
	err = crash_wrap(inner, &l->trace, p->hostile ? 0 : UINT32_MAX, &d);
	if (err)
		return err;
	err = kv_format(p->choice, &p->lab->conf, p->seed, d, &x, f);
	if (!err) {
		l->opened = l->trace.events;
		if (open_kv(r, d, &x, &kv, "after format"))
			(void)live(r, l, d, kv, &x, &rng, p->operations);
	}
	dev_close(d);
	return err;
}

/* --- what may be found ----------------------------------------------------------------------------------------- */

static void bounds(const struct life *l, uint64_t event, size_t *lo, size_t *hi)
{
	*lo = *hi = 0;
	for (size_t i = 0; i < l->changes; i++) {
		const struct change *c = &l->change[i];
		if (c->started <= event)
			*hi = i + 1;
		for (size_t k = 0; k < l->promises && *lo <= i; k++) {
			const struct promise *p = &l->promise[k];
			if (p->event <= event &&
				(p->session > c->session || (p->session == c->session && p->lsn >= c->lsn)))
				*lo = i + 1;
		}
	}
}

static void model_after(struct run *r, const struct life *l, size_t p, struct model *out)
{
	bool replaced;
	model_copy(out, &l->base);
	for (size_t i = 0; i < p; i++)
		(void)model_perform(out, &r->plan->lab->form, &l->change[i].act, &replaced);
}

/* Contents that may be found on an image cut from a life; while its recovery was under way, those of the life before. */
struct allowed {
	const struct life *life;
	size_t lo, hi;
	bool formatting; /* no store, or an empty one */
};

static struct allowed allowed_at(const struct life *l, uint64_t event, const struct allowed *before)
{
	struct allowed a = {.life = l};
	if (event < l->opened) {
		if (before)
			return *before;
		a.formatting = true;
		return a;
	}
	bounds(l, event, &a.lo, &a.hi);
	return a;
}

/* Which p was found. On a violation the sentence says what is nearest. */
static bool find_content(struct run *r, const struct allowed *a, struct kv *kv, struct pl_ctx *x, size_t *p)
{
	const struct life *l = a->life;
	struct model_content content;
	int err = model_content(kv, x, &r->plan->lab->form, &content);
	if (err)
		return violate(r, "after recovery: scan: %s: %s", pl_err_name(err), kv_fault_text(kv));
	if (content.disorder)
		return violate(r, "after recovery: the scan is out of order");
	for (size_t i = a->hi + 1; i-- > a->lo;)
		if (l->hash[i] == content.hash)
			return *p = i, true;
	for (size_t i = 0; i <= l->changes; i++)
		if (l->hash[i] == content.hash)
			return violate(r,
				"after recovery: content is that after %zu changes; allowed are %zu to %zu of %zu", i,
				a->lo, a->hi, l->changes);
	struct model m;
	char least[200], most[200];
	model_after(r, l, a->lo, &m);
	(void)model_difference(kv, x, &r->plan->lab->form, &m, least, sizeof least);
	model_free(&m);
	model_after(r, l, a->hi, &m);
	(void)model_difference(kv, x, &r->plan->lab->form, &m, most, sizeof most);
	model_free(&m);
	return violate(r,
		"after recovery: %" PRIu64
		" records, after no number of changes from %zu to %zu: to the least: %s; to the most: %s",
		content.count, a->lo, a->hi, least, most);
}

/* New writes after a recovery, and what a close and an opening make of them. */
static bool aftermath(
	struct run *r, struct kv *kv, struct dev *d, struct pl_ctx *x, struct model *m, struct pl_rng *rng)
{
	const struct model_form *f = &r->plan->lab->form;
	for (int i = 0; i < 6; i++) {
		struct model_act a = model_draw(f, &mix, rng);
		bool replaced;
		char text[160];
		a.kind = i % 3 == 2 ? KV_DELETE : KV_PUT;
		int got = model_do(&r->client[0], kv, x, &a), want = model_perform(m, f, &a, &replaced);
		if (got != want) {
			(void)violate(r, "after recovery: %s ended with %s instead of %s: %s",
				model_act_text(f, &a, text), pl_err_name(got), pl_err_name(want), kv_fault_text(kv));
			kv_abandon(kv);
			return false;
		}
	}
	if (!close_kv(r, kv, x) || !open_kv(r, d, x, &kv, "after a recovery and a close"))
		return false;
	struct pl_fault fault = {0};
	bool ok = content_is(r, kv, x, m, "after recovery, writes, close and opening");
	if (ok && kv_check(kv, x, &fault))
		ok = violate(r, "after recovery, writes, close and opening: kv_check: %s", fault.text);
	kv_abandon(kv);
	return ok;
}

/* Open the image; false and *gone when that ended the matter. */
static bool recover(struct run *r, const struct allowed *a, struct dev *d, struct pl_ctx *x, struct kv **kv, bool *gone)
{
	struct pl_fault f = {0};
	int err = kv_open(r->plan->choice, &r->plan->lab->conf, d, x, kv, &f);
	*gone = err != PL_OK;
	if (!err)
		return true;
	if (!f.text[0])
		return violate(r, "kv_open refuses with %s and no sentence", pl_err_name(err));
	if (r->unsafe && err == PL_DAMAGED) {
		r->report->refused++;
		return true;
	}
	if (a->formatting && err == PL_NOTSTORE)
		return true;
	return violate(r, "after a crash: kv_open: %s: %s", pl_err_name(err), f.text);
}

/* The store on this image has an allowed content, and is whole. */
static bool check_leaf(struct run *r, const struct allowed *a, const struct crash_image *i, struct pl_rng *rng)
{
	struct dev *d;
	struct kv *kv;
	struct pl_ctx x = {.simulated = true};
	struct pl_fault f = {0};
	size_t p;
	bool gone, ok;
	if (open_device(r, i, &d))
		return false;
	r->report->states++;
	ok = recover(r, a, d, &x, &kv, &gone);
	if (gone) {
		dev_close(d);
		return ok;
	}
	ok = find_content(r, a, kv, &x, &p);
	if (ok && kv_check(kv, &x, &f))
		ok = violate(r, "after recovery: kv_check: %s", f.text);
	if (ok && pl_rng_below(rng, 4) == 0) {
		struct model m;
		model_after(r, a->life, p, &m);
		ok = aftermath(r, kv, d, &x, &m, rng);
		model_free(&m);
	} else {
		kv_abandon(kv);
	}
	dev_close(d);
	return ok;
}

/* Record the life that begins on this image: recovery, then a few operations. *gone: it could not be opened. */
static bool record_next(struct run *r, const struct allowed *a, const struct crash_image *i, struct life *l,
	struct pl_rng *rng, bool *gone)
{
	struct dev *inner, *d;
	struct kv *kv;
	struct pl_ctx x = {.simulated = true};
	size_t p = 0;
	*gone = true;
	if (open_device(r, i, &inner))
		return false;
	if (crash_wrap(inner, &l->trace, r->plan->hostile ? 0 : UINT32_MAX, &d)) {
		dev_close(inner);
		return violate(r, "out of memory");
	}
	bool ok = recover(r, a, d, &x, &kv, gone);
	if (!*gone) {
		l->opened = l->trace.events;
		ok = find_content(r, a, kv, &x, &p);
		if (ok) {
			model_free(&l->base);
			model_after(r, a->life, p, &l->base);
			ok = live(r, l, d, kv, &x, rng, (uint32_t)pl_rng_below(rng, pl_rng_below(rng, 2) ? 4 : 16));
		} else {
			kv_abandon(kv);
		}
	}
	dev_close(d);
	return ok;
}

static bool visit(struct run *r, const struct life *l, const struct crash_cursor *c, const struct allowed *before,
	uint64_t subset, struct pl_rng *rng, int depth);

/* Reads change nothing: the states after them are those before. */
static bool matters(const struct crash_trace *t, uint64_t event)
{
	return event == 0 || t->request[t->event[event - 1].request].op != DEV_READ;
}

/* An anchor that can be read but is not durable: a kill now and a power cut in the next recovery take it away again. */
static bool anchor_visible(const struct crash_cursor *c)
{
	for (uint64_t i = 0; i < c->npending; i++)
		if (c->pending[i].request->tag == DEV_TAG_META && c->pending[i].polled != UINT64_MAX)
			return true;
	return false;
}

static bool visit_next(
	struct run *r, const struct allowed *a, const struct crash_image *i, struct pl_rng *rng, int depth)
{
	struct life l;
	struct crash_cursor c;
	bool gone;
	life_init(&l, i);
	l.trace.sector_bytes = r->plan->sector_bytes;
	bool ok = record_next(r, a, i, &l, rng, &gone);
	if (ok && !gone) {
		/* half of the cuts fall into the recovery itself */
		bool early = pl_rng_below(rng, 2);
		uint64_t event = early ? pl_rng_below(rng, l.opened + 1)
				       : l.opened + pl_rng_below(rng, l.trace.events - l.opened + 1);
		while (event < (early ? l.opened : l.trace.events) && !matters(&l.trace, event))
			event++;
		r->report->second_lives++;
		r->report->cut_recoveries += event < l.opened;
		crash_cursor_init(&c, &l.trace, i);
		crash_cursor_advance(&c, event);
		ok = visit(r, &l, &c, a, pl_rng_next(rng) % 64, rng, depth - 1);
		if (!ok && r->report->text[0]) {
			size_t n = strlen(r->report->text);
			(void)snprintf(r->report->text + n, sizeof r->report->text - n,
				" [in a later life: cut at event %" PRIu64 " of %" PRIu64
				", its recovery ended at %" PRIu64 "]",
				event, l.trace.events, l.opened);
		}
		crash_cursor_free(&c);
	}
	life_free(&l);
	return ok;
}

static bool visit(struct run *r, const struct life *l, const struct crash_cursor *c, const struct allowed *before,
	uint64_t subset, struct pl_rng *rng, int depth)
{
	struct crash_image image;
	struct allowed a = allowed_at(l, c->at, before);
	bool kill = depth > 0 && pl_rng_below(rng, 8) < (anchor_visible(c) ? 7u : 3u);
	if (r->plan->focus >= CAMPAIGN_TORN_LOG)
		kill = false;
	enum crash_kind kind = kill ? CRASH_KILL : CRASH_POWER;
	crash_cut(c, kind, subset, &image);
	bool ok = depth > 0 ? visit_next(r, &a, &image, rng, depth) : check_leaf(r, &a, &image, rng);
	crash_image_free(&image);
	return ok;
}

/* --- the campaign ---------------------------------------------------------------------------------------------- */

/* One state: everything about it follows from (seed, event, subset). */
static bool visit_state(struct run *r, const struct life *l, const struct crash_cursor *c, uint64_t subset)
{
	struct pl_rng rng;
	pl_rng_seed(&rng, r->plan->seed ^ pl_mix64(c->at), subset);
	uint64_t d = subset < 2 ? 9 : pl_rng_below(&rng, 10);
	bool later = r->plan->focus == CAMPAIGN_ANCHORS || r->plan->focus == CAMPAIGN_TORN_LOG;
	int depth = d == 0 ? 2 : later || d < (anchor_visible(c) ? 8 : 4) ? 1 : 0;
	bool ok = visit(r, l, c, NULL, subset, &rng, depth);
	if (!ok) {
		r->report->event = c->at;
		r->report->subset = subset;
	}
	return ok;
}

static int by_event(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Around syncs and anchors most is at stake. */
static bool hot(const struct crash_trace *t, uint64_t event)
{
	const struct crash_request *r = &t->request[t->event[event - 1].request];
	return r->op == DEV_SYNC || (r->tag == DEV_TAG_META && r->op != DEV_READ) || r->op == DEV_ZONE_RESET;
}

static bool anchor_written(const struct crash_trace *t, uint64_t event)
{
	const struct crash_request *r = &t->request[t->event[event - 1].request];
	return r->tag == DEV_TAG_META && r->data && t->event[event - 1].polled;
}

static bool anchor_on_its_way(const struct crash_trace *t, uint64_t event)
{
	const struct crash_request *r = &t->request[t->event[event - 1].request];
	return r->tag == DEV_TAG_META && r->data;
}

static bool flush_of_several(const struct crash_trace *t, uint64_t event)
{
	const struct crash_request *r = &t->request[t->event[event - 1].request];
	return r->tag == DEV_TAG_LOG && r->data && r->blocks > 1;
}

static uint64_t *list_moments(const struct life *l, bool (*which)(const struct crash_trace *, uint64_t), uint64_t from,
	uint64_t to, uint64_t *n)
{
	uint64_t *list = must(calloc(to - from + 2, sizeof *list));
	*n = 0;
	for (uint64_t e = from; e <= to; e++)
		if (e == 0 || which(&l->trace, e))
			list[(*n)++] = e;
	if (!*n)
		list[(*n)++] = to;
	return list;
}

/* Which moments to visit, in order: of 32 states one in the format, a third around syncs and anchors, the others evenly
 * over all that changed something. */
static uint64_t *moments(const struct life *l, uint64_t n, enum campaign_focus focus)
{
	uint64_t *at = must(calloc(n + 1, sizeof *at)), i = 0, begin = 0, nlist;
	const struct {
		uint64_t share;
		bool (*which)(const struct crash_trace *, uint64_t);
		uint64_t from, to;
	} part[] = {
		{n / 32, matters, 0, l->opened},
		{n / 3, hot, l->opened + 1, l->trace.events},
		{n, matters, l->opened, l->trace.events},
	};
	static bool (*const focused[])(const struct crash_trace *, uint64_t) = {
		matters, anchor_written, flush_of_several, anchor_on_its_way};
	if (focus) {
		uint64_t *list = list_moments(l, focused[focus], l->opened + 1, l->trace.events, &nlist);
		for (; i < n; i++)
			at[i] = list[nlist * i / n];
		free(list);
	}
	for (size_t k = 0; k < PL_COUNT(part); k++) {
		uint64_t *list = list_moments(l, part[k].which, part[k].from, part[k].to, &nlist);
		for (begin = i; i < part[k].share; i++)
			at[i] = list[nlist * (i - begin) / (part[k].share - begin)];
		free(list);
	}
	if (n)
		qsort(at, n, sizeof *at, by_event);
	return at;
}

static uint64_t pick_subset(const struct campaign_plan *p, uint64_t i)
{
	uint64_t n = pl_mix64(i ^ p->seed << 32) % 1000000;
	if (p->focus >= CAMPAIGN_TORN_LOG)
		return crash_torn(n);
	return i % 16 < 2 ? i % 16 : n;
}

static void visit_all(struct run *r, const struct life *l)
{
	const struct campaign_plan *p = r->plan;
	struct crash_cursor c;
	uint64_t *at = moments(l, p->states, p->focus);
	crash_cursor_init(&c, &l->trace, NULL);
	if (p->replay) {
		crash_cursor_advance(&c, pl_min64(p->event, l->trace.events));
		(void)visit_state(r, l, &c, p->subset);
	}
	for (uint64_t i = 0; !p->replay && i < p->states && !r->report->violated; i++) {
		crash_cursor_advance(&c, at[i]);
		(void)visit_state(r, l, &c, pick_subset(p, i));
	}
	free(at);
	crash_cursor_free(&c);
	if (!p->every || p->replay)
		return;
	crash_cursor_init(&c, &l->trace, NULL);
	for (uint64_t e = l->opened; e <= l->trace.events && !r->report->violated; e++)
		if (matters(&l->trace, e)) {
			crash_cursor_advance(&c, e);
			(void)visit_state(r, l, &c, pick_subset(p, e));
		}
	crash_cursor_free(&c);
}

int campaign_run(const struct campaign_plan *p, struct campaign_report *report, struct pl_fault *f)
{
	struct run r = {.plan = p, .report = report};
	struct life first;
	memset(report, 0, sizeof *report);
	assert(p->clients > 0 && p->clients <= CLIENTS_MAX);
	r.promises = strcmp(p->choice->durability->name, "none") != 0;
	r.unsafe = p->choice->guard && p->choice->guard->unsafe && strcmp(p->choice->placement->name, "inplace") == 0;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		model_client_init(&r.client[i], &p->lab->form);
	life_init(&first, NULL);
	first.trace.sector_bytes = p->sector_bytes;
	int err = record_first(&r, &first, f);
	report->events = first.trace.events;
	report->stats = first.stats;
	report->ran = !err;
	if (!err && !report->violated)
		visit_all(&r, &first);
	life_free(&first);
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		model_client_free(&r.client[i]);
	return err;
}
