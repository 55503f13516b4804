/* b2_check.c - the check of b2: the invariants at the head of b2.c, in their order on the page. The trie's are in
 * b2_trie.c. */
#include "variants/node/b2.h"
#include "variants/node/records_check.h"

#include <stdio.h>

static int check_b2(const struct nod_cfg *c, const uint8_t *page, bool leaf, struct pl_fault *f)
{
	uint32_t state = at16(page, AT_STATE);
	if (state & ~(uint32_t)STATE_MASK)
		return damaged(f, "state %u has unknown bits", state);
	uint32_t end = arrays_for(c, at16(page, AT_COUNT), state & HEADS ? HEAD_BYTES : 0).end;
	int err = check_sizes(c, page, leaf, end, f);
	struct nod_arrays a = arrays_of(c, page);
	if (!err)
		err = check_fences(c, page, f);
	if (!err)
		err = check_heap(c, page, &a, f);
	for (uint32_t slot = 0; !err && slot < a.count; slot++)
		err = check_entry(c, page, &a, leaf, slot, f);
	if (!err)
		err = check_order(c, page, &a, f);
	if (!err)
		err = b2_check_trie(c, page, f);
	return err ? err : check_gap(c, page, &a, f);
}

int b2_check(const struct nod_cfg *c, const uint8_t *page, bool leaf, char *why, size_t why_bytes)
{
	struct pl_fault f = {PL_OK, ""};
	int err = check_b2(c, page, leaf, &f);
	if (err)
		(void)snprintf(why, why_bytes, "%s", f.text);
	return err;
}
