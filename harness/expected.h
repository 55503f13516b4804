/* expected.h - what the store should hold: for every record when it was last put or deleted, for every field the version
 * that was written last. Operations of several clients may overtake each other; the highest lsn wins. */
#ifndef PL_HARNESS_EXPECTED_H
#define PL_HARNESS_EXPECTED_H

#include "workloads/workload.h"

struct expected_key {
	uint64_t put_lsn, delete_lsn; /* of the last put and the last delete that ended well; 0: none */
	bool put, deleted; /* there was one */
	bool deleting; /* a delete was at least issued */
};
struct expected_field {
	uint64_t lsn;
	uint32_t version, issued; /* written last; greatest given out */
};

struct expected {
	const struct wl *wl;
	uint32_t fields;
	uint64_t keys; /* key numbers below this have a slot */
	struct expected_key *key;
	struct expected_field *field; /* [keynum * fields + field] */
};

void expected_init(struct expected *e, const struct wl *wl);
void expected_free(struct expected *e);
/* A version for a write of field (or WL_ALL_FIELDS) that is about to be issued; > 0. */
uint32_t expected_issue(struct expected *e, uint64_t keynum, uint32_t field);
/* The write of that version ended well and got lsn. */
void expected_wrote(struct expected *e, uint64_t keynum, uint32_t field, uint32_t version, uint64_t lsn);
/* A put of the whole record (all fields at version 0) ended well. */
void expected_put(struct expected *e, uint64_t keynum, uint64_t lsn);
void expected_deleting(struct expected *e, uint64_t keynum);
void expected_deleted(struct expected *e, uint64_t keynum, uint64_t lsn);
/* The record must be there, at the end. */
bool expected_present(const struct expected *e, uint64_t keynum);
/* The record must be there now, whatever is in flight. */
bool expected_certain(const struct expected *e, uint64_t keynum);
/* The value that the record should have; returns its length. out has room for wl_record_bytes_max. */
uint32_t expected_value(const struct expected *e, uint64_t keynum, uint8_t *out);
/* Records that should be there, and the bytes of their keys and values. */
void expected_totals(const struct expected *e, uint64_t *records, uint64_t *bytes);

#endif
