/* slotted_test.c - what slotted.c promises beyond the contract: its drawing, field by field, and its prefix. */
#include "variants/node/node_test.h"
#include "variants/node/slotted.h"

extern const struct nod_ops nod_slotted;

/* Every field of the drawing in slotted.c, one wrong at a time. */
static void damage_slotted(struct level *l)
{
	uint8_t *page = page_new(l);
	char why[200];
	(void)bounded_page(l, page, l->nkeys / 4, l->nkeys / 2, 100);
	nod_remove(l->o, &l->c, page, 1);
	uint32_t count = nod_count(l->o, &l->c, page), slots = 88 + 4 * count;
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
		{"spare", 78},
		{"prefix8", 87},
		{"head", 88 + 4 * (count / 2) + 3},
		{"slot", slots + 2 * (count / 2)},
		{"slot, high byte", slots + 2 * (count / 2) + 1},
		{"gap", slots + 2 * count},
		{"end of gap", nod_gap(l->o, &l->c, page).hi - 1},
		{"record", l->c.page_bytes - le16(page + slots)},
	};
	for (size_t i = 0; i < PL_COUNT(fields); i++) {
		page[fields[i].at] ^= 17;
		if (nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) != PL_DAMAGED)
			fail_msg("a wrong %s is not found (keys %s, %u byte pages, %s)", fields[i].what, l->kind->name,
				l->c.page_bytes, l->leaf ? "leaf" : "inner");
		page[fields[i].at] ^= 17;
		check_sound(l, page);
	}
	for (uint32_t slot = 1; slot + 1 < count; slot++) {
		uint8_t *p = page + slots + 2 * slot, old[4];
		memcpy(old, p, 4);
		memcpy(p, old + 2, 2);
		require(nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) == PL_DAMAGED);
		memcpy(p + 2, old, 2);
		require(nod_check(l->o, &l->c, page, l->leaf, why, sizeof why) == PL_DAMAGED);
		memcpy(p, old, 4);
	}
	require(nod_check(l->o, &l->c, page, !l->leaf, why, sizeof why) == PL_DAMAGED);
	free(page);
}

static void test_slotted_damage(void **state)
{
	for_each(state, true, damage_slotted);
	for_each(state, false, damage_slotted);
}

/* What the fences have in common is not stored again with every key. */
static void test_slotted_prefix(void **state)
{
	struct level l;
	level_open(&l, *state, &kinds[3], 16384, true, 0, 0xA5);
	uint8_t *page = page_new(&l);
	uint32_t n = bounded_page(&l, page, 0, l.nkeys - 1, 100);
	size_t keys = 0, stored = 0;
	for (uint32_t slot = 0; slot < n; slot++) {
		struct nod_entry e;
		nod_entry(l.o, &l.c, page, slot, &e);
		keys += e.prefix.n + e.suffix.n;
		stored += e.suffix.n;
	}
	assert_true(n > 50 && stored * 2 < keys);
	assert_true(
		nod_live_bytes(l.o, &l.c, page) < content_bytes(&l, page, 0, n) - (keys - stored) + 10 * n + 24 + 200);
	free(page);
	level_close(&l);
}

static size_t prefix_at(const struct level *l, const uint8_t *page, uint32_t slot)
{
	struct nod_entry e;
	nod_entry(l->o, &l->c, page, slot, &e);
	return e.prefix.n;
}

/* Halves have the prefix of their own bounds; a merge has again that of both. */
static void narrow_and_widen(struct level *l)
{
	uint8_t *page = page_new(l), *right = page_new(l), sep[KEY_MAX], first[KEY_MAX];
	uint32_t from = l->nkeys / 4, to = l->nkeys / 4 + l->nkeys / 8;
	pl_slice lower = l->keys[from], upper = l->keys[to];
	size_t sep_bytes, first_bytes, most = l->c.page_bytes / 16;
	uint32_t n = bounded_page(l, page, from, to, 60);
	key_at(l, page, 1, first, &first_bytes);
	if (n < 4)
		goto out;
	nod_split(l->o, &l->c, page, right, 1, pl_slice_of(first, first_bytes), sep, &sep_bytes);
	pl_slice middle = pl_slice_of(sep, sep_bytes);
	uint32_t last = nod_count(l->o, &l->c, page) - 1, right_last = nod_count(l->o, &l->c, right) - 1;
	if (l->leaf || last > 0)
		require(prefix_at(l, page, last) == pl_min64(common_prefix(lower, middle), most));
	if (l->leaf || right_last > 0)
		require(prefix_at(l, right, right_last) == pl_min64(common_prefix(middle, upper), most));
	if (nod_merge(l->o, &l->c, page, right, middle) == PL_OK)
		require(prefix_at(l, page, last) == pl_min64(common_prefix(lower, upper), most) ||
			(!l->leaf && last == 0));
out:
	free(page);
	free(right);
}

static void test_prefix_follows_bounds(void **state)
{
	for_each(state, true, narrow_and_widen);
	for_each(state, false, narrow_and_widen);
}

/* A slot that points into the value of another record, where the bytes of its own record are repeated: sizes, keys and
 * order are right, only the overlap is wrong. */
static void test_overlap(void **state)
{
	struct level l;
	char why[200] = "";
	uint8_t value[64] = {0};
	level_open(&l, *state, &kinds[0], 4096, true, 0, 0xA5);
	uint8_t *page = page_new(&l);
	nod_init(l.o, &l.c, page, true, (pl_slice){0}, (pl_slice){0});
	assert_int_equal(nod_insert(l.o, &l.c, page, 0, pl_slice_of("aaaa", 4), pl_slice_of("1234", 4), 0), PL_OK);
	memcpy(value, page + 4096 - 12, 12);
	assert_int_equal(nod_insert(l.o, &l.c, page, 1, pl_slice_of("bbbb", 4), pl_slice_of(value, 64), 0), PL_OK);
	assert_int_equal(nod_check(l.o, &l.c, page, true, why, sizeof why), PL_OK);
	put16(page + 88 + 8, 12 + 64);
	assert_int_equal(nod_check(l.o, &l.c, page, true, why, sizeof why), PL_DAMAGED);
	assert_non_null(strstr(why, "overlaps"));
	free(page);
	level_close(&l);
}

static void test_slotted_configure(void **state)
{
	const struct nod_ops *o = *state;
	struct pl_fault fault;
	struct pl_conf conf;
	pl_conf_init(&conf);
	pl_conf_declare(&conf, "slotted", o->opts);
	struct nod_cfg c = {.page_bytes = 131072, .max_key_bytes = 16384};
	assert_int_equal(o->configure(&c, &conf, &fault), PL_INVALID);
	assert_non_null(strstr(fault.text, "131072"));
	c = (struct nod_cfg){.page_bytes = 4096, .max_key_bytes = 513};
	assert_int_equal(o->configure(&c, &conf, &fault), PL_INVALID);
	c.max_key_bytes = 512;
	assert_int_equal(o->configure(&c, &conf, &fault), PL_OK);
	assert_int_equal(c.derived[HINTS] + c.derived[HEAD_BYTES_EACH], 4);
	assert_int_equal(pl_conf_set(&conf, "slotted.hints", "32", &fault), PL_OK);
	assert_int_equal(o->configure(&c, &conf, &fault), PL_OK);
	c = (struct nod_cfg){.page_bytes = 2048, .max_key_bytes = 256};
	assert_int_equal(o->configure(&c, &conf, &fault), PL_INVALID);
	assert_non_null(strstr(fault.text, "slotted.hints = 32 needs page_bytes of 4096"));
	pl_conf_free(&conf);
}

/* A page of 64 KiB with these options and `entries` of the URLs. */
static uint8_t *optional_page(struct level *l, bool heads, uint32_t hints, uint32_t entries)
{
	level_open(l, &nod_slotted, &kinds[3], 65536, true, 0, 0xA5);
	l->c.derived[HINTS] = hints;
	l->c.derived[HEAD_BYTES_EACH] = heads ? HEAD_BYTES : 0;
	l->c.derived[SLOTS_MAX] =
		(65536 - AT_ARRAYS - HINT_BYTES * hints) / (l->c.derived[HEAD_BYTES_EACH] + SLOT_BYTES);
	uint8_t *page = page_new(l);
	nod_init(l->o, &l->c, page, true, l->keys[0], l->keys[l->nkeys - 1]);
	for (uint32_t i = 0; i < entries; i++) {
		bool exact;
		pl_slice key = l->keys[i * 7919 % (l->nkeys - 1)];
		uint32_t slot = nod_lower_bound(l->o, &l->c, page, key, &exact);
		require(exact || nod_insert(l->o, &l->c, page, slot, key, pl_slice_of("value", 5), 0) == PL_OK);
	}
	check_sound(l, page);
	return page;
}

/* Hints stand where the drawing says, are used from two slots each on, and take their bytes and no more; without heads
 * an entry takes 4 bytes less. Every place of a key is found, at a hint and beside it. */
static void test_hints_and_heads(void **state)
{
	struct level l;
	(void)state;
	for (uint32_t heads = 0; heads < 2; heads++)
		for (uint32_t hints = 0; hints <= HINTS_MAX; hints += 16)
			for (uint32_t entries = 2; entries <= 512; entries *= 2) {
				uint8_t *page = optional_page(&l, heads, hints, entries);
				uint32_t n = nod_count(l.o, &l.c, page), step = hints ? n / (hints + 1) : 0;
				struct nod_anatomy a;
				nod_anatomy_of(l.o, &l.c, page, &a);
				require(a.hint_bytes == 4 * hints && a.head_bytes == 4 * n * heads);
				for (uint32_t i = 0; i < hints; i++) {
					struct nod_entry e;
					nod_entry(l.o, &l.c, page, (i + 1) * step, &e);
					require(le32(page + 88 + 4 * i) == (step < 2 ? 0 : be32(e.suffix.p)));
				}
				for (uint32_t i = 0; i < l.nkeys; i++)
					check_search(&l, page, l.keys[i]);
				for (uint32_t i = 0; i < n / 2; i++) {
					nod_remove(l.o, &l.c, page, i);
					check_sound(&l, page);
				}
				free(page);
				level_close(&l);
			}
}

/* One wrong hint is found, and so is a wrong first slot behind the hints. */
static void test_hint_damage(void **state)
{
	struct level l;
	char why[200];
	(void)state;
	uint8_t *page = optional_page(&l, true, 16, 300);
	for (uint32_t at = AT_ARRAYS; at < AT_ARRAYS + 4 * 17; at++) {
		page[at] ^= 1;
		require(nod_check(l.o, &l.c, page, true, why, sizeof why) == PL_DAMAGED);
		page[at] ^= 1;
	}
	free(page);
	level_close(&l);
}

static const struct test tests[] = {
	{"check_finds_every_field", test_slotted_damage},
	{"prefix_follows_bounds", test_prefix_follows_bounds},
	{"check_finds_overlap", test_overlap},
	{"prefix_is_stored_once", test_slotted_prefix},
	{"configure_refuses", test_slotted_configure},
	{"hints_and_heads_are_options", test_hints_and_heads},
	{"check_finds_every_hint", test_hint_damage},
};

int main(void)
{
	const struct nod_ops *const ops[] = {&nod_slotted};
	return run_layouts(ops, PL_COUNT(ops), tests, PL_COUNT(tests));
}
