/* workload.c - YCSB's CoreWorkload as a stream of operations.
 *
 * Every client owns a generator of random words seeded by (seed, client). Shared, and so the only ways by which
 * clients see each other: the counter of new keys, how far inserts are acknowledged (requests by latest, zipfian and
 * exponential depend on it), and the position of sequential requests.
 *
 * Draws of one operation, in order: the kind; then READ, SCAN: key, (scan length,) field unless readallfields;
 * UPDATE: key, field unless writeallfields; RMW: key, a field unless readallfields (drawn and dropped: the read part
 * reads the record), a field unless writeallfields; INSERT: nothing.
 *
 * Invariants
 *  1. A requested key number is loaded or acknowledged.
 *  2. No allocation after wl_open.
 * Cost: 20 to 90 ns an operation, by the distribution. */
#include "workloads/core.h"

#include "workloads/pow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *const wl_kind_name[WL_KINDS] = {
	[WL_READ] = "read",
	[WL_UPDATE] = "update",
	[WL_INSERT] = "insert",
	[WL_SCAN] = "scan",
	[WL_RMW] = "rmw",
	[WL_DELETE] = "delete",
};

/* What a seed is used for; streams of clients are counted up from STREAM_CLIENT. */
#define STREAM_CLIENT ((uint64_t)1 << 40)
#define STREAM_CONTENT 2u
#define STREAM_SCATTER 3u

#define WINDOW_UPSTREAM ((uint64_t)1 << 20)
#define WINDOW_CPP ((uint64_t)1 << 16)

static int open_request(struct wl *w, uint64_t seed)
{
	const struct wl_spec *s = &w->spec;
	uint64_t first = s->insertstart, last = first + s->insertcount - 1;
	uint64_t expected = (uint64_t)((double)s->operations * s->proportion[WL_INSERT] * 2.0);
	switch (s->request) {
	case WL_UNIFORM:
	case WL_SEQUENTIAL:
		break;
	case WL_ZIPFIAN: /* upstream's range is inclusive and so one larger than meant */
		gen_scrambled_init(&w->scrambled, first, s->insertcount + expected + !s->cpp, s->theta, s->cpp);
		break;
	case WL_ZIPF:
		gen_scatter_init(&w->scatter, s->insertcount, pl_mix64(seed ^ pl_mix64(STREAM_SCATTER)));
		return gen_zipf_open(s->insertcount, s->theta, &w->zipf);
	case WL_LATEST:
		gen_zipfian_init(&w->latest, w->inserts.limit, s->theta);
		break;
	case WL_HOTSPOT:
		gen_hotspot_init(&w->hotspot, first, last, s->hot_set, s->hot_operations);
		break;
	case WL_EXPONENTIAL:
		gen_exponential_init(&w->exponential, s->percentile, (double)s->records * s->fraction);
		break;
	}
	return PL_OK;
}

static int open_values(struct wl *w, struct pl_fault *f)
{
	const struct wl_spec *s = &w->spec;
	int err = PL_OK;
	uint64_t most = s->field_bytes;
	if (s->lengths == WL_LENGTH_HISTOGRAM) {
		err = gen_histogram_load(&w->histogram, s->histogram_path, f);
		if (err)
			return err;
		uint64_t n = w->histogram.buckets > 1 ? w->histogram.buckets - 1 : 0;
		if (n == 0)
			return pl_fault_set(f, PL_INVALID, "%s: a histogram of one bucket has only empty fields",
				s->histogram_path);
		most = n * w->histogram.block_bytes;
	}
	if (most * s->fields > INT32_MAX)
		return pl_fault_set(f, PL_INVALID, "a record of %u fields of up to %llu bytes exceeds 2 GiB", s->fields,
			(unsigned long long)most);
	w->field_bytes_max = (uint32_t)most;
	if (s->lengths == WL_LENGTH_ZIPFIAN)
		gen_zipfian_init(&w->lengths, s->field_bytes - s->field_bytes_min + 1, WL_LENGTH_THETA);
	return PL_OK;
}

static int open_keys(struct wl *w, struct pl_fault *f)
{
	struct wl_spec *s = &w->spec;
	if (s->keys != &wl_keys_file)
		return PL_OK;
	int err = wl_key_file_open(s->keys_path, &w->key_file, f);
	if (err)
		return err;
	s->key_form.file = w->key_file;
	err = wl_check_digest(s, wl_key_file_digest(w->key_file), f);
	return err ? err : wl_room(w, s->operations, f);
}

int wl_open(const struct pl_conf *c, uint64_t seed, uint32_t clients, struct wl **out, struct pl_fault *f)
{
	struct wl *w = calloc(1, sizeof *w + clients * sizeof w->client[0]);
	if (!w)
		return pl_fault_set(f, PL_NOMEM, "no memory for a workload of %u clients", clients);
	w->clients = clients;
	int err = wl_spec_resolve(c, &w->spec, f);
	if (!err)
		err = open_keys(w, f);
	if (err)
		goto out;
	w->content_seed = pl_mix64(seed ^ pl_mix64(STREAM_CONTENT));
	for (uint32_t i = 0; i < clients; i++)
		pl_rng_seed(&w->client[i].rng, seed, STREAM_CLIENT + i);
	err = open_values(w, f);
	if (err)
		goto out;
	gen_discrete_init(&w->kinds, w->spec.proportion, WL_KINDS);
	if (w->spec.scan_zipfian)
		gen_zipfian_init(&w->scans, w->spec.scan_max - w->spec.scan_min + 1, WL_LENGTH_THETA);
	err = gen_acknowledged_init(&w->inserts, w->spec.records, w->spec.cpp ? WINDOW_CPP : WINDOW_UPSTREAM);
	if (!err)
		err = open_request(w, seed);
	if (err)
		err = pl_fault_set(f, err, "no memory for the workload's generators");
out:
	if (err) {
		wl_close(w);
		return err;
	}
	*out = w;
	return PL_OK;
}

void wl_close(struct wl *w)
{
	if (!w)
		return;
	gen_acknowledged_deinit(&w->inserts);
	gen_histogram_deinit(&w->histogram);
	gen_zipf_close(w->zipf);
	wl_key_file_close(w->key_file);
	free(w);
}

uint64_t wl_records(const struct wl *w)
{
	return w->spec.insertcount;
}
uint64_t wl_operations(const struct wl *w)
{
	return w->spec.operations;
}
uint32_t wl_fields(const struct wl *w)
{
	return w->spec.fields;
}
uint32_t wl_record_bytes_max(const struct wl *w)
{
	return w->spec.fields * w->field_bytes_max;
}
uint32_t wl_key_bytes_max(const struct wl *w)
{
	return w->spec.keys->bytes_max(&w->spec.key_form);
}
bool wl_int_keys(const struct wl *w)
{
	return w->spec.keys->integers;
}

int wl_room(const struct wl *w, uint64_t operations, struct pl_fault *f)
{
	return w->key_file ? wl_check_lines(&w->spec, wl_key_file_lines(w->key_file), operations, f) : PL_OK;
}

uint64_t wl_client_operations(const struct wl *w, uint32_t client)
{
	assert(client < w->clients);
	return w->spec.operations / w->clients + (client < w->spec.operations % w->clients);
}

uint64_t wl_load_keynum(const struct wl *w, uint64_t i)
{
	assert(i < w->spec.insertcount);
	return w->spec.insertstart + i;
}

static uint64_t zipf_rank(const struct wl *w, struct pl_rng *r)
{
	uint64_t rank, a, b;
	do {
		a = pl_rng_next(r);
		b = pl_rng_next(r);
	} while (!gen_zipf(w->zipf, a, b, &rank));
	return rank;
}

uint64_t wl_request_keynum(struct wl *w, struct pl_rng *r)
{
	const struct wl_spec *s = &w->spec;
	uint64_t first = s->insertstart, limit = w->inserts.limit, keynum = 0;
	double u;
	switch (s->request) {
	case WL_UNIFORM:
		keynum = gen_uniform(first, first + s->insertcount - 1, pl_rng_next(r));
		break;
	case WL_ZIPFIAN:
		do
			keynum = gen_scrambled(&w->scrambled, pl_rng_unit(r));
		while (keynum > limit);
		break;
	case WL_ZIPF:
		keynum = first + gen_scatter(&w->scatter, zipf_rank(w, r));
		break;
	case WL_LATEST:
		keynum = gen_latest(&w->latest, limit, pl_rng_unit(r));
		break;
	case WL_HOTSPOT:
		u = pl_rng_unit(r);
		keynum = gen_hotspot(&w->hotspot, u, pl_rng_next(r));
		break;
	case WL_EXPONENTIAL:
		do
			keynum = gen_exponential(&w->exponential, pl_rng_unit(r));
		while (keynum > limit);
		keynum = limit - keynum;
		break;
	case WL_SEQUENTIAL:
		keynum = first + w->sequence++ % s->insertcount;
		break;
	}
	assert(keynum >= first && keynum <= limit);
	return keynum;
}

static uint32_t draw_field(const struct wl *w, struct pl_rng *r)
{
	return (uint32_t)gen_uniform(0, w->spec.fields - 1, pl_rng_next(r));
}

static uint32_t draw_scan(struct wl *w, struct pl_rng *r)
{
	const struct wl_spec *s = &w->spec;
	if (!s->scan_zipfian)
		return (uint32_t)gen_uniform(s->scan_min, s->scan_max, pl_rng_next(r));
	uint64_t more = gen_zipfian(&w->scans, w->scans.items, pl_rng_unit(r));
	return (uint32_t)pl_min64(s->scan_min + more, s->scan_max);
}

void wl_next(struct wl *w, uint32_t client, struct wl_op *op)
{
	assert(client < w->clients);
	const struct wl_spec *s = &w->spec;
	struct pl_rng *r = &w->client[client].rng;
	op->kind = (enum wl_kind)gen_discrete(&w->kinds, pl_rng_unit(r));
	op->field = WL_ALL_FIELDS;
	op->scan_count = 0;
	if (op->kind == WL_INSERT) {
		op->keynum = w->inserts.next++;
		return;
	}
	op->keynum = wl_request_keynum(w, r);
	if (op->kind == WL_SCAN)
		op->scan_count = draw_scan(w, r);
	if (op->kind != WL_UPDATE && !s->read_all)
		op->field = draw_field(w, r);
	if (op->kind == WL_UPDATE || op->kind == WL_RMW)
		op->field = s->write_all ? WL_ALL_FIELDS : draw_field(w, r);
}

void wl_acknowledge(struct wl *w, uint64_t keynum)
{
	gen_acknowledge(&w->inserts, keynum);
}

size_t wl_key(const struct wl *w, uint64_t keynum, uint8_t *out)
{
	return w->spec.keys->make(&w->spec.key_form, keynum, out);
}
