/* node_trace.c - enters what the traced layouts tell. What lies outside the page is not looked at: keys, scratch. */
#include "harness/node_trace.h"

#include <assert.h>
#include <string.h>

extern const struct nod_ops nod_slotted_traced, nod_ordinal_traced, nod_b2_traced;
static const struct nod_ops *const twins[] = {&nod_slotted_traced, &nod_ordinal_traced, &nod_b2_traced};

static struct node_trace *current;

const struct nod_ops *node_traced(const char *name)
{
	for (size_t i = 0; i < PL_COUNT(twins); i++)
		if (strcmp(twins[i]->name, name) == 0)
			return twins[i];
	return NULL;
}

void node_trace_begin(struct node_trace *t, const uint8_t *page, uint32_t page_bytes)
{
	assert(page_bytes <= NODE_PAGE_BYTES_MAX && (uintptr_t)page % NODE_LINE_BYTES == 0);
	memset(t, 0, sizeof *t);
	t->page = page;
	t->page_bytes = page_bytes;
	current = t;
}

void node_trace_end(void)
{
	current = NULL;
}

static inline bool in_page(const uint8_t *p)
{
	return current && p >= current->page && p < current->page + current->page_bytes;
}

static inline void mark(uint64_t *set, size_t i)
{
	set[i / 64] |= (uint64_t)1 << i % 64;
}

void nod_trace_touch(const void *p, size_t n)
{
	const uint8_t *at = p;
	if (!n || !in_page(at))
		return;
	size_t from = (size_t)(at - current->page);
	assert(from + n <= current->page_bytes);
	for (size_t i = from; i < from + n; i++)
		mark(current->byte, i);
	for (size_t i = from / NODE_LINE_BYTES; i <= (from + n - 1) / NODE_LINE_BYTES; i++)
		mark(current->line, i);
}

void nod_trace_prefetch(const void *p)
{
	if (in_page(p))
		mark(current->ahead, (size_t)((const uint8_t *)p - current->page) / NODE_LINE_BYTES);
}

void nod_trace_compared(enum nod_compared with, uint32_t n)
{
	if (current)
		current->compared[with] += n;
}

static uint32_t marked(const uint64_t *set, size_t words)
{
	uint32_t n = 0;
	for (size_t i = 0; i < words; i++)
		n += (uint32_t)__builtin_popcountll(set[i]);
	return n;
}

uint32_t node_trace_bytes(const struct node_trace *t)
{
	return marked(t->byte, PL_COUNT(t->byte));
}

uint32_t node_trace_lines(const struct node_trace *t)
{
	return marked(t->line, PL_COUNT(t->line));
}

uint32_t node_trace_ahead(const struct node_trace *t)
{
	return marked(t->ahead, PL_COUNT(t->ahead));
}
