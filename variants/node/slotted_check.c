/* slotted_check.c - the check of slotted: the invariants at the head of slotted.c, in their order on the page. */
#include "variants/node/records_check.h"
#include "variants/node/slotted.h"

#include <stdio.h>

static int check_slotted(const struct nod_cfg *c, const uint8_t *page, bool leaf, struct pl_fault *f)
{
	uint32_t state = at16(page, AT_STATE);
	if (state & ~(uint32_t)STATE_MASK || at16(page, AT_SPARE))
		return damaged(f, "state %u and spare %u have unknown bits", state, at16(page, AT_SPARE));
	int err = check_sizes(c, page, leaf, arrays_for(c, at16(page, AT_COUNT)).end, f);
	struct nod_arrays a = arrays_of(c, page);
	if (!err)
		err = check_fences(c, page, f);
	if (!err)
		err = check_heap(c, page, &a, f);
	for (uint32_t slot = 0; !err && slot < a.count; slot++) {
		err = check_entry(c, page, &a, leaf, slot, f);
		if (!err && a.head_bytes && head_at(page, &a, slot) != head_of(record_at(c, page, &a, slot).suffix))
			err = damaged(f, "the head of slot %u is not the beginning of its key", slot);
	}
	if (!err)
		err = check_order(c, page, &a, f);
	for (uint32_t i = 0; !err && i < c->derived[HINTS]; i++)
		if (at32(page, AT_ARRAYS + HINT_BYTES * i) != hint_for(c, page, &a, i))
			err = damaged(f, "hint %u is not the head of the slot it stands for", i);
	return err ? err : check_gap(c, page, &a, f);
}

int slotted_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes)
{
	struct pl_fault f = {PL_OK, ""};
	int err = check_slotted(c, page, leaf, &f);
	if (err)
		(void)snprintf(why, why_bytes, "%s", f.text);
	return err;
}
