/* validation_test.c - the claims of the validation experiments hold: each is run at its small scale, in a process of its
 * own, and judged. And a claim that does not hold is seen, by the exit code, too. */
#include "harness/command.h"
#include "harness/expect.h"
#include "harness/experiment.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];

/* The experiments that are judged here, one a line: those of a -small.ini at its scale, the others as they are. `claims` of
 * theirs are judged at least, so that none is lost unseen. Each is a test of its name. */
static const struct judged {
	const char *name;
	size_t claims;
} judged[] = {
	{"cleaning-uniform-small", 5},
	{"cleaning-skew-small", 15},
	{"zone-superblock-small", 9},
	{"zns-conventional-small", 7},
	{"space-law-small", 21},
	{"cleaning-store-small", 10},
	{"zone-size-small", 5},
	{"zn540", 38},
	{"opfs-calls", 27},
	{"overview-small", 4},
	{"pingpong-small", 12},
	{"fill-and-skew-small", 12},
	{"zns-store-small", 9},
	{"few-zones-small", 6},
	{"cow-table-small", 9},
	{"node-layouts-small", 18},
};

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "/tmp/pagelab-validation-XXXXXX");
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

/* `pagelab words...` in a child, its words to a log; the exit code. */
static int lab(const char *const *word)
{
	char *log = lab_printf("%s/log", directory);
	int argc = 0, status = 0;
	while (word[argc])
		argc++;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		if (!freopen(log, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(99);
		int code = pagelab_main(argc, (char **)(uintptr_t)word);
		(void)fflush(NULL);
		_exit(code);
	}
	assert_true(pid > 0);
	(void)waitpid(pid, &status, 0);
	free(log);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *log_text(void)
{
	char *path = lab_printf("%s/log", directory), *text = lab_read_file(path);
	free(path);
	return text ? text : lab_strdup("");
}

/* Run an experiment and judge it: its claims hold. */
static void holds(void **state)
{
	const struct judged *e = *state;
	struct claim_tally tally;
	struct res_runs runs;
	struct pl_fault f = {0};
	char *results = lab_printf("%s/%s", directory, e->name), *text = NULL;
	size_t n;
	int code = lab((const char *[]){"pagelab", "run", e->name, "--out", directory, NULL});
	if (code != LAB_OK) {
		text = log_text();
		fail_msg("%s ended with %d: %s", e->name, code, text);
	}
	if (res_load_all((const char *[]){results}, 1, &runs, &f))
		fail_msg("%s", f.text);
	FILE *out = open_memstream(&text, &n);
	claims_report(&runs, out, &tally, NULL);
	(void)fclose(out);
	if (tally.failed || tally.judged < e->claims)
		fail_msg("%s: %zu claims judged, %zu failed:\n%s", e->name, tally.judged, tally.failed, text);
	print_message("%s: %zu claims hold, in %zu readings\n", e->name, tally.judged, tally.readings);
	res_unload_all(&runs);
	free(results);
	free(text);
}

/* With one zone less than few-zones shows, the answer is a sentence. */
static void too_few_zones_are_refused(void **state)
{
	static const char *const bytes[] = {"device_bytes=2304k", "device_bytes=2560k"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		int code = lab((const char *[]){"pagelab", "run", "--set", "placement=zone", "device=sim_zns",
			"durability=none", "sim_zns.zone_bytes=256k", "pool_bytes=256k", "records=300",
			"operations=100", bytes[i], "--out", directory, NULL});
		char *text = log_text();
		if (code != (i ? LAB_OK : LAB_USAGE) || (!i && !strstr(text, "at least 8 zones are needed")))
			fail_msg("%s ended with %d: %s", bytes[i], code, text);
		free(text);
	}
}

/* A small scale claims nothing that the full one does not, by name; and nobody's small scale is forgotten here. */
static void small_scales_go_with_full_ones(void **state)
{
	glob_t g;
	(void)state;
	assert_int_equal(glob("harness/exp/*-small.ini", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct experiment small, full;
		struct pl_fault f = {0};
		bool known = false;
		char *path = lab_strdup(g.gl_pathv[i]);
		if (experiment_load(path, &small, &f))
			fail_msg("%s", f.text);
		for (size_t k = 0; k < PL_COUNT(judged); k++)
			known = known || strcmp(judged[k].name, small.name) == 0;
		if (!known)
			fail_msg("%s is judged by no test", path);
		memcpy(strstr(path, "-small.ini"), ".ini", sizeof ".ini");
		if (experiment_load(path, &full, &f))
			fail_msg("%s", f.text);
		for (size_t k = 0; k < small.run[0].expects; k++) {
			bool claimed = false;
			for (size_t r = 0; r < full.runs; r++)
				for (size_t e = 0; e < full.run[r].expects; e++)
					claimed = claimed ||
						  strcmp(full.run[r].expect[e].key, small.run[0].expect[k].key) == 0;
			if (!claimed)
				fail_msg("%s does not claim %s", path, small.run[0].expect[k].key);
		}
		experiment_free(&small);
		experiment_free(&full);
		free(path);
	}
	globfree(&g);
}

/* The report of the same run exits with 0 or 1, by the claim. */
static void report_exits_by_its_claims(void **state)
{
	static const struct {
		const char *name, *claim;
		int code;
	} c[] = {{"holding", "write_latency_mean_us within 5 % of 11.4", LAB_OK},
		{"failing", "write_latency_mean_us within 5 % of 12.4", LAB_FAILED}};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(c); i++) {
		char *path = lab_printf("%s/%s.ini", directory, c[i].name),
		     *results = lab_printf("%s/%s", directory, c[i].name);
		FILE *out = fopen(path, "we");
		assert_non_null(out);
		(void)fprintf(out,
			"[a]\nrun = device\nprofile = zn540\ndevice.op = write\ndevice.size = 4k\ndevice.zones = 1\n"
			"device.count = 100\nexpect.c = %s\n",
			c[i].claim);
		(void)fclose(out);
		assert_int_equal(lab((const char *[]){"pagelab", "run", path, "--out", directory, NULL}), LAB_OK);
		int code = lab((const char *[]){"pagelab", "report", results, NULL});
		char *text = log_text();
		if (code != c[i].code || !strstr(text, c[i].code ? "1 of 1 claims FAIL" : "all 1 claims hold"))
			fail_msg("%s: exit code %d instead of %d: %s", c[i].name, code, c[i].code, text);
		free(text);
		free(path);
		free(results);
	}
}

int main(void)
{
	const struct CMUnitTest others[] = {
		cmocka_unit_test(too_few_zones_are_refused),
		cmocka_unit_test(small_scales_go_with_full_ones),
		cmocka_unit_test(report_exits_by_its_claims),
	};
	struct CMUnitTest tests[PL_COUNT(judged) + PL_COUNT(others)];
	for (size_t i = 0; i < PL_COUNT(judged); i++)
		tests[i] = (struct CMUnitTest){
			.name = judged[i].name, .test_func = holds, .initial_state = (void *)(uintptr_t)&judged[i]};
	memcpy(tests + PL_COUNT(judged), others, sizeof others);
	return cmocka_run_group_tests_name("harness.validation", tests, set_up, tear_down);
}
