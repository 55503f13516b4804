/* node_test.h - what the tests of layouts share: kinds of keys, a model beside pages, and the judges of a page.
 *
 * A level is one level of a tree, leaves or inner nodes, beside a model: keys[] sorted, items[] what is stored under
 * each. The keys of a kind are those that a layout is likely to get wrong: equal heads, long common prefixes, zeros at
 * the end, the greatest length, the empty key. */
#ifndef PL_NODE_TEST_H
#define PL_NODE_TEST_H

#include "engine/base/le.h"
#include "engine/base/rng.h"
#include "engine/iface/node.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { NODES_MAX = 512, KEY_MAX = 65536 / 8, HEADER_FILL = 0x5A };

struct item {
	bool in;
	uint8_t flags;
	uint32_t value_bytes, version;
};

struct node {
	uint8_t *page;
	uint8_t lower[KEY_MAX];
	size_t lower_bytes;
	int64_t first; /* inner: the item under the empty key; -1 is `lowest` */
};

struct kind {
	const char *name;
	bool integers;
	uint32_t keys;
	size_t (*make)(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out);
};

struct level {
	const struct nod_ops *o;
	struct nod_cfg c;
	const struct kind *kind;
	bool leaf;
	uint8_t fill; /* what uninitialised memory is full of */
	struct pl_rng rng;
	uint8_t *key_bytes;
	pl_slice *keys;
	uint32_t nkeys;
	struct item *items, lowest;
	struct node *nodes;
	uint32_t nnodes;
	uint8_t *before, *value;
	uint64_t splits, end_splits, merges, refusals;
};

static const struct level *where;

#define require(cond)                                                                                                  \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			fail_msg("line %d: %s (%s, %u byte pages, keys %s, int_keys %u, %s)", __LINE__, #cond,         \
				where->o->name, where->c.page_bytes, where->kind->name, where->c.int_keys,             \
				where->leaf ? "leaf" : "inner");                                                       \
	} while (0)

/* ------------------------------------------------------------------------------------------------------------ keys */

static inline size_t make_hashed(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	(void)rng, (void)page_bytes;
	put_be64(out, pl_mix64(i));
	return 8;
}

static inline size_t make_sorted(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	(void)rng, (void)page_bytes;
	put_be64(out, ((uint64_t)1 << 40) + i);
	return 8;
}

static inline size_t make_ycsb(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	(void)rng, (void)page_bytes;
	return (size_t)snprintf((char *)out, 32, "user%llu", (unsigned long long)pl_mix64(i));
}

static inline size_t make_url(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	(void)i, (void)page_bytes;
	unsigned shelf = (unsigned)pl_rng_below(rng, 40), item = (unsigned)pl_rng_below(rng, 100000);
	return (size_t)snprintf((char *)out, 128,
		"https://www.example.org/library/catalogue/%03u/items/%u/view?page=%u", shelf, item,
		(unsigned)pl_rng_below(rng, 3));
}

static inline size_t make_binary(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	uint32_t most = page_bytes / 8, n = (uint32_t)pl_rng_below(rng, most + 1);
	if (i % 8 == 0)
		n = most;
	if (i % 8 == 1)
		n = (uint32_t)pl_rng_below(rng, 4);
	for (uint32_t k = 0; k < n; k++)
		out[k] = (uint8_t)pl_rng_next(rng);
	return n;
}

static inline size_t make_ties(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	static const uint8_t letters[4] = {0, 1, 'a', 255};
	(void)page_bytes;
	uint32_t n = (uint32_t)pl_rng_below(rng, 13);
	for (uint32_t k = 0; k < n; k++)
		out[k] = i % 2 && k < 5 ? 255 : letters[pl_rng_below(rng, 4)];
	return n;
}

/* Pairs of the greatest length that differ in the last byte: separators as long as they get. */
static inline size_t make_twins(struct pl_rng *rng, uint32_t i, uint32_t page_bytes, uint8_t *out)
{
	struct pl_rng r;
	(void)rng;
	pl_rng_seed(&r, i / 2, 7);
	for (uint32_t k = 0; k < page_bytes / 8; k++)
		out[k] = (uint8_t)pl_rng_next(&r);
	out[page_bytes / 8 - 1] = (uint8_t)(i % 2);
	return page_bytes / 8;
}

static const struct kind kinds[] = {
	{"hashed", true, 2500, make_hashed},
	{"sorted", true, 2500, make_sorted},
	{"ycsb", false, 2500, make_ycsb},
	{"url", false, 2500, make_url},
	{"binary", false, 240, make_binary},
	{"ties", false, 1500, make_ties},
	{"twins", false, 120, make_twins},
};
static const uint32_t sizes[] = {4096, 8192, 16384, 65536};

static inline int by_key(const void *a, const void *b)
{
	const pl_slice *x = a, *y = b;
	return pl_slice_cmp(*x, *y);
}

static inline uint8_t *filled(size_t n, int fill)
{
	uint8_t *p = malloc(n);
	assert_non_null(p);
	memset(p, fill, n);
	return p;
}

/* All memory of a page is garbage but for the header, which no layout may touch. */
static inline uint8_t *page_new(const struct level *l)
{
	uint8_t *page = filled(l->c.page_bytes, l->fill);
	memset(page, HEADER_FILL ^ l->fill, PL_PAGE_HEADER);
	return page;
}

static inline void level_open(struct level *l, const struct nod_ops *o, const struct kind *kind, uint32_t page_bytes,
	bool leaf, uint32_t int_keys, uint8_t fill)
{
	struct pl_conf conf;
	struct pl_fault fault;
	memset(l, 0, sizeof *l);
	*l = (struct level){.o = o, .kind = kind, .leaf = leaf, .fill = fill};
	where = l;
	l->c = (struct nod_cfg){.page_bytes = page_bytes, .max_key_bytes = page_bytes / 8, .int_keys = int_keys};
	pl_conf_init(&conf);
	pl_conf_declare(&conf, o->name, o->opts);
	if (o->configure)
		require(o->configure(&l->c, &conf, &fault) == PL_OK);
	pl_conf_free(&conf);
	pl_rng_seed(&l->rng, page_bytes + int_keys, leaf);
	l->keys = calloc(kind->keys, sizeof *l->keys);
	l->items = calloc(kind->keys, sizeof *l->items);
	l->nodes = calloc(NODES_MAX, sizeof *l->nodes);
	size_t room_bytes = (size_t)page_bytes / 8 < 128 ? 128 : (size_t)page_bytes / 8;
	l->key_bytes = filled(kind->keys * room_bytes, 0);
	l->before = filled(page_bytes, 0);
	l->value = filled(page_bytes, 0);
	for (uint32_t i = 0; i < kind->keys; i++) {
		uint8_t *p = l->key_bytes + i * room_bytes;
		l->keys[i] = pl_slice_of(p, kind->make(&l->rng, i, page_bytes, p));
	}
	qsort(l->keys, kind->keys, sizeof *l->keys, by_key);
	for (uint32_t i = 0; i < kind->keys; i++)
		if (l->nkeys == 0 || pl_slice_cmp(l->keys[l->nkeys - 1], l->keys[i]) != 0)
			l->keys[l->nkeys++] = l->keys[i];
}

static inline void level_close(struct level *l)
{
	for (uint32_t i = 0; i < l->nnodes; i++)
		free(l->nodes[i].page);
	free(l->keys);
	free(l->items);
	free(l->nodes);
	free(l->key_bytes);
	free(l->before);
	free(l->value);
}

/* ------------------------------------------------------------------------------------------------- pages and model */

static inline pl_slice value_of(struct level *l, int64_t i, const struct item *item)
{
	uint64_t x = (uint64_t)i * 1000003 + item->version;
	for (uint32_t k = 0; k < item->value_bytes; k++)
		l->value[k] = (uint8_t)(pl_mix64(x + k / 8) >> (k % 8 * 8));
	return pl_slice_of(l->value, item->value_bytes);
}

static inline void new_value(struct level *l, pl_slice key, struct item *item)
{
	uint32_t most = (l->c.page_bytes - PL_PAGE_HEADER) / 4 - (uint32_t)key.n, n = most < 100 ? most : 100;
	uint64_t dice = pl_rng_below(&l->rng, 40);
	item->value_bytes = dice == 0   ? 0
			    : dice == 1 ? most
					: (uint32_t)pl_rng_below(&l->rng, (dice < 4 ? most : n) + 1);
	if (!l->leaf)
		item->value_bytes = 8;
	item->flags = l->leaf ? (uint8_t)pl_rng_below(&l->rng, 16) : 0;
	item->version++;
}

static inline size_t common_prefix(pl_slice x, pl_slice y)
{
	size_t n = 0;
	while (n < x.n && n < y.n && x.p[n] == y.p[n])
		n++;
	return n;
}

static inline void key_at(const struct level *l, const uint8_t *page, uint32_t slot, uint8_t *out, size_t *n)
{
	struct nod_entry e;
	nod_entry(l->o, &l->c, page, slot, &e);
	require(e.prefix.n + e.suffix.n <= l->c.max_key_bytes);
	*n = nod_key_copy(&e, out);
}

static inline int order_at(const struct level *l, const uint8_t *page, uint32_t slot, pl_slice key)
{
	uint8_t k[KEY_MAX];
	size_t n;
	key_at(l, page, slot, k, &n);
	return pl_slice_cmp(pl_slice_of(k, n), key);
}

static inline void check_sound(const struct level *l, const uint8_t *page)
{
	char why[200] = "";
	if (nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) != PL_OK)
		fail_msg("check says: %s (%s, %u byte pages, keys %s, int_keys %u, %s)", why, l->o->name,
			l->c.page_bytes, l->kind->name, l->c.int_keys, l->leaf ? "leaf" : "inner");
	struct nod_anatomy a;
	nod_anatomy_of(l->o, &l->c, page, &a);
	uint32_t search_bytes = a.trie_bytes + a.hint_bytes + a.head_bytes, entry_bytes = a.slot_bytes + a.key_bytes;
	require(a.fixed_bytes + search_bytes + entry_bytes + a.value_bytes + a.free_bytes ==
		l->c.page_bytes - PL_PAGE_HEADER);
	require(l->c.page_bytes - PL_PAGE_HEADER - a.free_bytes == nod_live_bytes(l->o, &l->c, page));
	require(a.trie_used_bytes <= a.trie_bytes);
	for (uint32_t i = 0; i < PL_PAGE_HEADER; i++)
		require(page[i] == (HEADER_FILL ^ l->fill));
}

/* The answer of lower_bound, judged by the entries around it. */
static inline void check_search(const struct level *l, const uint8_t *page, pl_slice key)
{
	bool exact = true;
	uint32_t count = nod_count(l->o, &l->c, page), slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
	require(slot <= count);
	require(slot == 0 || order_at(l, page, slot - 1, key) < 0);
	int order = slot < count ? order_at(l, page, slot, key) : 1;
	require(order >= 0 && exact == (order == 0));
	if (l->leaf || count == 0)
		return;
	uint32_t child = nod_child(l->o, &l->c, page, key);
	require(child < count && order_at(l, page, child, key) <= 0);
	require(child + 1 == count || order_at(l, page, child + 1, key) > 0);
}

static inline void check_entry(
	struct level *l, const uint8_t *page, uint32_t slot, pl_slice key, int64_t i, const struct item *item)
{
	struct nod_entry e;
	uint8_t k[KEY_MAX];
	nod_entry(l->o, &l->c, page, slot, &e);
	size_t n = nod_key_copy(&e, k);
	require(pl_slice_cmp(pl_slice_of(k, n), key) == 0);
	require(pl_slice_cmp(e.value, value_of(l, i, item)) == 0);
	require(e.flags == item->flags);
}

/* Every item of the model is where it belongs, and nothing else. */
static inline void check_level(struct level *l)
{
	uint32_t i = 0;
	for (uint32_t j = 0; j < l->nnodes; j++) {
		const struct node *node = &l->nodes[j];
		uint32_t count = nod_count(l->o, &l->c, node->page);
		check_sound(l, node->page);
		for (uint32_t slot = 0; slot < count; slot++) {
			if (!l->leaf && slot == 0 && node->first < 0) {
				check_entry(l, node->page, 0, (pl_slice){0}, -1, &l->lowest);
				continue;
			}
			while (i < l->nkeys && !l->items[i].in)
				i++;
			require(i < l->nkeys);
			bool empty = !l->leaf && slot == 0;
			require(!empty || node->first == i);
			check_entry(l, node->page, slot, empty ? (pl_slice){0} : l->keys[i], i, &l->items[i]);
			require(pl_slice_cmp(l->keys[i], pl_slice_of(node->lower, node->lower_bytes)) >= 0);
			if (!empty && slot % 8 == 0)
				check_search(l, node->page, l->keys[i]);
			i++;
		}
		struct nod_entry e;
		nod_entry(l->o, &l->c, node->page, count, &e);
		require(e.prefix.n == 0 && e.suffix.n == 0 && e.value.n == 0 && e.flags == 0);
	}
	while (i < l->nkeys && !l->items[i].in)
		i++;
	require(i == l->nkeys);
}

static inline void level_start(struct level *l)
{
	l->nnodes = 1;
	l->nodes[0].page = page_new(l);
	nod_init(l->o, &l->c, l->nodes[0].page, l->leaf, (pl_slice){0}, (pl_slice){0});
	if (l->leaf)
		return;
	l->nodes[0].first = -1;
	l->lowest.value_bytes = 8;
	int err = nod_insert(l->o, &l->c, l->nodes[0].page, 0, (pl_slice){0}, value_of(l, -1, &l->lowest), 0);
	require(err == PL_OK);
}

static inline uint32_t node_of(const struct level *l, pl_slice key)
{
	uint32_t j = l->nnodes - 1;
	while (j > 0 && pl_slice_cmp(pl_slice_of(l->nodes[j].lower, l->nodes[j].lower_bytes), key) > 0)
		j--;
	return j;
}

/* ------------------------------------------------------------------------------------------------- building pages */

static inline size_t content_bytes(const struct level *l, const uint8_t *page, uint32_t from, uint32_t to)
{
	size_t n = 0;
	for (uint32_t slot = from; slot < to; slot++) {
		struct nod_entry e;
		nod_entry(l->o, &l->c, page, slot, &e);
		n += e.prefix.n + e.suffix.n + e.value.n;
	}
	return n;
}

/* One page with bounds, filled at random; returns how many entries went in. */
static inline uint32_t bounded_page(struct level *l, uint8_t *page, uint32_t from, uint32_t to, uint32_t tries)
{
	uint32_t n = 0;
	nod_init(l->o, &l->c, page, l->leaf, l->keys[from], l->keys[to]);
	if (!l->leaf) {
		l->lowest.value_bytes = 8;
		require(nod_insert(l->o, &l->c, page, 0, (pl_slice){0}, value_of(l, -1, &l->lowest), 0) == PL_OK);
	}
	for (uint32_t k = 0; k < tries; k++) {
		uint32_t i = from + (uint32_t)pl_rng_below(&l->rng, to - from);
		bool exact;
		uint32_t slot = nod_lower_bound(l->o, &l->c, page, l->keys[i], &exact);
		new_value(l, l->keys[i], &l->items[i]);
		pl_slice value = value_of(l, i, &l->items[i]);
		if (exact || !nod_room(l->o, &l->c, page, l->keys[i].n, value.n))
			continue;
		require(nod_insert(l->o, &l->c, page, slot, l->keys[i], value, l->items[i].flags) == PL_OK);
		n++;
	}
	check_sound(l, page);
	return n;
}

/* Call for each kind, page size and way to treat integers that a layout has. */
static inline void for_each(void **state, bool leaf, void (*f)(struct level *l))
{
	const struct nod_ops *o = *state;
	struct level l;
	for (size_t s = 0; s < PL_COUNT(sizes); s++)
		for (size_t k = 0; k < PL_COUNT(kinds); k++)
			for (uint32_t int_keys = 0; int_keys <= (kinds[k].integers ? 1u : 0u); int_keys++) {
				level_open(&l, o, &kinds[k], sizes[s], leaf, int_keys, 0xA5);
				f(&l);
				level_close(&l);
			}
}

struct test {
	const char *name;
	void (*run)(void **state);
};

/* A search that does not end ends the test. */
static inline int set_alarm(void **state)
{
	(void)state;
	(void)alarm(120);
	return 0;
}

/* Run tests[0..ntests) for each of these layouts; labels are the layouts' names if NULL. */
static inline int run_labelled(const struct nod_ops *const *ops, const char *const *labels, size_t nops,
	const struct test *tests, size_t ntests)
{
	static struct CMUnitTest list[256];
	static char names[PL_COUNT(list)][100];
	size_t n = 0;
	for (size_t i = 0; i < nops; i++)
		for (size_t k = 0; ops[i] && k < ntests; k++, n++) {
			assert_true(n < PL_COUNT(list));
			(void)snprintf(names[n], sizeof names[n], "node.%s.%s", labels ? labels[i] : ops[i]->name,
				tests[k].name);
			list[n].name = names[n];
			list[n].test_func = tests[k].run;
			list[n].setup_func = set_alarm;
			list[n].initial_state = (void *)(uintptr_t)ops[i];
		}
	return _cmocka_run_group_tests("node", list, n, NULL, NULL);
}

static inline int run_layouts(const struct nod_ops *const *ops, size_t nops, const struct test *tests, size_t ntests)
{
	return run_labelled(ops, NULL, nops, tests, ntests);
}

enum { SUBJECTS_MAX = 32, OPTS_MAX = 8 };

/* The option at another value than its default: a switch the other way, a number at its least, or, if that is the
 * default, at its greatest. False if it has nothing else to offer. */
static inline bool change_option(struct pl_opt *opt)
{
	static char text[SUBJECTS_MAX * OPTS_MAX][24];
	static size_t texts;
	if (opt->type == PL_OPT_BOOL)
		opt->value = strcmp(opt->value, "0") == 0 ? "1" : "0";
	else if (opt->type == PL_OPT_U64) {
		assert_true(texts < PL_COUNT(text));
		char *to = text[texts++];
		(void)snprintf(to, sizeof *text, "%llu", (unsigned long long)opt->min);
		if (strcmp(to, opt->value) == 0)
			(void)snprintf(to, sizeof *text, "%llu", (unsigned long long)opt->max);
		opt->value = to;
	} else {
		return false;
	}
	return true;
}

/* A layout with option `changed` (all of them if there are not so many) at another value. False if none is. */
static inline bool with_option(const struct nod_ops *o, size_t changed, struct nod_ops *out, struct pl_opt *opts,
	char *label, size_t label_bytes)
{
	size_t n = 0, count = 0, used = (size_t)snprintf(label, label_bytes, "%s(", o->name);
	for (; o->opts[n].name; n++)
		opts[n] = o->opts[n];
	opts[n] = o->opts[n];
	for (size_t i = 0; i < n; i++)
		if ((i == changed || changed == n) && change_option(&opts[i]) && used < label_bytes)
			used += (size_t)snprintf(label + used, label_bytes - used, "%s%s=%s", count++ ? "," : "",
				opts[i].name, opts[i].value);
	if (used + 1 < label_bytes)
		(void)snprintf(label + used, label_bytes - used, ")");
	*out = *o;
	out->opts = opts;
	return count > 0;
}

/* All layouts of the registry, as they are, with each of their options changed, and with all of them. */
static inline size_t registry_layouts(const struct nod_ops **ops, const char **labels)
{
	static struct nod_ops changed[SUBJECTS_MAX];
	static struct pl_opt opts[SUBJECTS_MAX][OPTS_MAX];
	static char texts[SUBJECTS_MAX][60];
	size_t n = 0;
	const struct reg_choice *c;
	for (size_t i = 0; (c = reg_choice(REG_NODE, i)) != NULL; i++) {
		const struct nod_ops *o = (const struct nod_ops *)(const void *)c;
		size_t count = 0;
		while (o->opts && o->opts[count].name)
			count++;
		assert_true(n < SUBJECTS_MAX);
		labels[n] = o->name;
		ops[n++] = o;
		for (size_t k = 0; count && k <= count - (count == 1); k++) {
			assert_true(n < SUBJECTS_MAX && count < OPTS_MAX);
			if (with_option(o, k, &changed[n], opts[n], texts[n], sizeof texts[n])) {
				labels[n] = texts[n];
				ops[n] = &changed[n];
				n++;
			}
		}
	}
	return n;
}

/* Run them for all these. */
static inline int run_registry(const struct test *tests, size_t ntests)
{
	const char *labels[SUBJECTS_MAX];
	const struct nod_ops *ops[SUBJECTS_MAX];
	size_t n = registry_layouts(ops, labels);
	return run_labelled(ops, labels, n, tests, ntests);
}

#endif
