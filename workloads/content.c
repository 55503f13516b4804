/* content.c - the bytes of a field, from (seed of the run, key number, field, version) alone.
 *
 * Stock payload: byte j of a field is one of 32 (j mod 3 = 0) or 64 printable characters, the sets upstream's
 * RandomByteIterator uses at that place (32 + a random number masked by 31, 63 or 95). Upstream takes six bytes from
 * 32 bits, here every byte has bits of its own; both hold about 5.5 bits a byte that no match finder finds, and LZ4
 * makes both slightly larger.
 *
 * With value.compressibility x a field is
 *
 *   0                 n - floor(x n)                  n
 *   | random          | the same bytes over again ... |
 *
 * as db_bench does with its compression_ratio. At least 8 bytes (or all) stay random, so that versions differ.
 *
 * A field's length depends on its key and number, not on the version: an update changes bytes, never lengths.
 *
 * Cost: 3.5 GB/s in fields of 100 bytes, 8 GB/s in fields of 1000, twice that at compressibility 0.5. */
#include "workloads/core.h"

#include "engine/base/le.h"

#include <assert.h>
#include <lz4.h>
#include <string.h>

#define RANDOM_BYTES_MIN 8u

/* The masks 31, 63, 95 repeated over three words of 8 bytes. */
static const uint64_t mask[3] = {0x3f1f5f3f1f5f3f1fu, 0x1f5f3f1f5f3f1f5fu, 0x5f3f1f5f3f1f5f3fu};
#define BLANKS 0x2020202020202020u

static uint64_t field_seed(const struct wl *w, uint64_t keynum, uint64_t low)
{
	return pl_mix64(pl_mix64(w->content_seed ^ keynum) ^ low);
}

uint32_t wl_field_bytes(const struct wl *w, uint64_t keynum, uint32_t field)
{
	const struct wl_spec *s = &w->spec;
	if (s->lengths == WL_LENGTH_CONSTANT)
		return s->field_bytes;
	uint64_t bits = pl_mix64(field_seed(w, keynum, ~(uint64_t)field)), n = 0;
	struct gen_zipfian lengths;
	switch (s->lengths) {
	case WL_LENGTH_CONSTANT:
	case WL_LENGTH_UNIFORM:
		n = gen_uniform(s->field_bytes_min, s->field_bytes, bits);
		break;
	case WL_LENGTH_ZIPFIAN:
		lengths = w->lengths; /* the count is constant, so the copy stays unchanged */
		n = pl_min64(s->field_bytes_min + gen_zipfian(&lengths, lengths.items, gen_unit(bits)), s->field_bytes);
		break;
	case WL_LENGTH_HISTOGRAM:
		n = gen_histogram(&w->histogram, (bits >> 32) * w->histogram.area >> 32);
		break;
	}
	return (uint32_t)n;
}

void wl_field_extent(const struct wl *w, uint64_t keynum, uint32_t field, uint32_t *offset, uint32_t *bytes)
{
	assert(field < w->spec.fields);
	*offset = 0;
	if (w->spec.lengths == WL_LENGTH_CONSTANT)
		*offset = field * w->spec.field_bytes;
	else
		for (uint32_t i = 0; i < field; i++)
			*offset += wl_field_bytes(w, keynum, i);
	*bytes = wl_field_bytes(w, keynum, field);
}

uint32_t wl_record_bytes(const struct wl *w, uint64_t keynum)
{
	uint32_t offset, bytes;
	wl_field_extent(w, keynum, w->spec.fields - 1, &offset, &bytes);
	return offset + bytes;
}

static void fill_random(struct pl_rng *r, uint8_t *out, uint32_t n)
{
	uint32_t i = 0, k = 0;
	for (; i + 24 <= n; i += 24)
		for (uint32_t j = 0; j < 3; j++)
			put64(out + i + 8 * j, (pl_rng_next(r) & mask[j]) + BLANKS);
	for (; i + 8 <= n; i += 8)
		put64(out + i, (pl_rng_next(r) & mask[k++]) + BLANKS);
	if (i < n) {
		uint64_t last = (pl_rng_next(r) & mask[k]) + BLANKS;
		memcpy(out + i, &last, n - i);
	}
}

/* The first want bytes of a field of n bytes. */
static void fill_field(
	const struct wl *w, uint64_t keynum, uint32_t field, uint32_t version, uint32_t n, uint8_t *out, uint32_t want)
{
	struct pl_rng r;
	uint64_t x = field_seed(w, keynum, (uint64_t)field << 32 | version);
	for (int i = 0; i < 4; i++)
		r.s[i] = pl_splitmix64(&x);
	uint32_t fresh = n - (uint32_t)(n * w->spec.compressible_q32 >> 32);
	if (fresh < RANDOM_BYTES_MIN)
		fresh = n < RANDOM_BYTES_MIN ? n : RANDOM_BYTES_MIN;
	uint32_t done = fresh < want ? fresh : want;
	fill_random(&r, out, done);
	while (done < want) {
		uint32_t more = want - done < done ? want - done : done;
		memcpy(out + done, out, more);
		done += more;
	}
}

void wl_field(const struct wl *w, uint64_t keynum, uint32_t field, uint32_t version, uint8_t *out)
{
	assert(field < w->spec.fields);
	uint32_t n = wl_field_bytes(w, keynum, field);
	fill_field(w, keynum, field, version, n, out, n);
}

#define SAMPLE_BYTES 4096u
#define SAMPLES 16u

/* One 4 KiB run of values from record *i on, values end to end as loaded. */
static void sample_values(const struct wl *w, uint64_t *i, uint8_t *out)
{
	uint32_t used = 0;
	for (; used < SAMPLE_BYTES; (*i)++) {
		uint64_t keynum = wl_load_keynum(w, *i % wl_records(w));
		uint32_t before = used;
		for (uint32_t field = 0; field < w->spec.fields && used < SAMPLE_BYTES; field++) {
			uint32_t n = wl_field_bytes(w, keynum, field);
			uint32_t want = n < SAMPLE_BYTES - used ? n : SAMPLE_BYTES - used;
			fill_field(w, keynum, field, (uint32_t)(*i / wl_records(w)), n, out + used, want);
			used += want;
		}
		if (used == before) /* a record may be empty under a histogram */
			out[used++] = 0;
	}
}

static uint32_t lz4_permille(const struct wl *w)
{
	uint8_t page[SAMPLE_BYTES];
	char packed[LZ4_COMPRESSBOUND(SAMPLE_BYTES)];
	uint64_t i = 0, sum = 0;
	for (uint32_t k = 0; k < SAMPLES; k++) {
		sample_values(w, &i, page);
		sum += (uint64_t)LZ4_compress_default((const char *)page, packed, SAMPLE_BYTES, sizeof packed);
	}
	return (uint32_t)(sum * 1000 / (SAMPLES * SAMPLE_BYTES));
}

static uint64_t items(const struct wl *w)
{
	switch (w->spec.request) {
	case WL_ZIPFIAN:
		return GEN_SCRAMBLED_ITEMS;
	case WL_LATEST:
		return w->latest.items;
	case WL_EXPONENTIAL:
		return w->spec.records;
	case WL_UNIFORM:
	case WL_ZIPF:
	case WL_HOTSPOT:
	case WL_SEQUENTIAL:
		break;
	}
	return w->spec.insertcount;
}

void wl_facts(const struct wl *w, struct wl_facts *out)
{
	uint8_t key[WL_KEY_MAX];
	uint64_t n = pl_min64(wl_records(w), 1000), bytes = 0;
	enum wl_request r = w->spec.request;
	for (uint64_t i = 0; i < n; i++)
		bytes += wl_key(w, wl_load_keynum(w, i), key);
	out->theta = r == WL_ZIPFIAN || r == WL_ZIPF || r == WL_LATEST ? w->spec.theta : 0;
	out->items = items(w);
	out->key_bytes_mean_milli = (uint32_t)(bytes * 1000 / n);
	out->value_lz4_permille = lz4_permille(w);
}
