#include "engine/base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_MAX 128

static void *must(void *p)
{
	if (!p) {
		fputs("pagelab: out of memory\n", stderr);
		abort();
	}
	return p;
}

static unsigned distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned row[KEY_MAX + 1];
	if (na > KEY_MAX || nb > KEY_MAX)
		return 1000;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *pl_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	unsigned least = (unsigned)(strlen(word) / 2 + 2);
	for (size_t i = 0; i < n; i++) {
		unsigned d = distance(word, names[i]);
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

void pl_conf_init(struct pl_conf *c)
{
	memset(c, 0, sizeof *c);
}

void pl_conf_free(struct pl_conf *c)
{
	for (size_t i = 0; i < c->nitems; i++)
		free(c->items[i].value);
	free(c->items);
	memset(c, 0, sizeof *c);
}

void pl_conf_declare(struct pl_conf *c, const char *prefix, const struct pl_opt *opts)
{
	if (!opts)
		return;
	assert(c->nsets < PL_CONF_SETS_MAX);
	c->sets[c->nsets++] = (struct pl_opt_set){prefix, opts};
}

void pl_conf_copy(struct pl_conf *to, const struct pl_conf *from)
{
	*to = *from;
	to->items = from->nitems ? must(calloc(from->nitems, sizeof *to->items)) : NULL;
	for (size_t i = 0; i < from->nitems; i++) {
		to->items[i] = from->items[i];
		to->items[i].set = &to->sets[from->items[i].set - from->sets];
		to->items[i].value = must(strdup(from->items[i].value));
	}
}

static void full_name(char *out, const struct pl_opt_set *s, const struct pl_opt *o)
{
	(void)snprintf(out, KEY_MAX, "%s%s%s", s->prefix, *s->prefix ? "." : "", o->name);
}

static const struct pl_opt *find(const struct pl_conf *c, const char *key, const struct pl_opt_set **set)
{
	for (size_t i = 0; i < c->nsets; i++) {
		const char *rest = key;
		size_t np = strlen(c->sets[i].prefix);
		if (np) {
			if (strncmp(key, c->sets[i].prefix, np) != 0 || key[np] != '.')
				continue;
			rest = key + np + 1;
		}
		for (const struct pl_opt *o = c->sets[i].opts; o->name; o++)
			if (strcmp(o->name, rest) == 0) {
				*set = &c->sets[i];
				return o;
			}
	}
	return NULL;
}

static int unknown_key(const struct pl_conf *c, const char *key, struct pl_fault *f)
{
	size_t n = 0;
	for (size_t i = 0; i < c->nsets; i++)
		for (const struct pl_opt *o = c->sets[i].opts; o->name; o++)
			n++;
	char(*text)[KEY_MAX] = must(calloc(n + 1, sizeof *text));
	const char **names = must(calloc(n + 1, sizeof *names));
	n = 0;
	for (size_t i = 0; i < c->nsets; i++)
		for (const struct pl_opt *o = c->sets[i].opts; o->name; o++, n++) {
			full_name(text[n], &c->sets[i], o);
			names[n] = text[n];
		}
	const char *near = pl_nearest(key, names, n);
	int err = near ? pl_fault_set(f, PL_INVALID, "unknown key '%s'; did you mean '%s'?", key, near)
		       : pl_fault_set(f, PL_INVALID, "unknown key '%s'; `pagelab list --options` shows all keys", key);
	free(names);
	free(text);
	return err;
}

struct suffix {
	const char *text;
	uint64_t factor;
};

static const struct suffix no_suffix[] = {{"", 1}, {NULL, 0}};
static const struct suffix byte_suffix[] = {{"", 1}, {"k", 1u << 10}, {"m", 1u << 20}, {"g", 1u << 30},
	{"t", (uint64_t)1 << 40}, {"kib", 1u << 10}, {"mib", 1u << 20}, {"gib", 1u << 30}, {NULL, 0}};
static const struct suffix time_suffix[] = {
	{"", 1}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};

static int parse_number(const struct pl_opt *o, const char *key, const char *value, uint64_t *out, struct pl_fault *f)
{
	const struct suffix *s = o->type == PL_OPT_BYTES ? byte_suffix : o->type == PL_OPT_NS ? time_suffix : no_suffix;
	const char *want = o->type == PL_OPT_BYTES ? "a size such as 4096, 8k, 64M"
			   : o->type == PL_OPT_NS  ? "a time such as 500ns, 20us, 5ms"
						   : "a whole number";
	char *end;
	errno = 0;
	if (!isdigit((unsigned char)value[0]))
		return pl_fault_set(f, PL_INVALID, "%s: '%s' is not %s", key, value, want);
	unsigned long long v = strtoull(value, &end, 10);
	if (errno)
		return pl_fault_set(f, PL_INVALID, "%s: '%s' is out of range", key, value);
	for (; s->text; s++)
		if (strcasecmp(end, s->text) == 0)
			break;
	if (!s->text)
		return pl_fault_set(f, PL_INVALID, "%s: '%s' is not %s", key, value, want);
	if (v > UINT64_MAX / s->factor)
		return pl_fault_set(f, PL_INVALID, "%s: '%s' is out of range", key, value);
	*out = v * s->factor;
	if ((o->min || o->max) && (*out < o->min || *out > o->max))
		return pl_fault_set(
			f, PL_INVALID, "%s: %s is outside %" PRIu64 "..%" PRIu64, key, value, o->min, o->max);
	return PL_OK;
}

static int parse_bool(const char *key, const char *value, bool *out, struct pl_fault *f)
{
	static const char *const yes[] = {"1", "yes", "true", "on"}, *const no[] = {"0", "no", "false", "off"};
	for (size_t i = 0; i < PL_COUNT(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return *out = true, PL_OK;
		if (strcasecmp(value, no[i]) == 0)
			return *out = false, PL_OK;
	}
	return pl_fault_set(f, PL_INVALID, "%s: '%s' is not 0 or 1", key, value);
}

static int parse_enum(const struct pl_opt *o, const char *key, const char *value, struct pl_fault *f)
{
	char all[200] = "";
	size_t n = 0;
	for (; o->choices[n]; n++) {
		if (strcmp(o->choices[n], value) == 0)
			return PL_OK;
		size_t used = strlen(all);
		(void)snprintf(all + used, sizeof all - used, "%s%s", n ? ", " : "", o->choices[n]);
	}
	const char *near = pl_nearest(value, o->choices, n);
	if (near)
		return pl_fault_set(f, PL_INVALID, "%s: unknown value '%s'; did you mean '%s'? (choices: %s)", key,
			value, near, all);
	return pl_fault_set(f, PL_INVALID, "%s: unknown value '%s' (choices: %s)", key, value, all);
}

int pl_opt_canonical(
	const struct pl_opt *o, const char *key, const char *value, char *out, size_t cap, struct pl_fault *f)
{
	uint64_t v = 0;
	bool b = false;
	int err = PL_OK;
	switch (o->type) {
	case PL_OPT_U64:
	case PL_OPT_BYTES:
	case PL_OPT_NS:
		err = parse_number(o, key, value, &v, f);
		if (!err)
			(void)snprintf(out, cap, "%" PRIu64, v);
		return err;
	case PL_OPT_BOOL:
		err = parse_bool(key, value, &b, f);
		if (!err)
			(void)snprintf(out, cap, "%d", b);
		return err;
	case PL_OPT_ENUM:
		err = parse_enum(o, key, value, f);
		break;
	case PL_OPT_REAL: {
		char *end;
		double d = strtod(value, &end);
		if (end == value || *end || !(d == d))
			return pl_fault_set(f, PL_INVALID, "%s: '%s' is not a number", key, value);
		if ((o->min || o->max) && (d * 1000 < (double)o->min || d * 1000 > (double)o->max))
			return pl_fault_set(f, PL_INVALID, "%s: %s is outside %g..%g", key, value,
				(double)o->min / 1000, (double)o->max / 1000);
		(void)snprintf(out, cap, "%.15g", d);
		return PL_OK;
	}
	case PL_OPT_STR:
		break;
	}
	if (!err && strlen(value) >= cap)
		return pl_fault_set(f, PL_INVALID, "%s: value is longer than %zu bytes", key, cap - 1);
	if (!err)
		memcpy(out, value, strlen(value) + 1);
	return err;
}

int pl_conf_set(struct pl_conf *c, const char *key, const char *value, struct pl_fault *f)
{
	const struct pl_opt_set *set = NULL;
	const struct pl_opt *o = find(c, key, &set);
	char canonical[4096];
	if (!o)
		return unknown_key(c, key, f);
	int err = pl_opt_canonical(o, key, value, canonical, sizeof canonical, f);
	if (err)
		return err;
	for (size_t i = 0; i < c->nitems; i++)
		if (c->items[i].opt == o && c->items[i].set == set) {
			free(c->items[i].value);
			c->items[i].value = must(strdup(canonical));
			return PL_OK;
		}
	c->items = must(realloc(c->items, (c->nitems + 1) * sizeof *c->items));
	c->items[c->nitems].set = set;
	c->items[c->nitems].opt = o;
	c->items[c->nitems++].value = must(strdup(canonical));
	return PL_OK;
}

static const char *lookup(const struct pl_conf *c, const char *key, const struct pl_opt **opt, bool *is_set)
{
	const struct pl_opt_set *set = NULL;
	const struct pl_opt *o = find(c, key, &set);
	if (!o) {
		(void)fprintf(stderr, "pagelab: option '%s' is read but not declared\n", key);
		abort();
	}
	*opt = o;
	for (size_t i = 0; i < c->nitems; i++)
		if (c->items[i].opt == o && c->items[i].set == set) {
			*is_set = true;
			return c->items[i].value;
		}
	*is_set = false;
	return o->value;
}

bool pl_conf_is_set(const struct pl_conf *c, const char *key)
{
	const struct pl_opt *o;
	bool is_set;
	(void)lookup(c, key, &o, &is_set);
	return is_set;
}

const char *pl_conf_str(const struct pl_conf *c, const char *key)
{
	const struct pl_opt *o;
	bool is_set;
	return lookup(c, key, &o, &is_set);
}

uint64_t pl_conf_u64(const struct pl_conf *c, const char *key)
{
	const struct pl_opt *o;
	bool is_set;
	const char *v = lookup(c, key, &o, &is_set);
	assert(o->type == PL_OPT_U64 || o->type == PL_OPT_BYTES || o->type == PL_OPT_NS || o->type == PL_OPT_BOOL);
	return strtoull(v, NULL, 10);
}

bool pl_conf_bool(const struct pl_conf *c, const char *key)
{
	return pl_conf_u64(c, key) != 0;
}

double pl_conf_real(const struct pl_conf *c, const char *key)
{
	return strtod(pl_conf_str(c, key), NULL);
}
