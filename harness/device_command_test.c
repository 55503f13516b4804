/* device_command_test.c - `pagelab device`, and device runs under run, report, digest and baseline, as a user meets them.
 * Each call runs in a child process, in a directory of its own. */
#include "harness/command_rig.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[4096];

#define DEVICE(...) LAB("device", __VA_ARGS__)

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/pagelab-device-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char *command = lab_printf("rm -r %s", dir);
	(void)state;
	int bad = chdir("/") != 0 || system(command) != 0;
	free(command);
	return bad ? -1 : 0;
}

/* ---- the command */

#define TINY "device_bytes=16M", "sim_ssd.pages_per_block=1", "sim_ssd.channels=1"

static void json_is_one_object(void **state)
{
	(void)state;
	static const char *const reals[] = {"utilisation", "utilisation_effective", "write_amplification",
		"victim_valid_share", "formula_fifo", "formula_greedy", "formula_fifo_mixed", "formula_optimal",
		"utilisation_formula_fifo", "wear_mean"};
	static const char *const wholes[] = {"flash_pages", "live_pages", "host_write_pages", "media_write_pages",
		"moved_pages", "erases", "windows", "erases_least", "erases_greatest"};
	assert_code(DEVICE("--set", TINY, "--pattern", "hotcold:90/10", "--until", "8x", "--seed=5", "--json"), LAB_OK);
	json_t *o = json_loads(out_text, 0, NULL);
	assert_non_null(o);
	for (size_t i = 0; i < PL_COUNT(reals); i++)
		if (!json_is_real(json_object_get(o, reals[i])))
			fail_msg("%s is no real", reals[i]);
	for (size_t i = 0; i < PL_COUNT(wholes); i++)
		if (!json_is_integer(json_object_get(o, wholes[i])))
			fail_msg("%s is no whole number", wholes[i]);
	assert_true(json_is_boolean(json_object_get(o, "steady")));
	assert_int_equal(json_integer_value(json_object_get(o, "seed")), 5);
	assert_string_equal(json_string_value(json_object_get(o, "pattern")), "hotcold:90/10");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(o, "options"), "sim_ssd.collect")), "greedy");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "describe"), "channels")), 1);
	assert_true(json_is_real(json_object_get(json_object_get(o, "host"), "pages_per_second")));
	json_decref(o);
	assert_code(DEVICE("--set", TINY, "--op=read", "--size=8k", "--count=50", "--json"), LAB_OK);
	o = json_loads(out_text, 0, NULL);
	assert_non_null(o);
	json_t *read = json_object_get(json_object_get(o, "operations"), "read");
	assert_int_equal(json_integer_value(json_object_get(read, "requests")), 50);
	assert_int_equal(json_integer_value(json_object_get(read, "bytes")), 50 * 8192);
	assert_string_equal(json_string_value(json_object_get(o, "op")), "read");
	json_decref(o);
	assert_string_equal(err_text, "");
}

static void table_tells_the_same(void **state)
{
	(void)state;
	assert_code(DEVICE("--set", TINY, "--until", "8x"), LAB_OK);
	assert_has(out_text, "super_pages");
	assert_has(out_text, "write_amplification        ");
	assert_has(out_text, "formula_greedy             ");
	const char *told = strstr(err_text, "measured differ by "); /* 8 turnovers of a tiny device */
	assert_non_null(told);
	double spread = strtod(told + strlen("measured differ by "), NULL);
	assert_true(spread > 0.1 && spread < 50);
	assert_code(DEVICE("--set", TINY, "--op", "mixed:50", "--qd", "4", "--count", "100"), LAB_OK);
	assert_has(out_text, "p99.9");
	assert_has(out_text, "\nread  ");
	assert_has(out_text, "\nwrite  ");
}

static void help_has_examples(void **state)
{
	(void)state;
	size_t examples = 0;
	assert_code(LAB("device", "--help"), LAB_OK);
	for (const char *p = out_text; (p = strstr(p, "\n    pagelab device ")); p++)
		examples++;
	assert_int_equal(examples, 3);
	assert_code(LAB("--help"), LAB_OK);
	assert_has(out_text, "    device ");
	assert_null(strstr(out_text, "hotcold")); /* the long text is not for everybody */
}

static void mistakes_are_usage(void **state)
{
	(void)state;
	static const char *const bad[][6] = {{"--pattern", "unifrom", NULL}, {"--op", "raed", NULL},
		{"--qd", "0", "--op", "read"}, {"--utilisation", "0.99", NULL}, {"--op", "read", "--size", "5000"},
		{"--op", "append", NULL}, {"--patern", "seq", NULL}, {"--profile", "no-such-device", NULL},
		{"seq", NULL}, {"--op", NULL}, {"--set", "device=sim_zns", NULL}, {"--trace", "nowhere.log", NULL},
		{"--fio", "nowhere.fio", NULL}, {"--trace-speed", "2", NULL}, {"--trace", "a", "--fio", "b"},
		{"--trace", "a", "--op", "read"}, {"--set", "sim_ssd.fit=exact", "device_bytes=1M", NULL},
		{"--json=1", NULL}, {"--op", "read", "--until", "3x"}, {"--op", "read", "--utilisation", "0.5"},
		{"--profile", "zn540", "--set", "device=sim_ssd"}};
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		const char *word[9] = {"pagelab", "device"};
		memcpy(word + 2, bad[i], sizeof bad[i]);
		assert_code(finish(begin(word)), LAB_USAGE);
		assert_string_equal(out_text, "");
		/* one sentence */
		assert_true(strncmp(err_text, "pagelab: ", 9) == 0);
		assert_ptr_equal(strchr(err_text, '\n'), err_text + strlen(err_text) - 1);
	}
}

static void profiles_are_listed_and_used(void **state)
{
	(void)state;
	assert_int_equal(chdir(root), 0); /* the tests are run in the tree */
	assert_code(LAB("list", "--profiles"), LAB_OK);
	assert_has(out_text, "zn540  ");
	assert_int_equal(chdir(dir), 0);
	write_file("mine.ini",
		"[profile]\ndevice = sim_ssd\nsim_ssd.read_ns = 111us ; guessed\ndevice_bytes = 16M ; guessed\n");
	assert_code(DEVICE("--profile", "./mine.ini", "--op=read", "--count=10", "--json"), LAB_OK);
	assert_has(out_text, "\"sim_ssd.read_ns\":\"111000\"");
	assert_code(
		DEVICE("--profile", "mine.ini", "--set", "sim_ssd.read_ns=5us", "--op=read", "--count=10", "--json"),
		LAB_OK);
	assert_has(out_text, "\"sim_ssd.read_ns\":\"5000\"");
	assert_code(LAB("run", "--profile", "mine.ini", "--set", "records=200", "operations=200", "device_bytes=64M",
			    "--out", "o"),
		LAB_OK);
	assert_has(err_text, "ok");
	write_file("bad.ini", "[profile]\ndevice = sim_ssd\nsim_ssd.raed_ns = 1us\n");
	assert_code(DEVICE("--profile", "bad.ini"), LAB_USAGE);
	assert_has(err_text, "bad.ini:3: unknown key 'sim_ssd.raed_ns'; did you mean 'sim_ssd.read_ns'?");
}

static void traces_and_jobs_run(void **state)
{
	(void)state;
	write_file("a.csv", "128166372003061629,h,0,Read,0,4096,1000\n128166372003071629,h,0,Write,8192,4096,1000\n");
	assert_code(DEVICE("--set", TINY, "--trace", "a.csv", "--json"), LAB_OK);
	assert_has(out_text, "\"format\":\"msr\"");
	assert_has(out_text, "\"write\":{\"requests\":1,");
	assert_has(err_text, "warning: of 4096 bytes read, 0 came from flash");
	assert_code(DEVICE("--set", TINY, "sim_ssd.precondition=seqfill", "--trace", "a.csv", "--json"), LAB_OK);
	assert_string_equal(err_text, "");
	assert_code(DEVICE("--set", TINY, "device.op=read", "--trace", "a.csv"), LAB_USAGE);
	assert_has(err_text, "--op is too much");
	write_file("a.fio", "[global]\nbs=4k\nsize=1m\n[a]\nrw=randwrite\n");
	assert_code(DEVICE("--set", TINY, "--fio", "a.fio", "--json"), LAB_OK);
	assert_has(out_text, "\"requests\":256");
}

/* ---- as experiments */

static void experiments_run_report_and_compare(void **state)
{
	(void)state;
	write_file("e.ini",
		"title = two devices\n[defaults]\nrun = device\ndevice_bytes = 16M\n[a]\ndevice.until = 8x\n"
		"device.utilisation = 0.6, 0.7\n[b]\ndevice.op = read, write\ndevice.count = 100\n");
	assert_code(LAB("run", "e.ini", "--out", "r", "--jobs", "2"), LAB_OK);
	assert_has(err_text, "4 runs: 4 ok");
	assert_code(LAB("run", "e.ini", "--out", "r"), LAB_OK);
	assert_has(err_text, "4 already finished");
	assert_code(LAB("run", "e.ini", "--out", "s", "--shard", "1/2"), LAB_OK);
	assert_has(err_text, "2 runs: 2 ok");
	assert_code(LAB("digest", "r/e"), LAB_OK);
	char *all = lab_strdup(out_text);
	assert_code(LAB("digest", "s/e"), LAB_OK);
	char *second = strchr(out_text, '\n');
	*second = 0;
	assert_has(all, out_text); /* a run is the same run wherever it is done */
	free(all);
	assert_code(LAB("baseline", "--write", "b.csv", "r/e"), LAB_OK);
	assert_code(LAB("baseline", "--check", "b.csv", "r/e"), LAB_OK);
	char *csv = lab_read_file("b.csv"), *at = strstr(csv, ",device,moved_pages,");
	assert_non_null(at);
	at[strlen(",device,moved_pages,")] ^= 1; /* another digit */
	write_file("b.csv", csv);
	free(csv);
	assert_code(LAB("baseline", "--check", "b.csv", "r/e"), LAB_FAILED);
	assert_has(out_text, "device,moved_pages: ");
	assert_has(out_text, " pages");
	assert_code(LAB("report", "r/e"), LAB_OK);
	assert_has(out_text, "device.utilisation");
	assert_has(out_text, "u effective");
	assert_has(out_text, "mean us");
	assert_null(strstr(out_text, "space amp")); /* of engines */
}

#define T(name, fn)                                                                                                    \
	{                                                                                                              \
		name, fn, set_up, tear_down, NULL                                                                      \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("device_command.json_is_one_object", json_is_one_object),
		T("device_command.table_tells_the_same", table_tells_the_same),
		T("device_command.help_has_examples", help_has_examples),
		T("device_command.mistakes_are_usage", mistakes_are_usage),
		T("device_command.profiles_are_listed_and_used", profiles_are_listed_and_used),
		T("device_command.traces_and_jobs_run", traces_and_jobs_run),
		T("device_command.experiments_run_report_and_compare", experiments_run_report_and_compare),
	};
	if (!getcwd(root, sizeof root))
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(out_text);
	free(err_text);
	return failed;
}
