/* store_rig.h - what the tests of whole stores share: a store from settings, on a simulated device of its own.
 *
 * In the order of a life: lab_init, lab_set (any number of times), lab_choose (or a choice by hand), lab_create, lab_end.
 * Between them a store may be closed or abandoned, and opened again. What should succeed and does not ends the test, with
 * its sentence; lab_format and lab_try_open say theirs to tests that look for one. */
#ifndef PL_STORE_RIG_H
#define PL_STORE_RIG_H

#include "engine/base/rng.h"
#include "engine/store/store.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef const char *const setting[2]; /* key and value; without a key it is none */

struct lab {
	struct pl_conf conf;
	struct dev *dev;
	struct pl_ctx x;
	struct kv *kv; /* NULL: not open; lab_end then checks nothing */
	struct kv_choice choice;
	struct pl_rng rng; /* of the test */
	uint8_t value[20000]; /* the test's: to be put, or as it was got */
};

static inline void lab_init(struct lab *l)
{
	memset(l, 0, sizeof *l);
	l->x.simulated = true;
	pl_rng_seed(&l->rng, 1, 0);
	pl_conf_init(&l->conf);
	pl_conf_declare(&l->conf, "", kv_opts);
	reg_declare(&l->conf);
}

static inline void lab_set(struct lab *l, setting *set, size_t n)
{
	struct pl_fault f = {0};
	for (size_t i = 0; i < n; i++)
		if (set[i][0] && pl_conf_set(&l->conf, set[i][0], set[i][1], &f))
			fail_msg("%s", f.text);
}

static inline void lab_choose(struct lab *l)
{
	struct pl_fault f = {0};
	if (reg_choose(&l->conf, &l->choice, &f))
		fail_msg("%s", f.text);
}

/* A new device of this size with an empty store on it, which is not open. Returns what kv_format says. */
static inline int lab_format(struct lab *l, uint64_t device_bytes, struct pl_fault *f)
{
	struct dev_args a = {.conf = &l->conf, .seed = 1, .capacity_bytes = device_bytes, .block_bytes = 4096};
	if (dev_open(l->choice.device, &a, &l->dev, f))
		fail_msg("%s", f->text);
	return kv_format(&l->choice, &l->conf, 1, l->dev, &l->x, f);
}

static inline int lab_try_open(struct lab *l, struct pl_fault *f)
{
	l->kv = NULL;
	return kv_open(&l->choice, &l->conf, l->dev, &l->x, &l->kv, f);
}

static inline void lab_open(struct lab *l)
{
	struct pl_fault f = {0};
	if (lab_try_open(l, &f))
		fail_msg("%s", f.text);
}

static inline void lab_create(struct lab *l, uint64_t device_bytes)
{
	struct pl_fault f = {0};
	if (lab_format(l, device_bytes, &f))
		fail_msg("%s", f.text);
	lab_open(l);
}

static inline void lab_check(struct lab *l)
{
	struct pl_fault f = {0};
	if (kv_check(l->kv, &l->x, &f))
		fail_msg("%s", f.text);
}

static inline void lab_close(struct lab *l)
{
	struct pl_fault f = {0};
	if (kv_close(l->kv, &l->x, &f))
		fail_msg("%s", f.text);
	l->kv = NULL;
}

/* The process dies; what its device did not do yet is not done. */
static inline void lab_abandon(struct lab *l)
{
	kv_abandon(l->kv);
	l->kv = NULL;
}

/* Of a store that is not open. */
static inline void lab_free(struct lab *l)
{
	assert_null(l->kv);
	dev_close(l->dev);
	pl_conf_free(&l->conf);
}

/* The end of a store that is whole. */
static inline void lab_end(struct lab *l)
{
	if (l->kv) {
		lab_check(l);
		lab_close(l);
	}
	lab_free(l);
}

/* The end of one that need not be. */
static inline void lab_drop(struct lab *l)
{
	lab_abandon(l);
	lab_free(l);
}

static inline struct store *store_of(struct lab *l)
{
	return (struct store *)l->kv;
}

static inline struct kv_stats stats(struct lab *l)
{
	struct kv_stats s;
	kv_stats(l->kv, &s);
	return s;
}

static inline void lab_checkpoint(struct lab *l)
{
	assert_int_equal(kv_checkpoint(l->kv, &l->x), PL_OK);
}

static inline pl_slice key_of(uint32_t k, char text[16])
{
	return pl_slice_of(text, (size_t)snprintf(text, 16, "key%07u", k));
}

#endif
