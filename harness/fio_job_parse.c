/* fio_job_parse.c - the part of fio's job file language that is understood (fio's HOWTO, "Job file format" and "Job file
 * parameters").
 *
 * A section is a job; [global] sections set what the jobs below them begin with. ; and # begin a comment anywhere. An
 * option without a value is switched on. Sizes: k, m, g, t, p are powers of 1024, with or without a b; kib and the like
 * are refused, because fio takes them for powers of 1000. N% is a part of the device, Nz are zones. Times: us, ms, s
 * (default), m, h, d.
 *
 * Invariants:
 *  1. Every option is one of the table below: taken with fio's meaning, or ignored and listed, or refused by name.
 *  2. A job is complete when its section ends; no option is judged twice.
 * Left out: include, $-variables, expressions, everything that the table does not hold. */
#include "harness/fio_job_parse.h"

#include "harness/util.h"

#include "engine/base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512
#define SECTION_BEGINS                                                                                                 \
	"\x01" /* the key of the line that the reader puts behind a heading: libinih tells no empty section */

struct source {
	struct fio_file *file;
	FILE *in;
	const char *path;
	struct pl_fault *f;
	struct fio_job global, *at; /* at: the job or global */
	char section[LINE_BYTES];
	bool announce;
	int line, err;
};

static int fail(struct source *s, int line, const char *fmt, ...) PL_PRINTF(3, 4);
static int fail(struct source *s, int line, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!s->err)
		s->err = pl_fault_set(s->f, PL_INVALID, "%s:%d: %s", s->path, line, text);
	return s->err;
}

/* ---- values */

enum kind { SIZE, AMOUNT, COUNT, TIME, FLAG, RATE, RW, DISTRIBUTION, ZONEMODE, NAME, IGNORED };

struct option {
	const char *name, *alias;
	enum kind kind;
	size_t at; /* in struct fio_job */
	uint64_t min, max; /* COUNT, SIZE */
	size_t line_at; /* where the line is kept; 0: nowhere */
};

#define AT(field) offsetof(struct fio_job, field)

static const struct option options[] = {
	{"rw", "readwrite", RW, 0, 0, 0, AT(rw_line)},
	{"rwmixread", NULL, COUNT, AT(read_percent), 0, 100, 0},
	{"bs", "blocksize", SIZE, AT(bs_bytes), 512, (uint64_t)1 << 30, AT(bs_line)},
	{"size", NULL, AMOUNT, AT(size), 0, 0, AT(size_line)},
	{"io_size", "io_limit", AMOUNT, AT(io_size), 0, 0, 0},
	{"offset", NULL, AMOUNT, AT(offset), 0, 0, AT(offset_line)},
	{"offset_increment", NULL, AMOUNT, AT(offset_increment), 0, 0, AT(offset_line)},
	{"iodepth", NULL, COUNT, AT(iodepth), 1, 65536, 0},
	{"numjobs", NULL, COUNT, AT(numjobs), 1, 256, 0},
	{"number_ios", NULL, COUNT, AT(number_ios), 1, (uint64_t)1 << 50, 0},
	{"runtime", "timeout", TIME, AT(runtime_ns), 0, 0, 0},
	{"startdelay", NULL, TIME, AT(startdelay_ns), 0, 0, 0},
	{"time_based", NULL, FLAG, AT(time_based), 0, 0, 0},
	{"rate_iops", NULL, RATE, 0, 0, 0, 0},
	{"fsync", NULL, COUNT, AT(fsync), 0, (uint64_t)1 << 50, 0},
	{"fdatasync", NULL, COUNT, AT(fsync), 0, (uint64_t)1 << 50, 0},
	{"random_distribution", NULL, DISTRIBUTION, 0, 0, 0, 0},
	{"norandommap", NULL, FLAG, AT(norandommap), 0, 0, 0},
	{"randseed", NULL, COUNT, AT(randseed), 0, UINT64_MAX, 0},
	{"stonewall", "wait_for_previous", FLAG, AT(stonewall), 0, 0, 0},
	{"wait_for", NULL, NAME, AT(wait_for), 0, 0, 0},
	{"zonemode", NULL, ZONEMODE, 0, 0, 0, AT(zone_line)},
	{"max_open_zones", NULL, COUNT, AT(max_open_zones), 1, (uint64_t)1 << 32, AT(zone_line)},
	/* how fio does it, not what is done */
	{"direct", NULL, IGNORED, 0, 0, 0, 0},
	{"ioengine", NULL, IGNORED, 0, 0, 0, 0},
	{"filename", NULL, IGNORED, 0, 0, 0, 0},
	{"directory", NULL, IGNORED, 0, 0, 0, 0},
	{"group_reporting", NULL, IGNORED, 0, 0, 0, 0},
	{"name", NULL, IGNORED, 0, 0, 0, 0},
	{"description", NULL, IGNORED, 0, 0, 0, 0},
	{"thread", NULL, IGNORED, 0, 0, 0, 0},
	{"randrepeat", NULL, IGNORED, 0, 0, 0, 0},
};

static void *field(struct fio_job *j, size_t at)
{
	return (char *)j + at;
}

/* Digits at s; *end is behind them. */
static bool digits(const char *s, uint64_t *out, const char **end)
{
	uint64_t v = 0;
	const char *at = s;
	for (; isdigit((unsigned char)*at); at++) {
		uint64_t digit = (uint64_t)(*at - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	*end = at;
	return at != s;
}

/* A number with a suffix for powers of 1024; *in tells % and z where amount allows them. */
static int size_value(struct source *s, const char *key, const char *text, bool amount, struct fio_amount *out)
{
	static const char powers[] = "kmgtp";
	const char *end;
	if (!digits(text, &out->value, &end))
		return fail(s, s->line, "%s: '%.40s' is no size", key, text);
	out->in = FIO_BYTES;
	if (strpbrk(end, ",-:"))
		return fail(s, s->line, "%s: '%.40s' is more than a single size", key, text);
	if (amount && strcmp(end, "%") == 0) {
		out->in = FIO_PERCENT;
		return out->value >= 1 && out->value <= 100
			       ? PL_OK
			       : fail(s, s->line, "%s: '%.40s' is outside 1%%..100%%", key, text);
	}
	if (amount && strcmp(end, "z") == 0) {
		out->in = FIO_ZONES;
		return PL_OK;
	}
	const char *power = *end ? strchr(powers, tolower((unsigned char)*end)) : NULL;
	if (power && tolower((unsigned char)end[1]) == 'i')
		return fail(s, s->line,
			"%s: fio takes '%.40s' for powers of 1000; write %.*s%c for powers of 1024, or the bytes", key,
			text, (int)(end - text), text, *power);
	for (const char *p = powers; power && p <= power; p++) {
		if (out->value > UINT64_MAX / 1024)
			return fail(s, s->line, "%s: '%.40s' is too large", key, text);
		out->value *= 1024;
	}
	end += power != NULL;
	if (*end && strcasecmp(end, "b") != 0)
		return fail(s, s->line, "%s: '%.40s' is no size", key, text);
	return PL_OK;
}

static int count_value(struct source *s, const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	struct fio_amount a;
	int err = size_value(s, key, text, false, &a);
	if (!err && (a.value < min || a.value > max))
		err = fail(s, s->line, "%s: %.40s is outside %" PRIu64 "..%" PRIu64, key, text, min, max);
	if (!err)
		*out = a.value;
	return err;
}

static int time_value(struct source *s, const char *key, const char *text, uint64_t *out)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", 1000000000}, {"s", 1000000000}, {"sec", 1000000000}, {"ms", 1000000}, {"msec", 1000000},
		{"us", 1000}, {"usec", 1000}, {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000}};
	const char *end;
	uint64_t v;
	if (digits(text, &v, &end))
		for (size_t i = 0; i < PL_COUNT(units); i++)
			if (strcasecmp(units[i].name, end) == 0 && v <= UINT64_MAX / 4 / units[i].ns) {
				*out = v * units[i].ns;
				return PL_OK;
			}
	return fail(s, s->line, "%s: '%.40s' is no time (5s, 200ms, 10m)", key, text);
}

static int flag_value(struct source *s, const char *key, const char *text, bool *out)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return fail(s, s->line, "%s: '%.40s' is not 0 or 1", key, text);
	*out = *text == '1';
	return PL_OK;
}

static int rate_value(struct source *s, const char *text, uint64_t rate[FIO_DIRECTIONS])
{
	const char *at = text;
	uint64_t got[FIO_DIRECTIONS] = {0};
	int n = 0;
	for (bool more = true; more; n++) {
		const char *end;
		if (n == FIO_DIRECTIONS)
			return fail(s, s->line, "rate_iops: '%.40s' has more than three numbers (reads, writes, trims)",
				text);
		if (*at == ',' || (!*at && n)) /* left out: no limit */
			end = at;
		else if (!digits(at, &got[n], &end) || got[n] > 1000000000)
			return fail(s, s->line, "rate_iops: '%.40s' is no number of requests a second", text);
		if (*end && *end != ',')
			return fail(s, s->line, "rate_iops: '%.40s' is no number of requests a second", text);
		more = *end == ',';
		at = end + more;
	}
	for (int i = 0; i < FIO_DIRECTIONS; i++)
		rate[i] = i < n ? got[i] : got[n - 1];
	return PL_OK;
}

static int rw_value(struct source *s, const char *text, struct fio_job *j)
{
	static const struct {
		const char *name;
		bool reads, writes, trims, random;
	} kinds[] = {{"read", true, false, false, false}, {"write", false, true, false, false},
		{"trim", false, false, true, false}, {"randread", true, false, false, true},
		{"randwrite", false, true, false, true}, {"randtrim", false, false, true, true},
		{"rw", true, true, false, false}, {"readwrite", true, true, false, false},
		{"randrw", true, true, false, true}};
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		if (strcmp(kinds[i].name, text) == 0) {
			j->rw = kinds[i].name;
			j->reads = kinds[i].reads;
			j->writes = kinds[i].writes;
			j->trims = kinds[i].trims;
			j->random = kinds[i].random;
			return PL_OK;
		}
	return fail(s, s->line, "rw: '%.40s' is none of read, write, trim, randread, randwrite, randtrim, rw, randrw",
		text);
}

static int distribution_value(struct source *s, const char *text, struct fio_job *j)
{
	char *end = NULL;
	j->zipf_theta = 0;
	if (strcmp(text, "random") == 0)
		return PL_OK;
	if (strcmp(text, "zipf") == 0) {
		j->zipf_theta = 1.1; /* fio's default */
		return PL_OK;
	}
	if (strncmp(text, "zipf:", 5) == 0)
		j->zipf_theta = strtod(text + 5, &end);
	if (end && end != text + 5 && !*end && j->zipf_theta > 0 && j->zipf_theta <= 5)
		return PL_OK;
	return fail(
		s, s->line, "random_distribution: '%.40s' is neither random nor zipf:THETA with THETA in (0, 5]", text);
}

static void ignore(struct source *s, const char *key, const char *value)
{
	json_t *o = json_object();
	(void)json_object_set_new(o, "option", json_string(key));
	(void)json_object_set_new(o, "value", json_string(value));
	(void)json_object_set_new(o, "line", json_integer(s->line));
	(void)json_array_append_new(s->file->ignored, o);
}

static int set(struct source *s, const struct option *o, const char *value)
{
	struct fio_job *j = s->at;
	struct fio_amount a;
	uint64_t n = 0;
	int err = PL_OK;
	if (o->line_at)
		*(int *)field(j, o->line_at) = s->line;
	switch (o->kind) {
	case RW:
		return rw_value(s, value, j);
	case SIZE:
		err = size_value(s, o->name, value, false, &a);
		if (!err && (a.value < o->min || a.value > o->max))
			return fail(s, s->line, "%s: %.40s is outside %" PRIu64 "..%" PRIu64, o->name, value, o->min,
				o->max);
		*(uint64_t *)field(j, o->at) = err ? 0 : a.value;
		return err;
	case AMOUNT:
		return size_value(s, o->name, value, true, field(j, o->at));
	case COUNT:
		err = count_value(s, o->name, value, o->min, o->max, &n);
		if (o->at == AT(read_percent))
			j->read_percent = (uint32_t)n;
		else
			*(uint64_t *)field(j, o->at) = n;
		j->has_seed |= o->at == AT(randseed);
		return err;
	case TIME:
		return time_value(s, o->name, value, field(j, o->at));
	case FLAG:
		return flag_value(s, o->name, value, field(j, o->at));
	case RATE:
		return rate_value(s, value, j->rate_iops);
	case DISTRIBUTION:
		return distribution_value(s, value, j);
	case ZONEMODE:
		j->zbd = strcmp(value, "zbd") == 0;
		if (!j->zbd && strcmp(value, "none") != 0)
			return fail(s, s->line, "zonemode: '%.40s' is neither none nor zbd", value);
		return PL_OK;
	case NAME:
		free(j->wait_for);
		j->wait_for = lab_strdup(value);
		return PL_OK;
	case IGNORED:
		ignore(s, o->name, value);
		return PL_OK;
	}
	return PL_OK;
}

/* ---- sections */

static void job_copy(struct fio_job *to, const struct fio_job *from)
{
	*to = *from;
	to->wait_for = from->wait_for ? lab_strdup(from->wait_for) : NULL;
}

static int section_begins(struct source *s)
{
	struct fio_file *file = s->file;
	if (strcmp(s->section, "global") == 0) {
		s->at = &s->global;
		return PL_OK;
	}
	if (!*s->section)
		return fail(s, s->line, "a section without a name");
	file->job = lab_realloc(file->job, (file->jobs + 1) * sizeof *file->job);
	s->at = &file->job[file->jobs++];
	job_copy(s->at, &s->global);
	s->at->name = lab_strdup(s->section);
	s->at->line = s->line;
	return PL_OK;
}

static int unknown_option(struct source *s, const char *key)
{
	const char *name[PL_COUNT(options)];
	for (size_t i = 0; i < PL_COUNT(options); i++)
		name[i] = options[i].name;
	const char *near = pl_nearest(key, name, PL_COUNT(name));
	if (near)
		return fail(s, s->line, "fio option '%.60s' is not supported; did you mean '%s'?", key, near);
	return fail(s, s->line, "fio option '%.60s' is not supported", key);
}

static int on_option(void *user, const char *section, const char *key, const char *value)
{
	struct source *s = user;
	(void)section;
	if (s->err)
		return 0;
	if (strcmp(key, SECTION_BEGINS) == 0)
		return section_begins(s) == PL_OK;
	if (!s->at)
		return fail(s, s->line, "option '%.60s' stands before the first section", key) == PL_OK;
	for (size_t i = 0; i < PL_COUNT(options); i++)
		if (strcmp(options[i].name, key) == 0 || (options[i].alias && strcmp(options[i].alias, key) == 0))
			return set(s, &options[i], value) == PL_OK;
	return unknown_option(s, key) == PL_OK;
}

/* fgets for libinih: counts lines, takes comments and leading blanks away (they mean nothing to fio), switches options
 * without a value on and tells that a section begins. */
static char *next_line(char *buf, int cap, void *stream)
{
	struct source *s = stream;
	char line[LINE_BYTES];
	if (s->announce) {
		s->announce = false;
		lab_copy(buf, (size_t)cap, SECTION_BEGINS "=1\n");
		return buf;
	}
	if (s->err || !fgets(line, sizeof line, s->in))
		return NULL;
	s->line++;
	if (strlen(line) >= (size_t)cap - 4) {
		(void)fail(s, s->line, "the line is longer than %d bytes", cap - 5);
		return NULL;
	}
	line[strcspn(line, ";#\r\n")] = 0;
	char *begin = line;
	while (isspace((unsigned char)*begin))
		begin++;
	size_t n = strlen(begin);
	while (n && isspace((unsigned char)begin[n - 1]))
		begin[--n] = 0;
	if (*begin == '[') {
		if (begin[n - 1] != ']') {
			(void)fail(s, s->line, "a section's name wants its ]");
			return NULL;
		}
		lab_copy(s->section, sizeof s->section, begin + 1);
		s->section[n - 2] = 0;
		s->announce = true;
		lab_copy(buf, (size_t)cap, "[job]\n");
		return buf;
	}
	(void)snprintf(buf, (size_t)cap, "%s%s\n", begin, n && !strchr(begin, '=') ? "=1" : "");
	return buf;
}

/* ---- the file */

static int job_check(struct source *s, size_t at)
{
	struct fio_job *j = &s->file->job[at];
	int *lines[] = {&j->size_line, &j->bs_line, &j->offset_line, &j->rw_line, &j->zone_line};
	for (size_t i = 0; i < PL_COUNT(lines); i++)
		if (!*lines[i])
			*lines[i] = j->line;
	if (j->time_based && !j->runtime_ns)
		return fail(s, j->line, "job %.60s is time_based, but has no runtime", j->name);
	size_t matches = 0;
	for (size_t i = 0; j->wait_for && i < at; i++)
		matches += strcmp(s->file->job[i].name, j->wait_for) == 0;
	if (j->wait_for && matches != 1)
		return fail(s, j->line, "wait_for: %zu jobs above are named '%.60s', and it must be one", matches,
			j->wait_for);
	return PL_OK;
}

int fio_file_read(const char *path, struct fio_file *out, struct pl_fault *f)
{
	*out = (struct fio_file){.path = path, .ignored = json_array()};
	struct source s = {.file = out, .path = path, .f = f};
	s.global = (struct fio_job){
		.rw = "read", .reads = true, .read_percent = 50, .bs_bytes = 4096, .iodepth = 1, .numjobs = 1};
	s.in = lab_is_dir(path) ? (errno = EISDIR, NULL) : fopen(path, "re");
	if (!s.in)
		s.err = pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	int line = s.in ? ini_parse_stream(next_line, &s, on_option, &s) : 0;
	if (!s.err && line)
		(void)fail(&s, s.line, "neither an option nor a section");
	if (!s.err && ferror(s.in))
		s.err = pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	if (!s.err && !out->jobs)
		s.err = pl_fault_set(f, PL_INVALID, "%s holds no job", path);
	for (size_t i = 0; !s.err && i < out->jobs; i++)
		(void)job_check(&s, i);
	if (s.in)
		(void)fclose(s.in);
	free(s.global.wait_for);
	if (s.err)
		fio_file_free(out);
	return s.err;
}

void fio_file_free(struct fio_file *file)
{
	for (size_t i = 0; i < file->jobs; i++) {
		free(file->job[i].name);
		free(file->job[i].wait_for);
	}
	free(file->job);
	json_decref(file->ignored);
	*file = (struct fio_file){0};
}
