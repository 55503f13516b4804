/* Forms of keys: distinct for distinct numbers, with the lengths and common prefixes that their files state; and the
 * file of keys: what is refused, what identifies it. */
#include "workloads/core.h"
#include "workloads/keys/text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

#define DRAWN 100000u
#define GREATEST (((uint64_t)1 << 63) - 1)

struct drawn {
	uint8_t *key;
	size_t n;
	uint64_t number;
};

static int by_bytes(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;
	return pl_slice_cmp(pl_slice_of(x->key, x->n), pl_slice_of(y->key, y->n));
}

static int by_length(const void *a, const void *b)
{
	const struct drawn *x = a, *y = b;
	return (x->n > y->n) - (x->n < y->n);
}

static size_t common(const struct drawn *a, const struct drawn *b)
{
	size_t n = 0;
	while (n < a->n && n < b->n && a->key[n] == b->key[n])
		n++;
	return n;
}

/* The keys of numbers first, first + step, ... in byte order, all different and none longer than is said. */
static struct drawn *draw_keys(const struct wl_key_ops *o, uint64_t first, uint64_t step, size_t n)
{
	const struct wl_key_form form = {0};
	struct drawn *d = calloc(n, sizeof *d);
	uint8_t key[WL_KEY_MAX + 1], again[WL_KEY_MAX];
	assert_non_null(d);
	assert_in_range(o->bytes_max(&form), 1, WL_KEY_MAX);
	for (size_t i = 0; i < n; i++) {
		d[i].number = first + i * step;
		memset(key, 0xee, sizeof key);
		d[i].n = o->make(&form, d[i].number, key);
		assert_in_range(d[i].n, 1, o->bytes_max(&form));
		assert_int_equal(key[d[i].n], 0xee);
		assert_int_equal(o->make(&form, d[i].number, again), d[i].n);
		assert_memory_equal(key, again, d[i].n);
		d[i].key = malloc(d[i].n);
		assert_non_null(d[i].key);
		memcpy(d[i].key, key, d[i].n);
	}
	qsort(d, n, sizeof *d, by_bytes);
	for (size_t i = 1; i < n; i++)
		if (by_bytes(&d[i - 1], &d[i]) >= 0)
			fail_msg("%s: numbers %" PRIu64 " and %" PRIu64 " have one key, %.*s", o->name, d[i - 1].number,
				d[i].number, (int)d[i].n, (const char *)d[i].key);
	return d;
}

static void free_keys(struct drawn *d, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(d[i].key);
	free(d);
}

/* What the heads of the files state, of the numbers 0 to 10^5 - 1; bytes, and thousandths of a byte. */
static const struct stated {
	const struct wl_key_ops *ops;
	uint32_t mean_least, mean_most; /* milli */
	uint32_t deviation_least, deviation_most; /* milli */
	uint32_t p5, p50, p80, p95, longest; /* each within 1 */
	uint32_t shared_least, shared_most; /* milli, with the neighbour in order */
} stated[] = {
	{&wl_keys_url, 72400 - 1500, 72400 + 1500, 17000, 20000, 48, 71, 87, 108, 168, 43000, 46000},
	{&wl_keys_mail, 21900 - 600, 21900 + 600, 4500, 5500, 15, 22, 26, 31, 42, 5200, 5800},
	{&wl_keys_title, 21200 - 400, 21200 + 400, 10000, 11000, 6, 19, 28, 41, 109, 9000, 10000},
	{&wl_keys_uuid, 36000, 36000, 0, 0, 36, 36, 36, 36, 36, 3400, 3600},
};

static void assert_about(const char *name, const char *what, uint64_t got, uint64_t least, uint64_t most)
{
	if (got < least || got > most)
		fail_msg("%s: %s is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, name, what, got, least, most);
}

static void check_lengths(const struct stated *s, struct drawn *d)
{
	const char *name = s->ops->name;
	uint64_t sum = 0, squares = 0, deviation = 0;
	for (size_t i = 0; i < DRAWN; i++) {
		sum += d[i].n;
		squares += d[i].n * d[i].n;
	}
	uint64_t variance_micro = squares * 1000000 / DRAWN - (sum * 1000 / DRAWN) * (sum * 1000 / DRAWN);
	while ((deviation + 1) * (deviation + 1) <= variance_micro)
		deviation++;
	assert_about(name, "the mean length in thousandths", sum * 1000 / DRAWN, s->mean_least, s->mean_most);
	assert_about(name, "the deviation of lengths in thousandths", deviation, s->deviation_least, s->deviation_most);
	qsort(d, DRAWN, sizeof *d, by_length);
	assert_about(name, "the 5th percentile", d[DRAWN / 20].n, s->p5 - 1, s->p5 + 1);
	assert_about(name, "the median", d[DRAWN / 2].n, s->p50 - 1, s->p50 + 1);
	assert_about(name, "the 80th percentile", d[DRAWN * 4 / 5].n, s->p80 - 1, s->p80 + 1);
	assert_about(name, "the 95th percentile", d[DRAWN / 100 * 95].n, s->p95 - 1, s->p95 + 1);
	assert_about(name, "the longest", d[DRAWN - 1].n, s->longest - 1, s->longest + 1);
}

static void sets_have_the_stated_statistics(void **state)
{
	(void)state;
	for (size_t k = 0; k < PL_COUNT(stated); k++) {
		const struct stated *s = &stated[k];
		struct drawn *d = draw_keys(s->ops, 0, 1, DRAWN);
		uint64_t shared = 0, descents = 0;
		for (size_t i = 1; i < DRAWN; i++) {
			shared += common(&d[i - 1], &d[i]);
			descents += d[i - 1].number > d[i].number;
		}
		assert_about(s->ops->name, "what neighbours share in thousandths", shared * 1000 / (DRAWN - 1),
			s->shared_least, s->shared_most);
		/* byte order and the order of numbers have nothing to do with each other: about half of the steps go down */
		assert_about(s->ops->name, "steps down per thousand", descents * 1000 / DRAWN, 450, 550);
		check_lengths(s, d);
		free_keys(d, DRAWN);
	}
}

/* Great numbers are as distinct as small ones, wherever they lie. */
static void every_number_has_a_key_of_its_own(void **state)
{
	(void)state;
	for (size_t k = 0; wl_key_forms[k] != &wl_keys_file; k++) {
		static const uint64_t from[] = {
			0, ((uint64_t)1 << 32) - 5000, ((uint64_t)1 << 48) - 5000, GREATEST - 9999};
		for (size_t i = 0; i < PL_COUNT(from); i++)
			free_keys(draw_keys(wl_key_forms[k], from[i], 1, 10000), 10000);
		free_keys(draw_keys(wl_key_forms[k], 12345, GREATEST / 20000, 20000), 20000);
		free_keys(draw_keys(wl_key_forms[k], 1, 100, 20000), 20000);
	}
}

static uint64_t token_value(const char *text, size_t n)
{
	uint64_t v = 0;
	static const char consonants[] = "bcdfghjklmnpqrstvwxz", vowels[] = "aeiou";
	assert_int_equal(n % 2, 0);
	for (size_t i = n; i > 0; i -= 2) {
		const char *c = strchr(consonants, text[i - 2]), *w = strchr(vowels, text[i - 1]);
		assert_true(c && w);
		v = v * 100 + (uint64_t)(c - consonants) * 5 + (uint64_t)(w - vowels);
	}
	return v;
}

/* Where the heads of the files say that the token is. */
static uint64_t token_of(const struct wl_key_ops *o, char *key)
{
	char *at = key, *end = key + strlen(key);
	if (o == &wl_keys_url) {
		at = strrchr(key, '-') + 1;
		end = at + strspn(at, "abcdefghijklmnopqrstuvwxyz");
	} else if (o == &wl_keys_mail) {
		end = strchr(key, '@');
		while (end[-1] >= '0' && end[-1] <= '9')
			end--;
		for (char *p = key; p < end; p++)
			if (*p == '.' || *p == '_')
				at = p + 1;
		at += (end - at) & 1;
	} else {
		if (strstr(key, "_("))
			end = strstr(key, "_(");
		*end = 0;
		if (strrchr(key, '_'))
			at = strrchr(key, '_') + 1;
		*at = (char)(*at - 'A' + 'a');
	}
	return token_value(at, (size_t)(end - at));
}

/* The proof that text keys are one-to-one: each tells its scattered number. */
static void tokens_can_be_read_back(void **state)
{
	(void)state;
	static const struct wl_key_ops *const all[] = {&wl_keys_url, &wl_keys_mail, &wl_keys_title};
	const struct wl_key_form form = {0};
	for (size_t k = 0; k < PL_COUNT(all); k++)
		for (uint64_t i = 0; i < 40000; i++) {
			uint64_t n = i < 20000 ? i : pl_mix64(i) >> (1 + i % 48);
			char key[WL_KEY_MAX + 1];
			key[all[k]->make(&form, n, (uint8_t *)key)] = 0;
			assert_int_equal(token_of(all[k], key), key_scatter(n));
		}
}

static void scattering_can_be_undone(void **state)
{
	(void)state;
	static uint8_t seen[1 << 16];
	memset(seen, 0, sizeof seen);
	for (uint64_t n = 0; n < sizeof seen; n++) {
		uint64_t v = key_scatter(n);
		assert_true(v < sizeof seen && !seen[v]);
		assert_true(n < 2 ? v == n : __builtin_clzll(v) == __builtin_clzll(n));
		seen[v] = 1;
	}
}

static void ranks_follow_zipf(void **state)
{
	(void)state;
	uint64_t bits = 1, octave[8] = {0};
	for (int i = 0; i < 80000; i++) {
		uint64_t rank = key_rank(pl_splitmix64(&bits), 2, 10);
		assert_in_range(rank, 4, 1023);
		octave[61 - __builtin_clzll(rank)]++;
	}
	for (size_t i = 0; i < PL_COUNT(octave); i++)
		assert_in_range(octave[i], 9700, 10300);
}

/* A UUID's fixed bits, where RFC 9562 has them. */
static void uuids_are_of_version_4(void **state)
{
	(void)state;
	const struct wl_key_form form = {0};
	uint8_t key[36];
	for (uint64_t n = 0; n < 1000; n++) {
		assert_int_equal(wl_keys_uuid.make(&form, n, key), 36);
		for (size_t i = 0; i < 36; i++)
			assert_true(i == 8 || i == 13 || i == 18 || i == 23
					    ? key[i] == '-'
					    : strchr("0123456789abcdef", key[i]) != NULL);
		assert_int_equal(key[14], '4');
		/* the 64 bits that tell the number: 8, 4 and 3 digits, and 4 bits behind the variant */
		char digits[19];
		(void)snprintf(digits, sizeof digits, "%.8s%.4s%.3s%.2s", (char *)key, (char *)key + 9,
			(char *)key + 15, (char *)key + 19);
		uint64_t low = strtoull(digits + 15, NULL, 16) >> 2 & 15;
		digits[15] = 0;
		assert_int_equal(strtoull(digits, NULL, 16) << 4 | low, pl_mix64(n));
		assert_non_null(strchr("89ab", key[19]));
	}
}

/* --- through options ------------------------------------------------------------------------------------------- */

static char dir[64];

static const char *write_keys(const char *name, const char *text)
{
	static char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
	return path;
}

static void configure(struct pl_conf *c, const char *settings)
{
	char text[512], *save = NULL;
	struct pl_fault f;
	pl_conf_init(c);
	wl_declare(c);
	(void)snprintf(text, sizeof text, "%s", settings);
	for (char *s = strtok_r(text, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(s, '=');
		assert_non_null(equals);
		*equals = 0;
		if (pl_conf_set(c, s, equals + 1, &f))
			fail_msg("%s", f.text);
	}
}

/* With keys=file of this text (NULL: no file there): opened and identified, or refused by both with this sentence, in
 * which %s is the path. */
static void opens(const char *text, const char *settings, const char *sentence)
{
	struct pl_conf c;
	struct wl *w = NULL;
	char all[512], wanted[512] = "", path[128];
	(void)snprintf(path, sizeof path, "%s/none.txt", dir);
	if (text)
		(void)snprintf(path, sizeof path, "%s", write_keys("keys.txt", text));
	(void)snprintf(all, sizeof all, "keys=file keys.path=%s %s", path, settings);
	if (sentence)
		(void)snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)(strstr(sentence, "%s") - sentence), sentence,
			path, strstr(sentence, "%s") + 2);
	for (int identify = 0; identify < 2; identify++) {
		struct pl_fault f = {0, ""};
		configure(&c, all);
		int err = identify ? wl_identify(&c, &f) : wl_open(&c, 1, 1, &w, &f);
		if (sentence)
			assert_string_equal(f.text, wanted);
		else if (err)
			fail_msg("%s", f.text);
		assert_int_equal(err, sentence ? PL_INVALID : PL_OK);
		pl_conf_free(&c);
	}
	wl_close(w);
}

static void file_of_keys_is_checked(void **state)
{
	(void)state;
	char longest[2 * WL_KEY_MAX];
	opens("a\nb\nc\n", "records=3 request=uniform", NULL);
	opens("a\nb\nc", "records=3 request=uniform", NULL);
	opens("c\na", "records=2 request=uniform", NULL);
	opens("a\nb\nc\n", "records=4", "%s:3: the file ends here, but the workload has 4 records");
	opens("a\n\nc\n", "records=2", "%s:2: the line is empty; every line is a key");
	opens("a\nb\n\n", "records=2", "%s:3: the line is empty; every line is a key");
	opens("a\nbb\nb\nbb\n", "records=2", "%s:4: the key of line 2 again; every key occurs once");
	opens("a\nbb\nbb", "records=2", "%s:3: the key of line 2 again; every key occurs once");
	opens("", "records=2", "%s: 0 lines; a file of keys has 1 to 4294967295");
	opens(NULL, "records=2", "keys.path: cannot open '%s': No such file or directory");
	(void)snprintf(longest, sizeof longest, "a\n%0*d\nb\n", (int)WL_KEY_MAX, 1);
	opens(longest, "records=3 request=uniform", NULL);
	(void)snprintf(longest, sizeof longest, "a\n%0*d\nb\n", (int)WL_KEY_MAX + 1, 1);
	opens(longest, "records=3", "%s:2: a key of 1025 bytes; keys have at most 1024");
	/* 100 operations, a half of them inserts: 50 of them, and 8 times the root of 26, and 8 */
	opens("a\nb\nc\n",
		"records=3 operations=100 ycsb.readproportion=0.5 ycsb.insertproportion=0.5 ycsb.updateproportion=0",
		"%s:3: the file ends here, but 3 records and up to 98 inserts of 100 operations are 101 keys");
	opens("a\nb\nc\n",
		"records=3 operations=7 workload=core request=uniform ycsb.readproportion=0 ycsb.updateproportion=0 "
		"ycsb.insertproportion=1",
		"%s:3: the file ends here, but 3 records and up to 7 inserts of 7 operations are 10 keys");
	opens("a\nb\nc\nd\n", "records=3 operations=1 request=uniform ycsb.insertproportion=1", NULL);
	opens("a\nb\nc\n", "records=3 keys.digest=0123456789abcdef",
		"%s: its content has the digest 1a4deadf0c236234, not keys.digest 0123456789abcdef: these are other "
		"keys");
}

static void refused(const char *settings, const char *sentence)
{
	struct pl_conf c;
	struct pl_fault f = {0, ""};
	struct wl *w = NULL;
	configure(&c, settings);
	assert_int_equal(wl_open(&c, 1, 1, &w, &f), PL_INVALID);
	assert_string_equal(f.text, sentence);
	pl_conf_free(&c);
}

static void options_that_do_not_go_together(void **state)
{
	(void)state;
	refused("keys=file records=3", "keys=file needs keys.path, a file with one key a line");
	refused("keys=file records=3 keys.path=x keys.digest=ABC", "keys.digest: 'ABC' is not 16 hexadecimal digits");
	refused("keys=uuid records=3 ycsb.insertorder=ordered",
		"ycsb.insertorder=ordered: the byte order of keys=uuid does not follow their numbers");
}

/* The file changes between the making of a run and its opening; warm operations insert, too. */
static void file_of_keys_stays_what_it_was(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f = {0, ""};
	struct wl *w = NULL;
	char settings[300];
	(void)snprintf(settings, sizeof settings,
		"keys=file keys.path=%s records=3 operations=2 request=uniform ycsb.insertproportion=1",
		write_keys("stays.txt", "one\ntwo\nthree\nfour\nfive\n"));
	configure(&c, settings);
	assert_int_equal(wl_identify(&c, &f), PL_OK);
	assert_int_equal(strlen(pl_conf_str(&c, "keys.digest")), 16);
	assert_int_equal(
		strtoull(pl_conf_str(&c, "keys.digest"), NULL, 16), XXH64("one\ntwo\nthree\nfour\nfive\n", 24, 0));
	assert_int_equal(wl_open(&c, 1, 1, &w, &f), PL_OK);
	uint8_t key[WL_KEY_MAX];
	assert_int_equal(wl_key_bytes_max(w), 5);
	assert_int_equal(wl_key(w, 2, key), 5);
	assert_memory_equal(key, "three", 5);
	assert_int_equal(wl_key(w, 4, key), 4);
	assert_memory_equal(key, "five", 4);
	assert_int_equal(wl_room(w, 2, &f), PL_OK);
	assert_int_equal(wl_room(w, 3, &f), PL_INVALID);
	wl_close(w);
	w = NULL;
	(void)write_keys("stays.txt", "one\ntwo\nthree\nfour\nFive\n");
	assert_int_equal(wl_open(&c, 1, 1, &w, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "these are other keys"));
	assert_int_equal(wl_identify(&c, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "these are other keys"));
	pl_conf_free(&c);
}

static void integers_are_known_as_such(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f;
	for (size_t k = 0; wl_key_forms[k] != &wl_keys_file; k++) {
		char settings[64];
		struct wl *w = NULL;
		(void)snprintf(settings, sizeof settings, "records=10 keys=%s", wl_key_forms[k]->name);
		configure(&c, settings);
		assert_int_equal(wl_open(&c, 1, 1, &w, &f), PL_OK);
		bool eight = strchr(wl_key_forms[k]->name, '8') != NULL;
		assert_int_equal(wl_int_keys(w), eight);
		assert_int_equal(eight, wl_key_bytes_max(w) == 8);
		wl_close(w);
		pl_conf_free(&c);
	}
}

static int make_dir(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	(void)snprintf(dir, sizeof dir, "%.40s/pagelab_keys_XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
	(void)state;
	static const char *const files[] = {"keys.txt", "stays.txt"};
	for (size_t i = 0; i < PL_COUNT(files); i++) {
		char path[128];
		(void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"keys.sets.have_the_stated_statistics", sets_have_the_stated_statistics, NULL, NULL, NULL},
		{"keys.every_number_has_a_key_of_its_own", every_number_has_a_key_of_its_own, NULL, NULL, NULL},
		{"keys.text.tokens_can_be_read_back", tokens_can_be_read_back, NULL, NULL, NULL},
		{"keys.text.scattering_can_be_undone", scattering_can_be_undone, NULL, NULL, NULL},
		{"keys.text.ranks_follow_zipf", ranks_follow_zipf, NULL, NULL, NULL},
		{"keys.uuid.are_of_version_4", uuids_are_of_version_4, NULL, NULL, NULL},
		{"keys.integers_are_known_as_such", integers_are_known_as_such, NULL, NULL, NULL},
		{"keys.file.is_checked", file_of_keys_is_checked, NULL, NULL, NULL},
		{"keys.file.stays_what_it_was", file_of_keys_stays_what_it_was, NULL, NULL, NULL},
		{"keys.options_that_do_not_go_together", options_that_do_not_go_together, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("keys", tests, make_dir, remove_dir);
}
