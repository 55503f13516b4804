/* properties.c - YCSB's property files, read unchanged.
 *
 * The format is that of Java's Properties: a property a line, `name=value`, `name:value` or `name value`; blanks before
 * the name, around the separator and (more lenient than Java) at the end of the line are dropped; `#` or `!` begins a
 * comment; a backslash at the end of a line continues it, elsewhere it takes the next character as it is (\t too).
 * Leaves out: \uXXXX.
 *
 * A property is one of: known and obeyed; known but nothing to a CoreWorkload in this lab, then it is noted and
 * ignored; unknown, then it is refused with the nearest name, for a typing error would otherwise run another workload.
 */
#include "workloads/core.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Properties of upstream and YCSB-cpp that have no effect here, and what to use instead. */
static const struct ignored {
	const char *name, *instead;
} ignored[] = {
	{"threadcount", "use `clients`"},
	{"target", "use the harness's rate"},
	{"db", NULL},
	{"dbname", NULL},
	{"table", NULL},
	{"columnfamily", NULL},
	{"fieldnameprefix", NULL},
	{"exporter", NULL},
	{"exportfile", NULL},
	{"measurementtype", NULL},
	{"maxexecutiontime", NULL},
	{"dotransactions", NULL},
	{"status", NULL},
	{"label", NULL},
	{"dataintegrity", "content is always verifiable"},
	{"readallfieldsbyname", NULL},
	{"reportlatencyforeacherror", NULL},
	{"latencytrackederrors", NULL},
	{"maxscanrate", NULL},
	{"scanoptimelimit", NULL},
	{"discardscannedrecord", NULL},
	{"core_workload_insertion_retry_limit", NULL},
	{"core_workload_insertion_retry_interval", NULL},
	{"core_workload_insertion_keep_going_on_error", NULL},
	/* YCSB-cpp's client */
	{"sleepafterload", NULL},
	{"doload", NULL},
	{"dotransaction", NULL},
};
/* Whole families: measurement and tracing, and the settings of bindings. */
static const char *const ignored_prefix[] = {"measurement.", "hdrhistogram.", "histogram.", "timeseries.", "status.",
	"htrace.", "basicdb.", "jdbc.", "rocksdb.", "leveldb.", "lmdb.", "wiredtiger.", "sqlite.", "limit."};
/* YCSB-cpp's names for what upstream or the lab calls otherwise. */
static const struct alias {
	const char *name, *key;
} aliases[] = {{"field_len_dist", "ycsb.fieldlengthdistribution"}, {"zipfian_const", "zipf.theta"}};

static const char *const core_classes[] = {"site.ycsb.workloads.CoreWorkload", "com.yahoo.ycsb.workloads.CoreWorkload"};

static bool is_property(const char *name)
{
	for (const struct pl_opt *o = wl_property; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return true;
	return false;
}

static const struct ignored *find_ignored(const char *name)
{
	static const struct ignored family = {"", NULL};
	for (size_t i = 0; i < PL_COUNT(ignored); i++)
		if (strcmp(ignored[i].name, name) == 0)
			return &ignored[i];
	for (size_t i = 0; i < PL_COUNT(ignored_prefix); i++)
		if (strncmp(ignored_prefix[i], name, strlen(ignored_prefix[i])) == 0)
			return &family;
	return NULL;
}

static int unknown_property(const char *name, struct pl_fault *f)
{
	const char *names[128];
	size_t n = 0;
	for (const struct pl_opt *o = wl_property; o->name; o++)
		names[n++] = o->name;
	for (size_t i = 0; i < PL_COUNT(ignored); i++)
		names[n++] = ignored[i].name;
	const char *near = pl_nearest(name, names, n);
	return near ? pl_fault_set(f, PL_INVALID, "unknown property '%s'; did you mean '%s'?", name, near)
		    : pl_fault_set(f, PL_INVALID, "unknown property '%s'", name);
}

/* A property file is a whole workload, so no preset may show through, unless one was asked for. */
static int choose_core(struct pl_conf *c, struct pl_fault *f)
{
	return pl_conf_is_set(c, "workload") ? PL_OK : pl_conf_set(c, "workload", "core", f);
}

static int set_workload(struct pl_conf *c, const char *class, struct pl_fault *f)
{
	for (size_t i = 0; i < PL_COUNT(core_classes); i++)
		if (strcmp(class, core_classes[i]) == 0)
			return choose_core(c, f);
	return pl_fault_set(f, PL_INVALID, "workload class '%s' is not known here; only %s is", class, core_classes[0]);
}

static int set_known(struct pl_conf *c, const char *name, const char *value, bool *known, struct pl_fault *f)
{
	char key[64];
	*known = true;
	if (strcmp(name, "workload") == 0)
		return set_workload(c, value, f);
	for (size_t i = 0; i < PL_COUNT(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0)
			return pl_conf_set(c, aliases[i].key, value, f);
	if (is_property(name)) {
		(void)snprintf(key, sizeof key, "ycsb.%s", name);
		return pl_conf_set(c, key, value, f);
	}
	*known = false;
	return PL_OK;
}

/* Append to the note that stands in f while nothing fails. */
static void note_ignored(struct pl_fault *note, const struct ignored *i, const char *name)
{
	size_t used = strlen(note->text);
	(void)snprintf(note->text + used, sizeof note->text - used, "%s%s%s%s%s", used ? ", " : "ignored here: ", name,
		i->instead ? " (" : "", i->instead ? i->instead : "", i->instead ? ")" : "");
}

static int set_one(struct pl_conf *c, const char *name, const char *value, struct pl_fault *note, struct pl_fault *f)
{
	bool known;
	int err = set_known(c, name, value, &known, f);
	if (err || known)
		return err;
	const struct ignored *i = find_ignored(name);
	if (!i)
		return unknown_property(name, f);
	note_ignored(note, i, name);
	return PL_OK;
}

int wl_set_property(struct pl_conf *c, const char *name, const char *value, struct pl_fault *f)
{
	struct pl_fault note = {PL_OK, ""}, fault = {PL_OK, ""};
	int err = set_one(c, name, value, &note, &fault);
	if (f)
		*f = err ? fault : note;
	return err;
}

#define LINE_MAX_BYTES 4096

struct reader {
	FILE *file;
	uint32_t line; /* of the last physical line read */
	char text[LINE_MAX_BYTES];
};

static bool ends_in_odd_backslashes(const char *s, size_t n)
{
	size_t k = 0;
	while (k < n && s[n - 1 - k] == '\\')
		k++;
	return k & 1;
}

/* The next logical line that is no comment and not blank, without leading blanks; *first is its number. */
static int next_line(struct reader *r, bool *end, uint32_t *first, struct pl_fault *f)
{
	size_t used = 0;
	*end = false;
	for (;;) {
		char *at = r->text + used;
		if (!fgets(at, (int)(sizeof r->text - used), r->file)) {
			*end = used == 0;
			return PL_OK;
		}
		r->line++;
		if (used == 0)
			*first = r->line;
		size_t n = strcspn(at, "\r\n");
		if (!at[n] && !feof(r->file))
			return pl_fault_set(f, PL_INVALID, "line longer than %d bytes", LINE_MAX_BYTES);
		at[n] = 0;
		size_t blank = strspn(at, " \t\f");
		memmove(at, at + blank, n - blank + 1);
		n -= blank;
		if (used == 0 && (n == 0 || at[0] == '#' || at[0] == '!'))
			continue;
		used += n;
		if (!ends_in_odd_backslashes(at, n))
			return PL_OK;
		r->text[--used] = 0;
	}
}

/* Take escapes out of text[0..n) in place. */
static int unescape(char *text, struct pl_fault *f)
{
	char *to = text;
	for (const char *s = text; *s; s++) {
		if (*s == '\\' && s[1] == 'u')
			return pl_fault_set(f, PL_INVALID, "\\u escapes are not supported");
		if (*s == '\\' && s[1])
			*to++ = *++s == 't' ? '\t' : *s;
		else
			*to++ = *s;
	}
	*to = 0;
	return PL_OK;
}

/* Split a logical line at its first unescaped separator. */
static int split(char *text, char **value, struct pl_fault *f)
{
	size_t n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = 0;
	char *p = text;
	while (*p && !strchr("=: \t\f", *p))
		p += *p == '\\' && p[1] ? 2 : 1;
	char *v = p + strspn(p, " \t\f");
	if (*v == '=' || *v == ':')
		v++;
	v += strspn(v, " \t\f");
	*p = 0;
	*value = v;
	int err = unescape(text, f);
	return err ? err : unescape(v, f);
}

static int load_lines(struct pl_conf *c, struct reader *r, const char *path, struct pl_fault *note, struct pl_fault *f)
{
	for (;;) {
		struct pl_fault inner = {PL_OK, ""};
		char *value = NULL;
		uint32_t line = r->line;
		bool end;
		int err = next_line(r, &end, &line, &inner);
		if (!err && end)
			return PL_OK;
		if (!err)
			err = split(r->text, &value, &inner);
		if (!err)
			err = set_one(c, r->text, value, note, &inner);
		if (err)
			return pl_fault_set(f, err, "%s:%u: %s", path, line, inner.text);
	}
}

int wl_load_properties(struct pl_conf *c, const char *path, struct pl_fault *f)
{
	struct pl_fault note = {PL_OK, ""}, fault = {PL_OK, ""};
	struct reader r = {.line = 0};
	r.file = fopen(path, "r");
	if (!r.file)
		return pl_fault_set(f, PL_INVALID, "cannot open the property file '%s'", path);
	int err = choose_core(c, &fault);
	if (!err)
		err = load_lines(c, &r, path, &note, &fault);
	if (!err && ferror(r.file))
		err = pl_fault_set(&fault, PL_INVALID, "cannot read the property file '%s'", path);
	(void)fclose(r.file);
	if (f)
		*f = err ? fault : note;
	return err;
}
