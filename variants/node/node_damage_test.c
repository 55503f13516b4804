/* node_damage_test.c - what engine/iface/node.h promises of reading damaged pages, asked of every layout. */
#include "variants/node/node_test.h"

extern const struct nod_ops nod_slotted;

/* The n bytes lie in the page or in the room that an entry has for a rebuilt key. */
static void check_inside(const struct level *l, const uint8_t *page, const struct nod_entry *e, pl_slice s)
{
	static volatile uint8_t sink;
	uintptr_t p = (uintptr_t)s.p, lo = (uintptr_t)page, key8 = (uintptr_t)e->key8;
	require(s.n == 0 || (p >= lo && p + s.n <= lo + l->c.page_bytes) || (p >= key8 && p + s.n <= key8 + 8));
	for (size_t i = 0; i < s.n; i++)
		sink = s.p[i];
	(void)sink;
}

static void read_everything(struct level *l, const uint8_t *page)
{
	char why[100];
	bool exact;
	struct nod_entry e;
	uint32_t count = nod_count(l->o, &l->c, page);
	require(count <= l->c.page_bytes);
	uint32_t step = 1 + count / 100;
	for (uint32_t slot = 0; slot < count; slot += step) {
		nod_entry(l->o, &l->c, page, slot, &e);
		check_inside(l, page, &e, e.prefix);
		check_inside(l, page, &e, e.suffix);
		check_inside(l, page, &e, e.value);
		require(e.flags <= NOD_FLAGS_MASK);
	}
	nod_entry(l->o, &l->c, page, UINT32_MAX, &e);
	require(e.prefix.n + e.suffix.n + e.value.n == 0);
	for (uint32_t k = 0; k < 12; k++) {
		pl_slice key = l->keys[pl_rng_below(&l->rng, l->nkeys)];
		require(nod_lower_bound(l->o, &l->c, page, key, &exact) <= count);
	}
	if (!l->c.int_keys || !l->leaf)
		require(nod_lower_bound(l->o, &l->c, page, (pl_slice){0}, &exact) <= count);
	struct nod_gap gap = nod_gap(l->o, &l->c, page);
	require(gap.lo >= PL_PAGE_HEADER && gap.lo <= gap.hi && gap.hi <= l->c.page_bytes);
	(void)nod_room(l->o, &l->c, page, 8, 100);
	(void)nod_live_bytes(l->o, &l->c, page);
	(void)!nod_check(l->o, &l->c, page, l->leaf, why, sizeof why);
	(void)!nod_check(l->o, &l->c, page, !l->leaf, why, sizeof why);
}

static void spoil(struct pl_rng *rng, uint8_t *page, uint32_t page_bytes)
{
	static const uint8_t nasty[] = {0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xFE, 0xFF};
	uint32_t n = 1 + (uint32_t)pl_rng_below(rng, 12);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t most = pl_rng_below(rng, 2) ? 64 : page_bytes - PL_PAGE_HEADER;
		uint32_t at = PL_PAGE_HEADER + (uint32_t)pl_rng_below(rng, most);
		page[at] = pl_rng_below(rng, 2) ? (uint8_t)pl_rng_next(rng) : nasty[pl_rng_below(rng, sizeof nasty)];
	}
}

static void read_any_bytes(struct level *l)
{
	size_t guard = 65536, page_bytes = l->c.page_bytes;
	uint8_t *area = mmap(NULL, page_bytes + 2 * guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(area != MAP_FAILED);
	uint8_t *page = area + guard, *good = page_new(l);
	require(mprotect(page, page_bytes, PROT_READ | PROT_WRITE) == 0);
	(void)bounded_page(l, good, l->nkeys / 4, l->nkeys / 2, 200);
	for (uint32_t round = 0; round < (page_bytes > 16384 ? 20 : 60); round++) {
		memcpy(page, good, page_bytes);
		if (round % 4 == 0)
			for (uint32_t at = PL_PAGE_HEADER; at < page_bytes; at++)
				page[at] = (uint8_t)pl_rng_next(&l->rng);
		else
			spoil(&l->rng, page, l->c.page_bytes);
		read_everything(l, page);
	}
	memset(page, 0, page_bytes);
	read_everything(l, page);
	memset(page, 0xFF, page_bytes);
	read_everything(l, page);
	munmap(area, page_bytes + 2 * guard);
	free(good);
}

static void test_any_bytes(void **state)
{
	for_each(state, true, read_any_bytes);
	for_each(state, false, read_any_bytes);
}

/* Whatever byte changed: if check finds nothing, then the keys ascend and every one is found. */
static void flip_bytes(struct level *l)
{
	uint8_t *good = page_new(l), *page = page_new(l);
	char why[200];
	bool exact;
	uint32_t from = l->nkeys / 4, to = l->nkeys / 2, found = 0;
	if (l->c.page_bytes > 8192)
		goto out;
	(void)bounded_page(l, good, from, to, 200);
	for (uint32_t round = 0; round < 600; round++) {
		memcpy(page, good, l->c.page_bytes);
		uint32_t most = round % 2 ? 200 : l->c.page_bytes - PL_PAGE_HEADER;
		uint32_t at = PL_PAGE_HEADER + (uint32_t)pl_rng_below(&l->rng, most);
		page[at] ^= (uint8_t)(1u << pl_rng_below(&l->rng, 8));
		if (nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) != PL_OK) {
			require(strlen(why) > 10);
			found++;
			continue;
		}
		uint32_t count = nod_count(l->o, &l->c, page);
		for (uint32_t slot = 0; slot < count; slot++) {
			uint8_t k[KEY_MAX];
			size_t n;
			key_at(l, page, slot, k, &n);
			pl_slice key = pl_slice_of(k, n);
			require(nod_lower_bound(l->o, &l->c, page, key, &exact) == slot && exact);
		}
	}
	require(found > 20);
out:
	free(good);
	free(page);
}

static void test_check_is_enough(void **state)
{
	for_each(state, true, flip_bytes);
	for_each(state, false, flip_bytes);
}

/* Two neighbours whose key bytes in the page change places, or become the same. */
static void swap_keys(struct level *l)
{
	uint8_t *page = page_new(l);
	char why[200];
	uint32_t from = l->nkeys / 4, to = l->nkeys / 2, tried = 0;
	(void)bounded_page(l, page, from, to, 100);
	for (uint32_t slot = 1; slot + 1 < nod_count(l->o, &l->c, page); slot++) {
		struct nod_entry x, y;
		nod_entry(l->o, &l->c, page, slot, &x);
		nod_entry(l->o, &l->c, page, slot + 1, &y);
		bool inside = x.suffix.p >= page && x.suffix.p < page + l->c.page_bytes;
		if (x.suffix.n != y.suffix.n || x.suffix.n == 0 || !inside)
			continue;
		uint8_t *p = page + (x.suffix.p - page), *q = page + (y.suffix.p - page), old[KEY_MAX];
		memcpy(old, p, x.suffix.n);
		memcpy(p, q, x.suffix.n);
		require(nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) == PL_DAMAGED);
		memcpy(q, old, x.suffix.n);
		require(nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) == PL_DAMAGED);
		memcpy(q, p, x.suffix.n);
		memcpy(p, old, x.suffix.n);
		require(nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) == PL_OK);
		tried++;
	}
	require(tried > 0 || l->o != &nod_slotted || l->kind->make == make_binary || l->kind->make == make_ties);
	free(page);
}

static void test_swapped_keys(void **state)
{
	for_each(state, true, swap_keys);
	for_each(state, false, swap_keys);
}

static const struct test tests[] = {
	{"reads_of_any_bytes_stay_inside", test_any_bytes},
	{"checked_page_can_be_searched", test_check_is_enough},
	{"check_finds_swapped_keys", test_swapped_keys},
};

int main(void)
{
	return run_registry(tests, PL_COUNT(tests));
}
