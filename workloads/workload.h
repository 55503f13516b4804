/* workload.h - a stream of operations that depends only on (options, seed, client).
 *
 * A workload knows nothing of engines. It numbers its keys 0, 1, 2, ... ("keynum"), makes the bytes of a key from its
 * number, and the bytes of a field from (key number, field, version), so that any content can be verified later without
 * having been stored. */
#ifndef PL_WORKLOAD_H
#define PL_WORKLOAD_H

#include "engine/base/conf.h"
#include "engine/base/rng.h"

enum wl_kind { WL_READ, WL_UPDATE, WL_INSERT, WL_SCAN, WL_RMW, WL_DELETE, WL_KINDS };
extern const char *const wl_kind_name[WL_KINDS]; /* "read", "update", ... */

#define WL_KEY_MAX 1024u /* an eighth of a page of 8 KiB */
#define WL_ALL_FIELDS UINT32_MAX

struct wl_op {
	enum wl_kind kind;
	uint64_t keynum;
	uint32_t field; /* field read or updated, or WL_ALL_FIELDS */
	uint32_t scan_count; /* records wanted by a scan */
};

struct wl; /* shared by all clients of a run; not thread-safe */

/* Option tables, declared into a conf by the harness: the keys of the lab's own workloads ("workload", "records",
 * "operations", ...) and the upstream property names under the prefix "ycsb". */
void wl_declare(struct pl_conf *c);

/* Read a YCSB property file unchanged (`recordcount=1000`, `workload=site.ycsb.workloads.CoreWorkload`, ...) into c.
 * PL_INVALID names file, line and key. A file is a whole workload: unless the option `workload` was set, it becomes
 * "core", so that no preset shows through. On PL_OK f->text is empty, or names the upstream properties that were
 * accepted but have no effect here (threadcount, table, ...). */
int wl_load_properties(struct pl_conf *c, const char *path, struct pl_fault *f) PL_MUST_USE;
/* One property (`-p name=value`), by its upstream name. f as above. */
int wl_set_property(struct pl_conf *c, const char *name, const char *value, struct pl_fault *f) PL_MUST_USE;

/* What a run is beyond its options: with keys=file, read the file and set keys.digest, or compare it if it was set. For
 * everybody who makes the identity of a run; nothing is done for other keys. PL_INVALID for a workload or file that
 * wl_open would refuse. */
int wl_identify(struct pl_conf *c, struct pl_fault *f) PL_MUST_USE;

int wl_open(const struct pl_conf *c, uint64_t seed, uint32_t clients, struct wl **out, struct pl_fault *f) PL_MUST_USE;
void wl_close(struct wl *w);

uint64_t wl_records(const struct wl *w); /* loaded before the run */
uint64_t wl_operations(const struct wl *w); /* of the run phase, all clients together */
uint64_t wl_client_operations(const struct wl *w, uint32_t client); /* a client's part, as upstream splits them */
/* Whether there are keys for the inserts of this many operations in all (more than wl_operations, when others come
 * before them): a file of keys ends somewhere. PL_INVALID gives the sum. */
int wl_room(const struct wl *w, uint64_t operations, struct pl_fault *f) PL_MUST_USE;
uint32_t wl_fields(const struct wl *w); /* fields of a record */
uint32_t wl_record_bytes_max(const struct wl *w);
uint32_t wl_key_bytes_max(const struct wl *w);
bool wl_int_keys(const struct wl *w); /* every key is exactly 8 bytes, big-endian */

/* The i-th record of the load phase, 0 <= i < wl_records: its key number (insert order is the workload's). */
uint64_t wl_load_keynum(const struct wl *w, uint64_t i);

/* The next operation of a client's run phase. An insert's keynum is new; the workload considers it readable by others
 * only after wl_acknowledge(keynum), as upstream's AcknowledgedCounterGenerator does. */
void wl_next(struct wl *w, uint32_t client, struct wl_op *op);
void wl_acknowledge(struct wl *w, uint64_t keynum);

/* Bytes of a key, at most WL_KEY_MAX; returns the length. */
size_t wl_key(const struct wl *w, uint64_t keynum, uint8_t *out);

/* Where a field lies in the record's value, and how long it is. The value of a record is its fields, one after
 * another, without names or separators. */
void wl_field_extent(const struct wl *w, uint64_t keynum, uint32_t field, uint32_t *offset, uint32_t *bytes);
uint32_t wl_record_bytes(const struct wl *w, uint64_t keynum);
/* Content of one field at a version (0 = as loaded or inserted). */
void wl_field(const struct wl *w, uint64_t keynum, uint32_t field, uint32_t version, uint8_t *out);

/* What the stock names hide, for the results: facts about this workload. */
struct wl_facts {
	double theta; /* of the popularity law; 0 if none */
	uint64_t items; /* over how many it is drawn */
	uint32_t key_bytes_mean_milli; /* mean key length, thousandths of a byte, over the first 1000 records */
	uint32_t value_lz4_permille; /* LZ4 size of a 4 KiB run of values, per thousand of its size */
};
void wl_facts(const struct wl *w, struct wl_facts *out);

/* `pagelab workload`: print the first n operations as text (operation, key, fields, lengths) of the phase
 * ("load" or "run"), or the popularity curve and the shares of the hottest 1, 100, 1 % and 10 % of keys. */
int wl_print(const struct pl_conf *c, uint64_t seed, const char *phase, uint64_t n, void *file,
	struct pl_fault *f) PL_MUST_USE;
int wl_histogram(const struct pl_conf *c, uint64_t seed, uint64_t draws, void *file, struct pl_fault *f) PL_MUST_USE;

#endif
