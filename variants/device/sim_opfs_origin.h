/* sim_opfs_origin.h - an origin's files by name: bodies, handles, quota, and the changes of names not yet durable.
 *
 * Names are the numbers 0..files-1. A name refers to a body (sim_opfs_file.h) or to none.
 *
 * Invariants:
 *  1. existing, charged, handles and held are the sums over the names.
 *  2. A name that nobody has open is charged the size of its body; an open one at least that.
 *  3. change[] holds what names referred to before their last changes, oldest first: undoing them from the last one on
 *     gives every earlier state. Each name and each entry has a reference to its body.
 * Cost: constant, but for what says "all names". */
#ifndef PL_SIM_OPFS_ORIGIN_H
#define PL_SIM_OPFS_ORIGIN_H

#include "variants/device/sim_opfs_file.h"
#include "variants/device/sim_opfs_options.h"

struct opfs_name {
	struct opfs_body *body; /* NULL: no such file */
	uint32_t handles, held; /* of the worker; of a terminated one */
	bool closed; /* by the worker, on purpose */
	uint64_t charged; /* bytes */
};

struct opfs_change {
	uint64_t at_ns;
	uint32_t names;
	uint64_t name[2];
	struct opfs_body *before[2]; /* with a reference */
};

struct opfs_origin {
	struct opfs_disk disk;
	struct opfs_rules rules;
	uint64_t files;
	struct opfs_name *name;
	uint64_t existing, charged, handles, held;
	struct opfs_change *change;
	uint64_t changes, changes_room;
};

/* All files exist, empty and open, or (rules.fresh) none does. PL_NOMEM; deinit in any case. */
int opfs_origin_init(struct opfs_origin *o, const struct opfs_rules *rules, uint64_t files, bool contentless,
	uint64_t seed) PL_MUST_USE;
void opfs_origin_deinit(struct opfs_origin *o);
/* *to is initialised; deinit in any case. */
int opfs_origin_clone(struct opfs_origin *to, const struct opfs_origin *from) PL_MUST_USE;

/* Bytes used of the quota. */
static inline uint64_t opfs_quota_used(const struct opfs_origin *o)
{
	return o->charged + o->existing * o->rules.entry_bytes;
}
/* The bytes that a file, open, is to be charged when it is to have size bytes. */
uint64_t opfs_charge_for(const struct opfs_origin *o, const struct opfs_name *n, uint64_t size);
void opfs_charge(struct opfs_origin *o, struct opfs_name *n, uint64_t bytes);
bool opfs_quota_allows(const struct opfs_origin *o, uint64_t more_bytes);

/* old: the terminated worker's handle, else the worker's. */
static inline bool opfs_is_open(const struct opfs_name *n, bool old)
{
	return (old ? n->held : n->handles) != 0;
}
/* May a handle be opened? PL_LOCKED, PL_HANDLES, PL_QUOTA (to make the file). */
int opfs_open_check(const struct opfs_origin *o, const struct opfs_name *n) PL_MUST_USE;
/* Make the file if need be, open a handle. PL_NOMEM. */
int opfs_open(struct opfs_origin *o, uint64_t file, bool old, uint64_t now_ns) PL_MUST_USE;
/* It is open. */
void opfs_close(struct opfs_origin *o, uint64_t file, bool old);
/* All names: the worker's handles become the terminated worker's; that one's are closed; all are. */
void opfs_handles_hold(struct opfs_origin *o);
void opfs_held_close(struct opfs_origin *o);
void opfs_handles_drop(struct opfs_origin *o);

/* from exists; nobody has either open. PL_NOMEM. */
int opfs_move(struct opfs_origin *o, uint64_t from, uint64_t to, uint64_t now_ns) PL_MUST_USE;
int opfs_remove(struct opfs_origin *o, uint64_t file, uint64_t now_ns) PL_MUST_USE;
/* Changes of names old enough are beyond undoing. */
void opfs_changes_expire(struct opfs_origin *o, uint64_t now_ns);
/* Undo the last n; the others are durable. */
void opfs_changes_settle(struct opfs_origin *o, uint64_t undone);
/* Nothing is left. */
void opfs_evict(struct opfs_origin *o);

uint64_t opfs_stored_bytes(const struct opfs_origin *o);

#endif
