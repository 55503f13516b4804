/* url.c - keys like the addresses of a crawl: hosts and directories that repeat, pages that differ.
 *
 *   http:// [www.] host[-word] .org.test  /directory[-word] ...  /word- token .html  [?session=32 hexadecimal digits]
 *   |<- of a rank: 8 .. 8191, Zipf 1  ->|<- 1 to 5 levels, 3 a level ->|  ^        |<- ending: one of eight
 *                                                              from the number alone
 *
 * 1. What follows the last '-' up to the next byte that is no letter is the token (text.h); nothing behind it has a
 *    '-'. So any two numbers give different keys.
 * 2. Hosts and directories are functions of their ranks: keys of one directory share all of it.
 * 3. All hosts end in .test, which belongs to nobody (RFC 2606).
 *
 * Target                                  published                                          here, of 10^5 numbers
 *   mean length                           72.4: 39.5 million of .uk (Kanda et al., Dynamic    73.5
 *                                         Path-Decomposed Tries, 2019; 17 to 2030 bytes)
 *   5th, 50th, 95th percentile            none found; chosen                                  48, 71, 108
 *   longest                               2030; cut off at 216 so that it fits small pages    168
 *   bytes shared with the neighbour       no figure found; coding against a common prefix     44.6 (61 %)
 *   in order                              takes half off (Koht-arsa, Sanguanpong, In-memory
 *                                         URL compression); chosen: three fifths of 10^5
 * It grows with the number of keys, as it does in a crawl: 34 % of 2000, 73 % of 10^6.
 *
 * Left out: the tail beyond 216 bytes, escapes, upper case, ports. Cost: about 400 ns. */
#include "workloads/keys/keys.h"
#include "workloads/keys/text.h"

#define HOSTS_FROM 3u /* octaves of the ranks of hosts: 8 .. 8191 */
#define HOSTS_TO 13u
#define DIRECTORIES_MAX 5u
#define HOST_MAX (7 + 4 + KEY_WORD_MAX + 1 + 7 + 9) /* http:// www. word - word .gov.test */
#define DIRECTORY_MAX (1 + KEY_WORD_MAX + 1 + 7)
#define PAGE_MAX (1 + KEY_WORD_MAX + 1 + KEY_TOKEN_MAX + 5)
#define QUERY_MAX (9 + 32)

static const char *const domain[] = {
	".co.test", ".co.test", ".co.test", ".org.test", ".ac.test", ".test", ".test", ".gov.test"};
static const char *const ending[] = {".html", ".html", ".htm", ".php", ".asp", "", "/", ".pdf"};

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return HOST_MAX + DIRECTORIES_MAX * DIRECTORY_MAX + PAGE_MAX + QUERY_MAX;
}

static void put_host(struct key_text *t, uint64_t seed)
{
	uint64_t bits = pl_mix64(seed);
	key_put(t, "http://");
	if (key_below(pl_splitmix64(&bits), 4))
		key_put(t, "www.");
	key_word(t, pl_splitmix64(&bits), 2, 4);
	if (!key_below(pl_splitmix64(&bits), 3)) {
		key_put_char(t, '-');
		key_word(t, pl_splitmix64(&bits), 1, 3);
	}
	key_put(t, domain[key_below(pl_splitmix64(&bits), PL_COUNT(domain))]);
}

/* The directory of a rank inside of another; returns its seed. Its name is its own, not the key's. */
static uint64_t put_directory(struct key_text *t, uint64_t parent, uint64_t rank)
{
	uint64_t seed = pl_mix64(parent + rank), bits = seed;
	key_put_char(t, '/');
	key_word(t, pl_splitmix64(&bits), 1, 4);
	if (key_below(pl_splitmix64(&bits), 2)) {
		key_put_char(t, '-');
		key_word(t, pl_splitmix64(&bits), 1, 3);
	}
	return seed;
}

static void put_query(struct key_text *t, uint64_t bits)
{
	key_put(t, "?session=");
	for (int i = 0; i < 32; i++)
		key_put_char(t, "0123456789abcdef"[pl_splitmix64(&bits) >> 60]);
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	(void)form;
	struct key_text t = {out, 0};
	uint64_t bits = pl_mix64(n), seed = pl_mix64(key_rank(pl_splitmix64(&bits), HOSTS_FROM, HOSTS_TO));
	put_host(&t, seed);
	uint32_t directories = 1 + key_below(pl_splitmix64(&bits), 4);
	while (directories < DIRECTORIES_MAX && !key_below(pl_splitmix64(&bits), 3))
		directories++;
	for (uint32_t i = 0; i < directories; i++)
		seed = put_directory(&t, seed, key_rank(pl_splitmix64(&bits), 0, 2));
	key_put_char(&t, '/');
	key_word(&t, pl_mix64(seed) + key_rank(pl_splitmix64(&bits), 0, 2), 1, 4);
	key_put_char(&t, '-');
	key_token(&t, n);
	key_put(&t, ending[key_below(pl_splitmix64(&bits), PL_COUNT(ending))]);
	if (!key_below(pl_splitmix64(&bits), 12))
		put_query(&t, pl_splitmix64(&bits));
	return t.n;
}

const struct wl_key_ops wl_keys_url = {
	.name = "url",
	.summary = "like addresses of a crawl, 72 bytes on average, long common prefixes",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
	.own_order = true,
};
