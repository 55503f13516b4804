/* mail.c - keys like mail addresses, as they are written: who first, then where.
 *
 *   first.token[74]@domain      2 of 7      first: of 252 words, Zipf 1
 *   first_token[74]@domain      1 of 7      74: two digits in every fourth key
 *   itoken[74]@domain           2 of 7      domain: one of four providers in half of the keys, else of 16380, Zipf 1
 *   token[74]@domain            2 of 7      token: from the number alone (text.h)
 *
 * 1. Before the @: without digits, behind the last '.' or '_', and without its first letter if that leaves an odd number
 *    of letters, there stands the token, whose letters come in twos. So any two numbers give different keys.
 * 2. All domains end in .test, which belongs to nobody (RFC 2606): no key is anybody's address.
 *
 * Target                                  published                                         here, of 10^5 numbers
 *   mean length                           21.9 of 90 million (AtData, 2021, "How long is     22.4
 *                                         the average email address?")
 *   80th, 95th percentile                 28, 31 (the same)                                  26, 31
 *   longest                               3 of 50,496 above 47 (2008)                        42; at most 56
 *   bytes shared with the neighbour       none found; chosen: a quarter                      5.5 (25 %)
 *   in order
 *
 * Left out: host first (test.example@who), as some index benchmarks turn them round: neighbours then share much more.
 * Cost: about 110 ns. */
#include "workloads/keys/keys.h"
#include "workloads/keys/text.h"

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return 7 + 1 + KEY_TOKEN_MAX + 2 + 1 + KEY_WORD_MAX + 1 + 7 + 8; /* first . token 74 @ word - word .co.test */
}

#define CONSONANTS "bcdfghjklmnpqrstvwxz"

enum shape { FIRST_DOT_LAST, FIRST_UNDERSCORE_LAST, INITIAL_LAST, LAST };
static const enum shape shapes[] = {
	FIRST_DOT_LAST, FIRST_DOT_LAST, FIRST_UNDERSCORE_LAST, INITIAL_LAST, INITIAL_LAST, LAST, LAST};

static void put_domain(struct key_text *t, uint64_t bits)
{
	static const char *const provider[] = {"gm.test", "mailx.test", "hotbox.test", "yodel.test"};
	uint64_t seed = pl_splitmix64(&bits);
	key_put_char(t, '@');
	if (key_below(pl_splitmix64(&bits), 2)) {
		key_put(t, provider[key_below(seed, PL_COUNT(provider))]);
		return;
	}
	seed = key_rank(seed, 2, 14);
	key_word(t, seed, 2, 4);
	if (!(seed & 6)) {
		key_put_char(t, '-');
		key_word(t, ~seed, 1, 3);
	}
	key_put(t, seed & 1 ? ".co.test" : ".test");
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	(void)form;
	struct key_text t = {out, 0};
	uint64_t bits = pl_mix64(n), first = pl_mix64(key_rank(pl_splitmix64(&bits), 2, 8));
	enum shape shape = shapes[key_below(pl_splitmix64(&bits), PL_COUNT(shapes))];
	if (shape == INITIAL_LAST)
		key_put_char(&t, CONSONANTS[key_below(first, 20)]);
	if (shape == FIRST_DOT_LAST || shape == FIRST_UNDERSCORE_LAST) {
		key_word(&t, first, 2, 3);
		key_put_char(&t, shape == FIRST_DOT_LAST ? '.' : '_');
	}
	key_token(&t, n);
	if (!key_below(pl_splitmix64(&bits), 4)) {
		uint32_t year = key_below(pl_splitmix64(&bits), 100);
		key_put_char(&t, (char)('0' + year / 10));
		key_put_char(&t, (char)('0' + year % 10));
	}
	put_domain(&t, pl_splitmix64(&bits));
	return t.n;
}

const struct wl_key_ops wl_keys_mail = {
	.name = "mail",
	.summary = "like mail addresses, 22 bytes on average",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
	.own_order = true,
};
