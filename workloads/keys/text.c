/* text.c - see text.h. */
#include "workloads/keys/text.h"

#include <assert.h>
#include <string.h>

static const char consonants[] = "bcdfghjklmnpqrstvwxz", vowels[] = "aeiou";

void key_put(struct key_text *t, const char *text)
{
	size_t n = strlen(text);
	memcpy(t->out + t->n, text, n);
	t->n += n;
}

void key_put_char(struct key_text *t, char c)
{
	t->out[t->n++] = (uint8_t)c;
}

static void put_syllable(struct key_text *t, uint32_t digit)
{
	key_put_char(t, consonants[digit / 5]);
	key_put_char(t, vowels[digit % 5]);
}

/* The highest bit stays; those below go through three rounds of an odd product and a shift, each of which can be undone
 * modulo a power of two. */
uint64_t key_scatter(uint64_t n)
{
	if (n < 2)
		return n;
	uint32_t below = 63 - (uint32_t)__builtin_clzll(n);
	uint64_t top = (uint64_t)1 << below, mask = top - 1, v = n & mask;
	for (int round = 0; round < 3; round++) {
		v = v * 0x9E3779B97F4A7C15u & mask;
		v ^= v >> (below / 2 + 1);
	}
	return top | v;
}

void key_token(struct key_text *t, uint64_t n)
{
	uint64_t v = key_scatter(n);
	do {
		put_syllable(t, (uint32_t)(v % 100));
		v /= 100;
	} while (v);
}

uint32_t key_below(uint64_t bits, uint32_t below)
{
	return (uint32_t)((bits >> 32) * below >> 32);
}

uint64_t key_rank(uint64_t bits, uint32_t from, uint32_t to)
{
	assert(from < to && to <= 32);
	uint32_t octave = from + key_below(bits, to - from);
	uint64_t first = (uint64_t)1 << octave;
	return first + (bits & (first - 1));
}

void key_word(struct key_text *t, uint64_t seed, uint32_t least, uint32_t most)
{
	assert(least >= 1 && least <= most && most <= 4);
	uint64_t bits = pl_mix64(seed);
	uint32_t syllables = least + key_below(bits, most - least + 1);
	for (uint32_t i = 0; i < syllables; i++)
		put_syllable(t, key_below(pl_splitmix64(&bits), 100));
	if (pl_splitmix64(&bits) >> 63)
		key_put_char(t, consonants[key_below(pl_splitmix64(&bits), 20)]);
}
