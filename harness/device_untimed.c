/* device_untimed.c - overwrites that only count: the write amplification of a device under a pattern, in steady state.
 *
 *     fill | window | window | ... | window          a window: the host overwrites as many pages as are live
 *          '---- warm ----'--- measured ---'
 *
 * The device has exactly the live pages as its capacity; the rest of the raw flash is spare.
 *
 * Invariants:
 *  1. Write amplification is computed from sums over the measured windows, never averaged.
 *  2. A device that is said to be steady was so by device_is_steady; else steady is false in the result.
 * Cost: the pattern's, and the device's write_untimed. */
#include "harness/device_parts.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "harness/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024u
#define STEADY_SHARE 0.001
#define STEADY_GROUPS 4u
#define LEAST_WINDOWS 24u
#define WARM_OF_SLOWEST 3 /* turnovers of the coldest class before anything is measured */
#define CAP_PAGES 2000000000u
#define CAP_LEAST 600u
#define CAP_MOST 20000u
#define PROGRESS_PAGES ((uint64_t)1 << 22)

/* ---- steadiness ---- */

static double amplification(const struct device_counts *w, uint64_t n)
{
	uint64_t host = 0, moved = 0;
	for (uint64_t i = 0; i < n; i++) {
		host += w[i].host_pages;
		moved += w[i].moved_pages;
	}
	return host ? (double)(host + moved) / (double)host : 0;
}

/* Rise over all n windows of the straight line through them (least squares). */
static double rise(const struct device_counts *w, uint64_t n)
{
	double mean = 0, xy = 0, xx = 0, middle = (double)(n - 1) / 2;
	for (uint64_t i = 0; i < n; i++)
		mean += amplification(&w[i], 1);
	mean /= (double)n;
	for (uint64_t i = 0; i < n; i++) {
		double x = (double)i - middle;
		xy += x * (amplification(&w[i], 1) - mean);
		xx += x * x;
	}
	return xx > 0 ? xy / xx * (double)n : 0;
}

/* By how much the write amplifications of so many consecutive groups, of group windows each, differ. */
static double range(const struct device_counts *w, uint64_t groups, uint64_t group)
{
	double low = amplification(w, group), high = low;
	for (uint64_t g = 1; g < groups; g++) {
		double a = amplification(w + g * group, group);
		low = a < low ? a : low;
		high = a > high ? a : high;
	}
	return high - low;
}

bool device_is_steady(const struct device_counts *window, uint64_t n, uint64_t warm, uint64_t least, uint64_t *first)
{
	*first = pl_max64(warm, n / 3);
	if (n < least || *first + 2 * STEADY_GROUPS > n)
		return false;
	/* groups of equal length; what does not go into four is warm-up, too */
	uint64_t group = (n - *first) / STEADY_GROUPS;
	*first = n - group * STEADY_GROUPS;
	double whole = amplification(window + *first, n - *first), drift = rise(window + *first, n - *first);
	return range(window + *first, STEADY_GROUPS, group) <= STEADY_SHARE * whole && drift <= STEADY_SHARE * whole &&
	       -drift <= STEADY_SHARE * whole;
}

/* ---- writing ---- */

/* By class when placement hints are used: within a batch, the classes one after the other, each in its order. */
static void write_batch(struct device_session *s, const uint32_t *unit, const uint32_t *class, uint32_t n)
{
	uint32_t start[PATTERN_CLASSES_MAX + 1] = {0}, at[PATTERN_CLASSES_MAX], sorted[BATCH];
	s->result->submitted += n;
	if (!class) {
		dev_write_untimed(s->dev, unit, n, 0);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		start[class[i] + 1]++;
	for (uint32_t c = 0; c < PATTERN_CLASSES_MAX; c++) {
		start[c + 1] += start[c];
		at[c] = start[c];
	}
	for (uint32_t i = 0; i < n; i++)
		sorted[at[class[i]]++] = unit[i];
	for (uint32_t c = 0; c < PATTERN_CLASSES_MAX; c++)
		if (start[c + 1] > start[c])
			dev_write_untimed(s->dev, sorted + start[c], start[c + 1] - start[c], c);
}

int device_fill(struct device_session *s, const struct pattern *p, enum pattern_fill how, uint64_t units)
{
	uint32_t unit[BATCH], class[BATCH];
	int err = PL_OK;
	for (uint64_t at = 0; !err && at < units; at += BATCH) {
		uint32_t n = (uint32_t)pl_min64(BATCH, units - at);
		pattern_fill(p, how, at, unit, class, n);
		write_batch(s, unit, s->wish->streams ? class : NULL, n);
		if (at % PROGRESS_PAGES == 0)
			err = device_session_progress(s, "fill", at, units);
	}
	return err;
}

int device_overwrite(struct device_session *s, struct pattern *p, uint64_t pages, uint64_t done, uint64_t of)
{
	uint32_t unit[BATCH], class[BATCH];
	bool streams = s->wish->streams;
	int err = PL_OK;
	for (uint64_t at = 0; !err && at < pages; at += BATCH) {
		uint32_t n = (uint32_t)pl_min64(BATCH, pages - at);
		pattern_draw(p, unit, streams ? class : NULL, n);
		write_batch(s, unit, streams ? class : NULL, n);
		if (at % PROGRESS_PAGES == 0)
			err = device_session_progress(s, "overwrite", done + at, of);
	}
	return err;
}

/* ---- the run ---- */

struct course { /* of the windows */
	struct device_counts *window;
	uint64_t n, room, least, warm, cap, first;
};

static int one_window(struct device_session *s, struct pattern *p, struct course *c, uint64_t pages, uint64_t of)
{
	struct device_counts before, after;
	device_session_describe(s);
	before = device_counts_of(s->result);
	int err = device_overwrite(s, p, pages, c->n * s->result->window_pages, of);
	if (err)
		return err;
	device_session_describe(s);
	after = device_counts_of(s->result);
	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->window = lab_realloc(c->window, c->room * sizeof *c->window);
	}
	c->window[c->n++] = device_counts_minus(&after, &before);
	return PL_OK;
}

/* Look at the windows after ever longer stretches (each a tenth longer), not after each: who looks often enough finds
 * any noise steady once. */
static int until_steady(struct device_session *s, struct pattern *p, struct course *c)
{
	uint64_t live = s->result->live_pages, look = c->least;
	int err = PL_OK;
	while (!err && !s->result->steady && c->n < c->cap) {
		err = one_window(s, p, c, live, c->cap * live);
		if (err || c->n < look)
			continue;
		s->result->steady = device_is_steady(c->window, c->n, c->warm, c->least, &c->first);
		look = c->n + c->n / 10 + 1;
	}
	if (!err && !s->result->steady) /* the cap: what the last half says, unsteady as it is */
		c->first = c->n / 2;
	return err;
}

static int until_amount(struct device_session *s, struct pattern *p, struct course *c)
{
	uint64_t live = s->result->live_pages, first;
	uint64_t pages = s->wish->until_pages ? s->wish->until_pages : s->wish->until_turnovers * live;
	int err = PL_OK;
	/* an even number of equal windows, none longer than a turnover */
	uint64_t windows = pl_div_up(pl_div_up(pages, live), 2) * 2;
	s->result->window_pages = pl_div_up(pages, windows);
	while (!err && c->n < windows)
		err = one_window(s, p, c, s->result->window_pages, pages);
	c->first = c->n / 2;
	s->result->steady = !err && device_is_steady(c->window, c->n, 0, 2 * STEADY_GROUPS, &first);
	return err;
}

static void sum_up(struct device_session *s, const struct course *c)
{
	struct device_counts *sum = &s->result->counts;
	s->result->warm_windows = c->first;
	s->result->windows = c->n - c->first;
	for (uint64_t i = c->first; i < c->n; i++) {
		const struct device_counts *w = &c->window[i];
		sum->host_pages += w->host_pages;
		sum->moved_pages += w->moved_pages;
		sum->victims += w->victims;
		sum->victim_valid_pages += w->victim_valid_pages;
		sum->victim_written_pages += w->victim_written_pages;
		sum->erases += w->erases;
	}
	uint64_t groups = pl_min64(STEADY_GROUPS, s->result->windows);
	double whole = amplification(c->window + c->first, s->result->windows);
	if (groups && whole > 0)
		s->result->spread = range(c->window + c->first, groups, s->result->windows / groups) / whole;
}

/* An explicit op_permille promises a spare that the utilisation may not leave. That of a profile is of the product, and
 * the utilisation asked for takes its place. */
static int check_spare(const struct device_session *s, uint64_t live)
{
	const struct pl_conf *c = s->args->conf;
	char key[80];
	(void)snprintf(key, sizeof key, "%s.op_permille", s->wish->ops->name);
	if (!lab_find_option(c, key, NULL) || !profile_set_besides(c, key))
		return PL_OK;
	uint64_t op = pl_conf_u64(c, key), flash = s->wish->device_bytes / s->wish->block_bytes;
	uint64_t needed = pl_div_up(live * (1000 + op), 1000);
	if (needed <= flash)
		return PL_OK;
	return pl_fault_set(s->f, PL_INVALID,
		"utilisation: %" PRIu64 " live pages and %s = %" PRIu64 " want %" PRIu64 " * %" PRIu64
		" / 1000 = %" PRIu64 " pages of flash, but there are %" PRIu64
		"; leave op_permille out, or lower one of them",
		live, key, op, live, 1000 + op, needed, flash);
}

static int open_device(struct device_session *s)
{
	const struct device_wish *w = s->wish;
	struct device_result *r = s->result;
	char media[32];
	uint64_t flash = w->device_bytes / w->block_bytes;
	uint64_t live = pattern_usable(&w->pattern, (uint64_t)(w->utilisation * (double)flash), w->block_bytes);
	if (!live || flash > UINT32_MAX)
		return pl_fault_set(s->f, PL_INVALID,
			"device_bytes: %" PRIu64 " bytes are %" PRIu64 " flash pages, %" PRIu64
			" of them live; untimed runs want from 1 live page to 2^32 - 1 pages",
			w->device_bytes, flash, live);
	int err = check_spare(s, live);
	(void)snprintf(media, sizeof media, "%" PRIu64, w->device_bytes);
	if (!err)
		err = device_session_open(s, live * w->block_bytes, media);
	if (err)
		return err;
	device_session_describe(s);
	/* what the device made of the raw flash: whole superblocks */
	uint64_t whole = device_result_describe(r, "supers", 0) * device_result_describe(r, "super_pages", 0);
	r->flash_pages = whole ? whole : flash;
	r->live_pages = r->window_pages = live;
	if (s->dev->caps.capacity_blocks < live)
		return pl_fault_set(s->f, PL_INVALID, "device %s has %" PRIu64 " pages of the %" PRIu64 " asked for",
			w->ops->name, s->dev->caps.capacity_blocks, live);
	if (w->streams && s->dev->caps.streams < 2)
		return pl_fault_set(s->f, PL_INVALID,
			"streams: the device looks at no placement hints; give it some (%s.streams = 2)", w->ops->name);
	return PL_OK;
}

int device_untimed(struct device_session *s)
{
	const struct device_wish *w = s->wish;
	struct device_result *r = s->result;
	struct course c = {0};
	struct pattern *p = NULL;
	int err = open_device(s);
	if (!err)
		err = pattern_open(&w->pattern, r->live_pages, w->block_bytes, w->streams ? s->dev->caps.streams : 1,
			w->seed, &p, s->f);
	if (!err)
		err = device_fill(s, p, w->fill, r->live_pages);
	if (!err) {
		c.warm = (uint64_t)(WARM_OF_SLOWEST * pattern_slowness(&w->pattern)) + 1;
		c.least = pl_max64(LEAST_WINDOWS, c.warm * 3 / 2 + 2 * STEADY_GROUPS);
		c.cap = w->cap_windows ? w->cap_windows
				       : pl_max64(pl_min64(CAP_PAGES / r->live_pages, CAP_MOST), CAP_LEAST);
		err = w->steady ? until_steady(s, p, &c) : until_amount(s, p, &c);
	}
	if (!err)
		sum_up(s, &c);
	pattern_close(p);
	free(c.window);
	return err;
}
