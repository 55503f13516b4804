/* zone.c - append to zones and clean them later: the log-structured way (Rosenblum and Ousterhout 1992; on zoned devices
 * Bjørling et al. 2021).
 *
 * On a conventional device:  | meta half 0 | meta half 1 | log | data zone 0 | data zone 1 | ...
 * On a zoned device:         zones 0, 1: meta halves; then the log's zones, one segment each; then data zones.
 *
 * Streams, each with one open zone: `open_zones` for images that the engine writes, told apart as `streams` says
 * (zone_class.c), and by default one for live images that cleaning moves. An extent never crosses a zone's end; the rest of
 * a zone that is too short is dead. One write in flight per zone.
 *
 * Invariants:
 *  1. live[z] = blocks of zone z that some page's newest loc covers; owner[b] = the page whose image begins at b.
 *  2. A zone without live blocks is reset only right after an anchor: then no durable anchor reaches into it.
 *  3. Free zones cover what dirty pages and map pages will need, and `spare` zones for cleaning, whichever streams
 *     the images take (zone_room.c): reserve refuses else.
 *  4. live + dead + free + reserved = capacity.
 *
 * Cleaning: the victim (axis `cleaning`) is emptied image by image, resident ones from their frame, others are read; the
 * map is updated with the next anchor, after which the zone is free. It goes on ahead of need, some pages between two
 * turns; only when a reservation finds too little room all the same, whoever asks waits for it (zone_clean.c).
 * After opening, partly written zones go on as the streams' open zones, those with the most room; others count as full. How
 * old their images are is not known then: their times of change are 0, of death never.
 * On a conventional device that erases in units of its own, zones that are written side by side and freed one by one leave
 * units half dead, which the device then has to empty. With order = nowa (no write amplification by the device: Lee,
 * Ziegler, Leis 2026) all open zones are a group of neighbours: opened together, when all of the last group are full; an
 * image whose zone is full goes to the next one with room; cleaned and freed together, so that the lagging ones are
 * rewritten, too. align = erase_unit lets zones begin where the device's units may.
 * A log that lies in the same units dies sooner than the data around it: hint = 1 asks a device with streams to keep them
 * apart.
 *
 * Where only its ancestors know where a page lies, cleaning is another matter: zone_parent.c.
 * Left out: an anchor that lets others in between (checkpoint.c), and several images packed into one block. */
#include "variants/placement/zone.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const zone_classes[] = {"one", "level", "temperature", "death", NULL};
static const char *const zone_survivors[] = {"apart", "mixed", "stream", NULL};

static const char *const zone_aligns[] = {"none", "erase_unit", NULL};
static const char *const zone_orders[] = {"free", "nowa", NULL};

static const struct pl_opt zone_opts[] = {
	{.name = "zone_bytes",
		.type = PL_OPT_BYTES,
		.value = "4194304",
		.min = 65536,
		.max = (uint64_t)4 << 30,
		.help = "zone size on conventional devices (a zoned device has its own)"},
	{.name = "write_bytes",
		.type = PL_OPT_BYTES,
		.value = "262144",
		.min = 4096,
		.max = 16u << 20,
		.help = "images gathered into one write of a zone"},
	{.name = "fill_permille",
		.type = PL_OPT_U64,
		.value = "920",
		.min = 100,
		.max = 990,
		.help = "greatest share of the data zones that live pages may take"},
	{.name = "trim",
		.type = PL_OPT_BOOL,
		.value = "1",
		.help = "tell a conventional device when a zone becomes free"},
	{.name = "pack",
		.type = PL_OPT_BOOL,
		.value = "0",
		.help = "compressed images share blocks, packed at byte granularity"},
	{.name = "streams",
		.type = PL_OPT_ENUM,
		.value = "one",
		.choices = zone_classes,
		.help = "what images of an open zone have in common: nothing, level, interval or time of death"},
	{.name = "open_zones",
		.type = PL_OPT_U64,
		.value = "1",
		.min = 1,
		.max = ZONE_STREAMS_MAX,
		.help = "zones that clients' images are written to at a time"},
	{.name = "survivors",
		.type = PL_OPT_ENUM,
		.value = "apart",
		.choices = zone_survivors,
		.help = "where cleaning copies to: a zone of its own, the clients' zones, or zones of its own by "
			"stream"},
	{.name = "slice_pages",
		.type = PL_OPT_U64,
		.value = "8",
		.max = ZONE_READ_BATCH,
		.help = "pages that cleaning moves at most between two turns; 0: it waits until room runs out"},
	{.name = "align",
		.type = PL_OPT_ENUM,
		.value = "none",
		.choices = zone_aligns,
		.help = "where a conventional device's data zones begin: anywhere, or at a multiple of its erase unit"},
	{.name = "hint",
		.type = PL_OPT_BOOL,
		.value = "0",
		.help = "tell data from log and anchors by a placement hint, where the device has streams"},
	{.name = "order",
		.type = PL_OPT_ENUM,
		.value = "free",
		.choices = zone_orders,
		.help = "nowa: open zones are opened, filled and cleaned together, so that the device need not move"},
	{0},
};

/* They may be others when a store is opened again. */
static const char *const zone_changeable[] = {"streams", "open_zones", "survivors", "slice_pages", "hint", NULL};

static uint32_t enum_of(const struct store *s, const char *key, const char *const *names)
{
	uint32_t k = 0;
	while (names[k] && strcmp(names[k], pl_conf_str(s->conf, key)) != 0)
		k++;
	return k;
}

static int read_options(struct store *s, struct zones *z, struct pl_fault *f)
{
	uint32_t open = (uint32_t)pl_conf_u64(s->conf, "zone.open_zones");
	z->classes = (enum zone_classes)enum_of(s, "zone.streams", zone_classes);
	z->survivors = (enum zone_survivors)enum_of(s, "zone.survivors", zone_survivors);
	if (z->classes == ZONE_LEVEL && open != 1 && open != 3)
		return pl_fault_set(f, PL_INVALID,
			"zone.open_zones: %u zones for zone.streams=level, which has three levels: say 3, or nothing",
			open);
	if (z->classes >= ZONE_TEMPERATURE && open < 2)
		return pl_fault_set(f, PL_INVALID,
			"zone.streams=%s with one open zone is zone.streams=one: let zone.open_zones be 2 or more",
			zone_classes[z->classes]);
	z->users = z->classes == ZONE_LEVEL ? 3 : open;
	uint32_t own = z->survivors == ZONE_APART ? 1 : z->survivors == ZONE_STREAM ? z->users : 0;
	if (z->users + own > ZONE_STREAMS_MAX)
		return pl_fault_set(f, PL_INVALID,
			"zone.open_zones: %u zones for clients' images and %u for survivors make %u; there may be %u",
			z->users, own, z->users + own, ZONE_STREAMS_MAX);
	z->streams = z->users + own;
	bool nowa = enum_of(s, "zone.order", zone_orders) == 1;
	if (nowa && s->dev->caps.sequential)
		return pl_fault_set(f, PL_INVALID,
			"zone.order=nowa: a zoned device keeps zones apart by itself, there is nothing to put in "
			"order");
	if (nowa && store_by_parent(s))
		return pl_fault_set(f, PL_INVALID,
			"zone.order=nowa: where only its ancestors know where a page lies, zones are cleaned one by "
			"one");
	z->group = nowa ? z->streams : 1;
	z->slice_pages = (uint32_t)pl_conf_u64(s->conf, "zone.slice_pages");
	zone_cleaner_init(z);
	z->spare = zone_grouped(z) ? z->group + 1 : z->survivors == ZONE_STREAM ? z->users + 1 : 2;
	return PL_OK;
}

static int lay_out_sequential(struct store *s, struct zones *z, struct pl_fault *f)
{
	const struct dev_caps *c = &s->dev->caps;
	struct layout *l = &s->layout;
	uint64_t log = s->choice.durability->log_blocks(s);
	l->log_segments = log ? pl_max64(3, pl_div_up(log, c->zone_capacity)) : 0;
	uint64_t roles = 2 + l->log_segments, active = 2 + (log ? 3u : 0u) + z->streams;
	if ((c->max_active && c->max_active < active) || (c->max_open && c->max_open < active))
		return pl_fault_set(f, PL_INVALID,
			"the device allows %u open and %u active zones; 2 for meta, %u for the log, %u for clients' "
			"images and %u for survivors make %" PRIu64,
			c->max_open, c->max_active, log ? 3u : 0u, z->users, z->streams - z->users, active);
	l->meta_blocks = c->zone_capacity;
	l->meta_start[1] = c->zone_blocks;
	l->log_start = 2 * c->zone_blocks;
	l->log_stride = c->zone_blocks;
	l->log_segment_blocks = c->zone_capacity;
	l->data_start = roles * c->zone_blocks;
	z->stride = c->zone_blocks;
	z->capacity = c->zone_capacity;
	z->n = c->zones > roles ? c->zones - roles : 0;
	return PL_OK;
}

/* Data begins at a multiple of *blocks: a zone, or what zones and erase units have in common. */
static int align_data(const struct store *s, const struct zones *z, uint64_t *blocks, struct pl_fault *f)
{
	uint64_t unit = s->dev->caps.erase_unit_blocks, span = z->group * z->stride;
	*blocks = z->stride;
	if (enum_of(s, "zone.align", zone_aligns) == 0)
		return PL_OK;
	if (!unit)
		return pl_fault_set(f, PL_INVALID, "zone.align=erase_unit: the device does not tell its erase unit");
	if (zone_grouped(z) && span % unit)
		return pl_fault_set(f, PL_INVALID,
			"zone.align=erase_unit: the %u zones of a group have %" PRIu64
			" blocks together, no multiple of the device's erase unit of %" PRIu64,
			z->group, span, unit);
	if (z->stride % unit && unit % z->stride)
		return pl_fault_set(f, PL_INVALID,
			"zone.align=erase_unit: a zone has %" PRIu64 " blocks and the device's erase unit %" PRIu64
			"; one must be a multiple of the other",
			z->stride, unit);
	*blocks = pl_max64(z->stride, unit);
	return PL_OK;
}

static int lay_out_conventional(struct store *s, struct zones *z, struct pl_fault *f)
{
	struct layout *l = &s->layout;
	uint64_t total = s->dev->caps.capacity_blocks, log = s->choice.durability->log_blocks(s);
	uint64_t ids = s->packs ? pack_ids(total, s->page_blocks) : total; /* at most one page a block */
	size_t base = 8 + (size_t)pl_div_up(ids, (s->page_bytes - PL_PAGE_HEADER) / 8) * 8;
	size_t delta = 16 + base * 2 + (size_t)pl_max64(64, pl_min64(ids / 8, 32768)) * 16;
	if (s->choice.addressing->greatest)
		s->choice.addressing->greatest(total, &base, &delta);
	l->meta_blocks = 2 * pl_div_up(base + strlen(s->spec) + 256, s->block_bytes) +
			 8 * pl_div_up(delta + 256, s->block_bytes) + 32;
	l->meta_start[1] = l->meta_blocks;
	l->log_start = 2 * l->meta_blocks;
	l->log_segments = log ? 4 : 0;
	l->log_stride = l->log_segment_blocks = log / 4;
	z->stride = z->capacity = pl_conf_u64(s->conf, "zone.zone_bytes") / s->block_bytes;
	uint64_t multiple;
	int err = align_data(s, z, &multiple, f);
	if (err)
		return err;
	l->data_start = pl_div_up(l->log_start + log, multiple) * multiple;
	z->n = total > l->data_start ? (total - l->data_start) / z->stride : 0;
	z->n -= z->n % z->group;
	return PL_OK;
}

static bool zone_packs(const struct pl_conf *conf)
{
	return pl_conf_bool(conf, "zone.pack");
}

static int zone_open(struct store *s, struct pl_fault *f)
{
	struct zones *z = calloc(1, sizeof *z);
	s->placement = z;
	if (!z)
		return pl_fault_set(f, PL_NOMEM, "no memory for zones");
	int err = read_options(s, z, f);
	if (!err && s->dev->caps.sequential)
		err = lay_out_sequential(s, z, f);
	else if (!err)
		err = lay_out_conventional(s, z, f);
	if (err)
		return err;
	s->layout.data_blocks = z->n * z->stride;
	if (z->capacity < 2 * s->page_blocks)
		return pl_fault_set(f, PL_INVALID, "a zone of %" PRIu64 " blocks holds less than two pages of %u",
			z->capacity, s->page_blocks);
	/* ids for the smallest images */
	uint64_t least = spc_least_blocks(s->choice.space, s->space_derived, s->page_blocks);
	uint64_t ids = s->packs ? pack_ids(z->n * z->capacity, s->page_blocks) : z->n * z->capacity / least;
	s->max_ids = pl_min64(ids, PLC_UNKNOWN_ID - 1);
	uint64_t maps = 2 * pl_div_up(s->max_ids, (s->page_bytes - PL_PAGE_HEADER) / 8) * s->page_blocks;
	uint32_t spare = (uint32_t)zone_spare(s, z), least_zones = spare + zone_partly(z) + 4 * z->group;
	if (z->n < least_zones ||
		z->n * zone_useful(s, z) < (least_zones - 2) * zone_useful(s, z) + maps + 16 * s->page_blocks)
		return pl_fault_set(f, PL_FULL,
			"device too small: %" PRIu64 " data zones of %" PRIu64
			" blocks, of which %u are kept for cleaning, %u for open zones and %" PRIu64
			" blocks for the map; at least %u zones are needed: enlarge device_bytes or make zones smaller",
			z->n, z->capacity, spare, zone_partly(z) + 1, maps, least_zones);
	z->zone = calloc(z->n, sizeof *z->zone);
	z->deaths = calloc(z->n, sizeof *z->deaths);
	z->groups = calloc(z->n, sizeof *z->groups);
	z->drained = calloc(z->n, 1);
	z->done = calloc(z->n, 1);
	z->state = calloc(z->n, 1);
	z->owner = calloc(z->n * z->stride, sizeof *z->owner);
	z->next = calloc(s->packs ? s->max_ids + 1 : 1, sizeof *z->next);
	z->live_in = calloc(z->n, sizeof *z->live_in);
	z->scratch = calloc(z->n, sizeof *z->scratch);
	z->buffer = aligned_alloc(4096, (size_t)ZONE_READ_BATCH * ((s->page_bytes + 4095u) & ~4095u));
	uint32_t buffer =
		(uint32_t)pl_min64(pl_conf_u64(s->conf, "zone.write_bytes") / s->block_bytes, z->capacity / 2);
	bool memory = z->zone && z->deaths && z->groups && z->drained && z->done && z->state && z->owner && z->next &&
		      z->live_in && z->scratch && z->buffer;
	for (uint32_t k = 0; memory && k < z->streams; k++) {
		memory = !gather_open(&z->stream[k].gather, s, buffer);
		z->stream[k].zone = ZONE_NONE;
		z->stream[k].gather.hint = pl_conf_bool(s->conf, "zone.hint");
	}
	if (!memory)
		return pl_fault_set(f, PL_NOMEM, "no memory for %" PRIu64 " zones", z->n);
	for (uint64_t i = 0; i < z->n; i++)
		z->zone[i] = (struct cln_zone){.capacity_blocks = z->capacity, .death_at = CLN_NEVER};
	z->nfree = z->n;
	return PL_OK;
}

static void zone_close(struct store *s)
{
	struct zones *z = s->placement;
	if (!z)
		return;
	for (uint32_t k = 0; k < z->streams; k++)
		gather_close(&z->stream[k].gather);
	free(z->zone);
	free(z->deaths);
	free(z->groups);
	free(z->drained);
	free(z->done);
	free(z->state);
	free(z->owner);
	free(z->next);
	free(z->live_in);
	free(z->scratch);
	free(z->buffer);
	free(z);
}

static int zone_format(struct store *s, struct pl_ctx *x)
{
	if (s->dev->caps.sequential)
		for (uint64_t i = 0; i < s->dev->caps.zones; i++) {
			struct dev_zone d;
			int err = dev_zone(s->dev, i, &d);
			if (!err && d.state != DEV_ZONE_EMPTY)
				err = io_zone(s, x, DEV_ZONE_RESET, d.start);
			if (err)
				return err;
		}
	return PL_OK;
}

static void zone_adopt(struct store *s, uint64_t id, bool map, pl_loc loc)
{
	struct zones *z = s->placement;
	uint64_t block = loc_block(loc), n = loc_blocks(loc);
	if (!loc_possible(loc, s->full_bitmap, s->packs && !map) || block < s->layout.data_start ||
		zone_of(s, z, block) >= z->n || block + n > zone_start(s, z, zone_of(s, z, block)) + z->capacity) {
		(void)store_fail(s,
			"%s %" PRIu64 ": its place, block %" PRIu64 ", is not inside a data zone, or no image looks so",
			map ? "map page" : "page", id, block);
		return;
	}
	if (s->packs && z->owner[block - s->layout.data_start] & ZONE_MAP_OWNER) { /* map pages share no block */
		(void)store_fail(s, "page %" PRIu64 ": its place, block %" PRIu64 ", is a map page's, too", id, block);
		return;
	}
	zone_own(s, z, map ? ZONE_MAP_OWNER | (uint32_t)id : (uint32_t)id, loc);
}

/* State of a zone from what the anchor reaches and what the device says; *next: its first writable block. */
static int recover_zone(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t i, uint64_t *next)
{
	uint64_t start = zone_start(s, z, i), live_end = start;
	for (uint64_t b = 0; b < z->capacity; b++) {
		if (store_by_parent(s)) {
			if (z->owner[start - s->layout.data_start + b])
				live_end = start + b + s->choice.addressing->extent(s, start + b);
			continue;
		}
		for (uint32_t o = z->owner[start - s->layout.data_start + b], behind; o; o = behind) {
			bool map = o & ZONE_MAP_OWNER;
			pl_loc loc =
				map ? s->choice.addressing->map_loc(s, o & ~ZONE_MAP_OWNER) : (pl_loc){s->directory[o]};
			behind = s->packs && !map ? z->next[o] : 0;
			live_end = pl_max64(live_end, start + b + loc_blocks(loc));
		}
	}
	struct dev_zone d = {.write_pointer = start + z->capacity};
	if (s->dev->caps.sequential) {
		int err = dev_zone(s->dev, start / z->stride, &d);
		if (err)
			return err;
		if (live_end > d.write_pointer)
			return pl_fault_set(&s->fault, PL_DAMAGED,
				"zone %" PRIu64 ": live pages reach to block %" PRIu64
				", but its write pointer is at %" PRIu64,
				start / z->stride, live_end, d.write_pointer);
	}
	if (live_end == start)
		return s->dev->caps.sequential && d.state != DEV_ZONE_EMPTY ? io_zone(s, x, DEV_ZONE_RESET, start)
									    : PL_OK;
	z->nfree--;
	z->state[i] = ZONE_FULL;
	z->zone[i].candidate = true;
	/* where writing may go on; on a conventional device nothing behind the last live block is reachable */
	bool closed = s->dev->caps.sequential && d.state == DEV_ZONE_FULL;
	*next = closed ? start + z->capacity : s->dev->caps.sequential ? d.write_pointer : live_end;
	return PL_OK;
}

/* A group that something lives in is not free. The one with the most room goes on. */
static void recover_groups(struct store *s, struct zones *z, uint64_t *next)
{
	uint64_t best = ZONE_NONE, most = s->page_blocks - 1;
	for (uint64_t first = 0; first < z->n; first += z->group) {
		uint64_t live = 0, left = 0;
		for (uint64_t i = first; i < first + z->group; i++)
			live += z->zone[i].live_blocks;
		for (uint64_t i = first; live && i < first + z->group; i++) {
			if (z->state[i] == ZONE_FREE) {
				z->nfree--;
				z->state[i] = ZONE_FULL;
				next[i] = zone_start(s, z, i);
			}
			left = pl_max64(left, zone_start(s, z, i) + z->capacity - next[i]);
		}
		if (left > most) {
			most = left;
			best = first;
		}
	}
	for (uint32_t k = 0; best != ZONE_NONE && k < z->group; k++)
		zone_stream_continue(s, z, &z->stream[k], best + k, next[best + k]);
}

static int zone_recover(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	uint64_t *next = z->scratch; /* scratch: one entry a zone */
	for (uint64_t i = 0; i < z->n; i++) {
		next[i] = zone_start(s, z, i) + z->capacity;
		int err = recover_zone(s, x, z, i, &next[i]);
		if (err)
			return err;
	}
	if (zone_grouped(z))
		recover_groups(s, z, next);
	for (uint32_t t = 0; t < z->streams && !zone_grouped(z); t++) {
		uint64_t best = ZONE_NONE, most = s->page_blocks - 1;
		for (uint64_t i = 0; i < z->n; i++) {
			uint64_t left = zone_start(s, z, i) + z->capacity - next[i];
			if (z->state[i] == ZONE_FULL && left > most) {
				most = left;
				best = i;
			}
		}
		if (best != ZONE_NONE)
			zone_stream_continue(s, z, &z->stream[t], best, next[best]);
	}
	int err = PL_OK;
	for (uint64_t i = 0; i < z->n && !err; i++) /* give back what the others hold open */
		if (s->dev->caps.sequential && z->state[i] == ZONE_FULL && next[i] < zone_start(s, z, i) + z->capacity)
			err = io_zone(s, x, DEV_ZONE_FINISH, zone_start(s, z, i));
	return err;
}

/* --- images ------------------------------------------------------------------------------------------------------- */

static pl_loc zone_place(struct store *s, struct pl_ctx *x, const struct plc_image *i)
{
	struct zones *z = s->placement;
	bool map = i->tag == DEV_TAG_MAP;
	if (kv_broken == KV_BREAK_RELEASE)
		zone_free_empty(s, x, z);
	if (!map) {
		assert(z->reserved);
		z->reserved--;
	}
	struct zone_stream *t = zone_choose(s, z, i->bytes, (uint32_t)__builtin_popcount(i->img.bitmap), i->cleaning);
	return zone_append(s, x, z, t, i, map ? ZONE_MAP_OWNER | (uint32_t)i->id.v : (uint32_t)i->id.v);
}

static void flush_streams(struct store *s, struct pl_ctx *x, struct zones *z)
{
	for (uint32_t k = 0; k < z->streams; k++)
		gather_flush(s, x, &z->stream[k].gather);
}

/* Survivors that are packed go on filling their blocks until the anchor, or until one of them is read. In a group clients'
 * images may be among them: their frames wait. */
static void zone_flush(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	for (uint32_t k = 0; k < z->streams; k++) {
		struct gather *g = &z->stream[k].gather;
		if (!s->packs || k < z->users || g->nframes[g->current])
			gather_flush(s, x, g);
	}
}

static void zone_before_read(struct store *s, struct pl_ctx *x, pl_loc loc)
{
	struct zones *z = s->placement;
	for (uint32_t k = 0; s->packs && k < z->streams; k++) {
		struct gather *g = &z->stream[k].gather;
		if (loc_block(loc) >= g->filled_from && loc_block(loc) < g->filled_from + g->used_blocks)
			gather_flush(s, x, g);
	}
}

static struct plc_where zone_where(const struct store *s, uint64_t id, pl_loc loc)
{
	(void)s;
	(void)id;
	return (struct plc_where){loc_block(loc), loc_blocks(loc), false};
}

static void zone_anchored(struct store *s, struct pl_ctx *x)
{
	struct zones *z = s->placement;
	zone_free_empty(s, x, z);
	zone_cleaner_anchored(z);
	io_drain(s, x);
}

static void zone_checkpoint(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	struct zones *z = s->placement;
	(void)a;
	flush_streams(s, x, z);
}

const struct plc_ops plc_zone = {
	.name = "zone",
	.summary = "append to zones, cleaned later",
	.opts = zone_opts,
	.packs = zone_packs,
	.changeable = zone_changeable,
	.appends = true,
	.open = zone_open,
	.close = zone_close,
	.format = zone_format,
	.adopt = zone_adopt,
	.recover = zone_recover,
	.reserve = zone_reserve,
	.unreserve = zone_unreserve,
	.make_room = zone_make_room,
	.place = zone_place,
	.flush = zone_flush,
	.before_read = zone_before_read,
	.where = zone_where,
	.release = zone_release,
	.checkpoint = zone_checkpoint,
	.anchored = zone_anchored,
	.report = zone_report,
	.step = zone_step,
	.due = zone_due,
};
