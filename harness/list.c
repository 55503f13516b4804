/* list.c - `pagelab list` and `pagelab expand`: what can be run, and what an experiment will run. */
#include "harness/command.h"
#include "harness/experiment.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "variants/registry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void list_axes(void)
{
	for (int a = 0; a < REG_AXES; a++) {
		const struct reg_choice *r;
		printf("%s%s: %s\n", a ? "\n" : "", reg_axis_name[a], reg_axis_question[a]);
		for (size_t i = 0; (r = reg_choice((enum reg_axis)a, i)); i++) {
			printf("    %-12s %s\n", r->name, r->summary);
			if (r->unavailable)
				printf("    %-12s unavailable: %s\n", "", r->unavailable);
		}
	}
}

static void list_options(void)
{
	static const char *const type[] = {"count", "bytes", "time", "0|1", "choice", "number", "text"};
	struct pl_conf c;
	lab_conf_init(&c);
	for (size_t i = 0; i < c.nsets; i++)
		for (const struct pl_opt *o = c.sets[i].opts; o->name; o++) {
			char name[256], bounds[96] = "";
			lab_option_name(name, sizeof name, &c.sets[i], o);
			if (o->type != PL_OPT_REAL && (o->min || o->max))
				(void)snprintf(bounds, sizeof bounds, ", %" PRIu64 "..%" PRIu64, o->min, o->max);
			else if (o->min || o->max)
				(void)snprintf(bounds, sizeof bounds, ", %g..%g", (double)o->min / 1000,
					(double)o->max / 1000);
			printf("%s = %s    (%s%s", name, o->value, type[o->type], bounds);
			for (size_t k = 0; o->type == PL_OPT_ENUM && o->choices[k]; k++)
				printf("%s%s", k ? ", " : ": ", o->choices[k]);
			printf(")\n    %s\n", o->help);
		}
	pl_conf_free(&c);
}

static int list_profiles(void)
{
	char **path;
	size_t n = profile_paths(&path);
	int code = LAB_OK;
	for (size_t i = 0; i < n; i++) {
		struct profile p;
		struct pl_fault f = {0};
		if (profile_load(path[i], &p, &f)) {
			code = lab_error(LAB_USAGE, "%s", f.text);
		} else {
			printf("%-16s %s\n", p.name, p.summary);
			profile_free(&p);
		}
		free(path[i]);
	}
	free(path);
	return code;
}

/* ---- the matrix */

static const char *unavailable(const struct kv_choice *c)
{
	for (int a = 0; a < REG_AXES; a++) {
		const struct reg_choice *r;
		for (size_t i = 0; (r = reg_choice((enum reg_axis)a, i)); i++)
			if (r->unavailable && strcmp(r->name, reg_chosen(c, (enum reg_axis)a)) == 0)
				return r->unavailable;
	}
	return NULL;
}

static void print_combination(const struct kv_choice *c)
{
	for (int a = 0; a < REG_AXES; a++)
		printf("%s%s", a ? " " : "", reg_chosen(c, (enum reg_axis)a));
}

static void matrix_json(void)
{
	struct kv_choice c;
	for (size_t i = 0; reg_product(i, &c); i++) {
		json_t *row = json_object();
		const char *why = kv_refusal(&c), *absent = unavailable(&c);
		for (int a = 0; a < REG_AXES; a++)
			(void)json_object_set_new(row, reg_axis_name[a], json_string(reg_chosen(&c, (enum reg_axis)a)));
		(void)json_object_set_new(row, "legal", json_boolean(!why));
		(void)json_object_set_new(row, "refused", why ? json_string(why) : json_null());
		(void)json_object_set_new(row, "unavailable", absent ? json_string(absent) : json_null());
		(void)json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	}
}

struct reason {
	const char *text;
	size_t n;
	struct kv_choice example;
};

static void matrix_reasons(const struct reason *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		printf("\n%zu refused: %s\n    for example ", r[i].n, r[i].text);
		print_combination(&r[i].example);
		putchar('\n');
	}
}

/* Legal combinations, one line each; node and space concern nobody else, so lines that differ only there are one. */
static void matrix_text(void)
{
	struct kv_choice c;
	struct reason *reason = NULL;
	size_t reasons = 0, legal = 0, refused = 0;
	char last[520] = "", line[512];
	printf("legal combinations (* = any choice):\n ");
	for (int a = 0; a < REG_AXES; a++)
		printf(" %s", reg_axis_name[a]);
	putchar('\n');
	struct lab_text seen = {0};
	lab_text_add(&seen, "\n");
	for (size_t i = 0; reg_product(i, &c); i++) {
		const char *why = kv_refusal(&c);
		if (why) {
			size_t k = 0;
			for (; k < reasons && strcmp(reason[k].text, why) != 0; k++)
				;
			if (k == reasons) {
				reason = lab_realloc(reason, (reasons + 1) * sizeof *reason);
				reason[reasons++] = (struct reason){.text = why, .example = c};
			}
			reason[k].n++;
			refused++;
			continue;
		}
		legal++;
		line[0] = 0;
		for (int a = 0; a < REG_AXES; a++)
			(void)snprintf(line + strlen(line), sizeof line - strlen(line), " %s",
				a == REG_NODE || a == REG_SPACE ? "*" : reg_chosen(&c, (enum reg_axis)a));
		(void)snprintf(last, sizeof last, "\n%s\n", line);
		if (strstr(seen.s, last))
			continue;
		lab_text_addf(&seen, "%s\n", line);
		printf(" %s\n", line);
	}
	matrix_reasons(reason, reasons);
	printf("\n%zu legal, %zu refused; --json gives every combination\n", legal, refused);
	free(seen.s);
	free(reason);
}

int cmd_list(int argc, char **argv)
{
	bool matrix = false, options = false, json = false, profiles = false;
	const struct arg args[] = {{.name = "--matrix", .flag = &matrix}, {.name = "--options", .flag = &options},
		{.name = "--json", .flag = &json}, {.name = "--profiles", .flag = &profiles}};
	struct arg_list none = {0};
	int code = args_parse("list", args, PL_COUNT(args), argc, argv, &none);
	if (!code && none.n)
		code = lab_error(LAB_USAGE, "list takes no '%s'", none.item[0]);
	if (!code && json && !matrix)
		code = lab_error(LAB_USAGE, "list: --json goes with --matrix");
	if (!code && matrix)
		json ? matrix_json() : matrix_text();
	if (!code && options)
		list_options();
	if (!code && profiles)
		code = list_profiles();
	if (!code && !matrix && !options && !profiles)
		list_axes();
	free(none.item);
	return code;
}

/* ---- expand */

static void expand_words(const struct experiment *e)
{
	for (size_t i = 0; i < e->runs; i++) {
		char *text = spec_text(&e->run[i], " ");
		printf("%zu\t%s\n", i, text);
		free(text);
	}
}

/* Columns: index, run_id, label, then every key that any run has. */
static void expand_tsv(const struct experiment *e)
{
	struct spec_word *column = NULL;
	size_t columns = 0;
	for (size_t i = 0; i < e->runs; i++)
		for (size_t w = 0; w < e->run[i].words; w++) {
			size_t k = 0;
			while (k < columns && strcmp(column[k].key, e->run[i].word[w].key) != 0)
				k++;
			if (k == columns)
				spec_word_add(&column, &columns, e->run[i].word[w].key, "");
		}
	printf("index\trun_id\tlabel");
	for (size_t k = 0; k < columns; k++)
		printf("\t%s", column[k].key);
	putchar('\n');
	for (size_t i = 0; i < e->runs; i++) {
		printf("%zu\t%s\t%s", i, e->run[i].run_id, e->run[i].label);
		for (size_t k = 0; k < columns; k++)
			printf("\t%s",
				spec_value(&e->run[i], column[k].key) ? spec_value(&e->run[i], column[k].key) : "");
		putchar('\n');
	}
	spec_words_free(column, columns);
}

static void expand_json_row(const struct spec *s)
{
	json_t *row = json_pack("{s:o, s:s, s:s}", "index",
		s->skip_err == PL_INVALID ? json_null() : json_integer((json_int_t)s->index), "run_id", s->run_id,
		"label", s->label);
	json_t *words = json_object();
	for (size_t w = 0; w < s->words; w++)
		(void)json_object_set_new(words, s->word[w].key, json_string(s->word[w].value));
	(void)json_object_set_new(row, "spec", words);
	(void)json_object_set_new(row, "skipped", s->skip_err ? json_string(s->skip) : json_null());
	(void)json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

/* The only format that shows the refused combinations, too. */
static void expand_json(const struct experiment *e)
{
	for (size_t i = 0; i < e->runs; i++)
		expand_json_row(&e->run[i]);
	for (size_t i = 0; i < e->refusals; i++)
		expand_json_row(&e->refused[i]);
}

int cmd_expand(int argc, char **argv)
{
	const char *format = "words";
	const struct arg args[] = {{.name = "--format", .text = &format}};
	struct arg_list exp = {0};
	struct experiment e;
	struct pl_fault f = {0};
	int code = args_parse("expand", args, PL_COUNT(args), argc, argv, &exp);
	if (!code && exp.n != 1)
		code = lab_error(LAB_USAGE, "expand wants one experiment");
	if (!code && strcmp(format, "words") != 0 && strcmp(format, "tsv") != 0 && strcmp(format, "json") != 0)
		code = lab_error(LAB_USAGE, "expand: there is no format '%s' (words, tsv, json)", format);
	if (!code && experiment_load(exp.item[0], &e, &f))
		code = lab_error(LAB_USAGE, "%s", f.text);
	else if (!code) {
		if (*format == 'w')
			expand_words(&e);
		else if (*format == 't')
			expand_tsv(&e);
		else
			expand_json(&e);
		(void)fflush(stdout);
		if (e.refusals)
			(void)fprintf(stderr, "pagelab: %zu illegal combinations left out; the first: %s: %s\n",
				e.refusals, e.refused[0].label, e.refused[0].skip);
		experiment_free(&e);
	}
	free(exp.item);
	return code;
}
