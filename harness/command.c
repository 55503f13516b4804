/* command.c - the table of commands, argument parsing, and the commands of a few lines. */
#include "harness/command.h"

#include "engine/base/conf.h"
#include "harness/device_file.h"
#include "harness/experiment.h"
#include "harness/facts.h"
#include "harness/options.h"
#include "results/metrics.h"
#include "results/reader.h"
#include "workloads/workload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
	{"list", cmd_list, "list [--matrix [--json]] [--options] [--profiles]",
		"axes, choices and why one is unavailable; --matrix: which combinations are legal, and why the others "
		"are not; --options: every key; --profiles: devices by name"},
	{"expand", cmd_expand, "expand EXP [--format words|tsv|json]",
		"the runs of an experiment, one canonical line each"},
	{"run", cmd_run,
		"run EXP [--index K | --shard I/N] [--simulated] [--anew] [--jobs N] [--out DIR] [-v]\n"
		"    run --set KEY=VALUE ... [--profile P] [-P FILE] [-p NAME=VALUE] [--keep DIR] [--out DIR]",
		"run an experiment (finished runs are not repeated unless --anew), or a single run"},
	{"calibrate", cmd_calibrate,
		"calibrate --path FILE|DIRECTORY|DEVICE [--size BYTES] [--out PROFILE.ini] [--quick] [--buffered]\n"
		"    [--force] [--destroy]",
		"measure a place of this machine and write a device profile; a block device is overwritten"},
	{"report", cmd_report, "report EXP", "results as a table; draws the page if plots/ and python are there"},
	{"explain", cmd_explain, "explain [--phase NAME] [--json] [--draw [--out DIR]] RUN...",
		"where each byte written came from: clients, pages and log by source, cleaning, the device; RUN: a "
		"result "
		"file,\n        EXPERIMENT/RUNID or an experiment; --draw: as a chart (explain.svg, .png)"},
	{"check", cmd_check, "check STORE", "open and verify a store that `run --keep` left"},
	{"device", cmd_device,
		"device [--profile P] [--set KEY=VALUE ...] [--pattern P] [--utilisation U] [--until steady|PAGES|Nx] "
		"[--json]\n"
		"    device [--profile P] [--set KEY=VALUE ...] --op OP [--size S] [--qd N] [--count N] [--json]",
		"a simulated device without the engine: its write amplification, or the times of its requests; --help "
		"tells all"},
	{"workload", cmd_workload,
		"workload [--set KEY=VALUE ...] [-P FILE] [-p NAME=VALUE] [--phase load|run] --print N | --histogram "
		"[--draws N]",
		"print the first operations of a workload, or how its popularity is spread"},
	{"baseline", cmd_baseline, "baseline [--check FILE | --write FILE] RUNS...",
		"exact metrics of simulated runs as CSV; --check: compare with FILE"},
	{"schema", cmd_schema, "schema", "describe result files and metrics (results/SCHEMA.md)"},
	{"digest", cmd_digest, "digest RUNS...", "digests of the exact rows of simulated runs"},
	{NULL, NULL, NULL, NULL},
};

void arg_add(struct arg_list *l, const char *item)
{
	l->item = lab_realloc(l->item, (l->n + 1) * sizeof *l->item);
	l->item[l->n++] = item;
}

static const struct arg *arg_find(const struct arg *options, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(options[i].name, word) == 0 ||
			(options[i].short_name && strcmp(options[i].short_name, word) == 0))
			return &options[i];
	return NULL;
}

static int arg_unknown(const char *command, const struct arg *options, size_t n, const char *word)
{
	const char *name[32];
	size_t names = n < PL_COUNT(name) ? n : PL_COUNT(name);
	for (size_t i = 0; i < names; i++)
		name[i] = options[i].name;
	const char *near = pl_nearest(word, name, names);
	if (near)
		return lab_error(LAB_USAGE, "%s: unknown option '%s'; did you mean '%s'?", command, word, near);
	return lab_error(LAB_USAGE, "%s: unknown option '%s'; `pagelab --help` shows all", command, word);
}

int args_parse(
	const char *command, const struct arg *options, size_t n, int argc, char **argv, struct arg_list *positional)
{
	for (int i = 0; i < argc; i++) {
		const char *eq = strncmp(argv[i], "--", 2) == 0 ? strchr(argv[i], '=') : NULL;
		char word[64];
		lab_copy(word, eq && (size_t)(eq - argv[i]) < sizeof word ? (size_t)(eq - argv[i]) + 1 : sizeof word,
			argv[i]);
		if (argv[i][0] != '-' || !argv[i][1]) {
			arg_add(positional, argv[i]);
			continue;
		}
		const struct arg *o = arg_find(options, n, word);
		if (!o)
			return arg_unknown(command, options, n, word);
		if (o->flag) {
			if (eq)
				return lab_error(LAB_USAGE, "%s: %s takes no value", command, word);
			*o->flag = true;
			continue;
		}
		if (!eq && i + 1 >= argc)
			return lab_error(LAB_USAGE, "%s: %s wants a value", command, word);
		const char *value = eq ? eq + 1 : argv[++i];
		if (o->text)
			*o->text = value;
		else
			arg_add(o->list, value);
		while (o->list && !eq && strcmp(o->name, "--set") == 0 && i + 1 < argc && argv[i + 1][0] != '-' &&
			strchr(argv[i + 1], '='))
			arg_add(o->list, argv[++i]);
	}
	return LAB_OK;
}

static int set_word(struct pl_conf *c, const char *word, bool property)
{
	struct pl_fault f = {0};
	const char *eq = strchr(word, '=');
	if (!eq)
		return lab_error(LAB_USAGE, "'%s' is not key=value", word);
	char *key = strndup(word, (size_t)(eq - word));
	/* "-" is how the canonical text says that an axis does not apply: nothing to set. */
	int err = property                   ? wl_set_property(c, key, eq + 1, &f)
		  : strcmp(eq + 1, "-") == 0 ? PL_OK
					     : pl_conf_set(c, key, eq + 1, &f);
	free(key);
	return err ? lab_error(LAB_USAGE, "%s", f.text) : LAB_OK;
}

int args_set(
	struct pl_conf *c, const struct arg_list *set, const struct arg_list *files, const struct arg_list *properties)
{
	struct pl_fault f = {0};
	int code = LAB_OK;
	for (size_t i = 0; !code && i < files->n; i++)
		if (wl_load_properties(c, files->item[i], &f))
			code = lab_error(LAB_USAGE, "%s", f.text);
	for (size_t i = 0; !code && i < properties->n; i++)
		code = set_word(c, properties->item[i], true);
	for (size_t i = 0; !code && i < set->n; i++)
		code = set_word(c, set->item[i], false);
	return code;
}

static int whole_number(const char *option, const char *text, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end || *text < '0' || *text > '9' || errno
		       ? lab_error(LAB_USAGE, "workload: %s wants a number, not '%s'", option, text)
		       : LAB_OK;
}

int cmd_workload(int argc, char **argv)
{
	struct arg_list set = {0}, files = {0}, properties = {0}, none = {0};
	const char *phase = "run", *print = NULL, *draws = NULL;
	bool histogram = false;
	uint64_t prints = 0, drawn = 1000000;
	const struct arg options[] = {{.name = "--set", .list = &set}, {.name = "-P", .list = &files},
		{.name = "-p", .list = &properties}, {.name = "--phase", .text = &phase},
		{.name = "--print", .text = &print}, {.name = "--histogram", .flag = &histogram},
		{.name = "--draws", .text = &draws}};
	struct pl_conf conf;
	struct pl_fault f = {0};
	int code = args_parse("workload", options, PL_COUNT(options), argc, argv, &none), err = PL_OK;
	lab_conf_init(&conf);
	if (!code && none.n)
		code = lab_error(LAB_USAGE, "workload takes no '%s'; keys follow --set", none.item[0]);
	if (!code && strcmp(phase, "load") != 0 && strcmp(phase, "run") != 0)
		code = lab_error(LAB_USAGE, "workload: there is no phase '%s' (load, run)", phase);
	if (!code && !print && !histogram)
		code = lab_error(LAB_USAGE, "workload: say --print N or --histogram");
	if (!code && print)
		code = whole_number("--print", print, &prints);
	if (!code && draws)
		code = whole_number("--draws", draws, &drawn);
	if (!code)
		code = args_set(&conf, &set, &files, &properties);
	if (!code && print)
		err = wl_print(&conf, pl_conf_u64(&conf, "seed"), phase, prints, stdout, &f);
	if (!code && !err && histogram)
		err = wl_histogram(&conf, pl_conf_u64(&conf, "seed"), drawn, stdout, &f);
	if (err)
		code = lab_error(LAB_USAGE, "%s", f.text);
	pl_conf_free(&conf);
	free(set.item);
	free(files.item);
	free(properties.item);
	free(none.item);
	return code;
}

int cmd_schema(int argc, char **argv)
{
	struct arg_list none = {0};
	int code = args_parse("schema", NULL, 0, argc, argv, &none);
	if (!code && none.n)
		code = lab_error(LAB_USAGE, "schema takes no '%s'", none.item[0]);
	if (!code)
		res_schema(stdout);
	free(none.item);
	return code;
}

int cmd_digest(int argc, char **argv)
{
	struct arg_list paths = {0};
	struct pl_fault f = {0};
	struct res_runs runs;
	int code = args_parse("digest", NULL, 0, argc, argv, &paths);
	if (!code && !paths.n)
		code = lab_error(LAB_USAGE, "digest wants result files or their directory");
	if (!code && res_load_all(paths.item, paths.n, &runs, &f))
		code = lab_error(LAB_FAILED, "%s", f.text);
	else if (!code) {
		for (size_t i = 0; i < runs.n; i++) {
			const struct res_run *r = &runs.run[i];
			if (!json_is_true(json_object_get(r->run, "simulated")) || !r->end ||
				!json_object_get(r->end, "digest"))
				continue;
			printf("%s  %s/%04llu-%s\n", res_text(r->end, "digest"), res_text(r->run, "experiment"),
				(unsigned long long)res_number(r->run, "index"), res_text(r->run, "run_id"));
		}
		res_unload_all(&runs);
	}
	free(paths.item);
	return code;
}

int cmd_check(int argc, char **argv)
{
	struct arg_list dir = {0};
	struct pl_fault f = {0};
	struct spec spec;
	struct dev *dev = NULL;
	struct kv *kv = NULL;
	int code = args_parse("check", NULL, 0, argc, argv, &dir), err;
	if (!code && dir.n != 1)
		code = lab_error(LAB_USAGE, "check wants the directory of one store");
	if (!code) {
		err = keep_load(dir.item[0], &spec, &dev, &f);
		code = err ? lab_error(err == PL_NOTSTORE ? LAB_USAGE : lab_exit_code(err), "%s", f.text) : LAB_OK;
	}
	if (dev) {
		struct pl_ctx x = {.simulated = dev->caps.simulated, .now_ns = dev->caps.simulated ? 0 : pl_clock_ns()};
		err = kv_open(&spec.choice, spec.conf, dev, &x, &kv, &f);
		if (!err) {
			err = kv_check(kv, &x, &f);
			struct kv_stats st;
			kv_stats(kv, &st);
			kv_abandon(kv);
			if (!err)
				printf("%s is sound: %llu records in %llu pages\n", dir.item[0],
					(unsigned long long)st.records, (unsigned long long)st.live_pages);
		}
		if (err)
			code = lab_error(LAB_FAILED, "%s: %s", dir.item[0], *f.text ? f.text : pl_err_text(err));
		dev_close(dev);
		spec_free(&spec);
	}
	free(dir.item);
	return code;
}

static void usage(FILE *out)
{
	(void)fputs("pagelab: a laboratory for storage-engine page policies\n\n", out);
	for (const struct command *c = commands; c->name; c++)
		(void)fprintf(out, "    %s\n        %s\n", c->usage, c->help);
	(void)fputs("\nEXP is the name of a file in harness/exp, or a path. Exit codes: 0 ok, 1 check failed, 2 usage "
		    "or specification,\n"
		    "75 try again, 77 skipped (illegal combination or unavailable device).\n",
		out);
}

int pagelab_main(int argc, char **argv)
{
	const char *name[32];
	size_t n = 0;
	if (argc < 2) {
		usage(stderr);
		return LAB_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return LAB_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("pagelab 0.1.0, revision %s, result schema %d\n", facts_revision(), RES_SCHEMA_VERSION);
		return LAB_OK;
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, argv[1]) == 0) {
			if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
				printf("    %s\n        %s\n", c->usage, c->help);
				if (c->run == cmd_device)
					printf("\n%s", device_help);
				return LAB_OK;
			}
			int code = c->run(argc - 2, argv + 2);
			return fflush(stdout) == 0 ? code : lab_error(LAB_FAILED, "cannot write to standard output");
		}
		name[n++] = c->name;
	}
	const char *near = pl_nearest(argv[1], name, n);
	if (near)
		return lab_error(LAB_USAGE, "unknown command '%s'; did you mean '%s'?", argv[1], near);
	return lab_error(LAB_USAGE, "unknown command '%s'; `pagelab --help` shows all", argv[1]);
}
