/* node_trace_test.c - what a trace counts is all that a search looks at: every byte that was not touched may change,
 * and neither the outcome nor what is touched changes. Over all layouts, each of their options, key sets, page sizes. */
#include "harness/node_trace.h"

#include "variants/node/node_test.h"

struct outcome {
	uint32_t slot;
	bool exact;
	struct nod_entry entry;
};

static const struct nod_ops *plain; /* the twin that is not traced */

/* A lookup as a reader of the store does it: search, then the entry, then its value. */
static void look_up(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, pl_slice key, struct outcome *r)
{
	memset(r, 0, sizeof *r);
	r->slot = nod_lower_bound(o, c, page, key, &r->exact);
	nod_entry(o, c, page, r->slot, &r->entry);
	nod_trace_touch(r->entry.value.p, r->entry.value.n);
}

static bool same_slice(pl_slice a, pl_slice b)
{
	return a.n == b.n && (a.p == b.p || a.n == 0);
}

static void same_outcome(const struct outcome *x, const struct outcome *y)
{
	require(x->slot == y->slot && x->exact == y->exact && x->entry.flags == y->entry.flags);
	require(same_slice(x->entry.value, y->entry.value) && same_slice(x->entry.prefix, y->entry.prefix));
	if (x->entry.suffix.p == x->entry.key8)
		require(y->entry.suffix.p == y->entry.key8 && x->entry.suffix.n == y->entry.suffix.n &&
			memcmp(x->entry.key8, y->entry.key8, 8) == 0);
	else
		require(same_slice(x->entry.suffix, y->entry.suffix));
}

static void scramble(struct level *l, uint8_t *page, const struct node_trace *t, int how)
{
	for (uint32_t i = 0; i < l->c.page_bytes; i++)
		if (!(t->byte[i / 64] >> i % 64 & 1))
			page[i] = how == 0 ? (uint8_t)~page[i] : how == 1 ? 0 : (uint8_t)pl_rng_next(&l->rng);
}

static uint64_t looked; /* at so many lookups */

static void prove(struct level *l, uint8_t *page, const uint8_t *good, pl_slice key)
{
	static struct node_trace t, again;
	static uint8_t value[65536];
	struct outcome expected, x, y;
	look_up(plain, &l->c, page, key, &expected);
	node_trace_begin(&t, page, l->c.page_bytes);
	look_up(l->o, &l->c, page, key, &x);
	node_trace_end();
	same_outcome(&expected, &x);
	memcpy(value, x.entry.value.p, x.entry.value.n);
	require(node_trace_lines(&t) > 0 && node_trace_bytes(&t) < l->c.page_bytes);
	for (int how = 0; how < 3; how++) {
		scramble(l, page, &t, how);
		node_trace_begin(&again, page, l->c.page_bytes);
		look_up(l->o, &l->c, page, key, &y);
		node_trace_end();
		same_outcome(&x, &y);
		require(memcmp(value, y.entry.value.p, y.entry.value.n) == 0);
		require(memcmp(&t, &again, sizeof t) == 0);
		memcpy(page, good, l->c.page_bytes);
	}
	looked++;
}

static void prove_page(struct level *l, uint8_t *page, uint32_t from, uint32_t to)
{
	static const uint8_t edges[3][16] = {{0}, {1}, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};
	uint8_t key[KEY_MAX], *good = filled(l->c.page_bytes, 0);
	uint32_t count = nod_count(l->o, &l->c, page), step = count / 16 + 1;
	memcpy(good, page, l->c.page_bytes);
	for (uint32_t slot = 0; slot < count; slot += step) {
		size_t n;
		key_at(l, page, slot, key, &n);
		prove(l, page, good, pl_slice_of(key, n));
		if (n)
			key[n - 1]++;
		prove(l, page, good, pl_slice_of(key, n));
		prove(l, page, good, pl_slice_of(key, n / 2));
	}
	for (uint32_t i = from > 8 ? from - 8 : 0; i < to + 8 && i < l->nkeys; i += (to - from) / 16 + 1)
		prove(l, page, good, l->keys[i]);
	for (size_t i = 0; i < 3; i++)
		for (size_t n = 0; n <= 9; n += 3)
			prove(l, page, good, pl_slice_of(edges[i], n));
	free(good);
}

static void prove_level(struct level *l)
{
	uint8_t *page = aligned_alloc(NODE_LINE_BYTES, l->c.page_bytes);
	uint32_t from = l->nkeys / 4, to = l->nkeys / 2, tries = l->c.page_bytes / 16;
	assert_non_null(page);
	memset(page, HEADER_FILL ^ l->fill, l->c.page_bytes);
	(void)bounded_page(l, page, from, to, tries);
	prove_page(l, page, from, to); /* as inserts leave it: b2 has no trie */
	for (uint32_t i = 0; i < 8 && nod_count(l->o, &l->c, page) > 3; i++)
		nod_remove(l->o, &l->c, page, 2);
	nod_compact(l->o, &l->c, page);
	prove_page(l, page, from, to);
	free(page);
}

/* The twin of a layout with the same options; the test's state is the layout as the registry has it. */
static void for_twin(void **state, bool leaf)
{
	static struct nod_ops twin;
	plain = *state;
	const struct nod_ops *traced = node_traced(plain->name);
	if (!traced)
		fail_msg("layout %s has no traced twin: see harness/node_traced_*.c", plain->name);
	twin = *traced;
	twin.opts = plain->opts;
	void *as_state = &twin;
	uint64_t before = looked;
	for_each(&as_state, leaf, prove_level);
	assert_true(looked > before + 1000);
}

static void test_leaves(void **state)
{
	for_twin(state, true);
}

static void test_inner(void **state)
{
	for_twin(state, false);
}

/* Sets and numbers of a trace itself. */
static void test_counts(void **state)
{
	static _Alignas(64) uint8_t page[8192];
	struct node_trace t;
	(void)state;
	node_trace_begin(&t, page, sizeof page);
	nod_trace_touch(page + 60, 8);
	nod_trace_touch(page + 62, 4);
	nod_trace_touch(page + 8191, 1);
	nod_trace_touch(&t, 8);
	nod_trace_prefetch(page + 127);
	nod_trace_prefetch(page + 64);
	nod_trace_prefetch(page + sizeof page);
	nod_trace_compared(NOD_IN_TRIE, 3);
	node_trace_end();
	nod_trace_touch(page + 1000, 8);
	nod_trace_compared(NOD_IN_TRIE, 3);
	assert_int_equal(node_trace_bytes(&t), 9);
	assert_int_equal(node_trace_lines(&t), 3);
	assert_int_equal(node_trace_ahead(&t), 1);
	assert_int_equal(t.compared[NOD_IN_TRIE], 3);
}

static const struct test tests[] = {
	{"leaf_search_depends_on_what_is_touched", test_leaves},
	{"inner_search_depends_on_what_is_touched", test_inner},
	{"trace_counts", test_counts},
};

int main(void)
{
	return run_registry(tests, PL_COUNT(tests));
}
