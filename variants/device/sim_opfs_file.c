#include "variants/device/sim_opfs_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool bit_get(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}
static void bit_set(uint64_t *bits, uint32_t i, bool value)
{
	uint64_t mask = (uint64_t)1 << (i % 64);
	bits[i / 64] = value ? bits[i / 64] | mask : bits[i / 64] & ~mask;
}

int opfs_disk_init(struct opfs_disk *d, uint32_t granule_bytes, bool contentless, uint32_t cache_pages, uint64_t seed)
{
	*d = (struct opfs_disk){.granule_bytes = granule_bytes,
		.granules = OPFS_CHUNK_BYTES / granule_bytes,
		.contentless = contentless,
		.cache_pages = cache_pages};
	pl_rng_seed(&d->rng, seed, 1);
	d->cache = cache_pages ? calloc(cache_pages, sizeof *d->cache) : NULL;
	return cache_pages && !d->cache ? PL_NOMEM : PL_OK;
}

int opfs_cache_clone(struct opfs_disk *to, const struct opfs_disk *from)
{
	to->cache = from->cache_pages ? calloc(from->cache_pages, sizeof *to->cache) : NULL;
	for (uint32_t i = 0; to->cache && i < from->cache_pages; i++)
		to->cache[i] = (struct opfs_cached){NULL, from->cache[i].page, from->cache[i].referenced};
	return from->cache_pages && !to->cache ? PL_NOMEM : PL_OK;
}

void opfs_disk_deinit(struct opfs_disk *d)
{
	free(d->cache);
	d->cache = NULL;
}

/* ---- chunks ---- */

static struct opfs_chunk *chunk_new(const struct opfs_disk *d, uint64_t index)
{
	struct opfs_chunk *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->index = index;
	if (!d->contentless)
		c->version = calloc(d->granules, sizeof *c->version);
	if (d->cache_pages)
		c->cached = calloc(OPFS_CHUNK_PAGES, sizeof *c->cached);
	if ((d->contentless || c->version) && (!d->cache_pages || c->cached))
		return c;
	free(c->version);
	free(c->cached);
	free(c);
	return NULL;
}

static bool page_stored(const struct opfs_disk *d, const struct opfs_chunk *c, uint32_t page)
{
	uint32_t first = (uint32_t)((uint64_t)page * OPFS_PAGE_BYTES / d->granule_bytes);
	uint32_t end = (uint32_t)pl_div_up((uint64_t)(page + 1) * OPFS_PAGE_BYTES, d->granule_bytes);
	for (uint32_t i = first; i < end; i++)
		if (bit_get(c->stored, i))
			return true;
	return false;
}

static void uncache(struct opfs_disk *d, struct opfs_chunk *c, uint32_t page)
{
	if (c->cached && c->cached[page]) {
		d->cache[c->cached[page] - 1].chunk = NULL;
		c->cached[page] = 0;
	}
}

static void version_free(struct opfs_version *v)
{
	free(v->now);
	free(v->durable);
	free(v->middle);
	*v = (struct opfs_version){0};
}

static void chunk_free(struct opfs_disk *d, struct opfs_chunk *c)
{
	for (uint32_t i = 0; c->version && i < d->granules; i++)
		version_free(&c->version[i]);
	for (uint32_t p = 0; c->cached && p < OPFS_CHUNK_PAGES; p++)
		uncache(d, c, p);
	free(c->version);
	free(c->cached);
	free(c);
}

static struct opfs_chunk *chunk_at(const struct opfs_body *b, uint64_t at)
{
	uint64_t index = at / OPFS_CHUNK_BYTES;
	return index < b->chunks ? b->chunk[index] : NULL;
}

/* The chunk of offset at, made if need be; NULL: no memory. */
static struct opfs_chunk *chunk_make(struct opfs_disk *d, struct opfs_body *b, uint64_t at)
{
	uint64_t index = at / OPFS_CHUNK_BYTES;
	if (index >= b->chunks) {
		uint64_t room = pl_max64(index + 1, b->chunks * 2);
		struct opfs_chunk **chunk = realloc(b->chunk, room * sizeof *chunk);
		if (!chunk)
			return NULL;
		memset(chunk + b->chunks, 0, (room - b->chunks) * sizeof *chunk);
		b->chunk = chunk;
		b->chunks = room;
	}
	if (!b->chunk[index])
		b->chunk[index] = chunk_new(d, index);
	return b->chunk[index];
}

/* A range, granule by granule: the chunk (NULL: nothing there), the granule in it, and the part of it. */
struct part {
	struct opfs_chunk *chunk;
	uint32_t granule, from, bytes;
};

static struct part part_at(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes)
{
	uint32_t from = (uint32_t)(at % d->granule_bytes);
	return (struct part){chunk_at(b, at), (uint32_t)(at % OPFS_CHUNK_BYTES / d->granule_bytes), from,
		(uint32_t)pl_min64(bytes, d->granule_bytes - from)};
}

/* ---- bodies ---- */

struct opfs_body *opfs_body_new(void)
{
	struct opfs_body *b = calloc(1, sizeof *b);
	if (b) {
		b->least_size = UINT64_MAX;
		b->references = 1;
	}
	return b;
}

static void body_free(struct opfs_disk *d, struct opfs_body *b)
{
	for (uint64_t i = 0; i < b->chunks; i++)
		if (b->chunk[i])
			chunk_free(d, b->chunk[i]);
	free(b->chunk);
	free(b);
}

void opfs_body_drop(struct opfs_disk *d, struct opfs_body *b)
{
	if (b && --b->references == 0)
		body_free(d, b);
}

static bool granule_copy(uint8_t **to, const uint8_t *from, uint32_t bytes)
{
	*to = from ? malloc(bytes) : NULL;
	if (from && *to)
		memcpy(*to, from, bytes);
	return !from || *to;
}

static struct opfs_chunk *chunk_clone(struct opfs_disk *to, const struct opfs_chunk *c)
{
	struct opfs_chunk *n = chunk_new(to, c->index);
	if (!n)
		return NULL;
	memcpy(n->stored, c->stored, sizeof n->stored);
	memcpy(n->dirty, c->dirty, sizeof n->dirty);
	memcpy(n->was_stored, c->was_stored, sizeof n->was_stored);
	bool whole = true;
	for (uint32_t i = 0; c->version && i < to->granules; i++) {
		const struct opfs_version *v = &c->version[i];
		n->version[i].between = v->between;
		whole &= granule_copy(&n->version[i].now, v->now, to->granule_bytes) &&
			 granule_copy(&n->version[i].durable, v->durable, to->granule_bytes) &&
			 granule_copy(&n->version[i].middle, v->middle, to->granule_bytes);
	}
	for (uint32_t p = 0; c->cached && p < OPFS_CHUNK_PAGES; p++) {
		n->cached[p] = c->cached[p];
		if (n->cached[p])
			to->cache[n->cached[p] - 1].chunk = n;
	}
	if (whole)
		return n;
	chunk_free(to, n);
	return NULL;
}

struct opfs_body *opfs_body_clone(struct opfs_disk *to, const struct opfs_body *b)
{
	struct opfs_body *n = malloc(sizeof *n);
	if (!n)
		return NULL;
	*n = *b;
	n->copy = NULL;
	n->references = 0;
	n->dirty_chunks = NULL;
	n->chunk = calloc(b->chunks + 1, sizeof *n->chunk);
	bool whole = n->chunk != NULL;
	n->chunks = whole ? b->chunks : 0;
	for (uint64_t i = 0; whole && i < b->chunks; i++)
		if (b->chunk[i])
			whole = (n->chunk[i] = chunk_clone(to, b->chunk[i])) != NULL;
	struct opfs_chunk **tail = &n->dirty_chunks; /* in the same order */
	for (const struct opfs_chunk *c = b->dirty_chunks; whole && c; c = c->next_dirty) {
		*tail = n->chunk[c->index];
		(*tail)->listed = true;
		tail = &(*tail)->next_dirty;
	}
	if (whole)
		return n;
	body_free(to, n);
	return NULL;
}

/* ---- versions ---- */

static void become_dirty(struct opfs_body *b, struct opfs_chunk *c, uint32_t i)
{
	b->unflushed = true;
	if (bit_get(c->dirty, i))
		return;
	bit_set(c->dirty, i, true);
	bit_set(c->was_stored, i, bit_get(c->stored, i));
	if (c->version) {
		struct opfs_version *v = &c->version[i];
		v->durable = v->now;
		v->now = v->middle = NULL;
		v->between = 0;
	}
	if (!c->listed) {
		c->listed = true;
		c->next_dirty = b->dirty_chunks;
		b->dirty_chunks = c;
	}
}

static void set_stored(struct opfs_body *b, struct opfs_chunk *c, uint32_t i, bool stored)
{
	b->stored_granules += (uint64_t)stored - (uint64_t)bit_get(c->stored, i);
	bit_set(c->stored, i, stored);
}

/* Keep `now`, which is about to be overwritten, as one of the versions between, each with the same chance. */
static void keep_between(struct opfs_disk *d, struct opfs_version *v)
{
	v->between = (uint8_t)(v->between < UINT8_MAX ? v->between + 1 : v->between);
	if (pl_rng_below(&d->rng, v->between) != 0)
		return;
	uint8_t *spare = malloc(d->granule_bytes);
	if (!spare) /* then an older one stays */
		return;
	memcpy(spare, v->now, d->granule_bytes);
	free(v->middle);
	v->middle = v->now;
	v->now = spare;
}

/* data NULL: zeros */
static int granule_write(
	struct opfs_disk *d, struct opfs_body *b, struct opfs_chunk *c, const struct part *p, const uint8_t *data)
{
	struct opfs_version *v = c->version ? &c->version[p->granule] : NULL;
	bool fresh = v && (!bit_get(c->dirty, p->granule) || !v->now);
	uint8_t *made = fresh ? malloc(d->granule_bytes) : NULL;
	if (fresh && !made)
		return PL_NOMEM;
	if (fresh && p->bytes < d->granule_bytes) {
		if (v->now) /* clean: this is what becomes the durable version */
			memcpy(made, v->now, d->granule_bytes);
		else
			memset(made, 0, d->granule_bytes);
	}
	become_dirty(b, c, p->granule);
	set_stored(b, c, p->granule, true);
	if (!v)
		return PL_OK;
	if (fresh)
		v->now = made;
	else
		keep_between(d, v);
	if (data)
		memcpy(v->now + p->from, data, p->bytes);
	else
		memset(v->now + p->from, 0, p->bytes);
	return PL_OK;
}

int opfs_body_write(struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes, const uint8_t *data)
{
	b->written = true;
	while (bytes) {
		struct opfs_chunk *c = chunk_make(d, b, at);
		struct part p = part_at(d, b, at, bytes);
		int err = c ? granule_write(d, b, c, &p, data) : PL_NOMEM;
		if (err)
			return err;
		at += p.bytes;
		bytes -= p.bytes;
		data = data ? data + p.bytes : NULL;
		b->size = pl_max64(b->size, at);
	}
	return PL_OK;
}

void opfs_body_read(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes, uint8_t *buf)
{
	if (d->contentless)
		return;
	while (bytes) {
		struct part p = part_at(d, b, at, bytes);
		const uint8_t *now = p.chunk ? p.chunk->version[p.granule].now : NULL;
		if (now)
			memcpy(buf, now + p.from, p.bytes);
		else
			memset(buf, 0, p.bytes);
		at += p.bytes;
		bytes -= p.bytes;
		buf += p.bytes;
	}
}

/* A hole from now on; the durable version is there until the next flush. */
static void granule_clear(struct opfs_body *b, struct opfs_chunk *c, uint32_t i)
{
	if (!bit_get(c->stored, i))
		return;
	become_dirty(b, c, i);
	set_stored(b, c, i, false);
	if (c->version) {
		struct opfs_version *v = &c->version[i];
		free(v->now);
		free(v->middle);
		v->now = v->middle = NULL;
		v->between = 0;
	}
}

/* Zeros from size to the end of the granule it lies in. */
static int clear_tail(struct opfs_disk *d, struct opfs_body *b, uint64_t size)
{
	struct part p = part_at(d, b, size, d->granule_bytes);
	if (p.from == 0 || !p.chunk || !bit_get(p.chunk->stored, p.granule))
		return PL_OK;
	return granule_write(d, b, p.chunk, &p, NULL);
}

static void chunk_truncate(struct opfs_disk *d, struct opfs_body *b, struct opfs_chunk *c, uint32_t first)
{
	for (uint32_t g = first; g < d->granules; g++)
		granule_clear(b, c, g);
	for (uint32_t p = 0; c->cached && p < OPFS_CHUNK_PAGES; p++)
		if (!page_stored(d, c, p))
			uncache(d, c, p);
}

int opfs_body_truncate(struct opfs_disk *d, struct opfs_body *b, uint64_t size)
{
	if (size < b->size) {
		int err = clear_tail(d, b, size);
		if (err)
			return err;
		uint64_t first = pl_div_up(size, d->granule_bytes);
		for (uint64_t i = first / d->granules; i < b->chunks; i++)
			if (b->chunk[i])
				chunk_truncate(d, b, b->chunk[i],
					i == first / d->granules ? (uint32_t)(first % d->granules) : 0);
		b->least_size = pl_min64(b->least_size, size);
	}
	b->unflushed |= size != b->size;
	b->size = size;
	return PL_OK;
}

/* ---- durability ---- */

/* The next dirty granule of c from i on; d->granules: none. */
static uint32_t next_dirty(const struct opfs_disk *d, const struct opfs_chunk *c, uint32_t i)
{
	while (i < d->granules) {
		uint64_t rest = c->dirty[i / 64] >> (i % 64);
		if (rest)
			return i + (uint32_t)__builtin_ctzll(rest);
		i = (i / 64 + 1) * 64;
	}
	return d->granules;
}

static struct opfs_chunk *unlist(struct opfs_body *b)
{
	struct opfs_chunk *c = b->dirty_chunks;
	if (c) {
		b->dirty_chunks = c->next_dirty;
		c->next_dirty = NULL;
		c->listed = false;
	}
	return c;
}

/* A chunk without dirty granules that stores nothing costs nothing. */
static void release_if_empty(struct opfs_disk *d, struct opfs_body *b, struct opfs_chunk *c)
{
	for (uint32_t w = 0; w < OPFS_GRANULES_MAX / 64; w++)
		if (c->stored[w])
			return;
	b->chunk[c->index] = NULL;
	chunk_free(d, c);
}

static void settle(struct opfs_body *b)
{
	b->durable_size = b->size;
	b->least_size = UINT64_MAX;
	b->unflushed = false;
}

void opfs_body_flush(struct opfs_disk *d, struct opfs_body *b)
{
	for (struct opfs_chunk *c; (c = unlist(b)) != NULL;) {
		for (uint32_t i = 0; (i = next_dirty(d, c, i)) < d->granules; i++) {
			if (bit_get(c->stored, i))
				d->flushed_bytes += d->granule_bytes;
			if (c->version) {
				struct opfs_version *v = &c->version[i];
				free(v->durable);
				free(v->middle);
				v->durable = v->middle = NULL;
			}
		}
		memset(c->dirty, 0, sizeof c->dirty);
		release_if_empty(d, b, c);
	}
	settle(b);
}

/* One version becomes the only one. */
static void granule_settle(struct opfs_body *b, struct opfs_chunk *c, uint32_t i, bool stored, uint8_t **chosen)
{
	set_stored(b, c, i, stored);
	bit_set(c->dirty, i, false);
	if (!c->version)
		return;
	uint8_t *keep = chosen ? *chosen : NULL;
	if (chosen)
		*chosen = NULL;
	version_free(&c->version[i]);
	c->version[i].now = keep;
}

static bool kept(struct pl_rng *rng, enum opfs_loss loss)
{
	static const uint8_t eighths[OPFS_LOSSES] = {
		[OPFS_LOSE_NOTHING] = 8, [OPFS_LOSE_HALF] = 4, [OPFS_LOSE_MOST] = 1, [OPFS_LOSE_FEW] = 7};
	return pl_rng_below(rng, 8) < eighths[loss];
}

/* What a power cut may do to a granule whose file was truncated since its last flush. */
struct fate {
	bool gone; /* behind the end: nothing */
	bool back; /* the truncation is undone: the durable version */
	/* The truncation has happened: what is older than it holds nothing from here on. granule_bytes: no such thing. */
	uint32_t zero_from;
};

static void granule_power_cut(const struct opfs_disk *d, struct opfs_body *b, struct opfs_chunk *c, uint32_t i,
	struct pl_rng *rng, enum opfs_loss loss, struct fate fate)
{
	struct opfs_version *v = c->version ? &c->version[i] : NULL;
	bool newest = kept(rng, loss), between = loss != OPFS_LOSE_ALL && pl_rng_below(rng, 2);
	bool middle = between && v && v->middle;
	if (fate.back) {
		granule_settle(b, c, i, bit_get(c->was_stored, i), v ? &v->durable : NULL);
	} else if (fate.gone || (fate.zero_from == 0 && !newest && !middle)) {
		granule_settle(b, c, i, false, NULL);
	} else if (newest) {
		granule_settle(b, c, i, bit_get(c->stored, i), v ? &v->now : NULL);
	} else {
		bool stored = middle || bit_get(c->was_stored, i);
		granule_settle(b, c, i, stored, !v ? NULL : middle ? &v->middle : &v->durable);
		if (v && v->now && fate.zero_from) /* versions between, of a whole granule, are younger */
			memset(v->now + fate.zero_from, 0, d->granule_bytes - fate.zero_from);
	}
}

/* A size that growth may have reached on the disk: at writeback, granule by granule. */
static uint64_t grown_size(
	const struct opfs_disk *d, uint64_t least, uint64_t greatest, struct pl_rng *rng, enum opfs_loss loss)
{
	if (loss == OPFS_LOSE_ALL || least == greatest)
		return least;
	if (loss == OPFS_LOSE_NOTHING)
		return greatest;
	uint64_t way = pl_rng_below(rng, 3);
	if (way == 0)
		return least;
	uint64_t first = least / d->granule_bytes + 1, last = pl_div_up(greatest, d->granule_bytes);
	return way == 1 ? greatest
			: pl_min64(greatest, (first + pl_rng_below(rng, last - first + 1)) * d->granule_bytes);
}

int opfs_body_power_cut(struct opfs_disk *d, struct opfs_body *b, struct pl_rng *rng, enum opfs_loss loss)
{
	const uint64_t least = b->least_size, flushed_bytes = d->flushed_bytes;
	/* A truncation is one transaction of the host's journal: it has happened with all that it gave back, or it has
	 * not, and then nothing behind it is newer than the last flush. */
	bool shrunk = least < b->durable_size, undone = shrunk && !kept(rng, loss);
	uint64_t size = undone ? b->durable_size : grown_size(d, shrunk ? least : b->durable_size, b->size, rng, loss);
	for (struct opfs_chunk *c; (c = unlist(b)) != NULL; release_if_empty(d, b, c))
		for (uint32_t i = 0; (i = next_dirty(d, c, i)) < d->granules; i++) {
			uint64_t at = c->index * OPFS_CHUNK_BYTES + (uint64_t)i * d->granule_bytes;
			bool behind = at + d->granule_bytes > least;
			uint32_t zero_from = behind ? (uint32_t)(pl_max64(at, least) - at) : d->granule_bytes;
			granule_power_cut(d, b, c, i, rng, loss,
				(struct fate){.gone = at >= size, .back = undone && behind, .zero_from = zero_from});
		}
	b->size = size;
	int err = clear_tail(d, b, size);
	opfs_body_flush(d, b);
	d->flushed_bytes = flushed_bytes;
	return err;
}

static int punch(struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes)
{
	int err = PL_OK;
	while (bytes && !err) {
		struct part p = part_at(d, b, at, bytes);
		if (p.chunk && p.bytes == d->granule_bytes)
			granule_clear(b, p.chunk, p.granule);
		else if (p.chunk && bit_get(p.chunk->stored, p.granule))
			err = granule_write(d, b, p.chunk, &p, NULL);
		at += p.bytes;
		bytes -= p.bytes;
	}
	return err;
}

int opfs_body_poke(
	struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes, const uint8_t *data, bool hole)
{
	const uint64_t flushed_bytes = d->flushed_bytes;
	int err = hole ? punch(d, b, at, bytes) : opfs_body_write(d, b, at, bytes, data);
	opfs_body_flush(d, b);
	d->flushed_bytes = flushed_bytes;
	return err;
}

/* ---- costs ---- */

uint64_t opfs_body_new_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes)
{
	uint64_t granules = 0;
	while (bytes) {
		struct part p = part_at(d, b, at, bytes);
		granules += !p.chunk || !bit_get(p.chunk->stored, p.granule);
		at += p.bytes;
		bytes -= p.bytes;
	}
	return granules * d->granule_bytes;
}

uint64_t opfs_body_freed_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t size)
{
	uint64_t granules = 0, first = pl_div_up(size, d->granule_bytes);
	for (uint64_t i = first / d->granules; i < b->chunks; i++)
		for (uint32_t w = 0; b->chunk[i] && w < OPFS_GRANULES_MAX / 64; w++) {
			uint64_t from = i * d->granules + (uint64_t)w * 64, bits = b->chunk[i]->stored[w];
			if (from + 64 <= first)
				bits = 0;
			else if (from < first)
				bits &= ~(uint64_t)0 << (first - from);
			granules += (uint64_t)__builtin_popcountll(bits);
		}
	return granules * d->granule_bytes;
}

uint64_t opfs_body_dirty_pages(const struct opfs_disk *d, const struct opfs_body *b)
{
	uint64_t pages = 0;
	uint32_t per_granule = d->granule_bytes > OPFS_PAGE_BYTES ? d->granule_bytes / OPFS_PAGE_BYTES : 1;
	for (const struct opfs_chunk *c = b->dirty_chunks; c; c = c->next_dirty) {
		uint64_t last = UINT64_MAX;
		for (uint32_t i = 0; (i = next_dirty(d, c, i)) < d->granules; i++) {
			uint64_t page = (uint64_t)i * d->granule_bytes / OPFS_PAGE_BYTES;
			if (page == last || !bit_get(c->stored, i))
				continue;
			pages += per_granule;
			last = page;
		}
	}
	return pages;
}

/* ---- the page cache ---- */

uint64_t opfs_body_cold_bytes(const struct opfs_disk *d, const struct opfs_body *b, uint64_t at, uint64_t bytes)
{
	uint64_t cold = 0;
	while (d->cache_pages && bytes) {
		uint64_t n = pl_min64(bytes, OPFS_PAGE_BYTES - at % OPFS_PAGE_BYTES);
		const struct opfs_chunk *c = chunk_at(b, at);
		uint32_t page = (uint32_t)(at % OPFS_CHUNK_BYTES / OPFS_PAGE_BYTES);
		if (c && !c->cached[page] && page_stored(d, c, page))
			cold += n;
		at += n;
		bytes -= n;
	}
	return cold;
}

static void cache_page(struct opfs_disk *d, struct opfs_chunk *c, uint32_t page)
{
	if (c->cached[page]) {
		d->cache[c->cached[page] - 1].referenced = true;
		return;
	}
	struct opfs_cached *slot = &d->cache[d->hand];
	while (slot->chunk && slot->referenced) {
		slot->referenced = false;
		d->hand = (d->hand + 1) % d->cache_pages;
		slot = &d->cache[d->hand];
	}
	if (slot->chunk)
		slot->chunk->cached[slot->page] = 0;
	*slot = (struct opfs_cached){c, page, false};
	c->cached[page] = d->hand + 1;
	d->hand = (d->hand + 1) % d->cache_pages;
}

void opfs_body_touch(struct opfs_disk *d, struct opfs_body *b, uint64_t at, uint64_t bytes)
{
	while (d->cache_pages && bytes) {
		uint64_t n = pl_min64(bytes, OPFS_PAGE_BYTES - at % OPFS_PAGE_BYTES);
		struct opfs_chunk *c = chunk_at(b, at);
		uint32_t page = (uint32_t)(at % OPFS_CHUNK_BYTES / OPFS_PAGE_BYTES);
		if (c && page_stored(d, c, page))
			cache_page(d, c, page);
		at += n;
		bytes -= n;
	}
}

void opfs_cache_clear(struct opfs_disk *d)
{
	for (uint32_t i = 0; i < d->cache_pages; i++)
		if (d->cache[i].chunk)
			uncache(d, d->cache[i].chunk, d->cache[i].page);
	d->hand = 0;
}
