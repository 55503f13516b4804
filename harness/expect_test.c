/* expect_test.c - claims: their grammar, what they are judged by, and that nothing missing passes. */
#include "harness/expect.h"

#include "harness/closed_forms.h"
#include "harness/experiment.h"
#include "harness/options.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

/* ---- grammar */

static int check(const char *text, bool *judged, struct pl_fault *f)
{
	struct pl_conf known;
	lab_conf_init(&known);
	int err = claim_check(text, &known, judged, f);
	pl_conf_free(&known);
	return err;
}

static void free_text_is_never_judged(void **state)
{
	static const char *const text[] = {"in place writes each page twice, a zone once", "b, c", "", "LZ4 is fastest",
		"e.g. a slower reader", "within reason"};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(text); i++) {
		struct pl_fault f = {0};
		bool judged = true;
		assert_int_equal(check(text[i], &judged, &f), PL_OK);
		assert_false(judged);
	}
}

static void claims_are_judged(void **state)
{
	static const char *const text[] = {"write_amplification within 0.5 % of formula_fifo",
		"write_amplification within 1% of closed_choices(utilisation_effective, super_pages, 10)",
		"steady = 1 where device=sim_ssd", "operations>=10", "a_b * 2 + (3 - x) / 4 <= 1e3",
		"write_amplification <= 0.5 * write_amplification[space=raw, node = slotted|ordinal] where clients<=16",
		"1 = moved_bytes", "max(a_b, 2) within 3 % of min(1, 2)"};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(text); i++) {
		struct pl_fault f = {0};
		bool judged = false;
		if (check(text[i], &judged, &f) || !judged)
			fail_msg("%s: %s", text[i], f.text);
	}
}

static void slips_are_sentences(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"write_amplification withn 5 % of 3", "within N % of"},
		{"write_amplification is one", "within N % of"},
		{"write_amplification within % of 3", "wants a number"},
		{"write_amplification within 5 of 3", "% of"},
		{"write_amplification within 5 %", "'% of' is missing before 'the end'"},
		{"write_amplification <=", "a number or a metric is missing before 'the end'"},
		{"write_amplification <= 3 3", "'3' is more than a claim needs"},
		{"write_amplification <= 3x", "is no number"},
		{"write_amplification <= (3", "')' is missing"},
		{"write_amplification <= closed_fiefo(3)", "no function closed_fiefo"},
		{"write_amplification <= closed_greedy(0.5)", "closed_greedy wants (utilisation, block pages)"},
		{"write_amplification <= 3 where", "begins with a key"},
		{"write_amplification <= 3 where clents=4", "did you mean 'clients'"},
		{"write_amplification <= 3 where clients 4", "wants = != <= >= < or >"},
		{"write_amplification <= 3 where clients=", "lacks its value"},
		{"write_amplification <= 3 where space=rw", "raw"},
		{"write_amplification <= write_amplification[space=raw", "']' is missing"},
		{"steady = ", "is missing"},
	};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		struct pl_fault f = {0};
		if (check(bad[i].text, NULL, &f) != PL_INVALID)
			fail_msg("'%s' was taken", bad[i].text);
		assert_has(f.text, bad[i].says);
	}
}

static void the_file_and_line_are_named(void **state)
{
	static const char text[] = "[g]\nclients = 2\nexpect.free = just words\nexpect.bad = kv_x within 3\n";
	(void)state;
	struct experiment e;
	struct pl_fault f = {0};
	FILE *in = fmemopen((void *)(uintptr_t)text, sizeof text - 1, "r");
	assert_int_equal(experiment_read(in, "t", "t.ini", &e, &f), PL_INVALID);
	(void)fclose(in);
	assert_has(f.text, "t.ini:4: expect.bad: ");
}

/* ---- judgement */

static char directory[64];

/* A result file. body: the rows between run and end, one JSON object each, may be "". */
static void write_run(int index, const char *group, const char *spec, const char *sweep, const char *expect,
	const char *body, const char *status)
{
	char *path = lab_printf("%s/%04d.jsonl", directory, index);
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	(void)fprintf(out,
		"{\"row\":\"run\",\"schema\":1,\"experiment\":\"t\",\"group\":\"%s\",\"index\":%d,\"label\":\"%s %d\","
		"\"run_id\":\"%d\",\"seed\":1,\"sweep\":{%s},\"spec\":{%s},\"expect\":{%s}}\n%s",
		group, index, group, index, index, sweep, spec, expect, body);
	if (status)
		(void)fprintf(out, "{\"row\":\"end\",\"status\":\"%s\",\"reason\":\"\"}\n", status);
	(void)fclose(out);
	free(path);
}

static char *judge(struct claim_tally *tally)
{
	struct res_runs runs;
	struct pl_fault f = {0};
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	if (res_load_all((const char *[]){directory}, 1, &runs, &f))
		fail_msg("%s", f.text);
	claims_report(&runs, out, tally, NULL);
	(void)fclose(out);
	res_unload_all(&runs);
	return text;
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "/tmp/pagelab-expect-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char *command = lab_printf("rm -r %s", directory);
	(void)state;
	int err = system(command);
	free(command);
	return err;
}

#define ROWS                                                                                                           \
	"{\"row\":\"phase\",\"phase\":\"run\",\"operations\":10,\"erases\":7}\n"                                       \
	"{\"row\":\"device\",\"steady\":1,\"windows\":6,\"erases\":8,\"describe\":{\"super_pages\":256,\"erases\":9}}" \
	"\n"                                                                                                           \
	"{\"row\":\"derived\",\"windows\":5,\"write_amplification\":2.70,\"formula_fifo\":2.6928,\"utilisation_"       \
	"effective\":0.8}\n"

/* One run with one claim: failed claims. */
static size_t failures(const char *claim)
{
	struct claim_tally tally;
	char *expect = lab_printf("\"c\":\"%s\"", claim);
	write_run(0, "g", "\"clients\":\"4\",\"page_bytes\":\"16384\"", "\"clients\":\"4\"", expect, ROWS, "ok");
	char *text = judge(&tally);
	assert_int_equal(tally.judged, 1);
	assert_int_equal(tally.failed > 0, strstr(text, "FAIL") != NULL);
	free(text);
	free(expect);
	return tally.failed;
}

static void numbers_decide(void **state)
{
	(void)state;
	assert_int_equal(failures("write_amplification within 0.5 % of formula_fifo"), 0);
	assert_int_equal(failures("write_amplification within 0.2 % of formula_fifo"), 1);
	assert_int_equal(failures("formula_fifo within 0.5 % of write_amplification"), 0);
	assert_int_equal(failures("write_amplification <= 2.7"), 0);
	assert_int_equal(failures("write_amplification < 2.7"), 1);
	assert_int_equal(failures("write_amplification >= 2.71"), 1);
	assert_int_equal(failures("steady = 1"), 0);
	assert_int_equal(failures("steady != 1"), 1);
	assert_int_equal(failures("write_amplification - formula_fifo <= 0.0072 + 0.0001"), 0);
	assert_int_equal(failures("2 * write_amplification / 3 + 1 within 0.0001 % of 2.8"), 0);
	assert_int_equal(failures("write_amplification within 0.3 % of closed_fifo(utilisation_effective)"), 0);
	assert_int_equal(failures("write_amplification within 0.3 % of closed_fifo(utilisation_effective + 0.1)"), 1);
	assert_int_equal(failures("closed_greedy(0.8, super_pages) within 0.03 % of 2.668"), 0);
	assert_int_equal(failures("closed_choices(0.8, 256, 2) within 0.5 % of 3.58"), 0);
	assert_int_equal(failures("closed_hot_cold_fifo(0.8, 0.9, 0.1) within 0.2 % of 3.53"), 0);
	assert_int_equal(failures("closed_hot_cold_optimal(0.8, 0.9, 0.1) within 0.3 % of 1.48"), 0);
}

static void rows_in_their_order(void **state)
{
	(void)state;
	assert_int_equal(failures("1 * windows = 5"), 0); /* the derived row before the device's */
	assert_int_equal(failures("erases = 8"), 0); /* the device's before the phase's */
	assert_int_equal(failures("super_pages = 256"), 0);
	assert_int_equal(failures("operations = 10"), 0);
	assert_int_equal(failures("page_bytes = 16384"), 0);
	assert_int_equal(failures("1 * clients = 4"), 0);
	assert_int_equal(failures("1 * seed = 1"), 0); /* not in the spec: the option's default */
}

/* What a store's counters say of its cleaning: 12 pages of 2 blocks and a map page of 2, 13 moved blocks; 30 live blocks of
 * 40 at each of the 12 writes. */
static void ratios_of_stores(void **state)
{
	static const char counters[] = "\"page_writes\":12,\"page_write_bytes\":98304,\"host_write_bytes_map\":8192,"
				       "\"moved_bytes\":53248,\"live_bytes\":122880";
	struct claim_tally tally;
	(void)state;
	for (uint64_t zones = 0; zones < 2; zones++) {
		char *rows = lab_printf("{\"row\":\"phase\",\"phase\":\"run\",%s,\"occupied_blocks\":%d}\n", counters,
			zones ? 12 * 40 : 0);
		write_run(0, "g", "", "",
			"\"a\":\"cleaning_amplification = 1.5\",\"b\":\"cleaning_utilisation = 0.75\"", rows, "ok");
		free(judge(&tally));
		assert_int_equal(tally.judged, 2);
		assert_int_equal(
			tally.failed, zones ? 0 : 2); /* where nothing is written to zones there is no such number */
		free(rows);
	}
}

static void what_is_missing_fails(void **state)
{
	(void)state;
	assert_int_equal(failures("moved_share <= 1"), 1);
	assert_int_equal(failures("write_amplification <= no_such"), 1);
	assert_int_equal(failures("write_amplification >= 0 * no_such"), 1);
	assert_int_equal(failures("write_amplification >= 0 / 0"), 1);
	assert_int_equal(failures("write_amplification >= 0 * write_amplification[clients=5]"), 1);
	assert_int_equal(failures("write_amplification >= 0 where clients=5"), 1); /* no run to judge */
}

static void a_failed_run_fails_its_claims(void **state)
{
	static const char *const status[] = {"failed", NULL, "skipped"};
	struct claim_tally tally;
	(void)state;
	for (size_t i = 0; i < PL_COUNT(status); i++) {
		write_run(0, "g", "", "", "\"c\":\"write_amplification >= 0\"", ROWS, status[i]);
		char *text = judge(&tally);
		assert_int_equal(tally.failed, 1);
		free(text);
	}
}

static void filters_choose_runs(void **state)
{
	static const struct {
		const char *where;
		size_t readings, failed;
	} c[] = {
		{"", 4, 2},
		{" where clients=4", 2, 0},
		{" where clients<=4", 2, 0},
		{" where clients>4", 2, 2},
		{" where clients=4|8", 4, 2},
		{" where clients!=4|9", 2, 2},
		{" where clients!=8, page_bytes=16k", 1, 0},
		{" where page_bytes = 16384 | 8k , group=g", 4, 2},
		{" where group!=g", 0, 0},
	};
	struct claim_tally tally;
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++) {
		char *expect = lab_printf("\"c\":\"write_amplification <= clients%s\"", c[i].where);
		for (int k = 0; k < 4; k++) {
			char *spec = lab_printf(
				"\"clients\":\"%d\",\"page_bytes\":\"%d\"", k % 2 ? 8 : 4, k / 2 ? 16384 : 8192);
			write_run(k, "g", spec, spec, expect,
				k % 2 ? "{\"row\":\"derived\",\"write_amplification\":9}\n"
				      : "{\"row\":\"derived\",\"write_amplification\":3}\n",
				"ok");
			free(spec);
		}
		char *text = judge(&tally);
		if (tally.readings != c[i].readings || tally.failed_readings != c[i].failed)
			fail_msg("%s: %zu readings, %zu failed: %s", c[i].where, tally.readings, tally.failed_readings,
				text);
		assert_int_equal(tally.failed, c[i].failed || !c[i].readings);
		free(text);
		free(expect);
	}
}

/* Two groups, each with two seeds and two sizes; group b writes half of what group a writes. */
static void write_groups(const char *expect)
{
	for (int k = 0; k < 8; k++) {
		char *spec = lab_printf("\"seed\":\"%d\",\"page_bytes\":\"%d\"", 1 + k % 2, k / 2 % 2 ? 16384 : 8192);
		char *row = lab_printf(
			"{\"row\":\"derived\",\"write_amplification\":%d}\n", (k < 4 ? 2 : 1) * (10 + k % 4));
		char *own = k < 4 ? lab_printf("\"c\":\"%s\"", expect) : lab_strdup("");
		write_run(k, k < 4 ? "a" : "b", spec, spec, own, row, "ok");
		free(own);
		free(row);
		free(spec);
	}
}

static void another_run_is_the_one_that_differs_in_nothing_else(void **state)
{
	struct claim_tally tally;
	(void)state;
	write_groups("write_amplification = 2 * write_amplification[group=b]");
	char *text = judge(&tally);
	if (tally.readings != 4 || tally.failed)
		fail_msg("%s", text);
	free(text);
	write_groups("write_amplification = 2 * write_amplification[group=b, seed=1]");
	text = judge(&tally);
	assert_int_equal(tally.failed_readings, 2); /* seed 2 writes another number */
	free(text);
	write_groups("write_amplification >= 0 * write_amplification[group=b, seed=1|2]");
	text = judge(&tally);
	assert_int_equal(tally.failed_readings, 4);
	assert_has(text, "2 runs answer to [group=b, seed=1|2]");
	free(text);
	write_groups("write_amplification[page_bytes=8k] <= write_amplification");
	text = judge(&tally);
	if (tally.readings != 4 || tally.failed)
		fail_msg("%s", text);
	free(text);
}

static void the_report_shows_each_reading(void **state)
{
	struct claim_tally tally;
	(void)state;
	write_run(0, "g", "", "",
		"\"free\":\"as the paper says\",\"fifo\":\"write_amplification within 0.1 % of formula_fifo\"", ROWS,
		"ok");
	char *text = judge(&tally);
	assert_int_equal(tally.stated, 1);
	assert_has(text, "expected, free: as the paper says\n");
	assert_has(text, "2.7        2.6928     +0.27 %  FAILS\n");
	assert_has(text, "1 of 1 claims FAIL, in 1 of 1 readings\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_text_is_never_judged),
		cmocka_unit_test(claims_are_judged),
		cmocka_unit_test(slips_are_sentences),
		cmocka_unit_test(the_file_and_line_are_named),
		cmocka_unit_test_setup_teardown(numbers_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rows_in_their_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ratios_of_stores, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_missing_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_failed_run_fails_its_claims, set_up, tear_down),
		cmocka_unit_test_setup_teardown(filters_choose_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_run_is_the_one_that_differs_in_nothing_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_report_shows_each_reading, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("harness.expect", tests, NULL, NULL);
}
