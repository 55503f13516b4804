/* cleaning_test.c - which zone each cleaning policy takes, and what that writes in the long run.
 *
 * The long run is a log of pages in zones, with nothing else of a store: N pages, Z zones of B, a zone open for what
 * clients write and, if survivors are apart, one for copies. Its write amplification is held against closed forms at the
 * effective utilisation (harness/closed_forms.h), and against Monte Carlo simulations made apart from this code. */
#include "engine/base/rng.h"
#include "engine/iface/cleaning.h"
#include "harness/closed_forms.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cln_ops *policy(const char *name)
{
	for (size_t k = 0; reg_choice(REG_CLEANING, k); k++)
		if (strcmp(reg_choice(REG_CLEANING, k)->name, name) == 0)
			return (const struct cln_ops *)(const void *)reg_choice(REG_CLEANING, k);
	fail_msg("no cleaning policy is called %s", name);
	return NULL;
}

/* d: option of dchoices, NULL: its default */
static void derive(const struct cln_ops *o, const char *d, uint64_t derived[8])
{
	struct pl_conf conf;
	struct pl_fault f = {0};
	memset(derived, 0, 8 * sizeof derived[0]);
	pl_conf_init(&conf);
	reg_declare(&conf);
	if (d)
		assert_int_equal(pl_conf_set(&conf, "dchoices.d", d, &f), PL_OK);
	if (o->configure)
		assert_int_equal(o->configure(derived, &conf, &f), PL_OK);
	pl_conf_free(&conf);
}

/* --- exact picks ---------------------------------------------------------------------------------------------------- */

#define NOW 1000u

/* {live, capacity, closed_at, changed_at, death_at, candidate} */
#define FULL(live, changed, death)                                                                                     \
	{                                                                                                              \
		(live), 64, (changed), (changed), (death), true                                                        \
	}
#define OPEN(live, changed, death)                                                                                     \
	{                                                                                                              \
		(live), 64, (changed), (changed), (death), false                                                       \
	}

struct pick {
	const char *policy, *why;
	uint64_t victim, n;
	struct cln_zone zone[4];
};

static const struct pick picks[] = {
	{"greedy", "fewest live", 2, 4, {FULL(9, 1, 0), OPEN(0, 1, 0), FULL(7, 999, 0), FULL(8, 1, 0)}},
	{"greedy", "a tie", 1, 3, {FULL(9, 1, 0), FULL(7, 2, 0), FULL(7, 1, 0)}},
	{"costbenefit", "equal age: fewest live", 1, 3, {FULL(32, 900, 0), FULL(31, 900, 0), FULL(33, 900, 0)}},
	{"costbenefit", "equal use: oldest", 2, 3, {FULL(32, 900, 0), FULL(32, 901, 0), FULL(32, 100, 0)}},
	/* (32/96) 100 = 33.3 against (16/112) 234 = 33.43 and 233: 33.29 */
	{"costbenefit", "old and full before young and half", 1, 2, {FULL(32, 900, 0), FULL(48, 766, 0)}},
	{"costbenefit", "not quite old enough", 0, 2, {FULL(32, 900, 0), FULL(48, 767, 0)}},
	{"costbenefit", "a tie: (32/96) 300 = (16/112) 700", 0, 2, {FULL(32, 700, 0), FULL(48, 300, 0)}},
	{"costbenefit", "the same the other way round", 0, 2, {FULL(48, 300, 0), FULL(32, 700, 0)}},
	{"costbenefit", "changed now counts as 1, as do times to come", 1, 3,
		{FULL(9, NOW, 0), FULL(8, NOW + 5, 0), FULL(8, NOW - 1, 0)}},
	{"costbenefit", "candidates only, with dead blocks", 3, 4,
		{OPEN(1, 1, 0), FULL(64, 1, 0), OPEN(0, 1, 0), FULL(63, 999, 0)}},
	{"deathtime", "nothing to move: at once, the first", 2, 4,
		{FULL(1, 1, CLN_NEVER), OPEN(0, 1, 0), FULL(0, 999, 1001), FULL(0, 1, CLN_NEVER)}},
	{"deathtime", "no history: equal age, fewest live", 1, 3,
		{FULL(32, 900, CLN_NEVER), FULL(31, 900, CLN_NEVER), FULL(33, 900, CLN_NEVER)}},
	/* g(1/2) = 1/3, g(3/4) = 1/21: seven times as old */
	{"deathtime", "old and full before young and half", 1, 2, {FULL(32, 900, CLN_NEVER), FULL(48, 299, CLN_NEVER)}},
	{"deathtime", "not quite old enough", 0, 2, {FULL(32, 900, CLN_NEVER), FULL(48, 301, CLN_NEVER)}},
	{"deathtime", "a tie", 0, 2, {FULL(16, 900, CLN_NEVER), FULL(16, 900, CLN_NEVER)}},
	{"deathtime", "about to die: spared", 1, 2, {FULL(16, 500, NOW + 4), FULL(48, 500, 5000)}},
	{"deathtime", "far from it: taken", 0, 2, {FULL(16, 500, NOW + 250), FULL(48, 500, 5000)}},
	/* rest 2 * 10, g(1/4) = 9/5 against age 500, g(3/4) = 1/21: 36 and 23.8; with 2 * 6 it is 21.6 */
	{"deathtime", "not soon enough to be spared", 0, 2, {FULL(16, 500, NOW + 10), FULL(48, 500, CLN_NEVER)}},
	{"deathtime", "soon enough", 1, 2, {FULL(16, 500, NOW + 6), FULL(48, 500, CLN_NEVER)}},
	{"deathtime", "overdue: age decides", 0, 2, {FULL(16, 500, NOW), FULL(48, 500, CLN_NEVER)}},
	{"deathtime", "candidates only, with dead blocks", 3, 4,
		{OPEN(1, 1, 0), FULL(64, 1, 0), OPEN(0, 1, 0), FULL(63, 999, 1001)}},
};

static void picks_are_these(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(picks); i++) {
		const struct pick *p = &picks[i];
		const struct cln_ops *o = policy(p->policy);
		struct pl_rng rng;
		uint64_t derived[8];
		pl_rng_seed(&rng, 1, 0);
		derive(o, NULL, derived);
		uint64_t v = o->victim(derived, p->zone, p->n, NOW, &rng);
		if (v != p->victim)
			fail_msg("%s, %s: took zone %d instead of %d", p->policy, p->why, (int)v, (int)p->victim);
	}
}

/* Products of ages and blocks are not cut short: zones of 2^28 blocks, a clock of 2^63. */
static void picks_do_not_overflow(void **state)
{
	static const char *const aged[] = {"costbenefit", "deathtime"};
	uint64_t now = (uint64_t)1 << 63, half = (uint64_t)1 << 27;
	(void)state;
	for (size_t k = 0; k < PL_COUNT(aged); k++)
		for (uint64_t step = 0; step < 2; step++) {
			struct cln_zone z[3];
			for (size_t i = 0; i < PL_COUNT(z); i++)
				z[i] = (struct cln_zone){half, 2 * half, 0, now / 2 + 2, CLN_NEVER, true};
			z[1].changed_at -= step;
			z[2].live_blocks -= !step;
			assert_int_equal(policy(aged[k])->victim(NULL, z, PL_COUNT(z), now, NULL), step ? 1 : 2);
		}
}

/* Of zones of which next to nothing is dead, too, the oldest is taken. */
static void rounding_leaves_age(void **state)
{
	struct cln_zone z[3];
	uint64_t blocks = (uint64_t)1 << 28;
	(void)state;
	for (size_t i = 0; i < PL_COUNT(z); i++)
		z[i] = (struct cln_zone){blocks - 1, blocks, 0, 700 - 100 * i % 200, CLN_NEVER, true};
	assert_int_equal(policy("costbenefit")->victim(NULL, z, PL_COUNT(z), NOW, NULL), 1);
	assert_int_equal(policy("deathtime")->victim(NULL, z, PL_COUNT(z), NOW, NULL), 1);
}

/* d draws among all that is full; one more among what has dead blocks if these have none. Six of eight zones are full, the
 * last two of them wholly live. */
static void draws_are_fair(void **state)
{
	struct cln_zone z[8];
	uint64_t derived[8], taken[8] = {0};
	struct pl_rng rng, unused;
	const struct cln_ops *o = policy("dchoices");
	(void)state;
	pl_rng_seed(&rng, 7, 0);
	for (uint64_t i = 0; i < PL_COUNT(z); i++)
		z[i] = (struct cln_zone){i < 6 ? 20 + i : 64, 64, 0, 0, CLN_NEVER, i != 1 && i != 4};
	derive(o, "1", derived); /* 1/6, and of 2/6 a fourth */
	for (int i = 0; i < 8000; i++)
		taken[o->victim(derived, z, PL_COUNT(z), NOW, &rng)]++;
	for (uint64_t i = 0; i < PL_COUNT(z); i++)
		assert_true(i == 1 || i == 4 || i > 5 ? taken[i] == 0 : taken[i] > 1900 && taken[i] < 2100);
	derive(o, "2", derived); /* the best of two: zone 0 in 11 of 36, zone 5 in 5; and in a fourth of 4 of 36 both */
	memset(taken, 0, sizeof taken);
	for (int i = 0; i < 7200; i++)
		taken[o->victim(derived, z, PL_COUNT(z), NOW, &rng)]++;
	assert_true(taken[0] > 2300 && taken[0] < 2500);
	assert_true(taken[5] > 1120 && taken[5] < 1280);
	derive(o, "64", derived);
	z[2].live_blocks = z[3].live_blocks = 5;
	for (int i = 0; i < 100; i++)
		assert_int_equal(o->victim(derived, z, PL_COUNT(z), NOW, &rng), 2);
	unused = rng;
	for (uint64_t i = 0; i < 6; i++)
		z[i].candidate = false;
	assert_int_equal(o->victim(derived, z, PL_COUNT(z), NOW, &rng), PL_COUNT(z));
	assert_memory_equal(&rng, &unused, sizeof rng);
}

static void others_draw_nothing(void **state)
{
	struct cln_zone z[2] = {FULL(3, 5, 7), FULL(4, 6, 8)};
	uint64_t derived[8] = {0};
	(void)state;
	for (size_t k = 0; reg_choice(REG_CLEANING, k); k++) {
		struct pl_rng rng, before;
		const struct cln_ops *o = policy(reg_choice(REG_CLEANING, k)->name);
		pl_rng_seed(&rng, 3, 0);
		before = rng;
		if (!o->configure)
			assert_int_equal(o->victim(derived, z, PL_COUNT(z), NOW, &rng), 0);
		assert_memory_equal(&rng, &before, sizeof rng);
	}
}

/* --- the long run --------------------------------------------------------------------------------------------------- */

#define ZONES 384u
#define ZONE_PAGES 64u
#define FREE_ZONES 4u /* below that, zones are cleaned */
#define LENGTH 24u /* turnovers of the live pages; the second half is measured */
#define NONE UINT32_MAX

enum pattern { UNIFORM, HOT_COLD, CYCLE }; /* CYCLE: the hot pages in order, the cold ones at random */

struct sim_page {
	uint32_t slot;
	uint64_t changed_at, interval; /* 0: no history */
};

struct sim_head {
	uint64_t zone; /* ZONES: none */
	uint64_t used;
};

struct sim {
	const struct cln_ops *policy;
	uint64_t derived[8];
	enum pattern pattern;
	bool apart;
	uint32_t pages, turn; /* turn: of CYCLE */
	struct pl_rng draws, victims;
	uint64_t now, copies, occupied; /* occupied: pages written and not erased */
	struct sim_page *page;
	uint32_t *owner; /* of a slot */
	struct cln_zone zone[ZONES];
	uint64_t death_sum[ZONES], deaths[ZONES]; /* over live pages with a history */
	uint64_t free[ZONES], nfree;
	struct sim_head head[2]; /* of clients, of copies */
};

struct outcome {
	double amplification, utilisation; /* effective */
};

static void sim_open(struct sim *s, struct sim_head *h)
{
	if (h->zone < ZONES) {
		s->zone[h->zone].candidate = true;
		s->zone[h->zone].closed_at = s->now;
	}
	assert_true(s->nfree > 0);
	h->zone = s->free[--s->nfree];
	h->used = 0;
	s->zone[h->zone] = (struct cln_zone){.capacity_blocks = ZONE_PAGES, .death_at = CLN_NEVER};
	s->death_sum[h->zone] = s->deaths[h->zone] = 0;
}

static void sim_append(struct sim *s, struct sim_head *h, uint32_t p)
{
	struct sim_page *page = &s->page[p];
	if (h->zone == ZONES || h->used == ZONE_PAGES)
		sim_open(s, h);
	struct cln_zone *z = &s->zone[h->zone];
	page->slot = (uint32_t)(h->zone * ZONE_PAGES + h->used++);
	s->owner[page->slot] = p;
	s->occupied++;
	z->live_blocks++;
	z->changed_at = pl_max64(z->changed_at, page->changed_at);
	if (page->interval) {
		s->death_sum[h->zone] += page->changed_at + page->interval;
		s->deaths[h->zone]++;
	}
}

static void sim_forget(struct sim *s, uint32_t p)
{
	const struct sim_page *page = &s->page[p];
	uint64_t z = page->slot / ZONE_PAGES;
	s->owner[page->slot] = NONE;
	s->zone[z].live_blocks--;
	if (page->interval) {
		s->death_sum[z] -= page->changed_at + page->interval;
		s->deaths[z]--;
	}
}

static void sim_clean(struct sim *s)
{
	for (uint64_t i = 0; i < ZONES; i++)
		s->zone[i].death_at = s->deaths[i] ? s->death_sum[i] / s->deaths[i] : CLN_NEVER;
	uint64_t v = s->policy->victim(s->derived, s->zone, ZONES, s->now, &s->victims);
	assert_true(v < ZONES && s->zone[v].candidate && s->zone[v].live_blocks < ZONE_PAGES);
	s->zone[v].candidate = false;
	for (uint64_t k = v * ZONE_PAGES; k < (v + 1) * ZONE_PAGES; k++) {
		uint32_t p = s->owner[k];
		if (p == NONE)
			continue;
		sim_forget(s, p);
		sim_append(s, &s->head[s->apart], p);
		s->copies++;
	}
	s->occupied -= ZONE_PAGES;
	s->free[s->nfree++] = v;
}

static void sim_write(struct sim *s, uint32_t p)
{
	struct sim_page *page = &s->page[p];
	while (s->nfree < FREE_ZONES)
		sim_clean(s);
	if (page->slot != NONE) {
		uint64_t lived = pl_max64(1, s->now - page->changed_at);
		sim_forget(s, p);
		page->interval = page->interval ? (page->interval + lived) / 2 : lived;
	}
	page->changed_at = s->now++;
	sim_append(s, &s->head[0], p);
}

/* Nine of ten writes to one of ten pages, unless uniform. */
static uint32_t sim_draw(struct sim *s)
{
	uint32_t hot = s->pages / 10;
	if (s->pattern == UNIFORM)
		return (uint32_t)pl_rng_below(&s->draws, s->pages);
	if (pl_rng_below(&s->draws, 10) == 0)
		return hot + (uint32_t)pl_rng_below(&s->draws, s->pages - hot);
	return s->pattern == CYCLE ? s->turn++ % hot : (uint32_t)pl_rng_below(&s->draws, hot);
}

/* utilisation_permille: of all but the zones kept free and half of those being written. */
static struct outcome simulate(
	const char *name, const char *d, enum pattern pattern, bool apart, uint32_t utilisation_permille)
{
	struct sim *s = calloc(1, sizeof *s);
	uint64_t sum = 0, copies = 0, half;
	s->policy = policy(name);
	derive(s->policy, d, s->derived);
	s->pattern = pattern;
	s->apart = apart;
	s->pages = (ZONES - FREE_ZONES) * ZONE_PAGES * utilisation_permille / 1000;
	s->page = calloc(s->pages, sizeof *s->page);
	s->owner = malloc((size_t)ZONES * ZONE_PAGES * sizeof *s->owner);
	memset(s->owner, 0xFF, (size_t)ZONES * ZONE_PAGES * sizeof *s->owner);
	s->head[0].zone = s->head[1].zone = ZONES;
	pl_rng_seed(&s->draws, 1, 0);
	pl_rng_seed(&s->victims, 1, 1);
	for (uint64_t i = ZONES; i-- > 0;)
		s->free[s->nfree++] = i;
	for (uint32_t p = 0; p < s->pages; p++)
		s->page[p].slot = NONE;
	for (uint32_t p = 0; p < s->pages; p++)
		sim_write(s, p);
	half = (uint64_t)s->pages * LENGTH / 2;
	for (uint64_t i = 0; i < 2 * half; i++) {
		if (i == half)
			copies = s->copies;
		sim_write(s, sim_draw(s));
		sum += i >= half ? s->occupied : 0;
	}
	struct outcome out = {.amplification = 1 + (double)(s->copies - copies) / (double)half,
		.utilisation = (double)s->pages * (double)half / (double)sum};
	free(s->page);
	free(s->owner);
	free(s);
	return out;
}

static void near(const char *what, double value, double aim, double percent)
{
	double off = (value / aim - 1) * 100;
	print_message("%-44s %.3f, %.3f wanted, %+.2f %%\n", what, value, aim, off);
	if (off < -percent || off > percent)
		fail_msg("%s: %.3f is %.2f %% from %.3f", what, value, off, aim);
}

static void uniform_follows_theory(void **state)
{
	(void)state;
	for (uint32_t u = 700; u <= 900; u += 100) {
		struct outcome o = simulate("greedy", NULL, UNIFORM, false, u);
		near("greedy, uniform", o.amplification, closed_greedy(o.utilisation, ZONE_PAGES), 1);
		o = simulate("dchoices", "2", UNIFORM, false, u);
		near("best of 2, uniform", o.amplification, closed_choices(o.utilisation, ZONE_PAGES, 2), 1);
		o = simulate("dchoices", NULL, UNIFORM, false, u);
		near("best of 8, uniform", o.amplification, closed_choices(o.utilisation, ZONE_PAGES, 8), 1);
	}
}

/* Nobody writes less than greedy under uniform updates, for then it is optimal, and nobody more than a random choice. */
static void uniform_has_bounds(void **state)
{
	(void)state;
	for (size_t k = 0; reg_choice(REG_CLEANING, k); k++)
		for (int apart = 0; apart < 2; apart++) {
			const char *name = reg_choice(REG_CLEANING, k)->name;
			struct outcome o = simulate(name, NULL, UNIFORM, apart, 850);
			double least = closed_greedy(o.utilisation, ZONE_PAGES),
			       most = closed_choices(o.utilisation, ZONE_PAGES, 1);
			print_message("%-44s %.3f in %.3f to %.3f\n", name, o.amplification, least, most);
			assert_true(o.amplification > 0.99 * least && o.amplification < most);
		}
}

/* Monte Carlo made apart from this code: 2048 zones of 128 pages, 1024 for cost-benefit. */
static void skew_is_as_others_found(void **state)
{
	static const struct {
		const char *policy;
		bool apart;
		uint32_t utilisation_permille;
		double amplification;
	} c[] = {
		{"greedy", false, 800, 3.53},
		{"greedy", true, 800, 3.16},
		{"costbenefit", false, 800, 3.52},
		{"costbenefit", true, 700, 1.46},
		{"costbenefit", true, 800, 1.93},
		{"costbenefit", true, 900, 3.36},
	};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++)
		near(c[i].policy,
			simulate(c[i].policy, NULL, HOT_COLD, c[i].apart, c[i].utilisation_permille).amplification,
			c[i].amplification, 5);
}

static void age_pays_with_survivors_apart(void **state)
{
	static const char *const aged[] = {"costbenefit", "deathtime"};
	struct closed_class classes[2];
	(void)state;
	closed_hot_cold(0.9, 0.1, classes);
	double greedy = simulate("greedy", NULL, HOT_COLD, false, 850).amplification;
	for (size_t k = 0; k < PL_COUNT(aged); k++) {
		struct outcome apart = simulate(aged[k], NULL, HOT_COLD, true, 850),
			       mixed = simulate(aged[k], NULL, HOT_COLD, false, 850);
		double optimum = closed_optimal(apart.utilisation, classes, 2, NULL);
		print_message("%-44s %.3f, mixed %.3f, greedy mixed %.3f, optimum %.3f\n", aged[k], apart.amplification,
			mixed.amplification, greedy, optimum);
		assert_true(apart.amplification <= 0.7 * greedy);
		assert_true(apart.amplification >= optimum);
		assert_true(mixed.amplification <= 1.01 * greedy);
	}
}

/* Where age errs: under uniform updates old zones are no colder, and a hot set that is written in turn dies on time. */
static void death_times_know_more_than_age(void **state)
{
	(void)state;
	double age = simulate("costbenefit", NULL, UNIFORM, true, 900).amplification,
	       death = simulate("deathtime", NULL, UNIFORM, true, 900).amplification;
	print_message("uniform, apart: cost-benefit %.3f, death time %.3f\n", age, death);
	assert_true(death < 0.95 * age);
	age = simulate("costbenefit", NULL, CYCLE, true, 800).amplification;
	death = simulate("deathtime", NULL, CYCLE, true, 800).amplification;
	print_message("hot in turn, apart: cost-benefit %.3f, death time %.3f\n", age, death);
	assert_true(death < 0.9 * age);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"cleaning.picks_are_these", picks_are_these, NULL, NULL, NULL},
		{"cleaning.picks_do_not_overflow", picks_do_not_overflow, NULL, NULL, NULL},
		{"cleaning.rounding_leaves_age", rounding_leaves_age, NULL, NULL, NULL},
		{"cleaning.dchoices.draws_are_fair", draws_are_fair, NULL, NULL, NULL},
		{"cleaning.others_draw_nothing", others_draw_nothing, NULL, NULL, NULL},
		{"cleaning.uniform_follows_theory", uniform_follows_theory, NULL, NULL, NULL},
		{"cleaning.uniform_has_bounds", uniform_has_bounds, NULL, NULL, NULL},
		{"cleaning.skew_is_as_others_found", skew_is_as_others_found, NULL, NULL, NULL},
		{"cleaning.age_pays_with_survivors_apart", age_pays_with_survivors_apart, NULL, NULL, NULL},
		{"cleaning.deathtime.knows_more_than_age", death_times_know_more_than_age, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("cleaning", tests, NULL, NULL);
}
