/* ordinal.h - the two ways to count in ordinal's integer keys, for the test that compares them. */
#ifndef PL_NODE_ORDINAL_H
#define PL_NODE_ORDINAL_H

#include "engine/iface/node.h"

/* With PAGELAB_SCALAR, on other machines than x86-64 and where a search is traced there is one way only. */
#if defined(__x86_64__) && !defined(PAGELAB_SCALAR) && !defined(NOD_TRACED)
#define ORDINAL_AVX2
#include <immintrin.h>
/* Only where __builtin_cpu_supports("avx2"). */
uint32_t ordinal_below_avx2(const uint8_t *keys, uint32_t n, uint64_t k);
#endif

/* How many of n integers, 8 bytes each and little-endian, are below k. */
uint32_t ordinal_below_scalar(const uint8_t *keys, uint32_t n, uint64_t k);

#endif
