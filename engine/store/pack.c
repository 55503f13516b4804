/* pack.c - see pack.h. */
#include "engine/store/pack.h"

#include "engine/base/err.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint32_t pack_units(const struct spc_image *img, uint32_t block_bytes)
{
	uint32_t unit = block_bytes / PAGE_UNITS, bitmap = img->bitmap;
	if (img->codec == SPC_CODEC_RAW || bitmap & (bitmap + 1)) /* what decodes from its payload alone */
		return 0;
	uint32_t units = (PL_PAGE_HEADER + img->payload_bytes + unit - 1) / unit;
	return units < PAGE_UNITS * (uint32_t)__builtin_popcount(bitmap) ? units : 0;
}

void pack_count(struct pack_account *a, uint32_t units, bool add)
{
	uint32_t part = units % PAGE_UNITS;
	uint64_t one = add ? 1 : UINT64_MAX;
	a->whole += one * (units / PAGE_UNITS);
	a->units += one * part;
	for (uint32_t k = 0; k < PACK_CLASSES; k++)
		if (part * (k + 2) > PAGE_UNITS)
			a->longer[k] += one;
}

uint64_t pack_takes(const struct pack_account *a)
{
	uint64_t most = pl_div_up(a->units * 17, PAGE_UNITS * 16);
	for (uint32_t k = 0; k < PACK_CLASSES; k++)
		most = pl_max64(most, pl_div_up(a->longer[k], k + 1));
	return a->whole + most;
}

uint64_t pack_ids(uint64_t blocks, uint32_t page_blocks)
{
	uint32_t least = PAGE_UNITS * page_blocks / 16;
	return blocks * PAGE_UNITS / (least > PAGE_UNITS / 8 ? least : PAGE_UNITS / 8);
}

int pack_open(struct pack_window *w, uint32_t blocks)
{
	*w = (struct pack_window){.blocks = blocks};
	w->lo = calloc(blocks, 1);
	w->hi = calloc(blocks, 1);
	w->next = calloc(blocks, sizeof *w->next);
	w->previous = calloc(blocks, sizeof *w->previous);
	pack_reset(w);
	return w->lo && w->hi && w->next && w->previous ? PL_OK : PL_NOMEM;
}

void pack_close(struct pack_window *w)
{
	free(w->lo);
	free(w->hi);
	free(w->next);
	free(w->previous);
	*w = (struct pack_window){0};
}

void pack_reset(struct pack_window *w)
{
	w->used = 0;
	w->filled = 0;
	for (uint32_t i = 0; i < PAGE_UNITS; i++)
		w->list[i] = PACK_NONE;
}

/* --- blocks by room ------------------------------------------------------------------------------------------------- */

static void enlist(struct pack_window *w, uint32_t block)
{
	uint32_t room = (uint32_t)(w->hi[block] - w->lo[block]);
	if (!room)
		return;
	w->previous[block] = PACK_NONE;
	w->next[block] = w->list[room];
	if (w->list[room] != PACK_NONE)
		w->previous[w->list[room]] = block;
	w->list[room] = block;
	w->filled |= (uint64_t)1 << room;
}

static void unlist(struct pack_window *w, uint32_t block)
{
	uint32_t room = (uint32_t)(w->hi[block] - w->lo[block]);
	if (!room)
		return;
	if (w->next[block] != PACK_NONE)
		w->previous[w->next[block]] = w->previous[block];
	if (w->previous[block] != PACK_NONE)
		w->next[w->previous[block]] = w->next[block];
	else
		w->list[room] = w->next[block];
	if (w->list[room] == PACK_NONE)
		w->filled &= ~((uint64_t)1 << room);
}

/* The block with the least room for so many units. */
static uint32_t best_fit(const struct pack_window *w, uint32_t units)
{
	uint64_t fits = units < PAGE_UNITS ? w->filled >> units : 0;
	return fits ? w->list[units + (uint32_t)__builtin_ctzll(fits)] : PACK_NONE;
}

/* Room at the very end of the last block. */
static uint32_t tail(const struct pack_window *w)
{
	uint32_t last = w->used - 1;
	return w->used && w->hi[last] == PAGE_UNITS ? PAGE_UNITS - w->lo[last] : 0;
}

uint32_t pack_new_blocks(const struct pack_window *w, uint32_t units)
{
	uint32_t whole = units / PAGE_UNITS, rest = units % PAGE_UNITS;
	if (!rest)
		return whole;
	if (!whole)
		return best_fit(w, units) == PACK_NONE;
	return whole + (tail(w) < rest);
}

static uint32_t add_block(struct pack_window *w, uint32_t lo)
{
	assert(w->used < w->blocks);
	uint32_t block = w->used++;
	w->lo[block] = (uint8_t)lo;
	w->hi[block] = PAGE_UNITS;
	enlist(w, block);
	return block;
}

void pack_put(struct pack_window *w, uint32_t units, uint32_t *block, uint32_t *offset)
{
	uint32_t whole = units / PAGE_UNITS, rest = units % PAGE_UNITS;
	uint32_t at = !rest ? PACK_NONE : !whole ? best_fit(w, units) : tail(w) >= rest ? w->used - 1 : PACK_NONE;
	*offset = 0;
	*block = w->used;
	if (at != PACK_NONE) {
		unlist(w, at);
		if (whole)
			w->hi[at] = (uint8_t)(w->hi[at] - rest);
		else
			w->lo[at] = (uint8_t)(w->lo[at] + rest);
		*block = at;
		*offset = whole ? w->hi[at] : w->lo[at] - rest;
		enlist(w, at);
	}
	pack_whole(w, whole);
	if (rest && at == PACK_NONE)
		(void)add_block(w, rest);
}

void pack_whole(struct pack_window *w, uint32_t n)
{
	while (n--)
		(void)add_block(w, PAGE_UNITS);
}

/* --- owners --------------------------------------------------------------------------------------------------------- */

void pack_join(uint32_t *owner, uint32_t *next, uint64_t block, uint32_t id)
{
	uint32_t *at = &owner[block];
	while (*at)
		at = &next[*at];
	*at = id;
	next[id] = 0;
}

void pack_drop(uint32_t *owner, uint32_t *next, uint64_t block, uint32_t id)
{
	for (uint32_t *at = &owner[block]; *at; at = &next[*at])
		if (*at == id) {
			*at = next[id];
			next[id] = 0;
			return;
		}
}
