/* device_pattern_test.c - patterns: their texts, that each unit gets the share it is owed, fills, classes. */
#include "harness/device_pattern.h"

#include "harness/util.h"
#include "workloads/pow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNITS 1000u
#define DRAWS 1000000u

static struct pattern *open_text(const char *text, uint64_t units, uint32_t unit_bytes, uint32_t classes, uint64_t seed)
{
	struct pattern_text t;
	struct pattern *p = NULL;
	struct pl_fault f = {0};
	if (pattern_parse(text, &t, &f) || pattern_open(&t, units, unit_bytes, classes, seed, &p, &f))
		fail_msg("%s", f.text);
	return p;
}

static void texts_are_read(void **state)
{
	(void)state;
	struct pattern_text t;
	struct pl_fault f;
	assert_int_equal(pattern_parse("hotcold:80/20", &t, &f), PL_OK);
	assert_true(t.kind == PATTERN_HOTCOLD && t.writes > 0.7999 && t.writes < 0.8001 && t.data < 0.2001);
	assert_int_equal(pattern_parse("hotcold:99.9/0.5", &t, &f), PL_OK);
	assert_int_equal(pattern_parse("zipf:0.99", &t, &f), PL_OK);
	assert_true(t.kind == PATTERN_ZIPF && t.theta > 0.9899 && t.theta < 0.9901);
	assert_int_equal(pattern_parse("zipf:1", &t, &f), PL_OK);
	assert_int_equal(pattern_parse("extents:64M/4", &t, &f), PL_OK);
	assert_true(t.kind == PATTERN_EXTENTS && t.extent_bytes == 64u << 20 && t.writers == 4);
	assert_int_equal(pattern_parse("extents:8k", &t, &f), PL_OK);
	assert_int_equal(t.writers, 1);
	assert_int_equal(pattern_parse("uniform", &t, &f), PL_OK);
	assert_int_equal(pattern_parse("seq", &t, &f), PL_OK);
	assert_int_equal(pattern_usable(&t, 1000, 4096), 1000);
	assert_int_equal(pattern_parse("extents:64k/4", &t, &f), PL_OK);
	assert_int_equal(pattern_usable(&t, 1000, 4096), 992);
}

static void bad_texts_get_a_sentence(void **state)
{
	(void)state;
	static const char *const bad[][2] = {{"", "unknown pattern ''"}, {"unifrom", "did you mean 'uniform'?"},
		{"hotcld:90/10", "did you mean 'hotcold:90/10'?"}, {"sine", "unknown pattern 'sine'"},
		{"uniform:3", "this pattern takes nothing"}, {"seq:", "this pattern takes nothing"},
		{"hotcold", "wants to know more, such as hotcold:90/10"}, {"hotcold:", "wants per cent"},
		{"hotcold:90", "wants per cent"}, {"hotcold:90/", "wants per cent"},
		{"hotcold:90/10/5", "wants per cent"}, {"hotcold:-90/10", "wants per cent"},
		{"hotcold:0/10", "outside (0, 100)"}, {"hotcold:100/10", "outside (0, 100)"},
		{"hotcold:10/90", "fewer writes than its share"}, {"hotcold:nan/10", "wants per cent"},
		{"zipf", "such as zipf:0.99"}, {"zipf:", "wants an exponent"}, {"zipf:much", "wants an exponent"},
		{"zipf:6", "wants an exponent"}, {"zipf:1e999", "wants an exponent"},
		{"extents", "such as extents:64M/4"}, {"extents:/4", "wants a size"}, {"extents:64Q/4", "wants a size"},
		{"extents:64M/", "wants a count of writers"}, {"extents:64M/x", "wants a count of writers"},
		{"extents:64M/0", "from 1 to 4096 writers"}, {"extents:64M/9999", "from 1 to 4096 writers"},
		{"extents:0/4", "extents of no bytes"}};
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		struct pattern_text t;
		struct pl_fault f = {0};
		if (pattern_parse(bad[i][0], &t, &f) != PL_INVALID || strncmp(f.text, "pattern: ", 9) != 0 ||
			!strstr(f.text, bad[i][1]))
			fail_msg("'%s': '%s' does not say '%s'", bad[i][0], f.text, bad[i][1]);
	}
}

static void batches_change_nothing(void **state)
{
	(void)state;
	static const char *const text[] = {"uniform", "seq", "hotcold:90/10", "zipf:0.8", "extents:64k/3"};
	for (size_t i = 0; i < PL_COUNT(text); i++) {
		struct pattern *a = open_text(text[i], UNITS, 4096, 4, 7), *b = open_text(text[i], UNITS, 4096, 4, 7);
		struct pattern *c = open_text(text[i], UNITS, 4096, 4, 8);
		uint32_t ua[500], ca[500], ub[500], cb[500], uc[500];
		pattern_draw(a, ua, ca, 500);
		pattern_draw(c, uc, NULL, 500);
		for (size_t k = 0, n = 1; k < 500; k += n, n = n % 7 + 1)
			pattern_draw(b, ub + k, cb + k, k + n > 500 ? 500 - k : n);
		assert_memory_equal(ua, ub, sizeof ua);
		assert_memory_equal(ca, cb, sizeof ca);
		assert_int_equal(memcmp(ua, uc, sizeof ua) == 0, i == 1); /* only seq does not look at the seed */
		pattern_close(a);
		pattern_close(b);
		pattern_close(c);
	}
}

/* Draws of each unit, and the greatest class seen. */
static uint32_t *count_units(struct pattern *p, uint64_t units, uint32_t *classes)
{
	uint32_t *n = lab_calloc(units, sizeof *n), unit[100], class[100];
	*classes = 0;
	for (uint32_t i = 0; i < DRAWS; i += 100) {
		pattern_draw(p, unit, class, 100);
		for (size_t k = 0; k < 100; k++) {
			assert_true(unit[k] < units && class[k] < pattern_classes(p));
			n[unit[k]]++;
			if (class[k] >= *classes)
				*classes = class[k] + 1;
		}
	}
	return n;
}

static void shares_are_as_told(void **state)
{
	(void)state;
	uint32_t classes;
	struct pattern *p = open_text("uniform", UNITS, 4096, 1, 3);
	uint32_t *n = count_units(p, UNITS, &classes);
	double square = 0;
	for (uint32_t i = 0; i < UNITS; i++)
		square += ((double)n[i] - 1000) * ((double)n[i] - 1000) / 1000;
	assert_true(
		square > 800 && square < 1200); /* chi-square, 999 degrees of freedom: 999 +- 4.5 standard deviations */
	free(n);
	pattern_close(p);

	p = open_text("hotcold:90/10", UNITS, 4096, 1, 3);
	n = count_units(p, UNITS, &classes);
	uint64_t hot = 0;
	for (uint32_t i = 0; i < 100; i++)
		hot += n[i];
	assert_true(hot > 898500 && hot < 901500); /* +- 5 standard deviations */
	assert_int_equal(classes, 2);
	assert_true(n[0] > 8500 && n[0] < 9500 && n[500] > 60 && n[500] < 170);
	free(n);
	pattern_close(p);
}

static int descending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? 1 : x > y ? -1 : 0;
}

static void zipf_has_its_law(void **state)
{
	(void)state;
	uint32_t classes;
	struct pattern *p = open_text("zipf:0.99", UNITS, 4096, 4, 5);
	uint32_t *n = count_units(p, UNITS, &classes);
	double zeta = wl_zeta(0, UNITS, 0.99, 0);
	assert_int_equal(classes, 4);
	bool scattered = n[0] < n[1] || n[1] < n[2] || n[2] < n[3];
	qsort(n, UNITS, sizeof *n, descending);
	for (uint32_t rank = 0; rank < 8; rank++) {
		double want = wl_pow(rank + 1, -0.99) / zeta * DRAWS;
		if ((double)n[rank] < want * 0.97 || (double)n[rank] > want * 1.03)
			fail_msg("rank %u: %u draws, not %.0f", rank, n[rank], want);
	}
	assert_true(scattered);
	free(n);
	pattern_close(p);
}

/* Classes of Zipf: the same unit always the same class, classes of about equal mass. */
static void zipf_classes_are_of_equal_mass(void **state)
{
	(void)state;
	struct pattern *p = open_text("zipf:0.8", 100000, 4096, 5, 5);
	uint32_t mass[PATTERN_CLASSES_MAX] = {0}, unit[100], class[100];
	uint8_t *seen = lab_calloc(100000, 1);
	assert_int_equal(pattern_classes(p), 5);
	for (uint32_t i = 0; i < DRAWS; i += 100) {
		pattern_draw(p, unit, class, 100);
		for (size_t k = 0; k < 100; k++) {
			assert_true(!seen[unit[k]] || seen[unit[k]] == class[k] + 1);
			seen[unit[k]] = (uint8_t)(class[k] + 1);
			mass[class[k]]++;
		}
	}
	for (int c = 0; c < 5; c++)
		assert_true(mass[c] > DRAWS / 5 * 0.95 && mass[c] < DRAWS / 5 * 1.05);
	/* a fill knows the classes that the draws will have */
	for (uint32_t i = 0; i < 100000; i += 100) {
		pattern_fill(p, PATTERN_FILL_CLASS, i, unit, class, 100);
		for (size_t k = 0; k < 100; k++)
			assert_true(!seen[unit[k]] || seen[unit[k]] == class[k] + 1);
	}
	free(seen);
	pattern_close(p);
}

static void extents_are_written_whole(void **state)
{
	(void)state;
	enum { EXTENT = 16, WRITERS = 3, EXTENTS = 6 };
	struct pattern *p = open_text("extents:64k/3", UNITS, 4096, 1, 5);
	uint64_t holds[WRITERS], started[62] = {0};
	/* interleaved unit by unit: writer w writes every third unit */
	for (uint32_t i = 0; i < 6200; i++)
		for (uint32_t w = 0; w < WRITERS; w++) {
			uint32_t unit, class;
			pattern_draw(p, &unit, &class, 1);
			assert_int_equal(class, w);
			assert_int_equal(unit % EXTENT, i % EXTENT);
			if (i % EXTENT == 0) {
				holds[w] = unit / EXTENT;
				started[holds[w]]++;
				for (uint32_t o = 0; o < WRITERS; o++)
					assert_true(o == w || (!i && o > w) || holds[o] != holds[w]);
			}
			assert_int_equal(unit / EXTENT, holds[w]);
		}
	uint64_t all = 0;
	for (int i = 0; i < 62; i++) {
		assert_true(started[i] > 0);
		all += started[i];
	}
	assert_int_equal(all, (6200 + EXTENT - 1) / EXTENT * WRITERS);
	pattern_close(p);
	/* as many extents as writers: each comes back to the only one that is free */
	p = open_text("extents:64k/6", EXTENT * EXTENTS, 4096, 1, 5);
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t unit[EXTENTS];
		uint64_t seen = 0;
		pattern_draw(p, unit, NULL, EXTENTS);
		for (int k = 0; k < EXTENTS; k++)
			seen |= (uint64_t)1 << unit[k] / EXTENT;
		assert_int_equal(seen, 63);
	}
	pattern_close(p);
}

static void fills_write_each_unit_once(void **state)
{
	(void)state;
	static const char *const text[] = {"uniform", "hotcold:70/30", "zipf:0.9", "extents:64k/3"};
	for (size_t i = 0; i < PL_COUNT(text); i++)
		for (int how = PATTERN_FILL_SEQ; how <= PATTERN_FILL_CLASS; how++) {
			struct pattern *p = open_text(text[i], 992, 4096, 3, 5);
			uint32_t unit[992], class[992], last = 0, in_place = 0;
			uint8_t seen[992] = {0};
			pattern_fill(p, (enum pattern_fill)how, 0, unit, class, 500);
			pattern_fill(p, (enum pattern_fill)how, 500, unit + 500, class + 500, 492);
			for (uint32_t k = 0; k < 992; k++) {
				assert_true(unit[k] < 992 && !seen[unit[k]]);
				seen[unit[k]] = 1;
				in_place += unit[k] == k;
				assert_true(how != PATTERN_FILL_CLASS || class[k] >= last);
				last = class[k];
				if (i == 1)
					assert_int_equal(class[k], unit[k] >= 298);
			}
			if (how == PATTERN_FILL_SEQ)
				assert_int_equal(in_place, 992);
			if (how == PATTERN_FILL_RANDOM)
				assert_true(in_place < 20);
			pattern_close(p);
		}
}

static void too_few_units_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t units;
		const char *says;
	} bad[] = {{"uniform", 0, "0 units"}, {"uniform", (uint64_t)1 << 32, "4294967296 units"},
		{"hotcold:90/10", 3, "hot or cold has none"}, {"extents:64k/4", 63, "only 3 fit"},
		{"extents:6k/1", 100, "no multiple of the 4096 bytes"}};
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		struct pattern_text t;
		struct pattern *p;
		struct pl_fault f = {0};
		assert_int_equal(pattern_parse(bad[i].text, &t, &f), PL_OK);
		assert_int_equal(pattern_open(&t, bad[i].units, 4096, 1, 1, &p, &f), PL_INVALID);
		if (!strstr(f.text, bad[i].says))
			fail_msg("'%s' does not say '%s'", f.text, bad[i].says);
	}
}

#define T(name, fn)                                                                                                    \
	{                                                                                                              \
		name, fn, NULL, NULL, NULL                                                                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("device_pattern.texts_are_read", texts_are_read),
		T("device_pattern.bad_texts_get_a_sentence", bad_texts_get_a_sentence),
		T("device_pattern.batches_change_nothing", batches_change_nothing),
		T("device_pattern.shares_are_as_told", shares_are_as_told),
		T("device_pattern.zipf_has_its_law", zipf_has_its_law),
		T("device_pattern.zipf_classes_are_of_equal_mass", zipf_classes_are_of_equal_mass),
		T("device_pattern.extents_are_written_whole", extents_are_written_whole),
		T("device_pattern.fills_write_each_unit_once", fills_write_each_unit_once),
		T("device_pattern.too_few_units_are_refused", too_few_units_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
