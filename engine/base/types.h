/* types.h - the few types that everything shares.
 *
 * Types that must not be mixed are structs of one member: the compiler then refuses to pass a page id
 * where a block address belongs. All counts are 64 bits wide. */
#ifndef PL_BASE_TYPES_H
#define PL_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t v;
} pl_pageid; /* logical page; 0 is never a page */
typedef struct {
	uint64_t v;
} pl_lsn; /* log sequence number: counts operations that changed something; 0 = none */

/* A borrowed run of bytes. Whoever hands one out says until when it is valid. */
typedef struct {
	const uint8_t *p;
	size_t n;
} pl_slice;

static inline pl_slice pl_slice_of(const void *p, size_t n)
{
	return (pl_slice){(const uint8_t *)p, n};
}

/* Byte-wise order, shorter first on a tie: the order of every key in pagelab. */
int pl_slice_cmp(pl_slice a, pl_slice b);

#define PL_MUST_USE __attribute__((warn_unused_result))
#define PL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PL_NS_NEVER UINT64_MAX

#define PL_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t pl_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t pl_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
static inline uint64_t pl_div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

#endif
