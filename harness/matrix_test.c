/* matrix_test.c - which combinations of policies are legal, written out a second time.
 *
 * `expected` below is the list of the lab's design, independent of engine/compat.c: for every combination of the full
 * product kv_refusal must say exactly what it says, and give a sentence when it refuses. */
#include "engine/iface/addressing.h"
#include "engine/iface/cleaning.h"
#include "engine/iface/durability.h"
#include "engine/iface/guard.h"
#include "harness/model.h"
#include "variants/registry.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct names {
	const char *structure, *node, *space, *addressing, *placement, *cleaning, *durability, *guard, *device;
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* --- the rules, each with its reason; NULL: legal -------------------------------------------------------------- */

/* An address computed from the page id is an address that never changes; a page that moves must be found again. */
static bool address_and_place_disagree(const struct names *n)
{
	return is(n->addressing, "fixed") != is(n->placement, "inplace");
}

/* Zones that take writes only at their pointer can overwrite nothing, neither a page nor a freed extent. */
static bool device_cannot_overwrite(const struct names *n)
{
	return (is(n->device, "sim_zns") || is(n->device, "zoned")) && !is(n->placement, "zone");
}

/* A log restores operations, not torn or half-updated trees: the after-images of an epoch must lie elsewhere first. */
static bool debts_unpaid(const struct names *n)
{
	return is(n->placement, "inplace") && is(n->guard, "none") && !is(n->durability, "none");
}

/* Switching an anchor over pages in place needs two places for each. */
static bool force_needs_two_places(const struct names *n)
{
	return is(n->placement, "inplace") && is(n->durability, "force") && !is(n->guard, "pingpong");
}

/* Page identity and map would have to be durable between anchors; out of place has nothing to undo. */
static bool aries_out_of_place(const struct names *n)
{
	return is(n->durability, "aries") && !is(n->addressing, "fixed");
}

/* ARIES writes pages home between anchors; a slot that the anchor does not reach is not that home. */
static bool aries_with_two_places(const struct names *n)
{
	return is(n->durability, "aries") && is(n->guard, "pingpong");
}

/* Out of place nothing is overwritten: there is nothing to guard. */
static bool guards_nothing(const struct names *n)
{
	return !is(n->placement, "inplace") && !is(n->guard, "none");
}

static const struct {
	const char *name;
	bool (*refuses)(const struct names *n);
} rules[] = {
	{"fixed if and only if in place", address_and_place_disagree},
	{"sequential devices take only zones", device_cannot_overwrite},
	{"in place without a guard only without durability", debts_unpaid},
	{"force in place only with pingpong", force_needs_two_places},
	{"aries only with fixed addresses", aries_out_of_place},
	{"aries never with pingpong", aries_with_two_places},
	{"no guard out of place", guards_nothing},
};

static const char *expected(const struct names *n)
{
	for (size_t i = 0; i < PL_COUNT(rules); i++)
		if (rules[i].refuses(n))
			return rules[i].name;
	return NULL;
}

/* --- the tests ------------------------------------------------------------------------------------------------- */

static const char *name_of(const void *choice)
{
	return choice ? ((const struct reg_choice *)choice)->name : "none";
}

static struct names names_of(const struct kv_choice *c)
{
	return (struct names){name_of(c->structure), name_of(c->node), name_of(c->space), name_of(c->addressing),
		name_of(c->placement), name_of(c->cleaning), name_of(c->durability), name_of(c->guard),
		c->device->name};
}

static void refuses_exactly_what_the_design_refuses(void **state)
{
	(void)state;
	uint64_t legal = 0, refused = 0, wrong = 0, used[PL_COUNT(rules)] = {0};
	struct kv_choice c;
	for (size_t i = 0; reg_product(i, &c); i++) {
		struct names n = names_of(&c);
		const char *want = expected(&n), *got = kv_refusal(&c);
		for (size_t k = 0; want && k < PL_COUNT(rules); k++)
			used[k] += rules[k].refuses(&n);
		legal += got == NULL;
		refused += got != NULL;
		if ((want == NULL) != (got == NULL) && wrong++ < 20)
			print_error("%s %s %s %s %s %s %s %s %s: engine: %s; design: %s\n", n.structure, n.node,
				n.space, n.addressing, n.placement, n.cleaning, n.durability, n.guard, n.device,
				got ? got : "legal", want ? want : "legal");
		if (got) {
			assert_true(strlen(got) > 15);
			assert_null(strchr(got, '\n'));
		}
	}
	print_message("%" PRIu64 " legal, %" PRIu64 " refused\n", legal, refused);
	for (size_t k = 0; k < PL_COUNT(rules); k++)
		print_message("    %-52s refuses %" PRIu64 "\n", rules[k].name, used[k]);
	assert_true(legal > 0 && refused > 0);
	assert_int_equal(wrong, 0);
}

static void product_is_complete_and_without_repetition(void **state)
{
	(void)state;
	size_t want = 1, n = 0;
	struct kv_choice c, first, last = {0};
	for (int axis = 0; axis < REG_AXES; axis++) {
		size_t choices = 0;
		while (reg_choice((enum reg_axis)axis, choices))
			choices++;
		assert_true(choices > 0);
		want *= choices;
	}
	assert_true(reg_product(0, &first));
	for (; reg_product(n, &c); n++) {
		if (n)
			assert_memory_not_equal(&c, &last, sizeof c);
		assert_true(n == 0 || memcmp(&c, &first, sizeof c) != 0);
		last = c;
	}
	assert_int_equal(n, want);
}

/* Every legal combination can be named in an experiment file: its axes' names choose it again. */
static void legal_products_can_be_chosen_by_name(void **state)
{
	(void)state;
	struct kv_choice c, again;
	for (size_t i = 0; model_product(&i, &c); i++) {
		struct pl_conf conf;
		struct pl_fault f = {0};
		pl_conf_init(&conf);
		reg_declare(&conf);
		for (int axis = 0; axis < REG_AXES; axis++) {
			const char *name = reg_chosen(&c, (enum reg_axis)axis);
			if (!is(name, "-"))
				assert_int_equal(pl_conf_set(&conf, reg_axis_name[axis], name, &f), PL_OK);
		}
		assert_int_equal(reg_choose(&conf, &again, &f), PL_OK);
		for (int axis = 0; axis < REG_AXES; axis++)
			assert_string_equal(
				reg_chosen(&c, (enum reg_axis)axis), reg_chosen(&again, (enum reg_axis)axis));
		pl_conf_free(&conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"matrix.refusal.is_exactly_the_designs", refuses_exactly_what_the_design_refuses, NULL, NULL, NULL},
		{"matrix.product.is_complete_and_without_repetition", product_is_complete_and_without_repetition, NULL,
			NULL, NULL},
		{"matrix.names.choose_every_legal_product", legal_products_can_be_chosen_by_name, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
