/* sim_zns_state.h - the zone state machine of sim_zns, without time: states, limits, write pointers, random write areas.
 *
 * After the NVM Express Zoned Namespace Command Set Specification, rev. 1.1, and its Zone Random Write Area (TP 4076).
 *
 *   ZSE  empty   ZSIO  implicitly opened   ZSEO  explicitly opened   ZSC  closed   ZSF  full   ZSRO  read only
 *   ZSO  offline
 *
 *   command       ZSE    ZSIO   ZSEO   ZSC    ZSF    ZSRO   ZSO
 *   write, append ZSIO   ZSIO   ZSEO   ZSIO   full   state  state   the capacity's last block: ZSF from each of the four
 *   open          ZSEO   ZSEO   ZSEO   ZSEO   state  state  state
 *   close         state  ZSC    ZSC    ZSC    state  state  state   also ZSC when nothing was written
 *   finish        ZSF    ZSF    ZSF    ZSF    ZSF    state  state   needs no resource
 *   reset         ZSE    ZSE    ZSE    ZSE    ZSE    state  state
 *   flush (area)  state  ZSIO   ZSEO   ZSIO   state  state  state   state in all where the zone has no area
 *   read          reads  reads  reads  reads  reads  reads  state
 *
 * "state" is PL_ZONE_STATE (the standard's Invalid Zone State Transition, Zone Is Read Only, Zone Is Offline, Invalid
 * Zone Operation Request), "full" is PL_ZONE_FULL (Zone Is Full). A refused command changes nothing and is counted by
 * reason.
 *
 * Resources. open = ZSIO + ZSEO <= max_open; active = open + ZSC <= max_active. A command that opens a zone when
 * max_open are open closes the implicitly opened zone that was written longest ago (the standard leaves the choice to
 * the controller); when there is none, PL_ZONE_OPEN_LIMIT. A zone that leaves ZSE for another than ZSF also needs an
 * active resource, else PL_ZONE_ACTIVE_LIMIT.
 *
 * Checks of a write, in this order: ZSRO or ZSO, ZSF, the pointer (PL_ZONE_POINTER, Zone Invalid Write), the capacity
 * (PL_ZONE_FULL, Zone Boundary Error), the limits.
 *
 * Random write area. open with an area gives an empty zone one of `areas` (none left: PL_ZONE_ACTIVE_LIMIT; zone not
 * empty: PL_ZONE_STATE; the zone has one: a plain open). It keeps it until it is full, reset, lost.
 *
 *     write pointer         + area_blocks           + 2 * area_blocks
 *     |  window: any order,  |  a write that ends here moves the pointer up by whole granules, so that its end is
 *     |  again and again     |  the window's end: what the pointer passed is programmed ("implicit flush")
 *
 * A write that begins below the pointer or ends beyond twice the window: PL_ZONE_POINTER. An append: PL_ZONE_STATE.
 * flush moves the pointer to a given block of the window, a whole number of granules up, else PL_ZONE_POINTER. Blocks
 * that the pointer passes unwritten read as zeros and are programmed all the same.
 *
 * Wear, off unless asked for: a zone whose count of resets has reached its endurance (mean 50..150 %, drawn from the
 * seed) goes to ZSRO at its next write, or to ZSO at its next reset; the command gets PL_ZONE_STATE.
 *
 * Invariants (zns_check):
 *  1. open <= max_open, active <= max_active, and both are what the zones' states say; so are areas_used.
 *  2. write_pointer <= capacity; ZSE => 0; ZSF <=> at the capacity (ZSRO and ZSO aside); written <= write_pointer.
 *  3. The list oldest..newest holds the zones in ZSIO and no others.
 *  4. A zone with an area is active; its bits name blocks of its window only.
 * Cost: O(1) a command and O(blocks) for the bits of an area; nothing per block of the device is stored. */
#ifndef PL_SIM_ZNS_STATE_H
#define PL_SIM_ZNS_STATE_H

#include "engine/iface/device.h"

#define ZNS_NONE UINT32_MAX

#define ZNS_REFUSALS_TABLE(X)                                                                                          \
	X(STATE, "rejected_state")                                                                                     \
	X(FULL, "rejected_full")                                                                                       \
	X(POINTER, "rejected_pointer")                                                                                 \
	X(BOUNDARY, "rejected_boundary")                                                                               \
	X(OPEN, "rejected_open_limit")                                                                                 \
	X(ACTIVE, "rejected_active_limit")                                                                             \
	X(AREA, "rejected_zrwa_limit")

enum zns_refusal {
#define X(id, name) ZNS_REFUSED_##id,
	ZNS_REFUSALS_TABLE(X)
#undef X
		ZNS_REFUSALS
};

struct zns_zone {
	uint64_t write_pointer; /* blocks from the zone's start */
	uint64_t written; /* the same, but for a finished zone what was there before */
	uint32_t older, newer; /* list of the implicitly opened */
	uint32_t area; /* index, or ZNS_NONE */
	uint32_t resets; /* of a zone in use */
	enum dev_zone_state state;
	bool finished; /* by command, since the last reset */
};

struct zns_limits {
	uint64_t zones, capacity; /* blocks of a zone that can be written */
	uint32_t max_open, max_active; /* 0: none */
	uint32_t areas; /* zones that may have a random write area */
	uint32_t area_blocks, granule; /* 0: no areas; capacity and area_blocks are multiples of the granule */
	uint64_t read_only_resets, offline_resets; /* mean endurance; 0: endless */
	uint64_t seed;
};

struct zns_state {
	struct zns_limits limits;
	struct zns_zone *zone;
	uint64_t *bits; /* areas * area_words: which blocks of a window were written; bit = block % area_blocks */
	uint32_t *area_free; /* stack of free areas */
	uint32_t open, active, areas_used, area_words;
	uint32_t oldest, newest;
	uint64_t held; /* blocks that hold data: written ones and those of windows */
	uint64_t implicit_closes, refused[ZNS_REFUSALS];
	uint64_t area_writes, area_overwrites, area_flushed, area_implicit_flushes; /* blocks, but the last */
	uint64_t padded; /* blocks that finish had to program */
	/* NULL, or told of each block that a pointer passes in a random write area without its having been written */
	void (*hole)(void *arg, uint64_t zone, uint64_t at);
	void *hole_arg;
};

/* What a command that succeeded asks of the medium. */
struct zns_effect {
	uint64_t at; /* first block written, from the zone's start */
	uint64_t programmed; /* blocks that the flash has to program on account of it */
	bool opened; /* the zone was opened implicitly */
};

/* PL_NOMEM. *s is initialised by this call; after a failure there is nothing to deinit. A clone has the same hole_arg.
 */
int zns_state_init(struct zns_state *s, const struct zns_limits *limits) PL_MUST_USE;
void zns_state_deinit(struct zns_state *s);
int zns_state_clone(struct zns_state *to, const struct zns_state *from) PL_MUST_USE;

static inline bool zns_is_open(enum dev_zone_state st)
{
	return st == DEV_ZONE_IMPLICIT_OPEN || st == DEV_ZONE_EXPLICIT_OPEN;
}
static inline bool zns_is_active(enum dev_zone_state st)
{
	return zns_is_open(st) || st == DEV_ZONE_CLOSED;
}
static inline bool zns_is_lost(enum dev_zone_state st)
{
	return st == DEV_ZONE_READ_ONLY || st == DEV_ZONE_OFFLINE;
}

/* The commands; zone < zones; blocks are counted from the zone's start. PL_OK or a refusal. */
int zns_write(struct zns_state *s, uint64_t zone, uint64_t at, uint64_t blocks, struct zns_effect *e);
int zns_append(struct zns_state *s, uint64_t zone, uint64_t blocks, struct zns_effect *e);
int zns_open(struct zns_state *s, uint64_t zone, bool area);
int zns_close(struct zns_state *s, uint64_t zone);
int zns_finish(struct zns_state *s, uint64_t zone, struct zns_effect *e);
int zns_reset(struct zns_state *s, uint64_t zone);
int zns_flush(struct zns_state *s, uint64_t zone, uint64_t to, struct zns_effect *e);
int zns_read(struct zns_state *s, uint64_t zone);

/* Does a block of the zone hold what was written to it (else it reads as zeros)? */
bool zns_holds(const struct zns_state *s, const struct zns_zone *z, uint64_t at);

/* Put a zone into a state out of band, without an area. PL_INVALID: no zone can be so (invariant 2); the two limits. */
int zns_force(struct zns_state *s, uint64_t zone, enum dev_zone_state state, uint64_t write_pointer) PL_MUST_USE;

/* NULL, or which invariant does not hold (static text). */
const char *zns_check(const struct zns_state *s);

#endif
