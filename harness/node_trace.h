/* node_trace.h - which bytes of a page a search looks at: exact counts, the same on every machine.
 *
 * The layouts are compiled a second time with the hooks of variants/node/touch.h turned on (node_traced_*.c); nothing
 * else uses these twins. One page at a time, one thread. */
#ifndef PL_HARNESS_NODE_TRACE_H
#define PL_HARNESS_NODE_TRACE_H

#include "engine/iface/node.h"
#include "variants/node/touch.h"

#define NODE_LINE_BYTES 64u
#define NODE_PAGE_BYTES_MAX 65536u

/* Sets of bytes and lines of the page, by offset. */
struct node_trace {
	const uint8_t *page; /* at a multiple of 64 */
	uint32_t page_bytes;
	uint64_t compared[NOD_COMPARED]; /* with the key that is searched, by where the bytes lie */
	uint64_t byte[NODE_PAGE_BYTES_MAX / 64]; /* touched */
	uint64_t line[NODE_PAGE_BYTES_MAX / NODE_LINE_BYTES / 64]; /* touched */
	uint64_t ahead[NODE_PAGE_BYTES_MAX / NODE_LINE_BYTES / 64]; /* prefetched */
};

/* The traced twin of a layout, by its name; NULL if it has none (a test says that all have). */
const struct nod_ops *node_traced(const char *name);

/* From now on what is touched of page[0, page_bytes) is entered in *t, which is emptied first. */
void node_trace_begin(struct node_trace *t, const uint8_t *page, uint32_t page_bytes);
void node_trace_end(void);
uint32_t node_trace_bytes(const struct node_trace *t);
uint32_t node_trace_lines(const struct node_trace *t);
/* Lines that were prefetched, touched afterwards or not. */
uint32_t node_trace_ahead(const struct node_trace *t);

#endif
