/* zone_parent.c - placement=zone where only its ancestors know where a page lies (addressing by_parent): cleaning.
 *
 * A victim's images are read in batches; each leads to its page (engine/store/relocate.c), which is dirtied with its
 * ancestors and appended anew like any other at the next anchor, in the stream of survivors unless a client had changed it.
 * So a zone is empty one anchor after its cleaning, and cleaning it writes its live pages and the paths above them: with
 * one inner level, and pages moved that share no path, a victim with a share u of live blocks costs more than it gains from
 * u = 1/2 on, and a store that cleans victim by victim wanders towards a full device. But there are no more inner pages
 * than there are, however much is moved. Let them be a share f of all blocks, S a share of spare zones kept for cleaning,
 * all of which goes with one anchor, and d the share of dead blocks in other zones. Then about S - f of victims can be
 * moved, which gains (S - f) d / (1 - d) of room and costs f: it is a gain if S > f / d. Live pages leave room for both if
 * they are at most (1 - S) (1 - d), which is greatest for S = d = sqrt(f):
 *
 *         live <= (1 - sqrt(f))^2         f = 1/100: 0.81;  1/400: 0.90;  a mapping table: about 1 - d
 *
 *  1. So sqrt(f) of the zones are spare, and of the others as much is never live.
 *  2. A victim that holds more than the mean of all candidates is taken only if it is the emptiest, whatever the policy.
 *  3. When the spare ones are promised the anchor comes, and the victim is gone on with after it.
 *
 * Ahead of need the same goes on between two turns, in slices (zone_slice_by_parent), for what those pay who reserve room
 * (zone_clean.c). What is spare stays whole for the last resort: to the account a slice is one more client.
 *
 *  4. A step never waits. Images are read asynchronously; a later step looks for the path and asks for what of it is not
 *     resident; after TRIES such searches the page is left to the last resort.
 *  5. At most slice_pages pages are dirtied in a step, from the root down. A leaf so moved is written at once, if the
 *     device takes it without a wait; else, like its ancestors, by the pool's writer or at the anchor.
 *  6. As an anchor writes paths once, however many pages moved, so many victims are emptied between two that their room is
 *     some times that of all inner pages. An anchor that would free less than those take is not asked for.
 *  7. Near the limit of live pages there are no slices: there only what moves many pages with each anchor gains.
 *
 * That is for the case that each anchor writes all inner pages. It supposes that the pool can hold them dirty (they are at
 * most a quarter of its frames), and counts no pages of large values as parents, though they are: their pages are written
 * together and so lie and move together. If it is not so, an operation may be refused as "device full": clean, but early. */
#include "variants/placement/zone.h"

/* --- room ----------------------------------------------------------------------------------------------------------- */

/* sqrt(f), in parts of 1024; rounded up. */
static uint64_t root_share(const struct store *s, const struct zones *z, uint64_t inner)
{
	uint64_t square = pl_div_up(inner * s->page_blocks << 20, z->n * zone_useful(s, z)), root = 0;
	for (uint64_t bit = 1024; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= square)
			root += bit;
	return pl_min64(root + 1, 1024);
}

uint64_t zone_spare_by_parent(const struct store *s, const struct zones *z)
{
	return pl_max64(z->spare + 2, pl_div_up(z->n * root_share(s, z, s->inner_pages), 1024));
}

/* Inner pages that come with the last pages let in lower the limit: deletes must still find themselves below it. */
uint64_t zone_share_by_parent(const struct store *s, const struct zones *z, uint64_t blocks, bool urgent)
{
	uint64_t more = urgent ? 0 : 4 + s->inner_pages / 8;
	return blocks - blocks * root_share(s, z, s->inner_pages + more) / 1024;
}

/* --- cleaning ------------------------------------------------------------------------------------------------------- */

#define PATHS_WORTH 8u /* room to be emptied for an anchor, in inner pages */
#define PATIENCE 4 /* rounds of the last resort that follow the policy */
#define TRIES 16 /* searches for a path before a page is left to the last resort */

struct wanted {
	uint64_t block;
	int status;
};

static void status_read(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)s;
	(void)x;
	*(int *)io->owner = io->r.status;
}

static uint8_t *buffer_of(const struct store *s, const struct zones *z, uint32_t k)
{
	return z->buffer + (size_t)k * ((s->page_bytes + 4095u) & ~4095u);
}

static bool grant(struct store *s, uint32_t pages)
{
	struct zones *z = s->placement;
	if (!zone_enough_anywhere(s, z, pages))
		return false;
	z->reserved += pages;
	return true;
}

static uint32_t owner_at(const struct store *s, const struct zones *z, uint64_t block)
{
	return z->owner[block - s->layout.data_start];
}

/* PL_OK also for what is damaged: it stays where it is, for check to name, and so does its zone. */
static int move_one(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t block, uint8_t *bytes)
{
	int err = store_relocate(s, x, block, owner_at(s, z, block), bytes, grant);
	if (!err || err == PL_AGAIN || s->failed)
		return err;
	z->state[zone_of(s, z, block)] = ZONE_BAD;
	return PL_OK;
}

/* Move what was read; *damaged images whose read failed count as such. */
static int move_batch(struct store *s, struct pl_ctx *x, struct zones *z, const struct wanted *want, uint32_t n)
{
	int err = PL_OK;
	io_drain(s, x);
	for (uint32_t k = 0; k < n && !err && !s->failed; k++)
		if (want[k].status)
			z->state[zone_of(s, z, want[k].block)] = ZONE_BAD;
		else
			err = move_one(s, x, z, want[k].block, buffer_of(s, z, k));
	return err;
}

/* PL_OK: all that lives in the zone moves with the next anchor. PL_AGAIN: not all of it. */
static int clean(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t victim)
{
	struct wanted want[ZONE_READ_BATCH] = {{0}};
	uint64_t start = zone_start(s, z, victim), end = start + z->capacity;
	uint32_t n = 0;
	int err = PL_OK;
	for (uint64_t b = start; b < end && !err && !s->failed; b++) {
		if (!owner_at(s, z, b))
			continue;
		if (store_relocates_from_pool(s, b, owner_at(s, z, b))) {
			err = move_one(s, x, z, b, NULL);
			continue;
		}
		want[n] = (struct wanted){b, PL_AGAIN};
		struct io *io = io_take(s);
		io->r.op = DEV_READ;
		io->r.tag = DEV_TAG_CLEAN;
		io->r.block = b;
		io->r.blocks = s->choice.addressing->extent(s, b);
		io->r.buf = buffer_of(s, z, n);
		io->owner = &want[n].status;
		io->done = status_read;
		io_submit(s, x, io);
		if (++n == ZONE_READ_BATCH) {
			err = move_batch(s, x, z, want, n);
			n = 0;
		}
	}
	int last = move_batch(s, x, z, want, n);
	err = err ? err : last;
	if (!err)
		s->stats.cleaned_zones++;
	return s->failed ? PL_FAILED : err;
}

/* The policy's victim; or, where that holds more than the mean of all candidates, the one with the least live blocks: what
 * is gained must pay for paths, and that it does is shown above for victims as empty as the mean. So does the last resort
 * when some rounds gained too little. */
uint64_t zone_choose_by_parent(struct store *s, const struct zones *z)
{
	uint64_t v = s->choice.cleaning->victim(s->cleaning_derived, z->zone, z->n, s->clock, &s->cleaning_rng);
	uint64_t live = 0, candidates = 0, emptiest = v;
	for (uint64_t i = 0; i < z->n && v < z->n; i++)
		if (z->zone[i].candidate) {
			live += z->zone[i].live_blocks;
			candidates++;
			if (z->zone[i].live_blocks < z->zone[emptiest].live_blocks)
				emptiest = i;
		}
	bool poor = v < z->n && z->zone[v].live_blocks * candidates > live;
	return poor || z->cleaner.round >= PATIENCE ? emptiest : v;
}

/* What slices began is the blocking way's now: their victim, or ZONE_NONE. */
static uint64_t take_over(struct store *s, struct pl_ctx *x, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t victim = c->victim;
	if (c->waiting)
		io_drain(s, x);
	for (struct zone_move *m = c->move; m < c->move + ZONE_READ_BATCH; m++)
		m->owner = 0;
	c->waiting = 0;
	c->victim = ZONE_NONE;
	for (uint64_t i = 0; i < z->n; i++) /* what slices gave up */
		if (z->state[i] == ZONE_FULL && !z->drained[i])
			z->zone[i].candidate = z->zone[i].live_blocks > 0;
	return victim != ZONE_NONE && z->zone[victim].candidate ? victim : ZONE_NONE;
}

int zone_round_by_parent(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t want, uint64_t ready)
{
	int err = PL_OK;
	uint64_t begun = take_over(s, x, z);
	while (z->nfree + ready < want && !err && !s->failed) {
		uint64_t v = begun != ZONE_NONE ? begun : zone_choose_by_parent(s, z);
		begun = ZONE_NONE;
		if (v >= z->n || z->zone[v].live_blocks + s->page_blocks > z->capacity)
			break;
		z->zone[v].candidate = false;
		err = clean(s, x, z, v);
		ready++;
	}
	return err == PL_AGAIN ? PL_OK : err;
}

/* --- in slices ------------------------------------------------------------------------------------------------------ */

uint64_t zone_needs_by_parent(const struct store *s, uint64_t live)
{
	return live + pl_min64(live, s->inner_pages * s->page_blocks);
}

uint64_t zone_ahead_by_parent(const struct store *s, const struct zones *z)
{
	return pl_max64(2, z->n / 64) + pl_div_up(PATHS_WORTH * s->inner_pages * s->page_blocks, zone_useful(s, z));
}

bool zone_roomy_by_parent(const struct store *s, const struct zones *z)
{
	return zone_below_limit(s, z, zone_spare(s, z) * z->capacity / s->page_blocks, false);
}

bool zone_due_by_parent(const struct store *s, const struct zones *z, bool low)
{
	const struct zone_cleaner *c = &z->cleaner;
	if (!zone_roomy_by_parent(s, z))
		return false;
	return (low && z->ready * zone_useful(s, z) > s->inner_pages * s->page_blocks) ||
	       (c->refused && c->dirtied >= s->pool.frames / 8);
}

static bool grant_above_spare(struct store *s, uint32_t pages)
{
	struct zones *z = s->placement;
	if (!zone_enough(s, z, pages, zone_spare(s, z)))
		return false;
	z->reserved += pages;
	return true;
}

/* A leaf that was moved need not wait for the pool's writer, if the device takes it now. */
static void write_now(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t frame)
{
	const struct frame *f = &s->pool.frame[frame];
	const uint8_t *page = frame_page(s, frame);
	if (!f->dirty || !f->cleaning || f->writing || f->pins || !refs_settled(s, frame))
		return;
	struct zone_stream *t = zone_choose(s, z, page, s->page_blocks, true);
	if (t != zone_choose(s, z, page, s->page_blocks, true) || zone_would_wait(s, x, z, t, s->page_blocks))
		return;
	page_write(s, x, frame);
	z->cleaner.gathered |= 1u << (t - z->stream);
	z->cleaner.dirtied -= z->cleaner.dirtied > 0;
}

/* False: it is to be gone on with later. Damaged ones stay where they are, for check to name. */
static bool move_step(
	struct store *s, struct pl_ctx *x, struct zones *z, struct zone_move *m, uint8_t *bytes, uint32_t *most)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t block = loc_block(m->loc);
	struct relocation r = {.block = block,
		.id = owner_at(s, z, block),
		.bytes = bytes,
		.loc = m->loc,
		.opened = m->checked,
		.most = *most};
	int err = m->status == PL_OK ? store_relocate_step(s, x, &r, grant_above_spare) : m->status;
	uint32_t dirtied = *most - r.most;
	m->checked = r.opened;
	m->missing = r.missing;
	m->loc = r.opened ? r.loc : m->loc;
	*most = r.most;
	c->dirtied += dirtied;
	c->refused |= r.refused;
	c->paid_units -= pl_min64(c->paid_units, (uint64_t)dirtied * s->page_blocks * PAGE_UNITS);
	if (!err && r.frame != POOL_NONE)
		write_now(s, x, z, r.frame);
	if (err == PL_AGAIN && (!r.missing || ++m->tries < TRIES))
		return false;
	c->left |= err == PL_AGAIN;
	if (err && err != PL_AGAIN)
		zone_set_bad(z, zone_of(s, z, block));
	return true;
}

static bool still_loading(const struct store *s, const struct zone_move *m)
{
	uint64_t e = m->missing ? s->directory[m->missing] : 0;
	return entry_is_frame(e) && s->pool.frame[entry_frame(e)].state == FRAME_LOADING;
}

static void begin_read(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t block)
{
	struct zone_cleaner *c = &z->cleaner;
	uint32_t k = 0, n = s->choice.addressing->extent(s, block);
	while (c->move[k].owner)
		k++;
	c->move[k] = (struct zone_move){.owner = owner_at(s, z, block),
		.status = PL_AGAIN,
		.loc = loc_make(block, page_prefix(n), SPC_CODEC_RAW, 0)};
	c->waiting++;
	struct io *io = io_take(s);
	io->r.op = DEV_READ;
	io->r.tag = DEV_TAG_CLEAN;
	io->r.block = block;
	io->r.blocks = n;
	io->r.buf = buffer_of(s, z, k);
	io->owner = &c->move[k].status;
	io->done = status_read;
	io_submit(s, x, io);
}

/* The images that have come. */
static void go_on(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t *most)
{
	struct zone_cleaner *c = &z->cleaner;
	uint32_t searches = z->slice_pages;
	for (uint32_t k = 0; k < ZONE_READ_BATCH && c->waiting && *most && searches && !c->refused && !s->failed; k++) {
		struct zone_move *m = &c->move[k];
		if (!m->owner || m->status == PL_AGAIN || still_loading(s, m))
			continue;
		searches--;
		if (move_step(s, x, z, m, buffer_of(s, z, k), most)) {
			m->owner = 0;
			c->waiting--;
		}
	}
}

/* The rest of the victim: pages that are resident, reads for others. */
static void look(struct store *s, struct pl_ctx *x, struct zones *z, uint32_t *most)
{
	struct zone_cleaner *c = &z->cleaner;
	uint64_t start = zone_start(s, z, c->victim), page_units = (uint64_t)s->page_blocks * PAGE_UNITS;
	uint32_t reads = z->slice_pages;
	for (; c->at < z->capacity && !s->failed; c->at++) {
		uint64_t block = start + c->at;
		if (!owner_at(s, z, block))
			continue;
		if (!*most || c->refused || c->paid_units <= c->waiting * page_units)
			return;
		if (store_relocates_from_pool(s, block, owner_at(s, z, block))) {
			if (loc_block(c->here.loc) != block)
				c->here = (struct zone_move){.loc = loc_make(block, 1, SPC_CODEC_RAW, 0)};
			if (still_loading(s, &c->here) || !move_step(s, x, z, &c->here, NULL, most))
				return;
			c->here.loc = (pl_loc){0};
		} else {
			if (c->waiting == ZONE_READ_BATCH || !reads--)
				return;
			begin_read(s, x, z, block);
		}
	}
	if (c->waiting || s->failed)
		return;
	if (c->left)
		c->victim = ZONE_NONE; /* no candidate before the next anchor or the last resort */
	else
		zone_end_victim(s, z);
}

uint32_t zone_slice_by_parent(struct store *s, struct pl_ctx *x, struct zones *z)
{
	struct zone_cleaner *c = &z->cleaner;
	uint32_t most = z->slice_pages;
	if (c->victim == ZONE_NONE && !c->waiting)
		return 0;
	c->refused = false;
	go_on(s, x, z, &most);
	if (c->victim != ZONE_NONE)
		look(s, x, z, &most);
	zone_flush_copies(s, x, z);
	return z->slice_pages - most;
}
