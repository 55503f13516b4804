/* model.h - the reference store of the tests: a sorted array in memory, and acts that both it and an engine perform.
 *
 * An act is a few numbers; keys, values and patches are derived from them, so that a recorded run can be replayed into
 * the model to any point without having kept a byte of it. Key bytes depend on (key number, form of keys), value bytes
 * on (dice, length), the patch of a read-modify-write on (dice, value that was read): a lost update shows.
 *
 * Content is compared by a hash that is a sum over records: it can be kept up to date in O(record), is independent of
 * order, and equal contents of different variants give equal numbers.
 * Cost: O(log n) a look-up, O(n) an insert or delete (moving pointers). Not for more than some ten thousand records. */
#ifndef PL_HARNESS_MODEL_H
#define PL_HARNESS_MODEL_H

#include "engine/base/le.h"
#include "engine/base/rng.h"
#include "engine/kv.h"
#include "workloads/keys/keys.h"

struct model_record {
	uint8_t *bytes; /* key, then value */
	uint32_t key_bytes, value_bytes;
	uint64_t hash;
};

struct model {
	struct model_record *record; /* sorted by key */
	size_t count, room;
	uint64_t hash; /* sum of the records' */
};

void model_init(struct model *m);
void model_free(struct model *m);
void model_copy(struct model *to, const struct model *from);
uint64_t model_record_hash(pl_slice key, pl_slice value);
size_t model_lower_bound(const struct model *m, pl_slice key, bool *exact);
/* True if there was a record of this key before. */
bool model_put(struct model *m, pl_slice key, pl_slice value);
bool model_delete(struct model *m, pl_slice key);

static inline pl_slice model_key(const struct model_record *r)
{
	return pl_slice_of(r->bytes, r->key_bytes);
}
static inline pl_slice model_value(const struct model_record *r)
{
	return pl_slice_of(r->bytes + r->key_bytes, r->value_bytes);
}

/* --- acts ------------------------------------------------------------------------------------------------------ */

/* The form of keys and values: everything that the bytes depend on besides the act. */
struct model_form {
	uint32_t page_bytes;
	bool int_keys; /* every key 8 bytes, big-endian */
	uint32_t keys; /* key numbers are 0 .. keys - 1 */
	uint32_t value_max; /* longest value; above a quarter of a page they overflow */
	const struct wl_key_ops *set; /* a workload's form of keys; NULL: the model's own */
	struct wl_key_form set_form;
};

struct model_act {
	enum kv_kind kind;
	bool no_wait;
	uint32_t keynum;
	uint32_t value_bytes; /* of a PUT, or of the patch of an UPDATE */
	uint64_t offset; /* UPDATE */
	uint64_t dice;
	uint32_t limit; /* SCAN */
};

/* How often each kind comes, in parts of 256 (they need not add up: the rest are gets). */
struct model_mix {
	uint8_t put, update, rmw, erase, scan, commit, no_wait;
};

#define MODEL_PATCH_MAX 192u

/* Draw an act. Keys are skewed: half of the draws fall on an eighth of the numbers. */
struct model_act model_draw(const struct model_form *f, const struct model_mix *mix, struct pl_rng *rng);
/* Bytes of a key: 1 to page_bytes / 8 of them, with long common prefixes; returns the length. */
size_t model_key_bytes(const struct model_form *f, uint32_t keynum, uint8_t *out);
/* Value bytes: about half of them compress well. */
void model_fill(uint64_t dice, uint8_t *out, size_t n);
/* What a read-modify-write does to a value. */
size_t model_patch(uint64_t dice, pl_slice value, uint64_t *offset, uint8_t out[MODEL_PATCH_MAX]);
/* Perform an act that changes; returns the status an engine must return. *replaced as in struct kv_op. */
int model_perform(struct model *m, const struct model_form *f, const struct model_act *a, bool *replaced);
/* One line for people: "put key 17 (12 bytes) value 300 bytes". */
const char *model_act_text(const struct model_form *f, const struct model_act *a, char out[160]);

/* --- an engine performing acts --------------------------------------------------------------------------------- */

struct model_emitted {
	uint64_t key_hash, record_hash;
};
uint64_t model_key_hash(pl_slice key);

/* One operation in flight with all its buffers. A GET leaves the hash of {key, value} in found; a SCAN its records in
 * emitted, and in `order` the first breach of ascending order, if any. */
struct model_client {
	struct model_form form;
	struct model_act act;
	struct kv_op op;
	bool busy;
	uint8_t *key, *value, *buf;
	uint8_t patch[MODEL_PATCH_MAX];
	uint64_t found;
	struct model_emitted *emitted;
	size_t nemitted, emitted_room;
	uint8_t *last_key;
	size_t last_key_bytes;
	bool disorder;
	uint64_t user[4]; /* the driver's */
};

void model_client_init(struct model_client *c, const struct model_form *f);
void model_client_free(struct model_client *c);
/* Prepare c->op for an act; the driver hands it to kv_start. */
void model_client_set(struct model_client *c, const struct model_act *a);
/* The client whose operation this is. */
static inline struct model_client *model_client_of(struct kv_op *op)
{
	return (struct model_client *)(void *)((uint8_t *)op - offsetof(struct model_client, op));
}
/* Wait until the engine has ended some operation and return it; NULL: nothing is under way, which for a driver with
 * operations in flight is a violation (a ticket nobody owes). */
struct kv_op *model_wait(struct kv *kv, struct pl_ctx *x, bool idle);
/* Perform one act alone, to its end. */
int model_do(struct model_client *c, struct kv *kv, struct pl_ctx *x, const struct model_act *a);

/* Read the whole store in order. The hash is that of a model with the same content. */
struct model_content {
	uint64_t hash, count;
	bool disorder;
};
int model_content(struct kv *kv, struct pl_ctx *x, const struct model_form *f, struct model_content *out);
/* The first difference between the store and a model, in words. PL_OK and an empty text when there is none. */
int model_difference(struct kv *kv, struct pl_ctx *x, const struct model_form *f, const struct model *m, char *text,
	size_t text_bytes);

/* --- products -------------------------------------------------------------------------------------------------- */

/* The next legal, available product at or after *i (a number for reg_product), skipping repetitions that differ only on
 * an axis that does not apply; *i becomes its number. False past the end. */
bool model_product(size_t *i, struct kv_choice *out);
/* "btree slotted raw fixed inplace - redo dwb sim_ssd" */
const char *model_product_name(const struct kv_choice *c, char out[200]);

/* The smallest store that shows everything: tiny pages, pool, log and device. */
struct model_lab {
	struct pl_conf conf;
	struct model_form form;
	uint64_t capacity_bytes;
	uint32_t block_bytes;
};
void model_lab_init(struct model_lab *l, const struct kv_choice *c, bool int_keys);
void model_lab_set(struct model_lab *l, const char *key, const char *value);
void model_lab_free(struct model_lab *l);
/* PAGELAB_PACKED=4096 or more: the same tests for products that can pack images (placement option `pack`) and gain by it,
 * with pages of so many bytes. 0: not so. */
uint32_t model_packed_page_bytes(void);
bool model_can_pack(const struct kv_choice *c);
int model_lab_device(const struct model_lab *l, const struct kv_choice *c, uint64_t seed, const char *path,
	struct dev **out, struct pl_fault *f) PL_MUST_USE;

/* PAGELAB_<name> as a number, or the given one. */
uint64_t model_env(const char *name, uint64_t otherwise);

#endif
