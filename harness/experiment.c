/* experiment.c - experiment files (INI, read by libinih) and their expansion.
 *
 * A group is a list of keys, each with one or more values, in the order in which keys first appeared (defaults first).
 * Its runs are the cartesian product, the last key varying fastest. Legal runs are numbered from 0 through all groups,
 * also those that are unavailable here, so that a number means the same run on every machine.
 *
 * Invariants:
 *  1. The order of runs depends on the text of the file only.
 *  2. Every key and every value was accepted by pl_conf_set, or the error names file and line.
 *  3. No two runs of an experiment have the same run_id.
 *  4. Where a key has `*`, illegal combinations are left out and counted, not refused: nobody named them.
 * Leaves out: nested presets beyond 8 levels, several values of verbatim keys. */
#include "harness/experiment.h"

#include "harness/cover.h"
#include "harness/device_run.h"
#include "harness/expect.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "harness/util.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define USE_DEPTH_MAX 8
#define LINE_MAX_BYTES 4096

struct dim {
	char *key;
	char **value;
	size_t values;
	bool all; /* of the choices: `*` */
}; /* values canonical, at least one */
struct group {
	char *name;
	struct dim *dim;
	size_t dims;
	struct spec_word *expect;
	size_t expects;
	bool sample; /* of its runs only so many that every pair of values occurs */
};

struct parser {
	struct experiment *e;
	struct pl_conf known; /* to judge keys and values with */
	struct group *group; /* [0] is the defaults */
	size_t groups;
	struct pl_fault *f;
	int err;
};

struct source { /* one file being read */
	struct parser *p;
	FILE *in;
	const char *path;
	size_t at; /* group that keys go to */
	int line; /* number of the line last read */
	int depth; /* of use */
	bool continues; /* the line last read begins with white space */
	char *key, *value; /* the key read last, kept until the next so that lines can continue it */
	int key_line;
	bool preset;
};

static int fail(struct source *s, int line, const char *fmt, ...) PL_PRINTF(3, 4);
static int fail(struct source *s, int line, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!s->p->err)
		s->p->err = pl_fault_set(s->p->f, PL_INVALID, "%s:%d: %s", s->path, line, text);
	return s->p->err;
}

static bool is_hint(const char *key)
{
	return strcmp(key, "title") == 0 || strcmp(key, "x") == 0 || strcmp(key, "y") == 0 ||
	       strncmp(key, "plot.", 5) == 0;
}

static struct dim *dim_of(struct group *g, const char *key)
{
	for (size_t i = 0; i < g->dims; i++)
		if (strcmp(g->dim[i].key, key) == 0)
			return &g->dim[i];
	g->dim = lab_realloc(g->dim, (g->dims + 1) * sizeof *g->dim);
	g->dim[g->dims] = (struct dim){.key = lab_strdup(key)};
	return &g->dim[g->dims++];
}

static void dim_clear(struct dim *d)
{
	for (size_t i = 0; i < d->values; i++)
		free(d->value[i]);
	free(d->value);
	d->value = NULL;
	d->values = 0;
	d->all = false;
}

static void dim_add(struct dim *d, const char *value)
{
	d->value = lab_realloc(d->value, (d->values + 1) * sizeof *d->value);
	d->value[d->values++] = lab_strdup(value);
}

static void group_free(struct group *g)
{
	for (size_t i = 0; i < g->dims; i++) {
		dim_clear(&g->dim[i]);
		free(g->dim[i].key);
	}
	free(g->dim);
	spec_words_free(g->expect, g->expects);
	free(g->name);
}

static size_t group_begin(struct source *s, const char *name)
{
	struct parser *p = s->p;
	if (strcmp(name, "defaults") == 0) {
		if (p->groups > 1)
			(void)fail(s, s->line, "[defaults] must come before the groups");
		return 0;
	}
	for (size_t i = 1; i < p->groups; i++)
		if (strcmp(p->group[i].name, name) == 0)
			(void)fail(s, s->line, "there is a group [%s] already", name);
	p->group = lab_realloc(p->group, (p->groups + 1) * sizeof *p->group);
	struct group *g = &p->group[p->groups];
	*g = (struct group){.name = lab_strdup(name), .sample = p->group[0].sample};
	for (size_t i = 0; i < p->group[0].dims; i++) {
		struct dim *d = dim_of(g, p->group[0].dim[i].key);
		d->all = p->group[0].dim[i].all;
		for (size_t v = 0; v < p->group[0].dim[i].values; v++)
			dim_add(d, p->group[0].dim[i].value[v]);
	}
	for (size_t i = 0; i < p->group[0].expects; i++)
		spec_word_add(&g->expect, &g->expects, p->group[0].expect[i].key, p->group[0].expect[i].value);
	return p->groups++;
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]);)
		s[--n] = 0;
	return s;
}

static int check_profile(const char *name, struct pl_fault *f)
{
	struct profile p;
	int err = profile_load(name, &p, f);
	if (!err)
		profile_free(&p);
	return err;
}

/* One value of the sweep: check it, and keep its canonical text. */
static int add_value(struct source *s, struct dim *d, const char *value)
{
	struct pl_fault f = {0};
	char canonical[4096];
	if (!*value)
		return fail(s, s->key_line, "%s: a value is missing", d->key);
	if (strncmp(d->key, "device.", 7) == 0 && device_run_check_value(d->key + 7, value, &f))
		return fail(s, s->key_line, "device.%s", f.text);
	if (pl_conf_set(&s->p->known, d->key, value, &f))
		return fail(s, s->key_line, "%s", f.text);
	if (strcmp(d->key, "profile") == 0 && check_profile(value, &f))
		return fail(s, s->key_line, "%s", f.text);
	lab_copy(canonical, sizeof canonical, pl_conf_str(&s->p->known, d->key));
	for (size_t i = 0; i < d->values; i++)
		if (strcmp(d->value[i], canonical) == 0)
			return fail(s, s->key_line, "%s: the value %s occurs twice", d->key, value);
	dim_add(d, canonical);
	return PL_OK;
}

/* `*`: all choices there are, so that a new one joins by itself. */
static int add_all(struct source *s, struct dim *d)
{
	const struct pl_opt *o = lab_find_option(&s->p->known, d->key, NULL);
	if (!o->choices)
		return fail(
			s, s->key_line, "%s: '*' stands for all choices, and this key has none to choose from", d->key);
	for (size_t i = 0; o->choices[i] && !s->p->err; i++)
		(void)add_value(s, d, o->choices[i]);
	d->all = true;
	return s->p->err;
}

/* `!name`: without this one. */
static int take_away(struct source *s, struct dim *d, const char *value)
{
	for (size_t i = 0; i < d->values; i++) {
		if (strcmp(d->value[i], value) != 0)
			continue;
		free(d->value[i]);
		memmove(&d->value[i], &d->value[i + 1], (--d->values - i) * sizeof *d->value);
		return PL_OK;
	}
	return fail(s, s->key_line, "%s: '!%s' takes away what is not in the list before it", d->key, value);
}

static int add_part(struct source *s, struct dim *d, char *part)
{
	return strcmp(part, "*") == 0 ? add_all(s, d)
	       : *part == '!'         ? take_away(s, d, trim(part + 1))
				      : add_value(s, d, part);
}

/* `1..5`: all numbers from 1 to 5. */
static int add_range(struct source *s, struct dim *d, char *value)
{
	char *dots = strstr(value, ".."), *end1, *end2;
	if (!dots)
		return add_value(s, d, value);
	unsigned long long from = strtoull(value, &end1, 10), to = strtoull(dots + 2, &end2, 10);
	if (end1 != dots || *end2 || end2 == dots + 2 || from > to || to - from > 9999)
		return fail(s, s->key_line, "seeds: '%s' is not a range such as 1..5", value);
	for (unsigned long long n = from; n <= to && !s->p->err; n++) {
		char text[32];
		(void)snprintf(text, sizeof text, "%llu", n);
		(void)add_value(s, d, text);
	}
	return s->p->err;
}

static int read_source(struct source *s);

static int use(struct source *s, const char *name)
{
	char *relative = lab_printf("harness/presets/%s.ini", name), *path = lab_find_file(relative);
	FILE *in = path ? fopen(path, "re") : NULL;
	int err = PL_OK;
	if (s->depth >= USE_DEPTH_MAX)
		err = fail(s, s->key_line, "use = %s: presets use each other more than %d deep", name, USE_DEPTH_MAX);
	else if (!in)
		err = fail(s, s->key_line, "there is no preset %s (%s)", name, relative);
	else {
		struct source sub = {
			.p = s->p, .in = in, .path = path, .at = s->at, .depth = s->depth + 1, .preset = true};
		err = read_source(&sub);
	}
	if (in)
		(void)fclose(in);
	free(path);
	free(relative);
	return err;
}

static int set_key(struct source *s, const char *key, char *value)
{
	struct group *g = &s->p->group[s->at];
	const char *real = strcmp(key, "seeds") == 0 ? "seed" : key;
	struct pl_fault f = {0};
	if (!lab_find_option(&s->p->known, real, NULL)) {
		static const char *const own[] = {"seeds", "use", "sample", "title", "x", "y"};
		if (pl_conf_set(&s->p->known, real, "", &f) && !strstr(f.text, "did you mean") &&
			pl_nearest(real, own, PL_COUNT(own)))
			return fail(s, s->key_line, "unknown key '%s'; did you mean '%s'?", real,
				pl_nearest(real, own, PL_COUNT(own)));
		return fail(s, s->key_line, "%s", f.text);
	}
	struct dim *d = dim_of(g, real);
	dim_clear(d);
	for (char *save = NULL, *part = value; !s->p->err && part; part = save) {
		save = strchr(part, ',');
		if (save)
			*save++ = 0;
		(void)(real != key ? add_range(s, d, trim(part)) : add_part(s, d, trim(part)));
	}
	if (!s->p->err && !d->values)
		(void)fail(s, s->key_line, "%s: no value is left", d->key);
	return s->p->err;
}

/* The key read last is complete: act on it. */
static int flush_key(struct source *s)
{
	struct parser *p = s->p;
	if (!s->key)
		return p->err;
	char *key = s->key, *value = s->value;
	struct pl_fault f = {0};
	s->key = s->value = NULL;
	if (p->err)
		;
	else if (is_hint(key))
		spec_word_add(&p->e->hint, &p->e->hints, key, value);
	else if (strncmp(key, "expect.", 7) == 0 && claim_check(value, &p->known, NULL, &f))
		(void)fail(s, s->key_line, "%s: %s", key, f.text);
	else if (strncmp(key, "expect.", 7) == 0)
		spec_word_add(&p->group[s->at].expect, &p->group[s->at].expects, key + 7, value);
	else if (strcmp(key, "use") == 0)
		(void)use(s, value);
	else if (strcmp(key, "sample") == 0 && strcmp(value, "pairs") != 0)
		(void)fail(s, s->key_line, "sample: 'pairs' is the only way to draw one, not '%s'", value);
	else if (strcmp(key, "sample") == 0)
		p->group[s->at].sample = true;
	else
		(void)set_key(s, key, value);
	free(key);
	free(value);
	return p->err;
}

/* libinih calls this for lines with a key; continuation lines come under the key before. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct source *s = user;
	(void)section;
	if (s->continues && s->key && strcmp(s->key, name) == 0) {
		char *longer = lab_printf("%s %s", s->value, value);
		free(s->value);
		s->value = longer;
		return 1;
	}
	(void)flush_key(s);
	s->key = lab_strdup(name);
	s->value = lab_strdup(value);
	s->key_line = s->line;
	return 1;
}

/* fgets for libinih that counts lines and sees section headings, which libinih reports only with their first key. */
static char *next_line(char *buf, int cap, void *stream)
{
	struct source *s = stream;
	char line[LINE_MAX_BYTES];
	if (s->p->err || !fgets(line, sizeof line, s->in)) {
		(void)flush_key(s);
		return NULL;
	}
	s->line++;
	if (strlen(line) >= (size_t)cap - 2) {
		(void)fail(s, s->line, "the line is longer than %d bytes; continue it on an indented line", cap - 3);
		return NULL;
	}
	s->continues = isspace((unsigned char)line[0]);
	char *end = line[0] == '[' ? strchr(line, ']') : NULL;
	if (end) {
		(void)flush_key(s);
		*end = 0;
		if (s->preset)
			(void)fail(s, s->line, "a preset has keys only, no [%s]", line + 1);
		else
			s->at = group_begin(s, line + 1);
		*end = ']';
	}
	memcpy(buf, line, strlen(line) + 1);
	return s->p->err ? NULL : buf;
}

static int read_source(struct source *s)
{
	int line = ini_parse_stream(next_line, s, on_key, s);
	(void)flush_key(s);
	if (!s->p->err && line > 0)
		return fail(s, line, "neither `key = value`, nor [group], nor a comment");
	return s->p->err;
}

static char *label_of(const struct spec *s, const char *group)
{
	struct lab_text t = {0};
	lab_text_addf(&t, "%s", group);
	for (size_t i = 0; i < s->sweeps; i++)
		lab_text_addf(&t, "%s%s=%s", t.n ? " " : "", s->sweep[i].key, s->sweep[i].value);
	if (!t.n)
		lab_text_add(&t, "single");
	return t.s;
}

static bool known_run(const struct spec *list, size_t n, const char *run_id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].run_id, run_id) == 0)
			return true;
	return false;
}

static void name_run(const struct experiment *e, const struct group *g, const size_t *at, struct spec *s)
{
	for (size_t i = 0; i < g->dims; i++)
		if (g->dim[i].values > 1)
			spec_word_add(&s->sweep, &s->sweeps, g->dim[i].key, g->dim[i].value[at[i]]);
	for (size_t i = 0; i < g->expects; i++)
		spec_word_add(&s->expect, &s->expects, g->expect[i].key, g->expect[i].value);
	free(s->experiment);
	free(s->group);
	free(s->label);
	s->experiment = lab_strdup(e->name);
	s->group = lab_strdup(g->name);
	s->label = label_of(s, g->name);
	s->index = e->runs;
}

static bool takes_what_is_legal(const struct group *g)
{
	for (size_t i = 0; i < g->dims; i++)
		if (g->dim[i].all)
			return true;
	return false;
}

static int add_run(struct parser *p, const struct group *g, const size_t *at)
{
	struct experiment *e = p->e;
	struct pl_conf conf;
	struct pl_fault f = {0};
	struct spec s;
	lab_conf_init(&conf);
	for (size_t i = 0; i < g->dims; i++)
		if (pl_conf_set(&conf, g->dim[i].key, g->dim[i].value[at[i]], &f))
			abort(); /* every value was accepted before */
	int err = profile_apply_named(&conf, &f);
	if (!err && spec_settle(&conf, &f)) {
		pl_conf_free(&conf);
		return pl_fault_set(p->f, PL_INVALID, "%s: %s", e->path, f.text);
	}
	spec_init(&s, &conf);
	if (err) { /* read well when the file was parsed; it must have changed since */
		s.skip_err = PL_INVALID;
		lab_copy(s.skip, sizeof s.skip, f.text);
	}
	pl_conf_free(&conf);
	if (!err && s.skip_err == PL_INVALID && takes_what_is_legal(g)) {
		e->left_out++;
		spec_free(&s);
		return PL_OK;
	}
	if (known_run(e->run, e->runs, s.run_id) || known_run(e->refused, e->refusals, s.run_id)) {
		e->duplicates++;
		spec_free(&s);
		return PL_OK;
	}
	name_run(e, g, at, &s);
	struct spec **list = s.skip_err == PL_INVALID ? &e->refused : &e->run;
	size_t *n = s.skip_err == PL_INVALID ? &e->refusals : &e->runs;
	*list = lab_realloc(*list, (*n + 1) * sizeof **list);
	(*list)[(*n)++] = s;
	return PL_OK;
}

/* Which value of a dimension with several a run has. */
static uint8_t value_number(const struct dim *d, const struct spec *s)
{
	size_t i = 0;
	for (size_t k = 0; k < s->sweeps; k++)
		if (strcmp(s->sweep[k].key, d->key) == 0)
			while (i < d->values && strcmp(s->sweep[k].value, d->value[i]) != 0)
				i++;
	return (uint8_t)i;
}

/* Of the runs from `first` on, keep so many that every pair of values that occurs in them still does. */
static int keep_sample(struct parser *p, const struct group *g, size_t first)
{
	struct experiment *e = p->e;
	size_t n = e->runs - first, columns = 0, kept = first;
	const struct dim *column[COVER_COLUMNS];
	for (size_t i = 0; i < g->dims; i++) {
		if (g->dim[i].values < 2)
			continue;
		if (columns == COVER_COLUMNS || g->dim[i].values > COVER_VALUES)
			return pl_fault_set(p->f, PL_INVALID,
				"%s: group %s: sample = pairs wants at most %u keys with several values, and %u values "
				"of each",
				e->path, g->name, COVER_COLUMNS, COVER_VALUES);
		column[columns++] = &g->dim[i];
	}
	if (columns < 2)
		return PL_OK;
	uint8_t *row = lab_calloc(n * columns + 1, 1);
	bool *chosen = lab_calloc(n + 1, sizeof *chosen);
	for (size_t i = 0; i < n; i++)
		for (size_t c = 0; c < columns; c++)
			row[i * columns + c] = value_number(column[c], &e->run[first + i]);
	(void)cover_pairs(row, n, columns, 1, chosen);
	for (size_t i = 0; i < n; i++)
		if (chosen[i]) {
			e->run[first + i].index = kept;
			e->run[kept++] = e->run[first + i];
		} else {
			spec_free(&e->run[first + i]);
		}
	e->unsampled += e->runs - kept;
	e->runs = kept;
	free(row);
	free(chosen);
	return PL_OK;
}

static int expand_group(struct parser *p, const struct group *g)
{
	size_t first = p->e->runs;
	size_t *at = lab_calloc(g->dims + 1, sizeof *at);
	uint64_t product = 1;
	for (size_t i = 0; i < g->dims && product <= 100000; i++)
		product *= g->dim[i].values;
	if (product > 100000) {
		free(at);
		return pl_fault_set(p->f, PL_INVALID, "%s: group %s has more than 100000 runs", p->e->path, g->name);
	}
	int err = PL_OK;
	for (bool more = true; more;) {
		err = add_run(p, g, at);
		more = false;
		for (size_t i = g->dims; i-- > 0 && !more && !err;)
			if (++at[i] < g->dim[i].values)
				more = true;
			else
				at[i] = 0;
	}
	free(at);
	return !err && g->sample ? keep_sample(p, g, first) : err;
}

int experiment_read(FILE *in, const char *name, const char *path, struct experiment *out, struct pl_fault *f)
{
	struct parser p = {.e = out, .f = f, .groups = 1, .group = lab_calloc(1, sizeof(struct group))};
	struct source s = {.p = &p, .in = in, .path = path};
	*out = (struct experiment){.name = lab_strdup(name), .path = lab_strdup(path)};
	p.group[0].name = lab_strdup("");
	lab_conf_init(&p.known);
	int err = read_source(&s);
	size_t keys = 0;
	for (size_t i = 0; i < p.groups; i++)
		keys += p.group[i].dims;
	if (!err && !keys)
		err = pl_fault_set(f, PL_INVALID, "%s sets no key: there is nothing to run", path);
	if (!err && p.groups == 1)
		err = expand_group(&p, &p.group[0]);
	for (size_t i = 1; !err && i < p.groups; i++)
		err = expand_group(&p, &p.group[i]);
	for (size_t i = 0; i < p.groups; i++)
		group_free(&p.group[i]);
	free(p.group);
	pl_conf_free(&p.known);
	if (err)
		experiment_free(out);
	return err;
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = lab_strdup(slash ? slash + 1 : path);
	size_t n = strlen(name);
	if (n > 4 && strcmp(name + n - 4, ".ini") == 0)
		name[n - 4] = 0;
	return name;
}

int experiment_load(const char *name_or_path, struct experiment *out, struct pl_fault *f)
{
	char *path = lab_exists(name_or_path) && !lab_is_dir(name_or_path) ? lab_strdup(name_or_path) : NULL;
	if (!path) {
		char *relative = lab_printf("harness/exp/%s.ini", name_or_path);
		path = lab_find_file(relative);
		free(relative);
	}
	FILE *in = path ? fopen(path, "re") : NULL;
	int err;
	if (!in)
		err = pl_fault_set(f, PL_INVALID,
			"there is no experiment %s: name an .ini file, or one of harness/exp without its ending",
			name_or_path);
	else {
		char *name = name_of(path);
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			err = pl_fault_set(f, PL_INVALID, "%s: the name of an experiment cannot be '%s'", path, name);
		else
			err = experiment_read(in, name, path, out, f);
		free(name);
		(void)fclose(in);
	}
	free(path);
	return err;
}

void experiment_free(struct experiment *e)
{
	for (size_t i = 0; i < e->runs; i++)
		spec_free(&e->run[i]);
	free(e->run);
	for (size_t i = 0; i < e->refusals; i++)
		spec_free(&e->refused[i]);
	free(e->refused);
	spec_words_free(e->hint, e->hints);
	free(e->name);
	free(e->path);
	*e = (struct experiment){0};
}
