/* parts.h - a key in two pieces, as pages that keep the common beginning of their keys apart have them. */
#ifndef PL_NODE_PARTS_H
#define PL_NODE_PARTS_H

#include "engine/iface/node.h"

#include <string.h>

struct nod_parts { /* a, then b; borrowed */
	pl_slice a, b;
};

static inline size_t parts_bytes(const struct nod_parts *k)
{
	return k->a.n + k->b.n;
}

/* Copy the bytes [from, to) of k. */
static inline void parts_copy(uint8_t *out, const struct nod_parts *k, size_t from, size_t to)
{
	size_t n = k->a.n;
	if (from < n) {
		size_t end = to < n ? to : n;
		memcpy(out, k->a.p + from, end - from);
		out += end - from;
		from = end;
	}
	if (from < to)
		memcpy(out, k->b.p + (from - n), to - from);
}

/* Length of the common beginning, at most `most`. */
static inline size_t common_bytes(const struct nod_parts *x, const struct nod_parts *y, size_t most)
{
	for (size_t n = 0;; n++) {
		if (n == most || n == parts_bytes(x) || n == parts_bytes(y))
			return n;
		uint8_t in_x = n < x->a.n ? x->a.p[n] : x->b.p[n - x->a.n];
		uint8_t in_y = n < y->a.n ? y->a.p[n] : y->b.p[n - y->a.n];
		if (in_x != in_y)
			return n;
	}
}

static inline struct nod_parts parts_of(pl_slice key)
{
	return (struct nod_parts){key, pl_slice_of(key.p, 0)};
}

#endif
