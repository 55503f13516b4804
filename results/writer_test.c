/* writer_test.c - result files: what is written comes back, and the digest covers what it should. */
#include "results/reader.h"
#include "results/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/pagelab-writer-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];
	(void)state;
	(void)snprintf(command, sizeof command, "rm -r %s", dir);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[128];
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* A file with one of each row; host is what its host row says, value what its phase row says. */
static void write_run(const char *name, const char *host, int value, char digest[17])
{
	struct pl_fault f;
	struct res_file *r;
	assert_int_equal(res_begin(dir, name, &r, &f), PL_OK);
	res_row(r, json_pack("{s:s, s:s}", "row", "run", "run_id", "0123456789abcdef"), true);
	res_row(r, json_pack("{s:s, s:s}", "row", "host", "hostname", host), false);
	res_row(r, json_pack("{s:s, s:s, s:i}", "row", "phase", "phase", "run", "operations", value), true);
	res_digest(r, digest);
	assert_int_equal(res_end(r, "ok", "", 1, true, &f), PL_OK);
}

static void round_trip(void **state)
{
	(void)state;
	char digest[17];
	struct res_run r;
	write_run("a", "here", 42, digest);
	assert_int_equal(res_load(path_of("a.jsonl"), &r, NULL), PL_OK);
	assert_int_equal(json_array_size(r.rows), 4);
	assert_string_equal(res_text(r.run, "run_id"), "0123456789abcdef");
	assert_int_equal(res_number(res_phase(&r, "run"), "operations"), 42);
	assert_null(res_phase(&r, "load"));
	assert_string_equal(res_text(r.end, "status"), "ok");
	assert_string_equal(res_text(r.end, "digest"), digest);
	res_unload(&r);
	assert_true(res_finished(path_of("a.jsonl"), "0123456789abcdef", NULL, 0, NULL));
	assert_false(res_finished(path_of("a.jsonl"), "another", NULL, 0, NULL));
	assert_int_not_equal(access(path_of("a.jsonl.part"), F_OK), 0);
}

static void digest_ignores_host(void **state)
{
	(void)state;
	char one[17], two[17], three[17], file[17];
	write_run("b", "here", 1, one);
	write_run("c", "somewhere else", 1, two);
	write_run("d", "here", 2, three);
	assert_string_equal(one, two);
	assert_string_not_equal(one, three);
	assert_int_equal(res_file_digest(path_of("c.jsonl"), file, NULL), PL_OK);
	assert_string_equal(file, one);
}

static void part_is_locked(void **state)
{
	(void)state;
	struct pl_fault f;
	struct res_file *r, *again;
	assert_int_equal(res_begin(dir, "e", &r, &f), PL_OK);
	assert_int_equal(res_begin(dir, "e", &again, &f), PL_AGAIN);
	assert_non_null(strstr(f.text, "another process"));
	res_row(r, json_pack("{s:s}", "row", "run"), true);
	assert_int_not_equal(access(path_of("e.jsonl"), F_OK), 0);
	res_abandon(r);
	assert_int_not_equal(access(path_of("e.jsonl.part"), F_OK), 0);
	assert_int_equal(res_begin(dir, "e", &r, &f), PL_OK);
	res_abandon(r);
}

static void left_over_part_begins_anew(void **state)
{
	(void)state;
	char digest[17];
	struct res_run r;
	FILE *file = fopen(path_of("f.jsonl.part"), "w");
	for (int i = 0; i < 1000; i++) /* longer than what takes its place */
		(void)fputs("{\"row\":\"run\",\"half a", file);
	(void)fclose(file);
	write_run("f", "here", 3, digest);
	assert_int_equal(res_load(path_of("f.jsonl"), &r, NULL), PL_OK);
	assert_int_equal(json_array_size(r.rows), 4);
	res_unload(&r);
}

static void damage_is_named(void **state)
{
	(void)state;
	struct pl_fault f;
	struct res_run r;
	FILE *file = fopen(path_of("g.jsonl"), "w");
	(void)fputs("{\"row\":\"run\"}\n{\"row\":\n", file);
	(void)fclose(file);
	assert_int_equal(res_load(path_of("g.jsonl"), &r, &f), PL_DAMAGED);
	assert_non_null(strstr(f.text, "g.jsonl line 2"));
}

/* Files whose rows were changed, and what is none of the digest's business. */
static void change_is_noticed(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		int err;
	} change[] = {{"\"operations\":7}", "\"operations\":8}", PL_DAMAGED},
		{"789abcdef\"", "789abcdee\"", PL_DAMAGED}, {"\"digest\":\"", "\"digest\":\"0", PL_DAMAGED},
		{"\"here\"", "\"there\"", PL_OK}, {"\"status\":\"ok\"", "\"status\":\"no\"", PL_OK}};
	for (size_t i = 0; i < PL_COUNT(change); i++) {
		char digest[17], text[1000] = "", *at;
		struct pl_fault f = {0};
		struct res_run r;
		struct res_runs all;
		write_run("h", "here", 7, digest);
		FILE *file = fopen(path_of("h.jsonl"), "r+");
		assert_true(fread(text, 1, sizeof text - 1, file) > 0);
		assert_non_null(at = strstr(text, change[i].from));
		assert_int_equal(fseek(file, at - text, SEEK_SET), 0);
		(void)fprintf(file, "%s%s", change[i].to, at + strlen(change[i].from));
		(void)fclose(file);
		assert_int_equal(res_load(path_of("h.jsonl"), &r, &f), change[i].err);
		if (change[i].err == PL_OK) {
			res_unload(&r);
			continue;
		}
		assert_non_null(strstr(f.text, "h.jsonl was changed after it was written: digest "));
		assert_false(res_finished(path_of("h.jsonl"), "0123456789abcdef", NULL, 0, NULL));
		assert_int_equal(res_load_all((const char *[]){path_of("h.jsonl")}, 1, &all, &f), PL_DAMAGED);
		assert_non_null(strstr(f.text, "; remove it and run the experiment again"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"results.writer.round_trip", round_trip, NULL, NULL, NULL},
		{"results.writer.digest_ignores_host", digest_ignores_host, NULL, NULL, NULL},
		{"results.writer.part_is_locked", part_is_locked, NULL, NULL, NULL},
		{"results.writer.left_over_part_begins_anew", left_over_part_begins_anew, NULL, NULL, NULL},
		{"results.reader.damage_is_named", damage_is_named, NULL, NULL, NULL},
		{"results.reader.change_is_noticed", change_is_noticed, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
