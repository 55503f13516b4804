/* profile.c - see profile.h.
 *
 * Invariants:
 *  1. A loaded profile has only keys that exist, each once, with values that their options accept, in canonical form.
 *  2. Applying changes no key that was set before, and applying twice is applying once.
 * Leaves out: continuation lines, several values of a key, profiles that use others. */
#include "harness/profile.h"

#include "harness/options.h"
#include "harness/util.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define DIRECTORY "harness/devices"

struct reader {
	struct profile *p;
	struct pl_conf known; /* judges keys and values */
	char *comment; /* of the comment lines right above; NULL: none */
	int line;
	bool in_section, section_seen;
	struct pl_fault *f;
};

static int fail(struct reader *r, const char *fmt, ...) PL_PRINTF(2, 3);
static int fail(struct reader *r, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return pl_fault_set(r->f, PL_INVALID, "%s:%d: %s", r->p->path, r->line, text);
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	for (size_t n = strlen(s); n && isspace((unsigned char)s[n - 1]);)
		s[--n] = 0;
	return s;
}

/* Cut the comment off a value: # or ; at its beginning or behind white space. */
static char *cut_comment(char *value)
{
	for (char *c = value; *c; c++)
		if ((*c == '#' || *c == ';') && (c == value || isspace((unsigned char)c[-1]))) {
			*c = 0;
			return trim(c + 1);
		}
	return value + strlen(value);
}

static void keep_comment(struct reader *r, const char *text)
{
	char *longer = r->comment ? lab_printf("%s %s", r->comment, text) : lab_strdup(text);
	free(r->comment);
	r->comment = longer;
}

static int take_key(struct reader *r, const char *key, const char *value, const char *source)
{
	struct profile *p = r->p;
	struct pl_fault f = {0};
	if (strcmp(key, "summary") == 0) {
		if (p->summary)
			return fail(r, "summary is given twice");
		p->summary = lab_strdup(value);
		return PL_OK;
	}
	if (strcmp(key, "profile") == 0 || strcmp(key, "seed") == 0 || lab_is_location(key))
		return fail(r, "%s is no property of a device", key);
	for (size_t i = 0; i < p->items; i++)
		if (strcmp(p->item[i].key, key) == 0)
			return fail(r, "%s is given twice, first on line %d", key, p->item[i].line);
	if (!*value && lab_find_option(&r->known, key, NULL))
		return fail(r, "%s: a value is missing", key);
	if (pl_conf_set(&r->known, key, value, &f))
		return fail(r, "%s", f.text);
	p->item = lab_realloc(p->item, (p->items + 1) * sizeof *p->item);
	p->item[p->items++] = (struct profile_item){.key = lab_strdup(key),
		.value = lab_strdup(pl_conf_str(&r->known, key)),
		.source = lab_strdup(*source      ? source
				     : r->comment ? r->comment
						  : ""),
		.line = r->line};
	return PL_OK;
}

static int take_section(struct reader *r, char *text)
{
	char *end = strchr(text, ']');
	if (!end || *trim(end + 1))
		return fail(r, "'%s' is no section heading", text);
	*end = 0;
	if (strcmp(text + 1, "profile") != 0)
		return fail(r, "a profile has one section, [profile], not [%s]", text + 1);
	if (r->section_seen)
		return fail(r, "[profile] is given twice");
	r->section_seen = r->in_section = true;
	return PL_OK;
}

static int take_line(struct reader *r, char *text)
{
	char *line = trim(text), *eq = strchr(line, '=');
	int err = PL_OK;
	if (*line == '#' || *line == ';') {
		keep_comment(r, trim(line + 1));
		return PL_OK;
	}
	if (*line == '[')
		err = take_section(r, line);
	else if (*line && !eq)
		err = fail(r, "'%.60s' is neither key = value, nor [profile], nor a comment", line);
	else if (*line && !r->in_section)
		err = fail(r, "[profile] must come before the first key");
	else if (*line) {
		*eq = 0;
		const char *source = cut_comment(eq + 1);
		err = take_key(r, trim(line), trim(eq + 1), source);
	}
	free(r->comment);
	r->comment = NULL;
	return err;
}

static int read_lines(struct reader *r, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int err = PL_OK;
	while (!err && (n = getline(&line, &cap, in)) >= 0) {
		r->line++;
		err = memchr(line, 0, (size_t)n) ? fail(r, "the line holds a zero byte: this is no text")
						 : take_line(r, line);
	}
	free(line);
	if (!err && ferror(in))
		err = pl_fault_set(r->f, PL_INVALID, "cannot read %s: %s", r->p->path, strerror(errno));
	if (!err && !r->p->items)
		err = pl_fault_set(r->f, PL_INVALID, "%s sets no key: a profile begins with [profile]", r->p->path);
	if (!err && !pl_conf_is_set(&r->known, "device"))
		err = pl_fault_set(
			r->f, PL_INVALID, "%s does not say which device it is of (device = ...)", r->p->path);
	return err;
}

static bool is_path(const char *name)
{
	size_t n = strlen(name);
	return strchr(name, '/') || (n > 4 && strcmp(name + n - 4, ".ini") == 0);
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

static int not_there(const char *name, struct pl_fault *f)
{
	char **path, near[200] = "";
	size_t n = profile_paths(&path);
	const char **known = lab_calloc(n + 1, sizeof *known);
	for (size_t i = 0; i < n; i++) {
		char *own = name_of(path[i]);
		free(path[i]);
		known[i] = path[i] = own;
	}
	const char *nearest = pl_nearest(name, known, n);
	if (nearest)
		(void)snprintf(near, sizeof near, "did you mean '%.100s'? ", nearest);
	for (size_t i = 0; i < n; i++)
		free(path[i]);
	free(path);
	free(known);
	return pl_fault_set(f, PL_INVALID,
		"there is no profile '%.100s'; %s`pagelab list --profiles` tells all, a path ends in .ini", name, near);
}

int profile_load(const char *name_or_path, struct profile *out, struct pl_fault *f)
{
	char *relative = lab_printf(DIRECTORY "/%s.ini", name_or_path);
	char *path = is_path(name_or_path) ? lab_strdup(name_or_path) : lab_find_file(relative);
	FILE *in = path && !lab_is_dir(path) ? fopen(path, "re") : NULL;
	int err;
	*out = (struct profile){0};
	if (!in && path && is_path(name_or_path)) {
		err = pl_fault_set(f, PL_INVALID, "cannot read the profile %s: %s", path,
			lab_is_dir(path) ? "it is a directory" : strerror(errno));
	} else if (!in) {
		err = not_there(name_or_path, f);
	} else {
		struct reader r = {.p = out, .f = f};
		*out = (struct profile){.name = name_of(path), .path = lab_strdup(path)};
		lab_conf_init(&r.known);
		err = read_lines(&r, in);
		if (!err && !out->summary)
			out->summary = lab_strdup("");
		pl_conf_free(&r.known);
		free(r.comment);
		(void)fclose(in);
	}
	free(relative);
	free(path);
	if (err)
		profile_free(out);
	return err;
}

void profile_free(struct profile *p)
{
	for (size_t i = 0; i < p->items; i++) {
		free(p->item[i].key);
		free(p->item[i].value);
		free(p->item[i].source);
	}
	free(p->item);
	free(p->name);
	free(p->path);
	free(p->summary);
	*p = (struct profile){0};
}

int profile_apply(const struct profile *p, struct pl_conf *c, struct pl_fault *f)
{
	int err = PL_OK;
	for (size_t i = 0; !err && i < p->items; i++)
		if (!pl_conf_is_set(c, p->item[i].key))
			err = pl_conf_set(c, p->item[i].key, p->item[i].value, f);
	return err;
}

int profile_apply_named(struct pl_conf *c, struct pl_fault *f)
{
	struct profile p;
	const char *name = pl_conf_str(c, "profile");
	if (!*name)
		return PL_OK;
	int err = profile_load(name, &p, f);
	if (err)
		return err;
	for (size_t i = 0; !err && i < p.items; i++)
		if (strcmp(p.item[i].key, "device") == 0 && pl_conf_is_set(c, "device") &&
			strcmp(p.item[i].value, pl_conf_str(c, "device")) != 0)
			err = pl_fault_set(f, PL_INVALID,
				"profile %.100s is of device %s, not of %s: leave device out, or take another profile",
				name, p.item[i].value, pl_conf_str(c, "device"));
	if (!err)
		err = profile_apply(&p, c, f);
	profile_free(&p);
	return err;
}

bool profile_set_besides(const struct pl_conf *c, const char *key)
{
	struct profile p;
	const char *name = pl_conf_str(c, "profile");
	bool besides = pl_conf_is_set(c, key);
	if (!besides || !*name || profile_load(name, &p, NULL))
		return besides;
	for (size_t i = 0; i < p.items; i++)
		if (strcmp(p.item[i].key, key) == 0 && strcmp(p.item[i].value, pl_conf_str(c, key)) == 0)
			besides = false;
	profile_free(&p);
	return besides;
}

const struct profile_item *profile_unsourced(const struct profile *p)
{
	for (size_t i = 0; i < p->items; i++)
		if (strpbrk(p->item[i].value, "0123456789") && !*p->item[i].source)
			return &p->item[i];
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t profile_paths(char ***out)
{
	char *directory = lab_find_file(DIRECTORY);
	DIR *d = directory ? opendir(directory) : NULL;
	struct dirent *e;
	size_t n = 0;
	*out = NULL;
	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		if (*e->d_name == '.' || len < 5 || strcmp(e->d_name + len - 4, ".ini") != 0)
			continue;
		*out = lab_realloc(*out, (n + 1) * sizeof **out);
		(*out)[n++] = lab_printf("%s/%s", directory, e->d_name);
	}
	if (d)
		(void)closedir(d);
	free(directory);
	if (n)
		qsort(*out, n, sizeof **out, by_text);
	return n;
}
