/* The property files of workloads a to f, the parser, and how sources of a value rank. */
#include "workloads/core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const property_file[] = {"workloads/ycsb/workloada", "workloads/ycsb/workloadb",
	"workloads/ycsb/workloadc", "workloads/ycsb/workloadd", "workloads/ycsb/workloade", "workloads/ycsb/workloadf"};

/* Upstream's values: recordcount, operationcount, readallfields; proportions; requests; scans. */
static const struct expected {
	double read, update, insert, scan, rmw;
	enum wl_request request;
	uint64_t scan_max;
} expected[] = {
	{0.5, 0.5, 0, 0, 0, WL_ZIPFIAN, 1000},
	{0.95, 0.05, 0, 0, 0, WL_ZIPFIAN, 1000},
	{1, 0, 0, 0, 0, WL_ZIPFIAN, 1000},
	{0.95, 0, 0.05, 0, 0, WL_LATEST, 1000},
	{0, 0, 0.05, 0.95, 0, WL_ZIPFIAN, 100},
	{0.5, 0, 0, 0, 0.5, WL_ZIPFIAN, 1000},
};

static void begin(struct pl_conf *c)
{
	pl_conf_init(c);
	wl_declare(c);
}

static void set(struct pl_conf *c, const char *key, const char *value)
{
	struct pl_fault f;
	if (pl_conf_set(c, key, value, &f))
		fail_msg("%s", f.text);
}

static void resolve(const struct pl_conf *c, struct wl_spec *s)
{
	struct pl_fault f;
	if (wl_spec_resolve(c, s, &f))
		fail_msg("%s", f.text);
}

static void check_values(const struct wl_spec *s, const struct expected *e)
{
	assert_int_equal(s->records, 1000);
	assert_int_equal(s->operations, 1000);
	assert_true(s->read_all && !s->write_all);
	assert_true(s->proportion[WL_READ] == e->read);
	assert_true(s->proportion[WL_UPDATE] == e->update);
	assert_true(s->proportion[WL_INSERT] == e->insert);
	assert_true(s->proportion[WL_SCAN] == e->scan);
	assert_true(s->proportion[WL_RMW] == e->rmw);
	assert_int_equal(s->request, e->request);
	assert_int_equal(s->scan_min, 1);
	assert_int_equal(s->scan_max, e->scan_max);
	assert_false(s->scan_zipfian);
	assert_int_equal(s->fields, 10);
	assert_int_equal(s->field_bytes, 100);
}

static void files_have_upstreams_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(property_file); i++) {
		struct pl_conf c;
		struct pl_fault f;
		struct wl_spec s;
		begin(&c);
		if (wl_load_properties(&c, property_file[i], &f))
			fail_msg("%s", f.text);
		assert_string_equal(f.text, "");
		assert_string_equal(pl_conf_str(&c, "workload"), "core");
		resolve(&c, &s);
		check_values(&s, &expected[i]);
		pl_conf_free(&c);
	}
}

static void presets_have_upstreams_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(expected); i++) {
		struct pl_conf c;
		struct wl_spec s;
		begin(&c);
		set(&c, "workload", wl_workload_name[i]);
		resolve(&c, &s);
		check_values(&s, &expected[i]);
		pl_conf_free(&c);
	}
}

/* Every value the file sets is the preset's and the other way round, as text. */
static void presets_equal_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < PL_COUNT(property_file); i++) {
		struct pl_conf c;
		struct pl_fault f;
		char key[64];
		begin(&c);
		assert_int_equal(wl_load_properties(&c, property_file[i], &f), PL_OK);
		for (const struct pl_opt *o = wl_property; o->name; o++) {
			(void)snprintf(key, sizeof key, "ycsb.%s", o->name);
			const char *preset = wl_preset_value(wl_workload_name[i], o->name);
			assert_int_equal(pl_conf_is_set(&c, key), preset != NULL);
			if (preset)
				assert_string_equal(pl_conf_str(&c, key), preset);
		}
		pl_conf_free(&c);
	}
}

static void defaults_are_upstreams(void **state)
{
	(void)state;
	struct pl_conf c;
	struct wl_spec s;
	begin(&c);
	set(&c, "workload", "core");
	set(&c, "records", "5000");
	resolve(&c, &s);
	assert_true(s.proportion[WL_READ] == 0.95 && s.proportion[WL_UPDATE] == 0.05);
	assert_true(s.proportion[WL_INSERT] == 0 && s.proportion[WL_SCAN] == 0 && s.proportion[WL_RMW] == 0);
	assert_int_equal(s.request, WL_UNIFORM);
	assert_true(s.fields == 10 && s.field_bytes == 100 && s.field_bytes_min == 1);
	assert_int_equal(s.lengths, WL_LENGTH_CONSTANT);
	assert_true(s.read_all && !s.write_all);
	assert_true(s.scan_min == 1 && s.scan_max == 1000 && !s.scan_zipfian);
	assert_true(!s.key_form.ordered && s.key_form.zeropadding == 1);
	assert_true(s.hot_set == 0.2 && s.hot_operations == 0.8);
	assert_true(s.percentile == 95 && s.fraction == 0.8571428571);
	assert_true(s.insertstart == 0 && s.insertcount == 5000);
	pl_conf_free(&c);
}

/* Set values win over the preset in either order; the lab's names win over upstream's. */
static void set_values_win(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct pl_conf c;
		struct pl_fault f;
		struct wl_spec s;
		begin(&c);
		if (order == 0)
			set(&c, "workload", "ycsb/e");
		set(&c, "ycsb.maxscanlength", "7");
		assert_int_equal(wl_set_property(&c, "recordcount", "77", &f), PL_OK);
		set(&c, "ycsb.operationcount", "5");
		set(&c, "operations", "9");
		set(&c, "request", "zipf");
		if (order == 1)
			set(&c, "workload", "ycsb/e");
		resolve(&c, &s);
		assert_int_equal(s.scan_max, 7);
		assert_int_equal(s.records, 77);
		assert_int_equal(s.operations, 9);
		assert_int_equal(s.request, WL_ZIPF);
		assert_true(s.proportion[WL_SCAN] == 0.95);
		pl_conf_free(&c);
	}
}

/* A file without a proportion means upstream's default, not that of the lab's default preset. */
static int load_text(struct pl_conf *c, const char *text, char path[32], struct pl_fault *f)
{
	(void)snprintf(path, 32, "%s", "/tmp/pagelab-ycsb-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	int err = wl_load_properties(c, path, f);
	assert_int_equal(unlink(path), 0);
	return err;
}

static void no_preset_shows_through_a_file(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f;
	struct wl_spec s;
	char path[32];
	begin(&c);
	assert_int_equal(load_text(&c, "recordcount=10\nreadproportion=0.3\n", path, &f), PL_OK);
	resolve(&c, &s);
	assert_true(s.proportion[WL_READ] == 0.3 && s.proportion[WL_UPDATE] == 0.05);
	assert_int_equal(s.request, WL_UNIFORM);
	pl_conf_free(&c);
}

static void format_is_that_of_java_properties(void **state)
{
	(void)state;
	static const char text[] = "# comment = 1\r\n! another\r\n\r\n   recordcount = 20  \r\noperationcount:30\r\n"
				   "fieldcount 4\nrequestdistribution=\\\n    lat\\\nest\nfield\\length=8\n"
				   "workload=com.yahoo.ycsb.workloads.CoreWorkload\nreadallfields=TRUE\n"
				   "threadcount=3\nmeasurement.interval=both\nzeropadding=12";
	struct pl_conf c;
	struct pl_fault f;
	struct wl_spec s;
	char path[32];
	begin(&c);
	if (load_text(&c, text, path, &f))
		fail_msg("%s", f.text);
	assert_string_equal(f.text, "ignored here: threadcount (use `clients`), measurement.interval");
	resolve(&c, &s);
	assert_int_equal(s.records, 20);
	assert_int_equal(s.operations, 30);
	assert_int_equal(s.fields, 4);
	assert_int_equal(s.field_bytes, 8);
	assert_int_equal(s.request, WL_LATEST);
	assert_int_equal(s.key_form.zeropadding, 12);
	pl_conf_free(&c);
}

static void check_refused(const char *text, const char *sentence)
{
	struct pl_conf c;
	struct pl_fault f = {0, ""};
	char path[32], want[512];
	begin(&c);
	assert_int_equal(load_text(&c, text, path, &f), PL_INVALID);
	(void)snprintf(want, sizeof want, "%s:%s", path, sentence);
	assert_string_equal(f.text, want);
	pl_conf_free(&c);
}

static void errors_name_file_line_and_nearest(void **state)
{
	(void)state;
	check_refused("# x\nrecordcount=5\nreadpropotion=1\n",
		"3: unknown property 'readpropotion'; did you mean 'readproportion'?");
	check_refused("\n\nthreadcont=1\n", "3: unknown property 'threadcont'; did you mean 'threadcount'?");
	check_refused("a=1\n", "1: unknown property 'a'");
	check_refused("recordcount=\\\n many\n", "1: ycsb.recordcount: 'many' is not a whole number");
	check_refused("requestdistribution=zipfan\n", "1: ycsb.requestdistribution: unknown value 'zipfan'; did you "
						      "mean 'zipfian'? (choices: uniform, zipfian, "
						      "latest, hotspot, exponential, sequential)");
	check_refused("workload=site.ycsb.workloads.TimeSeriesWorkload\n",
		"1: workload class 'site.ycsb.workloads.TimeSeriesWorkload' is not known here; only "
		"site.ycsb.workloads.CoreWorkload is");
	check_refused("fieldcount=1\\u0030\n", "1: \\u escapes are not supported");
	struct pl_conf c;
	struct pl_fault f;
	begin(&c);
	assert_int_equal(wl_load_properties(&c, "/nonexistent/workloada", &f), PL_INVALID);
	assert_string_equal(f.text, "cannot open the property file '/nonexistent/workloada'");
	assert_int_equal(wl_set_property(&c, "recordcont", "1", &f), PL_INVALID);
	assert_string_equal(f.text, "unknown property 'recordcont'; did you mean 'recordcount'?");
	assert_int_equal(wl_set_property(&c, "table", "t", NULL), PL_OK);
	pl_conf_free(&c);
}

static void names_of_ycsb_cpp(void **state)
{
	(void)state;
	struct pl_conf c;
	struct pl_fault f;
	struct wl_spec s;
	begin(&c);
	set(&c, "ycsb.compat", "cpp");
	assert_int_equal(wl_set_property(&c, "zipfian_const", "0.8", &f), PL_OK);
	assert_int_equal(wl_set_property(&c, "field_len_dist", "uniform", &f), PL_OK);
	assert_int_equal(wl_set_property(&c, "minfieldlength", "50", &f), PL_OK);
	resolve(&c, &s);
	assert_true(s.cpp && s.theta == 0.8 && s.lengths == WL_LENGTH_UNIFORM);
	assert_int_equal(s.field_bytes_min, 1);
	pl_conf_free(&c);
}

#define T(name, function)                                                                                              \
	{                                                                                                              \
		"workload." name, function, NULL, NULL, NULL                                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T("ycsb.files_have_upstreams_values", files_have_upstreams_values),
		T("ycsb.presets_have_upstreams_values", presets_have_upstreams_values),
		T("ycsb.presets_equal_files", presets_equal_files),
		T("ycsb.defaults_are_upstreams", defaults_are_upstreams),
		T("ycsb.set_values_win", set_values_win),
		T("ycsb.no_preset_shows_through_a_file", no_preset_shows_through_a_file),
		T("ycsb.format_is_that_of_java_properties", format_is_that_of_java_properties),
		T("ycsb.errors_name_file_line_and_nearest", errors_name_file_line_and_nearest),
		T("ycsb.names_of_ycsb_cpp", names_of_ycsb_cpp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
