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

struct wanted {
	uint64_t block;
	int status;
};

static void image_read(struct store *s, struct pl_ctx *x, struct io *io)
{
	(void)s;
	(void)x;
	((struct wanted *)io->owner)->status = io->r.status;
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
		io->owner = &want[n];
		io->done = image_read;
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
 * is gained must pay for paths, and that it does is shown above for victims as empty as the mean. */
static uint64_t choose(struct store *s, const struct zones *z)
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
	return v < z->n && z->zone[v].live_blocks * candidates > live ? emptiest : v;
}

int zone_round_by_parent(struct store *s, struct pl_ctx *x, struct zones *z, uint64_t want, uint64_t ready)
{
	int err = PL_OK;
	while (z->nfree + ready < want && !err && !s->failed) {
		uint64_t v = choose(s, z);
		if (v >= z->n || z->zone[v].live_blocks + s->page_blocks > z->capacity)
			break;
		z->zone[v].candidate = false;
		err = clean(s, x, z, v);
		ready++;
	}
	return err == PL_AGAIN ? PL_OK : err;
}
