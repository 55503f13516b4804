/* node_run_test.c - runs of layouts: the tree is sound and finds what was put in, the counts are a function of the
 * specification, add up, and say what is known of small cases; what cannot be run is refused in words. */
#include "harness/execute.h"
#include "harness/node_run.h"
#include "harness/node_tree.h"
#include "harness/options.h"
#include "harness/util.h"
#include "results/reader.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SMALL "run=node records=3000 node.lookups=500 node.wall=0 page_bytes=8192 "

static void set_words(struct pl_conf *conf, const char *words)
{
	struct pl_fault f = {0};
	char *text = lab_strdup(words), *save = NULL;
	lab_conf_init(conf);
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		char *value = strchr(p, '=');
		assert_non_null(value);
		*value = 0;
		if (pl_conf_set(conf, p, value + 1, &f))
			fail_msg("%s", f.text);
	}
	free(text);
}

static struct node_result run_words(const char *words)
{
	struct pl_conf conf;
	struct node_result r;
	struct pl_fault f = {0};
	set_words(&conf, words);
	if (node_run(&(struct node_run_args){.conf = &conf}, &r, &f))
		fail_msg("%s: %s", words, f.text);
	pl_conf_free(&conf);
	return r;
}

/* Every layout with every form of keys, every option once: a run verifies each lookup and checks each page. */
static void every_layout_and_key(void **state)
{
	static const char *const layout[] = {"node=slotted", "node=slotted slotted.heads=0",
		"node=slotted slotted.hints=16", "node=ordinal", "node=b2 b2.heads=0",
		"node=b2 b2.heads=1 b2.range_slots=8"},
				 *const keys[] = {
					 "ycsb", "fixed8", "fixed16", "dense8", "url", "mail", "title", "uuid"};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(layout); i++)
		for (size_t k = 0; k < PL_COUNT(keys); k++) {
			char *words = lab_printf(SMALL "%s keys=%s", layout[i], keys[k]);
			struct node_result r = run_words(words);
			const struct node_counts *n = &r.counts;
			assert_int_equal(n->records, 3000);
			assert_int_equal(n->lookups, 500);
			assert_true(n->height >= 2 && n->leaf_pages < n->pages);
			assert_int_equal(n->page_bytes_total, n->pages * 8192);
			assert_int_equal(n->leaf_comparisons + n->inner_comparisons,
				n->array_comparisons + n->trie_comparisons + n->record_comparisons);
			/* a value of 100 bytes lies in two or three lines, and is read whole */
			assert_true(n->value_lines >= 1000 && n->value_lines <= 1500 && n->leaf_read_bytes > 500 * 100);
			assert_true(n->leaf_lines > n->value_lines && n->inner_lines >= 500);
			assert_true(n->loaded_lines >= n->leaf_lines + n->inner_lines);
			assert_true(n->distinct_lines <= n->page_bytes_total / 64);
			assert_int_equal(n->fixed_bytes + n->trie_bytes + n->hint_bytes + n->head_bytes +
						 n->slot_bytes + n->key_bytes + n->value_bytes + n->free_bytes +
						 n->pages * 64,
				n->page_bytes_total);
			double fill = 1 - (double)n->free_bytes / (double)n->page_bytes_total;
			assert_true(fill > 0.6 && fill < 0.85);
			assert_int_equal(n->value_bytes, 3000 * 100 + (n->pages - 1) * 8);
			free(words);
		}
}

static void a_function_of_the_specification(void **state)
{
	(void)state;
	struct node_result a = run_words(SMALL "node=b2 keys=url seed=3"),
			   b = run_words(SMALL "node=b2 keys=url seed=3");
	struct node_result c = run_words(SMALL "node=b2 keys=url seed=4");
	assert_memory_equal(&a.counts, &b.counts, sizeof a.counts);
	assert_true(memcmp(&a.counts, &c.counts, sizeof a.counts) != 0);
	a = run_words("run=node records=3000 node.lookups=500 node.wall=1 page_bytes=8192 node=b2 keys=url seed=3");
	assert_memory_equal(&a.counts, &b.counts, sizeof a.counts);
	assert_true(a.wall.measured && a.wall.cpu_ns > 0 && !b.wall.measured);
	assert_true(a.wall.counted != (*a.wall.why_not != 0));
}

/* One page: known to the line. The header's line, that of the last key, flags and starts, and the value. */
static void a_page_of_dense_integers(void **state)
{
	(void)state;
	struct node_result r =
		run_words("run=node records=40 node.lookups=400 node.wall=0 page_bytes=8192 node=ordinal "
			  "keys=dense8 node.value_bytes=8");
	assert_int_equal(r.counts.height, 1);
	assert_int_equal(r.counts.pages, 1);
	assert_int_equal(r.counts.leaf_comparisons + r.counts.inner_comparisons, 0);
	/* 72 + 8 * 40 = 392: keys in lines 1 to 6, starts to 472 in 6 and 7, flags to 492 in 7; a value in one */
	assert_int_equal(r.counts.value_lines, 400);
	assert_true(r.counts.leaf_lines <= 6 * 400 && r.counts.leaf_lines >= 4 * 400);
	assert_int_equal(r.counts.head_bytes + r.counts.hint_bytes + r.counts.trie_bytes, 0);
}

/* Popular records are few: the same lookups touch as many lines each, but fewer different ones. */
static void zipf_is_skewed(void **state)
{
	(void)state;
	struct node_result u = run_words(SMALL "node=slotted keys=fixed8 node.lookups=3000");
	struct node_result z = run_words(SMALL "node=slotted keys=fixed8 node.lookups=3000 node.requests=zipf");
	assert_true(z.counts.distinct_lines * 10 < u.counts.distinct_lines * 9);
	assert_true(z.counts.leaf_lines * 10 > u.counts.leaf_lines * 9);
}

static void refusals(void **state)
{
	static const struct {
		const char *words, *says;
	} bad[] = {
		{"keys=file", "keys: runs of layouts make their keys"},
		{"page_bytes=12288", "page_bytes: 12288 is no power of two"},
		{"page_bytes=4096 node.value_bytes=1000", "page_bytes: keys of up to"},
		{"records=4000000000", "records: 4000000000 are more"},
	};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		struct pl_conf conf;
		struct pl_fault f = {0};
		set_words(&conf, bad[i].words);
		int err = node_run_check(&conf, &f);
		if (err != PL_INVALID || strncmp(f.text, bad[i].says, strlen(bad[i].says)) != 0)
			fail_msg("%s: %d, '%s'", bad[i].words, err, f.text);
		pl_conf_free(&conf);
	}
}

/* What is part of a run of layouts, and what is not: its identity. */
static void identity(void **state)
{
	struct pl_conf conf;
	struct spec a, b;
	(void)state;
	set_words(&conf, SMALL "node=slotted slotted.hints=16 b2.heads=1 pool_bytes=16777216 clients=3 placement=zone");
	spec_init(&a, &conf);
	pl_conf_free(&conf);
	set_words(&conf, SMALL "node=slotted slotted.hints=16");
	spec_init(&b, &conf);
	assert_string_equal(a.run_id, b.run_id);
	assert_true(a.simulated && a.node_run && !a.skip_err);
	assert_string_equal(a.axis[REG_NODE], "slotted");
	assert_string_equal(a.axis[REG_PLACEMENT], "-");
	assert_string_equal(spec_value(&a, "slotted.hints"), "16");
	assert_null(spec_value(&a, "workload"));
	spec_free(&a);
	spec_free(&b);
	pl_conf_free(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_layout_and_key),
		cmocka_unit_test(a_function_of_the_specification),
		cmocka_unit_test(a_page_of_dense_integers),
		cmocka_unit_test(zipf_is_skewed),
		cmocka_unit_test(refusals),
		cmocka_unit_test(identity),
	};
	return cmocka_run_group_tests_name("harness.node_run", tests, NULL, NULL);
}
