/* corrupt_test.c - damaged media: a bit flipped, a sector zeroed or scribbled over, in every region of a store.
 *
 * Contract: what comes back is the data that was stored, or a clear error with a sentence; never other data, never a
 * crash (run it under the address sanitizer). One block is damaged at a time: each anchor is written twice, so no single
 * block can take one away, and a store that was closed must come back whole or say why not.
 * A store whose process died still needs its log: damage to the last flush of the log looks like a torn tail, and
 * recovery may then end earlier; nothing else may.
 *
 * Products of the sample (products.h) suffer all damages, the others a quarter of them.
 *
 *   PAGELAB_CORRUPT_STATES  damages per product and region
 *   PAGELAB_SEED, PAGELAB_PRODUCT, PAGELAB_SHARD, PAGELAB_SAMPLE   as in products.h */
#include "harness/campaign.h"
#include "harness/products.h"

#include "engine/iface/durability.h"
#include "engine/iface/guard.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPERATIONS 160u

struct subject {
	struct kv_choice choice;
	struct model_lab lab;
	char name[200];
	struct crash_trace trace;
	struct crash_image image; /* as it was closed or left */
	struct model model;
	uint64_t *hash; /* content after each of the operations: what a shorter log may give */
	size_t hashes;
	uint64_t *block[DEV_TAGS]; /* blocks that hold something, by who wrote them last */
	size_t blocks[DEV_TAGS];
	uint64_t tail_from; /* number of the last log write in the trace */
	bool closed;
	char text[900];
};

static bool PL_PRINTF(2, 3) wrong(struct subject *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!s->text[0])
		(void)vsnprintf(s->text, sizeof s->text, fmt, ap);
	va_end(ap);
	return false;
}

/* --- making the store ------------------------------------------------------------------------------------------ */

static const struct model_mix mix = {.put = 170, .update = 16, .rmw = 16, .erase = 24};

static int operate(struct subject *s, struct kv *kv, struct pl_ctx *x, uint64_t seed)
{
	struct model_client c;
	struct pl_rng rng;
	int err = PL_OK;
	pl_rng_seed(&rng, seed, 7);
	model_client_init(&c, &s->lab.form);
	s->hash = calloc(OPERATIONS + 1, sizeof *s->hash);
	s->hash[s->hashes++] = s->model.hash;
	for (uint32_t i = 0; i < OPERATIONS && !err; i++) {
		struct model_act a = model_draw(&s->lab.form, &mix, &rng);
		bool replaced;
		a.no_wait = false;
		int got = model_do(&c, kv, x, &a), want = model_perform(&s->model, &s->lab.form, &a, &replaced);
		s->hash[s->hashes++] = s->model.hash;
		if (got != want)
			err = got ? got : PL_FAILED;
		if (!err && i % 50 == 49)
			err = kv_checkpoint(kv, x);
	}
	model_client_free(&c);
	return err;
}

/* Who wrote each block last. */
static void find_regions(struct subject *s)
{
	const struct dev_caps *caps = &s->image.caps;
	uint8_t *tag = malloc(caps->capacity_blocks);
	memset(tag, DEV_TAGS, caps->capacity_blocks);
	for (uint64_t i = 0; i < s->trace.requests; i++) {
		const struct crash_request *r = &s->trace.request[i];
		for (uint32_t b = 0; r->data && b < r->blocks; b++)
			tag[r->block + b] = (uint8_t)r->tag;
		if (r->data && r->tag == DEV_TAG_LOG)
			s->tail_from = i;
	}
	for (uint64_t b = 0; b < caps->capacity_blocks; b++) {
		if (tag[b] == DEV_TAGS || !s->image.now.block[b])
			continue;
		size_t *n = &s->blocks[tag[b]];
		s->block[tag[b]] = realloc(s->block[tag[b]], (*n + 1) * sizeof(uint64_t));
		s->block[tag[b]][(*n)++] = b;
	}
	free(tag);
}

static bool make(struct subject *s, const struct kv_choice *c, uint64_t seed, bool closed)
{
	struct pl_fault f = {0};
	struct dev *inner, *d;
	struct pl_ctx x = {.simulated = true};
	struct kv *kv;
	memset(s, 0, sizeof *s);
	s->choice = *c;
	s->closed = closed;
	(void)model_product_name(c, s->name);
	model_lab_init(&s->lab, c, false);
	crash_trace_init(&s->trace);
	int err = model_lab_device(&s->lab, c, seed, NULL, &inner, &f);
	if (err)
		return wrong(s, "device: %s", f.text);
	err = crash_wrap(inner, &s->trace, UINT32_MAX, &d);
	assert(!err);
	err = kv_format(c, &s->lab.conf, seed, d, &x, &f);
	if (!err)
		err = kv_open(c, &s->lab.conf, d, &x, &kv, &f);
	if (!err) {
		err = operate(s, kv, &x, seed);
		if (!err && closed)
			err = kv_close(kv, &x, &f);
		else
			kv_abandon(kv);
	}
	if (!err) {
		struct crash_cursor cursor;
		crash_cursor_init(&cursor, &s->trace, NULL);
		crash_cursor_advance(&cursor, s->trace.events);
		crash_cut(&cursor, CRASH_POWER, 1, &s->image); /* everything arrived */
		crash_cursor_free(&cursor);
		find_regions(s);
	}
	dev_close(d);
	return err ? wrong(s, "making the store: %s: %s", pl_err_name(err), f.text) : true;
}

static void unmake(struct subject *s)
{
	if (s->image.now.block)
		crash_image_free(&s->image);
	crash_trace_free(&s->trace);
	model_free(&s->model);
	model_lab_free(&s->lab);
	free(s->hash);
	for (int t = 0; t < DEV_TAGS; t++)
		free(s->block[t]);
}

/* --- damaging it ----------------------------------------------------------------------------------------------- */

enum damage { FLIP, ZERO_SECTOR, SCRIBBLE, DAMAGES };
static const char *const damage_name[DAMAGES] = {"a flipped bit", "a zeroed sector", "a scribbled sector"};

static void inflict(enum damage d, struct pl_rng *rng, uint8_t *block, uint32_t bytes)
{
	uint64_t sector = pl_rng_below(rng, bytes / CRASH_SECTOR_BYTES) * CRASH_SECTOR_BYTES;
	/* half of the flips in the header */
	uint64_t bit = pl_rng_below(rng, pl_rng_below(rng, 2) ? 128 * 8 : bytes * 8u);
	if (d == FLIP)
		block[bit / 8] ^= (uint8_t)(1u << bit % 8);
	else if (d == ZERO_SECTOR)
		memset(block + sector, 0, CRASH_SECTOR_BYTES);
	else
		model_fill(pl_rng_next(rng) | 1, block + sector, CRASH_SECTOR_BYTES);
}

static bool clear(const char *text)
{
	bool digit = false;
	for (const char *p = text; *p; p++)
		digit |= isdigit((unsigned char)*p) != 0;
	return strlen(text) > 20 && digit && !strchr(text, '\n');
}

/* Every record by itself: the right value or damage, never another. */
static bool read_each(struct subject *s, struct kv *kv, struct pl_ctx *x, bool *damaged)
{
	struct model_client c;
	bool ok = true;
	model_client_init(&c, &s->lab.form);
	for (uint32_t k = 0; ok && k < s->lab.form.keys; k++) {
		struct model_act a = {.kind = KV_GET, .keynum = k};
		bool exact;
		int err = model_do(&c, kv, x, &a);
		size_t at = model_lower_bound(&s->model, c.op.key, &exact);
		if (err == PL_DAMAGED) {
			*damaged = true;
			ok = clear(kv_fault_text(kv))
				     ? true
				     : wrong(s, "get: PL_DAMAGED without a clear sentence: '%s'", kv_fault_text(kv));
		} else if (err != (exact ? PL_OK : PL_NOTFOUND)) {
			ok = wrong(s, "get of key %" PRIu32 " ended with %s", k, pl_err_name(err));
		} else if (!err && c.found != s->model.record[at].hash) {
			ok = wrong(s, "get of key %" PRIu32 " returned other data", k);
		}
	}
	model_client_free(&c);
	return ok;
}

static bool shorter_log(const struct subject *s, uint64_t hash)
{
	for (size_t i = 0; i < s->hashes; i++)
		if (s->hash[i] == hash)
			return true;
	return false;
}

/* Open and read a damaged image. *noticed: something was said. */
static bool examine(struct subject *s, struct dev *d, bool tail, bool *noticed)
{
	struct pl_ctx x = {.simulated = true};
	struct pl_fault f = {0};
	struct kv *kv;
	struct model_content content;
	int err = kv_open(&s->choice, &s->lab.conf, d, &x, &kv, &f);
	if (err) {
		*noticed = true;
		bool known = err == PL_DAMAGED || (!s->closed && s->choice.guard && s->choice.guard->unsafe);
		return known && clear(f.text) ? true : wrong(s, "kv_open: %s: '%s'", pl_err_name(err), f.text);
	}
	bool ok = true, damaged = false;
	err = model_content(kv, &x, &s->lab.form, &content);
	if (err == PL_DAMAGED) {
		damaged = true;
		if (!clear(kv_fault_text(kv)))
			ok = wrong(s, "scan: PL_DAMAGED without a clear sentence: '%s'", kv_fault_text(kv));
	} else if (err) {
		ok = wrong(s, "scan: %s: %s", pl_err_name(err), kv_fault_text(kv));
	} else if (content.hash != s->model.hash || content.disorder) {
		ok = tail && !content.disorder && shorter_log(s, content.hash);
		if (!ok)
			(void)wrong(s, "scan returned other data (%" PRIu64 " records instead of %zu) without an error",
				content.count, s->model.count);
		kv_abandon(kv);
		return ok;
	}
	ok = ok && read_each(s, kv, &x, &damaged);
	err = ok ? kv_check(kv, &x, &f) : PL_OK;
	if (err && (err != PL_DAMAGED || !clear(f.text)))
		ok = wrong(s, "kv_check: %s: '%s'", pl_err_name(err), f.text);
	if (ok && damaged && !err)
		ok = wrong(s, "reads meet damage but kv_check finds none");
	*noticed = damaged || err;
	kv_abandon(kv);
	return ok;
}

/* One damage to one block. */
static bool damage(struct subject *s, uint64_t block, enum damage how, struct pl_rng *rng, uint64_t seed, bool *noticed)
{
	struct pl_fault f = {0};
	struct dev *d;
	uint32_t bytes = s->image.caps.block_bytes;
	const uint8_t *original = s->image.now.block[block];
	uint8_t *hurt = malloc(bytes);
	const struct crash_request *last = &s->trace.request[s->tail_from];
	bool tail =
		!s->closed && last->tag == DEV_TAG_LOG && block >= last->block && block < last->block + last->blocks;
	memcpy(hurt, original, bytes);
	inflict(how, rng, hurt, bytes);
	s->image.now.block[block] = hurt;
	*noticed = false;
	int err = model_lab_device(&s->lab, &s->choice, seed, NULL, &d, &f);
	assert(!err);
	err = crash_load(d, &s->image);
	assert(!err);
	bool ok = examine(s, d, tail, noticed);
	dev_close(d);
	s->image.now.block[block] = original;
	free(hurt);
	return ok;
}

/* Every region of one store. */
static bool damage_everywhere(struct subject *s, uint64_t seed, uint64_t each, uint64_t *states, uint64_t *noticed)
{
	struct pl_rng rng;
	pl_rng_seed(&rng, seed, 8);
	for (int tag = 0; tag < DEV_TAGS; tag++)
		for (uint64_t i = 0; s->blocks[tag] && i < each; i++) {
			uint64_t block = s->block[tag][pl_rng_below(&rng, s->blocks[tag])];
			enum damage how = (enum damage)(i % DAMAGES);
			bool said;
			bool ok = damage(s, block, how, &rng, seed, &said);
			(*states)++;
			noticed[tag] += said;
			if (!ok) {
				char cause[600];
				(void)snprintf(cause, sizeof cause, "%.590s", s->text);
				s->text[0] = 0;
				return wrong(s,
					"%s (%s), seed %" PRIu64 ": %s in block %" PRIu64 " of the %s region: %s",
					s->name, s->closed ? "closed" : "left open", seed, damage_name[how], block,
					dev_tag_name[tag], cause);
			}
		}
	return true;
}

static bool can_be_damaged(const struct kv_choice *c)
{
	return c->device->poke != NULL;
}
static bool needs_its_log(const struct kv_choice *c)
{
	return can_be_damaged(c) && c->durability->logs;
}

static void stores(bool closed)
{
	uint64_t each = model_env("CORRUPT_STATES", 30), seed = model_env("SEED", 1);
	uint64_t failures = 0, states = 0, noticed[DEV_TAGS] = {0};
	struct products p;
	products_choose(&p, closed ? can_be_damaged : needs_its_log);
	for (size_t i = 0; i < p.n; i++) {
		struct subject s;
		uint64_t damages = p.item[i].sampled ? each : (each + 3) / 4;
		bool ok = make(&s, &p.item[i].choice, seed, closed) &&
			  damage_everywhere(&s, seed, damages, &states, noticed);
		if (!ok && failures++ < 30)
			print_error("%s%s%s\n", strstr(s.text, s.name) ? "" : s.name,
				strstr(s.text, s.name) ? "" : ": ", s.text);
		unmake(&s);
	}
	print_message("%zu of %zu products, %" PRIu64 " damages, noticed:", p.n, p.all, states);
	for (int tag = 0; tag < DEV_TAGS; tag++)
		print_message(" %s %" PRIu64, dev_tag_name[tag], noticed[tag]);
	print_message("; %" PRIu64 " failed\n", failures);
	assert_true(p.n > 0 && states > 0);
	products_free(&p);
	assert_int_equal(failures, 0);
	if (!getenv("PAGELAB_PRODUCT"))
		assert_true(noticed[DEV_TAG_LEAF] && (closed || noticed[DEV_TAG_LOG]));
}

static void closed_stores_give_their_data_or_an_error(void **state)
{
	(void)state;
	stores(true);
}

static void abandoned_stores_give_their_data_or_an_error(void **state)
{
	(void)state;
	stores(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"corrupt.closed.data_or_an_error", closed_stores_give_their_data_or_an_error, NULL, NULL, NULL},
		{"corrupt.abandoned.data_or_an_error", abandoned_stores_give_their_data_or_an_error, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("corrupt", tests, NULL, NULL);
}
