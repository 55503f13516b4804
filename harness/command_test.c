/* command_test.c - the commands as a user meets them: what they print, and their exit codes. Each call runs in a child
 * process, in a directory of its own. */
#include "harness/command_rig.h"
#include "results/reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SMALL                                                                                                          \
	"device=sim_ssd", "placement=zone", "records=500", "operations=500", "pool_bytes=1M", "device_bytes=48M",      \
		"log_bytes=1M"

#define SMALL_LINES                                                                                                    \
	"device = sim_ssd\nplacement = zone\noperations = 50\npool_bytes = 1M\ndevice_bytes = 48M\nlog_bytes = 1M\n"

static size_t count_files(const char *pattern)
{
	glob_t g;
	size_t n = glob(pattern, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
	globfree(&g);
	return n;
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/pagelab-command-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];
	(void)state;
	(void)snprintf(command, sizeof command, "rm -r %s", dir);
	return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static const char *const sweep =
	"[g]\ndevice = sim_ssd, sim_zns\nplacement = inplace, zone\nseeds = 1..2\nrecords = 300\n"
	"operations = 400\npool_bytes = 1M\nlog_bytes = 1M\ndevice_bytes = 48M\nsim_zns.zone_bytes = "
	"1M\nzone.zone_bytes = 1M\n";

static void mistakes_are_one_sentence(void **state)
{
	(void)state;
	assert_code(LAB("lits"), LAB_USAGE);
	assert_string_equal(err_text, "pagelab: unknown command 'lits'; did you mean 'list'?\n");
	assert_code(LAB("run", "--sett", "x"), LAB_USAGE);
	assert_has(err_text, "did you mean '--set'?");
	assert_code(LAB("run", "--set", "nod=slotted"), LAB_USAGE);
	assert_has(err_text, "unknown key 'nod'; did you mean 'node'?");
	assert_code(LAB("run", "no-such-experiment"), LAB_USAGE);
	assert_has(err_text, "there is no experiment no-such-experiment");
	assert_code(LAB("run", "--out"), LAB_USAGE);
	assert_has(err_text, "--out wants a value");
	assert_code(LAB("run", "--out", "mistake", "--set", SMALL, "phases=load+rum"), LAB_USAGE);
	assert_has(err_text, "there is no phase 'rum'");
	assert_code(LAB("check", "nowhere"), LAB_USAGE);
	assert_code(LAB("digest", "nowhere"), LAB_FAILED);
}

static void help_and_version(void **state)
{
	(void)state;
	assert_code(LAB("--help"), LAB_OK);
	for (const struct command *c = commands; c->name; c++)
		assert_has(out_text, c->usage);
	assert_code(LAB("--version"), LAB_OK);
	assert_has(out_text, "pagelab ");
	assert_code(LAB("list"), LAB_OK);
	assert_has(out_text, "placement: ");
	assert_code(LAB("list", "--options"), LAB_OK);
	assert_has(out_text, "clients = 16    (count, 1..65536)\n");
	assert_code(LAB("list", "--matrix"), LAB_OK);
	assert_has(out_text, " refused: ");
}

static void illegal_combination_exits_77(void **state)
{
	(void)state;
	assert_code(LAB("run", "--set", "placement=inplace", "device=sim_zns"), LAB_SKIPPED);
	assert_has(err_text, "pagelab: ");
	assert_int_equal(count_files("results/runs/single/*"), 0);
}

static void single_run_leaves_a_verified_result(void **state)
{
	(void)state;
	struct res_run r;
	struct pl_fault f;
	assert_code(LAB("run", "--out", "one", "--set", SMALL, "workload=ycsb/a"), LAB_OK);
	out_text[strcspn(out_text, "\n")] = 0;
	assert_int_equal(res_load(out_text, &r, &f), PL_OK);
	assert_int_equal(res_number(res_phase(&r, "run"), "operations"), 500);
	assert_int_equal(res_number(res_phase(&r, "verify"), "verified_records"), 500);
	assert_int_equal(res_number(res_phase(&r, "verify_again"), "verified_records"), 500);
	assert_int_equal(res_number(res_phase(&r, "load"), "insert_operations"), 500);
	assert_true(res_number(res_phase(&r, "settle"), "checkpoints") >= 1);
	assert_true(json_is_true(json_object_get(r.run, "simulated")));
	assert_string_equal(res_text(json_object_get(r.run, "choices"), "placement"), "zone");
	assert_string_equal(res_text(r.end, "status"), "ok");
	res_unload(&r);
}

/* Only integers, texts and truth values in exact rows. */
static bool has_real(const json_t *j)
{
	const char *key;
	json_t *value;
	if (json_is_real(j))
		return true;
	json_object_foreach((json_t *)(uintptr_t)j, key, value) if (has_real(value)) return true;
	for (size_t i = 0; i < json_array_size(j); i++)
		if (has_real(json_array_get(j, i)))
			return true;
	return false;
}

static void same_spec_same_bytes(void **state)
{
	(void)state;
	char *first;
	struct res_run r;
	assert_code(LAB("run", "--out", "a", "--set", SMALL, "workload=ycsb/f"), LAB_OK);
	out_text[strcspn(out_text, "\n")] = 0;
	assert_int_equal(res_load(out_text, &r, NULL), PL_OK);
	for (size_t i = 0; i < json_array_size(r.rows); i++)
		assert_false(has_real(json_array_get(r.rows, i)));
	res_unload(&r);
	assert_code(LAB("digest", "a"), LAB_OK);
	first = lab_strdup(out_text);
	assert_code(LAB("run", "--out", "b", "--set", "operations=500", "pool_bytes=1024k", "workload=ycsb/f",
			    "placement=zone", "records=500", "device_bytes=49152k", "log_bytes=1M", "device=sim_ssd"),
		LAB_OK);
	assert_code(LAB("digest", "b"), LAB_OK);
	assert_true(strlen(first) > 20);
	assert_string_equal(first, out_text);
	assert_code(LAB("run", "--out", "b", "--set", SMALL, "workload=ycsb/f", "seed=2"), LAB_OK);
	assert_code(LAB("digest", "b"), LAB_OK);
	assert_int_equal(strlen(out_text), 2 * strlen(first));
	free(first);
}

static void experiment_runs_once(void **state)
{
	(void)state;
	write_file("sweep.ini", sweep);
	assert_code(LAB("expand", "sweep.ini"), LAB_OK);
	assert_has(out_text, "5\taddressing=");
	assert_null(strstr(out_text, "6\taddressing="));
	assert_code(LAB("run", "sweep.ini", "--out", "o", "--jobs", "2"), LAB_OK);
	assert_has(err_text, "sweep: 6 runs: 6 ok, 0 already finished, 0 failed, 0 skipped; 2 illegal");
	assert_int_equal(count_files("o/sweep/*.jsonl"), 8); /* the illegal ones say why */
	assert_int_equal(count_files("o/sweep/*.part"), 0);
	assert_code(LAB("run", "sweep.ini", "--out", "o"), LAB_OK);
	assert_has(err_text, "6 already finished");
	assert_null(strstr(err_text, "another revision"));
	assert_code(LAB("run", "sweep.ini", "--out", "o", "--index", "6"), LAB_USAGE);
	/* a result of another program is not passed over in silence */
	glob_t found;
	assert_int_equal(glob("o/sweep/0000-*.jsonl", 0, NULL, &found), 0);
	char *text = file_text(found.gl_pathv[0]), *revision = strstr(text, "\"revision\":\"");
	assert_non_null(revision);
	revision[strlen("\"revision\":\"")] ^= 1;
	write_file(found.gl_pathv[0], text);
	free(text);
	globfree(&found);
	assert_code(LAB("run", "sweep.ini", "--out", "o"), LAB_OK);
	assert_has(err_text, "1 of the finished runs are by another revision");
	assert_code(LAB("run", "sweep.ini", "--out", "o", "--anew"), LAB_OK);
	assert_has(err_text, "6 ok, 0 already finished");
	assert_code(LAB("run", "sweep.ini", "--out", "o"), LAB_OK);
	assert_null(strstr(err_text, "another revision"));
	assert_code(LAB("run", "sweep.ini", "--out", "p", "--shard", "1/4"), LAB_OK);
	assert_int_equal(count_files("p/sweep/*.jsonl"), 2);
	assert_code(LAB("run", "sweep.ini", "--out", "p", "--index", "0"), LAB_OK);
	assert_int_equal(count_files("p/sweep/0000-*.jsonl"), 1);
}

static void jobs_do_not_change_results(void **state)
{
	(void)state;
	char *one;
	write_file("sweep.ini", sweep);
	assert_code(LAB("run", "sweep.ini", "--out", "j1", "--jobs", "1"), LAB_OK);
	assert_code(LAB("digest", "j1"), LAB_OK);
	one = lab_strdup(out_text);
	assert_code(LAB("run", "sweep.ini", "--out", "j4", "--jobs", "4"), LAB_OK);
	assert_code(LAB("digest", "j4"), LAB_OK);
	assert_string_equal(one, out_text);
	free(one);
}

static void report_shows_a_table(void **state)
{
	(void)state;
	write_file("sweep.ini", sweep);
	assert_code(LAB("run", "sweep.ini", "--out", "t"), LAB_OK);
	/* A page as new as the results keeps the drawing out of this test. */
	assert_int_equal(nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL), 0);
	write_file("t/sweep/report.html", "");
	assert_code(LAB("report", "t/sweep"), LAB_OK);
	assert_has(out_text, "placement");
	assert_has(out_text, "kops/s");
	assert_has(out_text, "6 runs ok, 0 failed, 2 skipped");
	assert_null(strstr(out_text, "missing"));
	assert_code(LAB("report", "no-such"), LAB_USAGE);
}

/* The experiment's file tells how many runs there should be, if these are its results; a run that failed fails the report. */
static void report_tells_what_is_missing(void **state)
{
	(void)state;
	assert_int_equal(system("mkdir -p harness/exp"), 0);
	write_file("harness/exp/sweep.ini", sweep);
	assert_code(LAB("run", "sweep", "--out", "ms"), LAB_OK);
	assert_int_equal(system("rm ms/sweep/000[13]-*"), 0);
	assert_int_equal(nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL), 0);
	write_file("ms/sweep/report.html", "");
	assert_code(LAB("report", "ms/sweep"), LAB_OK);
	assert_has(out_text, "4 of 6 runs; 2 are missing\n4 runs ok, 0 failed");
	assert_int_equal(system("sed -i 's/\"status\":\"ok\"/\"status\":\"failed\"/' ms/sweep/0000-*"), 0);
	assert_int_equal(nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL), 0);
	write_file("ms/sweep/report.html", "");
	assert_code(LAB("report", "ms/sweep"), LAB_FAILED);
	assert_has(out_text, "3 runs ok, 1 failed");
	write_file("harness/exp/sweep.ini", "[g]\nrecords = 7\ndevice = sim_ssd\nplacement = zone\n");
	assert_code(LAB("report", "ms/sweep"), LAB_FAILED);
	assert_null(strstr(out_text, "missing"));
	assert_int_equal(unlink("harness/exp/sweep.ini"), 0);
}

static void baseline_names_what_moved(void **state)
{
	(void)state;
	write_file("sweep.ini", sweep);
	assert_code(LAB("run", "sweep.ini", "--out", "bl"), LAB_OK);
	assert_code(LAB("baseline", "--write", "base.csv", "bl/sweep"), LAB_OK);
	assert_code(LAB("baseline", "--check", "base.csv", "bl/sweep"), LAB_OK);
	assert_has(out_text, "6 runs, ");
	assert_has(out_text, "all as in base.csv");
	char *csv = lab_read_file("base.csv"), *line = strstr(csv, ",run,operations,400\n");
	assert_non_null(line);
	memcpy(line, ",run,operations,500\n", 20);
	write_file("base.csv", csv);
	assert_code(LAB("baseline", "--check", "base.csv", "bl/sweep"), LAB_FAILED);
	assert_has(out_text, "run,operations: 500 -> 400 (-100 count, -20.00 %, worse)\n");
	assert_has(out_text, "1 metrics differ (0 better, 1 worse), 0 runs missing, 0 runs new");
	assert_has(out_text, "pagelab baseline --write base.csv bl/sweep");
	free(csv);
	/* A run less, a run more. */
	assert_code(LAB("baseline", "--write", "base.csv", "bl/sweep"), LAB_OK);
	assert_int_equal(system("rm bl/sweep/0003-*"), 0);
	assert_code(LAB("baseline", "--check", "base.csv", "bl/sweep"), LAB_FAILED);
	assert_has(out_text, "the run is in the baseline but not among these runs");
	assert_has(out_text, "0 metrics differ (0 better, 0 worse), 1 runs missing");
}

static void changed_results_are_noticed(void **state)
{
	(void)state;
	assert_code(LAB("run", "--out", "ch", "--set", SMALL), LAB_OK);
	assert_int_equal(system("sed -i 's/\"operations\":500,/\"operations\":501,/' ch/single/*.jsonl"), 0);
	assert_code(LAB("digest", "ch"), LAB_FAILED);
	assert_has(err_text, "was changed after it was written");
}

/* No table is made of such a file, and it does not count as finished. */
static void changed_results_are_neither_reported_nor_finished(void **state)
{
	(void)state;
	write_file("sweep.ini", sweep);
	assert_code(LAB("run", "sweep.ini", "--out", "cr"), LAB_OK);
	assert_int_equal(
		system("sed -i '/\"phase\":\"run\"/s/\"operations\":400,/\"operations\":900,/' cr/sweep/0002-*"), 0);
	assert_code(LAB("report", "cr/sweep"), LAB_FAILED);
	assert_string_equal(out_text, "");
	assert_has(err_text, "/0002-");
	assert_has(err_text, " was changed after it was written: digest ");
	assert_has(err_text, "; remove it and run the experiment again\n");
	assert_int_equal(count_files("cr/sweep/report.html"), 0);
	assert_int_equal(count_files("cr/sweep/claims.json"), 0);
	assert_code(LAB("run", "sweep.ini", "--out", "cr"), LAB_OK);
	assert_has(err_text, "sweep: 6 runs: 1 ok, 5 already finished, 0 failed");
	assert_has(err_text, "; it is run again\n");
	assert_code(LAB("digest", "cr"), LAB_OK);
	assert_code(LAB("run", "sweep.ini", "--out", "cr"), LAB_OK);
	assert_null(strstr(err_text, "it is run again"));
}

static void busy_run_exits_75(void **state)
{
	(void)state;
	glob_t g;
	char part[300];
	assert_code(LAB("run", "--out", "bu", "--set", SMALL), LAB_OK);
	assert_int_equal(glob("bu/single/*.jsonl", 0, NULL, &g), 0);
	(void)snprintf(part, sizeof part, "%s.part", g.gl_pathv[0]);
	globfree(&g);
	int fd = open(part, O_RDWR | O_CREAT, 0666);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_code(LAB("run", "--out", "bu", "--set", SMALL), LAB_AGAIN);
	assert_has(err_text, "another process");
	(void)close(fd);
	assert_code(LAB("run", "--out", "bu", "--set", SMALL), LAB_OK);
	assert_int_equal(count_files("bu/single/*.part"), 0);
}

static void interrupted_run_leaves_nothing(void **state)
{
	(void)state;
	write_file("long.ini",
		"[g]\ndevice = sim_ssd\nplacement = zone\nrecords = 2000\noperations = 100000000\nseeds = 1..3\n"
		"pool_bytes = 1M\n");
	pid_t pid = begin((const char *const[]){"pagelab", "run", "long.ini", "--out", "in", "--jobs", "2", NULL});
	for (int i = 0; i < 500 && count_files("in/long/*.part") < 2; i++)
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	(void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	(void)kill(pid, SIGTERM);
	assert_code(finish(pid), LAB_AGAIN);
	assert_has(err_text, "interrupted; finished runs are kept");
	assert_int_equal(count_files("in/long/*"), 0);
}

static void stale_results_are_put_aside(void **state)
{
	(void)state;
	write_file("st.ini", "device = sim_ssd\nplacement = zone\nrecords = 200\noperations = 200\npool_bytes = 1M\n");
	assert_code(LAB("run", "st.ini", "--out", "so"), LAB_OK);
	write_file("st.ini", "device = sim_ssd\nplacement = zone\nrecords = 201\noperations = 200\npool_bytes = 1M\n");
	assert_code(LAB("run", "st.ini", "--out", "so"), LAB_OK);
	assert_has(err_text, "1 results of runs that st no longer has");
	assert_int_equal(count_files("so/st/*.jsonl"), 1);
	assert_int_equal(count_files("so/st/*.jsonl.old"), 1);
}

static void kept_store_can_be_checked(void **state)
{
	(void)state;
	static const char *const device[] = {"device=sim_ssd", "device=sim_zns", "device=file"};
	for (size_t i = 0; i < PL_COUNT(device); i++) {
		char store[32];
		(void)snprintf(store, sizeof store, "kept%zu", i);
		assert_code(LAB("run", "--keep", store, "--out", "ke", "--set", device[i], "placement=zone",
				    "records=400", "operations=400", "pool_bytes=1M", "device_bytes=48M",
				    "log_bytes=1M", "sim_zns.zone_bytes=1M"),
			LAB_OK);
		assert_code(LAB("check", store), LAB_OK);
		assert_has(out_text, "is sound: 400 records");
		assert_code(LAB("run", "--keep", store, "--out", "ke", "--set", SMALL), LAB_USAGE);
		assert_has(err_text, "is not empty");
	}
}

/* Fill the middle of the image with nonsense: whatever it hits, it must be noticed. */
static void damaged_store_fails_the_check(void **state)
{
	(void)state;
	static uint8_t nonsense[65536];
	assert_code(LAB("run", "--keep", "hurt", "--out", "ke", "--set", SMALL), LAB_OK);
	memset(nonsense, 0x5A, sizeof nonsense);
	int fd = open("hurt/device.img", O_RDWR);
	off_t at = 0;
	uint8_t block[4096];
	while (pread(fd, block, sizeof block, at) == (ssize_t)sizeof block) {
		bool zero = true;
		for (size_t i = 0; i < sizeof block && zero; i++)
			zero = block[i] == 0;
		if (!zero)
			assert_int_equal(pwrite(fd, nonsense, sizeof block, at), sizeof block);
		at += (off_t)sizeof block;
	}
	(void)close(fd);
	assert_code(LAB("check", "hurt"), LAB_FAILED);
	assert_has(err_text, "pagelab: hurt: ");
}

/* One byte in every page image: the store opens, for its anchor is whole, and the check must find it. */
static void damaged_pages_fail_the_check(void **state)
{
	(void)state;
	uint8_t block[4096], x = 0x5A;
	assert_code(LAB("run", "--keep", "bad", "--out", "ke", "--set", "device=sim_ssd", "placement=inplace",
			    "records=500", "operations=500", "pool_bytes=1M", "device_bytes=48M", "log_bytes=1M"),
		LAB_OK);
	int fd = open("bad/device.img", O_RDWR), changed = 0;
	for (off_t at = 0; pread(fd, block, sizeof block, at) == (ssize_t)sizeof block; at += (off_t)sizeof block)
		if (memcmp(block, "PLPG", 4) == 0) {
			assert_int_equal(pwrite(fd, &x, 1, at + 3000), 1);
			changed++;
		}
	(void)close(fd);
	assert_true(changed > 50);
	assert_code(LAB("check", "bad"), LAB_FAILED);
	assert_has(err_text, "pagelab: bad: ");
	assert_has(err_text, "page");
	assert_null(strstr(out_text, "sound"));
}

static void workload_is_printed(void **state)
{
	(void)state;
	assert_code(LAB("workload", "--set", "workload=ycsb/a", "records=100", "--print", "5"), LAB_OK);
	assert_true(strlen(out_text) > 50);
	assert_code(
		LAB("workload", "--set", "workload=ycsb/a", "records=1000", "--histogram", "--draws", "1000"), LAB_OK);
	assert_code(LAB("workload", "--set", "workload=ycsb/a"), LAB_USAGE);
	assert_code(LAB("workload", "-p", "no_such_property=1", "--print", "1"), LAB_USAGE);
}

/* The digest is a word of the run, the path is not; what is wrong with the file ends everything before it begins. */
static void keys_of_a_file_are_part_of_the_run(void **state)
{
	(void)state;
	write_file("a.txt", "anna\nberta\ncarla\ndora\nemma\n");
	write_file("b.txt", "anna\nberta\ncarla\ndora\nemma\n");
	write_file("c.txt", "anna\nberta\ncarla\ndora\nelsa\n");
	write_file("twice.txt", "anna\nberta\nanna\n");
	write_file("keys.ini",
		"[g]\nkeys = file\nkeys.path = a.txt, b.txt, c.txt\nrequest = uniform\n" SMALL_LINES "records = 5\n");
	assert_code(LAB("expand", "keys.ini"), LAB_OK);
	assert_has(out_text, "keys.digest=");
	assert_true(!strstr(out_text, "b.txt")); /* its run is that of a.txt */
	assert_code(LAB("run", "keys.ini", "--out", "keys"), LAB_OK);
	assert_int_equal(count_files("keys/keys/*.jsonl"), 2);
	write_file("keys.ini", "[g]\nkeys = file\nkeys.path = twice.txt\nrecords = 2\n");
	assert_code(LAB("run", "keys.ini", "--out", "keys"), LAB_USAGE);
	assert_string_equal(
		err_text, "pagelab: keys.ini: twice.txt:3: the key of line 1 again; every key occurs once\n");
	assert_code(
		LAB("run", "--out", "keys", "--set", SMALL, "keys=file", "keys.path=a.txt", "records=6"), LAB_USAGE);
	assert_string_equal(err_text, "pagelab: a.txt:5: the file ends here, but the workload has 6 records\n");
	assert_code(LAB("run", "--out", "keys", "--set", SMALL, "keys=file", "keys.path=a.txt", "records=4",
			    "operations=1", "request=uniform", "ycsb.insertproportion=1"),
		LAB_OK);
	assert_code(LAB("run", "--out", "keys", "--set", SMALL, "keys=file", "keys.path=a.txt", "records=4",
			    "operations=1", "warm_operations=1", "request=uniform", "ycsb.insertproportion=1"),
		LAB_USAGE);
	assert_has(err_text, "4 records and up to 2 inserts of 2 operations are 6 keys");
	char line[2000];
	(void)snprintf(line, sizeof line, "%0600d\nx\n", 1);
	write_file("long.txt", line);
	assert_code(LAB("run", "--out", "keys", "--set", SMALL, "keys=file", "keys.path=long.txt", "records=2",
			    "request=uniform", "page_bytes=4096"),
		LAB_USAGE);
	assert_has(err_text, "long.txt: its longest key has 600 bytes; in pages of 4096 bytes keys have at most 512");
	assert_code(LAB("workload", "--set", "keys=file", "keys.path=a.txt", "records=5", "request=uniform",
			    "operations=1", "--print", "2", "--phase", "load"),
		LAB_OK);
	assert_string_equal(out_text, "INSERT anna fields=* bytes=1000\nINSERT berta fields=* bytes=1000\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"harness.command.mistakes_are_one_sentence", mistakes_are_one_sentence, NULL, NULL, NULL},
		{"harness.command.help_and_version", help_and_version, NULL, NULL, NULL},
		{"harness.run.illegal_combination_exits_77", illegal_combination_exits_77, NULL, NULL, NULL},
		{"harness.run.single_run_leaves_a_verified_result", single_run_leaves_a_verified_result, NULL, NULL,
			NULL},
		{"harness.run.same_spec_same_bytes", same_spec_same_bytes, NULL, NULL, NULL},
		{"harness.run.experiment_runs_once", experiment_runs_once, NULL, NULL, NULL},
		{"harness.run.jobs_do_not_change_results", jobs_do_not_change_results, NULL, NULL, NULL},
		{"harness.report.shows_a_table", report_shows_a_table, NULL, NULL, NULL},
		{"harness.report.report_tells_what_is_missing", report_tells_what_is_missing, NULL, NULL, NULL},
		{"harness.baseline.names_what_moved", baseline_names_what_moved, NULL, NULL, NULL},
		{"harness.digest.changed_results_are_noticed", changed_results_are_noticed, NULL, NULL, NULL},
		{"harness.report.changed_results_are_neither_reported_nor_finished",
			changed_results_are_neither_reported_nor_finished, NULL, NULL, NULL},
		{"harness.run.busy_run_exits_75", busy_run_exits_75, NULL, NULL, NULL},
		{"harness.run.interrupted_run_leaves_nothing", interrupted_run_leaves_nothing, NULL, NULL, NULL},
		{"harness.run.stale_results_are_put_aside", stale_results_are_put_aside, NULL, NULL, NULL},
		{"harness.check.kept_store_can_be_checked", kept_store_can_be_checked, NULL, NULL, NULL},
		{"harness.check.damaged_store_fails", damaged_store_fails_the_check, NULL, NULL, NULL},
		{"harness.check.damaged_pages_fail", damaged_pages_fail_the_check, NULL, NULL, NULL},
		{"harness.workload.is_printed", workload_is_printed, NULL, NULL, NULL},
		{"harness.run.keys_of_a_file_are_part_of_the_run", keys_of_a_file_are_part_of_the_run, NULL, NULL,
			NULL},
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
