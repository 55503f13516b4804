/* meta.c - the meta stream: where anchors live.
 *
 * Two halves (two regions; on sequential devices two zones). A half begins with a base, which holds the whole state of
 * the addressing, then one record per anchor with what changed. Each record is written twice, one copy right behind the
 * other; either suffices. A full half, or the first anchor after an opening, means: a new base in the other half.
 *
 *   0 u32 magic "PLAN"    24 u32 kind        64 u64 records         104 u32 batch crc
 *   4 u32 version         28 u32 flags       72 u64 overflow pages  108 u32 spec bytes (base only)
 *   8 u32 store tag       32 u64 epoch       80 u64 journal head    112 u64 payload bytes, with the spec
 *  12 u32 crc32c          40 u64 cut lsn     88 u64 batch position  120 u64 clock (page.h)
 *  16 u64 sequence        48 u64 log seq.    96 u64 batch entries   128 payload: [spec] [addressing]
 *                         56 u64 log gen.
 *
 * The crc covers the header (its own field zero) and the payload. Newest anchor = newest valid base and the consecutive
 * valid records behind it: sequence = previous + 1, so that stale records of an earlier use of the half never join. */
#include "engine/base/crc32c.h"
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define META_MAGIC 0x4E414C50u /* "PLAN" */
#define META_VERSION 1u
#define META_HEADER 128u

enum { META_BASE = 1, META_DELTA = 2 };

static uint64_t blocks_of(const struct store *s, size_t payload)
{
	return pl_div_up(META_HEADER + payload, s->block_bytes);
}

static size_t spec_bytes(const struct store *s)
{
	return strlen(s->spec);
}

/* A half holds a base twice and a good number of the largest deltas twice. */
size_t meta_half_blocks(const struct store *s)
{
	uint64_t base = blocks_of(s, spec_bytes(s) + s->choice.addressing->base_bytes(s));
	uint64_t delta = blocks_of(s, s->choice.addressing->delta_bytes(s));
	return (size_t)(2 * base + 2 * delta * 4 + 32);
}

int meta_open(struct store *s, struct pl_fault *f)
{
	uint64_t base = blocks_of(s, spec_bytes(s) + s->choice.addressing->base_bytes(s));
	uint64_t delta = blocks_of(s, s->choice.addressing->delta_bytes(s));
	if (2 * base + 2 * delta > s->layout.meta_blocks)
		return pl_fault_set(f, PL_FULL,
			"a meta half of %" PRIu64 " blocks cannot hold a base twice (2 * %" PRIu64
			") and the largest delta twice (2 * %" PRIu64 "); use larger zones or a smaller device",
			s->layout.meta_blocks, base, delta);
	s->meta_buf_bytes = (size_t)((base > delta ? base : delta) * 2) * s->block_bytes;
	s->meta_buf = aligned_alloc(4096, (s->meta_buf_bytes + 4095) & ~(size_t)4095);
	return s->meta_buf ? PL_OK : pl_fault_set(f, PL_NOMEM, "no memory for anchors");
}

void meta_close(struct store *s)
{
	free(s->meta_buf);
}

bool meta_wants_base(const struct store *s)
{
	uint64_t delta = blocks_of(s, s->choice.addressing->delta_bytes(s));
	return s->meta_new_base || s->meta_next + 2 * delta > s->layout.meta_blocks;
}

static uint32_t crc_of(const uint8_t *rec, size_t payload)
{
	static const uint8_t zero[4];
	uint32_t c = pl_crc32c(0, rec, 12);
	c = pl_crc32c(c, zero, 4);
	return pl_crc32c(c, rec + 16, META_HEADER - 16 + payload);
}

static size_t encode(struct store *s, const struct anchor *a, bool base, uint8_t *r)
{
	size_t spec = base ? spec_bytes(s) : 0;
	memset(r, 0, META_HEADER);
	if (base)
		memcpy(r + META_HEADER, s->spec, spec);
	size_t n = base ? s->choice.addressing->write_base(s, r + META_HEADER + spec)
			: s->choice.addressing->write_delta(s, r + META_HEADER);
	put32(r, META_MAGIC);
	put32(r + 4, META_VERSION);
	put32(r + 8, s->tag);
	put64(r + 16, a->sequence);
	put32(r + 24, base ? META_BASE : META_DELTA);
	put32(r + 28, a->flags);
	put64(r + 32, a->epoch);
	put64(r + 40, a->cut_lsn);
	put64(r + 48, a->log_sequence);
	put64(r + 56, a->log_generation);
	put64(r + 64, a->records);
	put64(r + 72, a->overflow_pages);
	put64(r + 80, a->journal_head);
	put64(r + 88, a->batch_position);
	put64(r + 96, a->batch_entries);
	put32(r + 104, a->batch_crc);
	put32(r + 108, (uint32_t)spec);
	put64(r + 112, spec + n);
	put64(r + 120, a->clock);
	put32(r + 12, crc_of(r, spec + n));
	return spec + n;
}

static void decode(const uint8_t *r, struct anchor *a)
{
	a->sequence = le64(r + 16);
	a->flags = le32(r + 28);
	a->epoch = le64(r + 32);
	a->cut_lsn = le64(r + 40);
	a->log_sequence = le64(r + 48);
	a->log_generation = le64(r + 56);
	a->records = le64(r + 64);
	a->overflow_pages = le64(r + 72);
	a->journal_head = le64(r + 80);
	a->batch_position = le64(r + 88);
	a->batch_entries = le64(r + 96);
	a->batch_crc = le32(r + 104);
	a->clock = le64(r + 120);
}

int meta_write(struct store *s, struct pl_ctx *x, struct anchor *a, bool base)
{
	if (s->failed)
		return PL_FAILED;
	uint64_t half = s->meta_half, at = s->meta_next;
	if (base) {
		if (a->sequence > 1 && kv_broken != KV_BREAK_META_HALF)
			half ^= 1;
		at = 0;
		if (s->dev->caps.sequential && io_zone(s, x, DEV_ZONE_RESET, s->layout.meta_start[half]) != PL_OK)
			return PL_FAILED;
	}
	size_t payload = encode(s, a, base, s->meta_buf);
	uint64_t blocks = blocks_of(s, payload);
	size_t bytes = (size_t)blocks * s->block_bytes;
	memset(s->meta_buf + META_HEADER + payload, 0, bytes - META_HEADER - payload);
	memcpy(s->meta_buf + bytes, s->meta_buf, bytes);
	if (io_write(s, x, DEV_TAG_META, s->layout.meta_start[half] + at, (uint32_t)(2 * blocks), s->meta_buf) != PL_OK)
		return PL_FAILED;
	if (kv_broken != KV_BREAK_ANCHOR_SYNC && io_sync(s, x) != PL_OK)
		return PL_FAILED;
	s->meta_half = half;
	s->meta_next = at + 2 * blocks;
	s->meta_new_base = false;
	return PL_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct half {
	uint8_t *bytes;
	uint64_t blocks;
};

/* The valid record of this sequence (0: any base) at block `at`; its payload bytes in *payload. */
static bool valid_at(const struct store *s, const struct half *h, uint64_t at, uint64_t sequence, size_t *payload)
{
	const uint8_t *r = h->bytes + (size_t)at * s->block_bytes;
	size_t room = (size_t)(h->blocks - at) * s->block_bytes;
	if (le32(r) != META_MAGIC || le32(r + 4) != META_VERSION || le32(r + 24) != (sequence ? META_DELTA : META_BASE))
		return false;
	uint64_t n = le64(r + 112);
	if (n > room - META_HEADER || (sequence && le64(r + 16) != sequence) || le32(r + 108) > n)
		return false;
	*payload = (size_t)n;
	return le32(r + 12) == crc_of(r, (size_t)n) || kv_broken == KV_BREAK_CHECKSUM;
}

/* First copy at `at`, or the second behind a damaged first: the next valid record of the sequence within reach. */
static bool find_record(
	const struct store *s, const struct half *h, uint64_t at, uint64_t sequence, uint64_t *found, size_t *payload)
{
	uint64_t reach = at + s->meta_buf_bytes / s->block_bytes;
	for (uint64_t b = at; b < h->blocks && b < reach; b++)
		if (valid_at(s, h, b, sequence, payload)) {
			*found = b;
			return true;
		}
	return false;
}

static int compare_spec(const struct store *s, const char *found, size_t n, struct pl_fault *f)
{
	const char *want = s->spec;
	size_t i = 0, line = 0;
	while (i < n && want[i] && want[i] == found[i]) {
		if (want[i] == '\n')
			line = i + 1;
		i++;
	}
	if (i == n && !want[i])
		return PL_OK;
	int wn = (int)strcspn(want + line, "\n"), fn = 0;
	while (line + (size_t)fn < n && found[line + (size_t)fn] != '\n')
		fn++;
	return pl_fault_set(f, PL_INVALID,
		"the store was made with '%.*s', not '%.*s': open it with the options it was made with", fn,
		found + line, wn, want + line);
}

static int read_half(struct store *s, struct pl_ctx *x, uint64_t half, struct half *h)
{
	h->blocks = s->layout.meta_blocks;
	h->bytes = aligned_alloc(4096, (size_t)h->blocks * s->block_bytes);
	if (!h->bytes)
		return PL_NOMEM;
	for (uint64_t b = 0; b < h->blocks; b += 256) {
		uint32_t n = (uint32_t)pl_min64(256, h->blocks - b);
		int err = io_read(
			s, x, DEV_TAG_META, s->layout.meta_start[half] + b, n, h->bytes + (size_t)b * s->block_bytes);
		if (err)
			return err;
	}
	return PL_OK;
}

/* Read base and records of the chosen half into the addressing; s->anchor is the newest. */
static int read_chain(struct store *s, const struct half *h, uint64_t at, size_t payload, struct pl_fault *f)
{
	const uint8_t *r = h->bytes + (size_t)at * s->block_bytes;
	size_t spec = le32(r + 108);
	int err = compare_spec(s, (const char *)r + META_HEADER, spec, f);
	if (err)
		return err;
	s->tag = le32(r + 8);
	decode(r, &s->anchor);
	err = s->choice.addressing->read_base(s, r + META_HEADER + spec, payload - spec, f);
	uint64_t next = at ? at + blocks_of(s, payload) : 2 * blocks_of(s, payload);
	while (!err && find_record(s, h, next, s->anchor.sequence + 1, &at, &payload)) {
		r = h->bytes + (size_t)at * s->block_bytes;
		if (le32(r + 8) != s->tag)
			break;
		decode(r, &s->anchor);
		err = s->choice.addressing->read_delta(s, r + META_HEADER, payload, f);
		/* behind both copies: if this is the second, the next record follows it at once */
		next = at == next ? at + 2 * blocks_of(s, payload) : at + blocks_of(s, payload);
	}
	return err;
}

int meta_read(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	struct half h[2] = {{0}};
	uint64_t at[2] = {0}, best = 2;
	size_t payload[2] = {0};
	int err = PL_OK;
	for (uint64_t i = 0; i < 2; i++) {
		err = read_half(s, x, i, &h[i]);
		if (err) {
			(void)pl_fault_set(f, err, "meta half %" PRIu64 " cannot be read: %s", i, pl_err_text(err));
			goto out;
		}
		if (!find_record(s, &h[i], 0, 0, &at[i], &payload[i]))
			continue;
		if (best == 2 || le64(h[i].bytes + (size_t)at[i] * s->block_bytes + 16) >
					 le64(h[best].bytes + (size_t)at[best] * s->block_bytes + 16))
			best = i;
	}
	if (best == 2) {
		err = pl_fault_set(f, PL_NOTSTORE,
			"no valid anchor in either meta half (blocks %" PRIu64 " and %" PRIu64
			"): not a pagelab store, or made with other options",
			s->layout.meta_start[0], s->layout.meta_start[1]);
		goto out;
	}
	err = read_chain(s, &h[best], at[best], payload[best], f);
	s->meta_half = best;
	s->meta_next = s->layout.meta_blocks;
	s->meta_new_base = true;
out:
	free(h[0].bytes);
	free(h[1].bytes);
	return err;
}
