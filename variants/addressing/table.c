/* table.c - a mapping table of logical page ids: pages move, their parents do not notice.
 *
 * The table is cut into map pages, placed like any other image:
 *
 *   64  u64 loc of id m * E + 1, then of the next ... E = (page_bytes - 64) / 8 of them        (map page m)
 *
 * What changed since a map page was last written travels as deltas in the anchors; a map page is rewritten when its
 * deltas exceed an eighth of it, when an epoch changes more than a delta may hold, and all of them at a base.
 *
 *   base:  u64 map pages, then u64 loc each
 *   delta: u64 m, m * {u64 index | rewritten << 63, u64 loc}, u64 n, n * {u64 id, u64 loc}
 *
 * Rewritten supersedes every earlier delta of the page; not rewritten means that cleaning moved the same content.
 * A delta takes effect only with the anchor that carries it.
 * Cost: O(1) a change, one pass over the changed ids and the map pages at an anchor. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct change {
	uint64_t id, loc, order;
};

struct table {
	uint64_t per_page, pages; /* E, number of map pages */
	uint64_t *map; /* loc of each map page; 0: never written */
	uint32_t *deltas; /* entries in anchors since it was written */
	uint8_t *note; /* of this epoch: NOTE_* */
	uint64_t *bits; /* ids changed in this epoch */
	uint64_t *list; /* the same, in order */
	uint64_t nlist, budget;
	struct change *read; /* while opening */
	uint64_t nread, room, order;
	uint64_t *written_at; /* order of the anchor that rewrote the map page */
	uint8_t *page;
};
enum { NOTE_MOVED = 1, NOTE_REWRITTEN = 2 };

static int table_open(struct store *s, struct pl_fault *f)
{
	struct table *t = calloc(1, sizeof *t);
	s->addressing = t;
	if (!t)
		goto no_memory;
	t->per_page = (s->page_bytes - PL_PAGE_HEADER) / 8;
	t->pages = pl_div_up(s->max_ids, t->per_page);
	t->budget = pl_max64(64, pl_min64(s->max_ids / 8, 32768));
	t->map = calloc(t->pages, sizeof *t->map);
	t->deltas = calloc(t->pages, sizeof *t->deltas);
	t->note = calloc(t->pages, 1);
	t->written_at = calloc(t->pages, sizeof *t->written_at);
	t->bits = calloc(s->max_ids / 64 + 1, sizeof *t->bits);
	t->list = calloc(s->max_ids + 1, sizeof *t->list);
	t->page = aligned_alloc(4096, 2 * (((size_t)s->page_bytes + 4095) & ~(size_t)4095));
	if (t->map && t->deltas && t->note && t->written_at && t->bits && t->list && t->page)
		return PL_OK;
no_memory:
	return pl_fault_set(f, PL_NOMEM, "no memory for the mapping table");
}

static void table_close(struct store *s)
{
	struct table *t = s->addressing;
	if (!t)
		return;
	free(t->map);
	free(t->deltas);
	free(t->note);
	free(t->written_at);
	free(t->bits);
	free(t->list);
	free(t->read);
	free(t->page);
	free(t);
}

static size_t table_base_bytes(const struct store *s)
{
	return 8 + ((const struct table *)s->addressing)->pages * 8;
}

static size_t table_delta_bytes(const struct store *s)
{
	const struct table *t = s->addressing;
	return 16 + t->pages * 16 + t->budget * 16;
}

static void table_changed(struct store *s, uint64_t id, enum adr_change what)
{
	struct table *t = s->addressing;
	(void)what;
	if (t->bits[id / 64] >> id % 64 & 1)
		return;
	t->bits[id / 64] |= (uint64_t)1 << id % 64;
	t->list[t->nlist++] = id;
}

static int rewrite(struct store *s, struct pl_ctx *x, uint64_t m)
{
	struct table *t = s->addressing;
	uint8_t *page = t->page, *out = t->page + (((size_t)s->page_bytes + 4095) & ~(size_t)4095);
	memset(page, 0, s->page_bytes);
	put32(page + PAGE_AT_MAGIC, PAGE_MAGIC);
	put32(page + PAGE_AT_TAG, s->tag);
	put64(page + PAGE_AT_ID, m);
	page[PAGE_AT_KIND] = PAGE_MAP;
	for (uint64_t i = 0; i < t->per_page && m * t->per_page + i + 1 <= s->max_ids; i++)
		put64(page + PL_PAGE_HEADER + i * 8, store_loc(s, m * t->per_page + i + 1).v);
	struct plc_image i = {.id = {m}, .frame = POOL_NONE, .tag = DEV_TAG_MAP, .bytes = out};
	spc_encode(s->choice.space, s->space_derived, s->page_bytes, s->block_bytes, page,
		(struct nod_gap){s->page_bytes, s->page_bytes}, out, &i.img, s->space_scratch);
	memcpy(out, page, PL_PAGE_HEADER);
	i.generation = (uint8_t)(loc_generation((pl_loc){t->map[m]}) + 1);
	image_seal(s, out, &i.img, i.generation);
	image_charge(s, x);
	pl_loc old = {t->map[m]};
	t->map[m] = s->choice.placement->place(s, x, &i).v;
	if (old.v)
		s->choice.placement->release(s, m, old);
	t->deltas[m] = 0;
	t->note[m] = NOTE_REWRITTEN;
	return s->failed ? PL_FAILED : PL_OK;
}

static int table_prepare(struct store *s, struct pl_ctx *x, bool base)
{
	struct table *t = s->addressing;
	bool all = base || t->nlist > t->budget;
	int err = PL_OK;
	for (uint64_t i = 0; i < t->nlist; i++)
		t->deltas[(t->list[i] - 1) / t->per_page]++;
	for (uint64_t m = 0; m < t->pages && !err; m++)
		if (t->deltas[m] && (all || t->deltas[m] > t->per_page / 8))
			err = rewrite(s, x, m);
	return err;
}

static size_t table_write_base(struct store *s, uint8_t *out)
{
	struct table *t = s->addressing;
	put64(out, t->pages);
	memcpy(out + 8, t->map, t->pages * 8);
	return 8 + t->pages * 8;
}

static size_t table_write_delta(struct store *s, uint8_t *out)
{
	struct table *t = s->addressing;
	uint8_t *p = out + 8;
	uint64_t n = 0;
	for (uint64_t m = 0; m < t->pages; m++)
		if (t->note[m]) {
			put64(p, m | (uint64_t)(t->note[m] == NOTE_REWRITTEN) << 63);
			put64(p + 8, t->map[m]);
			p += 16;
			n++;
		}
	put64(out, n);
	uint8_t *count = p;
	p += 8;
	n = 0;
	for (uint64_t i = 0; i < t->nlist; i++) {
		uint64_t id = t->list[i];
		if (t->note[(id - 1) / t->per_page] == NOTE_REWRITTEN)
			continue;
		if (kv_broken == KV_BREAK_MAP_DELTAS && i + 1 == t->nlist)
			break;
		put64(p, id);
		put64(p + 8, store_loc(s, id).v);
		p += 16;
		n++;
	}
	put64(count, n);
	return (size_t)(p - out);
}

static void table_anchored(struct store *s)
{
	struct table *t = s->addressing;
	for (uint64_t i = 0; i < t->nlist; i++)
		t->bits[t->list[i] / 64] = 0;
	t->nlist = 0;
	memset(t->note, 0, t->pages);
}

static int table_read_base(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct table *t = s->addressing;
	if (n != 8 + t->pages * 8 || le64(in) != t->pages)
		return pl_fault_set(f, PL_DAMAGED,
			"base: it lists %" PRIu64 " map pages in %zu bytes; expected %" PRIu64, n >= 8 ? le64(in) : 0,
			n, t->pages);
	memcpy(t->map, in + 8, t->pages * 8);
	return PL_OK;
}

static int table_read_delta(struct store *s, const uint8_t *in, size_t n, struct pl_fault *f)
{
	struct table *t = s->addressing;
	const uint8_t *end = in + n;
	uint64_t m = n >= 16 ? le64(in) : 0;
	if (n < 16 || m > (n - 16) / 16)
		goto damaged;
	t->order++;
	in += 8;
	for (; m--; in += 16) {
		uint64_t index = le64(in) & ~((uint64_t)1 << 63);
		if (index >= t->pages)
			goto damaged;
		t->map[index] = le64(in + 8);
		if (le64(in) >> 63)
			t->written_at[index] = t->order;
	}
	uint64_t count = le64(in);
	in += 8;
	if (count > (size_t)(end - in) / 16)
		goto damaged;
	if (t->nread + count > t->room) {
		t->room = (t->nread + count) * 2;
		struct change *grown = realloc(t->read, t->room * sizeof *grown);
		if (!grown)
			return pl_fault_set(f, PL_NOMEM, "no memory for map deltas");
		t->read = grown;
	}
	for (; count--; in += 16) {
		if (!le64(in) || le64(in) > s->max_ids)
			goto damaged;
		t->read[t->nread++] = (struct change){le64(in), le64(in + 8), t->order};
	}
	return PL_OK;
damaged:
	return pl_fault_set(f, PL_DAMAGED, "anchor %" PRIu64 ": its map deltas do not parse", s->anchor.sequence);
}

static int read_map_page(struct store *s, struct pl_ctx *x, uint64_t m, struct pl_fault *f)
{
	struct table *t = s->addressing;
	pl_loc loc = {t->map[m]};
	if (!loc_possible(loc, s->full_bitmap, false)) /* map pages are never packed */
		return pl_fault_set(f, PL_DAMAGED, "map page %" PRIu64 ": bitmap of blocks %04x is not possible", m,
			loc_bitmap(loc));
	struct plc_where w = s->choice.placement->where(s, m, loc);
	int err = io_read(s, x, DEV_TAG_MAP, w.block, w.blocks, t->page);
	if (err)
		return pl_fault_set(f, err, "map page %" PRIu64 ": read of block %" PRIu64 " failed: %s", m, w.block,
			pl_err_text(err));
	struct pl_fault why;
	err = image_open(s, x, t->page, m, loc, false, &why);
	if (err)
		return pl_fault_set(f, err, "map %s", why.text);
	for (uint64_t i = 0; i < t->per_page && m * t->per_page + i + 1 <= s->max_ids; i++)
		s->directory[m * t->per_page + i + 1] = le64(t->page + PL_PAGE_HEADER + i * 8);
	return PL_OK;
}

static int table_load(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	struct table *t = s->addressing;
	for (uint64_t m = 0; m < t->pages; m++)
		if (t->map[m]) {
			int err = read_map_page(s, x, m, f);
			if (err)
				return err;
			s->choice.placement->adopt(s, m, true, (pl_loc){t->map[m]});
		}
	for (uint64_t i = 0; i < t->nread; i++) {
		uint64_t m = (t->read[i].id - 1) / t->per_page;
		if (t->read[i].order > t->written_at[m]) {
			s->directory[t->read[i].id] = t->read[i].loc;
			t->deltas[m]++;
		}
	}
	free(t->read);
	t->read = NULL;
	t->nread = t->room = 0;
	for (uint64_t id = 1; id <= s->max_ids; id++)
		if (s->directory[id])
			s->choice.placement->adopt(s, id, false, (pl_loc){s->directory[id]});
	return PL_OK;
}

static void table_map_moved(struct store *s, uint64_t index, pl_loc loc)
{
	struct table *t = s->addressing;
	t->map[index] = loc.v;
	if (!t->note[index])
		t->note[index] = NOTE_MOVED;
}

static pl_loc table_map_loc(const struct store *s, uint64_t index)
{
	return (pl_loc){((const struct table *)s->addressing)->map[index]};
}

static uint64_t table_map_pages(const struct store *s)
{
	return ((const struct table *)s->addressing)->pages;
}

const struct adr_ops adr_table = {
	.name = "table",
	.summary = "a mapping table of page ids; a page moves without its parent",
	.open = table_open,
	.close = table_close,
	.base_bytes = table_base_bytes,
	.delta_bytes = table_delta_bytes,
	.changed = table_changed,
	.prepare = table_prepare,
	.write_base = table_write_base,
	.write_delta = table_write_delta,
	.anchored = table_anchored,
	.read_base = table_read_base,
	.read_delta = table_read_delta,
	.load = table_load,
	.map_moved = table_map_moved,
	.map_loc = table_map_loc,
	.map_pages = table_map_pages,
};
