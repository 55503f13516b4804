/* expect.c - grammar and judgement of claims.
 *
 * One recursive descent serves both: with a run it computes, without one it only checks the grammar.
 *
 *     claim   = value ( "within" NUMBER "%" "of" value | RELATION value ) [ "where" filters ]
 *     value   = term { ("+" | "-") term }
 *     term    = factor { ("*" | "/") factor }
 *     factor  = NUMBER | NAME [ "[" filters "]" ] | FUNCTION "(" value { "," value } ")" | "(" value ")"
 *     filters = NAME RELATION WORD { "|" WORD } { "," NAME RELATION WORD { "|" WORD } }
 *
 * Invariants:
 *  1. A text is judged or free by its first two words alone; what is judged and does not parse is an error.
 *  2. A claim holds in a run only if every number in it was found: a missing one is a failure with its name.
 *  3. A claim of which no run was judged fails.
 * Leaves out: comparisons of more than two runs, medians over seeds (each seed is judged), signs before a number. */
#include "harness/expect.h"

#include "harness/closed_forms.h"
#include "harness/options.h"
#include "harness/util.h"
#include "results/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 128
#define FUNCTION_ARGUMENTS_MAX 3

enum relation { LESS_EQUAL, GREATER_EQUAL, UNEQUAL, LESS, GREATER, EQUAL, WITHIN, RELATIONS };
static const char *const relation_text[RELATIONS] = {"<=", ">=", "!=", "<", ">", "=", "within"};

/* ---- functions */

static double f_fifo(const double *a)
{
	return closed_fifo(a[0]);
}
static uint64_t whole(double x)
{
	return x >= 1 && x < 1e12 ? (uint64_t)(x + 0.5) : 0;
}
static double f_greedy(const double *a)
{
	return closed_greedy(a[0], whole(a[1]));
}
static double f_choices(const double *a)
{
	return closed_choices(a[0], whole(a[1]), a[2] < 1e6 ? (unsigned)whole(a[2]) : 0);
}
static double f_mixed(const double *a)
{
	struct closed_class c[2];
	closed_hot_cold(a[1], a[2], c);
	return closed_fifo_classes(a[0], c, 2);
}
static double f_split(const double *a)
{
	struct closed_class c[2];
	closed_hot_cold(a[1], a[2], c);
	return closed_optimal(a[0], c, 2, NULL);
}
static double f_distinct(const double *a)
{
	return a[1] < 2e9 ? closed_distinct(a[0], a[1]) : 0;
}
static double f_max(const double *a)
{
	return a[0] > a[1] ? a[0] : a[1];
}
static double f_min(const double *a)
{
	return a[0] < a[1] ? a[0] : a[1];
}

static const struct function {
	const char *name, *arguments;
	size_t n;
	double (*of)(const double *argument);
} function[] = {
	{"closed_fifo", "utilisation", 1, f_fifo},
	{"closed_greedy", "utilisation, block pages", 2, f_greedy},
	{"closed_choices", "utilisation, block pages, choices", 3, f_choices},
	{"closed_hot_cold_fifo", "utilisation, share of writes, share of data", 3, f_mixed},
	{"closed_hot_cold_optimal", "utilisation, share of writes, share of data", 3, f_split},
	{"closed_distinct", "pages, draws", 2, f_distinct},
	{"max", "value, value", 2, f_max},
	{"min", "value, value", 2, f_min},
};

static const struct function *function_find(const char *name)
{
	for (size_t i = 0; i < PL_COUNT(function); i++)
		if (strcmp(function[i].name, name) == 0)
			return &function[i];
	return NULL;
}

/* ---- runs: their numbers and keys */

struct judge {
	const struct res_runs *runs; /* NULL: grammar only */
	const struct res_run *run;
	const struct pl_conf *known;
	const char *at; /* the rest of the text */
	const char *missing; /* what has no number: a sentence, or NULL */
	char missing_text[2 * NAME_MAX_BYTES + 160];
	struct pl_fault *f;
	int err;
};

static void miss(struct judge *j, const char *fmt, ...) PL_PRINTF(2, 3);
static void miss(struct judge *j, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (!j->missing)
		(void)vsnprintf(j->missing_text, sizeof j->missing_text, fmt, ap);
	va_end(ap);
	j->missing = j->missing_text;
}

static const json_t *row_of(const struct res_run *r, const char *row)
{
	size_t i;
	json_t *one;
	json_array_foreach(r->rows, i, one) if (strcmp(res_text(one, "row"), row) == 0) return one;
	return NULL;
}

/* The value of a key: as the specification says, else the option's default; NULL if nobody knows the key. */
static const char *key_text(const struct judge *j, const struct res_run *r, const char *key)
{
	if (strcmp(key, "group") == 0)
		return res_text(r->run, "group");
	const json_t *v = json_object_get(json_object_get(r->run, "spec"), key);
	if (json_is_string(v))
		return json_string_value(v);
	return lab_find_option(j->known, key, NULL) ? pl_conf_str(j->known, key) : NULL;
}

static bool number_text(const char *text, double *out)
{
	char *end;
	*out = strtod(text, &end);
	return end != text && !*end && isfinite(*out);
}

static bool number_in(const json_t *row, const char *name, double *out)
{
	const json_t *v = json_object_get(row, name);
	*out = json_number_value(v);
	return json_is_number(v);
}

/* Ratios of a store's counters, of one phase: what cleaning writes, and the utilisation at which theory is asked for it
 * (exp/README.md). Zones of raw pages, in the blocks of 4096 bytes that all devices have. */
static bool ratio(const json_t *phase, const char *name, double *out)
{
	double page_bytes, pages, map_bytes, moved_bytes, live_bytes, occupied;
	if (!number_in(phase, "page_write_bytes", &page_bytes) || !number_in(phase, "page_writes", &pages) ||
		!number_in(phase, "host_write_bytes_map", &map_bytes) ||
		!number_in(phase, "moved_bytes", &moved_bytes) || !number_in(phase, "live_bytes", &live_bytes) ||
		!number_in(phase, "occupied_blocks", &occupied) || !(occupied > 0))
		return false;
	if (strcmp(name, "cleaning_amplification") == 0)
		*out = 1 + moved_bytes / (page_bytes + map_bytes);
	else if (strcmp(name, "cleaning_utilisation") == 0)
		*out = live_bytes / 4096 * pages / occupied;
	else
		return false;
	return true;
}

static double metric(struct judge *j, const struct res_run *r, const char *name)
{
	double v = 0;
	const json_t *device = row_of(r, "device");
	const char *text;
	if (number_in(row_of(r, "derived"), name, &v) || number_in(device, name, &v) ||
		number_in(row_of(r, "node"), name, &v) || number_in(json_object_get(device, "describe"), name, &v) ||
		number_in(res_phase(r, "run"), name, &v) || ratio(res_phase(r, "run"), name, &v))
		return v;
	text = key_text(j, r, name);
	if (!text || !number_text(text, &v))
		miss(j, "there is no number %s", name);
	return v;
}

/* ---- reading */

static int fail(struct judge *j, const char *fmt, ...) PL_PRINTF(2, 3);
static int fail(struct judge *j, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!j->err)
		j->err = pl_fault_set(j->f, PL_INVALID, "%s", text);
	return j->err;
}

static void skip_blanks(struct judge *j)
{
	while (isspace((unsigned char)*j->at))
		j->at++;
}

static bool accept(struct judge *j, const char *mark)
{
	skip_blanks(j);
	if (strncmp(j->at, mark, strlen(mark)) != 0)
		return false;
	j->at += strlen(mark);
	return true;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* A name into out (NAME_MAX_BYTES); false and nothing read if there is none. */
static bool read_name(struct judge *j, char *out)
{
	skip_blanks(j);
	size_t n = 0;
	if (!isalpha((unsigned char)*j->at))
		return false;
	while (in_name(j->at[n]))
		n++;
	if (n >= NAME_MAX_BYTES) {
		(void)fail(j, "a name of %zu letters is too long", n);
		return false;
	}
	memcpy(out, j->at, n);
	out[n] = 0;
	j->at += n;
	return true;
}

static bool accept_word(struct judge *j, const char *word)
{
	skip_blanks(j);
	size_t n = strlen(word);
	if (strncmp(j->at, word, n) != 0 || in_name(j->at[n]))
		return false;
	j->at += n;
	return true;
}

/* What stands next, for a sentence. */
static const char *next_words(struct judge *j)
{
	static char text[24];
	skip_blanks(j);
	lab_copy(text, sizeof text, *j->at ? j->at : "the end");
	return text;
}

static enum relation read_relation(struct judge *j)
{
	for (int r = 0; r < WITHIN; r++)
		if (accept(j, relation_text[r]))
			return (enum relation)r;
	return accept_word(j, "within") ? WITHIN : RELATIONS;
}

static bool compares(enum relation r, double difference)
{
	const bool holds[WITHIN] = {[LESS_EQUAL] = difference <= 0,
		[GREATER_EQUAL] = difference >= 0,
		[UNEQUAL] = difference < 0 || difference > 0,
		[LESS] = difference<0, [GREATER] = difference> 0,
		[EQUAL] = !(difference < 0 || difference > 0)};
	return holds[r];
}

/* One word of a filter against a key's value. */
static bool word_holds(const char *have, enum relation r, const char *want)
{
	double a, b;
	if (number_text(have, &a) && number_text(want, &b))
		return compares(r, a - b);
	return compares(r, strcmp(have, want));
}

/* The canonical text of a filter's value, that 16k and 16384 are the same. */
static void canonical(struct judge *j, const char *key, char *word, size_t cap)
{
	const struct pl_opt *o = lab_find_option(j->known, key, NULL);
	char text[1024];
	struct pl_fault f = {0};
	if (strcmp(key, "group") == 0 || strcmp(word, "-") == 0)
		return;
	if (pl_opt_canonical(o, key, word, text, sizeof text, &f))
		(void)fail(j, "%s", f.text);
	else
		lab_copy(word, cap, text);
}

#define FILTERS_MAX 16
struct keys { /* that filters named */
	char name[FILTERS_MAX][NAME_MAX_BYTES];
	size_t n;
};

/* One filter; true if it holds for r, or if r is NULL. Values end at one of stops. */
static bool filter(struct judge *j, const struct res_run *r, const char *stops, struct keys *keys)
{
	char *key = keys->name[keys->n], word[256];
	bool all = true, any = false;
	if (!read_name(j, key))
		return fail(j, "a filter begins with a key, not with '%s'", next_words(j)), false;
	if (strcmp(key, "group") != 0 && !lab_find_option(j->known, key, NULL)) {
		struct pl_conf scratch;
		struct pl_fault f = {0};
		pl_conf_copy(&scratch, j->known);
		if (pl_conf_set(&scratch, key, "", &f)) /* for its sentence, which names the nearest key */
			(void)fail(j, "in a filter: %s", f.text);
		pl_conf_free(&scratch);
		return false;
	}
	enum relation rel = read_relation(j);
	if (rel >= WITHIN)
		return fail(j, "%s in a filter wants = != <= >= < or >, not '%s'", key, next_words(j)), false;
	do {
		skip_blanks(j);
		size_t n = strcspn(j->at, stops), blanks = 0;
		while (blanks < n && isspace((unsigned char)j->at[n - blanks - 1]))
			blanks++;
		if (n == blanks || n - blanks >= sizeof word)
			return fail(j, "the filter %s%s lacks its value", key, relation_text[rel]), false;
		memcpy(word, j->at, n - blanks);
		word[n - blanks] = 0;
		j->at += n;
		canonical(j, key, word, sizeof word);
		const char *have = r && !j->err ? key_text(j, r, key) : NULL;
		bool holds = have && word_holds(have, rel, word);
		all = all && holds;
		any = any || holds;
	} while (!j->err && accept(j, "|"));
	keys->n++;
	return !r || (rel == UNEQUAL ? all : any);
}

static bool filters(struct judge *j, const struct res_run *r, const char *stops, struct keys *keys)
{
	bool all = true;
	keys->n = 0;
	do {
		if (keys->n == FILTERS_MAX)
			return fail(j, "more than %d filters", FILTERS_MAX), false;
		all = filter(j, r, stops, keys) && all;
	} while (!j->err && accept(j, ","));
	return all && !j->err;
}

static bool names(const struct keys *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->name[i], key) == 0)
			return true;
	return false;
}

/* True if a and b agree in every key that a swept and nobody named. */
static bool agree(struct judge *j, const struct res_run *a, const struct res_run *b, const struct keys *named)
{
	const char *key;
	json_t *value;
	json_object_foreach(json_object_get(a->run, "sweep"), key, value)
	{
		const char *x = key_text(j, a, key), *y = key_text(j, b, key);
		if (!names(named, key) && (!x || !y || strcmp(x, y) != 0))
			return false;
	}
	return true;
}

static bool ended_well(const struct res_run *r)
{
	return r->end && strcmp(res_text(r->end, "status"), "ok") == 0;
}

/* The run that NAME[filters] speaks of; the text stands behind `[`. NULL after a miss, or where there are no runs. */
static const struct res_run *other_run(struct judge *j)
{
	const char *begin = j->at;
	const struct res_run *found = NULL;
	struct keys named;
	size_t n = 0;
	(void)filters(j, NULL, ",|]", &named);
	const char *end = j->at;
	if (!j->err && !accept(j, "]"))
		(void)fail(j, "']' is missing before '%s'", next_words(j));
	if (j->err || !j->runs)
		return NULL;
	const char *behind = j->at;
	for (size_t i = 0; i < j->runs->n; i++) {
		const struct res_run *r = &j->runs->run[i];
		j->at = begin;
		if (!ended_well(r) || !filters(j, r, ",|]", &named))
			continue;
		if (!names(&named, "group") && strcmp(res_text(r->run, "group"), res_text(j->run->run, "group")) != 0)
			continue;
		if (!agree(j, j->run, r, &named) || !agree(j, r, j->run, &named))
			continue;
		found = r;
		n++;
	}
	j->at = behind;
	if (n != 1)
		miss(j, "%zu runs answer to [%.*s]", n, (int)(end - begin), begin);
	return n == 1 ? found : NULL;
}

static double value(struct judge *j);

static double call(struct judge *j, const char *name)
{
	const struct function *f = function_find(name);
	double argument[FUNCTION_ARGUMENTS_MAX] = {0};
	size_t n = 0;
	if (!f)
		return fail(j, "there is no function %s", name), 0;
	do {
		double v = value(j);
		if (n < FUNCTION_ARGUMENTS_MAX)
			argument[n] = v;
		n++;
	} while (!j->err && accept(j, ","));
	if (!j->err && (n != f->n || !accept(j, ")")))
		return fail(j, "%s wants (%s)", name, f->arguments), 0;
	return j->runs && !j->missing && !j->err ? f->of(argument) : 0;
}

static double factor(struct judge *j)
{
	char name[NAME_MAX_BYTES], *end;
	skip_blanks(j);
	if (accept(j, "(")) {
		double v = value(j);
		if (!j->err && !accept(j, ")"))
			(void)fail(j, "')' is missing before '%s'", next_words(j));
		return v;
	}
	if (isdigit((unsigned char)*j->at)) {
		double v = strtod(j->at, &end);
		if (in_name(*end))
			return fail(j, "'%s' is no number", next_words(j)), 0;
		j->at = end;
		return v;
	}
	if (!read_name(j, name))
		return j->err ? 0 : (fail(j, "a number or a metric is missing before '%s'", next_words(j)), 0);
	if (accept(j, "("))
		return call(j, name);
	if (accept(j, "[")) {
		const struct res_run *r = other_run(j);
		return r ? metric(j, r, name) : 0;
	}
	return j->runs ? metric(j, j->run, name) : 0;
}

static double term(struct judge *j)
{
	double v = factor(j);
	while (!j->err)
		if (accept(j, "*"))
			v *= factor(j);
		else if (accept(j, "/")) {
			double by = factor(j);
			if (j->runs && !(by > 0 || by < 0))
				miss(j, "a division by 0");
			else
				v /= by;
		} else
			break;
	return v;
}

static double value(struct judge *j)
{
	double v = term(j);
	while (!j->err)
		if (accept(j, "+"))
			v += term(j);
		else if (accept(j, "-"))
			v -= term(j);
		else
			break;
	return v;
}

/* ---- claims */

struct reading { /* a claim in a run */
	double measured, reference, percent;
	enum relation relation;
	bool applies, holds;
};

/* Read a claim from j->at, for j->run if there is one. */
static void claim(struct judge *j, struct reading *out)
{
	char *end;
	struct keys keys;
	*out = (struct reading){.applies = true};
	out->measured = value(j);
	if (j->err)
		return;
	out->relation = read_relation(j);
	if (out->relation == RELATIONS) {
		(void)fail(j, "'within N %% of', = != <= >= < or > is missing before '%s'", next_words(j));
		return;
	}
	if (out->relation == WITHIN) {
		skip_blanks(j);
		out->percent = strtod(j->at, &end);
		if (end == j->at || !isdigit((unsigned char)*j->at)) {
			(void)fail(j, "within wants a number, as in 'within 0.5 %% of', not '%s'", next_words(j));
			return;
		}
		j->at = end;
		if (!accept(j, "%") || !accept_word(j, "of")) {
			(void)fail(j, "'%% of' is missing before '%s'", next_words(j));
			return;
		}
	}
	out->reference = value(j);
	if (!j->err && accept_word(j, "where"))
		out->applies = filters(j, j->run, ",|", &keys);
	skip_blanks(j);
	if (!j->err && *j->at)
		(void)fail(j, "'%s' is more than a claim needs", next_words(j));
	if (j->missing || j->err)
		return;
	double difference = out->measured - out->reference;
	out->holds = out->relation == WITHIN ? fabs(difference) <= fabs(out->reference) * out->percent / 100
					     : compares(out->relation, difference);
}

/* Invariant 1. Free text is told by its first two words. */
static bool is_judged(const char *text)
{
	char first[NAME_MAX_BYTES];
	struct pl_fault f;
	struct judge j = {.at = text, .f = &f};
	skip_blanks(&j);
	if (isdigit((unsigned char)*j.at) || *j.at == '(')
		return true;
	if (!read_name(&j, first))
		return false;
	if (strpbrk(first, "_.") && j.at[-1] != '.')
		return true;
	return res_metric_find(first) || read_relation(&j) != RELATIONS || accept(&j, "[") || accept(&j, "(") ||
	       accept(&j, "*");
}

int claim_check(const char *text, const struct pl_conf *known, bool *judged, struct pl_fault *f)
{
	struct judge j = {.known = known, .at = text, .f = f};
	struct reading r;
	bool is = is_judged(text);
	if (judged)
		*judged = is;
	if (is)
		claim(&j, &r);
	return j.err;
}

/* ---- the report */

struct line { /* distinct claims of all runs */
	const char *name, *text;
};

static size_t lines_of(const struct res_runs *runs, struct line **out)
{
	struct line *lines = NULL;
	const char *name;
	json_t *text;
	size_t n = 0;
	for (size_t i = 0; i < runs->n; i++)
		json_object_foreach(json_object_get(runs->run[i].run, "expect"), name, text)
		{
			size_t k = 0;
			while (k < n && (strcmp(lines[k].name, name) != 0 ||
						strcmp(lines[k].text, json_string_value(text)) != 0))
				k++;
			if (k < n)
				continue;
			lines = lab_realloc(lines, (n + 1) * sizeof *lines);
			lines[n++] = (struct line){name, json_string_value(text)};
		}
	*out = lines;
	return n;
}

static bool carries(const struct res_run *r, const struct line *l)
{
	const char *text = json_string_value(json_object_get(json_object_get(r->run, "expect"), l->name));
	return text && strcmp(text, l->text) == 0;
}

static void print_reading(
	FILE *out, const struct res_run *r, const struct judge *j, const struct reading *one, int width)
{
	(void)fprintf(out, "    %-*s  ", width, res_text(r->run, "label"));
	if (!ended_well(r))
		(void)fprintf(out, "the run %s  FAILS\n", r->end ? res_text(r->end, "status") : "did not end");
	else if (j->missing)
		(void)fprintf(out, "%s  FAILS\n", j->missing);
	else {
		char deviation[32] = "-";
		if (one->reference > 0 || one->reference < 0)
			(void)snprintf(
				deviation, sizeof deviation, "%+.2f %%", (one->measured / one->reference - 1) * 100);
		(void)fprintf(out, "%12.6g  %12.6g  %10s  %s\n", one->measured, one->reference, deviation,
			one->holds ? "holds" : "FAILS");
	}
}

static void keep_reading(
	json_t *to, const struct line *l, const struct res_run *r, const struct judge *j, const struct reading *one)
{
	const char *label = r ? res_text(r->run, "label") : "";
	const char *missing = !r ? "there is no run to judge" : !ended_well(r) ? "the run failed" : j->missing;
	if (!to)
		return;
	json_t *row = missing ? json_pack("{s:s}", "missing", missing)
			      : json_pack("{s:f, s:f}", "measured", one->measured, "reference", one->reference);
	(void)json_object_update_new(row, json_pack("{s:s, s:s, s:s, s:b}", "name", l->name, "text", l->text, "label",
						  label, "holds", (int)(!missing && one->holds)));
	(void)json_array_append_new(to, row);
}

static int label_width(const struct res_runs *runs)
{
	size_t width = 8;
	for (size_t i = 0; i < runs->n; i++)
		width = (size_t)pl_max64(width, strlen(res_text(runs->run[i].run, "label")));
	return (int)pl_min64(width, 90);
}

static bool skipped(const struct res_run *r)
{
	return r->end && strcmp(res_text(r->end, "status"), "skipped") == 0;
}

static void judge_line(const struct res_runs *runs, const struct pl_conf *known, const struct line *l, int width,
	FILE *out, struct claim_tally *tally, json_t *kept)
{
	size_t readings = 0, failed = 0;
	(void)fprintf(out, "  %s: %s\n", l->name, l->text);
	for (size_t i = 0; i < runs->n; i++) {
		const struct res_run *r = &runs->run[i];
		struct pl_fault f = {0};
		struct judge j = {.runs = runs, .run = r, .known = known, .at = l->text, .f = &f};
		struct reading one;
		if (!carries(r, l) || skipped(r))
			continue;
		claim(&j, &one);
		if (j.err) {
			(void)fprintf(out, "    %s  FAILS\n", f.text);
			readings++;
			failed++;
			break;
		}
		if (!one.applies)
			continue;
		readings++;
		failed += !one.holds || !ended_well(r);
		print_reading(out, r, &j, &one, width);
		keep_reading(kept, l, r, &j, &one);
	}
	if (!readings) {
		(void)fprintf(out, "    there is no run to judge  FAILS\n");
		keep_reading(kept, l, NULL, NULL, NULL);
	}
	tally->judged++;
	tally->failed += failed || !readings;
	tally->readings += readings;
	tally->failed_readings += failed;
}

void claims_report(const struct res_runs *runs, FILE *out, struct claim_tally *tally, json_t *readings)
{
	struct pl_conf known;
	struct line *lines;
	bool headed = false;
	size_t n = lines_of(runs, &lines);
	*tally = (struct claim_tally){0};
	lab_conf_init(&known);
	for (size_t i = 0; i < n; i++)
		if (!is_judged(lines[i].text)) {
			(void)fprintf(out, "expected, %s: %s\n", lines[i].name, lines[i].text);
			tally->stated++;
		}
	int width = label_width(runs);
	for (size_t i = 0; i < n; i++)
		if (is_judged(lines[i].text)) {
			if (!headed)
				(void)fprintf(out, "Claims%*s  %12s  %12s  %10s\n", width - 2, "", "measured",
					"reference", "deviation");
			headed = true;
			judge_line(runs, &known, &lines[i], width, out, tally, readings);
		}
	if (tally->failed)
		(void)fprintf(out, "%zu of %zu claims FAIL, in %zu of %zu readings\n", tally->failed, tally->judged,
			tally->failed_readings, tally->readings);
	else if (tally->judged)
		(void)fprintf(out, "all %zu claims hold, in %zu readings\n", tally->judged, tally->readings);
	pl_conf_free(&known);
	free(lines);
}
