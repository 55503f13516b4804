/* explain_test.c - what `pagelab explain` says of real runs adds up to the last byte, and what does not add up is refused. */
#include "harness/command_rig.h"
#include "results/reader.h"

#include "engine/iface/device.h"

#include <inttypes.h>

/* Every source: values that overflow, a mapping table, cleaning; and each device in its own way. */
static const char *const experiment =
	"[defaults]\npage_bytes = 16k\nrecords = 2000\noperations = 2000\npool_bytes = 1M\nlog_bytes = "
	"1M\ndevice_bytes = 12M\n"
	"zone.zone_bytes = 256k\nsim_zns.zone_bytes = 256k\nworkload = ycsb/a\nvalue.compressibility = 0.5\n"
	"[ssd]\ndevice = sim_ssd\nplacement = inplace, shadow, zone\nspace = raw, lz4\n"
	"[cached]\ndevice = sim_ssd\nplacement = inplace\nsim_ssd.slc_permille = 100\nsim_ssd.cell = mlc\ndevice_bytes "
	"= 16M\n"
	"[zoned]\ndevice = sim_zns\nspace = raw, hole\n"
	"[files]\ndevice = sim_opfs\nplacement = inplace, zone\n"
	"[reads]\ndevice = null\nplacement = zone\nworkload = ycsb/c\n"
	"[alone]\nrun = device\ndevice = sim_ssd\ndevice.op = write\ndevice.count = 10\n";

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/pagelab-explain-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) != 0)
		return -1;
	write_file("all.ini", experiment);
	if (LAB("run", "all.ini", "--out", "results/runs") == LAB_OK)
		return 0;
	print_error("%s", err_text);
	return -1;
}

static int tear_down(void **state)
{
	char command[100];
	(void)state;
	free(out_text);
	free(err_text);
	(void)snprintf(command, sizeof command, "rm -r %s", dir);
	return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

static uint64_t member(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* ---- what is true */

/* Against the file itself, read apart from the command. */
static void compare_run(const json_t *told, const struct res_run *r)
{
	const json_t *phase = res_phase(r, "run"), *of = json_object_get(told, "host_bytes_by_source"), *bytes;
	const char *name;
	uint64_t sum = 0, sources = 0;
	json_object_foreach((json_t *)(uintptr_t)of, name, bytes)
	{
		char key[64];
		const char *tag = strcmp(name, "cleaning") == 0 ? "clean" : name;
		(void)snprintf(key, sizeof key, "host_write_bytes_%s", tag);
		assert_non_null(json_object_get(phase, key));
		assert_int_equal(json_integer_value(bytes), res_number(phase, key));
		sum += (uint64_t)json_integer_value(bytes);
		sources++;
	}
	assert_int_equal(sources, DEV_TAGS);
	assert_int_equal(sum, member(told, "host_bytes"));
	assert_int_equal(sum, res_number(phase, "host_write_bytes"));
	assert_int_equal(member(told, "client_bytes"), res_number(phase, "user_write_bytes"));
	if (!json_object_get(told, "media_bytes")) {
		assert_int_equal(res_number(phase, "media_write_bytes"), 0);
		return;
	}
	assert_int_equal(member(told, "media_bytes"), res_number(phase, "media_write_bytes"));
	assert_int_equal(
		sum + member(told, "moved_bytes") + member(told, "padding_bytes"), member(told, "media_bytes"));
}

static const struct res_run *run_of(const struct res_runs *runs, const char *id)
{
	for (size_t i = 0; i < runs->n; i++)
		if (strcmp(res_text(runs->run[i].run, "run_id"), id) == 0)
			return &runs->run[i];
	fail_msg("no run %s", id);
	return NULL;
}

static void sums_of_real_runs_are_exact(void **state)
{
	(void)state;
	struct pl_fault f;
	struct res_runs runs;
	uint64_t moved = 0, padding = 0, cleaning = 0;
	assert_int_equal(res_load_all((const char *[]){"results/runs/all"}, 1, &runs, &f), PL_OK);
	const char *const phases[] = {"load", "run"};
	for (size_t p = 0; p < PL_COUNT(phases); p++)
		assert_code(LAB("explain", "all", "--phase", phases[p]), LAB_OK);
	assert_code(LAB("explain", "all", "--json"), LAB_OK);
	json_t *all = json_loads(out_text, 0, NULL), *one;
	size_t i;
	assert_non_null(all);
	json_array_foreach(json_object_get(all, "runs"), i, one)
	{
		compare_run(one, run_of(&runs, json_string_value(json_object_get(one, "run_id"))));
		moved += member(one, "moved_bytes");
		padding += member(one, "padding_bytes");
		cleaning += member(json_object_get(one, "host_bytes_by_source"), "cleaning");
	}
	assert_int_equal(i, 12); /* the device alone has no such phase */
	assert_has(err_text, "1 results left out");
	assert_true(moved && padding && cleaning); /* what was to be explained did happen */
	json_decref(all);
	res_unload_all(&runs);
}

static void runs_are_named_in_three_ways(void **state)
{
	(void)state;
	struct pl_fault f;
	struct res_runs runs;
	char id[64], start[64];
	assert_int_equal(res_load_all((const char *[]){"results/runs/all"}, 1, &runs, &f), PL_OK);
	(void)snprintf(id, sizeof id, "all/%s", res_text(runs.run[0].run, "run_id"));
	(void)snprintf(start, sizeof start, "all/%.10s", res_text(runs.run[0].run, "run_id"));
	assert_code(LAB("explain", runs.run[0].path), LAB_OK);
	char *by_path = lab_strdup(out_text);
	assert_has(by_path, "ssd placement=inplace space=raw");
	const char *const names[] = {id, start, "all/0000"};
	for (size_t i = 0; i < PL_COUNT(names); i++) {
		assert_code(LAB("explain", names[i]), LAB_OK);
		assert_string_equal(out_text, by_path);
	}
	assert_code(LAB("explain", "all"), LAB_OK);
	assert_has(out_text, "all: 12 runs, phase run");
	assert_code(LAB("explain", "all/0000", "all/0001"), LAB_OK);
	assert_has(out_text, "all: 2 runs, phase run");
	free(by_path);
	res_unload_all(&runs);
}

static void unknown_runs_are_named(void **state)
{
	(void)state;
	assert_code(LAB("explain"), LAB_USAGE);
	assert_code(LAB("explain", "none"), LAB_USAGE);
	assert_has(err_text, "'none' is neither a result file, nor EXPERIMENT/RUNID, nor an experiment with results");
	assert_code(LAB("explain", "all/77"), LAB_USAGE);
	assert_has(err_text, "all has no result of a run '77'");
	assert_code(LAB("explain", "all/0000", "--phase", "rum"), LAB_FAILED);
	assert_has(err_text, "with a phase 'rum'");
	assert_code(LAB("explain", "all/0000", "--out", "x"), LAB_USAGE);
}

/* ---- what is not */

/* Give the file the digest that its rows have now. */
static void sign(const char *path)
{
	char digest[17], *text = lab_read_file(path), *at;
	assert_int_equal(res_file_digest(path, digest, NULL), PL_OK);
	assert_non_null(at = strstr(text, "\"digest\":\""));
	memcpy(at + strlen("\"digest\":\""), digest, 16);
	write_file(path, text);
	free(text);
}

/* The file of run `index` with the number after `key` in its row of phase `run` changed by `by`, as doctored.jsonl: by a
 * program that counts wrongly if it is signed, else by hand. */
static void doctor(const char *index, const char *key, int64_t by, bool is_signed)
{
	char pattern[100], quoted[80];
	char *text = NULL;
	struct pl_fault f;
	struct res_runs runs;
	assert_int_equal(res_load_all((const char *[]){"results/runs/all"}, 1, &runs, &f), PL_OK);
	for (size_t i = 0; i < runs.n; i++)
		if (strstr(runs.run[i].path, index))
			text = lab_read_file(runs.run[i].path);
	res_unload_all(&runs);
	assert_non_null(text);
	(void)snprintf(pattern, sizeof pattern, "\"phase\":\"run\"");
	(void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
	char *at = strstr(strstr(text, pattern), quoted), *end;
	assert_non_null(at);
	at += strlen(quoted);
	int64_t value = strtoll(at, &end, 10);
	char *changed = lab_printf("%.*s%" PRId64 "%s", (int)(at - text), text, value + by, end);
	write_file("doctored.jsonl", changed);
	if (is_signed)
		sign("doctored.jsonl");
	free(changed);
	free(text);
}

static void what_does_not_add_up_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *index, *key, *said;
		int64_t by;
	} lie[] = {
		{"/0000-", "host_write_bytes_leaf", "the sources sum to", 1},
		{"/0000-", "host_write_bytes", "the sources sum to", -4096},
		{"/0000-", "media_write_bytes", "after phase run media is 4096 bytes more", 4096},
		{"/0000-", "media_moved_bytes", "after phase run media is -1 bytes more", 1},
		{"/0007-", "media_write_bytes", "no random write area", -4096},
		{"/0007-", "media_write_bytes", "no zone was finished", 4096},
		{"/0000-", "evictions_dirty", "more images made room than were placed", 1000000},
	};
	for (size_t i = 0; i < PL_COUNT(lie); i++) {
		doctor(lie[i].index, lie[i].key, lie[i].by, true);
		assert_code(LAB("explain", "doctored.jsonl"), LAB_FAILED);
		assert_has(err_text, lie[i].said);
		assert_string_equal(out_text, "");
	}
	/* consistent, but not what was written: the digest tells */
	doctor("/0000-", "user_write_bytes", 1, false);
	assert_code(LAB("explain", "doctored.jsonl"), LAB_FAILED);
	assert_has(err_text, "was changed after it was written");
	assert_string_equal(out_text, "");
	doctor("/0000-", "user_write_bytes", 1, true);
	assert_code(LAB("explain", "doctored.jsonl"), LAB_OK);
	doctor("/0000-", "user_write_bytes", 0, false);
	assert_code(LAB("explain", "doctored.jsonl"), LAB_OK);
	assert_code(LAB("explain", "all/0000", "doctored.jsonl"), LAB_OK);
	doctor("/0000-", "host_write_bytes_leaf", 1, true); /* one bad run among good ones */
	assert_code(LAB("explain", "all/0001", "doctored.jsonl"), LAB_FAILED);
}

/* ---- what it looks like */

#define ROW(name, user, leaf, clean, host, media, moved)                                                               \
	"{\"row\":\"run\",\"schema\":1,\"experiment\":\"e\",\"group\":\"\",\"index\":0,\"label\":\"" name              \
	"\",\"run_id\":\"" name "\",\"seed\":1,\"simulated\":false,\"choices\":{\"device\":\"x\"}}\n"                  \
	"{\"row\":\"phase\",\"phase\":\"run\",\"user_write_bytes\":" #user ",\"puts\":4,\"updates\":6,\"deletes\":0,"  \
	"\"splits\":1,\"merges\":0,\"page_writes\":5,\"page_write_bytes\":20480,\"evictions_dirty\":2,"                \
	"\"checkpoints\":1,\"home_writes\":0,\"moved_pages\":1,\"host_write_bytes\":" #host                            \
	",\"host_write_bytes_leaf\":" #leaf ",\"host_write_bytes_clean\":" #clean ",\"media_write_bytes\":" #media     \
	",\"media_moved_bytes\":" #moved "}\n{\"row\":\"end\",\"status\":\"ok\",\"reason\":\"\"}\n"

static const char *const one_table =
	"e: first, phase run\n\n"
	"source                bytes     share  per client byte\n"
	"client                 1000                      1.000\n"
	"leaf                   6000    60.0 %            6.000\n"
	"inner                     0     0.0 %            0.000\n"
	"overflow                  0     0.0 %            0.000\n"
	"map                       0     0.0 %            0.000\n"
	"log                       0     0.0 %            0.000\n"
	"journal                   0     0.0 %            0.000\n"
	"meta                      0     0.0 %            0.000\n"
	"cleaning               2000    20.0 %            2.000\n"
	"= host                 8000    80.0 %            8.000\n"
	"moved                  2000    20.0 %            2.000\n"
	"padding                   0     0.0 %            0.000\n"
	"= media               10000   100.0 %           10.000\n\n"
	"page images: 5 placed, 20480 bytes: 2 to make room in the pool, 3 by 1 checkpoints;\n"
	"    0 written home from a journal, 1 moved by cleaning\n"
	"changes: 4 puts, 6 updates, 0 deletes, 1 splits, 0 merges; 0.500 images a put, update or delete\n";

static const char *const three_lines = "e: 3 runs, phase run; bytes written per byte that clients wrote, by source\n\n"
				       "run      client bytes      leaf  cleaning      host     moved     media\n"
				       "first            1000     6.000     2.000     8.000     2.000    10.000\n"
				       "nobody              0         -         -         -         -         -\n"
				       "second            500     6.000     0.000     6.000         -         -\n";

static void tables_are_as_they_were(void **state)
{
	(void)state;
	write_file("first.jsonl", ROW("first", 1000, 6000, 2000, 8000, 10000, 2000));
	write_file("second.jsonl", ROW("second", 500, 3000, 0, 3000, 0, 0));
	write_file("nobody.jsonl", ROW("nobody", 0, 3000, 0, 3000, 0, 0));
	assert_code(LAB("explain", "first.jsonl"), LAB_OK);
	assert_string_equal(out_text, one_table);
	assert_code(LAB("explain", "first.jsonl", "nobody.jsonl", "second.jsonl"), LAB_OK);
	assert_string_equal(out_text, three_lines);
	assert_code(LAB("explain", "second.jsonl"), LAB_OK);
	assert_has(out_text, "= media         not counted\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_of_real_runs_are_exact),
		cmocka_unit_test(runs_are_named_in_three_ways),
		cmocka_unit_test(unknown_runs_are_named),
		cmocka_unit_test(what_does_not_add_up_is_refused),
		cmocka_unit_test(tables_are_as_they_were),
	};
	return cmocka_run_group_tests_name("harness.explain", tests, set_up, tear_down);
}
