/* contract_test.c - what each axis of a whole store promises, asked of every choice in the registry: structure, addressing,
 * placement, cleaning, durability, guard. (Layouts, space policies and devices have conformance tests of their own.)
 *
 * A choice is tried in every legal combination with slotted raw pages on the RAM disk, so a new line in the registry is
 * tested the day it is added. */
#include "variants/store_rig.h"

#define KEYS 400u
#define VALUE_BYTES_MAX 1024u

static void lab_start(struct lab *l, const struct kv_choice *c)
{
	static setting set[] = {
		{"pool_bytes", "512k"}, {"log_bytes", "512k"}, {"max_value_bytes", "1k"}, {"zone.zone_bytes", "128k"}};
	lab_init(l);
	lab_set(l, set, PL_COUNT(set));
	l->choice = *c;
	lab_create(l, 6u << 20);
}

static void put(struct lab *l, uint32_t k, uint32_t round)
{
	char text[16];
	memset(l->value, (int)(k * 7 + round), VALUE_BYTES_MAX);
	put32(l->value, round);
	assert_int_equal(kv_put(l->kv, &l->x, key_of(k, text), pl_slice_of(l->value, 200 + k % 700)), PL_OK);
}

/* The round that wrote key k; 0: absent. Its content must be whole. */
static uint32_t round_of(struct lab *l, uint32_t k)
{
	char text[16];
	pl_slice v;
	int err = kv_get(l->kv, &l->x, key_of(k, text), NULL, 0, &v);
	if (err == PL_NOTFOUND)
		return 0;
	assert_int_equal(err, PL_OK);
	assert_int_equal(v.n, 200 + k % 700);
	uint32_t round = le32(v.p);
	for (size_t i = 4; i < v.n; i++)
		assert_int_equal(v.p[i], (uint8_t)(k * 7 + round));
	return round;
}

/* Run `test` for every choice of the axis, in every legal combination of the rest on the RAM disk. */
static void each(enum reg_axis axis, void (*test)(struct lab *l))
{
	bool tried[64] = {false};
	struct kv_choice c;
	for (size_t i = 0; reg_product(i, &c); i++) {
		if (kv_refusal(&c) || strcmp(c.device->name, "null") != 0 || strcmp(c.node->name, "slotted") != 0 ||
			strcmp(c.space->name, "raw") != 0)
			continue;
		for (size_t k = 0; reg_choice(axis, k); k++)
			tried[k] |= strcmp(reg_choice(axis, k)->name, reg_chosen(&c, axis)) == 0;
		struct lab l;
		lab_start(&l, &c);
		test(&l);
		lab_end(&l);
	}
	/* a guard or a cleaning that no combination uses under its own name would go untested */
	for (size_t k = 0; reg_choice(axis, k); k++)
		if (!tried[k])
			fail_msg("%s=%s is in no legal combination", reg_axis_name[axis], reg_choice(axis, k)->name);
}

/* --- structure ------------------------------------------------------------------------------------------------------ */

struct seen {
	uint32_t count;
	char last[16];
	size_t last_bytes;
};

static bool in_order(void *arg, pl_slice key, pl_slice value)
{
	struct seen *s = arg;
	assert_true(pl_slice_cmp(pl_slice_of(s->last, s->last_bytes), key) < 0);
	assert_true(value.n >= 200);
	memcpy(s->last, key.p, key.n);
	s->last_bytes = key.n;
	s->count++;
	return true;
}

static void keeps_order(struct lab *l)
{
	for (uint32_t k = 0; k < KEYS; k++)
		put(l, k * 37 % KEYS, 1);
	struct seen seen = {0};
	struct kv_op scan = {.kind = KV_SCAN, .emit = in_order, .arg = &seen};
	assert_int_equal(kv_do(l->kv, &l->x, &scan), PL_OK);
	assert_int_equal(seen.count, KEYS);
	lab_check(l);
}

static void structure_keeps_order(void **state)
{
	(void)state;
	each(REG_STRUCTURE, keeps_order);
}

/* --- addressing ----------------------------------------------------------------------------------------------------- */

static void finds_pages_again(struct lab *l)
{
	struct kv_stats a, b;
	char text[16];
	for (uint32_t round = 1; round <= 3; round++) {
		for (uint32_t k = 0; k < KEYS; k++)
			put(l, k, round);
		kv_stats(l->kv, &a);
		lab_close(l);
		lab_open(l);
		lab_check(l);
		kv_stats(l->kv, &b);
		assert_int_equal(a.live_pages, b.live_pages);
		for (uint32_t k = 0; k < KEYS; k++)
			assert_int_equal(round_of(l, k), round);
	}
	for (uint32_t k = 0; k < KEYS; k++)
		assert_int_equal(kv_delete(l->kv, &l->x, key_of(k, text)), PL_OK);
	lab_check(l);
	kv_stats(l->kv, &b);
	assert_true(b.live_pages < a.live_pages / 4); /* ids come back */
}

static void addressing_finds_pages_again(void **state)
{
	(void)state;
	each(REG_ADDRESSING, finds_pages_again);
}

/* --- placement ------------------------------------------------------------------------------------------------------ */

static void conserves_space(struct lab *l)
{
	struct kv_stats s;
	uint64_t capacity = 0;
	for (uint32_t i = 0; i < 12 * KEYS; i++) {
		put(l, i * 101 % KEYS, 1 + i);
		if (i % 50)
			continue;
		kv_stats(l->kv, &s);
		assert_int_equal(s.live_bytes + s.dead_bytes + s.free_bytes + s.reserved_bytes, s.data_capacity_bytes);
		assert_true(!capacity || capacity == s.data_capacity_bytes);
		capacity = s.data_capacity_bytes;
	}
	lab_check(l);
	kv_stats(l->kv, &s);
	assert_true(s.page_write_bytes > capacity); /* it was used several times over */
}

static void placement_conserves_space(void **state)
{
	(void)state;
	each(REG_PLACEMENT, conserves_space);
}

static void page_stays_in_place(struct lab *l)
{
	if (!l->choice.placement->in_place)
		return;
	struct store *s = store_of(l);
	for (uint32_t k = 0; k < KEYS; k++)
		put(l, k, 1);
	lab_checkpoint(l);
	for (uint64_t id = 1; id <= s->max_ids; id++)
		if (s->directory[id])
			assert_int_equal(loc_block(store_loc(s, id)),
				home_slot_block(s, id, home_slot(s, id, store_loc(s, id))));
}

static void placement_in_place_never_moves_a_page(void **state)
{
	(void)state;
	each(REG_PLACEMENT, page_stays_in_place);
}

/* --- cleaning ------------------------------------------------------------------------------------------------------- */

static void cleaning_picks_what_can_be_cleaned(void **state)
{
	(void)state;
	struct pl_rng rng;
	pl_rng_seed(&rng, 5, 0);
	for (size_t k = 0; reg_choice(REG_CLEANING, k); k++) {
		const struct cln_ops *o = (const struct cln_ops *)(const void *)reg_choice(REG_CLEANING, k);
		uint64_t derived[8] = {0};
		struct pl_fault f;
		struct pl_conf conf;
		pl_conf_init(&conf);
		reg_declare(&conf);
		if (o->configure)
			assert_int_equal(o->configure(derived, &conf, &f), PL_OK);
		pl_conf_free(&conf);
		for (int round = 0; round < 2000; round++) {
			struct cln_zone z[24];
			bool any = false;
			for (size_t i = 0; i < PL_COUNT(z); i++) {
				z[i] = (struct cln_zone){.live_blocks = pl_rng_below(&rng, 65), .capacity_blocks = 64};
				z[i].closed_at = pl_rng_below(&rng, 1000);
				z[i].changed_at = pl_rng_below(&rng, 1000);
				z[i].death_at = pl_rng_below(&rng, 4) ? pl_rng_below(&rng, 2000) : CLN_NEVER;
				z[i].candidate = pl_rng_below(&rng, 3) == 0;
				any |= z[i].candidate && z[i].live_blocks < 64;
			}
			struct pl_rng again = rng;
			uint64_t v = o->victim(derived, z, PL_COUNT(z), 1000, &rng);
			assert_int_equal(v, o->victim(derived, z, PL_COUNT(z), 1000, &again));
			assert_true(v <= PL_COUNT(z));
			if (v < PL_COUNT(z))
				assert_true(z[v].candidate && z[v].live_blocks < z[v].capacity_blocks);
			else
				assert_false(any); /* something could have been cleaned */
		}
		assert_int_equal(o->victim(derived, NULL, 0, 0, &rng), 0);
	}
}

static void cleans(struct lab *l)
{
	struct kv_stats s;
	if (!l->choice.placement->appends)
		return;
	struct pl_rng
		rng; /* some zones must keep live pages, so keys are chosen unevenly and are more than the pool holds */
	pl_rng_seed(&rng, 3, 0);
	for (uint32_t i = 0; i < 40 * KEYS; i++)
		put(l, (uint32_t)pl_rng_below(&rng, 1 + pl_rng_below(&rng, 8 * KEYS)), 1 + i);
	kv_stats(l->kv, &s);
	assert_true(s.cleaned_zones > 0 && s.moved_pages > 0);
	/* mean use of the zones: nearly all is written, for cleaning waits for that */
	uint64_t occupied = s.occupied_blocks / s.page_writes * 4096;
	assert_true(occupied > s.data_capacity_bytes / 2 && occupied < s.data_capacity_bytes);
	lab_check(l);
}

static void cleaning_makes_room(void **state)
{
	(void)state;
	each(REG_CLEANING, cleans);
}

/* --- durability, guard ---------------------------------------------------------------------------------------------- */

/* The process dies: what was acknowledged under a log is there; without one the last anchor is, whole. */
static void survives_a_kill(struct lab *l)
{
	struct pl_fault f = {0};
	for (uint32_t k = 0; k < KEYS; k++)
		put(l, k, 1);
	lab_checkpoint(l);
	struct kv_stats before, now;
	kv_stats(l->kv, &before);
	for (uint32_t k = 0; k < 20; k++)
		put(l, k, 2);
	kv_stats(l->kv, &now);
	bool anchored = now.checkpoints > before.checkpoints; /* a policy may have needed one in between */
	lab_abandon(l);
	bool unsafe = l->choice.placement->in_place && l->choice.guard->unsafe;
	int err = lab_try_open(l, &f);
	assert_int_equal(err, unsafe ? PL_DAMAGED : PL_OK);
	assert_true(!unsafe || strstr(f.text, "not closed"));
	if (err)
		return;
	lab_check(l);
	for (uint32_t k = 0; k < KEYS; k++) {
		uint32_t round = round_of(l, k);
		if (l->choice.durability->logs)
			assert_int_equal(round, k < 20 ? 2 : 1);
		else if (!anchored)
			assert_int_equal(round, 1);
	}
}

static void durability_keeps_its_promise(void **state)
{
	(void)state;
	each(REG_DURABILITY, survives_a_kill);
}

static void guard_protects_or_refuses(void **state)
{
	(void)state;
	each(REG_GUARD, survives_a_kill);
}

/* A commit is durable under every policy. */
static void commits(struct lab *l)
{
	if (l->choice.placement->in_place && l->choice.guard->unsafe)
		return;
	put(l, 1, 9);
	struct kv_op commit = {.kind = KV_COMMIT};
	assert_int_equal(kv_do(l->kv, &l->x, &commit), PL_OK);
	lab_abandon(l);
	lab_open(l);
	assert_int_equal(round_of(l, 1), 9);
}

static void durability_commit_is_durable(void **state)
{
	(void)state;
	each(REG_DURABILITY, commits);
}

/* --- the registry itself -------------------------------------------------------------------------------------------- */

static void defaults_are_canonical(void **state)
{
	(void)state;
	struct pl_conf c;
	pl_conf_init(&c);
	pl_conf_declare(&c, "", kv_opts);
	reg_declare(&c);
	for (size_t i = 0; i < c.nsets; i++)
		for (const struct pl_opt *o = c.sets[i].opts; o->name; o++) {
			char out[4096];
			struct pl_fault f = {0};
			if (pl_opt_canonical(o, o->name, o->value, out, sizeof out, &f))
				fail_msg("%s.%s: default %s: %s", c.sets[i].prefix, o->name, o->value, f.text);
			assert_string_equal(out, o->value);
			assert_true(o->help && *o->help);
		}
	pl_conf_free(&c);
}

static void names_are_unique(void **state)
{
	(void)state;
	for (int a = 0; a < REG_AXES; a++)
		for (size_t i = 0; reg_choice((enum reg_axis)a, i); i++) {
			const struct reg_choice *c = reg_choice((enum reg_axis)a, i);
			assert_true(c->name && *c->name && c->summary && *c->summary);
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(c->name, reg_choice((enum reg_axis)a, k)->name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"registry.names_are_unique", names_are_unique, NULL, NULL, NULL},
		{"registry.defaults_are_canonical", defaults_are_canonical, NULL, NULL, NULL},
		{"structure.keeps_order", structure_keeps_order, NULL, NULL, NULL},
		{"addressing.finds_pages_again", addressing_finds_pages_again, NULL, NULL, NULL},
		{"placement.conserves_space", placement_conserves_space, NULL, NULL, NULL},
		{"placement.in_place_never_moves_a_page", placement_in_place_never_moves_a_page, NULL, NULL, NULL},
		{"cleaning.picks_what_can_be_cleaned", cleaning_picks_what_can_be_cleaned, NULL, NULL, NULL},
		{"cleaning.makes_room", cleaning_makes_room, NULL, NULL, NULL},
		{"durability.keeps_its_promise", durability_keeps_its_promise, NULL, NULL, NULL},
		{"durability.commit_is_durable", durability_commit_is_durable, NULL, NULL, NULL},
		{"guard.protects_or_refuses", guard_protects_or_refuses, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("contracts", tests, NULL, NULL);
}
