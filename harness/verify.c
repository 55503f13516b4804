/* verify.c - does the store hold what was written to it?
 *
 * Every record that should be there is read and compared byte by byte with the workload's fields at the versions written
 * last; records that were deleted must be gone; a scan of everything must return exactly as many records, in order,
 * with exactly as many bytes. The scan also finds records that nobody wrote.
 * Cost: one get per record and one full scan; takes virtual time like any operation. */
#include "harness/driver.h"
#include "harness/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERIFY_PROGRESS 1024u

struct verify {
	struct drv *d;
	struct pl_fault *f;
	int err;
	uint8_t *want, *buf;
	uint64_t keynum;
	uint32_t want_bytes;
	/* scan */
	uint64_t records, bytes;
	size_t last_n;
	uint8_t last[WL_KEY_MAX];
};

static void mismatch(struct verify *v, const char *how)
{
	v->d->total.mismatches++;
	if (!v->err)
		v->err = pl_fault_set(v->f, PL_DAMAGED, "record %" PRIu64 " %s", v->keynum, how);
}

static void compare(void *arg, pl_slice value)
{
	struct verify *v = arg;
	char how[160];
	if (value.n != v->want_bytes) {
		(void)snprintf(how, sizeof how, "has %zu bytes instead of %" PRIu32, value.n, v->want_bytes);
		mismatch(v, how);
		return;
	}
	if (memcmp(value.p, v->want, value.n) == 0)
		return;
	size_t at = 0;
	uint32_t field = 0, offset = 0, bytes = 0;
	while (value.p[at] == v->want[at])
		at++;
	for (; field < v->d->expected->fields; field++) {
		wl_field_extent(v->d->wl, v->keynum, field, &offset, &bytes);
		if (at < (size_t)offset + bytes)
			break;
	}
	(void)snprintf(how, sizeof how,
		"differs from what was written last, first in byte %zu of field %" PRIu32 " (expected version %" PRIu32
		")",
		at - offset, field, v->d->expected->field[v->keynum * v->d->expected->fields + field].version);
	mismatch(v, how);
}

/* One blocking operation, in virtual or real time. */
static int do_op(struct drv *d, struct kv_op *op)
{
	drv_tick(d);
	int status = kv_do(d->kv, &d->x, op);
	drv_tick(d);
	return status;
}

static void verify_record(struct verify *v)
{
	struct drv *d = v->d;
	uint8_t key[WL_KEY_MAX];
	bool present = expected_present(d->expected, v->keynum);
	struct kv_op op = {
		.kind = KV_GET, .got = compare, .arg = v, .buf = v->buf, .buf_bytes = wl_record_bytes_max(d->wl)};
	if (!present && !d->expected->key[v->keynum].deleted)
		return;
	op.key = pl_slice_of(key, wl_key(d->wl, v->keynum, key));
	v->want_bytes = present ? expected_value(d->expected, v->keynum, v->want) : 0;
	if (!present)
		op.got = NULL;
	int status = do_op(d, &op);
	if (status == PL_NOTFOUND && present)
		mismatch(v, "is missing");
	else if (status == PL_OK && !present)
		mismatch(v, "is there although it was deleted");
	else if (status != PL_OK && status != PL_NOTFOUND && !v->err)
		v->err = pl_fault_set(v->f, status, "record %" PRIu64 " cannot be read: %s%s%s", v->keynum,
			pl_err_text(status), *kv_fault_text(d->kv) ? ": " : "", kv_fault_text(d->kv));
	d->total.verified_records++;
}

static bool count_record(void *arg, pl_slice key, pl_slice value)
{
	struct verify *v = arg;
	if (v->records && pl_slice_cmp(pl_slice_of(v->last, v->last_n), key) >= 0 && !v->err)
		v->err = pl_fault_set(v->f, PL_DAMAGED,
			"a scan of everything returns keys out of order (entry %" PRIu64 ")", v->records);
	v->last_n = key.n < WL_KEY_MAX ? key.n : WL_KEY_MAX;
	memcpy(v->last, key.p, v->last_n);
	v->records++;
	v->bytes += key.n + value.n;
	return !v->err;
}

static void verify_scan(struct verify *v)
{
	struct drv *d = v->d;
	uint64_t records, bytes;
	struct kv_op op = {.kind = KV_SCAN,
		.emit = count_record,
		.arg = v,
		.buf = v->buf,
		.buf_bytes = wl_record_bytes_max(d->wl)};
	op.key = pl_slice_of("", 0);
	expected_totals(d->expected, &records, &bytes);
	int status = do_op(d, &op);
	if (v->err)
		return;
	if (status != PL_OK)
		v->err = pl_fault_set(v->f, status, "a scan of everything failed: %s%s%s", pl_err_text(status),
			*kv_fault_text(d->kv) ? ": " : "", kv_fault_text(d->kv));
	else if (v->records != records || v->bytes != bytes) {
		d->total.mismatches++;
		v->err = pl_fault_set(v->f, PL_DAMAGED,
			"a scan of everything returns %" PRIu64 " records of %" PRIu64 " bytes instead of %" PRIu64
			" of %" PRIu64,
			v->records, v->bytes, records, bytes);
	}
}

int drv_verify(struct drv *d, struct pl_fault *f)
{
	struct verify v = {.d = d, .f = f};
	size_t room = wl_record_bytes_max(d->wl) + 16;
	v.want = lab_calloc(1, room);
	v.buf = lab_calloc(1, room);
	for (; !v.err && v.keynum < d->expected->keys; v.keynum++) {
		verify_record(&v);
		if (v.keynum % VERIFY_PROGRESS == 0 && d->progress &&
			!d->progress(d->progress_arg, v.keynum, d->expected->keys, 0) && !v.err)
			v.err = pl_fault_set(f, PL_INTERRUPTED, "interrupted");
	}
	if (!v.err)
		verify_scan(&v);
	free(v.want);
	free(v.buf);
	return v.err;
}
