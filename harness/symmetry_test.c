/* symmetry_test.c - what must not make a difference makes none: products that differ in one axis only write the same bytes,
 * by their source, wherever nothing that this axis decides can show.
 *
 * Every product runs the same operations: a sorted load that leaves four records in each leaf, in any layout, for a fifth
 * finds no room; updates of the same lengths; a checkpoint after each round; a few values that overflow. Values are random
 * bytes, so a full leaf needs its two blocks under every space policy. The pool holds all, the device is large, one client
 * asks: pages are written by checkpoints only, and nothing is cleaned. Then
 *
 *     space       leaves and log are the same bytes               (inner pages are mostly empty, and may shrink)
 *     node        with whole pages, all is the same bytes
 *     durability  pages are the same bytes; only who logs writes a log
 *     guard       pages are the same bytes; only who journals writes a journal
 *     addressing  leaves, overflow and log are the same bytes (in other requests, if children are written first)
 *     device      all is the same bytes, among devices that can be overwritten; leaves, overflow and log on all */
#include "harness/products.h"

#include "engine/iface/durability.h"
#include "engine/iface/guard.h"
#include "engine/iface/placement.h"
#include "engine/store/store.h"
#include "variants/registry.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEAVES 40u
#define RECORDS (4 * LEAVES)
#define LARGE 3u /* records whose values overflow; their keys come first */
#define ROUNDS 4u
#define VALUE_BYTES 1900u
#define LARGE_BYTES 20000u

struct written {
	struct product product;
	struct dev_stats dev;
	struct kv_stats kv;
	uint64_t leaves, overflow_pages; /* in the store at the end */
	const char *failed;
};

static struct written *all;
static size_t total;

/* --- the run ------------------------------------------------------------------------------------------------------- */

static bool put(struct kv *kv, struct pl_ctx *x, uint32_t k, uint64_t round)
{
	static uint8_t value[LARGE_BYTES];
	char key[16];
	size_t n = k < LARGE ? LARGE_BYTES : VALUE_BYTES;
	uint64_t at = pl_mix64(k + round * 100000), word;
	for (size_t i = 0; i < n; i += 4) {
		word = pl_splitmix64(&at);
		memcpy(value + i, &word, 4);
	}
	int keyn = snprintf(key, sizeof key, "%08u", k);
	return kv_put(kv, x, pl_slice_of(key, (size_t)keyn), pl_slice_of(value, n)) == PL_OK;
}

static const char *operate(struct kv *kv, struct pl_ctx *x)
{
	for (uint32_t k = 0; k < RECORDS + LARGE; k++)
		if (!put(kv, x, k, 0))
			return "load";
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		if (kv_checkpoint(kv, x))
			return "checkpoint";
		for (uint32_t i = 0; i < RECORDS / 8; i++)
			if (!put(kv, x, (uint32_t)(pl_mix64(round * 1000 + i) % (RECORDS + LARGE)), round))
				return "update";
	}
	return kv_checkpoint(kv, x) ? "checkpoint" : NULL;
}

static void run(struct written *w)
{
	static const char *const set[][2] = {{"pool_bytes", "2097152"}, {"zone.zone_bytes", "1048576"},
		{"sim_zns.zone_bytes", "1048576"}, {"log_bytes", "2097152"}, {"dwb.journal_bytes", "4194304"}};
	const struct kv_choice *c = &w->product.choice;
	struct model_lab lab;
	struct pl_fault f = {0};
	struct pl_ctx x = {.simulated = true};
	struct dev *d = NULL;
	struct kv *kv = NULL;
	model_lab_init(&lab, c, false);
	lab.capacity_bytes = 24u << 20;
	for (size_t i = 0; i < PL_COUNT(set); i++)
		model_lab_set(&lab, set[i][0], set[i][1]);
	bool open = model_lab_device(&lab, c, 1, NULL, &d, &f) == PL_OK &&
		    kv_format(c, &lab.conf, 1, d, &x, &f) == PL_OK && kv_open(c, &lab.conf, d, &x, &kv, &f) == PL_OK;
	/* the empty leaf that a store begins with is no full one: its writes, by format and opening, do not count */
	struct dev_stats before;
	struct kv_stats opened;
	open = open && kv_checkpoint(kv, &x) == PL_OK;
	if (open) {
		dev_stats(d, &before);
		kv_stats(kv, &opened);
	}
	w->failed = open ? operate(kv, &x) : "open";
	if (open) {
		const struct store *s = (const struct store *)kv;
		w->overflow_pages = s->overflow_pages;
		for (uint32_t i = 0; i < s->pool.frames; i++)
			w->leaves += s->pool.frame[i].state == FRAME_VALID && page_kind(frame_page(s, i)) == PAGE_LEAF;
		kv_stats(kv, &w->kv);
		dev_stats(d, &w->dev);
		w->kv.checkpoints -= opened.checkpoints;
		for (int tag = 0; tag < DEV_TAGS; tag++) {
			w->dev.host_write_bytes[tag] -= before.host_write_bytes[tag];
			w->dev.host_writes[tag] -= before.host_writes[tag];
		}
		kv_abandon(kv);
	}
	if (d)
		dev_close(d);
	model_lab_free(&lab);
}

static bool simulated(const struct kv_choice *c)
{
	return c->device->poke != NULL;
}

static int run_all(void **state)
{
	struct products p;
	(void)state;
	assert(setenv("PAGELAB_SAMPLE", "0", 1) ==
		0); /* what is compared differs in one axis only: a sample has no such */
	products_choose(&p, simulated);
	all = calloc(p.n + 1, sizeof *all);
	assert(all);
	total = p.n;
	for (size_t i = 0; i < p.n; i++) {
		all[i].product = p.item[i];
		run(&all[i]);
	}
	products_free(&p);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	free(all);
	return 0;
}

/* --- comparing ----------------------------------------------------------------------------------------------------- */

#define TAG(name) (1u << DEV_TAG_##name)
#define PAGES (TAG(LEAF) | TAG(INNER) | TAG(OVERFLOW))
#define EVERYTHING ((1u << DEV_TAGS) - 1)

static bool differ_only(const struct written *a, const struct written *b, enum reg_axis axis)
{
	for (int k = 0; k < REG_AXES; k++)
		if (k != (int)axis && strcmp(reg_chosen(&a->product.choice, (enum reg_axis)k),
					      reg_chosen(&b->product.choice, (enum reg_axis)k)) != 0)
			return false;
	return true;
}

static void assert_same(const struct written *a, const struct written *b, enum reg_axis axis, unsigned tags)
{
	/* children before parents: other pages are neighbours of one request */
	bool requests = axis != REG_ADDRESSING;
	for (int tag = 0; tag < DEV_TAGS; tag++)
		if (tags >> tag & 1 && (a->dev.host_write_bytes[tag] != b->dev.host_write_bytes[tag] ||
					       (requests && a->dev.host_writes[tag] != b->dev.host_writes[tag])))
			fail_msg("%s: %" PRIu64 " bytes in %" PRIu64 " requests\n  %s: %" PRIu64 " bytes in %" PRIu64
				 " requests\n  for '%s'",
				a->product.name, a->dev.host_write_bytes[tag], a->dev.host_writes[tag], b->product.name,
				b->dev.host_write_bytes[tag], b->dev.host_writes[tag], dev_tag_name[tag]);
}

/* Compare every product with the first that differs from it in this axis only. Without both, tags or a pair, it fails. */
static void compare(
	enum reg_axis axis, unsigned tags, bool (*applies)(const struct kv_choice *a, const struct kv_choice *b))
{
	size_t pairs = 0;
	for (size_t i = 0; i < total; i++)
		for (size_t k = 0; k < i; k++) {
			if (!differ_only(&all[i], &all[k], axis) ||
				(applies && !applies(&all[i].product.choice, &all[k].product.choice)))
				continue;
			assert_same(&all[i], &all[k], axis, tags);
			pairs++;
			break;
		}
	print_message("%zu pairs that differ in %s\n", pairs, reg_axis_name[axis]);
	if (products_whole())
		assert_true(pairs > 0);
}

static void every_product_does_what_is_compared(void **state)
{
	(void)state;
	assert_true(total > 0);
	for (size_t i = 0; i < total; i++) {
		const struct written *w = &all[i];
		if (w->failed)
			fail_msg("%s: %s failed", w->product.name, w->failed);
		/* the first round writes all leaves, every other at least one of two blocks and at most all */
		if (w->leaves != LEAVES || w->dev.host_write_bytes[DEV_TAG_LEAF] < (LEAVES + ROUNDS) * 8192 ||
			w->dev.host_write_bytes[DEV_TAG_LEAF] > (1 + ROUNDS) * LEAVES * 8192u ||
			w->dev.host_write_bytes[DEV_TAG_OVERFLOW] < LARGE * LARGE_BYTES)
			fail_msg("%s: %" PRIu64 " leaves, %" PRIu64 " bytes of leaves and %" PRIu64
				 " of overflow written",
				w->product.name, w->leaves, w->dev.host_write_bytes[DEV_TAG_LEAF],
				w->dev.host_write_bytes[DEV_TAG_OVERFLOW]);
		if (w->kv.cleaned_zones || w->dev.host_write_bytes[DEV_TAG_CLEAN] || w->kv.evictions_dirty ||
			w->kv.checkpoints != 1 + ROUNDS)
			fail_msg("%s: %" PRIu64 " zones cleaned, %" PRIu64 " evictions, %" PRIu64 " checkpoints",
				w->product.name, w->kv.cleaned_zones, w->kv.evictions_dirty, w->kv.checkpoints);
		assert_true(!w->product.choice.durability->logs == !w->dev.host_write_bytes[DEV_TAG_LOG]);
	}
}

static void space_policies_write_the_same_full_leaves(void **state)
{
	(void)state;
	compare(REG_SPACE, TAG(LEAF) | TAG(LOG), NULL);
}

/* whole pages: those whose images always have all blocks */
static bool whole_pages(const struct kv_choice *a, const struct kv_choice *b)
{
	(void)b;
	return strcmp(a->space->name, "raw") == 0;
}

static void layouts_of_equal_capacity_write_the_same(void **state)
{
	(void)state;
	compare(REG_NODE, EVERYTHING, whole_pages);
}

static void promises_do_not_change_what_pages_cost(void **state)
{
	(void)state;
	compare(REG_DURABILITY, PAGES, NULL);
}

static void guards_do_not_change_what_pages_cost(void **state)
{
	(void)state;
	compare(REG_GUARD, PAGES, NULL);
}

static void addressing_does_not_change_what_leaves_cost(void **state)
{
	(void)state;
	size_t moving = 0;
	for (size_t i = 0; reg_choice(REG_ADDRESSING, i); i++)
		moving += !((const struct adr_ops *)(const void *)reg_choice(REG_ADDRESSING, i))->fixed;
	if (moving < 2) /* fixed and not fixed are never legal in the same place */
		skip();
	compare(REG_ADDRESSING, TAG(LEAF) | TAG(OVERFLOW) | TAG(LOG), NULL);
}

static bool both_overwritable(const struct kv_choice *a, const struct kv_choice *b)
{
	return !a->device->sequential && !b->device->sequential;
}

static void devices_are_written_the_same(void **state)
{
	(void)state;
	compare(REG_DEVICE, EVERYTHING, both_overwritable);
	compare(REG_DEVICE, TAG(LEAF) | TAG(OVERFLOW) | TAG(LOG), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"symmetry.product.does_what_is_compared", every_product_does_what_is_compared, NULL, NULL, NULL},
		{"symmetry.space.same_full_leaves", space_policies_write_the_same_full_leaves, NULL, NULL, NULL},
		{"symmetry.node.same_writes", layouts_of_equal_capacity_write_the_same, NULL, NULL, NULL},
		{"symmetry.durability.same_pages", promises_do_not_change_what_pages_cost, NULL, NULL, NULL},
		{"symmetry.guard.same_pages", guards_do_not_change_what_pages_cost, NULL, NULL, NULL},
		{"symmetry.addressing.same_leaves", addressing_does_not_change_what_leaves_cost, NULL, NULL, NULL},
		{"symmetry.device.same_writes", devices_are_written_the_same, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("symmetry", tests, run_all, free_all);
}
