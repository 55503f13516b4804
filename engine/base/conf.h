/* conf.h - options: declared once in a table, from which parser, defaults, help and documents derive.
 *
 * A key is `<choice>.<option>` ("sim_ssd.dies") or a bare name of the lab's own ("page_bytes"). Values are kept as
 * text in canonical form, so that two spellings of one specification ("8k", "8192") are the same run. */
#ifndef PL_BASE_CONF_H
#define PL_BASE_CONF_H

#include "engine/base/err.h"

enum pl_opt_type {
	PL_OPT_U64, /* a count */
	PL_OPT_BYTES, /* 4096, 4k, 1M, 2G (powers of 1024) */
	PL_OPT_NS, /* 100ns, 5us, 3ms, 1s; a bare number is ns */
	PL_OPT_BOOL, /* 0 or 1 (also yes, no, true, false, on, off) */
	PL_OPT_ENUM, /* one of choices */
	PL_OPT_REAL, /* decimal number */
	PL_OPT_STR,
};

struct pl_opt {
	const char *name; /* without the prefix of its set; NULL ends a table */
	enum pl_opt_type type;
	const char *value; /* the default, in canonical form */
	uint64_t min, max; /* U64, BYTES, NS; both 0: no bound. REAL: bounds in thousandths */
	const char *const *choices; /* ENUM: NULL-terminated */
	const char *help; /* one line, with the unit */
};

/* A table and its prefix; prefix "" for bare names. */
struct pl_opt_set {
	const char *prefix;
	const struct pl_opt *opts;
};

#define PL_CONF_SETS_MAX 64

/* Items point into sets: a conf is copied with pl_conf_copy, never by assignment. */
struct pl_conf {
	struct pl_opt_set sets[PL_CONF_SETS_MAX];
	size_t nsets;
	struct pl_conf_item {
		const struct pl_opt_set *set;
		const struct pl_opt *opt;
		char *value;
	} * items;
	size_t nitems;
};

void pl_conf_init(struct pl_conf *c);
void pl_conf_free(struct pl_conf *c);
/* Declare a table; opts must outlive the conf. A NULL table is ignored. */
void pl_conf_declare(struct pl_conf *c, const char *prefix, const struct pl_opt *opts);
/* Copy all declared sets and set values; *to is initialised by this call. */
void pl_conf_copy(struct pl_conf *to, const struct pl_conf *from);

/* Set a key. PL_INVALID with a sentence that names the nearest known key, the bounds, or the nearest choice. */
int pl_conf_set(struct pl_conf *c, const char *key, const char *value, struct pl_fault *f) PL_MUST_USE;
/* True if the key was set (and not merely defaulted). */
bool pl_conf_is_set(const struct pl_conf *c, const char *key);

/* Read a declared key: its set value or its default. An undeclared key is a programming error and asserts. */
uint64_t pl_conf_u64(const struct pl_conf *c, const char *key); /* U64, BYTES, NS, BOOL */
bool pl_conf_bool(const struct pl_conf *c, const char *key);
double pl_conf_real(const struct pl_conf *c, const char *key);
const char *pl_conf_str(const struct pl_conf *c, const char *key); /* any type, canonical text; until c changes */

/* Canonical text of value for opt into out; PL_INVALID says why. */
int pl_opt_canonical(const struct pl_opt *o, const char *key, const char *value, char *out, size_t cap,
	struct pl_fault *f) PL_MUST_USE;
/* The name in names[0..n) nearest to word by edit distance, or NULL if none is near. */
const char *pl_nearest(const char *word, const char *const *names, size_t n);

#endif
