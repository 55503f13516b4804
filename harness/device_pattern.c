/* device_pattern.c - see device_pattern.h.
 *
 * Invariants:
 *  1. Every unit drawn is below the units given, and every class below pattern_classes.
 *  2. Two writers never hold the same extent.
 *  3. A fill writes every unit exactly once.
 * Cost a unit: uniform 2 ns, hotcold 5 ns, Zipf 40 ns (its exact law and a permutation), extents 3 ns. */
#include "harness/device_pattern.h"

#include "engine/base/rng.h"
#include "harness/util.h"
#include "workloads/generators.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_DRAWS 0x64726177u
#define KEY_SCATTER 0x73636174u
#define KEY_FILL 0x66696c6cu

struct writer {
	uint64_t extent;
	uint32_t at; /* unit in the extent; at its end another is taken */
};

struct pattern {
	enum pattern_kind kind;
	uint64_t units, hot_units;
	uint64_t hot_chance; /* of 2^64 */
	uint64_t seed, at;
	struct pl_rng rng;
	struct gen_zipf *zipf;
	struct gen_scatter scatter, fill;
	uint32_t classes;
	uint64_t class_end[PATTERN_CLASSES_MAX]; /* Zipf: first rank beyond the class */
	uint64_t extent_units, extents;
	uint32_t writers, turn;
	struct writer *writer;
};

/* ---- the text ---- */

static const char *const kind_name[] = {"uniform", "seq", "hotcold", "zipf", "extents"};
static const char *const kind_form[] = {"uniform", "seq", "hotcold:90/10", "zipf:0.99", "extents:64M/4"};

static int says(const char *text, struct pl_fault *f, const char *why)
{
	return pl_fault_set(f, PL_INVALID, "pattern: '%.80s' %s", text, why);
}

static bool parse_real(const char *s, char end, double *out, const char **rest)
{
	char *stop;
	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*out = strtod(s, &stop);
	*rest = stop + 1;
	return !errno && *stop == end;
}

static int parse_hotcold(const char *text, const char *rest, struct pattern_text *out, struct pl_fault *f)
{
	double writes, data;
	if (!parse_real(rest, '/', &writes, &rest) || !parse_real(rest, 0, &data, &rest))
		return says(text, f, "wants per cent of the writes and of the data, such as hotcold:90/10");
	if (!(writes > 0 && writes < 100 && data > 0 && data < 100))
		return says(text, f, "has a share outside (0, 100)");
	if (writes < data)
		return says(text, f, "gives the hot part fewer writes than its share of the data");
	out->writes = writes / 100;
	out->data = data / 100;
	return PL_OK;
}

static int parse_zipf(const char *text, const char *rest, struct pattern_text *out, struct pl_fault *f)
{
	if (!parse_real(rest, 0, &out->theta, &rest) || out->theta > 5)
		return says(text, f, "wants an exponent from 0 to 5, such as zipf:0.99");
	return PL_OK;
}

static int parse_extents(const char *text, const char *rest, struct pattern_text *out, struct pl_fault *f)
{
	static const struct pl_opt size = {"extents", PL_OPT_BYTES, "0", 0, 0, NULL, ""};
	const char *slash = strchr(rest, '/');
	char part[64], bytes[32], *end = NULL;
	uint64_t writers = 1;
	lab_copy(part, slash ? pl_min64(sizeof part, (uint64_t)(slash - rest) + 1) : sizeof part, rest);
	if (pl_opt_canonical(&size, "extents", part, bytes, sizeof bytes, NULL))
		return says(text, f, "wants a size and how many are written at a time, such as extents:64M/4");
	if (slash) {
		writers = strtoull(slash + 1, &end, 10);
		if (!isdigit((unsigned char)slash[1]) || *end)
			return says(text, f, "wants a count of writers after the /, such as extents:64M/4");
	}
	if (writers < 1 || writers > PATTERN_WRITERS_MAX)
		return says(text, f, "wants from 1 to 4096 writers");
	out->extent_bytes = strtoull(bytes, NULL, 10);
	out->writers = (uint32_t)writers;
	return out->extent_bytes ? PL_OK : says(text, f, "has extents of no bytes");
}

int pattern_parse(const char *text, struct pattern_text *out, struct pl_fault *f)
{
	const char *colon = strchr(text, ':');
	char word[32];
	size_t kind = 0;
	*out = (struct pattern_text){.writers = 1};
	lab_copy(word, colon ? pl_min64(sizeof word, (uint64_t)(colon - text) + 1) : sizeof word, text);
	while (kind < PL_COUNT(kind_name) && strcmp(word, kind_name[kind]) != 0)
		kind++;
	if (kind == PL_COUNT(kind_name)) {
		const char *near = pl_nearest(word, kind_name, PL_COUNT(kind_name));
		for (size_t i = 0; near && i < PL_COUNT(kind_name); i++)
			if (kind_name[i] == near)
				return pl_fault_set(f, PL_INVALID,
					"pattern: unknown pattern '%.80s'; did you mean '%s'?", text, kind_form[i]);
		return pl_fault_set(f, PL_INVALID,
			"pattern: unknown pattern '%.80s' (uniform, seq, hotcold:90/10, zipf:0.99, extents:64M/4)",
			text);
	}
	out->kind = (enum pattern_kind)kind;
	if (out->kind == PATTERN_UNIFORM || out->kind == PATTERN_SEQ)
		return colon ? says(text, f, "has something behind the :, but this pattern takes nothing") : PL_OK;
	if (!colon)
		return pl_fault_set(
			f, PL_INVALID, "pattern: '%s' wants to know more, such as %s", text, kind_form[kind]);
	return out->kind == PATTERN_HOTCOLD ? parse_hotcold(text, colon + 1, out, f)
	       : out->kind == PATTERN_ZIPF  ? parse_zipf(text, colon + 1, out, f)
					    : parse_extents(text, colon + 1, out, f);
}

uint64_t pattern_usable(const struct pattern_text *t, uint64_t units, uint32_t unit_bytes)
{
	uint64_t extent = t->kind == PATTERN_EXTENTS ? t->extent_bytes / unit_bytes : 0;
	return extent ? units / extent * extent : units;
}

/* ---- opening ---- */

static int open_extents(struct pattern *p, const struct pattern_text *t, uint32_t unit_bytes, struct pl_fault *f)
{
	if (t->extent_bytes % unit_bytes != 0 || t->extent_bytes / unit_bytes > UINT32_MAX)
		return pl_fault_set(f, PL_INVALID,
			"pattern: extents of %" PRIu64 " bytes are no multiple of the %" PRIu32
			" bytes that a request writes",
			t->extent_bytes, unit_bytes);
	p->extent_units = t->extent_bytes / unit_bytes;
	p->extents = p->units / p->extent_units;
	if (p->extents < t->writers)
		return pl_fault_set(f, PL_INVALID,
			"pattern: %" PRIu32 " writers of extents want as many extents, but only %" PRIu64 " fit",
			t->writers, p->extents);
	p->units = p->extents * p->extent_units;
	p->writers = t->writers;
	p->writer = calloc(t->writers, sizeof *p->writer);
	if (!p->writer)
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	for (uint32_t i = 0; i < p->writers; i++)
		p->writer[i] = (struct writer){.extent = UINT64_MAX, .at = (uint32_t)p->extent_units};
	p->classes = (uint32_t)pl_min64(t->writers, PATTERN_CLASSES_MAX);
	return PL_OK;
}

static int open_zipf(struct pattern *p, const struct pattern_text *t, uint32_t classes, struct pl_fault *f)
{
	struct closed_class *group;
	uint64_t rank = 0;
	double data = 0;
	if (gen_zipf_open(p->units, t->theta, &p->zipf))
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	gen_scatter_init(&p->scatter, p->units, p->seed ^ KEY_SCATTER);
	p->classes = 1;
	p->class_end[0] = p->units;
	if (classes < 2)
		return PL_OK;
	group = calloc(CLOSED_GROUPS_MAX, sizeof *group);
	if (!group)
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	p->classes = (uint32_t)closed_zipf_equal(p->units, t->theta, pl_min64(classes, PATTERN_CLASSES_MAX), group);
	for (uint32_t i = 0; i < p->classes; i++) {
		data += group[i].data;
		rank = (uint64_t)(data * (double)p->units + 0.5);
		p->class_end[i] = rank;
	}
	p->class_end[p->classes - 1] = p->units;
	free(group);
	return PL_OK;
}

static int open_hotcold(struct pattern *p, const struct pattern_text *t, struct pl_fault *f)
{
	p->hot_units = (uint64_t)(t->data * (double)p->units + 0.5);
	p->hot_chance = (uint64_t)(t->writes * 0x1p64);
	p->classes = 2;
	if (!p->hot_units || p->hot_units == p->units)
		return pl_fault_set(f, PL_INVALID, "pattern: of %" PRIu64 " units, hot or cold has none", p->units);
	return PL_OK;
}

int pattern_open(const struct pattern_text *t, uint64_t units, uint32_t unit_bytes, uint32_t classes, uint64_t seed,
	struct pattern **out, struct pl_fault *f)
{
	if (!units || units > UINT32_MAX)
		return pl_fault_set(
			f, PL_INVALID, "pattern: %" PRIu64 " units are not a number from 1 to 2^32 - 1", units);
	struct pattern *p = calloc(1, sizeof *p);
	if (!p)
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	*p = (struct pattern){.kind = t->kind, .units = units, .seed = seed, .classes = 1};
	pl_rng_seed(&p->rng, seed, STREAM_DRAWS);
	int err = PL_OK;
	if (t->kind == PATTERN_HOTCOLD)
		err = open_hotcold(p, t, f);
	else if (t->kind == PATTERN_ZIPF)
		err = open_zipf(p, t, classes, f);
	else if (t->kind == PATTERN_EXTENTS)
		err = open_extents(p, t, unit_bytes, f);
	gen_scatter_init(&p->fill, p->units, seed ^ KEY_FILL);
	if (err) {
		pattern_close(p);
		return err;
	}
	*out = p;
	return PL_OK;
}

void pattern_close(struct pattern *p)
{
	if (!p)
		return;
	if (p->zipf)
		gen_zipf_close(p->zipf);
	free(p->writer);
	free(p);
}

uint32_t pattern_classes(const struct pattern *p)
{
	return p->classes;
}

/* ---- drawing ---- */

static void draw_uniform(struct pattern *p, uint32_t *unit, size_t n)
{
	struct pl_rng rng = p->rng; /* a copy stays in registers */
	for (size_t i = 0; i < n; i++)
		unit[i] = (uint32_t)pl_rng_below(&rng, p->units);
	p->rng = rng;
}

static void draw_seq(struct pattern *p, uint32_t *unit, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unit[i] = (uint32_t)p->at++;
		if (p->at == p->units)
			p->at = 0;
	}
}

static void draw_hotcold(struct pattern *p, uint32_t *unit, uint32_t *class, size_t n)
{
	struct pl_rng rng = p->rng;
	uint64_t cold_units = p->units - p->hot_units;
	for (size_t i = 0; i < n; i++) {
		bool cold = pl_rng_next(&rng) >= p->hot_chance;
		unit[i] = (uint32_t)((cold ? p->hot_units : 0) + pl_rng_below(&rng, cold ? cold_units : p->hot_units));
		if (class)
			class[i] = cold;
	}
	p->rng = rng;
}

static uint32_t class_of_rank(const struct pattern *p, uint64_t rank)
{
	uint32_t c = 0;
	while (rank >= p->class_end[c])
		c++;
	return c;
}

static void draw_zipf(struct pattern *p, uint32_t *unit, uint32_t *class, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t rank, a, b;
		do {
			a = pl_rng_next(&p->rng);
			b = pl_rng_next(&p->rng);
		} while (!gen_zipf(p->zipf, a, b, &rank));
		unit[i] = (uint32_t)gen_scatter(&p->scatter, rank);
		if (class)
			class[i] = class_of_rank(p, rank);
	}
}

static bool held(const struct pattern *p, uint64_t extent)
{
	for (uint32_t i = 0; i < p->writers; i++)
		if (p->writer[i].extent == extent)
			return true;
	return false;
}

static void draw_extents(struct pattern *p, uint32_t *unit, uint32_t *class, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct writer *w = &p->writer[p->turn];
		if (w->at == p->extent_units) {
			uint64_t extent;
			w->extent = UINT64_MAX;
			do
				extent = pl_rng_below(&p->rng, p->extents);
			while (held(p, extent));
			*w = (struct writer){.extent = extent};
		}
		unit[i] = (uint32_t)(w->extent * p->extent_units + w->at++);
		if (class)
			class[i] = p->turn % p->classes;
		p->turn = p->turn + 1 == p->writers ? 0 : p->turn + 1;
	}
}

void pattern_draw(struct pattern *p, uint32_t *unit, uint32_t *class, size_t n)
{
	if (class && p->classes == 1)
		memset(class, 0, n * sizeof *class);
	switch (p->kind) {
	case PATTERN_UNIFORM:
		draw_uniform(p, unit, n);
		break;
	case PATTERN_SEQ:
		draw_seq(p, unit, n);
		break;
	case PATTERN_HOTCOLD:
		draw_hotcold(p, unit, class, n);
		break;
	case PATTERN_ZIPF:
		draw_zipf(p, unit, class, n);
		break;
	case PATTERN_EXTENTS:
		draw_extents(p, unit, class, n);
		break;
	}
}

/* ---- filling ---- */

/* The class that a unit has of itself; which writer will overwrite an extent is not known. */
static void fill_one(const struct pattern *p, enum pattern_fill how, uint64_t at, uint32_t *unit, uint32_t *class)
{
	uint64_t u = how == PATTERN_FILL_RANDOM ? gen_scatter(&p->fill, at) : at;
	if (p->kind == PATTERN_HOTCOLD)
		*class = u >= p->hot_units;
	else if (p->kind == PATTERN_ZIPF && how != PATTERN_FILL_SEQ) {
		*class = class_of_rank(p, u); /* u was a rank */
		u = gen_scatter(&p->scatter, u);
	} else
		*class = 0;
	*unit = (uint32_t)u;
}

void pattern_fill(
	const struct pattern *p, enum pattern_fill how, uint64_t at, uint32_t *unit, uint32_t *class, size_t n)
{
	assert(at + n <= p->units);
	for (size_t i = 0; i < n; i++)
		fill_one(p, how, at + i, &unit[i], &class[i]);
}

/* ---- for the closed forms ---- */

size_t pattern_closed_classes(const struct pattern_text *t, uint64_t units, struct closed_class *out)
{
	if (t->kind == PATTERN_HOTCOLD) {
		closed_hot_cold(t->writes, t->data, out);
		return 2;
	}
	return t->kind == PATTERN_ZIPF ? closed_zipf(units, t->theta, out) : 0;
}

double pattern_slowness(const struct pattern_text *t)
{
	return t->kind == PATTERN_HOTCOLD ? (1 - t->data) / (1 - t->writes) : t->kind == PATTERN_ZIPF ? 10 : 1;
}
