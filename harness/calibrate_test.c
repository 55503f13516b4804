/* calibrate_test.c - from times to a profile whose model gives the times back; and what calibration leaves alone. */
#include "harness/calibrate.h"
#include "harness/command.h"
#include "harness/profile.h"
#include "harness/trace_rig.h"

static void line_is_found(void **state)
{
	struct calibrate_cell c[CALIBRATE_SIZES] = {{0}};
	(void)state;
	for (uint64_t i = 0; i < CALIBRATE_SIZES; i++)
		c[i].p50_ns = 70000 + 400 * (4u << i);
	struct calibrate_line l = calibrate_fit(c);
	assert_true(l.base_ns > 69999.9 && l.base_ns < 70000.1 && l.slope_ns > 399.99 && l.slope_ns < 400.01);
	c[CALIBRATE_SIZES - 1].p50_ns += c[CALIBRATE_SIZES - 1].p50_ns * 3 / 10; /* bends; small sizes count as much */
	l = calibrate_fit(c);
	assert_true(l.base_ns > 66000 && l.base_ns < 70000 && l.slope_ns > 400 && l.slope_ns < 500);
	for (uint64_t i = 0; i < CALIBRATE_SIZES; i++)
		c[i].p50_ns = 5000 - 400 * i; /* falls: no negative slope */
	l = calibrate_fit(c);
	assert_true(l.slope_ns == 0 && l.base_ns > 1800 && l.base_ns < 5000);
	for (uint64_t i = 0; i < CALIBRATE_SIZES; i++)
		c[i].p50_ns = (4u << i) * (4u << i) + 1; /* would begin below zero */
	l = calibrate_fit(c);
	assert_true(l.base_ns == 0 && l.slope_ns > 0);
}

static struct calibrate_result invented(bool direct)
{
	struct calibrate_result r = {
		.direct = direct, .size_bytes = 1u << 28, .where = "a kernel, a processor, ext4", .date = "2024-02-30"};
	for (uint64_t i = 0; i < CALIBRATE_SIZES; i++) {
		uint64_t read = 70000 + 700 * (4u << i), write = 15000 + 300 * (4u << i);
		r.read[i] = (struct calibrate_cell){100, read + 10, read, read * 2};
		r.write[i] = (struct calibrate_cell){100, write + 10, write, write * 2};
	}
	r.sync_little = (struct calibrate_cell){10, 600000, 600000, 600000};
	r.sync_much = (struct calibrate_cell){10, 1240000, 1240000, 1240000};
	return r;
}

static void assert_near(uint64_t got, uint64_t wanted, uint64_t permille)
{
	uint64_t off = got > wanted ? got - wanted : wanted - got;
	if (off * 1000 > wanted * permille)
		fail_msg("%llu is not within %llu permille of %llu", (unsigned long long)got,
			(unsigned long long)permille, (unsigned long long)wanted);
}

static void check_profile(const struct calibrate_result *r, const char *device)
{
	struct calibrate_law l;
	struct calibrate_model m;
	struct profile p;
	struct pl_fault f = {0};
	if (calibrate_find_law(r, &l, &f))
		fail_msg("%s", f.text);
	char *text = calibrate_profile(r, &l), *file = rig_file(text), *path = lab_printf("%s.ini", file);
	assert_int_equal(rename(file, path), 0);
	if (profile_load(path, &p, &f) || calibrate_model(path, &m, &f))
		fail_msg("%s\n%s", f.text, text);
	assert_null(profile_unsourced(&p));
	assert_string_equal(p.item[0].key, "device");
	assert_string_equal(p.item[0].value, device);
	for (size_t i = 0; i < CALIBRATE_SIZES; i++) {
		assert_near(m.read_ns[i], r->read[i].p50_ns, 5);
		assert_near(m.write_ns[i], r->write[i].p50_ns, 5);
	}
	assert_near(m.sync_ns, r->sync_little.p50_ns, 5);
	for (size_t i = 0; r->direct && i < CALIBRATE_THREADS; i++)
		assert_near(m.reads_per_s[i], r->reads_per_s[i], 60);
	profile_free(&p);
	(void)unlink(path);
	free(path);
	free(file);
	free(text);
}

static void a_profile_gives_the_times_back(void **state)
{
	/* 12 dies, each held for 56 us of the 70, 1.6 us of channel and 1.2 of link: by another simulation of a closed loop
	 * with constant times and random dies, 40000 reads each */
	static const uint64_t threads[CALIBRATE_THREADS] = {13736, 26796, 50466, 88979, 135610, 170978, 189178};
	struct calibrate_result r = invented(true);
	(void)state;
	memcpy(r.reads_per_s, threads, sizeof threads);
	check_profile(&r, "sim_ssd");
	r = invented(false);
	check_profile(&r, "sim_opfs");
}

static void a_file_is_measured_and_gone(void **state)
{
	struct calibrate_options o = {.size_bytes = 16u << 20, .quick = true};
	struct calibrate_result r;
	struct pl_fault f = {0};
	char *path = lab_printf("/tmp/pagelab-calibrate-test-%d", (int)getpid());
	(void)state;
	o.path = path;
	if (calibrate_measure(&o, NULL, NULL, &r, &f))
		fail_msg("%s", f.text);
	assert_false(lab_exists(path));
	for (size_t i = 0; i < CALIBRATE_SIZES; i++) {
		assert_true(r.read[i].n >= 16 && r.write[i].n >= 16);
		assert_true(r.read[i].p50_ns > 0 && r.read[i].p50_ns <= r.read[i].p99_ns);
	}
	assert_true(r.sync_little.n && r.sync_much.n && r.reads_per_s[0] && r.reads_per_s[CALIBRATE_THREADS - 1]);
	assert_true(*r.where && *r.date);
	free(path);
}

static bool end_it(void *arg, const char *what)
{
	(void)what;
	return ++*(int *)arg < 30;
}

static void an_interrupted_one_leaves_nothing(void **state)
{
	struct calibrate_options o = {.size_bytes = 16u << 20, .quick = true};
	struct calibrate_result r;
	struct pl_fault f = {0};
	int told = 0;
	char *path = lab_printf("/tmp/pagelab-calibrate-test-%d", (int)getpid());
	(void)state;
	o.path = path;
	assert_int_equal(calibrate_measure(&o, end_it, &told, &r, &f), PL_INTERRUPTED);
	assert_int_equal(told, 30);
	assert_false(lab_exists(path));
	free(path);
}

static void what_is_there_is_left_alone(void **state)
{
	struct calibrate_options o = {.size_bytes = 16u << 20, .quick = true};
	struct calibrate_result r;
	struct pl_fault f = {0};
	char *path = rig_file("mine");
	(void)state;
	o.path = path;
	assert_int_equal(calibrate_measure(&o, NULL, NULL, &r, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "exists and is not overwritten"));
	char *kept = lab_read_file(path);
	assert_string_equal(kept, "mine");
	free(kept);
	(void)unlink(path);
	free(path);
	o.path = "/nonexistent/place/file";
	assert_int_equal(calibrate_measure(&o, NULL, NULL, &r, &f), PL_INVALID);
	assert_non_null(strstr(f.text, o.path));
	o.path = "/dev/null";
	assert_int_equal(calibrate_measure(&o, NULL, NULL, &r, &f), PL_INVALID);
	o.path = "/tmp";
	o.size_bytes = 1u << 20;
	assert_int_equal(calibrate_measure(&o, NULL, NULL, &r, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "--size"));
	o.size_bytes = (uint64_t)1 << 50;
	assert_int_equal(calibrate_measure(&o, NULL, NULL, &r, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "cannot have"));
}

static int command(const char *const *words)
{
	char *argv[16];
	int argc = 0;
	for (; words[argc]; argc++)
		argv[argc] = lab_strdup(words[argc]);
	int code = cmd_calibrate(argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return code;
}

static void commands_are_judged(void **state)
{
	char *out = rig_file("mine"), *path = lab_printf("%s.ini", out);
	(void)state;
	assert_int_equal(rename(out, path), 0);
	assert_int_equal(command((const char *[]){NULL}), LAB_USAGE);
	assert_int_equal(command((const char *[]){"--path", "/tmp", "more", NULL}), LAB_USAGE);
	assert_int_equal(
		command((const char *[]){"--path", "/tmp", "--size", "1M", "--out", "/tmp/x.ini", NULL}), LAB_USAGE);
	assert_int_equal(command((const char *[]){"--path", "/tmp", "--out", "/tmp/x", NULL}), LAB_USAGE);
	assert_int_equal(command((const char *[]){"--path", "/tmp", "--out", "/nonexistent/x.ini", NULL}), LAB_USAGE);
	assert_int_equal(command((const char *[]){"--path", "/tmp", "--quick", "--size", "16M", "--out", path, NULL}),
		LAB_USAGE);
	char *kept = lab_read_file(path);
	assert_string_equal(kept, "mine");
	free(kept);
	assert_int_equal(
		command((const char *[]){"--path", "/tmp", "--quick", "--size", "16M", "--out", path, "--force", NULL}),
		LAB_OK);
	struct profile p;
	struct pl_fault f = {0};
	assert_int_equal(profile_load(path, &p, &f), PL_OK);
	profile_free(&p);
	(void)unlink(path);
	free(path);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_is_found),
		cmocka_unit_test(a_profile_gives_the_times_back),
		cmocka_unit_test(a_file_is_measured_and_gone),
		cmocka_unit_test(an_interrupted_one_leaves_nothing),
		cmocka_unit_test(what_is_there_is_left_alone),
		cmocka_unit_test(commands_are_judged),
	};
	return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
