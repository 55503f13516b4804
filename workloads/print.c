/* print.c - a workload as text, for people and for comparison with other tools.
 *
 * wl_print writes one operation a line, blanks between the parts, always in this order:
 *
 *   INSERT user6284781860667377211 fields=* bytes=1000     bytes: of the record
 *   READ user6284781860667377211 fields=* bytes=1000       fields: * or the number of the field
 *   UPDATE user8517097267634966620 fields=3 bytes=100      bytes: of the field or fields named
 *   SCAN user5952875239596136740 fields=* count=57
 *   READMODIFYWRITE user6284781860667377211 fields=7 bytes=100
 *
 * Keys that are no text, or hold a blank or a byte beyond ASCII, are printed as 0x and hexadecimal digits. One client; each insert is acknowledged before the
 * next operation is drawn.
 *
 * wl_histogram writes (shares in millionths, rounded down; ranks by observed popularity, ties together):
 *
 *   # request=zipfian theta=0.99 items=10000000001 records=1000000 draws=20000000
 *   hottest keys=1 share_ppm=38112
 *   hottest keys=100 share_ppm=...
 *   hottest keys=10000 percent=1 share_ppm=...
 *   hottest keys=100000 percent=10 share_ppm=...
 *   ranks from=1 to=1 share_ppm=38112                      then 2..3, 4..7, 8..15 and so on
 *
 * Of few draws a key the hottest look hotter than they are: take 20 draws a key or more. */
#include "workloads/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTOGRAM_RECORDS_MAX ((uint64_t)1 << 28)

static const char *const word[WL_KINDS] = {
	[WL_READ] = "READ",
	[WL_UPDATE] = "UPDATE",
	[WL_INSERT] = "INSERT",
	[WL_SCAN] = "SCAN",
	[WL_RMW] = "READMODIFYWRITE",
	[WL_DELETE] = "DELETE",
};

static bool is_one_word(const uint8_t *key, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return false;
	return true;
}

static void print_op(const struct wl *w, const struct wl_op *op, FILE *file)
{
	uint8_t key[WL_KEY_MAX];
	size_t n = wl_key(w, op->keynum, key);
	bool text = w->spec.keys->text && is_one_word(key, n);
	(void)fprintf(file, "%s %s", word[op->kind], text ? "" : "0x");
	if (text)
		(void)fwrite(key, 1, n, file);
	else
		for (size_t i = 0; i < n; i++)
			(void)fprintf(file, "%02x", key[i]);
	if (op->field == WL_ALL_FIELDS)
		(void)fputs(" fields=*", file);
	else
		(void)fprintf(file, " fields=%u", op->field);
	if (op->kind == WL_SCAN)
		(void)fprintf(file, " count=%u\n", op->scan_count);
	else
		(void)fprintf(file, " bytes=%u\n",
			op->field == WL_ALL_FIELDS ? wl_record_bytes(w, op->keynum)
						   : wl_field_bytes(w, op->keynum, op->field));
}

static void print_load(const struct wl *w, uint64_t n, FILE *file)
{
	struct wl_op op = {.kind = WL_INSERT, .field = WL_ALL_FIELDS};
	for (uint64_t i = 0; i < n && i < wl_records(w); i++) {
		op.keynum = wl_load_keynum(w, i);
		print_op(w, &op, file);
	}
}

static void print_run(struct wl *w, uint64_t n, FILE *file)
{
	struct wl_op op;
	for (uint64_t i = 0; i < n; i++) {
		wl_next(w, 0, &op);
		print_op(w, &op, file);
		if (op.kind == WL_INSERT)
			wl_acknowledge(w, op.keynum);
	}
}

int wl_print(const struct pl_conf *c, uint64_t seed, const char *phase, uint64_t n, void *file, struct pl_fault *f)
{
	struct wl *w = NULL;
	bool load = strcmp(phase, "load") == 0;
	if (!load && strcmp(phase, "run") != 0)
		return pl_fault_set(f, PL_INVALID, "unknown phase '%s' (phases: load, run)", phase);
	int err = wl_open(c, seed, 1, &w, f);
	if (err)
		return err;
	if (load)
		print_load(w, n, file);
	else if (!(err = wl_room(w, n, f)))
		print_run(w, n, file);
	wl_close(w);
	return err;
}

/* Equal counts are equal numbers, so the order of a sort does not show. */
static int falling(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x < y) - (x > y);
}

static uint64_t share_ppm(const uint32_t *count, uint64_t from, uint64_t to, uint64_t draws)
{
	uint64_t sum = 0;
	for (uint64_t i = from; i < to; i++)
		sum += count[i];
	return (uint64_t)((double)sum / (double)draws * 1e6);
}

static void print_shares(const uint32_t *count, uint64_t n, uint64_t draws, FILE *file)
{
	const struct {
		uint64_t keys;
		const char *text;
	} line[] = {{1, ""}, {pl_min64(100, n), ""}, {pl_max64(1, n / 100), " percent=1"},
		{pl_max64(1, n / 10), " percent=10"}};
	for (size_t i = 0; i < PL_COUNT(line); i++)
		(void)fprintf(file, "hottest keys=%" PRIu64 "%s share_ppm=%" PRIu64 "\n", line[i].keys, line[i].text,
			share_ppm(count, 0, line[i].keys, draws));
	for (uint64_t from = 1; from <= n; from *= 2) {
		uint64_t to = pl_min64(2 * from - 1, n);
		(void)fprintf(file, "ranks from=%" PRIu64 " to=%" PRIu64 " share_ppm=%" PRIu64 "\n", from, to,
			share_ppm(count, from - 1, to, draws));
	}
}

int wl_histogram(const struct pl_conf *c, uint64_t seed, uint64_t draws, void *file, struct pl_fault *f)
{
	struct wl *w = NULL;
	uint32_t *count = NULL;
	if (draws == 0 || draws > UINT32_MAX)
		return pl_fault_set(
			f, PL_INVALID, "a popularity curve takes 1 to %u draws, not %" PRIu64, UINT32_MAX, draws);
	int err = wl_open(c, seed, 1, &w, f);
	if (err)
		return err;
	uint64_t n = wl_records(w);
	if (n > HISTOGRAM_RECORDS_MAX)
		err = pl_fault_set(f, PL_TOOBIG, "a popularity curve takes up to %" PRIu64 " records, not %" PRIu64,
			HISTOGRAM_RECORDS_MAX, n);
	if (!err && !(count = calloc(n, sizeof *count)))
		err = pl_fault_set(f, PL_NOMEM, "no memory for the counts of %" PRIu64 " records", n);
	if (err)
		goto out;
	for (uint64_t i = 0; i < draws; i++)
		count[wl_request_keynum(w, &w->client[0].rng) - w->spec.insertstart]++;
	qsort(count, n, sizeof *count, falling);
	struct wl_facts facts;
	wl_facts(w, &facts);
	(void)fprintf(file, "# request=%s theta=%g items=%" PRIu64 " records=%" PRIu64 " draws=%" PRIu64 "\n",
		wl_request_name[w->spec.request], facts.theta, facts.items, n, draws);
	print_shares(count, n, draws, file);
out:
	free(count);
	wl_close(w);
	return err;
}
