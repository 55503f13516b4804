/* device_pattern.h - which units a host writes next: uniform, in order, hot and cold, Zipf, whole extents.
 *
 * A unit is what one request covers (untimed runs: a page). Patterns are pure functions of (text, units, seed); how many
 * units are drawn at once does not change them. */
#ifndef PL_HARNESS_DEVICE_PATTERN_H
#define PL_HARNESS_DEVICE_PATTERN_H

#include "engine/base/conf.h"
#include "harness/closed_forms.h"

enum pattern_kind {
	PATTERN_UNIFORM,
	PATTERN_SEQ, /* unit after unit, round and round */
	PATTERN_HOTCOLD, /* so many per cent of the writes to so many per cent of the units, the lowest numbers */
	PATTERN_ZIPF, /* rank r gets a share proportional to r^-theta; ranks are scattered over the units */
	PATTERN_EXTENTS, /* an extent chosen at random is overwritten from its start to its end */
};

#define PATTERN_CLASSES_MAX 16
#define PATTERN_WRITERS_MAX 4096

struct pattern_text { /* what a text such as hotcold:90/10 says */
	enum pattern_kind kind;
	double writes, data; /* hotcold: shares of the hot class */
	double theta;
	uint64_t extent_bytes;
	uint32_t writers; /* extents being written at a time, interleaved unit by unit */
};

/* PL_INVALID: one sentence that begins with "pattern:". */
int pattern_parse(const char *text, struct pattern_text *out, struct pl_fault *f) PL_MUST_USE;
/* Units that the pattern can use of those given: extents leave out the remainder. */
uint64_t pattern_usable(const struct pattern_text *t, uint64_t units, uint32_t unit_bytes);

struct pattern;
/* classes: how many the units are to be told apart by; ignored but for Zipf, whose ranks fall into so many groups of
 * equal mass. PL_INVALID: too few units; PL_NOMEM. */
int pattern_open(const struct pattern_text *t, uint64_t units, uint32_t unit_bytes, uint32_t classes, uint64_t seed,
	struct pattern **out, struct pl_fault *f) PL_MUST_USE;
void pattern_close(struct pattern *p);
/* The next n units. class (may be NULL) gets the class of each: hotcold 0 hot, 1 cold; zipf its group; extents the
 * writer; else 0. Always below pattern_classes. */
void pattern_draw(struct pattern *p, uint32_t *unit, uint32_t *class, size_t n);
uint32_t pattern_classes(const struct pattern *p);

enum pattern_fill {
	PATTERN_FILL_SEQ, /* unit after unit */
	PATTERN_FILL_RANDOM, /* each once, in random order */
	PATTERN_FILL_CLASS, /* by class, within it by rank: the most popular first */
};
/* The n units that a fill writes from its unit number `at` on, and their classes (as pattern_draw). */
void pattern_fill(
	const struct pattern *p, enum pattern_fill how, uint64_t at, uint32_t *unit, uint32_t *class, size_t n);

/* The classes for the closed forms (closed_fifo_classes, closed_optimal); 0: the pattern has none. */
size_t pattern_closed_classes(const struct pattern_text *t, uint64_t units, struct closed_class *out);
/* Overwrites of all units together until the coldest class was overwritten about once, in units of turnovers; 1 when
 * all units are alike. Zipf: of the coldest rank it would be huge; 10 is said. */
double pattern_slowness(const struct pattern_text *t);

#endif
