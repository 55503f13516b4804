/* rng.h - xoshiro256** (Blackman and Vigna), seeded through splitmix64. Integers only: the same bits everywhere. */
#ifndef PL_BASE_RNG_H
#define PL_BASE_RNG_H

#include <stdint.h>

struct pl_rng {
	uint64_t s[4];
};

static inline uint64_t pl_splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9E3779B97F4A7C15u);
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
	return z ^ (z >> 31);
}

/* One mixing step, as a hash of a number. */
static inline uint64_t pl_mix64(uint64_t x)
{
	return pl_splitmix64(&x);
}

/* stream separates generators that share a seed (clients, devices, values). */
static inline void pl_rng_seed(struct pl_rng *r, uint64_t seed, uint64_t stream)
{
	uint64_t x = seed ^ pl_mix64(stream + 0x5851F42D4C957F2Du);
	for (int i = 0; i < 4; i++)
		r->s[i] = pl_splitmix64(&x);
}

static inline uint64_t pl_rng_next(struct pl_rng *r)
{
	uint64_t *s = r->s, x = s[1] * 5, t = s[1] << 17;
	x = ((x << 7) | (x >> 57)) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return x;
}

/* Uniform in [0, n), n > 0: multiply and shift (bias below n / 2^64). */
static inline uint64_t pl_rng_below(struct pl_rng *r, uint64_t n)
{
	__extension__ typedef unsigned __int128 u128;
	return (uint64_t)(((u128)pl_rng_next(r) * n) >> 64);
}

/* Uniform in [0, 1) with 53 bits. */
static inline double pl_rng_unit(struct pl_rng *r)
{
	return (double)(pl_rng_next(r) >> 11) * 0x1p-53;
}

#endif
