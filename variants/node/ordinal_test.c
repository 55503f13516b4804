/* ordinal_test.c - the ordinal layout against a sorted array, in both forms, for leaves and inner nodes.
 *
 * The strongest check is invariant 3 of ordinal.c: the bytes of a page are a function of its entries. So after any
 * history a page must equal, byte for byte, one built afresh from the reference's entries in ascending order; this
 * covers moved starts, flags, leftovers in the gap and determinism at once. Pages lie between guard pages. */
#include "engine/base/le.h"
#include "engine/base/rng.h"
#include "engine/iface/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

extern const struct nod_ops nod_ordinal;
static const struct nod_ops *const ops = &nod_ordinal;

#define PAGE_MAX 65536u
#define GUARD 65536u
#define REF_MAX 16384u

static const uint32_t page_sizes[] = {4096, 8192, 16384, 65536};

/* ---- pages ---- */

static uint8_t *guarded(uint32_t bytes)
{
	uint8_t *p = mmap(NULL, PAGE_MAX + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + GUARD, bytes, PROT_READ | PROT_WRITE), 0);
	return p + GUARD;
}

static void guarded_free(uint8_t *p)
{
	munmap(p - GUARD, PAGE_MAX + 2 * GUARD);
}

static struct nod_cfg cfg_of(uint32_t page_bytes, bool ints)
{
	struct nod_cfg c = {.page_bytes = page_bytes, .max_key_bytes = page_bytes / 8, .int_keys = ints};
	struct pl_fault f = {0};
	assert_int_equal(ops->configure(&c, NULL, &f), PL_OK);
	return c;
}

static void page_init(const struct nod_cfg *c, uint8_t *page, bool leaf)
{
	memset(page, 0xEE, c->page_bytes);
	nod_init(ops, c, page, leaf, pl_slice_of("", 0), pl_slice_of("", 0));
}

/* ---- the reference ---- */

struct ref_entry {
	uint8_t *bytes; /* key, then value */
	uint32_t key_bytes, value_bytes;
	unsigned flags;
};

struct ref {
	uint32_t n;
	struct ref_entry e[REF_MAX];
};

static pl_slice ref_key(const struct ref_entry *e)
{
	return pl_slice_of(e->bytes, e->key_bytes);
}
static pl_slice ref_value(const struct ref_entry *e)
{
	return pl_slice_of(e->bytes + e->key_bytes, e->value_bytes);
}

static struct ref_entry ref_make(pl_slice key, pl_slice value, unsigned flags)
{
	struct ref_entry e = {malloc(key.n + value.n + 1), (uint32_t)key.n, (uint32_t)value.n, flags};
	assert_non_null(e.bytes);
	if (key.n)
		memcpy(e.bytes, key.p, key.n);
	if (value.n)
		memcpy(e.bytes + key.n, value.p, value.n);
	return e;
}

static int compare(pl_slice a, pl_slice b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++)
		if (a.p[i] != b.p[i])
			return a.p[i] < b.p[i] ? -1 : 1;
	return a.n < b.n ? -1 : a.n > b.n;
}

static uint32_t ref_lower_bound(const struct ref *r, pl_slice key, bool *exact)
{
	uint32_t lo = 0, hi = r->n;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (compare(ref_key(&r->e[mid]), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*exact = lo < r->n && compare(ref_key(&r->e[lo]), key) == 0;
	return lo;
}

static void ref_insert(struct ref *r, uint32_t slot, pl_slice key, pl_slice value, unsigned flags)
{
	assert_true(r->n < REF_MAX);
	memmove(r->e + slot + 1, r->e + slot, (r->n - slot) * sizeof r->e[0]);
	r->e[slot] = ref_make(key, value, flags);
	r->n++;
}

static void ref_remove(struct ref *r, uint32_t slot)
{
	free(r->e[slot].bytes);
	r->n--;
	memmove(r->e + slot, r->e + slot + 1, (r->n - slot) * sizeof r->e[0]);
}

static void ref_clear(struct ref *r)
{
	while (r->n)
		free(r->e[--r->n].bytes);
}

/* What a page says about each entry, into r. */
static void ref_read(const struct nod_cfg *c, const uint8_t *page, struct ref *r)
{
	static uint8_t key[PAGE_MAX];
	ref_clear(r);
	for (uint32_t i = 0; i < nod_count(ops, c, page); i++) {
		struct nod_entry e;
		nod_entry(ops, c, page, i, &e);
		ref_insert(r, i, pl_slice_of(key, nod_key_copy(&e, key)), e.value, e.flags);
	}
}

/* page holds exactly r's entries, in exactly the bytes of a page built from them in order; the header is untouched. */
static void assert_page_is(const struct nod_cfg *c, const uint8_t *page, bool leaf, const struct ref *r)
{
	static uint8_t fresh[PAGE_MAX], key[PAGE_MAX];
	char why[200] = "";
	page_init(c, fresh, leaf);
	assert_int_equal(nod_count(ops, c, page), r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		struct nod_entry e;
		nod_entry(ops, c, page, i, &e);
		assert_int_equal(compare(pl_slice_of(key, nod_key_copy(&e, key)), ref_key(&r->e[i])), 0);
		assert_int_equal(compare(e.value, ref_value(&r->e[i])), 0);
		assert_int_equal(e.flags, r->e[i].flags);
		assert_int_equal(
			nod_insert(ops, c, fresh, i, ref_key(&r->e[i]), ref_value(&r->e[i]), r->e[i].flags), PL_OK);
	}
	if (nod_check(ops, c, page, leaf, why, sizeof why) != PL_OK)
		fail_msg("check: %s", why);
	assert_memory_equal(page, fresh, c->page_bytes);
	struct nod_gap gap = nod_gap(ops, c, page);
	assert_int_equal(nod_live_bytes(ops, c, page), c->page_bytes - PL_PAGE_HEADER - (gap.hi - gap.lo));
}

/* ---- random entries ---- */

struct source {
	struct pl_rng rng;
	const struct nod_cfg *c;
	bool leaf;
	uint32_t value_bytes_max; /* leaves */
	uint8_t key[PAGE_MAX], value[PAGE_MAX];
};

static pl_slice random_key(struct source *s)
{
	struct pl_rng *r = &s->rng;
	if (s->c->int_keys) { /* dense, spread, and the extremes */
		uint64_t kind = pl_rng_below(r, 16);
		uint64_t k = kind < 8 ? pl_rng_below(r, 5000) : pl_rng_next(r);
		put_be64(s->key, kind == 15 ? (k & 1 ? UINT64_MAX : 0) : k);
		return pl_slice_of(s->key, 8);
	}
	uint32_t n = (uint32_t)pl_rng_below(r, pl_rng_below(r, 20) ? 24 : s->c->max_key_bytes + 1);
	for (uint32_t i = 0; i < n; i++) /* long common prefixes, few letters, zero and 0xFF among them */
		s->key[i] = i < 6 ? 'a' : (uint8_t)("\0ab\xff"[pl_rng_below(r, 4)]);
	return pl_slice_of(s->key, n);
}

static pl_slice random_value(struct source *s)
{
	uint32_t most = s->value_bytes_max;
	uint32_t n = s->leaf ? (uint32_t)pl_rng_below(&s->rng, pl_rng_below(&s->rng, 30) ? most + 1 : 8 * most + 1) : 8;
	for (uint32_t i = 0; i < n; i++)
		s->value[i] = (uint8_t)pl_rng_next(&s->rng);
	return pl_slice_of(s->value, n);
}

static unsigned random_flags(struct source *s)
{
	return (unsigned)pl_rng_below(&s->rng, 16);
}

/* An inner node begins with the empty key. */
static void page_start(struct source *s, uint8_t *page, struct ref *r)
{
	page_init(s->c, page, s->leaf);
	ref_clear(r);
	if (s->leaf)
		return;
	pl_slice none = pl_slice_of(s->key, 0), value = random_value(s);
	assert_int_equal(nod_insert(ops, s->c, page, 0, none, value, 5), PL_OK);
	ref_insert(r, 0, none, value, 5);
}

/* Insert a new random key; false if it did not fit, and then the page must be as before. */
static bool insert_one(struct source *s, uint8_t *page, struct ref *r)
{
	static uint8_t before[PAGE_MAX];
	bool exact = true, exact_ref = true;
	pl_slice key = random_key(s);
	uint32_t slot = nod_lower_bound(ops, s->c, page, key, &exact);
	assert_int_equal(slot, ref_lower_bound(r, key, &exact_ref));
	assert_int_equal(exact, exact_ref);
	if (exact)
		return true;
	pl_slice value = random_value(s);
	unsigned flags = random_flags(s);
	bool room = nod_room(ops, s->c, page, key.n, value.n);
	if (!room)
		memcpy(before, page, s->c->page_bytes);
	int err = nod_insert(ops, s->c, page, slot, key, value, flags);
	assert_int_equal(err, room ? PL_OK : PL_NOFIT);
	if (err) {
		assert_memory_equal(page, before, s->c->page_bytes);
		return false;
	}
	ref_insert(r, slot, key, value, flags);
	return true;
}

static void update_one(struct source *s, uint8_t *page, struct ref *r)
{
	static uint8_t before[PAGE_MAX];
	if (!r->n)
		return;
	uint32_t slot = (uint32_t)pl_rng_below(&s->rng, r->n);
	pl_slice value = random_value(s);
	unsigned flags = random_flags(s);
	struct nod_entry old, now;
	if (s->leaf && pl_rng_below(&s->rng, 3) == 0)
		value.n = r->e[slot].value_bytes;
	struct nod_gap gap = nod_gap(ops, s->c, page);
	nod_entry(ops, s->c, page, slot, &old);
	memcpy(before, page, s->c->page_bytes);
	int err = nod_update(ops, s->c, page, slot, value, flags);
	bool fits = value.n <= old.value.n + (gap.hi - gap.lo);
	assert_int_equal(err, fits ? PL_OK : PL_NOFIT);
	if (err) {
		assert_memory_equal(page, before, s->c->page_bytes);
		return;
	}
	nod_entry(ops, s->c, page, slot, &now);
	if (value.n == old.value.n)
		assert_ptr_equal(now.value.p, old.value.p);
	struct ref_entry e = ref_make(ref_key(&r->e[slot]), value, flags);
	free(r->e[slot].bytes);
	r->e[slot] = e;
}

static void remove_one(struct source *s, uint8_t *page, struct ref *r)
{
	if (!r->n)
		return;
	uint32_t slot = (uint32_t)pl_rng_below(&s->rng, r->n);
	nod_remove(ops, s->c, page, slot);
	ref_remove(r, slot);
}

static void fill(struct source *s, uint8_t *page, struct ref *r)
{
	page_start(s, page, r);
	while (insert_one(s, page, r))
		;
}

/* ---- every combination of page size, key form and kind ---- */

struct world {
	struct nod_cfg c;
	struct source s;
	uint8_t *page, *other;
	struct ref r, r2;
};

static void in_every_world(uint64_t seed, void (*f)(struct world *w))
{
	static struct world w;
	for (size_t p = 0; p < PL_COUNT(page_sizes); p++)
		for (int form = 0; form < 4; form++) {
			w.c = cfg_of(page_sizes[p], form & 1);
			w.s.c = &w.c;
			w.s.leaf = form & 2;
			w.s.value_bytes_max = page_sizes[p] / (form & 1 ? 64 : 128);
			pl_rng_seed(&w.s.rng, seed, p * 4 + (uint64_t)form);
			w.page = guarded(page_sizes[p]);
			w.other = guarded(page_sizes[p]);
			f(&w);
			ref_clear(&w.r);
			ref_clear(&w.r2);
			guarded_free(w.page);
			guarded_free(w.other);
		}
}

static void random_operations(struct world *w)
{
	fill(&w->s, w->page, &w->r);
	for (int round = 0; round < 6; round++) {
		/* churn when full, shrink, grow until full again */
		uint64_t inserts = round % 3 == 0 ? 5 : round % 3 == 1 ? 1 : 8;
		uint32_t steps = 100 + w->r.n + w->c.page_bytes / 64;
		for (uint32_t i = 0; i < steps; i++) {
			uint64_t what = pl_rng_below(&w->s.rng, 10);
			if (what < inserts)
				(void)insert_one(&w->s, w->page, &w->r);
			else if (what % 2)
				update_one(&w->s, w->page, &w->r);
			else
				remove_one(&w->s, w->page, &w->r);
			if (i % (w->c.page_bytes / 256) == 0)
				assert_page_is(&w->c, w->page, w->s.leaf, &w->r);
		}
	}
	assert_page_is(&w->c, w->page, w->s.leaf, &w->r);
	while (w->r.n)
		remove_one(&w->s, w->page, &w->r);
	assert_page_is(&w->c, w->page, w->s.leaf, &w->r);
}

static void test_operations(void **state)
{
	(void)state;
	in_every_world(1, random_operations);
}

/* Small entries: many of them, so that the flags' and starts' word-wise moves see every alignment. */
static void dense_page(struct world *w)
{
	w->s.value_bytes_max = 2;
	if (w->c.page_bytes > 8192)
		return;
	fill(&w->s, w->page, &w->r);
	assert_page_is(&w->c, w->page, w->s.leaf, &w->r);
	while (w->r.n) {
		remove_one(&w->s, w->page, &w->r);
		if (w->r.n % 16 < 2)
			assert_page_is(&w->c, w->page, w->s.leaf, &w->r);
	}
}

static void test_dense(void **state)
{
	(void)state;
	in_every_world(2, dense_page);
}

/* ---- split and merge ---- */

struct cut {
	uint32_t left_n;
	uint8_t sep[PAGE_MAX / 8];
	size_t sep_bytes;
};

/* Split w->page before key at slot; w->r is the page's reference before, and halves are checked against it. */
static struct cut *split_checked(struct world *w, uint32_t slot, pl_slice key)
{
	static struct cut cut;
	static struct ref half;
	struct ref *r = &w->r;
	memset(w->other, 0x77, w->c.page_bytes);
	nod_split(ops, &w->c, w->page, w->other, slot, key, cut.sep, &cut.sep_bytes);
	for (uint32_t i = 0; i < PL_PAGE_HEADER; i++)
		assert_int_equal(w->other[i], 0x77);
	memset(w->other, 0xEE, PL_PAGE_HEADER);
	cut.left_n = nod_count(ops, &w->c, w->page);
	assert_int_equal(cut.left_n + nod_count(ops, &w->c, w->other), r->n);

	for (uint32_t i = 0; i < cut.left_n; i++)
		ref_insert(&half, i, ref_key(&r->e[i]), ref_value(&r->e[i]), r->e[i].flags);
	assert_page_is(&w->c, w->page, w->s.leaf, &half);
	ref_clear(&half);
	for (uint32_t i = cut.left_n; i < r->n; i++) {
		bool moved_up = !w->s.leaf && i == cut.left_n;
		pl_slice k = moved_up ? pl_slice_of(cut.sep, 0) : ref_key(&r->e[i]);
		ref_insert(&half, i - cut.left_n, k, ref_value(&r->e[i]), r->e[i].flags);
	}
	assert_page_is(&w->c, w->other, w->s.leaf, &half);
	ref_clear(&half);
	return &cut;
}

static void assert_separates(const struct world *w, const struct cut *cut, pl_slice key)
{
	const struct ref *r = &w->r;
	pl_slice sep = pl_slice_of(cut->sep, cut->sep_bytes);
	uint32_t m = cut->left_n;
	pl_slice high = m < r->n ? ref_key(&r->e[m]) : key;
	assert_true(sep.n > 0 && sep.n <= w->c.max_key_bytes);
	if (m)
		assert_true(compare(ref_key(&r->e[m - 1]), sep) < 0);
	assert_true(compare(sep, high) <= 0);
	if (!w->s.leaf || w->c.int_keys) {
		assert_int_equal(compare(sep, high), 0);
	} else if (m) { /* the next shorter one would not do */
		sep.n--;
		assert_true(compare(ref_key(&r->e[m - 1]), sep) >= 0);
	}
}

/* A value as large as the store allows goes with key to its side. */
static void assert_pending_fits(struct world *w, const struct cut *cut, pl_slice key)
{
	static uint8_t copy[PAGE_MAX];
	uint8_t *side = compare(key, pl_slice_of(cut->sep, cut->sep_bytes)) < 0 ? w->page : w->other;
	size_t most = w->s.leaf ? (w->c.page_bytes - PL_PAGE_HEADER) / 4 - key.n : 8;
	bool exact = false;
	memcpy(copy, side, w->c.page_bytes);
	uint32_t slot = nod_lower_bound(ops, &w->c, copy, key, &exact);
	assert_false(exact);
	assert_true(nod_room(ops, &w->c, copy, key.n, most));
	assert_int_equal(nod_insert(ops, &w->c, copy, slot, key, pl_slice_of(w->s.value, most), 0), PL_OK);
}

/* No neighbouring cut makes the greater half smaller; in half bytes, for flags take one. */
static void assert_halves(const struct world *w, uint32_t m)
{
	uint32_t left = 0, all = 0, fixed = 2 * ((w->c.int_keys ? 0u : 2u) + (w->s.leaf ? 2u : 0u)) + 1, at_m = 0,
		 below_m = 0;
	for (uint32_t i = 0; i < w->r.n; i++) {
		const struct ref_entry *e = &w->r.e[i];
		uint32_t key_bytes = w->c.int_keys ? 8 : e->key_bytes;
		uint32_t bytes = fixed + 2 * (key_bytes + e->value_bytes);
		all += bytes;
		left += i < m ? bytes : 0;
		below_m = i == m - 1 ? bytes : below_m;
		at_m = i == m ? bytes : at_m;
	}
	uint64_t greater = pl_max64(left, all - left);
	if (m > 1)
		assert_true(greater <= pl_max64(left - below_m, all - left + below_m));
	if (m + 1 < w->r.n)
		assert_true(greater <= pl_max64(left + at_m, all - left - at_m));
}

static pl_slice new_key(struct world *w, uint32_t *slot)
{
	bool exact = true;
	pl_slice key = {0};
	while (exact) {
		key = random_key(&w->s);
		*slot = nod_lower_bound(ops, &w->c, w->page, key, &exact);
	}
	return key;
}

static void split_and_merge(struct world *w)
{
	static uint8_t whole[PAGE_MAX];
	int rounds = w->c.page_bytes > 16384 ? 4 : 20;
	for (int round = 0; round < rounds; round++) {
		w->s.value_bytes_max = w->c.page_bytes >> (3 + round % 4 * 2);
		w->s.value_bytes_max = w->s.value_bytes_max < 4 ? 4 : w->s.value_bytes_max / 8;
		fill(&w->s, w->page, &w->r);
		if (w->r.n < 3)
			continue;
		uint32_t slot = 0;
		pl_slice key = new_key(w, &slot);
		memcpy(whole, w->page, w->c.page_bytes);
		uint32_t all = nod_live_bytes(ops, &w->c, w->page);
		struct cut *cut = split_checked(w, slot, key);
		assert_separates(w, cut, key);
		assert_pending_fits(w, cut, key);
		if (slot < w->r.n) {
			assert_true(cut->left_n > 0 && cut->left_n < w->r.n);
			assert_halves(w, cut->left_n);
			assert_true(nod_live_bytes(ops, &w->c, w->page) <= all * 5 / 8 + 32);
			assert_true(nod_live_bytes(ops, &w->c, w->other) <= all * 5 / 8 + 32);
		}
		pl_slice sep = pl_slice_of(cut->sep, cut->sep_bytes);
		assert_int_equal(nod_merge(ops, &w->c, w->page, w->other, sep), PL_OK);
		assert_memory_equal(w->page, whole, w->c.page_bytes);
	}
}

static void test_split(void **state)
{
	(void)state;
	in_every_world(3, split_and_merge);
}

static void split_at_end(struct world *w)
{
	static uint8_t whole[PAGE_MAX];
	w->s.value_bytes_max = 64;
	fill(&w->s, w->page, &w->r);
	while (w->r.n > 2 && compare(ref_key(&w->r.e[w->r.n - 1]), pl_slice_of("\xff\xff\xff\xff\xff", 5)) >= 0) {
		nod_remove(ops, &w->c, w->page, w->r.n - 1);
		ref_remove(&w->r, w->r.n - 1);
	}
	memcpy(whole, w->page, w->c.page_bytes);
	pl_slice key = pl_slice_of("\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
	struct cut *cut = split_checked(w, w->r.n, key);
	assert_separates(w, cut, key);
	assert_pending_fits(w, cut, key);
	if (w->s.leaf) {
		assert_memory_equal(w->page, whole, w->c.page_bytes);
		assert_int_equal(nod_count(ops, &w->c, w->other), 0);
	} else {
		assert_int_equal(nod_count(ops, &w->c, w->other), 1);
	}
	assert_int_equal(nod_merge(ops, &w->c, w->page, w->other, pl_slice_of(cut->sep, cut->sep_bytes)), PL_OK);
	assert_memory_equal(w->page, whole, w->c.page_bytes);
}

static void test_split_at_end(void **state)
{
	(void)state;
	in_every_world(4, split_at_end);
}

/* Two full pages do not merge, and stay as they are; live_bytes tells beforehand. */
static void merge_too_much(struct world *w)
{
	static uint8_t left[PAGE_MAX], right[PAGE_MAX];
	fill(&w->s, w->page, &w->r);
	uint32_t slot = 0;
	pl_slice key = new_key(w, &slot);
	struct cut *cut = split_checked(w, w->r.n / 2, key);
	pl_slice sep = pl_slice_of(cut->sep, cut->sep_bytes);
	ref_read(&w->c, w->page, &w->r2);
	/* grow the left page at its beginning, below every key of the right one */
	for (uint64_t k = 0; w->r2.n && w->c.int_keys; k++) {
		bool exact = false;
		put_be64(w->s.key, k);
		key = pl_slice_of(w->s.key, 8);
		uint32_t at = nod_lower_bound(ops, &w->c, w->page, key, &exact);
		if (!exact && nod_insert(ops, &w->c, w->page, at, key, pl_slice_of(w->s.value, 8), 0))
			break;
	}
	memcpy(left, w->page, w->c.page_bytes);
	memcpy(right, w->other, w->c.page_bytes);
	uint32_t need = nod_live_bytes(ops, &w->c, left) + nod_live_bytes(ops, &w->c, right);
	int err = nod_merge(ops, &w->c, w->page, w->other, sep);
	if (need <= w->c.page_bytes - PL_PAGE_HEADER && w->s.leaf)
		assert_int_equal(err, PL_OK);
	if (w->c.int_keys)
		assert_int_equal(err, PL_NOFIT);
	assert_memory_equal(w->other, right, w->c.page_bytes);
	if (err)
		assert_memory_equal(w->page, left, w->c.page_bytes);
}

static void test_merge_nofit(void **state)
{
	(void)state;
	in_every_world(5, merge_too_much);
}

/* Runs of appends are what a sorted load does: a page then ends full, and left for good. */
static void test_sorted_load(void **state)
{
	(void)state;
	struct nod_cfg c = cfg_of(16384, true);
	uint8_t *left = guarded(c.page_bytes), *right = guarded(c.page_bytes), key8[8], sep[8], value[100] = {1};
	size_t sep_bytes = 0;
	uint64_t k = 0;
	page_init(&c, left, true);
	do
		put_be64(key8, ++k * 3);
	while (nod_insert(ops, &c, left, nod_count(ops, &c, left), pl_slice_of(key8, 8),
		       pl_slice_of(value, sizeof value), 0) == PL_OK);
	uint32_t n = nod_count(ops, &c, left);
	assert_int_equal(n, (16384 - 72) * 2 / (2 * (8 + 2 + 100) + 1));
	nod_split(ops, &c, left, right, n, pl_slice_of(key8, 8), sep, &sep_bytes);
	assert_int_equal(nod_count(ops, &c, left), n);
	assert_int_equal(nod_count(ops, &c, right), 0);
	assert_int_equal(sep_bytes, 8);
	assert_memory_equal(sep, key8, 8);
	guarded_free(left);
	guarded_free(right);
}

/* ---- keys of other lengths in the integer form ---- */

static void foreign_keys(struct world *w)
{
	if (!w->c.int_keys)
		return;
	fill(&w->s, w->page, &w->r);
	for (int i = 0; i < 20000; i++) {
		uint8_t key[12] = {0};
		size_t n = (size_t)pl_rng_below(&w->s.rng, 13);
		const struct ref_entry *near = &w->r.e[pl_rng_below(&w->s.rng, w->r.n)];
		memcpy(key, near->bytes, near->key_bytes);
		if (i % 3 == 0)
			key[pl_rng_below(&w->s.rng, 12)] ^= (uint8_t)(1u << pl_rng_below(&w->s.rng, 8));
		bool exact = false, exact_ref = false;
		uint32_t slot = nod_lower_bound(ops, &w->c, w->page, pl_slice_of(key, n), &exact);
		assert_int_equal(slot, ref_lower_bound(&w->r, pl_slice_of(key, n), &exact_ref));
		assert_int_equal(exact, exact_ref);
	}
}

static void test_foreign_keys(void **state)
{
	(void)state;
	in_every_world(6, foreign_keys);
}

/* The search's halves and its final window meet at small counts: keys 0, 2, 4 ... with and without the empty key. */
static void test_small_counts(void **state)
{
	(void)state;
	struct nod_cfg c = cfg_of(4096, true);
	uint8_t *page = guarded(4096), key[8], child[8] = {1};
	for (uint32_t first = 0; first < 2; first++) {
		page_init(&c, page, false);
		if (first)
			assert_int_equal(
				nod_insert(ops, &c, page, 0, pl_slice_of(key, 0), pl_slice_of(child, 8), 0), PL_OK);
		for (uint32_t n = 0; n < 40; n++) {
			for (uint64_t k = 0; k < 2 * n + 2; k++) {
				bool exact = false;
				put_be64(key, k);
				uint32_t want = (uint32_t)pl_min64((k + 1) / 2, n);
				assert_int_equal(
					nod_lower_bound(ops, &c, page, pl_slice_of(key, 8), &exact), first + want);
				assert_int_equal(exact, k % 2 == 0 && k / 2 < n);
			}
			put_be64(key, 2 * (uint64_t)n);
			assert_int_equal(
				nod_insert(ops, &c, page, first + n, pl_slice_of(key, 8), pl_slice_of(child, 8), 0),
				PL_OK);
		}
	}
	guarded_free(page);
}

/* The empty key is below the integer 0, though both are stored as 0. */
static void test_empty_and_zero(void **state)
{
	(void)state;
	struct nod_cfg c = cfg_of(4096, true);
	uint8_t *page = guarded(4096), zero[8] = {0}, child[8] = {1};
	pl_slice none = pl_slice_of(zero, 0), key = pl_slice_of(zero, 8), value = pl_slice_of(child, 8);
	bool exact = false;
	struct nod_entry e;
	page_init(&c, page, false);
	assert_int_equal(nod_lower_bound(ops, &c, page, none, &exact), 0);
	assert_false(exact);
	assert_int_equal(nod_insert(ops, &c, page, 0, none, value, 0), PL_OK);
	assert_int_equal(nod_lower_bound(ops, &c, page, key, &exact), 1);
	assert_false(exact);
	assert_int_equal(nod_child(ops, &c, page, key), 0);
	assert_int_equal(nod_insert(ops, &c, page, 1, key, value, 0), PL_OK);
	assert_int_equal(nod_lower_bound(ops, &c, page, key, &exact), 1);
	assert_true(exact);
	assert_int_equal(nod_lower_bound(ops, &c, page, none, &exact), 0);
	assert_true(exact);
	nod_entry(ops, &c, page, 0, &e);
	assert_int_equal(e.prefix.n + e.suffix.n, 0);
	nod_entry(ops, &c, page, 1, &e);
	assert_int_equal(e.prefix.n + e.suffix.n, 8);
	nod_remove(ops, &c, page, 0);
	assert_int_equal(nod_lower_bound(ops, &c, page, key, &exact), 0);
	assert_true(exact);
	nod_entry(ops, &c, page, 7, &e);
	assert_int_equal(e.prefix.n + e.suffix.n + e.value.n + e.flags, 0);
	guarded_free(page);
}

/* ---- any bytes ---- */

static bool inside(pl_slice s, const uint8_t *p, size_t n)
{
	return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

static void read_everything(struct world *w)
{
	static uint8_t key[PAGE_MAX];
	uint32_t page_bytes = w->c.page_bytes, n = nod_count(ops, &w->c, w->page), step = 1 + n / 64;
	char why[200];
	assert_true(n <= page_bytes);
	for (uint32_t slot = 0; slot <= n + 3; slot += slot + 5 < n ? step : 1) {
		struct nod_entry e;
		nod_entry(ops, &w->c, w->page, slot, &e);
		assert_true(inside(e.value, w->page, page_bytes) && inside(e.prefix, w->page, page_bytes));
		assert_true(inside(e.suffix, w->page, page_bytes) || inside(e.suffix, e.key8, 8));
		assert_true(e.flags <= NOD_FLAGS_MASK && nod_key_copy(&e, key) <= page_bytes);
		if (slot >= n)
			assert_int_equal(e.prefix.n + e.suffix.n + e.value.n, 0);
	}
	for (int i = 0; i < 8; i++) {
		bool exact = false;
		uint32_t slot = nod_lower_bound(ops, &w->c, w->page, random_key(&w->s), &exact);
		assert_true(slot <= n && (!exact || slot < n));
		assert_true(nod_child(ops, &w->c, w->page, random_key(&w->s)) <= n);
	}
	struct nod_gap gap = nod_gap(ops, &w->c, w->page);
	assert_true(gap.lo <= gap.hi && gap.hi <= page_bytes);
	assert_true(nod_live_bytes(ops, &w->c, w->page) <= page_bytes);
	(void)nod_room(ops, &w->c, w->page, 8, 100);
	int err = nod_check(ops, &w->c, w->page, w->s.leaf, why, sizeof why);
	assert_true(err == PL_OK || err == PL_DAMAGED);
}

static void any_bytes(struct world *w)
{
	static uint8_t good[PAGE_MAX];
	struct pl_rng *rng = &w->s.rng;
	fill(&w->s, w->page, &w->r);
	memcpy(good, w->page, w->c.page_bytes);
	for (int round = 0; round < 300; round++) {
		uint64_t kind = pl_rng_below(rng, 4);
		memcpy(w->page, good, w->c.page_bytes);
		if (kind == 0) /* noise, with a count that may just be or just not be possible */
			for (uint32_t i = PL_PAGE_HEADER; i < w->c.page_bytes; i += 8)
				put64(w->page + i, pl_rng_next(rng));
		if (kind <= 1)
			put16(w->page + 64, (uint16_t)(pl_rng_next(rng) >> (48 + pl_rng_below(rng, 16))));
		if (kind == 2) /* a torn copy: the front of one page, the back of another, shifted */
			memmove(w->page + 64 + pl_rng_below(rng, 64), w->page + 64,
				pl_rng_below(rng, w->c.page_bytes - 128));
		for (uint64_t k = pl_rng_below(rng, 64); k--;)
			w->page[64 + pl_rng_below(rng, kind == 3 ? 64 : w->c.page_bytes - 64)] =
				(uint8_t)pl_rng_next(rng);
		if (pl_rng_below(rng, 2))
			w->page[66] = (uint8_t)((w->page[66] & 0xFC) | pl_rng_below(rng, 4));
		read_everything(w);
	}
	memset(w->page, 0xFF, w->c.page_bytes);
	read_everything(w);
	memset(w->page, 0, w->c.page_bytes);
	read_everything(w);
}

static void test_any_bytes(void **state)
{
	(void)state;
	in_every_world(7, any_bytes);
}

/* ---- check ---- */

static void expect_damage(
	const struct nod_cfg *c, uint8_t *page, bool leaf, uint32_t at, uint8_t flip, const char *word)
{
	char why[200] = "";
	page[at] ^= flip;
	assert_int_equal(nod_check(ops, c, page, leaf, why, sizeof why), PL_DAMAGED);
	if (!strstr(why, word))
		fail_msg("expected '%s' in '%s'", word, why);
	page[at] ^= flip;
	assert_int_equal(nod_check(ops, c, page, leaf, why, sizeof why), PL_OK);
}

/* Three entries with keys k0 < k1 < k2 of 8 bytes and values of 8 bytes. */
static void three(const struct nod_cfg *c, uint8_t *page, bool leaf)
{
	uint8_t key[8], value[8] = {9, 9, 9, 9, 9, 9, 9, 9};
	page_init(c, page, leaf);
	for (uint32_t i = 0; i < 3; i++) {
		put_be64(key, 0x0101010101010100u + i);
		assert_int_equal(
			nod_insert(ops, c, page, i, pl_slice_of(key, i || leaf ? 8 : 0), pl_slice_of(value, 8), i),
			PL_OK);
	}
}

static void test_check(void **state)
{
	(void)state;
	uint8_t *page = guarded(4096);
	struct nod_cfg c = cfg_of(4096, true);
	char why[200];
	three(&c, page, true);
	assert_int_equal(nod_check(ops, &c, page, false, why, sizeof why), PL_DAMAGED);
	assert_int_equal(nod_check(ops, &c, page, false, NULL, 0), PL_DAMAGED);
	expect_damage(&c, page, true, 64, 3 ^ 4, ""); /* count */
	expect_damage(&c, page, true, 65, 0x80, "do not fit");
	expect_damage(&c, page, true, 66, 1, "inner node");
	expect_damage(&c, page, true, 66, 2, "empty first key");
	expect_damage(&c, page, true, 66, 4, "form");
	expect_damage(&c, page, true, 70, 1, "reserved");
	expect_damage(&c, page, true, 72 + 8, 3, "not above"); /* key 1 becomes 2: equal to key 2 */
	expect_damage(&c, page, true, 72 + 24, 0x38, "start of value 1");
	expect_damage(&c, page, true, 72 + 24 + 5, 0xFF, "overlap");
	expect_damage(&c, page, true, 72 + 30 + 1, 0x10, "half byte");
	expect_damage(&c, page, true, 72 + 30 + 2, 1, "free byte");
	expect_damage(&c, page, true, 4096 - 25, 1, "free byte");

	three(&c, page, false);
	expect_damage(&c, page, false, 66, 1, "a leaf");
	expect_damage(&c, page, false, 72, 1, "empty first key");

	c = cfg_of(4096, false);
	three(&c, page, true);
	expect_damage(&c, page, true, 66, 2, "empty first key");
	expect_damage(&c, page, true, 72, 0x38, "start of key 1");
	expect_damage(&c, page, true, 72 + 2, 0x18, "not above"); /* 16 becomes 8: key 1 is empty, below key 0 */
	expect_damage(&c, page, true, 72 + 5, 0x08, "allowed");
	expect_damage(&c, page, true, 72 + 14 + 15, 3, "not above");
	three(&c, page, false);
	expect_damage(&c, page, false, 4096 - 25, 1, "free byte");
	guarded_free(page);
}

static void test_configure(void **state)
{
	(void)state;
	struct nod_cfg c = {.page_bytes = 131072, .max_key_bytes = 16384};
	struct pl_fault f = {0};
	assert_int_equal(ops->configure(&c, NULL, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "65536"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"node.ordinal.operations_match_reference", test_operations, NULL, NULL, NULL},
		{"node.ordinal.dense_pages_match_reference", test_dense, NULL, NULL, NULL},
		{"node.ordinal.split_separates_and_merge_undoes_it", test_split, NULL, NULL, NULL},
		{"node.ordinal.split_at_end_leaves_left", test_split_at_end, NULL, NULL, NULL},
		{"node.ordinal.merge_nofit_changes_nothing", test_merge_nofit, NULL, NULL, NULL},
		{"node.ordinal.sorted_load_fills_pages", test_sorted_load, NULL, NULL, NULL},
		{"node.ordinal.int_search_takes_keys_of_any_length", test_foreign_keys, NULL, NULL, NULL},
		{"node.ordinal.int_search_at_every_small_count", test_small_counts, NULL, NULL, NULL},
		{"node.ordinal.empty_key_is_below_zero", test_empty_and_zero, NULL, NULL, NULL},
		{"node.ordinal.any_bytes_stay_in_bounds", test_any_bytes, NULL, NULL, NULL},
		{"node.ordinal.check_names_planted_damage", test_check, NULL, NULL, NULL},
		{"node.ordinal.large_pages_are_refused", test_configure, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("ordinal", tests, NULL, NULL);
}
