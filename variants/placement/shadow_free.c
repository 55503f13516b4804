#include "variants/placement/shadow_free.h"

#include "engine/base/err.h"

#include <assert.h>
#include <stdlib.h>

int shadow_free_open(
	struct shadow_free *m, uint32_t blocks, uint32_t page_blocks, uint32_t exact, uint32_t region_blocks)
{
	*m = (struct shadow_free){
		.blocks = blocks, .page_blocks = page_blocks, .exact = exact, .region_blocks = region_blocks};
	m->bit = calloc(blocks / 64 + 1, sizeof *m->bit);
	m->length = calloc((size_t)blocks + 1, sizeof *m->length);
	m->next = calloc((size_t)blocks + 1, sizeof *m->next);
	m->previous = calloc((size_t)blocks + 1, sizeof *m->previous);
	m->list = calloc((size_t)exact + 1, sizeof *m->list);
	m->filled = calloc(exact / 64 + 1, sizeof *m->filled);
	m->avoid = calloc(blocks / region_blocks + 1, 1);
	if (!m->bit || !m->length || !m->next || !m->previous || !m->list || !m->filled || !m->avoid)
		return PL_NOMEM;
	for (uint32_t i = 0; i <= exact; i++)
		m->list[i] = SHADOW_NONE;
	return PL_OK;
}

void shadow_free_close(struct shadow_free *m)
{
	free(m->bit);
	free(m->length);
	free(m->next);
	free(m->previous);
	free(m->list);
	free(m->filled);
	free(m->avoid);
	*m = (struct shadow_free){0};
}

/* --- runs and their lists ------------------------------------------------------------------------------------------- */

static uint32_t list_of(const struct shadow_free *m, uint32_t length)
{
	return length < m->exact ? length : m->exact;
}

static void enlist(struct shadow_free *m, uint32_t block, uint32_t length)
{
	uint32_t k = list_of(m, length);
	m->length[block] = m->length[block + length - 1] = length;
	m->previous[block] = SHADOW_NONE;
	m->next[block] = m->list[k];
	if (m->list[k] != SHADOW_NONE)
		m->previous[m->list[k]] = block;
	m->list[k] = block;
	m->filled[k / 64] |= (uint64_t)1 << k % 64;
	m->free_blocks += length;
	m->whole_pages += length / m->page_blocks;
}

static void unlist(struct shadow_free *m, uint32_t block, uint32_t length)
{
	uint32_t k = list_of(m, length), next = m->next[block], previous = m->previous[block];
	if (next != SHADOW_NONE)
		m->previous[next] = previous;
	if (previous != SHADOW_NONE)
		m->next[previous] = next;
	else
		m->list[k] = next;
	if (m->list[k] == SHADOW_NONE)
		m->filled[k / 64] &= ~((uint64_t)1 << k % 64);
	m->free_blocks -= length;
	m->whole_pages -= length / m->page_blocks;
}

void shadow_free_give(struct shadow_free *m, uint32_t block, uint32_t n)
{
	uint32_t first = block, end = block + n;
	assert(n && end <= m->blocks && end > block);
	for (uint32_t b = block; b < end; b++) {
		assert(!shadow_free_is(m, b));
		m->bit[b / 64] |= (uint64_t)1 << b % 64;
	}
	if (block && shadow_free_is(m, block - 1)) {
		first = block - m->length[block - 1];
		unlist(m, first, block - first);
	}
	if (end < m->blocks && shadow_free_is(m, end)) {
		uint32_t behind = m->length[end];
		unlist(m, end, behind);
		end += behind;
	}
	enlist(m, first, end - first);
}

/* First block of the run that holds block. */
static uint32_t run_start(const struct shadow_free *m, uint32_t block)
{
	uint32_t w = block / 64;
	uint64_t taken = ~m->bit[w] & (UINT64_MAX >> (63 - block % 64));
	while (!taken && w)
		taken = ~m->bit[--w];
	return taken ? w * 64 + 64 - (uint32_t)__builtin_clzll(taken) : 0;
}

void shadow_free_take(struct shadow_free *m, uint32_t block, uint32_t n)
{
	uint32_t first = run_start(m, block), length = m->length[first], before = block - first;
	assert(n && shadow_free_is(m, block) && length >= before + n && before % m->page_blocks == 0);
	unlist(m, first, length);
	for (uint32_t b = block; b < block + n; b++)
		m->bit[b / 64] &= ~((uint64_t)1 << b % 64);
	if (before)
		enlist(m, first, before);
	if (length > before + n)
		enlist(m, block + n, length - before - n);
}

uint32_t shadow_free_run(const struct shadow_free *m, uint32_t block)
{
	if (block >= m->blocks || !shadow_free_is(m, block) || (block && shadow_free_is(m, block - 1)))
		return 0;
	return m->length[block];
}

/* --- looking for room ----------------------------------------------------------------------------------------------- */

/* The first list from k on that is not empty; exact + 1: none. */
static uint32_t filled_list(const struct shadow_free *m, uint32_t k)
{
	for (; k <= m->exact; k = (k / 64 + 1) * 64) {
		uint64_t word = m->filled[k / 64] >> k % 64;
		if (word)
			return k + (uint32_t)__builtin_ctzll(word);
	}
	return m->exact + 1;
}

static bool avoided(const struct shadow_free *m, uint32_t block)
{
	uint32_t last = (block + m->length[block] - 1) / m->region_blocks;
	for (uint32_t r = block / m->region_blocks; r <= last; r++)
		if (m->avoid[r])
			return true;
	return false;
}

static uint32_t of_list(const struct shadow_free *m, uint32_t k)
{
	uint32_t b = m->list[k];
	while (b != SHADOW_NONE && avoided(m, b))
		b = m->next[b];
	return b;
}

uint32_t shadow_free_smallest(const struct shadow_free *m, uint32_t n)
{
	assert(n <= m->exact);
	for (uint32_t k = filled_list(m, n); k <= m->exact; k = filled_list(m, k + 1)) {
		uint32_t b = of_list(m, k);
		if (b != SHADOW_NONE)
			return b;
	}
	return SHADOW_NONE;
}

uint32_t shadow_free_hole(const struct shadow_free *m, uint32_t n)
{
	for (uint32_t k = filled_list(m, n); k < m->exact; k = filled_list(m, k + 1)) {
		uint32_t b = k % m->page_blocks >= n ? of_list(m, k) : SHADOW_NONE;
		if (b != SHADOW_NONE)
			return b;
	}
	return SHADOW_NONE;
}

uint32_t shadow_bit_next(const uint64_t *map, uint32_t from, uint32_t end, bool value)
{
	uint64_t invert = value ? 0 : UINT64_MAX;
	for (uint32_t b = from; b < end; b = (b / 64 + 1) * 64) {
		uint64_t word = (map[b / 64] ^ invert) >> b % 64;
		if (word) {
			b += (uint32_t)__builtin_ctzll(word);
			return b < end ? b : end;
		}
	}
	return end;
}

static uint32_t next_between(const struct shadow_free *m, uint32_t from, uint32_t end, uint32_t n)
{
	uint32_t b = shadow_bit_next(m->bit, from, end, true);
	while (b < end) {
		if (m->length[b] >= n)
			return b;
		b = shadow_bit_next(m->bit, b + m->length[b], end, true);
	}
	return SHADOW_NONE;
}

uint32_t shadow_free_next(const struct shadow_free *m, uint32_t from, uint32_t n)
{
	assert(n <= m->exact);
	if (filled_list(m, n) > m->exact)
		return SHADOW_NONE;
	if (from < m->blocks && shadow_free_is(m, from)) {
		uint32_t first = run_start(m, from), pages = (uint32_t)pl_div_up(from - first, m->page_blocks);
		uint32_t before = pages * m->page_blocks, length = m->length[first];
		if (before < length && length - before >= n)
			return first + before;
		from = first + length;
	}
	uint32_t b = next_between(m, from, m->blocks, n);
	return b != SHADOW_NONE ? b : next_between(m, 0, from < m->blocks ? from : m->blocks, n);
}
