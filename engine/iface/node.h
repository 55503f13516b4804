/* node.h - the contract of the axis `node`: how a page is laid out inside.
 *
 * A layout is a set of stateless functions on buf[page_bytes]. It owns the bytes [64, page_bytes); the first
 * 64 belong to the store (engine/store/page.h) and are never read or written here.
 * Leaves and inner nodes hold the same thing, entries sorted by key: {key, value, 4 flag bits}. In an inner node every
 * value is an 8-byte reference to a child and the first entry's key is empty: child(key) is the last entry whose key
 * is <= key.
 *
 * Invariants every layout keeps (and `check` verifies, in words):
 *  1. Keys strictly ascend; every key lies in [lower, upper) as given to init or split.
 *  2. The same operations on the same initial bytes give the same bytes, on every machine.
 *  3. After `compact`, everything between gap.lo and gap.hi is zero and nothing outside it is garbage.
 *  4. Read functions stay inside [0, page_bytes) and terminate for ANY bytes: a reader may look at a page while the
 *     writer changes it, or at a damaged one; what they return is then arbitrary, but in bounds.
 *  5. insert, update and merge leave the page unchanged when they return an error. */
#ifndef PL_IFACE_NODE_H
#define PL_IFACE_NODE_H

#include "engine/base/conf.h"

#define PL_PAGE_HEADER 64u
#define NOD_FLAGS_MASK 15u

enum { /* flag bits of a record */
	NOD_OVERFLOW = 1, /* the value is a struct of 24 bytes {length, stamp, reference}: see engine/btree */
	NOD_TOMBSTONE = 2, /* for runs */
	NOD_BULK_NEW = 4, /* for bulk operations under versions */
	NOD_BULK_OLD = 8,
};

/* What all nodes of a store share; layouts may keep derived constants in `derived`. */
struct nod_cfg {
	uint32_t page_bytes;
	uint32_t max_key_bytes; /* page_bytes / 8 */
	uint32_t int_keys; /* 1: every key is exactly 8 bytes, big-endian; layouts may use integer arrays.
	                           * The empty key (-infinity) is still allowed as the first key of an inner node. */
	uint64_t derived[8]; /* set by configure */
};

struct nod_entry {
	pl_slice prefix, suffix; /* key = prefix . suffix (prefix may be empty); may point into the page or into key8 */
	pl_slice value; /* points into the page */
	unsigned flags;
	uint8_t key8[8]; /* room for layouts that rebuild an integer key */
};

struct nod_gap {
	uint32_t lo, hi;
}; /* the free bytes in the middle: [lo, hi), offsets in the page */

/* What the bytes [64, page_bytes) of a page serve; their sum is page_bytes - 64. */
struct nod_anatomy {
	uint32_t fixed_bytes; /* bookkeeping of the page, fences included */
	uint32_t trie_bytes; /* room for the trie, */
	uint32_t trie_used_bytes; /* of which so many are used; no part of the sum */
	uint32_t hint_bytes, head_bytes; /* copies of key bytes that serve searches only */
	uint32_t slot_bytes; /* slots, starts, lengths, flags: what links an entry to its bytes */
	uint32_t key_bytes, value_bytes; /* as stored: keys without what is kept once a page */
	uint32_t free_bytes; /* the gap and the dead bytes that a compact would add to it */
};

struct nod_ops {
	const char *name, *summary;
	const char *unavailable;
	const struct pl_opt *opts;

	int (*configure)(struct nod_cfg *c, const struct pl_conf *conf, struct pl_fault *f); /* NULL: nothing to do */
	void (*init)(const struct nod_cfg *c, uint8_t *page, bool leaf, pl_slice lower, pl_slice upper);

	uint32_t (*count)(const struct nod_cfg *c, const uint8_t *page);
	uint32_t (*lower_bound)(const struct nod_cfg *c, const uint8_t *page, pl_slice key, bool *exact);
	void (*entry)(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e);
	bool (*room)(const struct nod_cfg *c, const uint8_t *page, size_t key_bytes, size_t value_bytes);

	int (*insert)(
		const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice key, pl_slice value, unsigned flags);
	int (*update)(const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags);
	void (*remove)(const struct nod_cfg *c, uint8_t *page, uint32_t slot);

	void (*split)(const struct nod_cfg *c, uint8_t *left, uint8_t *right, uint32_t slot, pl_slice key, uint8_t *sep,
		size_t *sep_bytes);
	int (*merge)(const struct nod_cfg *c, uint8_t *left, const uint8_t *right, pl_slice sep);
	void (*compact)(const struct nod_cfg *c, uint8_t *page);
	struct nod_gap (*gap)(const struct nod_cfg *c, const uint8_t *page);
	uint32_t (*live_bytes)(const struct nod_cfg *c, const uint8_t *page);

	int (*check)(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes);
	void (*anatomy)(const struct nod_cfg *c, const uint8_t *page, struct nod_anatomy *out);
};

/* Make page an empty leaf or inner node for keys in [lower, upper); upper.n == 0 means +infinity. All of
 * [64, page_bytes) is set; unused bytes are zero. Layouts may drop the common prefix of lower and upper
 * (never when upper is infinite). lower and upper are copied if kept. */
static inline void nod_init(
	const struct nod_ops *o, const struct nod_cfg *c, uint8_t *page, bool leaf, pl_slice lower, pl_slice upper)
{
	o->init(c, page, leaf, lower, upper);
}

static inline uint32_t nod_count(const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page)
{
	return o->count(c, page);
}

/* The whole search inside a page in one call: first slot whose key >= key (count if none); *exact says equal. */
static inline uint32_t nod_lower_bound(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, pl_slice key, bool *exact)
{
	return o->lower_bound(c, page, key, exact);
}

/* Slot of the child for key in an inner node with at least one entry. */
static inline uint32_t nod_child(const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, pl_slice key)
{
	bool exact = false;
	uint32_t s = o->lower_bound(c, page, key, &exact);
	return exact || s == 0 ? s : s - 1;
}

/* Borrow entry `slot`; slices are valid until the page changes (or e does, for key8). A slot past the end gives an
 * empty entry. */
static inline void nod_entry(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e)
{
	o->entry(c, page, slot, e);
}

/* True only if an insert of a key and value of these lengths (and, for an existing key, an update to a value of this
 * length) is certain to succeed, compacting inside if need be. */
static inline bool nod_room(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, size_t key_bytes, size_t value_bytes)
{
	return o->room(c, page, key_bytes, value_bytes);
}

/* Insert at `slot` (as lower_bound gave it, not exact). key and value must not point into the page: it may be compacted.
 * PL_NOFIT leaves the page unchanged. */
static inline int PL_MUST_USE nod_insert(const struct nod_ops *o, const struct nod_cfg *c, uint8_t *page, uint32_t slot,
	pl_slice key, pl_slice value, unsigned flags)
{
	return o->insert(c, page, slot, key, value, flags);
}

/* Replace value and flags of `slot`. A value not longer than the old one always fits; of equal length it is written
 * where the old one lies (so a borrowed value slice keeps its place). value must not point into the page.
 * PL_NOFIT leaves the page unchanged. */
static inline int PL_MUST_USE nod_update(
	const struct nod_ops *o, const struct nod_cfg *c, uint8_t *page, uint32_t slot, pl_slice value, unsigned flags)
{
	return o->update(c, page, slot, value, flags);
}

static inline void nod_remove(const struct nod_ops *o, const struct nod_cfg *c, uint8_t *page, uint32_t slot)
{
	o->remove(c, page, slot);
}

/* Split a full node before inserting `key` at `slot`. right is uninitialised memory of a page (its header bytes are
 * not touched). Afterwards left holds keys < *sep, right keys >= *sep, both with their narrowed bounds; sep (room for
 * max_key_bytes) is the shortest separator for a leaf (with int_keys all 8 bytes of one), and for an inner node the key that moved up, whose entry is
 * right's first, with an empty key. A key to be inserted at the very end leaves left as it is and right empty of
 * entries (leaf) so that sorted loads fill pages: then last key of left < sep <= key. An inner node always keeps at
 * least one entry in right: its last. Else halves by bytes. Afterwards the key fits on its side, if key and value
 * obey the limits of the store (key <= max_key_bytes, key + value <= (page_bytes - 64) / 4). Needs count >= 2 unless
 * the key goes to the end. */
static inline void nod_split(const struct nod_ops *o, const struct nod_cfg *c, uint8_t *left, uint8_t *right,
	uint32_t slot, pl_slice key, uint8_t *sep, size_t *sep_bytes)
{
	o->split(c, left, right, slot, key, sep, sep_bytes);
}

/* Append all entries of right, whose lower bound is sep, to left (for inner nodes right's first entry gets the key
 * sep); left's upper bound becomes right's. PL_NOFIT leaves both unchanged. */
static inline int PL_MUST_USE nod_merge(
	const struct nod_ops *o, const struct nod_cfg *c, uint8_t *left, const uint8_t *right, pl_slice sep)
{
	return o->merge(c, left, right, sep);
}

/* Gather all free bytes into the one gap and zero it. Slots keep their numbers. */
static inline void nod_compact(const struct nod_ops *o, const struct nod_cfg *c, uint8_t *page)
{
	o->compact(c, page);
}

/* The free bytes in the middle. Zero if nothing was removed or moved since the last compact or init. */
static inline struct nod_gap nod_gap(const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page)
{
	return o->gap(c, page);
}

/* Bytes that entries and their bookkeeping need after a compact (without the 64): page_bytes - 64 less the gap. What a merge
 * has to fit, but for the separator that a merge of inner nodes brings down. */
static inline uint32_t nod_live_bytes(const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page)
{
	return o->live_bytes(c, page);
}

/* PL_OK, or PL_DAMAGED and the first violated invariant in words. Reads only inside the page, for any bytes. */
static inline int PL_MUST_USE nod_check(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes)
{
	return o->check(c, page, leaf, why, why_bytes);
}

/* What a sound page's bytes serve. */
static inline void nod_anatomy_of(
	const struct nod_ops *o, const struct nod_cfg *c, const uint8_t *page, struct nod_anatomy *out)
{
	o->anatomy(c, page, out);
}

/* Copy the key of e into out (room for max_key_bytes); returns its length. */
static inline size_t nod_key_copy(const struct nod_entry *e, uint8_t *out)
{
	if (e->prefix.n)
		__builtin_memcpy(out, e->prefix.p, e->prefix.n);
	if (e->suffix.n)
		__builtin_memcpy(out + e->prefix.n, e->suffix.p, e->suffix.n);
	return e->prefix.n + e->suffix.n;
}

#endif
