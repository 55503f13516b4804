/* title.c - keys like the titles of an encyclopedia's articles, blanks as '_'.
 *
 *   [List_of_] Word_ [of_] Word_ ... Token [_(word)]
 *    1 of 8    |<- 0 to 10 words  ->|  ^      1 of 6
 *              first: of 2044, others  from the number alone (text.h), with a capital
 *              of 16368, Zipf 1
 *
 * 1. Without what stands in parentheses, the token is what follows the last '_' (or all there is). So any two numbers
 *    give different keys.
 * 2. Blanks are '_', as in dumps of titles, so that a key is one word of a printed line.
 *
 * Target                                  published                                         here, of 10^5 numbers
 *   mean length                           21.2 of 14.1 million titles of the English         21.2
 *                                         Wikipedia (Kanda et al., Dynamic Path-Decomposed
 *                                         Tries, 2019; 2 to 252 bytes)
 *   5th, 50th, 95th percentile            none found; chosen                                 6, 19, 41
 *   longest                               252                                                109; at most 183
 *   bytes shared with the neighbour       none found; chosen between mail and url            9.5 (45 %)
 *   in order
 *
 * Left out: bytes beyond ASCII, numbers, upper case but for first letters. Cost: about 140 ns. */
#include "workloads/keys/keys.h"
#include "workloads/keys/text.h"

#define WORDS_MAX 10u

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return 11 + WORDS_MAX * (KEY_WORD_MAX + 1 + 4) + KEY_TOKEN_MAX + 2 + KEY_WORD_MAX + 1;
}

/* First letter of what was written since at, as a name has it. */
static void capital(struct key_text *t, size_t at)
{
	t->out[at] = (uint8_t)(t->out[at] - 'a' + 'A');
}

static const char *const opening[] = {"List_of_", "The_", "Battle_of_", "History_of_"};
static const char *const between[] = {"of_", "in_", "and_", "the_"};

static void put_name(struct key_text *t, uint64_t seed, uint32_t least, uint32_t most)
{
	size_t at = t->n;
	key_word(t, seed, least, most);
	capital(t, at);
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	(void)form;
	struct key_text t = {out, 0};
	uint64_t bits = pl_mix64(n);
	uint32_t words = key_below(pl_splitmix64(&bits), 8) ? 1 : 0;
	while (words < WORDS_MAX && key_below(pl_splitmix64(&bits), 5) < 2)
		words++;
	if (!key_below(pl_splitmix64(&bits), 8))
		key_put(&t, opening[key_below(pl_splitmix64(&bits), PL_COUNT(opening))]);
	for (uint32_t i = 0; i < words; i++) {
		put_name(&t, key_rank(pl_splitmix64(&bits), i ? 4 : 2, i ? 14 : 11), 2, 4);
		key_put_char(&t, '_');
		if (!key_below(pl_splitmix64(&bits), 6))
			key_put(&t, between[key_below(pl_splitmix64(&bits), PL_COUNT(between))]);
	}
	size_t at = t.n;
	key_token(&t, n);
	capital(&t, at);
	if (!key_below(pl_splitmix64(&bits), 6)) {
		key_put(&t, "_(");
		key_word(&t, key_rank(pl_splitmix64(&bits), 2, 8), 2, 4);
		key_put_char(&t, ')');
	}
	return t.n;
}

const struct wl_key_ops wl_keys_title = {
	.name = "title",
	.summary = "like titles of articles, 21 bytes on average",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
	.own_order = true,
};
