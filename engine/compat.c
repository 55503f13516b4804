/* compat.c - where axes touch: the complete list of combinations that are refused, each with its reason.
 *
 * Looks at what the ops tables say of themselves, never at a name, so that a new choice is judged by its traits. */
#include "engine/store/store.h"

const char *kv_refusal(const struct kv_choice *c)
{
	bool in_place = c->placement->in_place;
	if (c->addressing->fixed && !in_place)
		return "fixed addresses need a placement in place: out of place a page moves, so something must know "
		       "where";
	if (!c->addressing->fixed && in_place)
		return "in place a page never moves: neither a mapping table nor its parent would have anything to say";
	if (in_place && c->device->sequential)
		return "this device takes writes only at a zone's write pointer, so nothing can be overwritten in "
		       "place";
	if (!c->placement->appends && c->device->sequential)
		return "this device takes writes only at a zone's write pointer, so a free extent inside a zone cannot "
		       "be used again";
	if (!in_place && !c->guard->unsafe)
		return "a guard protects what is overwritten in place: out of place there is nothing to guard";
	if (in_place && c->guard->unsafe && c->durability->logs)
		return "a log is rolled forward onto the image of an anchor: without a guard a crash leaves none in "
		       "place";
	return NULL;
}
