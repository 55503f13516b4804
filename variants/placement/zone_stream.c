/* zone_stream.c - placement=zone: appending to the streams' open zones, and zones becoming full and free. See zone.c. */
#include "variants/placement/zone.h"

#include <assert.h>
#include <string.h>

static void close_zone(struct store *s, struct pl_ctx *x, struct zones *z, struct zone_stream *t)
{
	if (t->zone == ZONE_NONE)
		return;
	gather_flush(s, x, &t->gather);
	while ((t->gather.in_flight[0] || t->gather.in_flight[1]) && !s->failed)
		io_advance(s, x);
	if (s->dev->caps.sequential && t->gather.next < t->end)
		(void)io_zone(s, x, DEV_ZONE_FINISH, zone_start(s, z, t->zone));
	z->state[t->zone] = ZONE_FULL;
	z->zone[t->zone].candidate = true;
	z->zone[t->zone].closed_at = s->clock;
	z->nempty += !z->zone[t->zone].live_blocks;
	t->zone = ZONE_NONE;
}

static void open_zone(struct store *s, struct zones *z, struct zone_stream *t)
{
	assert(z->nfree);
	uint64_t i = z->next_free;
	while (z->state[i] != ZONE_FREE)
		i = i + 1 == z->n ? 0 : i + 1;
	z->next_free = i + 1 == z->n ? 0 : i + 1;
	z->state[i] = ZONE_OPEN;
	z->nfree--;
	z->deaths[i] = (struct zone_deaths){0};
	z->zone[i].closed_at = z->zone[i].changed_at = 0;
	z->zone[i].death_at = CLN_NEVER;
	zone_class_opened(s, z, t);
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, zone_start(s, z, i));
}

void zone_stream_continue(struct store *s, struct zones *z, struct zone_stream *t, uint64_t i, uint64_t next)
{
	z->state[i] = ZONE_OPEN;
	z->zone[i].candidate = false;
	t->zone = i;
	t->end = zone_start(s, z, i) + z->capacity;
	gather_seek(&t->gather, next);
}

/* What a cleaning policy may want to know of the image's zone. */
static void note_history(struct zones *z, uint64_t zone, const uint8_t *header, uint64_t now)
{
	uint64_t death = zone_death(header, now);
	struct cln_zone *c = &z->zone[zone];
	if (page_clock(header) <= now)
		c->changed_at = pl_max64(c->changed_at, page_clock(header));
	if (death == CLN_NEVER)
		return;
	z->deaths[zone].sum += death;
	z->deaths[zone].count++;
	c->death_at = z->deaths[zone].sum / z->deaths[zone].count;
}

pl_loc zone_append(
	struct store *s, struct pl_ctx *x, struct zones *z, const struct plc_image *i, uint32_t owner, bool copy)
{
	uint32_t n = (uint32_t)__builtin_popcount(i->img.bitmap);
	struct zone_stream *t = zone_choose(s, z, i, n, copy);
	if (zone_stream_left(t) < n) {
		close_zone(s, x, z, t);
		if (s->failed)
			return loc_make(s->layout.data_start, i->img.bitmap, i->img.codec, i->generation);
		open_zone(s, z, t);
	}
	uint64_t block = gather_add(s, x, &t->gather, i);
	z->owner[block - s->layout.data_start] = owner;
	z->zone[t->zone].live_blocks += n;
	z->live_blocks += n;
	note_history(z, t->zone, i->bytes, s->clock);
	return loc_make(block, i->img.bitmap, i->img.codec, i->generation);
}

static void set_free(struct zones *z, uint64_t i)
{
	z->state[i] = ZONE_FREE;
	z->zone[i].candidate = false;
	z->nfree++;
}

static void make_free(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t i)
{
	uint64_t start = zone_start(s, z, i);
	if (s->dev->caps.sequential) {
		struct io *io = io_take(s);
		io->r.op = DEV_ZONE_RESET;
		io->r.tag = DEV_TAG_META;
		io->r.block = start;
		io_submit(s, x, io);
	} else if (pl_conf_bool(s->conf, "zone.trim"))
		io_punch(s, x, start, (uint32_t)z->capacity);
	memset(z->owner + (start - s->layout.data_start), 0, z->capacity * sizeof *z->owner);
	z->nempty--;
	set_free(z, i);
}

void zone_free_empty(struct store *s, struct pl_ctx *x, struct zones *z)
{
	for (uint64_t i = 0; i < z->n; i++)
		if (z->state[i] == ZONE_FULL && !z->zone[i].live_blocks)
			make_free(s, x, z, i);
}

void zone_release(struct store *s, uint64_t id, pl_loc loc)
{
	struct zones *z = s->placement;
	(void)id;
	uint64_t i = zone_of(s, z, loc_block(loc));
	z->owner[loc_block(loc) - s->layout.data_start] = 0;
	assert(z->zone[i].live_blocks >= loc_blocks(loc));
	z->zone[i].live_blocks -= loc_blocks(loc);
	z->live_blocks -= loc_blocks(loc);
	z->nempty += z->state[i] == ZONE_FULL && !z->zone[i].live_blocks;
}
