/* touch.h - hooks at every read of page memory on the way of a search: lower_bound, and what entry reads of the page.
 *
 * Normally they are nothing. With NOD_TRACED a layout's sources are compiled a second time (harness/node_traced_*.c) and
 * tell whoever listens (harness/node_trace.c) which bytes they looked at, what they compared and what they prefetched.
 *
 * Rules
 *  1. What a search's outcome depends on is touched: change any other byte, and neither the outcome nor what is touched
 *     changes (harness/node_trace_test.c does change them, all).
 *  2. A comparison of bytes touches those up to and including the first that differ: the same on every machine, though
 *     memcmp may look at more.
 *  3. What is touched and counted is the same whichever instructions a machine has. */
#ifndef PL_NODE_TOUCH_H
#define PL_NODE_TOUCH_H

#include "engine/base/types.h"

#include <string.h>

enum nod_compared { /* the key of the search was compared with */
	NOD_IN_ARRAY, /* an integer key, a head or a hint: an element of a dense array */
	NOD_IN_TRIE, /* a node of a trie */
	NOD_IN_RECORD, /* key bytes that are found through a slot or a start */
	NOD_COMPARED
};

/* Of harness/node_trace.c; addresses outside the page that is traced are ignored. */
void nod_trace_touch(const void *p, size_t n);
void nod_trace_prefetch(const void *p);
void nod_trace_compared(enum nod_compared with, uint32_t n);

#ifdef NOD_TRACED
static inline void touch(const void *p, size_t n)
{
	nod_trace_touch(p, n);
}
static inline void touch_ahead(const void *p)
{
	nod_trace_prefetch(p);
}
static inline void compared(enum nod_compared with, uint32_t n)
{
	nod_trace_compared(with, n);
}
static inline void touch_differing(const void *p, const void *q, size_t n)
{
	size_t same = 0;
	while (same < n && ((const uint8_t *)p)[same] == ((const uint8_t *)q)[same])
		same++;
	nod_trace_touch(p, same < n ? same + 1 : n);
}
#else
static inline void touch(const void *p, size_t n)
{
	(void)p;
	(void)n;
}
static inline void touch_ahead(const void *p)
{
	__builtin_prefetch(p);
}
static inline void compared(enum nod_compared with, uint32_t n)
{
	(void)with;
	(void)n;
}
static inline void touch_differing(const void *p, const void *q, size_t n)
{
	(void)p;
	(void)q;
	(void)n;
}
#endif

/* memcmp of n bytes of a key with n of the page. */
static inline int touch_memcmp(const void *key, const void *in_page, size_t n)
{
	touch_differing(in_page, key, n);
	return memcmp(key, in_page, n);
}

/* Order of key bytes that lie in the page to those of the key that is searched. */
static inline int touch_cmp(pl_slice in_page, pl_slice key)
{
	touch_differing(in_page.p, key.p, in_page.n < key.n ? in_page.n : key.n);
	compared(NOD_IN_RECORD, 1);
	return pl_slice_cmp(in_page, key);
}

#endif
