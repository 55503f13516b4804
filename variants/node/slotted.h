/* slotted.h - what the files of slotted share: reading a page, whatever its bytes. slotted.c has the drawing and the
 * operations, slotted_check.c the check. */
#ifndef PL_NODE_SLOTTED_H
#define PL_NODE_SLOTTED_H

#include "variants/node/records.h"

enum {
	AT_SPARE = AT_OWN, /* zero */
	HINT_BYTES = 4, /* hints, if there are any, lie before the arrays */
	PAGE_BYTES_MIN = 2048,
	HINTS_MAX = 32,
	HINT_STEP_MIN = 2, /* there are no hints while they would stand so close */
	STATE_MASK = LEAF | LOWEST | INFINITE | UPPER_CUT,
};

enum { HINTS, HEAD_BYTES_EACH, SLOTS_MAX }; /* nod_cfg.derived[] */

static inline struct nod_arrays arrays_for(const struct nod_cfg *c, uint32_t count)
{
	return arrays_at(
		AT_ARRAYS + HINT_BYTES * (uint32_t)c->derived[HINTS], (uint32_t)c->derived[HEAD_BYTES_EACH], count);
}

/* No more entries than the page has room for. */
static inline struct nod_arrays arrays_of(const struct nod_cfg *c, const uint8_t *page)
{
	return arrays_for(c, min32(at16(page, AT_COUNT), (uint32_t)c->derived[SLOTS_MAX]));
}

/* Slots from one hint to the next: hint i is the head of slot (i + 1) * step. 0: the hints are not in use. */
static inline uint32_t hint_step(const struct nod_cfg *c, uint32_t count)
{
	uint32_t hints = (uint32_t)c->derived[HINTS], step = hints ? count / (hints + 1) : 0;
	return step < HINT_STEP_MIN ? 0 : step;
}

/* What hint i has to be. */
static inline uint32_t hint_for(const struct nod_cfg *c, const uint8_t *page, const struct nod_arrays *a, uint32_t i)
{
	uint32_t slot = (i + 1) * hint_step(c, a->count);
	if (slot == 0)
		return 0;
	return a->head_bytes ? head_at(page, a, slot) : head_of(record_at(c, page, a, slot).suffix);
}

/* The contract's operations that more than one file needs. */
int slotted_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes);
void slotted_entry(const struct nod_cfg *c, const uint8_t *page, uint32_t slot, struct nod_entry *e);
struct nod_gap slotted_gap(const struct nod_cfg *c, const uint8_t *page);

#endif
