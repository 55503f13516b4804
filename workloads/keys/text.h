/* text.h - what the made-up key sets (url, mail, title) are put together from: syllables, words, skewed draws, and the
 * token that makes every key different.
 *
 * A key is decoration and a token. The decoration (host, directories, first name, subject) is drawn from the number's
 * hash and repeats between keys; the token is the number itself, scattered and spelled in syllables:
 *
 *   number n --key_scatter--> v, as wide in bits as n --key_token--> v in base 100, lowest digit first, two letters each
 *
 * Both steps can be undone, so two numbers never have the same token, and a key set whose token can be found in a key
 * without knowing the number is one-to-one. Small numbers have short tokens: 10^5 numbers take 6 letters.
 *
 * Integers only; no expression draws twice. Cost: about 3 ns a letter. */
#ifndef PL_WL_KEYS_TEXT_H
#define PL_WL_KEYS_TEXT_H

#include "engine/base/rng.h"
#include "engine/base/types.h"

#define KEY_TOKEN_MAX 20u /* of numbers below 2^63: ten digits of base 100 */
#define KEY_WORD_MAX 9u

/* A key that is being written; out has room for the longest. */
struct key_text {
	uint8_t *out;
	size_t n;
};

void key_put(struct key_text *t, const char *text);
void key_put_char(struct key_text *t, char c);

/* The token of number n. */
uint64_t key_scatter(uint64_t n);
void key_token(struct key_text *t, uint64_t n);

/* Uniform in [0, below), from 64 random bits; below < 2^32. */
uint32_t key_below(uint64_t bits, uint32_t below);
/* A rank in [2^from, 2^to), each octave as likely as any other: Zipf's law of exponent 1, in steps. to <= 32. */
uint64_t key_rank(uint64_t bits, uint32_t from, uint32_t to);
/* A word of `least` to `most` syllables (at most 4), a function of seed: two or three letters a syllable, 2 to 9 in all. */
void key_word(struct key_text *t, uint64_t seed, uint32_t least, uint32_t most);

#endif
