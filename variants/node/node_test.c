/* node_test.c - what engine/iface/node.h promises of the operations, asked of every layout.
 *
 * Most of it is one level of a tree that random operations make grow and shrink again, beside a model. */
#include "variants/node/node_test.h"

/* --------------------------------------------------------------------------------------------------- split, merge */

static void check_halves(const struct level *l, const struct node *left, const struct node *right, uint32_t count,
	bool at_end, pl_slice key)
{
	pl_slice sep = pl_slice_of(right->lower, right->lower_bytes);
	uint32_t lower = nod_count(l->o, &l->c, left->page), upper = nod_count(l->o, &l->c, right->page);
	require(lower + upper == count && lower > 0 && sep.n <= l->c.max_key_bytes && sep.n > 0);
	require(!l->c.int_keys || sep.n == 8);
	require(order_at(l, left->page, lower - 1, sep) < 0);
	require(!l->leaf || upper == 0 || order_at(l, right->page, 0, sep) >= 0);
	if (!l->leaf) {
		require(upper > 0 && order_at(l, right->page, 0, (pl_slice){0}) == 0);
		require(upper == 1 || order_at(l, right->page, 1, sep) > 0);
	}
	if (at_end) {
		require(upper == (l->leaf ? 0 : 1));
		require(pl_slice_cmp(sep, key) <= 0);
		return;
	}
	size_t x = content_bytes(l, left->page, 0, lower), y = content_bytes(l, right->page, 0, upper);
	require(upper > 0 && (x < y ? y - x : x - y) <= l->c.page_bytes / 2);
}

/* A leaf's separator is as short as the two keys around it allow. */
static void check_shortest(const struct level *l, const struct node *left, const struct node *right)
{
	uint8_t x[KEY_MAX], y[KEY_MAX];
	size_t xn, yn;
	uint32_t count = nod_count(l->o, &l->c, left->page);
	if (!l->leaf || l->c.int_keys || count == 0 || nod_count(l->o, &l->c, right->page) == 0)
		return;
	key_at(l, left->page, count - 1, x, &xn);
	key_at(l, right->page, 0, y, &yn);
	require(right->lower_bytes == common_prefix(pl_slice_of(x, xn), pl_slice_of(y, yn)) + 1);
}

static uint32_t split_node(struct level *l, uint32_t j, uint32_t slot, pl_slice key)
{
	struct node *left = &l->nodes[j], *right = left + 1;
	uint32_t count = nod_count(l->o, &l->c, left->page);
	bool at_end = slot == count;
	require(l->nnodes < NODES_MAX);
	memmove(right + 1, right, (l->nnodes - j - 1) * sizeof *right);
	l->nnodes++;
	memset(right, 0, sizeof *right);
	right->page = page_new(l);
	nod_split(l->o, &l->c, left->page, right->page, slot, key, right->lower, &right->lower_bytes);
	check_sound(l, left->page);
	check_sound(l, right->page);
	check_halves(l, left, right, count, at_end, key);
	l->splits++;
	l->end_splits += at_end;
	pl_slice sep = pl_slice_of(right->lower, right->lower_bytes);
	if (!l->leaf) {
		pl_slice *found = bsearch(&sep, l->keys, l->nkeys, sizeof sep, by_key);
		require(found);
		right->first = found - l->keys;
		require(l->items[right->first].in);
	}
	return pl_slice_cmp(key, sep) < 0 ? j : j + 1;
}

static void try_merge(struct level *l, uint32_t j)
{
	struct node *left = &l->nodes[j], *right = left + 1;
	size_t page_bytes = l->c.page_bytes;
	uint32_t x = nod_count(l->o, &l->c, left->page), y = nod_count(l->o, &l->c, right->page);
	size_t need = content_bytes(l, left->page, 0, x) + content_bytes(l, right->page, 0, y) + (x + y) * 20;
	uint8_t *other = filled(page_bytes, 0);
	memcpy(l->before, left->page, page_bytes);
	memcpy(other, right->page, page_bytes);
	int err = nod_merge(l->o, &l->c, left->page, right->page, pl_slice_of(right->lower, right->lower_bytes));
	require(memcmp(other, right->page, page_bytes) == 0);
	free(other);
	if (err) {
		require(err == PL_NOFIT && memcmp(l->before, left->page, page_bytes) == 0);
		require(need + 3 * page_bytes / 8 + 256 > page_bytes);
		l->refusals++;
		return;
	}
	require(nod_count(l->o, &l->c, left->page) == x + y);
	check_sound(l, left->page);
	l->merges++;
	free(right->page);
	memmove(right, right + 1, (l->nnodes - j - 2) * sizeof *right);
	l->nnodes--;
}

/* ------------------------------------------------------------------------------------------------------ operations */

static void do_insert(struct level *l, uint32_t i)
{
	pl_slice key = l->keys[i];
	struct item *item = &l->items[i];
	uint32_t j = node_of(l, key);
	bool exact = true;
	new_value(l, key, item);
	pl_slice value = value_of(l, i, item);
	uint8_t *page = l->nodes[j].page;
	uint32_t slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
	require(!exact);
	bool room = nod_room(l->o, &l->c, page, key.n, value.n), divided = false;
	memcpy(l->before, page, l->c.page_bytes);
	int err = nod_insert(l->o, &l->c, page, slot, key, value, item->flags);
	if (err) {
		require(err == PL_NOFIT && !room && memcmp(l->before, page, l->c.page_bytes) == 0);
		uint32_t left = j;
		j = split_node(l, j, slot, key);
		page = l->nodes[j].page;
		slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
		require(!exact && nod_room(l->o, &l->c, page, key.n, value.n));
		require(!l->leaf || nod_room(l->o, &l->c, page, key.n, (l->c.page_bytes - PL_PAGE_HEADER) / 4 - key.n));
		err = nod_insert(l->o, &l->c, page, slot, key, value, item->flags);
		require(err == PL_OK);
		check_shortest(l, &l->nodes[left], &l->nodes[left + 1]);
		divided = true;
	}
	item->in = true;
	if (divided)
		check_level(l);
	else
		check_entry(l, page, slot, key, i, item);
}

static void do_update(struct level *l, uint32_t i)
{
	uint32_t j = node_of(l, l->keys[i]);
	if (!l->leaf && l->nodes[j].first == i)
		return;
	bool exact = false;
	uint8_t *page = l->nodes[j].page;
	uint32_t slot = nod_lower_bound(l->o, &l->c, page, l->keys[i], &exact);
	struct item old = l->items[i], new = old;
	struct nod_entry was, is;
	nod_entry(l->o, &l->c, page, slot, &was);
	require(exact);
	new_value(l, l->keys[i], &new);
	if (pl_rng_below(&l->rng, 3) == 0)
		new.value_bytes = old.value_bytes;
	bool room = nod_room(l->o, &l->c, page, l->keys[i].n, new.value_bytes);
	memcpy(l->before, page, l->c.page_bytes);
	int err = nod_update(l->o, &l->c, page, slot, value_of(l, i, &new), new.flags);
	if (err) {
		require(err == PL_NOFIT && !room && new.value_bytes > old.value_bytes);
		require(memcmp(l->before, page, l->c.page_bytes) == 0);
		return;
	}
	l->items[i] = new;
	nod_entry(l->o, &l->c, page, slot, &is);
	require(new.value_bytes != old.value_bytes || is.value.p == was.value.p);
	check_entry(l, page, slot, l->keys[i], i, &new);
}

static void do_remove(struct level *l, uint32_t i)
{
	uint32_t j = node_of(l, l->keys[i]);
	if (!l->leaf && l->nodes[j].first == i)
		return;
	bool exact = false;
	uint8_t *page = l->nodes[j].page;
	uint32_t count = nod_count(l->o, &l->c, page), slot = nod_lower_bound(l->o, &l->c, page, l->keys[i], &exact);
	require(exact);
	nod_remove(l->o, &l->c, page, slot);
	l->items[i].in = false;
	require(nod_count(l->o, &l->c, page) == count - 1);
	check_search(l, page, l->keys[i]);
}

static void do_compact(struct level *l, uint8_t *page)
{
	uint32_t live = nod_live_bytes(l->o, &l->c, page);
	nod_compact(l->o, &l->c, page);
	struct nod_gap gap = nod_gap(l->o, &l->c, page);
	require(gap.lo >= PL_PAGE_HEADER && gap.lo <= gap.hi && gap.hi <= l->c.page_bytes);
	for (uint32_t at = gap.lo; at < gap.hi; at++)
		require(page[at] == 0);
	require(nod_live_bytes(l->o, &l->c, page) == live &&
		live + gap.hi - gap.lo == l->c.page_bytes - PL_PAGE_HEADER);
	memcpy(l->before, page, l->c.page_bytes);
	nod_compact(l->o, &l->c, page);
	require(memcmp(l->before, page, l->c.page_bytes) == 0);
}

/* grow_permille: how often an absent key is inserted rather than a present one removed. */
static void run(struct level *l, uint32_t ops, uint32_t grow_permille)
{
	uint32_t every = l->c.page_bytes > 16384 ? 16 : l->c.page_bytes > 4096 ? 4 : 1;
	for (uint32_t n = 0; n < ops; n++) {
		uint32_t i = (uint32_t)pl_rng_below(&l->rng, l->nkeys);
		bool grow = pl_rng_below(&l->rng, 1000) < grow_permille, change = pl_rng_below(&l->rng, 3) == 0;
		if (!l->leaf && l->keys[i].n == 0)
			continue;
		if (l->items[i].in && (change || grow))
			do_update(l, i);
		else if (l->items[i].in)
			do_remove(l, i);
		else if (grow)
			do_insert(l, i);
		uint8_t *page = l->nodes[node_of(l, l->keys[i])].page;
		check_search(l, page, l->keys[pl_rng_below(&l->rng, l->nkeys)]);
		if (n % every == 0)
			check_sound(l, page);
		if (n % 64 == 0)
			do_compact(l, page);
		if (grow_permille < 500 && l->nnodes > 1 && n % 4 == 0)
			try_merge(l, (uint32_t)pl_rng_below(&l->rng, l->nnodes - 1));
	}
	check_level(l);
}

static void grow_and_shrink(struct level *l)
{
	level_start(l);
	run(l, 3 * l->nkeys / 2, 900);
	run(l, 2 * l->nkeys, 200);
	require(l->merges > 0 || l->splits == 0);
}

/* ----------------------------------------------------------------------------------------------------------- tests */

static void test_leaves(void **state)
{
	for_each(state, true, grow_and_shrink);
}

static void test_inner(void **state)
{
	for_each(state, false, grow_and_shrink);
}

static void sorted_load(struct level *l)
{
	level_start(l);
	for (uint32_t i = 0; i < l->nkeys; i++)
		if (l->leaf || l->keys[i].n)
			do_insert(l, i);
	check_level(l);
	require(l->splits == l->end_splits && l->splits > 0);
	if (l->kind->keys < 1000)
		return;
	for (uint32_t j = 0; j + 1 < l->nnodes; j++) {
		size_t bytes = content_bytes(l, l->nodes[j].page, 0, nod_count(l->o, &l->c, l->nodes[j].page));
		require(bytes * 20 > (size_t)l->c.page_bytes * (l->kind->integers || !l->leaf ? 7 : 10));
	}
}

static void test_sorted_load(void **state)
{
	const struct nod_ops *o = *state;
	struct level l;
	for (size_t s = 0; s < 3; s++)
		for (size_t k = 0; k < PL_COUNT(kinds); k++)
			for (uint32_t int_keys = 0; int_keys <= (kinds[k].integers ? 1u : 0u); int_keys++) {
				level_open(&l, o, &kinds[k], sizes[s], true, int_keys, 0x3C);
				sorted_load(&l);
				level_close(&l);
			}
}

/* The same operations on memory with other garbage in it. */
static void test_determinism(void **state)
{
	static struct level x, y;
	for (size_t s = 0; s < 3; s++)
		for (size_t k = 0; k < PL_COUNT(kinds); k++)
			for (unsigned leaf = 0; leaf < 2; leaf++) {
				uint32_t int_keys = kinds[k].integers && leaf;
				level_open(&x, *state, &kinds[k], sizes[s], leaf, int_keys, 0x00);
				level_start(&x);
				run(&x, 400, 800);
				run(&x, 200, 300);
				level_open(&y, *state, &kinds[k], sizes[s], leaf, int_keys, 0xFF);
				level_start(&y);
				run(&y, 400, 800);
				run(&y, 200, 300);
				require(x.nnodes == y.nnodes);
				for (uint32_t j = 0; j < x.nnodes; j++)
					require(memcmp(x.nodes[j].page + PL_PAGE_HEADER,
							y.nodes[j].page + PL_PAGE_HEADER,
							sizes[s] - PL_PAGE_HEADER) == 0);
				level_close(&x);
				level_close(&y);
			}
}

/* When a first child goes, the next one takes its place, and with it the empty key. */
static void drop_first_child(struct level *l, uint8_t *page)
{
	struct nod_entry e;
	uint8_t child[8];
	bool exact;
	nod_entry(l->o, &l->c, page, 1, &e);
	require(e.value.n == 8);
	memcpy(child, e.value.p, 8);
	nod_remove(l->o, &l->c, page, 0);
	nod_remove(l->o, &l->c, page, 0);
	require(nod_lower_bound(l->o, &l->c, page, (pl_slice){0}, &exact) == 0 && !exact);
	require(nod_insert(l->o, &l->c, page, 0, (pl_slice){0}, pl_slice_of(child, 8), 0) == PL_OK);
	check_sound(l, page);
	for (uint32_t i = 0; i < l->nkeys; i += 1 + l->nkeys / 100)
		check_search(l, page, l->keys[i]);
}

static void search_outside_bounds(struct level *l)
{
	uint8_t *page = page_new(l);
	uint32_t from = l->nkeys / 4, to = l->nkeys / 2;
	bool exact = true;
	nod_init(l->o, &l->c, page, l->leaf, l->keys[from], l->keys[to]);
	require(nod_count(l->o, &l->c, page) == 0 && nod_lower_bound(l->o, &l->c, page, l->keys[from], &exact) == 0 &&
		!exact);
	check_sound(l, page);
	for (uint32_t at = nod_gap(l->o, &l->c, page).lo; at < nod_gap(l->o, &l->c, page).hi; at++)
		require(page[at] == 0);
	require(bounded_page(l, page, from, to, 300) > 0);
	for (uint32_t i = 0; i < l->nkeys; i += 1 + l->nkeys / 500)
		check_search(l, page, l->keys[i]);
	for (uint32_t i = from < 3 ? 0 : from - 3; i < from + 3; i++)
		check_search(l, page, l->keys[i]);
	check_search(l, page, (pl_slice){0});
	for (size_t n = 0; n < l->keys[from].n; n++)
		check_search(l, page, pl_slice_of(l->keys[from].p, n));
	if (!l->leaf)
		drop_first_child(l, page);
	free(page);
}

static void test_bounds(void **state)
{
	for_each(state, true, search_outside_bounds);
	for_each(state, false, search_outside_bounds);
}

/* room may be careful, but a page must fill. */
static void fill_page(struct level *l)
{
	uint8_t *page = page_new(l), value[100] = {0};
	size_t bytes = 0;
	bool exact;
	if (l->kind->keys < 1000)
		goto out;
	nod_init(l->o, &l->c, page, true, (pl_slice){0}, (pl_slice){0});
	require(nod_room(
		l->o, &l->c, page, l->c.max_key_bytes, (l->c.page_bytes - PL_PAGE_HEADER) / 4 - l->c.max_key_bytes));
	for (uint32_t i = 0; i < l->nkeys; i++) {
		pl_slice key = l->keys[(uint64_t)i * 7919 % l->nkeys];
		uint32_t slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
		if (exact || !nod_room(l->o, &l->c, page, key.n, sizeof value))
			continue;
		require(nod_insert(l->o, &l->c, page, slot, key, pl_slice_of(value, sizeof value), 0) == PL_OK);
		bytes += key.n + sizeof value;
	}
	check_sound(l, page);
	for (uint32_t at = nod_gap(l->o, &l->c, page).lo; at < nod_gap(l->o, &l->c, page).hi; at++)
		require(page[at] == 0);
	require(bytes * 10 > 8 * (size_t)l->c.page_bytes);
out:
	free(page);
}

/* Few large records between long fences: whatever comes next, of the largest size, has to fit after a split. */
static void split_crowded(struct level *l)
{
	uint8_t *page = page_new(l), *right = page_new(l), sep[KEY_MAX];
	size_t sep_bytes, most = (l->c.page_bytes - PL_PAGE_HEADER) / 4;
	for (uint32_t round = 0; l->c.page_bytes <= 8192 && round < 150; round++) {
		uint32_t from = (uint32_t)pl_rng_below(&l->rng, l->nkeys - 40), tries = 0;
		bool exact;
		nod_init(l->o, &l->c, page, true, l->keys[from], l->keys[from + 39]);
		while (tries++ < 200) {
			pl_slice key = l->keys[from + pl_rng_below(&l->rng, 39)];
			uint64_t size = pl_rng_below(&l->rng, 4);
			size_t n = size == 0 ? pl_rng_below(&l->rng, most - key.n) : size == 1 ? 0 : most - key.n;
			uint32_t slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
			memset(l->value, (int)tries, n);
			if (exact || nod_insert(l->o, &l->c, page, slot, key, pl_slice_of(l->value, n), 0) == PL_OK)
				continue;
			nod_split(l->o, &l->c, page, right, slot, key, sep, &sep_bytes);
			uint8_t *side = pl_slice_cmp(key, pl_slice_of(sep, sep_bytes)) < 0 ? page : right;
			require(nod_room(l->o, &l->c, side, key.n, most - key.n));
			check_sound(l, page);
			check_sound(l, right);
			break;
		}
	}
	free(page);
	free(right);
}

/* The worst case for whoever keeps bounds in the page: the half with two of three largest records, a long lower bound,
 * the longest separator, and the next key of the largest size goes there too. */
static void split_between_twins(struct level *l)
{
	uint8_t *page = page_new(l), *right = page_new(l), sep[KEY_MAX];
	size_t sep_bytes, most = (l->c.page_bytes - PL_PAGE_HEADER) / 4;
	if (l->kind->make != make_twins)
		goto out;
	nod_init(l->o, &l->c, page, true, l->keys[1], (pl_slice){0});
	memset(l->value, 'v', most);
	for (uint32_t i = 0; i < 3; i++) {
		pl_slice key = l->keys[3 + i], value = pl_slice_of(l->value, most - key.n - (i == 0 ? 16 : 0));
		require(nod_insert(l->o, &l->c, page, i, key, value, 0) == PL_OK);
	}
	pl_slice pending = l->keys[2];
	nod_split(l->o, &l->c, page, right, 0, pending, sep, &sep_bytes);
	require(nod_room(l->o, &l->c, page, pending.n, most - pending.n));
	check_sound(l, page);
	check_sound(l, right);
out:
	free(page);
	free(right);
}

static void test_crowded(void **state)
{
	for_each(state, true, split_crowded);
	for_each(state, true, split_between_twins);
}

static void test_fills(void **state)
{
	for_each(state, true, fill_page);
}

static const struct test tests[] = {
	{"leaves_grow_and_shrink", test_leaves},
	{"inner_nodes_grow_and_shrink", test_inner},
	{"sorted_load_fills_pages", test_sorted_load},
	{"same_operations_same_bytes", test_determinism},
	{"search_outside_bounds", test_bounds},
	{"split_makes_room_for_the_largest", test_crowded},
	{"page_fills", test_fills},
};

int main(void)
{
	return run_registry(tests, PL_COUNT(tests));
}
