/* crash_test.c - the crash campaign over every legal product on simulated devices, and the proof that it sees: each
 * durability rule is broken on purpose (engine/store/break.h) and must be found out.
 *
 * Products of the sample (products.h) are cut at every request boundary, the others at an even spread of moments.
 *
 *   PAGELAB_CRASH_STATES   states per product
 *   PAGELAB_SEED           seed; product number i runs under seed + i
 *   PAGELAB_PRODUCT, PAGELAB_SHARD, PAGELAB_SAMPLE   as in products.h; shards share out classes and rules, too
 *   PAGELAB_CRASH_POINT, PAGELAB_CRASH_SUBSET   replay this one state (PAGELAB_SEED is then taken as it is) */
#include "harness/campaign.h"
#include "harness/products.h"

#include "engine/iface/addressing.h"
#include "engine/iface/durability.h"
#include "engine/iface/guard.h"
#include "engine/store/break.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool every_moment; /* every request boundary of every life */

#define OPERATIONS 180u

/* Only simulated devices can be filled with a state. */
static bool simulated(const struct kv_choice *c)
{
	return c->device->poke != NULL;
}

static bool is(const char *name, const char *want)
{
	return strcmp(name, want) == 0;
}

static bool wanted(const struct kv_choice *c, char name[200])
{
	const char *only = getenv("PAGELAB_PRODUCT");
	(void)model_product_name(c, name);
	return simulated(c) && (!only || !*only || strstr(name, only));
}

static bool safe(const struct kv_choice *c)
{
	return !(is(c->placement->name, "inplace") && c->guard->unsafe);
}
static bool logs(const struct kv_choice *c)
{
	return c->durability->logs && safe(c);
}
static bool moves(const struct kv_choice *c)
{
	return !is(c->placement->name, "inplace");
}
static bool journals(const struct kv_choice *c)
{
	return is(c->placement->name, "inplace") && is(c->guard->name, "dwb");
}
static bool two_slots(const struct kv_choice *c)
{
	return is(c->placement->name, "inplace") && is(c->guard->name, "pingpong");
}
static bool reuses(const struct kv_choice *c)
{
	return moves(c) || two_slots(c);
}
/* A zone keeps a prefix of whole blocks: there is no torn block, and nothing valid behind a lost one. */
static bool tears(const struct kv_choice *c)
{
	return logs(c) && !c->device->sequential;
}
/* Opening writes where an older anchor reaches: homes, or the rest of a zone. Under shadow it does not: behind an anchor
 * that was not synced there is no log to roll forward, so no page is dirty; a map page changed since it was last written
 * goes to the slot that the two newest anchors leave alone; and the sync before the next anchor covers the one read.
 * Nor does it with two slots a page, for the same reasons. Nor under cow, where there is no map page to write either, but
 * zones that nothing reaches are reset. */
static bool opening_overwrites(const struct kv_choice *c)
{
	return safe(c) && !is(c->placement->name, "shadow") && !two_slots(c) &&
	       (!is(c->addressing->name, "cow") || c->device->sequential);
}
static bool maps(const struct kv_choice *c)
{
	return !is(c->addressing->name, "fixed") || two_slots(c); /* a map, extents, or which slot is current */
}

/* Rules that protect short moments are looked for there. */
static enum campaign_focus focus_of(enum kv_break broken)
{
	return broken == KV_BREAK_LOG_GENERATION  ? CAMPAIGN_TORN_LOG
	       : broken == KV_BREAK_META_HALF     ? CAMPAIGN_TORN_ANCHORS
	       : broken == KV_BREAK_RECOVERY_SYNC ? CAMPAIGN_ANCHORS
						  : CAMPAIGN_ALL;
}

static int one_campaign(
	const struct kv_choice *c, uint64_t seed, uint64_t states, enum kv_break broken, struct campaign_report *r)
{
	struct model_lab lab;
	struct pl_fault f = {0};
	bool torn_log = broken == KV_BREAK_LOG_GENERATION;
	/* every second seed on a device that tears single blocks, every fourth with integer keys, every third with groups
	 * of commits; small enough that frames, log, journal and zones are used again and again */
	model_lab_init(&lab, c, seed % 4 == 3);
	bool roomy =
		seed % 4 == 2; /* more pages than frames and few checkpoints: dirty pages have to go between them */
	bool dense = model_packed_page_bytes() == 4096; /* several pages to a block: half the pool, and less room */
	model_lab_set(&lab, "pool_bytes", dense ? "131072" : "262144");
	model_lab_set(&lab, "log_bytes", roomy ? "655360" : "327680");
	model_lab_set(&lab, "max_value_bytes", "8192");
	model_lab_set(&lab, "zone.zone_bytes", "65536");
	model_lab_set(&lab, "sim_zns.zone_bytes", "65536");
	model_lab_set(&lab, "shadow.fit", seed % 3 ? "best" : "next");
	model_lab_set(&lab, "shadow.group_blocks", seed % 2 ? "0" : "8"); /* 0: what an anchor freed is used at once */
	model_lab_set(&lab, "redo.group_count", seed % 3 && !torn_log ? "1" : "5");
	lab.form.value_max = 8000;
	lab.form.keys = roomy ? 180 : 250;
	lab.capacity_bytes =
		roomy && moves(c) ? (logs(c) ? 2048u : 1536u) << 10 : 4u << 20; /* and zones have to be cleaned */
	if (roomy && is(c->placement->name, "zone") && is(c->addressing->name, "cow"))
		lab.capacity_bytes += 256u << 10; /* which writes paths here, too */
	if (roomy && dense && is(c->placement->name, "zone"))
		lab.capacity_bytes -= 384u << 10;
	struct campaign_plan p = {.choice = c,
		.lab = &lab,
		.seed = seed,
		.operations = roomy ? 4 * OPERATIONS : OPERATIONS,
		.clients = torn_log ? 7 : 1 + (uint32_t)(seed % 7),
		.states = (uint32_t)states,
		.every = every_moment && broken == KV_BREAK_NONE,
		.hostile = seed % 2 == 1 || broken == KV_BREAK_META_HALF,
		/* the base of so small a store lies in one sector: let it be torn as a longer one would be */
		.sector_bytes = broken == KV_BREAK_META_HALF ? 64 : 0,
		.focus = focus_of(broken)};
	if (getenv("PAGELAB_CRASH_POINT")) {
		p.replay = true;
		p.event = model_env("CRASH_POINT", 0);
		p.subset = model_env("CRASH_SUBSET", 0);
	}
	int err = campaign_run(&p, r, &f);
	if (err && !r->violated) {
		r->violated = true;
		(void)snprintf(r->text, sizeof r->text, "cannot run: %s: %s", pl_err_name(err), f.text);
	}
	model_lab_free(&lab);
	return err;
}

static void every_product_survives(void **state)
{
	(void)state;
	bool all_moments = !getenv("PAGELAB_CRASH_STATES");
	uint64_t states = model_env("CRASH_STATES", 250), seed = model_env("SEED", 1);
	uint64_t failures = 0, total = 0, second = 0, cut = 0, refused = 0, began_ns = pl_clock_ns();
	struct kv_stats sum = {0};
	struct products p;
	products_choose(&p, simulated);
	for (size_t i = 0; i < p.n; i++) {
		const struct product *one = &p.item[i];
		struct campaign_report r;
		/* forms of a run follow from its seed modulo small numbers: let every product meet every form in some group */
		uint64_t own = getenv("PAGELAB_CRASH_POINT") ? seed : seed + one->number * 7 + one->number / 12;
		every_moment = all_moments && one->sampled;
		(void)one_campaign(&one->choice, own, one->sampled ? states : states / 2, KV_BREAK_NONE, &r);
		total += r.states;
		second += r.second_lives;
		cut += r.cut_recoveries;
		refused += r.refused;
		campaign_add_stats(&sum, &r.stats);
		if (r.violated && failures++ < 30)
			print_error("PAGELAB_PRODUCT='%s' PAGELAB_SEED=%" PRIu64 " PAGELAB_CRASH_POINT=%" PRIu64
				    " PAGELAB_CRASH_SUBSET=%" PRIu64 "\n    after %" PRIu64 " states: %s\n",
				one->name, own, r.event, r.subset, r.states, r.text);
	}
	every_moment = false;
	double seconds = (double)(pl_clock_ns() - began_ns) / 1e9;
	print_message("%zu of %zu products, %" PRIu64 " states (%" PRIu64 " after a second life, %" PRIu64
		      " in the middle of a recovery, %" PRIu64
		      " refused by unsafe stores), %.0f states/second: %" PRIu64 " failed\n",
		p.n, p.all, total, second, cut, refused, (double)total / seconds, failures);
	print_message("first lives: %" PRIu64 " splits, %" PRIu64 " merges, %" PRIu64 " checkpoints, %" PRIu64
		      " dirty evictions, %" PRIu64 " log flushes, %" PRIu64 " home writes, %" PRIu64 " cleaned zones\n",
		sum.splits, sum.merges, sum.checkpoints, sum.evictions_dirty, sum.log_flushes, sum.home_writes,
		sum.cleaned_zones);
	size_t ran = p.n;
	assert_true(ran > 0 && total > 0);
	products_free(&p);
	assert_int_equal(failures, 0);
	if (getenv("PAGELAB_CRASH_POINT") || getenv("PAGELAB_PRODUCT"))
		return;
	/* what the runs were meant to contain; a small part of them need not */
	if (ran < 40)
		return;
	assert_true(sum.splits && sum.checkpoints && sum.evictions_dirty && sum.syncs && sum.log_records &&
		    sum.cleaned_zones);
	assert_true(second && cut);
}

/* --- breaking each rule ---------------------------------------------------------------------------------------- */

/* Where a rule is in force, and so must be missed. */
static const struct {
	enum kv_break broken;
	bool (*applies)(const struct kv_choice *c);
} rule[] = {
	{KV_BREAK_IMAGE_SYNC, safe},
	{KV_BREAK_ANCHOR_SYNC, safe},
	{KV_BREAK_LOG_SYNC, logs},
	{KV_BREAK_RELEASE, reuses},
	{KV_BREAK_HOME_EARLY, journals},
	{KV_BREAK_HOME_SYNC, journals},
	{KV_BREAK_JOURNAL_SKIP, journals},
	{KV_BREAK_SLOT, two_slots},
	{KV_BREAK_MAP_DELTAS, maps},
	{KV_BREAK_REPLAY_START, logs},
	{KV_BREAK_LOG_GENERATION, tears},
	{KV_BREAK_LOG_REUSE, logs},
	{KV_BREAK_META_HALF, safe},
	{KV_BREAK_RECOVERY_SYNC, opening_overwrites},
	{KV_BREAK_CHECKSUM, tears},
};

/* Products differ for a rule by how they place, address and log, not by page layout or codec. */
static bool same_class(const struct kv_choice *a, const struct kv_choice *b)
{
	return a->addressing == b->addressing && a->placement == b->placement && a->durability == b->durability &&
	       (moves(a) || a->guard == b->guard) && a->device->sequential == b->device->sequential;
}

static bool find_out(enum kv_break broken, const struct kv_choice *c, uint64_t *states, char *how, size_t how_bytes)
{
	struct campaign_report r;
	uint64_t seeds = model_env("BREAK_SEEDS", 40), each = model_env("BREAK_STATES", 300);
	*states = 0;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		kv_broken = broken;
		(void)one_campaign(c, seed, each, broken, &r);
		kv_broken = KV_BREAK_NONE;
		*states += r.states;
		if (!r.violated || !r.ran)
			continue;
		/* it is the broken rule: with it in force the same campaign is clean */
		(void)snprintf(how, how_bytes, "%.90s", r.text);
		uint64_t until = r.states;
		(void)one_campaign(c, seed, each, broken, &r);
		if (!r.violated)
			return true;
		print_error(
			"seed %" PRIu64 " without a broken rule, after %" PRIu64 " states: %s\n", seed, until, r.text);
	}
	return false;
}

static void each_broken_rule_is_found_out(void **state)
{
	(void)state;
	uint64_t missed = 0, never_tried = 0;
	const char *only = getenv("PAGELAB_BREAK");
	for (size_t k = 0; k < PL_COUNT(rule); k++) {
		struct kv_choice seen[64], c;
		size_t nseen = 0;
		if (!products_mine(k) || (only && *only && !strstr(kv_break_text[rule[k].broken], only)))
			continue;
		print_message("%s\n", kv_break_text[rule[k].broken]);
		for (size_t i = 0; model_product(&i, &c); i++) {
			char name[200], how[100] = "";
			uint64_t states = 0;
			bool known = false;
			if (!wanted(&c, name) || !rule[k].applies(&c))
				continue;
			for (size_t s = 0; s < nseen; s++)
				known |= same_class(&seen[s], &c);
			if (known || nseen == PL_COUNT(seen))
				continue;
			seen[nseen++] = c;
			bool found = find_out(rule[k].broken, &c, &states, how, sizeof how);
			print_message("    %-60s %s %6" PRIu64 " states  %s\n", name,
				found ? "found after" : "NOT FOUND in", states, how);
			missed += !found;
		}
		never_tried += nseen == 0;
	}
	if (!getenv("PAGELAB_PRODUCT") && !model_packed_page_bytes()) /* those do not overwrite in place */
		assert_int_equal(never_tried, 0);
	assert_int_equal(missed, 0);
}

/* --- losing power under a running store ------------------------------------------------------------------------ */

/* A store whose device is about to die, and who uses it. */
struct mortal {
	struct kv *kv;
	struct pl_ctx x;
	struct model_client client[4];
	uint32_t busy;
	bool died;
	const char *wrong; /* NULL, or what is */
};

/* From the failure of the store on, nothing that is begun and changes or promises something may succeed. (A read that
 * fails is its operation's error alone: the store has not failed, and what needs no device may go on.) */
static void ended(struct mortal *m, struct kv_op *op)
{
	struct model_client *c = model_client_of(op);
	bool failed = op->status && op->status != PL_NOTFOUND && op->status != PL_RANGE;
	c->busy = false;
	m->busy--;
	if (c->user[0] && !failed && (op->kind == KV_PUT || op->kind == KV_COMMIT))
		m->wrong = "an operation begun after the failure succeeds";
	m->died |= op->status == PL_FAILED;
}

static void wait_for(struct mortal *m, uint32_t until)
{
	while (m->busy > until && !m->wrong) {
		struct kv_op *op = model_wait(m->kv, &m->x, true);
		if (op)
			ended(m, op);
		else
			m->wrong = "operations wait for ever";
	}
}

static void use(struct mortal *m, const struct model_form *form, uint64_t seed)
{
	static const struct model_mix mix = {
		.put = 150, .update = 10, .rmw = 10, .erase = 20, .scan = 8, .commit = 10, .no_wait = 60};
	struct pl_rng rng;
	pl_rng_seed(&rng, seed, 9);
	for (int i = 0; i < 140 && !m->wrong; i++) {
		struct model_act a = model_draw(form, &mix, &rng);
		struct model_client *c = m->client;
		while (c->busy)
			c++;
		model_client_set(c, &a);
		c->busy = true;
		c->user[0] = m->died;
		m->busy++;
		if (kv_start(m->kv, &m->x, &c->op) != PL_AGAIN)
			ended(m, &c->op);
		wait_for(m, 3);
	}
	wait_for(m, 0);
}

static const char *die_alive(
	const struct kv_choice *c, const struct model_lab *lab, struct dev *d, uint64_t seed, bool *died)
{
	struct mortal m = {.x = {.simulated = true}};
	struct pl_fault f = {0};
	*died = true;
	if (kv_format(c, &lab->conf, seed, d, &m.x, &f) || kv_open(c, &lab->conf, d, &m.x, &m.kv, &f))
		return f.text[0] ? NULL : "format or open fails without a sentence";
	for (int i = 0; i < 4; i++)
		model_client_init(&m.client[i], &lab->form);
	use(&m, &lab->form, seed);
	if (m.died && !m.wrong && kv_checkpoint(m.kv, &m.x) == PL_OK)
		m.wrong = "a checkpoint after the failure succeeds";
	if (m.died && !m.wrong && !kv_fault_text(m.kv)[0])
		m.wrong = "no sentence for the failure";
	if (m.wrong)
		kv_abandon(m.kv);
	else if (kv_close(m.kv, &m.x, &f) == PL_OK && m.died)
		m.wrong = "a close after the failure succeeds";
	*died = m.died;
	for (int i = 0; i < 4; i++)
		model_client_free(&m.client[i]);
	return m.wrong;
}

static void power_loss_ends_every_operation(void **state)
{
	(void)state;
	uint64_t failures = 0, deaths = 0, runs = 0;
	struct kv_choice seen[64], c;
	size_t nseen = 0;
	for (size_t i = 0; model_product(&i, &c); i++) {
		char name[200];
		bool known = false;
		for (size_t s = 0; s < nseen; s++)
			known |= same_class(&seen[s], &c);
		if (known || !wanted(&c, name) || nseen == PL_COUNT(seen))
			continue;
		seen[nseen++] = c;
		if (!products_mine(nseen))
			continue;
		for (uint64_t after = 1; after < 700; after += 1 + after / 6, runs++) {
			struct model_lab lab;
			struct crash_trace t;
			struct dev *inner, *d;
			struct pl_fault f = {0};
			bool died = false;
			model_lab_init(&lab, &c, false);
			crash_trace_init(&t);
			assert_int_equal(model_lab_device(&lab, &c, after, NULL, &inner, &f), PL_OK);
			assert_int_equal(crash_wrap(inner, &t, UINT32_MAX, &d), PL_OK);
			crash_power_off(d, after);
			const char *wrong = die_alive(&c, &lab, d, after, &died);
			deaths += died;
			if (wrong && failures++ < 20)
				print_error("%s, power off after %" PRIu64 " submissions: %s\n", name, after, wrong);
			dev_close(d);
			crash_trace_free(&t);
			model_lab_free(&lab);
		}
	}
	print_message("%" PRIu64 " runs, the power went in %" PRIu64 "\n", runs, deaths);
	assert_true(deaths > 0);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"crash.campaign.every_product_survives", every_product_survives, NULL, NULL, NULL},
		{"crash.power_off.every_operation_ends", power_loss_ends_every_operation, NULL, NULL, NULL},
		{"crash.campaign.each_broken_rule_is_found_out", each_broken_rule_is_found_out, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
