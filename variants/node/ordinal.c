/* ordinal.c - a page as parallel dense arrays: entry i of every array belongs together, its ordinal is the only link.
 *
 * Models the ordinal layout: an inner page is an array of keys and an array of pointers, a leaf an array of starts and
 * the blobs; byte keys take one more array of starts and one more array of bytes. There are no slots, no lengths and
 * no dead bytes: a length is the difference of two neighbouring starts, so blobs lie in key order, and the price is
 * that an insert moves half a page on average, where a slotted page moves slots only.
 *
 *	 64    u16 count
 *	 66    u8  form: 1 leaf, 2 first key is empty (integer keys only)
 *	 67    u8[5] zero
 *	 72    integer keys: u64 key[count], the big-endian key as a native integer
 *	       byte keys:    u16 key_end[count], where key i ends in the key bytes
 *	       leaves:       u16 value_end[count], where value i ends, counted down from the page's end
 *	       flags[(count + 1) / 2], 4 bits an entry, low nibble first
 *	       byte keys:    key bytes, ascending, without separators
 *	 gap.lo
 *	       zero
 *	 gap.hi
 *	       value count - 1 | ... | value 1 | value 0 |
 *	                                         page_bytes
 *
 * The start of entry i is the end of entry i - 1, that of entry 0 is zero. Inner nodes need no value_end: their values
 * are pointers of 8 bytes, so value i ends at 8 * (i + 1). Values lie in descending order so that an append moves no
 * value, and their ends count from the page's end so that 16 bits suffice for 64 KiB.
 *
 * Invariants:
 *  1. key_end and value_end never descend; the arrays, the key bytes and the values do not overlap.
 *  2. Bytes [gap.lo, gap.hi) are zero, always: compact has nothing to do.
 *  3. The bytes of a page are a function of its entries: how they came there leaves no trace.
 *  4. The empty key, smaller than all, is stored as integer 0 with form bit 2; it can only be the first.
 *
 * Cost, n entries, u used bytes. Search among integers: none if they ascend without a gap, first and last key tell and the
 * ordinal is a difference; else steps without branches to a window of 16 keys, which are counted, four at a time where
 * the machine has AVX2 (same answer without: PAGELAB_SCALAR). Byte keys: log2 n steps, two starts and a compare of bytes
 * each. Insert and remove: memmove of u / 2 on average, and an addition to n / 2 starts (8 bytes at a time). An append
 * to a leaf moves only what follows key[]. Update of equal length: a copy. Split and merge: copies of runs.
 *
 * Why so (ns a lookup, each waiting for the one before, 100-byte values; tree of 256 KiB | of 192 MiB; a busy virtual
 * machine, gcc 12 -O3: ./lab bench):             8 KiB       16 KiB       64 KiB
 *   scattered, binary to 8 keys                  43 | 1190   41 | 1150    40 | 1240
 *   binary to 8, AVX2                            46 | 1050   45 | 1130    44 | 1310
 *   binary to 16, AVX2 (32: the same)            44 | 1060                43 | 1340
 *   the same, all lines of keys prefetched       44 |  600   44 |  560    52 |  710   (this file)
 *   dense, before                                42 |  980   41 | 1170    40 | 1300
 *   dense, as a difference (this file)           30 |  630   27 |  560    24 |  430
 * So what the vectors save is lost in the noise; the misses that no longer wait for each other are the gain.
 *
 * A reader may look while the writer changes the page: header and starts are loaded once each and bounded before use.
 *
 * Left out: fences (so check cannot say that a key lies outside the node's bounds) and with them the truncation of
 * common prefixes; heads or hints for byte keys; pages above 64 KiB. */
#include "variants/node/ordinal.h"

#include "engine/base/le.h"
#include "variants/node/touch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE_BYTES_MAX 65536u
#define COUNT_AT 64u
#define FORM_AT 66u
#define ZERO_AT 67u
#define KEYS_AT 72u /* key[] or key_end[] */
#define POINTER_BYTES 8u
#define WINDOW_KEYS 16u /* the search ends by counting in so many keys: one or two cache lines, no dependences */

#define PREFETCH_BYTES_MAX 4096u
#define LINE_BYTES 64u

enum { FORM_LEAF = 1, FORM_FIRST_EMPTY = 2 };

/* Where the arrays of a page with n entries lie. */
struct shape {
	uint32_t page_bytes, n;
	bool leaf, ints, first_empty;
	uint32_t value_ends, flags, key_bytes; /* offsets in the page */
};

/* ---- reading: everything a page says is loaded once and bounded ---- */

static uint32_t load16_once(const uint8_t *p)
{
	touch(p, 2);
	return *(const volatile uint16_t *)(const void *)p;
}
static uint32_t load32_once(const uint8_t *p)
{
	touch(p, 4);
	return *(const volatile uint32_t *)(const void *)p;
}
static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}
static uint32_t key_width(bool ints)
{
	return ints ? 8 : 2;
}

static inline struct shape shape_of(const struct nod_cfg *c, bool leaf, uint32_t n)
{
	struct shape s = {.page_bytes = c->page_bytes, .n = n, .leaf = leaf, .ints = c->int_keys != 0};
	s.value_ends = KEYS_AT + key_width(s.ints) * n;
	s.flags = s.value_ends + (leaf ? 2 * n : 0);
	s.key_bytes = s.flags + (n + 1) / 2;
	return s;
}

static inline bool shape_fits(const struct shape *s)
{
	return s->key_bytes + (s->leaf ? 0 : POINTER_BYTES * s->n) <= s->page_bytes;
}

/* A count that cannot be is read as none. */
static inline struct shape shape_read(const struct nod_cfg *c, const uint8_t *page)
{
	uint32_t word = load32_once(page + COUNT_AT), form = word >> 16;
	struct shape s = shape_of(c, form & FORM_LEAF, word & 0xFFFF);
	if (!shape_fits(&s))
		s = shape_of(c, form & FORM_LEAF, 0);
	s.first_empty = s.ints && s.n && form & FORM_FIRST_EMPTY;
	return s;
}

/* Ends, and thereby starts, of entry i: bounded so that what they bound lies in the page. */
static uint32_t key_end(const struct shape *s, const uint8_t *page, uint32_t i)
{
	return s->ints ? 0 : lesser(load16_once(page + KEYS_AT + 2 * i), s->page_bytes - s->key_bytes);
}

static uint32_t key_start(const struct shape *s, const uint8_t *page, uint32_t i)
{
	return i ? key_end(s, page, i - 1) : 0;
}

static uint32_t value_end(const struct shape *s, const uint8_t *page, uint32_t i)
{
	if (!s->leaf)
		return POINTER_BYTES * (i + 1);
	return lesser(load16_once(page + s->value_ends + 2 * i), s->page_bytes - KEYS_AT);
}

static uint32_t value_start(const struct shape *s, const uint8_t *page, uint32_t i)
{
	return i ? value_end(s, page, i - 1) : 0;
}

static uint64_t int_key(const uint8_t *page, uint32_t i)
{
	touch(page + KEYS_AT + (size_t)8 * i, 8);
	return le64(page + KEYS_AT + (size_t)8 * i);
}

static unsigned flags_get(const struct shape *s, const uint8_t *page, uint32_t i)
{
	touch(page + s->flags + i / 2, 1);
	return (unsigned)page[s->flags + i / 2] >> (i % 2 * 4) & NOD_FLAGS_MASK;
}

static struct nod_gap gap_of(const struct shape *s, const uint8_t *page)
{
	uint32_t lo = s->key_bytes + key_start(s, page, s->n);
	uint32_t hi = s->page_bytes - value_start(s, page, s->n);
	return (struct nod_gap){lo, hi < lo ? lo : hi};
}

/* key8 is where an integer key is rebuilt. */
static inline pl_slice key_of(const struct shape *s, const uint8_t *page, uint32_t i, uint8_t key8[8])
{
	if (s->ints) {
		put_be64(key8, int_key(page, i));
		return pl_slice_of(key8, i == 0 && s->first_empty ? 0 : 8);
	}
	uint32_t start = key_start(s, page, i), end = key_end(s, page, i);
	return pl_slice_of(page + s->key_bytes + lesser(start, end), end - lesser(start, end));
}

static inline pl_slice value_of(const struct shape *s, const uint8_t *page, uint32_t i)
{
	uint32_t start = value_start(s, page, i), end = value_end(s, page, i);
	return pl_slice_of(page + s->page_bytes - end, end - lesser(start, end));
}

static int key_cmp(pl_slice a, pl_slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static uint64_t int_padded(pl_slice key)
{
	uint8_t padded[8] = {0};
	if (key.n >= 8)
		return be64(key.p);
	memcpy(padded, key.p, key.n);
	return be64(padded);
}

/* ---- search among integers ---- */

/* Keys that ascend without a gap: the place of k is a difference. False if they do not. n > first. */
static inline bool dense_lower_bound(
	const uint8_t *page, uint32_t first, uint32_t n, uint64_t k, uint32_t *slot, bool *equal)
{
	uint64_t low = int_key(page, first), high = int_key(page, n - 1);
	if (high - low != n - first - 1)
		return false;
	*equal = k - low < n - first;
	*slot = *equal ? first + (uint32_t)(k - low) : k < low ? first : n;
	return true;
}

uint32_t ordinal_below_scalar(const uint8_t *keys, uint32_t n, uint64_t k)
{
	uint32_t below = 0;
	for (uint32_t i = 0; i < n; i++)
		below += le64(keys + (size_t)8 * i) < k;
	return below;
}

/* Where the closing count begins, so that WINDOW_KEYS keys are counted (all, if they are fewer): keys before are below k
 * or would be counted as below. No branch depends on a key. */
static inline uint32_t window_start(const uint8_t *page, uint32_t first, uint32_t n, uint64_t k)
{
	uint32_t base = first, len = n - first;
	if (len <= WINDOW_KEYS)
		return first;
	for (uint32_t at = KEYS_AT, end = KEYS_AT + lesser(8 * n, PREFETCH_BYTES_MAX); at < end; at += LINE_BYTES)
		touch_ahead(page + at);
	while (len > WINDOW_KEYS) { /* the answer is in [base, base + len] */
		uint32_t half = len / 2;
		compared(NOD_IN_ARRAY, 1);
		base += half & -(uint32_t)(int_key(page, base + half - 1) < k);
		len -= half;
	}
	return lesser(base, n - WINDOW_KEYS);
}

static inline uint32_t window_keys(const uint8_t *page, uint32_t base, uint32_t n)
{
	uint32_t keys = lesser(n - base, WINDOW_KEYS);
	touch(page + KEYS_AT + (size_t)8 * base, (size_t)8 * keys);
	compared(NOD_IN_ARRAY, keys);
	return keys;
}

static uint32_t sparse_scalar(const uint8_t *page, uint32_t first, uint32_t n, uint64_t k)
{
	uint32_t base = window_start(page, first, n, k), keys = window_keys(page, base, n);
	const uint8_t *window = page + KEYS_AT + (size_t)8 * base;
	return base + (keys == WINDOW_KEYS ? ordinal_below_scalar(window, WINDOW_KEYS, k)
					   : ordinal_below_scalar(window, keys, k));
}

#ifdef ORDINAL_AVX2
/* Four keys at a time; vectors compare signed integers, so both sides are biased. */
__attribute__((target("avx2"))) uint32_t ordinal_below_avx2(const uint8_t *keys, uint32_t n, uint64_t k)
{
	const __m256i bias = _mm256_set1_epi64x(INT64_MIN), than = _mm256_set1_epi64x((int64_t)(k ^ (uint64_t)1 << 63));
	__m256i below = _mm256_setzero_si256();
	uint32_t i = 0;
	for (; i + 4 <= n; i += 4) {
		__m256i four = _mm256_loadu_si256((const __m256i *)(const void *)(keys + (size_t)8 * i));
		below = _mm256_sub_epi64(below, _mm256_cmpgt_epi64(than, _mm256_xor_si256(four, bias)));
	}
	__m128i two = _mm_add_epi64(_mm256_castsi256_si128(below), _mm256_extracti128_si256(below, 1));
	uint32_t sum = (uint32_t)_mm_cvtsi128_si32(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
	for (; i < n; i++)
		sum += le64(keys + (size_t)8 * i) < k;
	return sum;
}

__attribute__((target("avx2"))) static uint32_t sparse_avx2(const uint8_t *page, uint32_t first, uint32_t n, uint64_t k)
{
	uint32_t base = window_start(page, first, n, k), keys = window_keys(page, base, n);
	const uint8_t *window = page + KEYS_AT + (size_t)8 * base;
	return base +
	       (keys == WINDOW_KEYS ? ordinal_below_avx2(window, WINDOW_KEYS, k) : ordinal_below_avx2(window, keys, k));
}
#endif

static inline uint32_t sparse_lower_bound(const uint8_t *page, uint32_t first, uint32_t n, uint64_t k, bool *equal)
{
#ifdef ORDINAL_AVX2
	uint32_t slot =
		__builtin_cpu_supports("avx2") ? sparse_avx2(page, first, n, k) : sparse_scalar(page, first, n, k);
#else
	uint32_t slot = sparse_scalar(page, first, n, k);
#endif
	*equal = false;
	if (slot < n) {
		compared(NOD_IN_ARRAY, 1);
		*equal = int_key(page, slot) == k;
	}
	return slot;
}

/* A key of another length than 8 lies beside an integer: a shorter one just below the integer it is padded to with
 * zeros (or is equal to the empty key), a longer one just above that of its first 8 bytes. */
static uint32_t int_lower_bound(const struct shape *s, const uint8_t *page, pl_slice key, bool *exact)
{
	uint32_t first = s->first_empty, slot = first;
	bool equal = false;
	if (key.n == 0) {
		*exact = s->first_empty;
		return 0;
	}
	uint64_t k = int_padded(key);
	if (first < s->n && !dense_lower_bound(page, first, s->n, k, &slot, &equal))
		slot = sparse_lower_bound(page, first, s->n, k, &equal);
	*exact = equal && key.n == 8;
	return slot + (equal && key.n > 8);
}

static uint32_t bytes_lower_bound(const struct shape *s, const uint8_t *page, pl_slice key, bool *exact)
{
	uint32_t lo = 0, hi = s->n;
	*exact = false;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int d = touch_cmp(key_of(s, page, mid, NULL), key);
		if (d == 0) {
			*exact = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- moving: make room for entries, and close it again ---- */

/* Add delta to n starts, 4 at a time: they stay in 16 bits, so nothing is carried (or borrowed) between them. */
static void starts_add(uint8_t *p, uint32_t n, int32_t delta)
{
	uint64_t each = (uint64_t)(int64_t)delta * 0x0001000100010001u;
	for (; n >= 4; n -= 4, p += 8)
		put64(p, le64(p) + each);
	for (; n; n--, p += 2)
		put16(p, (uint16_t)(le16(p) + (uint32_t)delta));
}

static void flags_put(uint8_t *flags, uint32_t i, unsigned f)
{
	uint32_t shift = i % 2 * 4;
	flags[i / 2] = (uint8_t)((flags[i / 2] & ~(NOD_FLAGS_MASK << shift)) | (f & NOD_FLAGS_MASK) << shift);
}

/* Nibbles [at, n) move up by one; nibble at becomes zero. */
static void flags_open(uint8_t *flags, uint32_t at, uint32_t n)
{
	uint32_t low = at / 2, b = n / 2;
	if (n % 2 == 0)
		flags[b] = 0;
	for (; b >= low + 8; b -= 8)
		put64(flags + b - 7, le64(flags + b - 7) << 4 | flags[b - 8] >> 4);
	for (; b > low; b--)
		flags[b] = (uint8_t)(flags[b] << 4 | flags[b - 1] >> 4);
	flags[low] = (uint8_t)(at % 2 ? flags[low] & 0x0F : (flags[low] & 0x0F) << 4);
}

/* Nibble at goes, those above it move down by one; the last becomes zero. */
static void flags_close(uint8_t *flags, uint32_t at, uint32_t n)
{
	uint32_t b = at / 2, last = (n - 1) / 2;
	if (at % 2) {
		unsigned next = b < last ? flags[b + 1] : 0;
		flags[b] = (uint8_t)((flags[b] & 0x0F) | next << 4);
		b++;
	}
	for (; b + 8 <= last; b += 8)
		put64(flags + b, le64(flags + b) >> 4 | (uint64_t)flags[b + 8] << 60);
	for (; b < last; b++)
		flags[b] = (uint8_t)(flags[b] >> 4 | flags[b + 1] << 4);
	if (b == last)
		flags[b] = (uint8_t)(flags[b] >> 4);
}

/* What m more entries need. */
struct run {
	uint32_t at, m; /* entries [at, at + m) */
	uint32_t key_bytes, value_bytes; /* of all of them; key_bytes 0 for integer keys */
};

static bool run_fits(const struct nod_cfg *c, const uint8_t *page, const struct shape *s, uint64_t m,
	uint64_t key_bytes, uint64_t value_bytes)
{
	if (s->n + m > 0xFFFF)
		return false;
	struct shape t = shape_of(c, s->leaf, s->n + (uint32_t)m);
	return t.key_bytes + key_start(s, page, s->n) + key_bytes + value_start(s, page, s->n) + value_bytes <=
	       s->page_bytes;
}

static void header_put(const struct shape *s, uint8_t *page)
{
	put16(page + COUNT_AT, (uint16_t)s->n);
	page[FORM_AT] = (uint8_t)((s->leaf ? FORM_LEAF : 0) | (s->first_empty ? FORM_FIRST_EMPTY : 0));
}

/* Make room for a run that fits: one entry anywhere, or any number at the end. The starts of the entries behind it are
 * right afterwards, the run itself (keys, starts, flags, values) is for the caller to fill. */
static struct shape run_open(const struct nod_cfg *c, uint8_t *page, const struct shape *s, const struct run *r)
{
	assert(r->at == s->n || r->m == 1);
	struct shape t = shape_of(c, s->leaf, s->n + r->m);
	uint32_t at = r->at, behind = s->n - at, width = key_width(s->ints);
	uint32_t keys = key_start(s, page, s->n), keys_before = key_start(s, page, at);
	uint32_t values = value_start(s, page, s->n), values_before = value_start(s, page, at);
	uint8_t *end = page + s->page_bytes;
	t.first_empty = s->first_empty;

	memmove(end - values - r->value_bytes, end - values, values - values_before);
	/* The front from its top, for all of it moves up. */
	memmove(page + t.key_bytes + keys_before + r->key_bytes, page + s->key_bytes + keys_before, keys - keys_before);
	memmove(page + t.key_bytes, page + s->key_bytes, keys_before);
	memmove(page + t.flags, page + s->flags, (s->n + 1) / 2);
	if (r->m == 1)
		flags_open(page + t.flags, at, s->n);
	if (s->leaf) {
		uint8_t *to = page + t.value_ends;
		memmove(to + 2 * (at + r->m), page + s->value_ends + 2 * at, 2 * behind);
		memmove(to, page + s->value_ends, 2 * at);
		starts_add(to + 2 * (at + r->m), behind, (int32_t)r->value_bytes);
	}
	uint8_t *key = page + KEYS_AT + width * at;
	memmove(key + width * r->m, key, width * behind);
	if (!s->ints)
		starts_add(key + width * r->m, behind, (int32_t)r->key_bytes);
	header_put(&t, page);
	return t;
}

/* Take entries [at, at + m) out, one anywhere or any number at the end, and zero what comes free. */
static void run_close(const struct nod_cfg *c, uint8_t *page, const struct shape *s, uint32_t at, uint32_t m)
{
	assert(at + m == s->n || m == 1);
	struct shape t = shape_of(c, s->leaf, s->n - m);
	uint32_t behind = t.n - at, width = key_width(s->ints);
	uint32_t keys = key_start(s, page, s->n), values = value_start(s, page, s->n);
	uint32_t key_lo = key_start(s, page, at), key_hi = key_start(s, page, at + m), key_gone = key_hi - key_lo;
	uint32_t value_lo = value_start(s, page, at), value_hi = value_start(s, page, at + m);
	uint32_t value_gone = value_hi - value_lo;
	uint8_t *end = page + s->page_bytes, *key = page + KEYS_AT + width * at;
	t.first_empty = s->first_empty && at > 0;

	/* The front from its bottom, for all of it moves down. */
	memmove(key, key + width * m, width * behind);
	if (!s->ints)
		starts_add(key, behind, -(int32_t)key_gone);
	if (s->leaf) {
		uint8_t *to = page + t.value_ends;
		memmove(to, page + s->value_ends, 2 * at);
		memmove(to + 2 * at, page + s->value_ends + 2 * (at + m), 2 * behind);
		starts_add(to + 2 * at, behind, -(int32_t)value_gone);
	}
	if (behind)
		flags_close(page + s->flags, at, s->n);
	memmove(page + t.flags, page + s->flags, (t.n + 1) / 2);
	if (t.n % 2)
		flags_put(page + t.flags, t.n, 0);
	memmove(page + t.key_bytes, page + s->key_bytes, key_lo);
	memmove(page + t.key_bytes + key_lo, page + s->key_bytes + key_hi, keys - key_hi);
	uint32_t front = t.key_bytes + keys - key_gone;
	memset(page + front, 0, s->key_bytes + keys - front);
	memmove(end - values + value_gone, end - values, values - value_hi);
	memset(end - values, 0, value_gone);
	header_put(&t, page);
}

static void key_put(struct shape *s, uint8_t *page, uint32_t i, pl_slice key)
{
	if (!s->ints) {
		uint32_t start = key_start(s, page, i);
		put16(page + KEYS_AT + 2 * i, (uint16_t)(start + key.n));
		if (key.n)
			memcpy(page + s->key_bytes + start, key.p, key.n);
		return;
	}
	assert(key.n == 8 || (key.n == 0 && i == 0 && !s->leaf));
	put64(page + KEYS_AT + (size_t)8 * i, key.n ? be64(key.p) : 0);
	if (key.n == 0) {
		s->first_empty = true;
		header_put(s, page);
	}
}

/* Append entries [from, to) of src, which fit, to dst; the first gets the key *first instead of its own. */
static void run_append(
	const struct nod_cfg *c, uint8_t *dst, const uint8_t *src, uint32_t from, uint32_t to, const pl_slice *first)
{
	struct shape s = shape_read(c, src), d = shape_read(c, dst);
	uint8_t key8[8];
	if (from == to)
		return;
	pl_slice head = first ? *first : key_of(&s, src, from, key8);
	uint32_t keys_from = key_end(&s, src, from), keys_to = key_end(&s, src, to - 1);
	uint32_t values_from = value_start(&s, src, from), values_to = value_start(&s, src, to);
	struct run r = {d.n, to - from, s.ints ? 0 : (uint32_t)head.n + keys_to - keys_from, values_to - values_from};
	uint32_t keys_at = key_start(&d, dst, d.n), values_at = value_start(&d, dst, d.n);
	d = run_open(c, dst, &d, &r);

	uint32_t width = key_width(s.ints), rest = r.m - 1;
	key_put(&d, dst, r.at, head);
	uint8_t *key = dst + KEYS_AT + width * (r.at + 1);
	memcpy(key, src + KEYS_AT + width * (from + 1), width * rest);
	if (!s.ints) {
		uint32_t base = keys_at + (uint32_t)head.n;
		starts_add(key, rest, (int32_t)base - (int32_t)keys_from);
		memcpy(dst + d.key_bytes + base, src + s.key_bytes + keys_from, keys_to - keys_from);
	}
	if (s.leaf) {
		memcpy(dst + d.value_ends + 2 * r.at, src + s.value_ends + 2 * from, 2 * r.m);
		starts_add(dst + d.value_ends + 2 * r.at, r.m, (int32_t)values_at - (int32_t)values_from);
	}
	memcpy(dst + d.page_bytes - values_at - r.value_bytes, src + s.page_bytes - values_to, r.value_bytes);
	if (d.n % 2)
		flags_put(dst + d.flags, d.n, 0);
	for (uint32_t i = 0; i < r.m; i++)
		flags_put(dst + d.flags, r.at + i, flags_get(&s, src, from + i));
}

/* ---- the operations ---- */

static int ordinal_configure(struct nod_cfg *c, const struct pl_conf *conf, struct pl_fault *f)
{
	(void)conf;
	if (c->page_bytes > PAGE_BYTES_MAX)
		return pl_fault_set(f, PL_INVALID,
			"node=ordinal keeps starts in 16 bits, so page_bytes is at most %u, not %u", PAGE_BYTES_MAX,
			c->page_bytes);
	return PL_OK;
}

static void ordinal_init(const struct nod_cfg *c, uint8_t *page, bool leaf, pl_slice lower, pl_slice upper)
{
	(void)lower;
	(void)upper;
	struct shape s = shape_of(c, leaf, 0);
	memset(page + PL_PAGE_HEADER, 0, c->page_bytes - PL_PAGE_HEADER);
	header_put(&s, page);
}

static uint32_t ordinal_count(const struct nod_cfg *c, const uint8_t *page)
{
	return shape_read(c, page).n;
}

static uint32_t ordinal_lower_bound(const struct nod_cfg *c, const uint8_t *page, pl_slice key, bool *exact)
{
	struct shape s = shape_read(c, page);
	return s.ints ? int_lower_bound(&s, page, key, exact) : bytes_lower_bound(&s, page, key, exact);
}

static void ordinal_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e)
{
	struct shape s = shape_read(c, page);
	pl_slice none = pl_slice_of(page + PL_PAGE_HEADER, 0);
	e->prefix = e->suffix = e->value = none;
	e->flags = 0;
	if (slot >= s.n)
		return;
	e->suffix = key_of(&s, page, slot, e->key8);
	e->value = value_of(&s, page, slot);
	e->flags = flags_get(&s, page, slot);
}

static bool ordinal_room(const struct nod_cfg *c, const uint8_t *page, size_t key_bytes, size_t value_bytes)
{
	struct shape s = shape_read(c, page);
	return run_fits(c, page, &s, 1, s.ints ? 0 : key_bytes, value_bytes);
}

static int ordinal_insert(
	const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice key, pl_slice value, unsigned flags)
{
	struct shape s = shape_read(c, page);
	assert(slot <= s.n && (slot || !s.first_empty));
	assert(s.leaf || value.n == POINTER_BYTES);
	if (!run_fits(c, page, &s, 1, s.ints ? 0 : key.n, value.n))
		return PL_NOFIT;
	struct run r = {slot, 1, s.ints ? 0 : (uint32_t)key.n, (uint32_t)value.n};
	uint32_t value_at = value_start(&s, page, slot);
	s = run_open(c, page, &s, &r);
	key_put(&s, page, slot, key);
	if (s.leaf)
		put16(page + s.value_ends + 2 * slot, (uint16_t)(value_at + value.n));
	if (value.n)
		memcpy(page + s.page_bytes - value_at - value.n, value.p, value.n);
	flags_put(page + s.flags, slot, flags);
	return PL_OK;
}

static int ordinal_update(const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags)
{
	struct shape s = shape_read(c, page);
	assert(slot < s.n);
	assert(s.leaf || value.n == POINTER_BYTES);
	uint32_t start = value_start(&s, page, slot), stop = value_end(&s, page, slot),
		 all = value_start(&s, page, s.n);
	uint32_t was = stop - start, is = (uint32_t)value.n;
	uint8_t *end = page + s.page_bytes;
	if (value.n > was && !run_fits(c, page, &s, 0, 0, value.n - was))
		return PL_NOFIT;
	if (is != was) {
		memmove(end - all + was - is, end - all, all - stop);
		if (is < was)
			memset(end - all, 0, was - is);
		starts_add(page + s.value_ends + 2 * slot, s.n - slot, (int32_t)is - (int32_t)was);
	}
	if (is)
		memcpy(end - start - is, value.p, is);
	flags_put(page + s.flags, slot, flags);
	return PL_OK;
}

static void ordinal_remove(const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	struct shape s = shape_read(c, page);
	assert(slot < s.n);
	run_close(c, page, &s, slot, 1);
}

/* Bytes that entries [0, i) take, in half bytes. */
static uint32_t halves_before(const struct shape *s, const uint8_t *page, uint32_t i)
{
	uint32_t fixed = 2 * (key_width(s->ints) + (s->leaf ? 2 : 0)) + 1;
	return fixed * i + 2 * (key_start(s, page, i) + value_start(s, page, i));
}

/* First entry of the right page such that the greater half is least; both pages get one at least. An entry takes at
 * most a quarter of a page, so the greater half is at most 5/8 and leaves room for one more. */
static uint32_t middle(const struct shape *s, const uint8_t *page)
{
	uint32_t all = halves_before(s, page, s->n), lo = 1, hi = s->n - 1;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (2 * halves_before(s, page, mid) < all)
			lo = mid + 1;
		else
			hi = mid;
	}
	uint32_t left = halves_before(s, page, lo), right_if_less = all - halves_before(s, page, lo - 1);
	return lo > 1 && right_if_less < left ? lo - 1 : lo;
}

/* The shortest key in (a, b]: b up to the first byte where they differ. Integer keys have no shorter form. */
static pl_slice shortest(const struct shape *s, pl_slice a, pl_slice b)
{
	size_t n = 0;
	if (s->ints)
		return b;
	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return pl_slice_of(b.p, n < b.n ? n + 1 : n);
}

static void ordinal_split(const struct nod_cfg *c, uint8_t *left, uint8_t *right, uint32_t slot, pl_slice key,
	uint8_t *sep, size_t *sep_bytes)
{
	struct shape s = shape_read(c, left);
	uint8_t low8[8], high8[8];
	bool append = slot == s.n;
	assert(append ? s.leaf || s.n >= 2 : s.n >= 2);
	uint32_t m = !append ? middle(&s, left) : s.leaf ? s.n : s.n - 1;
	pl_slice low = m ? key_of(&s, left, m - 1, low8) : pl_slice_of(low8, 0);
	pl_slice high = m < s.n ? key_of(&s, left, m, high8) : key;
	pl_slice between = s.leaf && m ? shortest(&s, low, high) : high;
	pl_slice none = pl_slice_of(sep, 0);

	if (between.n)
		memcpy(sep, between.p, between.n);
	*sep_bytes = between.n;
	ordinal_init(c, right, s.leaf, none, none);
	run_append(c, right, left, m, s.n, s.leaf ? NULL : &none);
	if (m < s.n)
		run_close(c, left, &s, m, s.n - m);
}

static int ordinal_merge(const struct nod_cfg *c, uint8_t *left, const uint8_t *right, pl_slice sep)
{
	struct shape l = shape_read(c, left), r = shape_read(c, right);
	assert(l.leaf == r.leaf);
	if (r.n == 0)
		return PL_OK;
	uint64_t key_bytes = key_start(&r, right, r.n);
	if (!r.leaf && !r.ints)
		key_bytes += sep.n - key_end(&r, right, 0);
	if (!run_fits(c, left, &l, r.n, key_bytes, value_start(&r, right, r.n)))
		return PL_NOFIT;
	run_append(c, left, right, 0, r.n, r.leaf ? NULL : &sep);
	return PL_OK;
}

static void ordinal_compact(const struct nod_cfg *c, uint8_t *page)
{
	(void)c;
	(void)page;
}

static struct nod_gap ordinal_gap(const struct nod_cfg *c, const uint8_t *page)
{
	struct shape s = shape_read(c, page);
	return gap_of(&s, page);
}

static uint32_t ordinal_live_bytes(const struct nod_cfg *c, const uint8_t *page)
{
	struct nod_gap gap = ordinal_gap(c, page);
	return c->page_bytes - PL_PAGE_HEADER - (gap.hi - gap.lo);
}

/* ---- check ---- */

struct verdict {
	char *why;
	size_t why_bytes;
};

static int PL_PRINTF(2, 3) damaged(const struct verdict *v, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (v->why_bytes)
		vsnprintf(v->why, v->why_bytes, fmt, ap);
	va_end(ap);
	return PL_DAMAGED;
}

static int check_header(const struct shape *s, const uint8_t *page, bool leaf, const struct verdict *v)
{
	if (s->leaf != leaf)
		return damaged(v, "the page says it is %s, its place says %s", s->leaf ? "a leaf" : "an inner node",
			leaf ? "a leaf" : "an inner node");
	if (!shape_fits(s))
		return damaged(v, "%u entries do not fit in the page", s->n);
	if (page[FORM_AT] & ~(FORM_LEAF | FORM_FIRST_EMPTY))
		return damaged(v, "unknown bits in the form byte: 0x%02x", page[FORM_AT]);
	for (uint32_t i = ZERO_AT; i < KEYS_AT; i++)
		if (page[i])
			return damaged(v, "reserved byte %u is not zero", i);
	if (page[FORM_AT] & FORM_FIRST_EMPTY && (!s->ints || s->leaf || !s->n || int_key(page, 0)))
		return damaged(v, "the mark of an empty first key where there is none");
	if (s->n % 2 && flags_get(s, page, s->n))
		return damaged(v, "the spare half byte of the flags is not zero");
	return PL_OK;
}

/* On raw values, for key_end and value_end hide what is out of bounds. */
static int check_ends(const struct shape *s, const uint8_t *page, const struct nod_cfg *c, const struct verdict *v)
{
	uint32_t keys = 0, values = s->leaf ? 0 : POINTER_BYTES * s->n;
	for (uint32_t i = 0; i < s->n && !s->ints; i++) {
		uint32_t end = le16(page + KEYS_AT + 2 * i);
		if (end < keys)
			return damaged(v, "the start of key %u is above its end (%u > %u)", i, keys, end);
		if (end - keys > c->max_key_bytes)
			return damaged(v, "key %u has %u bytes, allowed are %u", i, end - keys, c->max_key_bytes);
		keys = end;
	}
	for (uint32_t i = 0; i < s->n && s->leaf; i++) {
		uint32_t end = le16(page + s->value_ends + 2 * i);
		if (end < values)
			return damaged(v, "the start of value %u is above its end (%u > %u)", i, values, end);
		values = end;
	}
	if (s->key_bytes + keys + values > s->page_bytes)
		return damaged(v, "keys (to %u) and values (from %d) overlap", s->key_bytes + keys,
			(int)s->page_bytes - (int)values);
	return PL_OK;
}

static int ordinal_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes)
{
	struct verdict v = {why, why_bytes};
	uint32_t word = load32_once(page + COUNT_AT), form = word >> 16;
	struct shape s = shape_of(c, form & FORM_LEAF, word & 0xFFFF);
	s.first_empty = s.ints && s.n && form & FORM_FIRST_EMPTY;
	int err = check_header(&s, page, leaf, &v);
	if (!err)
		err = check_ends(&s, page, c, &v);
	if (err)
		return err;
	for (uint32_t i = 1; i < s.n; i++) {
		uint8_t low8[8], high8[8];
		if (key_cmp(key_of(&s, page, i - 1, low8), key_of(&s, page, i, high8)) >= 0)
			return damaged(&v, "key %u is not above key %u", i, i - 1);
	}
	struct nod_gap gap = gap_of(&s, page);
	for (uint32_t i = gap.lo; i < gap.hi; i++)
		if (page[i])
			return damaged(&v, "free byte %u is not zero", i);
	return PL_OK;
}

/* Which bytes of the page serve what. */
static void ordinal_anatomy(const struct nod_cfg *c, const uint8_t *page, struct nod_anatomy *out)
{
	struct shape s = shape_read(c, page);
	struct nod_gap gap = gap_of(&s, page);
	*out = (struct nod_anatomy){.fixed_bytes = KEYS_AT - PL_PAGE_HEADER};
	out->slot_bytes = (s.ints ? 0 : 2 * s.n) + (s.leaf ? 2 * s.n : 0) + (s.n + 1) / 2;
	out->key_bytes = s.ints ? 8 * s.n : key_start(&s, page, s.n);
	out->value_bytes = value_start(&s, page, s.n);
	out->free_bytes = gap.hi - gap.lo;
}

const struct nod_ops nod_ordinal = {
	.name = "ordinal",
	.summary = "parallel dense arrays: keys, starts and blobs in key order; nothing to compact",
	.configure = ordinal_configure,
	.init = ordinal_init,
	.count = ordinal_count,
	.lower_bound = ordinal_lower_bound,
	.entry = ordinal_entry,
	.room = ordinal_room,
	.insert = ordinal_insert,
	.update = ordinal_update,
	.remove = ordinal_remove,
	.split = ordinal_split,
	.merge = ordinal_merge,
	.compact = ordinal_compact,
	.gap = ordinal_gap,
	.live_bytes = ordinal_live_bytes,
	.check = ordinal_check,
	.anatomy = ordinal_anatomy,
};
