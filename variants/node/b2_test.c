/* b2_test.c - what b2.c promises beyond the contract: its drawing, field by field, and its trie. */
#include "variants/node/b2.h"
#include "variants/node/node_test.h"

extern const struct nod_ops nod_b2;

/* A page with these options, without bounds, empty. */
static uint8_t *open_page(
	struct level *l, uint32_t kind, uint32_t page_bytes, uint32_t range_slots, uint32_t with_heads)
{
	level_open(l, &nod_b2, &kinds[kind], page_bytes, true, 0, 0xA5);
	l->c.derived[RANGE_SLOTS] = range_slots;
	l->c.derived[WITH_HEADS] = with_heads;
	uint8_t *page = page_new(l);
	nod_init(l->o, &l->c, page, true, (pl_slice){0}, (pl_slice){0});
	return page;
}

static void close_page(struct level *l, uint8_t *page)
{
	free(page);
	level_close(l);
}

static bool put(const struct level *l, uint8_t *page, pl_slice key)
{
	bool exact;
	uint32_t slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
	return !exact && nod_insert(l->o, &l->c, page, slot, key, pl_slice_of("value", 5), 0) == PL_OK;
}

static pl_slice text(const char *key)
{
	return pl_slice_of(key, strlen(key));
}

/* Every key of the level that fits; they are in no order. */
static uint32_t fill(const struct level *l, uint8_t *page, uint32_t stride)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < l->nkeys; i++)
		n += put(l, page, l->keys[(uint64_t)i * stride % l->nkeys]);
	return n;
}

static uint32_t ranges(const uint8_t *page)
{
	return le16(page + AT_RANGES);
}

static uint32_t start(const uint8_t *page, uint32_t number)
{
	return number < ranges(page) ? le16(page + AT_TRIE + 2 * number) : le16(page + AT_COUNT);
}

static struct b2_range range_of(const struct level *l, const uint8_t *page, pl_slice key)
{
	struct nod_arrays a = arrays_of(&l->c, page);
	return b2_find(&l->c, page, &a, key_after(key, (uint32_t)prefix_of(&l->c, page).n));
}

/* Every field of the drawing in b2.c, one wrong at a time. */
static void damage_fields(struct level *l)
{
	uint8_t *page = page_new(l);
	char why[200];
	l->c.derived[RANGE_SLOTS] = 4;
	l->c.derived[WITH_HEADS] = 1;
	(void)bounded_page(l, page, l->nkeys / 4, l->nkeys / 2, 100);
	nod_compact(l->o, &l->c, page);
	nod_remove(l->o, &l->c, page, 1);
	struct nod_arrays a = arrays_of(&l->c, page);
	uint32_t starts_end = AT_TRIE + 2 * ranges(page);
	const struct {
		const char *what;
		uint32_t at;
	} fields[] = {
		{"count", 64},
		{"state", 66},
		{"heap", 68},
		{"dead", 70},
		{"lower", 72},
		{"upper", 74},
		{"prefix", 77},
		{"ranges", 78},
		{"ranges, high byte", 79},
		{"prefix8", 87},
		{"first start", 88},
		{"last start, high byte", starts_end - 1},
		{"root", starts_end},
		{"end of the trie", a.heads - 1},
		{"first head", a.heads + 3},
		{"head", a.heads + 4 * (a.count / 2) + 3},
		{"slot", a.slots + 2 * (a.count / 2)},
		{"gap", a.end},
		{"end of gap", nod_gap(l->o, &l->c, page).hi - 1},
		{"record", l->c.page_bytes - le16(page + a.slots)},
	};
	for (size_t i = 0; i < PL_COUNT(fields); i++) {
		page[fields[i].at] ^= 17;
		if (nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) != PL_DAMAGED)
			fail_msg("a wrong %s is not found (keys %s, %u byte pages, %s)", fields[i].what, l->kind->name,
				l->c.page_bytes, l->leaf ? "leaf" : "inner");
		page[fields[i].at] ^= 17;
		check_sound(l, page);
	}
	free(page);
}

static void test_damage(void **state)
{
	for_each(state, true, damage_fields);
	for_each(state, false, damage_fields);
}

/* A start, a pivot, a right child, a byte of a span: each may be in bounds and still be wrong. */
static void test_damaged_nodes(void **state)
{
	struct level l;
	char why[200] = "";
	(void)state;
	uint8_t *page = open_page(&l, 3, 65536, 8, 0);
	(void)fill(&l, page, 7919);
	nod_compact(l.o, &l.c, page);
	uint32_t nodes = AT_TRIE + 2 * ranges(page), at = nodes, spans = 0, decisions = 0;
	while (page[at] || page[at + 1]) {
		uint32_t span = page[at], size = span ? 1 + span : DECISION_BYTES;
		for (uint32_t i = span ? 1 : 2; i < size; i++) {
			page[at + i]++;
			require(nod_check(l.o, &l.c, page, true, why, sizeof why) == PL_DAMAGED);
			require(strstr(why, "trie"));
			page[at + i]--;
		}
		spans += span > 0;
		decisions += span == 0;
		at += size;
	}
	for (uint32_t i = 1; i < ranges(page); i++) {
		put16(page + AT_TRIE + 2 * i, (uint16_t)(start(page, i) + 1));
		require(nod_check(l.o, &l.c, page, true, why, sizeof why) == PL_DAMAGED);
		put16(page + AT_TRIE + 2 * i, (uint16_t)(start(page, i) - 1));
	}
	check_sound(&l, page);
	require(spans > 3 && decisions > 5 && ranges(page) == decisions + 2 * spans + 1);
	close_page(&l, page);
}

/* Nodes that lead back, nowhere or out of the page: a search ends, and inside. */
static void test_hostile_nodes(void **state)
{
	static const uint16_t rights[] = {0, 1, 5, 300, 640, 65535};
	static const uint8_t bytes[] = {0, 1, 2, 3, 255};
	struct level l;
	bool exact;
	(void)state;
	uint8_t *page = open_page(&l, 3, 65536, 8, 1);
	uint32_t count = fill(&l, page, 7919), most = trie_bytes(&l.c);
	nod_compact(l.o, &l.c, page);
	memcpy(l.before, page, l.c.page_bytes);
	for (uint32_t at = 2 * ranges(page); at + 5 < most; at++)
		for (size_t i = 0; i < PL_COUNT(rights) * PL_COUNT(bytes); i++) {
			uint8_t *node = page + AT_TRIE + at, middle = bytes[i % PL_COUNT(bytes)];
			node[0] = i % 7 ? 0 : bytes[i / 7 % PL_COUNT(bytes)];
			node[1] = (uint8_t)(i % 2 ? 'h' : 0);
			node[2] = at % 2 ? middle : (uint8_t)(ranges(page) / 2);
			put16(node + 3, rights[i / PL_COUNT(bytes)]);
			put16(page + AT_RANGES, (uint16_t)(i % 11 ? le16(l.before + AT_RANGES) : 65535 * (i % 2)));
			for (uint32_t k = 0; k < 4; k++)
				require(nod_lower_bound(l.o, &l.c, page, l.keys[l.nkeys / 5 * k], &exact) <= count);
			memcpy(page + AT_COUNT, l.before + AT_COUNT, AT_TRIE + most - AT_COUNT);
		}
	check_sound(&l, page);
	close_page(&l, page);
}

/* Many keys with one beginning, and then those that the virtual edges take: all around the span, at every length. */
static void around_a_span(uint32_t with_heads)
{
	static const char *const common = "http://x.org/";
	struct level l;
	uint8_t *page = open_page(&l, 0, 16384, 8, with_heads), key[40], before[256];
	for (unsigned i = 0; i < 100; i++)
		require(put(&l, page, pl_slice_of(key, (size_t)snprintf((char *)key, 40, "%s%02u", common, i))));
	nod_compact(l.o, &l.c, page);
	uint32_t root = AT_TRIE + 2 * ranges(page);
	require(page[root] == strlen(common) && memcmp(page + root + 1, common, strlen(common)) == 0);
	require(start(page, 1) == 0 && start(page, ranges(page) - 1) == 100);
	memcpy(before, page + root, trie_bytes(&l.c) - 2 * ranges(page));
	l.c.derived[RANGE_SLOTS] = 4096; /* nothing is built anew when ranges grow */
	for (size_t n = 0; n <= strlen(common) + 2; n++) {
		static const uint8_t last[] = {0, 1, '/', '0', 'z', 254, 255};
		memcpy(key, common, strlen(common));
		memcpy(key + strlen(common), "50", 2);
		(void)put(&l, page, pl_slice_of(key, n));
		for (size_t i = 0; i < sizeof last; i++) {
			key[n] = last[i];
			(void)put(&l, page, pl_slice_of(key, n + 1));
			struct b2_range r = range_of(&l, page, pl_slice_of(key, n + 1));
			bool inside = n + 1 >= strlen(common) && memcmp(key, common, strlen(common)) == 0;
			require(inside ? r.depth >= strlen(common) : r.depth == 0);
		}
		check_sound(&l, page);
		for (size_t i = 0; i < sizeof last; i++) {
			key[n] = last[i];
			check_search(&l, page, pl_slice_of(key, n + 1));
			check_search(&l, page, pl_slice_of(key, n));
		}
	}
	require(start(page, 1) > 20 && ranges(page) > 3 &&
		start(page, ranges(page) - 1) + 20 < nod_count(l.o, &l.c, page));
	require(memcmp(before, page + root, trie_bytes(&l.c) - 2 * ranges(page)) == 0);
	while (nod_count(l.o, &l.c, page) > 0) {
		nod_remove(l.o, &l.c, page, nod_count(l.o, &l.c, page) / 2);
		check_sound(&l, page);
	}
	require(memcmp(before, page + root, trie_bytes(&l.c) - 2 * ranges(page)) == 0);
	close_page(&l, page);
}

static void test_virtual_edges(void **state)
{
	(void)state;
	around_a_span(0);
	around_a_span(1);
}

/* A page that is filled from empty has a trie: a range that grows to four times range_slots is divided. And where it
 * cannot be, for the trie has no room, inserts go on. */
static void test_long_ranges(void **state)
{
	struct level l;
	(void)state;
	for (uint32_t with_heads = 0; with_heads < 2; with_heads++)
		for (uint32_t range_slots = 2; range_slots <= 32; range_slots *= 4) {
			uint8_t *page = open_page(&l, 3, 65536, range_slots, with_heads);
			for (uint32_t i = 0; i < 400; i++) {
				(void)put(&l, page, l.keys[i * 7919 % l.nkeys]);
				if (nod_count(l.o, &l.c, page) < 4 * range_slots)
					require(ranges(page) == 1);
				if (nod_count(l.o, &l.c, page) == 4 * range_slots)
					require(ranges(page) > 1);
			}
			uint32_t longest = 0;
			for (uint32_t i = 0; i < l.nkeys; i++) {
				struct b2_range r = range_of(&l, page, l.keys[i]);
				longest = longest > r.to - r.from ? longest : r.to - r.from;
			}
			require(range_slots == 2 || longest < 4 * range_slots);
			check_sound(&l, page);
			close_page(&l, page);
		}
}

/* Built from the same keys, whatever came before, pages are the same to the byte. */
static void test_function_of_keys(void **state)
{
	struct level l, m;
	(void)state;
	for (uint32_t kind = 2; kind < 6; kind += kind == 3 ? 2 : 1)
		for (uint32_t with_heads = 0; with_heads < 2; with_heads++) {
			uint8_t *x = open_page(&l, kind, 65536, 8, with_heads);
			uint8_t *y = open_page(&m, kind, 65536, 8, with_heads);
			bool exact;
			for (uint32_t i = 0; i < 240; i++)
				(void)put(&l, x, l.keys[i * 7 % l.nkeys]);
			for (uint32_t i = 0; i < 300; i++)
				(void)put(&m, y, m.keys[(299 - i) * 7 % m.nkeys]);
			nod_compact(m.o, &m.c, y);
			for (uint32_t i = 0; i < nod_count(m.o, &m.c, y); i++) {
				uint8_t key[KEY_MAX];
				size_t n;
				key_at(&m, y, i, key, &n);
				(void)nod_lower_bound(l.o, &l.c, x, pl_slice_of(key, n), &exact);
				if (!exact)
					nod_remove(m.o, &m.c, y, i--);
			}
			nod_compact(l.o, &l.c, x);
			nod_compact(m.o, &m.c, y);
			require(memcmp(x + PL_PAGE_HEADER, y + PL_PAGE_HEADER, 65536 - PL_PAGE_HEADER) == 0);
			close_page(&l, x);
			close_page(&m, y);
		}
}

/* Ranges are short and deep; undivided there is one, and two empty ones if it has a span. The trie takes its
 * hundredth of a page and no more. */
static void test_ranges(void **state)
{
	static const struct {
		uint32_t page_bytes, trie_bytes;
	} given[] = {{4096, 64}, {8192, 80}, {16384, 160}, {32768, 320}, {65536, 648}};
	struct level l;
	(void)state;
	for (size_t i = 0; i < PL_COUNT(given); i++) {
		l.c.page_bytes = given[i].page_bytes;
		assert_int_equal(trie_bytes(&l.c), given[i].trie_bytes);
	}
	for (uint32_t with_heads = 0; with_heads < 2; with_heads++) {
		uint8_t *page = open_page(&l, 3, 65536, 32, with_heads);
		uint32_t n = fill(&l, page, 7919), slots = 0, depth = 0;
		nod_compact(l.o, &l.c, page);
		for (uint32_t i = 0; i < l.nkeys; i++) {
			struct b2_range r = range_of(&l, page, l.keys[i]);
			slots += r.to - r.from;
			depth += r.depth;
		}
		require(n > 500 && ranges(page) > 15 && slots < 64 * l.nkeys && depth > 43 * l.nkeys);
		l.c.derived[RANGE_SLOTS] = 4096;
		nod_compact(l.o, &l.c, page);
		require(ranges(page) == 1 + 2 * with_heads);
		check_sound(&l, page);
		close_page(&l, page);
	}
}

/* Beginnings that no trie of this size can hold: it gets coarser, and at last only decides between them. */
static void test_too_long(void **state)
{
	struct level l;
	uint8_t key[600];
	(void)state;
	for (uint32_t with_heads = 0; with_heads < 2; with_heads++)
		for (uint32_t common = 20; common < 500; common += 40) {
			uint8_t *page = open_page(&l, 0, 16384, 4, with_heads);
			for (uint32_t i = 0; i < 200; i++) {
				memset(key, 'a' + (int)(i % 3), sizeof key);
				key[common] = (uint8_t)(i / 3);
				(void)put(&l, page, pl_slice_of(key, common + 1));
			}
			uint32_t n = nod_count(l.o, &l.c, page);
			nod_compact(l.o, &l.c, page);
			require(n > 20 && nod_count(l.o, &l.c, page) == n);
			require(common > 40 ? ranges(page) == 3 : ranges(page) > 10);
			check_sound(&l, page);
			for (uint32_t i = 0; i < 200; i++) {
				memset(key, 'a' + (int)(i % 3), sizeof key);
				key[common] = (uint8_t)(i / 3);
				check_search(&l, page, pl_slice_of(key, common + 1));
			}
			close_page(&l, page);
		}
}

/* A page keeps what it was made with when the option has changed since. */
static void test_other_heads(void **state)
{
	struct level l;
	(void)state;
	for (uint32_t with_heads = 0; with_heads < 2; with_heads++) {
		uint8_t *page = open_page(&l, 3, 16384, 8, with_heads), sep[KEY_MAX];
		size_t sep_bytes;
		uint32_t n = fill(&l, page, 7919), live = nod_live_bytes(l.o, &l.c, page);
		l.c.derived[WITH_HEADS] = !with_heads;
		check_sound(&l, page);
		nod_compact(l.o, &l.c, page);
		require(nod_live_bytes(l.o, &l.c, page) == live);
		uint8_t *right = page_new(&l);
		nod_split(l.o, &l.c, page, right, 1, text("https://a"), sep, &sep_bytes);
		check_sound(&l, page);
		check_sound(&l, right);
		require(!(le16(right + AT_STATE) & HEADS) == !with_heads);
		require(!(le16(page + AT_STATE) & HEADS) == !with_heads);
		require(nod_merge(l.o, &l.c, page, right, pl_slice_of(sep, sep_bytes)) == PL_OK);
		check_sound(&l, page);
		require(nod_count(l.o, &l.c, page) == n && nod_live_bytes(l.o, &l.c, page) <= live);
		free(right);
		close_page(&l, page);
	}
}

static void test_configure(void **state)
{
	const struct nod_ops *o = *state;
	struct pl_fault fault;
	struct pl_conf conf;
	pl_conf_init(&conf);
	pl_conf_declare(&conf, "b2", o->opts);
	struct nod_cfg c = {.page_bytes = 131072, .max_key_bytes = 16384};
	assert_int_equal(o->configure(&c, &conf, &fault), PL_INVALID);
	assert_non_null(strstr(fault.text, "131072"));
	c = (struct nod_cfg){.page_bytes = 4096, .max_key_bytes = 513};
	assert_int_equal(o->configure(&c, &conf, &fault), PL_INVALID);
	c.max_key_bytes = 512;
	assert_int_equal(o->configure(&c, &conf, &fault), PL_OK);
	assert_int_equal(c.derived[RANGE_SLOTS], 32);
	assert_int_equal(c.derived[WITH_HEADS], 0);
	pl_conf_free(&conf);
}

static const struct test tests[] = {
	{"check_finds_every_field", test_damage},
	{"check_finds_every_node", test_damaged_nodes},
	{"search_ends_among_hostile_nodes", test_hostile_nodes},
	{"virtual_edges_take_the_rest", test_virtual_edges},
	{"long_ranges_are_divided", test_long_ranges},
	{"trie_is_a_function_of_the_keys", test_function_of_keys},
	{"ranges_are_short", test_ranges},
	{"long_beginnings_make_a_coarse_trie", test_too_long},
	{"heads_are_the_page_s_own", test_other_heads},
	{"configure_refuses", test_configure},
};

int main(void)
{
	const struct nod_ops *const ops[] = {&nod_b2};
	return run_layouts(ops, PL_COUNT(ops), tests, PL_COUNT(tests));
}
