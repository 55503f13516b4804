/* cow_test.c - what addressing=cow promises beyond the contract: exactly the path is written, and only it is read; names of
 * pages are given back; at any moment what store.h says of references (R1..R4) holds; every page is found again by its image. */
#include "harness/model.h"
#include "variants/store_rig.h"

#include <inttypes.h>
#include <stdlib.h>

#define KEY_BYTES 400u /* a leaf of 4 KiB has six records of 200 bytes */
#define KEYS 3000u

static void lab_start(struct lab *l, setting *set, size_t n)
{
	static setting always[] = {{"placement", "shadow"}, {"addressing", "cow"}, {"device", "null"},
		{"page_bytes", "4k"}, {"pool_bytes", "4M"}, {"log_bytes", "512k"}, {"max_value_bytes", "12k"},
		{"zone.zone_bytes", "128k"}};
	lab_init(l);
	lab_set(l, always, PL_COUNT(always));
	lab_set(l, set, n);
	lab_choose(l);
	lab_create(l, 16u << 20);
}

static pl_slice long_key(uint32_t k) /* valid until the next call */
{
	static uint8_t key[KEY_BYTES];
	memset(key, 'k', sizeof key);
	(void)snprintf((char *)key, 9, "%08u", k);
	return pl_slice_of(key, sizeof key);
}

static int put(struct lab *l, uint32_t k, size_t n)
{
	model_fill(pl_rng_next(&l->rng) | 1, l->value, n);
	return kv_put(l->kv, &l->x, long_key(k), pl_slice_of(l->value, n));
}

static int get(struct lab *l, uint32_t k)
{
	pl_slice v;
	return kv_get(l->kv, &l->x, long_key(k), l->value, sizeof l->value, &v);
}

static int update(struct lab *l, uint32_t k, uint64_t offset)
{
	struct kv_op op = {.kind = KV_UPDATE,
		.key = long_key(k),
		.value = pl_slice_of((const uint8_t *)"new", 3),
		.offset = offset};
	return kv_do(l->kv, &l->x, &op);
}

static void load(struct lab *l, uint32_t keys)
{
	for (uint32_t k = 0; k < keys; k++)
		assert_int_equal(put(l, k * 10, 200), PL_OK);
	lab_checkpoint(l);
}

/* --- costs ---------------------------------------------------------------------------------------------------------- */

struct written {
	uint64_t pages, leaf, inner, overflow, map; /* the last four in pages' bytes */
	uint32_t height;
};

/* What one update and a checkpoint write. */
static struct written one_update(const char *addressing, const char *placement, bool large)
{
	setting set[] = {{"addressing", addressing}, {"placement", placement}};
	struct dev_stats a, b;
	struct lab l;
	lab_start(&l, set, PL_COUNT(set));
	load(&l, KEYS);
	if (large)
		assert_int_equal(put(&l, 3000, 9000), PL_OK);
	lab_checkpoint(&l);
	struct kv_stats before = stats(&l);
	dev_stats(l.dev, &a);
	assert_int_equal(update(&l, 3000, large ? 5000 : 5), PL_OK);
	lab_checkpoint(&l);
	struct kv_stats after = stats(&l);
	dev_stats(l.dev, &b);
#define PAGES(tag) ((b.host_write_bytes[DEV_TAG_##tag] - a.host_write_bytes[DEV_TAG_##tag]) / 4096)
	struct written w = {after.page_writes - before.page_writes, PAGES(LEAF), PAGES(INNER), PAGES(OVERFLOW),
		PAGES(MAP), (uint32_t)after.height};
	lab_end(&l);
	return w;
}

static void an_update_writes_its_path(void **state)
{
	(void)state;
	static const char *const placements[] = {"shadow", "zone"};
	for (size_t i = 0; i < PL_COUNT(placements); i++) {
		struct written w = one_update("cow", placements[i], false);
		print_message("    %s: height %u\n", placements[i], w.height);
		assert_true(w.height >= 3);
		assert_int_equal(w.pages, w.height);
		assert_int_equal(w.leaf, 1);
		assert_int_equal(w.inner, w.height - 1);
		assert_int_equal(w.overflow + w.map, 0);
		w = one_update("cow", placements[i], true); /* a part of a value, its index page, the path */
		assert_int_equal(w.pages, w.height + 2);
		assert_int_equal(w.overflow, 2);
		assert_int_equal(w.inner, w.height - 1);
		w = one_update("table", placements[i], false);
		assert_int_equal(w.pages, 1);
		assert_int_equal(w.leaf, 1);
		assert_int_equal(w.inner, 0);
	}
}

static void a_read_after_opening_reads_its_path(void **state)
{
	(void)state;
	struct lab l;
	lab_start(&l, NULL, 0);
	load(&l, KEYS);
	lab_close(&l);
	lab_open(&l);
	assert_int_equal(stats(&l).page_reads, 0);
	assert_int_equal(get(&l, 1230), PL_OK);
	struct kv_stats s = stats(&l);
	assert_true(s.height >= 3);
	assert_int_equal(s.page_reads, s.height);
	lab_end(&l);
}

/* An epoch that changes more than a delta holds is anchored by a base. */
static void long_epochs_are_anchored_whole(void **state)
{
	(void)state;
	setting set[] = {{"durability", "none"}}; /* no log that asks for an anchor */
	struct lab l;
	lab_start(&l, set, PL_COUNT(set));
	load(&l, KEYS);
	struct kv_stats before = stats(&l);
	for (uint32_t k = 0; k < KEYS; k += 9)
		assert_int_equal(update(&l, k * 10, 1), PL_OK);
	assert_int_equal(stats(&l).checkpoints, before.checkpoints);
	lab_checkpoint(&l);
	assert_true(stats(&l).page_writes > before.page_writes + 300); /* placed and released: more than 512 changes */
	lab_abandon(&l);
	lab_open(&l);
	lab_end(&l);
}

/* The frame of the leaf that has this key. */
static uint32_t leaf_of(struct lab *l, uint32_t k)
{
	struct store *s = store_of(l);
	for (uint32_t i = 0; i < s->pool.frames; i++) {
		bool exact = false;
		if (s->pool.frame[i].state == FRAME_VALID && page_kind(frame_page(s, i)) == PAGE_LEAF)
			(void)nod_lower_bound(l->choice.node, &s->node, frame_page(s, i), long_key(k), &exact);
		if (exact)
			return i;
	}
	fail_msg("no leaf in the pool has key %u", k);
	return POOL_NONE;
}

/* The image that lay there before is whole, and of the same tree; only its generation is another. */
static void a_lost_write_is_noticed(void **state)
{
	(void)state;
	struct lab l;
	uint8_t old[4096];
	lab_start(&l, NULL, 0);
	load(&l, 600);
	struct store *s = store_of(&l);
	struct frame *f = &s->pool.frame[leaf_of(&l, 3000)];
	assert_int_equal(io_read(s, &l.x, DEV_TAG_LEAF, loc_block(f->loc), 1, old), PL_OK);
	assert_int_equal(update(&l, 3000, 1), PL_OK);
	lab_checkpoint(&l);
	assert_int_equal(io_write(s, &l.x, DEV_TAG_LEAF, loc_block(f->loc), 1, old), PL_OK);
	lab_close(&l);
	lab_open(&l);
	assert_int_equal(get(&l, 3000), PL_DAMAGED);
	assert_non_null(strstr(kv_fault_text(l.kv), "a write was lost"));
	lab_drop(&l);
}

/* --- what holds of references ------------------------------------------------------------------------------------- */

struct seen {
	struct lab *l;
	uint32_t *times; /* per id: that a resident page refers to it */
	const struct frame *parent;
	uint8_t *image; /* the parent's, opened: its references in the same order */
	uint64_t locs[4096], nlocs, next;
};

static bool note_loc(struct store *s, uint8_t *ref, void *arg)
{
	struct seen *q = arg;
	(void)s;
	assert_true(q->nlocs < PL_COUNT(q->locs));
	q->locs[q->nlocs++] = le64(ref);
	return false;
}

static bool look(struct store *s, uint8_t *ref, void *arg)
{
	struct seen *q = arg;
	uint64_t id = ref_known(s, ref);
	assert_true(ref_live(s, ref));
	if (id)
		q->times[id]++;
	const struct frame *child = NULL;
	if (id && entry_is_frame(s->directory[id]))
		child = &s->pool.frame[entry_frame(s->directory[id])];
	if (child && child->dirty && !q->parent->dirty)
		fail_msg("R2: page %" PRIu64 " is dirty, its parent is not", id);
	if (!q->parent->dirty && ref_loc(s, ref).v != q->locs[q->next])
		fail_msg("R3: the image of a clean page has not the newest place of its child");
	q->next++;
	return false;
}

/* R1 to R4 for all that is in the pool, the images of clean pages read from the device. */
static void references_hold(struct lab *l)
{
	struct store *s = store_of(l);
	struct seen *q = calloc(1, sizeof *q);
	q->l = l;
	q->times = calloc(s->max_ids + 1, sizeof *q->times);
	q->image = aligned_alloc(4096, s->page_bytes);
	io_drain(s, &l->x);
	for (uint32_t i = 0; i < s->pool.frames; i++) {
		const struct frame *f = &s->pool.frame[i];
		if (f->state != FRAME_VALID || !f->id)
			continue;
		assert_int_equal(page_id(frame_page(s, i)), f->id);
		q->parent = f;
		q->nlocs = q->next = 0;
		if (!f->dirty) {
			struct pl_fault fault = {0};
			assert_int_equal(
				io_read(s, &l->x, DEV_TAG_LEAF, loc_block(f->loc), loc_blocks(f->loc), q->image),
				PL_OK);
			if (image_open(s, &l->x, q->image, f->id, f->loc, false, &fault))
				fail_msg("%s", fault.text);
			(void)s->choice.structure->refs(s, q->image, note_loc, q);
		}
		(void)s->choice.structure->refs(s, frame_page(s, i), look, q);
	}
	uint64_t named = 0;
	for (uint64_t id = 1; id <= s->max_ids; id++) {
		named += s->directory[id] != 0;
		assert_int_equal(q->times[id], s->directory[id] && id != STORE_ROOT);
	}
	assert_int_equal(named + s->nfree_ids, s->max_ids);
	free(q->times);
	free(q->image);
	free(q);
}

/* Everything that changes a tree, in a pool that holds a part of it. */
static void churn(struct lab *l, uint32_t turns)
{
	for (uint32_t i = 0; i < turns; i++) {
		uint32_t dice = (uint32_t)pl_rng_below(&l->rng, 100), k = (uint32_t)pl_rng_below(&l->rng, 500);
		if (i / 250 % 2) /* growing and shrinking in turn */
			dice = dice < 60 ? 75 : dice;
		int err = dice < 50   ? put(l, k, 20 + pl_rng_below(&l->rng, 500))
			  : dice < 56 ? put(l, k, 5000 + pl_rng_below(&l->rng, 4000))
			  : dice < 70 ? update(l, k, 3)
			  : dice < 85 ? kv_delete(l->kv, &l->x, long_key(k))
				      : get(l, k);
		assert_true(err == PL_OK || err == PL_NOTFOUND);
		if (i % 97 == 96)
			lab_checkpoint(l);
		if (i % 3 == 0)
			references_hold(l);
	}
}

static void references_hold_at_any_moment(void **state)
{
	(void)state;
	static const char *const nodes[] = {"slotted", "ordinal", "b2"}, *const spaces[] = {"raw", "hole"},
				 *const placements[] = {"shadow", "zone"};
	for (size_t i = 0; i < 12; i++) {
		setting set[] = {{"node", nodes[i % 3]}, {"space", spaces[i / 3 % 2]}, {"placement", placements[i / 6]},
			{"pool_bytes", i / 3 % 2 ? "256k" : "128k"}, {"page_bytes", i / 3 % 2 ? "8k" : "4k"}};
		struct lab l;
		lab_start(&l, set, PL_COUNT(set));
		churn(&l, 1500);
		struct kv_stats s = stats(&l);
		if (i % 3 == 0)
			print_message("    %s %s: %" PRIu64 " splits, %" PRIu64 " merges, %" PRIu64
				      " evictions, %" PRIu64 " of dirty pages\n",
				set[2][1], set[1][1], s.splits, s.merges, s.evictions_clean, s.evictions_dirty);
		assert_true(s.splits > 20 && s.merges > 0 && s.evictions_clean > 50 && s.evictions_dirty > 20);
		lab_check(&l);
		references_hold(&l);
		lab_abandon(&l);
		lab_open(&l);
		lab_end(&l);
	}
}

/* --- from an image to its page -------------------------------------------------------------------------------------- */

static bool grant(struct store *s, uint32_t pages)
{
	return s->choice.placement->reserve(s, pages, true);
}

/* Each extent that is live is moved, alone or many with one anchor, with nothing in the pool or all. */
static void move_all(struct lab *l, uint32_t together, bool cold)
{
	struct store *s = store_of(l);
	uint64_t start = s->layout.data_start, end = start + s->layout.data_blocks, moved = 0, waiting = 0;
	uint64_t *block = calloc(s->layout.data_blocks, sizeof *block), n = 0, first = 0;
	for (uint64_t b = start; b < end; b++)
		if (s->choice.addressing->extent(s, b))
			block[n++] = b;
	assert_int_equal(n, stats(l).live_pages);
	for (uint64_t i = 0; i < n; i++) {
		if (cold && !waiting) {
			lab_close(l);
			lab_open(l);
			s = store_of(l);
		}
		int err = store_relocate(s, &l->x, block[i], 0, NULL, grant);
		if (err)
			fail_msg("block %" PRIu64 ": %s: %s", block[i], pl_err_name(err), kv_fault_text(l->kv));
		moved++;
		if (++waiting < together && i + 1 < n)
			continue;
		references_hold(l);
		lab_checkpoint(l);
		for (; first <= i; first++) /* what was freed now was not used again yet: no two anchors since */
			if (s->choice.addressing->extent(s, block[first]) && together == 1)
				fail_msg("the page at block %" PRIu64 " did not move", block[first]);
		waiting = 0;
	}
	assert_int_equal(moved, n);
	free(block);
	lab_check(l);
}

/* Between full neighbours, which cannot take it in, a leaf without a record has no key to be found by. */
static void empty_leaves(struct lab *l)
{
	for (uint32_t k = 9000; k < 9100; k++)
		assert_int_equal(put(l, k, 500), PL_OK);
	struct store *s = store_of(l);
	for (uint32_t k = 9020; k < 9080; k += 20) {
		uint32_t leaf = leaf_of(l, k), n;
		while ((n = nod_count(l->choice.node, &s->node, frame_page(s, leaf))) != 0) {
			struct nod_entry e;
			uint8_t key[KEY_BYTES];
			nod_entry(l->choice.node, &s->node, frame_page(s, leaf), n - 1, &e);
			assert_int_equal(kv_delete(l->kv, &l->x, pl_slice_of(key, nod_key_copy(&e, key))), PL_OK);
		}
		assert_true(s->pool.frame[leaf].id); /* it is still a page of the tree */
	}
}

static void every_page_is_found_by_its_image(void **state)
{
	(void)state;
	struct lab l;
	lab_start(&l, NULL, 0);
	load(&l, 120);
	for (uint32_t k = 0; k < 6; k++)
		assert_int_equal(put(&l, k * 100 + 1, 9000), PL_OK);
	empty_leaves(&l);
	lab_checkpoint(&l);
	move_all(&l, 1, true);
	move_all(&l, 1, false);
	move_all(&l, 40, true);
	move_all(&l, 40, false);
	assert_true(stats(&l).moved_pages > 0);
	lab_end(&l);
}

/* Pages dirtied by cleaning are told apart from those that clients change. */
static void cleaning_has_its_own_tag(void **state)
{
	(void)state;
	struct dev_stats a, b;
	struct lab l;
	lab_start(&l, NULL, 0);
	load(&l, 600);
	struct store *s = store_of(&l);
	uint64_t root = loc_block(store_loc(s, STORE_ROOT)), leaf = s->layout.data_start;
	while (!s->choice.addressing->extent(s, leaf) || leaf == root)
		leaf++;
	dev_stats(l.dev, &a);
	struct kv_stats before = stats(&l);
	assert_int_equal(store_relocate(s, &l.x, leaf, 0, NULL, grant), PL_OK);
	lab_checkpoint(&l);
	dev_stats(l.dev, &b);
	struct kv_stats after = stats(&l);
	uint64_t path = after.moved_pages - before.moved_pages;
	assert_true(path >= 2 && path <= after.height);
	assert_int_equal(b.host_write_bytes[DEV_TAG_CLEAN] - a.host_write_bytes[DEV_TAG_CLEAN], path * 4096);
	assert_int_equal(b.host_write_bytes[DEV_TAG_INNER], a.host_write_bytes[DEV_TAG_INNER]);
	assert_int_equal(after.page_writes, before.page_writes);
	/* a client changes what cleaning had dirtied: it is the client's now, and so is its path */
	leaf = s->layout.data_start;
	while (!s->choice.addressing->extent(s, leaf) || leaf == loc_block(store_loc(s, STORE_ROOT)))
		leaf++;
	assert_int_equal(store_relocate(s, &l.x, leaf, 0, NULL, grant), PL_OK);
	for (uint32_t k = 0; k < 600; k++)
		assert_int_equal(update(&l, k * 10, 1), PL_OK);
	lab_checkpoint(&l);
	assert_int_equal(stats(&l).moved_pages, after.moved_pages);
	lab_end(&l);
}

/* --- cleaning between two turns --------------------------------------------------------------------------------------- */

struct sliced {
	struct kv_stats s; /* since the store was filled */
	uint64_t reading; /* of the steps seen here those that asked the device for something */
	uint64_t images; /* read by cleaning */
};

static void conserved(struct lab *l)
{
	struct kv_stats t = stats(l);
	assert_int_equal(t.live_bytes + t.dead_bytes + t.free_bytes + t.reserved_bytes, t.data_capacity_bytes);
}

/* Updates of a store of moderate fill, a read and a step of cleaning after each. */
static struct sliced steady(struct lab *l, uint32_t records, uint32_t operations)
{
	struct sliced r = {0};
	struct dev_stats d;
	load(l, records);
	dev_stats(l->dev, &d);
	r.images = d.host_read_bytes[DEV_TAG_CLEAN] / 4096;
	store_of(l)->stats.moved_pages_at_once = 0;
	struct kv_stats before = stats(l);
	for (uint32_t i = 0; i < operations; i++) {
		struct kv_op op = {.kind = KV_UPDATE,
			.key = long_key(10 * (uint32_t)pl_rng_below(&l->rng, records)),
			.value = pl_slice_of((const uint8_t *)"new", 3),
			.no_wait = true}; /* else all would be done while it waits for the log */
		assert_int_equal(kv_do(l->kv, &l->x, &op), PL_OK);
		assert_int_equal(get(l, 10 * (uint32_t)pl_rng_below(&l->rng, records)), PL_OK);
		uint64_t now_ns = l->x.now_ns, work_ns = l->x.cpu_ns, in_flight = store_of(l)->in_flight;
		l->choice.placement->step(store_of(l), &l->x);
		assert_int_equal(l->x.now_ns - now_ns, l->x.cpu_ns - work_ns); /* it never waits */
		assert_int_equal(store_of(l)->pool.pinned, 0);
		assert_true(store_of(l)->pool.dirty <= store_of(l)->pool.dirty_limit);
		r.reading += store_of(l)->in_flight > in_flight;
		conserved(l);
		if (i % 1009 == 1008) /* in the middle of a victim, too */
			assert_int_equal(kv_checkpoint(l->kv, &l->x), PL_OK);
		if (i % 256 == 0)
			references_hold(l);
	}
	dev_stats(l->dev, &d);
	r.images = d.host_read_bytes[DEV_TAG_CLEAN] / 4096 - r.images;
	r.s = stats(l);
	r.s.moved_pages -= before.moved_pages;
	r.s.moved_pages_blocking -= before.moved_pages_blocking;
	r.s.checkpoints -= before.checkpoints;
	return r;
}

static void cleaning_goes_on_in_slices(void **state)
{
	(void)state;
	static const char *const slices[] = {"0", "1", "4", "8", "32"}, *const devices[] = {
										"null", "sim_ssd", "sim_zns"};
	for (size_t i = 0; i < PL_COUNT(slices) * PL_COUNT(devices); i++) {
		setting set[] = {{"placement", "zone"}, {"device", devices[i / 5]}, {"zone.slice_pages", slices[i % 5]},
			{"pool_bytes", i % 5 == 2 ? "256k" : "1M"}, {"sim_zns.zone_bytes", "128k"}};
		uint64_t most = strtoull(slices[i % 5], NULL, 10);
		struct lab l;
		lab_start(&l, set, PL_COUNT(set));
		struct sliced r = steady(&l, 10500, 4000);
		print_message("    %s, slices of %2" PRIu64 ": %" PRIu64 " moved, %" PRIu64
			      " of them blocking, at most %" PRIu64 " at once; %" PRIu64 " images read; %" PRIu64
			      " checkpoints\n",
			devices[i / 5], most, r.s.moved_pages, r.s.moved_pages_blocking, r.s.moved_pages_at_once,
			r.images, r.s.checkpoints);
		assert_true(r.s.moved_pages > 500 && r.images > 300);
		if (most) { /* keeps up, so nobody has to wait for room */
			assert_int_equal(r.s.moved_pages_blocking, 0);
			assert_true(r.s.moved_pages_at_once <= most);
		} else {
			assert_int_equal(r.s.moved_pages_blocking, r.s.moved_pages);
			assert_true(r.s.moved_pages_at_once > 16);
		}
		/* large slices read all they can right after the update */
		assert_true(most ? most > 4 || r.reading > 0 : !r.reading);
		lab_end(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"addressing.cow.an_update_writes_its_path", an_update_writes_its_path, NULL, NULL, NULL},
		{"addressing.cow.a_read_after_opening_reads_its_path", a_read_after_opening_reads_its_path, NULL, NULL,
			NULL},
		{"addressing.cow.long_epochs_are_anchored_whole", long_epochs_are_anchored_whole, NULL, NULL, NULL},
		{"addressing.cow.a_lost_write_is_noticed", a_lost_write_is_noticed, NULL, NULL, NULL},
		{"addressing.cow.references_hold_at_any_moment", references_hold_at_any_moment, NULL, NULL, NULL},
		{"addressing.cow.every_page_is_found_by_its_image", every_page_is_found_by_its_image, NULL, NULL, NULL},
		{"addressing.cow.cleaning_has_its_own_tag", cleaning_has_its_own_tag, NULL, NULL, NULL},
		{"addressing.cow.cleaning_goes_on_in_slices", cleaning_goes_on_in_slices, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("cow", tests, NULL, NULL);
}
