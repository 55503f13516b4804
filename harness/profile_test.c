/* profile_test.c - device profiles: all of harness/devices hold what they promise, and what is wrong is said with its
 * line. */
#include "harness/device_run.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "[profile]\ndevice = sim_ssd\n"

/* Load text as a profile; returns its error and the sentence. */
static int load_text(const char *text, struct profile *p, struct pl_fault *f)
{
	char path[] = "/tmp/pagelab-profile-XXXXXX.ini";
	int fd = mkstemps(path, 4);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	*f = (struct pl_fault){0};
	int err = profile_load(path, p, f);
	(void)unlink(path);
	return err;
}

/* ---- those of the product */

static void every_profile_has_sources_and_a_summary(void **state)
{
	(void)state;
	char **path;
	size_t n = profile_paths(&path);
	assert_true(n > 0);
	for (size_t i = 0; i < n; i++) {
		struct profile p;
		struct pl_fault f = {0};
		if (profile_load(path[i], &p, &f))
			fail_msg("%s", f.text);
		const struct profile_item *bare = profile_unsourced(&p);
		if (bare)
			fail_msg("%s:%d: %s = %s has no source", path[i], bare->line, bare->key, bare->value);
		if (!*p.summary)
			fail_msg("%s has no summary", path[i]);
		profile_free(&p);
		free(path[i]);
	}
	free(path);
}

/* Opens, and does what can be asked of any device. */
static void every_profile_opens_and_works(void **state)
{
	(void)state;
	char **path;
	size_t n = profile_paths(&path);
	for (size_t i = 0; i < n; i++) {
		struct pl_conf conf;
		struct pl_fault f = {0};
		struct dev *d = NULL;
		lab_conf_init(&conf);
		assert_int_equal(pl_conf_set(&conf, "profile", path[i], &f), PL_OK);
		assert_int_equal(profile_apply_named(&conf, &f), PL_OK);
		if (device_open_alone(&conf, &d, &f))
			fail_msg("%s: %s", path[i], f.text);
		uint64_t now_ns = 0;
		for (size_t k = 0; k < 3; k++) {
			static const enum dev_op op[] = {DEV_WRITE, DEV_SYNC, DEV_READ};
			struct dev_req r = {.op = op[k], .blocks = op[k] != DEV_SYNC};
			assert_int_equal(dev_submit(d, now_ns, &r), PL_OK);
			while (!dev_poll(d, now_ns))
				now_ns = dev_next_ns(d);
			if (r.status != PL_OK)
				fail_msg("%s: a %s ended with %d", path[i], dev_op_name[op[k]], r.status);
		}
		assert_true(now_ns > 0);
		dev_close(d);
		pl_conf_free(&conf);
		free(path[i]);
	}
	free(path);
}

/* ---- reading */

static void reads_keys_values_and_sources(void **state)
{
	(void)state;
	struct profile p;
	struct pl_fault f;
	assert_int_equal(load_text("# head\n[profile]\nsummary = a device; really\n\ndevice = sim_ssd\n"
				   "device_bytes = 1G   ; data sheet, page 3\n"
				   "# measured here\nsim_ssd.read_ns = 40us\n"
				   "sim_ssd.program_ns = 300us # table 2\nsim_ssd.erase_ns = 3ms\n",
				 &p, &f),
		PL_OK);
	assert_int_equal(p.items, 5);
	assert_string_equal(p.summary, "a device; really");
	assert_string_equal(p.item[1].key, "device_bytes");
	assert_string_equal(p.item[1].value, "1073741824");
	assert_string_equal(p.item[1].source, "data sheet, page 3");
	assert_string_equal(p.item[2].source, "measured here");
	assert_int_equal(p.item[2].line, 8);
	assert_string_equal(p.item[3].source, "table 2");
	assert_ptr_equal(profile_unsourced(&p), &p.item[4]);
	profile_free(&p);
}

static void bad_profiles_are_refused_with_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{HEAD "sim_ssd.raed_ns = 5\n", ":3: unknown key 'sim_ssd.raed_ns'; did you mean 'sim_ssd.read_ns'?"},
		{HEAD "sim_ssd.read_ns = fast\n", ":3: sim_ssd.read_ns: 'fast' is not a time"},
		{HEAD "sim_ssd.read_ns =\n", ":3: sim_ssd.read_ns: a value is missing"},
		{HEAD "sim_ssd.read_ns = 5\n\nsim_ssd.read_ns = 5\n",
			":5: sim_ssd.read_ns is given twice, first on line 3"},
		{HEAD "summary = a\nsummary = b\n", ":4: summary is given twice"},
		{HEAD "profile = other\n", ":3: profile is no property of a device"},
		{HEAD "seed = 3\n", ":3: seed is no property of a device"},
		{HEAD "[profile]\n", ":3: [profile] is given twice"},
		{HEAD "[device]\n", ":3: a profile has one section, [profile], not [device]"},
		{HEAD "sim_ssd.read_ns 5\n", ":3: 'sim_ssd.read_ns 5' is neither"},
		{"device = sim_ssd\n", ":1: [profile] must come before the first key"},
		{"[profile]\n", "sets no key"},
		{"[profile]\ndevice_bytes = 1G\n", "does not say which device it is of"},
		{"[profile]\ndevice = sim_sdd\n", ":2: device: unknown value 'sim_sdd'; did you mean 'sim_ssd'?"},
		{"[profile\ndevice = sim_ssd\n", ":1: '[profile' is no section heading"},
		{"", "sets no key"},
	};
	for (size_t i = 0; i < PL_COUNT(bad); i++) {
		struct profile p;
		struct pl_fault f;
		assert_int_equal(load_text(bad[i].text, &p, &f), PL_INVALID);
		if (!strstr(f.text, bad[i].says))
			fail_msg("'%s' does not say '%s'", f.text, bad[i].says);
		assert_null(p.item);
	}
}

static void missing_profiles_name_the_nearest(void **state)
{
	(void)state;
	struct profile p;
	struct pl_fault f = {0};
	char **path;
	size_t n = profile_paths(&path);
	assert_int_equal(profile_load("no-such-thing-at-all-here", &p, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "there is no profile 'no-such-thing-at-all-here'"));
	assert_int_equal(profile_load("/nowhere/x.ini", &p, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "cannot read the profile /nowhere/x.ini"));
	assert_int_equal(profile_load("/tmp/", &p, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "it is a directory"));
	if (n) { /* the first one's name with a letter more */
		char *slash = strrchr(path[0], '/') + 1, *name = lab_printf("%.*sx", (int)strlen(slash) - 4, slash);
		assert_int_equal(profile_load(name, &p, &f), PL_INVALID);
		assert_non_null(strstr(f.text, "did you mean"));
		free(name);
	}
	for (size_t i = 0; i < n; i++)
		free(path[i]);
	free(path);
}

static void applying_keeps_what_was_set(void **state)
{
	(void)state;
	struct profile p;
	struct pl_fault f;
	struct pl_conf conf;
	assert_int_equal(load_text(HEAD "sim_ssd.read_ns = 1us\nsim_ssd.erase_ns = 2us\n", &p, &f), PL_OK);
	lab_conf_init(&conf);
	assert_int_equal(pl_conf_set(&conf, "sim_ssd.read_ns", "7us", &f), PL_OK);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(profile_apply(&p, &conf, &f), PL_OK);
		assert_int_equal(pl_conf_u64(&conf, "sim_ssd.read_ns"), 7000);
		assert_int_equal(pl_conf_u64(&conf, "sim_ssd.erase_ns"), 2000);
		assert_true(pl_conf_is_set(&conf, "device"));
	}
	pl_conf_free(&conf);
	profile_free(&p);
}

static void what_a_profile_set_is_told_apart(void **state)
{
	(void)state;
	char path[] = "/tmp/pagelab-profile-XXXXXX.ini";
	static const char text[] = HEAD "sim_ssd.read_ns = 1us\nsim_ssd.erase_ns = 2us\n";
	int fd = mkstemps(path, 4);
	struct pl_conf conf;
	struct pl_fault f;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	lab_conf_init(&conf);
	assert_int_equal(pl_conf_set(&conf, "sim_ssd.erase_ns", "3us", &f), PL_OK);
	assert_int_equal(pl_conf_set(&conf, "profile", path, &f), PL_OK);
	assert_int_equal(profile_apply_named(&conf, &f), PL_OK);
	assert_true(profile_set_besides(&conf, "sim_ssd.erase_ns"));
	assert_false(profile_set_besides(&conf, "sim_ssd.read_ns"));
	assert_false(profile_set_besides(&conf, "sim_ssd.program_ns"));
	assert_int_equal(profile_apply_named(&conf, &f), PL_OK);
	assert_int_equal(pl_conf_set(&conf, "device", "sim_zns", &f), PL_OK);
	assert_int_equal(profile_apply_named(&conf, &f), PL_INVALID);
	assert_non_null(strstr(f.text, "is of device sim_ssd, not of sim_zns"));
	pl_conf_free(&conf);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"profile.every_profile_has_sources_and_a_summary", every_profile_has_sources_and_a_summary, NULL, NULL,
			NULL},
		{"profile.every_profile_opens_and_works", every_profile_opens_and_works, NULL, NULL, NULL},
		{"profile.reads_keys_values_and_sources", reads_keys_values_and_sources, NULL, NULL, NULL},
		{"profile.bad_profiles_are_refused_with_their_line", bad_profiles_are_refused_with_their_line, NULL,
			NULL, NULL},
		{"profile.missing_profiles_name_the_nearest", missing_profiles_name_the_nearest, NULL, NULL, NULL},
		{"profile.what_a_profile_set_is_told_apart", what_a_profile_set_is_told_apart, NULL, NULL, NULL},
		{"profile.applying_keeps_what_was_set", applying_keeps_what_was_set, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
