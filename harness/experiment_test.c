/* experiment_test.c - experiment files: order, canonical form, and what is said about mistakes. */
#include "harness/experiment.h"
#include "harness/util.h"
#include "variants/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int parse(const char *text, struct experiment *e, struct pl_fault *f)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err = experiment_read(in, "t", "t.ini", e, f);
	(void)fclose(in);
	return err;
}

static void good(const char *text, struct experiment *e)
{
	struct pl_fault f = {0};
	if (parse(text, e, &f))
		fail_msg("%s", f.text);
}

/* The sentence for a file that is wrong. */
static const char *bad(const char *text)
{
	static struct pl_fault f;
	struct experiment e;
	memset(&f, 0, sizeof f);
	assert_int_equal(parse(text, &e, &f), PL_INVALID);
	return f.text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

static void last_key_varies_fastest(void **state)
{
	(void)state;
	static const char *const want[] = {"g space=raw clients=1", "g space=raw clients=2", "g space=raw clients=3",
		"g space=lz4 clients=1", "g space=lz4 clients=2", "g space=lz4 clients=3"};
	struct experiment e;
	good("[g]\nspace = raw, lz4\nclients = 1,2 , 3\nrecords = 10\n", &e);
	assert_int_equal(e.runs, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_string_equal(e.run[i].label, want[i]);
		assert_int_equal(e.run[i].index, i);
		assert_string_equal(spec_value(&e.run[i], "records"), "10");
	}
	experiment_free(&e);
}

static void groups_add_and_override(void **state)
{
	(void)state;
	struct experiment e;
	good("title = what\n[defaults]\nclients = 1, 2\nrecords = 10\nexpect.a = b, c\n"
	     "[one]\n[two]\nclients = 7\nexpect.d = e\nplot.kind = line, or so\n",
		&e);
	assert_int_equal(e.runs, 3);
	assert_string_equal(e.run[1].label, "one clients=2");
	assert_string_equal(e.run[2].label, "two");
	assert_string_equal(spec_value(&e.run[2], "clients"), "7");
	assert_int_equal(e.run[1].expects, 1);
	assert_int_equal(e.run[2].expects, 2);
	assert_string_equal(e.run[2].expect[0].value, "b, c");
	assert_int_equal(e.hints, 2);
	assert_string_equal(e.hint[1].value, "line, or so");
	experiment_free(&e);
}

static void defaults_alone_are_a_group(void **state)
{
	(void)state;
	struct experiment e;
	good("clients = 4\n", &e);
	assert_int_equal(e.runs, 1);
	assert_string_equal(e.run[0].label, "single");
	experiment_free(&e);
}

static void seeds_are_ranges_or_lists(void **state)
{
	(void)state;
	struct experiment e;
	good("seeds = 1..3, 7\n", &e);
	assert_int_equal(e.runs, 4);
	assert_int_equal(e.run[2].seed, 3);
	assert_int_equal(e.run[3].seed, 7);
	assert_string_equal(e.run[3].label, "seed=7");
	experiment_free(&e);
	assert_has(bad("\nseeds = 5..1\n"), "t.ini:2: seeds: '5..1' is not a range");
}

/* The runs of text whose key has this value. */
static size_t runs_with(const struct experiment *e, const char *key, const char *value)
{
	size_t n = 0;
	for (size_t i = 0; i < e->runs; i++)
		n += strcmp(spec_value(&e->run[i], key), value) == 0;
	return n;
}

static void a_star_is_all_choices_that_are_legal(void **state)
{
	(void)state;
	struct experiment e;
	size_t nodes = 0, cleanings = 0, guards = 0;
	while (reg_choice(REG_NODE, nodes))
		nodes++;
	while (reg_choice(REG_CLEANING, cleanings))
		cleanings++;
	while (reg_choice(REG_GUARD, guards))
		guards++;
	good("node = *\n", &e);
	assert_int_equal(e.runs, nodes);
	for (size_t i = 0; i < nodes; i++)
		assert_string_equal(spec_value(&e.run[i], "node"), reg_choice(REG_NODE, i)->name);
	experiment_free(&e);
	good("[g]\nnode = *, !slotted\nclients = 1, 2\n", &e);
	assert_int_equal(e.runs, 2 * (nodes - 1));
	assert_int_equal(runs_with(&e, "node", "slotted"), 0);
	assert_int_equal(e.run[1].index, 1);
	experiment_free(&e);
	/* what does not go together is left out, not refused; what repeats counts once */
	good("[defaults]\nplacement = inplace, zone\ncleaning = *\n[g]\nguard = *\ndurability = none\ndevice = "
	     "sim_ssd\n",
		&e);
	assert_int_equal(runs_with(&e, "placement", "zone"), cleanings);
	assert_true(runs_with(&e, "placement", "inplace") > 1);
	assert_int_equal(e.refusals, 0);
	assert_true(e.left_out >= (guards - 1) * cleanings);
	experiment_free(&e);
	good("[g]\nplacement = inplace, zone\ndevice = sim_zns\n", &e);
	assert_int_equal(e.refusals, 1); /* somebody named it */
	assert_int_equal(e.left_out, 0);
	experiment_free(&e);
}

static void a_star_has_its_mistakes(void **state)
{
	(void)state;
	assert_has(bad("\nrecords = *\n"), "t.ini:2: records: '*' stands for all choices");
	assert_has(bad("node = slotted, *\n"), "node: the value slotted occurs twice");
	assert_has(bad("node = *, !slottet\n"), "'!slottet' takes away what is not in the list");
	assert_has(bad("node = slotted, !slotted\n"), "node: no value is left");
}

static void a_sample_has_every_pair_that_is_legal(void **state)
{
	(void)state;
	static const char *const key[] = {"node", "space", "placement", "device", "clients"};
	const char *const sweep = "[g]\nnode = *\nspace = *\nplacement = *\ndevice = *, !file\nclients = 1, 2, 3\n";
	struct experiment all, some, again;
	char *sampled = lab_printf("%ssample = pairs\n[h]\nrecords = 7\n", sweep);
	good(sweep, &all);
	good(sampled, &some);
	good(sampled, &again);
	assert_true(some.runs > 10 && some.runs < all.runs / 3);
	assert_int_equal(some.runs - 1 + some.unsampled, all.runs);
	for (size_t i = 0; i < some.runs; i++) {
		assert_int_equal(some.run[i].index, i);
		assert_string_equal(some.run[i].run_id, again.run[i].run_id);
	}
	for (size_t i = 0; i < all.runs; i++)
		for (size_t a = 0; a < PL_COUNT(key); a++)
			for (size_t b = a + 1; b < PL_COUNT(key); b++) {
				bool found = false;
				for (size_t k = 0; k < some.runs; k++)
					found = found || (strcmp(spec_value(&all.run[i], key[a]),
								  spec_value(&some.run[k], key[a])) == 0 &&
								 strcmp(spec_value(&all.run[i], key[b]),
									 spec_value(&some.run[k], key[b])) == 0);
				assert_true(found);
			}
	assert_string_equal(some.run[some.runs - 1].label, "h");
	experiment_free(&all);
	experiment_free(&some);
	experiment_free(&again);
	free(sampled);
	assert_has(bad("sample = some\n"), "sample: 'pairs' is the only way");
	assert_has(bad("samples = pairs\n"), "did you mean 'sample'");
}

static void indented_lines_continue(void **state)
{
	(void)state;
	struct experiment e;
	good("clients = 1,\n  2,\n\t3\n# comment\nrecords = 5\n", &e);
	assert_int_equal(e.runs, 3);
	assert_string_equal(spec_value(&e.run[2], "records"), "5");
	experiment_free(&e);
}

static void spelling_does_not_matter(void **state)
{
	(void)state;
	struct experiment a, b, c;
	good("page_bytes = 16k\nrecords = 100\npool_bytes = 1M\n", &a);
	good("pool_bytes = 1024k\npage_bytes = 16384\nrecords=100\nscratch = /elsewhere\n", &b);
	good("page_bytes = 16k\nrecords = 101\npool_bytes = 1M\n", &c);
	assert_string_equal(a.run[0].run_id, b.run[0].run_id);
	assert_string_not_equal(a.run[0].run_id, c.run[0].run_id);
	char *x = spec_text(&a.run[0], " "), *y = spec_text(&b.run[0], " ");
	assert_string_equal(x, y);
	assert_has(x, "page_bytes=16384 ");
	assert_has(x, " seed=1 ");
	assert_has(x, "workload=");
	for (size_t i = 1; i < a.run[0].words; i++)
		assert_true(strcmp(a.run[0].word[i - 1].key, a.run[0].word[i].key) < 0);
	free(x);
	free(y);
	experiment_free(&a);
	experiment_free(&b);
	experiment_free(&c);
}

static void every_axis_is_a_word(void **state)
{
	(void)state;
	struct experiment e;
	good("placement = inplace\ndevice = sim_ssd\n", &e);
	for (int a = 0; a < REG_AXES; a++)
		assert_non_null(spec_value(&e.run[0], reg_axis_name[a]));
	assert_string_equal(spec_value(&e.run[0], "cleaning"), "-");
	experiment_free(&e);
}

static void foreign_options_do_not_multiply(void **state)
{
	(void)state;
	struct experiment e;
	good("placement = zone\ndevice = sim_ssd, sim_zns\nsim_zns.zone_bytes = 1M, 2M\n", &e);
	assert_int_equal(e.runs, 3);
	assert_int_equal(e.duplicates, 1);
	assert_null(spec_value(&e.run[0], "sim_zns.zone_bytes"));
	assert_string_equal(spec_value(&e.run[2], "sim_zns.zone_bytes"), "2097152");
	experiment_free(&e);
	struct experiment a, b;
	good("keys = url\nrecords = 10\nkeys.path = nowhere\nkeys.digest = 0123456789abcdef\n", &a);
	good("keys = url\nrecords = 10\n", &b);
	assert_string_equal(a.run[0].run_id, b.run[0].run_id);
	experiment_free(&a);
	experiment_free(&b);
}

static void illegal_combinations_are_left_out(void **state)
{
	(void)state;
	struct experiment e;
	good("placement = inplace, zone\ndevice = sim_ssd, sim_zns\n", &e);
	assert_int_equal(e.runs, 3);
	assert_int_equal(e.refusals, 1);
	assert_string_equal(e.refused[0].label, "placement=inplace device=sim_zns");
	assert_int_equal(e.refused[0].skip_err, PL_INVALID);
	assert_true(strlen(e.refused[0].skip) > 10);
	assert_int_equal(e.run[2].index, 2);
	experiment_free(&e);
}

static void mistakes_are_located(void **state)
{
	(void)state;
	assert_has(bad("[g]\nclients = 1\nrecrods = 5\n"), "t.ini:3: unknown key 'recrods'; did you mean 'records'?");
	assert_has(bad("[g]\nsedes = 1\n"), "t.ini:2: unknown key 'sedes'; did you mean 'seed");
	assert_has(bad("[g]\nnode = slotted,\n   sloted\n"),
		"t.ini:2: node: unknown value 'sloted'; did you mean 'slotted'?");
	assert_has(bad("clients = 0\n"), "t.ini:1: clients: 0 is outside 1..65536");
	assert_has(bad("clients = 1,,2\n"), "t.ini:1: clients: a value is missing");
	assert_has(bad("clients = 1, 1\n"), "t.ini:1: clients: the value 1 occurs twice");
	assert_has(bad("# fine\nthis is no key\n"), "t.ini:2: neither");
	assert_has(bad("[a]\nclients = 1\n[a]\n"), "t.ini:3: there is a group [a] already");
	assert_has(bad("[a]\nclients = 1\n[defaults]\n"), "t.ini:3: [defaults] must come before");
	assert_has(bad("use = no-such-preset\n"), "t.ini:1: there is no preset no-such-preset");
	assert_has(bad("page_bytes = 16q\n"), "t.ini:1: page_bytes: '16q' is not a size");
}

static void committed_experiments_expand(void **state)
{
	(void)state;
	static const char *const name[] = {"demo", "ci"};
	for (size_t i = 0; i < PL_COUNT(name); i++) {
		struct experiment e;
		struct pl_fault f = {0};
		if (experiment_load(name[i], &e, &f))
			fail_msg("%s", f.text);
		assert_string_equal(e.name, name[i]);
		for (size_t k = 0; k < e.runs; k++)
			for (size_t m = 0; m < k; m++)
				assert_string_not_equal(e.run[k].run_id, e.run[m].run_id);
		if (i == 0) {
			assert_int_equal(e.runs, 90);
			assert_int_equal(e.refusals, 18);
		} else {
			for (size_t k = 0; k < e.runs; k++)
				assert_true(e.run[k].simulated);
		}
		experiment_free(&e);
	}
}

/* Every choice that is available, simulated and not named for real devices occurs in ci.ini. */
static void ci_covers_every_choice(void **state)
{
	(void)state;
	struct experiment e;
	const struct reg_choice *r;
	assert_int_equal(experiment_load("ci", &e, NULL), PL_OK);
	for (int a = 0; a < REG_AXES; a++)
		for (size_t i = 0; (r = reg_choice((enum reg_axis)a, i)); i++) {
			bool found = a == REG_DEVICE && !((const struct dev_ops *)(const void *)r)->peek;
			for (size_t k = 0; !found && k < e.runs; k++)
				found = strcmp(e.run[k].axis[a], r->name) == 0;
			if (!found && !r->unavailable)
				fail_msg("no run of ci.ini has %s=%s", reg_axis_name[a], r->name);
		}
	experiment_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"harness.experiment.last_key_varies_fastest", last_key_varies_fastest, NULL, NULL, NULL},
		{"harness.experiment.groups_add_and_override", groups_add_and_override, NULL, NULL, NULL},
		{"harness.experiment.defaults_alone_are_a_group", defaults_alone_are_a_group, NULL, NULL, NULL},
		{"harness.experiment.seeds_are_ranges_or_lists", seeds_are_ranges_or_lists, NULL, NULL, NULL},
		{"harness.experiment.a_star_is_all_choices", a_star_is_all_choices_that_are_legal, NULL, NULL, NULL},
		{"harness.experiment.a_star_has_its_mistakes", a_star_has_its_mistakes, NULL, NULL, NULL},
		{"harness.experiment.a_sample_has_every_pair", a_sample_has_every_pair_that_is_legal, NULL, NULL, NULL},
		{"harness.experiment.indented_lines_continue", indented_lines_continue, NULL, NULL, NULL},
		{"harness.experiment.spelling_does_not_matter", spelling_does_not_matter, NULL, NULL, NULL},
		{"harness.experiment.every_axis_is_a_word", every_axis_is_a_word, NULL, NULL, NULL},
		{"harness.experiment.foreign_options_do_not_multiply", foreign_options_do_not_multiply, NULL, NULL,
			NULL},
		{"harness.experiment.illegal_combinations_are_left_out", illegal_combinations_are_left_out, NULL, NULL,
			NULL},
		{"harness.experiment.mistakes_are_located", mistakes_are_located, NULL, NULL, NULL},
		{"harness.experiment.committed_experiments_expand", committed_experiments_expand, NULL, NULL, NULL},
		{"harness.experiment.ci_covers_every_choice", ci_covers_every_choice, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
