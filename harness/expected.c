/* expected.c - see expected.h. 16 bytes a field and 24 a record; grows with inserts. */
#include "harness/expected.h"

#include "harness/util.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void expected_init(struct expected *e, const struct wl *wl)
{
	*e = (struct expected){.wl = wl, .fields = wl_fields(wl)};
}

void expected_free(struct expected *e)
{
	free(e->key);
	free(e->field);
	*e = (struct expected){0};
}

static void reach(struct expected *e, uint64_t keynum)
{
	if (keynum < e->keys)
		return;
	uint64_t more = pl_max64(keynum + 1, pl_max64(wl_records(e->wl), e->keys + e->keys / 4));
	e->key = lab_realloc(e->key, more * sizeof *e->key);
	e->field = lab_realloc(e->field, more * e->fields * sizeof *e->field);
	memset(e->key + e->keys, 0, (more - e->keys) * sizeof *e->key);
	memset(e->field + e->keys * e->fields, 0, (more - e->keys) * e->fields * sizeof *e->field);
	e->keys = more;
}

uint32_t expected_issue(struct expected *e, uint64_t keynum, uint32_t field)
{
	reach(e, keynum);
	struct expected_field *f = &e->field[keynum * e->fields];
	if (field != WL_ALL_FIELDS) {
		assert(field < e->fields);
		return ++f[field].issued;
	}
	uint32_t version = 0;
	for (uint32_t i = 0; i < e->fields; i++)
		version = f[i].issued > version ? f[i].issued : version;
	version++;
	for (uint32_t i = 0; i < e->fields; i++)
		f[i].issued = version;
	return version;
}

void expected_wrote(struct expected *e, uint64_t keynum, uint32_t field, uint32_t version, uint64_t lsn)
{
	reach(e, keynum);
	struct expected_field *f = &e->field[keynum * e->fields];
	uint32_t first = field == WL_ALL_FIELDS ? 0 : field, end = field == WL_ALL_FIELDS ? e->fields : field + 1;
	for (uint32_t i = first; i < end; i++)
		if (lsn >= f[i].lsn) {
			f[i].lsn = lsn;
			f[i].version = version;
		}
}

void expected_put(struct expected *e, uint64_t keynum, uint64_t lsn)
{
	reach(e, keynum);
	struct expected_key *k = &e->key[keynum];
	if (!k->put || lsn >= k->put_lsn)
		k->put_lsn = lsn;
	k->put = true;
	expected_wrote(e, keynum, WL_ALL_FIELDS, 0, lsn);
}

void expected_deleting(struct expected *e, uint64_t keynum)
{
	reach(e, keynum);
	e->key[keynum].deleting = true;
}

void expected_deleted(struct expected *e, uint64_t keynum, uint64_t lsn)
{
	reach(e, keynum);
	struct expected_key *k = &e->key[keynum];
	if (!k->deleted || lsn >= k->delete_lsn)
		k->delete_lsn = lsn;
	k->deleted = true;
}

bool expected_present(const struct expected *e, uint64_t keynum)
{
	if (keynum >= e->keys || !e->key[keynum].put)
		return false;
	return !e->key[keynum].deleted || e->key[keynum].put_lsn > e->key[keynum].delete_lsn;
}

bool expected_certain(const struct expected *e, uint64_t keynum)
{
	return expected_present(e, keynum) && !e->key[keynum].deleting;
}

uint32_t expected_value(const struct expected *e, uint64_t keynum, uint8_t *out)
{
	for (uint32_t i = 0; i < e->fields; i++) {
		uint32_t offset, bytes;
		wl_field_extent(e->wl, keynum, i, &offset, &bytes);
		wl_field(e->wl, keynum, i, e->field[keynum * e->fields + i].version, out + offset);
	}
	return wl_record_bytes(e->wl, keynum);
}

void expected_totals(const struct expected *e, uint64_t *records, uint64_t *bytes)
{
	uint8_t key[WL_KEY_MAX];
	*records = *bytes = 0;
	for (uint64_t k = 0; k < e->keys; k++)
		if (expected_present(e, k)) {
			++*records;
			*bytes += wl_key(e->wl, k, key) + wl_record_bytes(e->wl, k);
		}
}
