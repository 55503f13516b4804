/* sim_zns_test.c - what sim_zns claims, but for its times: the zone state machine, limits, random write areas, wear,
 * copies. */
#include "variants/device/sim_zns_rig.h"

enum {
	E = DEV_ZONE_EMPTY,
	I = DEV_ZONE_IMPLICIT_OPEN,
	X = DEV_ZONE_EXPLICIT_OPEN,
	C = DEV_ZONE_CLOSED,
	F = DEV_ZONE_FULL,
	R = DEV_ZONE_READ_ONLY,
	O = DEV_ZONE_OFFLINE,
	SAME = 100,
	ST = PL_ZONE_STATE,
	FU = PL_ZONE_FULL,
	PT = PL_ZONE_POINTER
};
enum { ZB = 16 }; /* blocks of a zone of 64 KiB */

static enum dev_zone_state zone_state(struct rig *g, uint64_t zone)
{
	struct dev_zone z;
	assert_int_equal(dev_zone(g->dev, zone, &z), PL_OK);
	assert_int_equal(z.start, zone * g->dev->caps.zone_blocks);
	return z.state;
}

static int do_zrwa(struct rig *g, uint64_t block)
{
	struct dev_req r = {.op = DEV_ZONE_OPEN, .block = block, .zrwa = true};
	assert_int_equal(rig_submit(g, &r), PL_OK);
	assert_ptr_equal(rig_wait(g), &r);
	return r.status;
}

static const char *const areas[] = {"sim_zns.zone_bytes", "64k", "sim_zns.zrwa_bytes", "32k",
	"sim_zns.zrwa_flush_bytes", "8k", "sim_zns.zrwa_zones", "2", NULL};
enum { WINDOW = 8, GRANULE = 2 };

/* ---- states ---- */

/* Zone 1 into a state; the last three have a random write area. All but empty and full ones have 4 blocks behind the
 * pointer. */
enum { FROM = 10 };
static uint64_t zone_into(struct rig *g, int from)
{
	if (from <= O) {
		uint64_t at = from == E ? ZB : from == F ? 2 * ZB : ZB + 4;
		assert_int_equal(zns_inside.poke_zone(g->dev, 1, (enum dev_zone_state)from, at), PL_OK);
		return at;
	}
	assert_int_equal(do_zrwa(g, ZB), PL_OK);
	assert_int_equal(rig_do(g, DEV_ZONE_FLUSH, ZB + 4, 0, NULL), PL_OK);
	if (from > O + 1)
		assert_int_equal(rig_do(g, DEV_ZONE_CLOSE, ZB, 0, NULL), PL_OK);
	if (from == O + 2)
		assert_int_equal(rig_do(g, DEV_WRITE, ZB + 4, 1, buf), PL_OK);
	return ZB + 4;
}

static void zns_state_machine(void **state)
{
	(void)state;
	enum { START, POINTER, PAST, FLUSH, FLUSH_ODD, OPEN_AREA };
	static const struct {
		enum dev_op op;
		int where;
		uint32_t blocks;
		int after[FROM]; /* state from each state, or the refusal */
	} table[] = {
		/*                              E   I   X   C   F   R   O   X   I   C with an area */
		{DEV_WRITE, POINTER, 1, {I, I, X, I, FU, ST, ST, X, I, I}},
		{DEV_WRITE, POINTER, ZB - 4, {I, F, F, F, FU, ST, ST, X, I, I}},
		{DEV_WRITE, POINTER, ZB - 3, {I, FU, FU, FU, FU, ST, ST, FU, FU, FU}},
		{DEV_WRITE, POINTER, ZB, {F, FU, FU, FU, FU, ST, ST, FU, FU, FU}},
		{DEV_WRITE, POINTER, ZB + 1, {FU, FU, FU, FU, FU, ST, ST, PT, PT, PT}},
		{DEV_WRITE, PAST, 1, {PT, PT, PT, PT, FU, ST, ST, X, I, I}},
		{DEV_WRITE, START, 1, {I, PT, PT, PT, FU, ST, ST, PT, PT, PT}},
		{DEV_APPEND, START, 1, {I, I, X, I, FU, ST, ST, ST, ST, ST}},
		{DEV_APPEND, START, ZB - 4, {I, F, F, F, FU, ST, ST, ST, ST, ST}},
		{DEV_ZONE_OPEN, START, 0, {X, X, X, X, ST, ST, ST, X, X, X}},
		{DEV_ZONE_OPEN, OPEN_AREA, 0, {X, ST, ST, ST, ST, ST, ST, X, X, X}},
		{DEV_ZONE_CLOSE, START, 0, {ST, C, C, C, ST, ST, ST, C, C, C}},
		{DEV_ZONE_FINISH, START, 0, {F, F, F, F, F, ST, ST, F, F, F}},
		{DEV_ZONE_RESET, START, 0, {E, E, E, E, E, ST, ST, E, E, E}},
		{DEV_ZONE_FLUSH, FLUSH, 0, {ST, ST, ST, ST, ST, ST, ST, X, I, I}},
		{DEV_ZONE_FLUSH, FLUSH_ODD, 0, {ST, ST, ST, ST, ST, ST, ST, PT, PT, PT}},
		{DEV_READ, START, 1, {SAME, SAME, SAME, SAME, SAME, SAME, ST, SAME, SAME, SAME}},
	};
	static const int of[FROM] = {E, I, X, C, F, R, O, X, I, C};
	for (size_t i = 0; i < PL_COUNT(table); i++)
		for (int from = 0; from < FROM; from++) {
			struct rig g;
			struct dev_stats before, after;
			rig_open_with(&g, &zns_inside, CAPACITY, areas);
			uint64_t at = zone_into(&g, from), pointer = from == F ? ZB : at;
			static const uint64_t add[] = {0, 0, 1, GRANULE, 1, 0};
			struct dev_req r = {.op = table[i].op,
				.block = table[i].where == START || table[i].where == OPEN_AREA
						 ? ZB
						 : pointer + add[table[i].where],
				.blocks = table[i].blocks,
				.buf = table[i].blocks ? buf : NULL,
				.zrwa = table[i].where == OPEN_AREA};
			dev_stats(g.dev, &before);
			assert_int_equal(rig_submit(&g, &r), PL_OK);
			assert_ptr_equal(rig_wait(&g), &r);
			dev_stats(g.dev, &after);
			int want = table[i].after[from];
			struct dev_zone z;
			assert_int_equal(dev_zone(g.dev, 1, &z), PL_OK);
			int is = want == SAME || want < 0 ? of[from] : want;
			if (r.status != (want < 0 ? want : PL_OK) || z.state != (enum dev_zone_state)is)
				fail_msg("row %zu from %d: status %d, state %d, not %d", i, from, r.status,
					(int)z.state, want);
			if (want < 0) {
				assert_int_equal(z.write_pointer, at);
				assert_int_equal(told(&g, "rejected_state") + told(&g, "rejected_full") +
							 told(&g, "rejected_pointer") + told(&g, "rejected_boundary"),
					1);
				assert_memory_equal(&before, &after, sizeof before);
			} else if (want == F) {
				assert_int_equal(z.write_pointer, 2 * ZB);
			} else if (want == E) {
				assert_int_equal(z.write_pointer, ZB);
			} else if (from <= O && want != SAME) {
				assert_int_equal(z.write_pointer, at + table[i].blocks);
			}
			check(&g);
			rig_close(&g);
		}
}

static void zns_limits_hold(void **state)
{
	(void)state;
	static const char *const set[] = {
		"sim_zns.zone_bytes", "64k", "sim_zns.max_open", "2", "sim_zns.max_active", "3", NULL};
	struct rig g;
	rig_open_with(&g, &zns_inside, CAPACITY, set);
	assert_int_equal(rig_do(&g, DEV_WRITE, 0, 1, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, ZB, 1, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, 1, 1, buf), PL_OK); /* zone 0 is now the more recent */
	assert_int_equal(rig_do(&g, DEV_WRITE, 2 * ZB, 1, buf), PL_OK); /* closes zone 1 */
	assert_int_equal(zone_state(&g, 0), I);
	assert_int_equal(zone_state(&g, 1), C);
	assert_int_equal(zone_state(&g, 2), I);
	assert_int_equal(told(&g, "implicit_closes"), 1);
	assert_int_equal(rig_do(&g, DEV_WRITE, 3 * ZB, 1, buf), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 3 * ZB, 0, NULL), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(zone_state(&g, 3), E);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 0, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, ZB, 0, NULL), PL_OK); /* closes zone 2 */
	assert_int_equal(zone_state(&g, 2), C);
	assert_int_equal(rig_do(&g, DEV_WRITE, 2 * ZB + 1, 1, buf), PL_ZONE_OPEN_LIMIT);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 2 * ZB, 0, NULL), PL_ZONE_OPEN_LIMIT);
	assert_int_equal(told(&g, "rejected_open_limit"), 2);
	assert_int_equal(told(&g, "rejected_active_limit"), 2);
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 5 * ZB, 0, NULL), PL_OK); /* needs no resources */
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK);
	assert_int_equal(
		rig_do(&g, DEV_WRITE, 3 * ZB, 1, buf), PL_OK); /* an active resource is back, and an open one */
	assert_int_equal(rig_do(&g, DEV_WRITE, 2 * ZB + 1, 1, buf), PL_OK); /* closes zone 3 */
	assert_int_equal(zone_state(&g, 3), C);
	check(&g);
	rig_close(&g);
}

static void zns_violations(void **state)
{
	(void)state;
	static const char *const set[] = {"sim_zns.zone_bytes", "64k", "sim_zns.zone_capacity_bytes", "40k", NULL};
	struct rig g;
	rig_open_with(&g, &zns_inside, CAPACITY, set);
	assert_int_equal(g.dev->caps.zone_capacity, 10);
	fill(buf, 10, 1);
	assert_int_equal(rig_do(&g, DEV_WRITE, 1, 1, buf), PL_ZONE_POINTER);
	assert_int_equal(rig_do(&g, DEV_WRITE, 0, 2, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, 1, 1, buf), PL_ZONE_POINTER);
	assert_int_equal(rig_do(&g, DEV_WRITE, 2, 9, buf), PL_ZONE_FULL); /* past the capacity */
	assert_int_equal(rig_do(&g, DEV_READ, 0, 20, buf2), PL_OK); /* beyond the pointer and across zones: zeros */
	assert_memory_equal(buf2, buf, 2 * B);
	expect_zeros(buf2 + 2 * B, 18 * B);
	assert_int_equal(rig_do(&g, DEV_WRITE, 2, 8, buf), PL_OK);
	assert_int_equal(zone_state(&g, 0), F);
	assert_int_equal(rig_do(&g, DEV_WRITE, 10, 1, buf), PL_ZONE_FULL);
	assert_int_equal(rig_do(&g, DEV_APPEND, 0, 1, buf), PL_ZONE_FULL);
	struct dev_req a = {.op = DEV_APPEND, .block = 2 * ZB, .blocks = 3, .buf = buf};
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(rig_submit(&g, &a), PL_OK);
		assert_ptr_equal(rig_wait(&g), &a);
		assert_int_equal(a.result_block, 2 * ZB + 3 * i);
	}
	struct dev_stats s;
	dev_stats(g.dev, &s);
	assert_int_equal(sum(s.host_write_bytes), 16 * B); /* rejected commands are not the host's writes */
	assert_int_equal(s.media_write_bytes, 16 * B);
	rig_close(&g);
}

static void zns_poke_zone_restores(void **state)
{
	(void)state;
	struct rig g;
	rig_open_with(&g, &zns_inside, CAPACITY, small_zones);
	fill(buf, 16, 5);
	assert_int_equal(zns_inside.poke(g.dev, 0, 16, buf), PL_OK);
	assert_int_equal(zns_inside.peek(g.dev, 0, 16, buf2), PL_OK);
	expect_zeros(buf2, 16 * B); /* beyond the pointer */
	assert_int_equal(zns_inside.poke_zone(g.dev, 0, DEV_ZONE_CLOSED, 5), PL_OK);
	struct dev_stats st;
	dev_stats(g.dev, &st);
	assert_int_equal(st.stored_bytes, 5 * B);
	assert_int_equal(rig_do(&g, DEV_READ, 0, 16, buf2), PL_OK);
	assert_memory_equal(buf2, buf, 5 * B);
	expect_zeros(buf2 + 5 * B, 11 * B);
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, 0, 16, buf2), PL_OK);
	expect_zeros(buf2 + 5 * B, 11 * B); /* what lay above the pointer does not come back */
	assert_int_equal(rig_do(&g, DEV_WRITE, 3 * ZB, 1, buf), PL_OK);
	assert_int_equal(zns_inside.poke(g.dev, 3 * ZB + 4, 1, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 3 * ZB, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, 3 * ZB, 16, buf2), PL_OK);
	expect_zeros(buf2 + B, 15 * B);
	assert_int_equal(zns_inside.poke_zone(g.dev, 1, DEV_ZONE_FULL, ZB + 3), PL_INVALID);
	assert_int_equal(zns_inside.poke_zone(g.dev, 1, DEV_ZONE_EMPTY, ZB + 3), PL_INVALID);
	assert_int_equal(zns_inside.poke_zone(g.dev, 1, DEV_ZONE_CLOSED, ZB - 1), PL_INVALID);
	assert_int_equal(zns_inside.poke_zone(g.dev, 1, DEV_ZONE_CLOSED, 2 * ZB), PL_INVALID);
	assert_int_equal(zns_inside.poke_zone(g.dev, 64, DEV_ZONE_EMPTY, 0), PL_RANGE);
	assert_int_equal(zns_inside.poke_zone(g.dev, 2, DEV_ZONE_OFFLINE, 2 * ZB), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, 2 * ZB, 1, buf2), PL_ZONE_STATE);
	check(&g);
	rig_close(&g);
}

static void zns_wears_out(void **state)
{
	(void)state;
	static const char *const set[2][5] = {{"sim_zns.zone_bytes", "64k", "sim_zns.read_only_resets", "20", NULL},
		{"sim_zns.zone_bytes", "64k", "sim_zns.offline_resets", "20", NULL}};
	for (int k = 0; k < 2; k++) {
		struct rig g;
		uint64_t total = 0, least = 1000, most = 0;
		rig_open_with(&g, &zns_inside, CAPACITY, set[k]);
		for (uint64_t z = 0; z < 64; z++) {
			uint64_t cycles = 0;
			int status = PL_OK;
			for (fill(buf, 2, z); !status; cycles += !status) {
				status = rig_do(&g, DEV_WRITE, z * ZB, 1, buf);
				if (!status)
					status = rig_do(&g, DEV_ZONE_RESET, z * ZB, 0, NULL);
			}
			assert_int_equal(status, PL_ZONE_STATE);
			assert_int_equal(zone_state(&g, z), k ? O : R);
			assert_int_equal(rig_do(&g, DEV_READ, z * ZB, 1, buf2), k ? PL_ZONE_STATE : PL_OK);
			assert_int_equal(rig_do(&g, DEV_ZONE_RESET, z * ZB, 0, NULL), PL_ZONE_STATE);
			total += cycles;
			least = pl_min64(least, cycles);
			most = pl_max64(most, cycles);
		}
		assert_in_range(least, 10, 14);
		assert_in_range(most, 26, 30);
		assert_in_range(total, 64 * 18, 64 * 22);
		struct dev_stats s;
		dev_stats(g.dev, &s);
		assert_int_equal(s.stored_bytes, 0);
		check(&g);
		rig_close(&g);
	}
}

/* ---- random write areas ---- */

/* A zone and its area told once more, plainly. */
struct told_zone {
	uint64_t pointer, data[ZB];
	bool there[ZB];
};

static int told_write(struct told_zone *t, uint64_t at, uint64_t n, uint64_t what)
{
	uint64_t end = at + n;
	if (at < t->pointer || end > t->pointer + 2 * WINDOW)
		return PL_ZONE_POINTER;
	if (end > ZB)
		return PL_ZONE_FULL;
	while (end > t->pointer + WINDOW)
		t->pointer += GRANULE;
	for (uint64_t i = at; i < end; i++) {
		t->there[i] = true;
		t->data[i] = what + (i - at) * B;
	}
	return PL_OK;
}

static void expect_told(struct rig *g, const struct told_zone *t, uint64_t media_blocks)
{
	struct dev_zone z;
	struct dev_stats s;
	static uint8_t want[ZB * B];
	uint64_t stored = 0;
	assert_int_equal(dev_zone(g->dev, 0, &z), PL_OK);
	assert_int_equal(z.write_pointer, t->pointer);
	for (uint64_t i = 0; i < ZB; i++) {
		memset(want + i * B, 0, B);
		if (t->there[i])
			fill(want + i * B, 1, t->data[i]);
		stored += t->there[i];
	}
	assert_int_equal(zns_inside.peek(g->dev, 0, ZB, buf2), PL_OK);
	assert_memory_equal(buf2, want, sizeof want);
	dev_stats(g->dev, &s);
	assert_int_equal(s.media_write_bytes, media_blocks * B);
	assert_int_equal(s.stored_bytes, stored * B);
	check(g);
}

static void zns_area_as_told(void **state)
{
	(void)state;
	struct pl_rng rng;
	pl_rng_seed(&rng, 11, 1);
	struct rig g;
	rig_open_with(&g, &zns_inside, CAPACITY, areas);
	assert_int_equal(g.dev->caps.zrwa_blocks, WINDOW);
	assert_int_equal(g.dev->caps.zrwa_flush_blocks, GRANULE);
	uint64_t media = 0, full = 0, over = 0;
	for (int round = 0; round < 150; round++) {
		struct told_zone t = {0};
		assert_int_equal(do_zrwa(&g, 0), PL_OK);
		for (int k = 0; k < 30 && t.pointer < ZB; k++) {
			uint64_t dice = pl_rng_below(&rng, 10), before = t.pointer;
			if (dice < 7) {
				uint64_t at = pl_rng_below(&rng, ZB), n = 1 + pl_rng_below(&rng, ZB);
				for (uint64_t i = at; i < at + n && i < ZB; i++)
					over += t.there[i];
				int status = told_write(&t, at, n, (uint64_t)(round * 100 + k) << 20);
				fill(buf, (uint32_t)n, (uint64_t)(round * 100 + k) << 20);
				assert_int_equal(rig_do(&g, DEV_WRITE, at, (uint32_t)n, buf), status);
			} else if (dice < 9) {
				uint64_t to = t.pointer + pl_rng_below(&rng, WINDOW + 3);
				bool good = to > t.pointer && to <= pl_min64(t.pointer + WINDOW, ZB) &&
					    (to - t.pointer) % GRANULE == 0;
				assert_int_equal(rig_do(&g, DEV_ZONE_FLUSH, to, 0, NULL),
					good      ? PL_OK
					: to > ZB ? PL_ZONE_STATE /* the next zone's, which has no area */
						  : PL_ZONE_POINTER);
				t.pointer = good ? to : t.pointer;
			} else {
				assert_int_equal(rig_do(&g, DEV_ZONE_CLOSE, 0, 0, NULL), PL_OK);
			}
			media += t.pointer - before;
			expect_told(&g, &t, media);
		}
		assert_int_equal(zone_state(&g, 0) == DEV_ZONE_FULL, t.pointer == ZB);
		full += t.pointer == ZB;
		if (t.pointer < ZB && round % 2) { /* what the window holds outlives a finish, as does nothing else */
			bool any = t.pointer > 0;
			for (uint64_t i = 0; i < ZB; i++)
				any = any || t.there[i];
			media += any ? ZB - t.pointer : 0;
			t.pointer = ZB;
			assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK);
			expect_told(&g, &t, media);
		}
		assert_int_equal(told(&g, "zrwa_zones_used"), t.pointer < ZB);
		assert_int_equal(rig_do(&g, DEV_ZONE_RESET, 0, 0, NULL), PL_OK);
		struct told_zone none = {0};
		expect_told(&g, &none, media);
	}
	assert_true(full > 10 && over > 10);
	rig_close(&g);
}

static void zns_area_resources(void **state)
{
	(void)state;
	struct rig g;
	rig_open_with(&g, &zns_inside, CAPACITY, areas);
	assert_int_equal(do_zrwa(&g, 0), PL_OK);
	assert_int_equal(do_zrwa(&g, ZB), PL_OK);
	assert_int_equal(do_zrwa(&g, 2 * ZB), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(told(&g, "rejected_zrwa_limit"), 1);
	assert_int_equal(zone_state(&g, 2), E);
	assert_int_equal(rig_do(&g, DEV_ZONE_CLOSE, 0, 0, NULL), PL_OK); /* keeps it */
	assert_int_equal(do_zrwa(&g, 2 * ZB), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(rig_do(&g, DEV_WRITE, 5, 1, buf), PL_OK); /* so it still is one */
	assert_int_equal(rig_do(&g, DEV_ZONE_RESET, 0, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, 5, 1, buf), PL_ZONE_POINTER);
	assert_int_equal(do_zrwa(&g, 2 * ZB), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FLUSH, 2 * ZB + WINDOW, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FLUSH, 3 * ZB, 0, NULL), PL_OK); /* to the end: zone 2, not 3 */
	assert_int_equal(zone_state(&g, 2), F);
	assert_int_equal(do_zrwa(&g, 0), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK);
	assert_int_equal(do_zrwa(&g, 3 * ZB), PL_OK);
	check(&g);
	rig_close(&g);
	/* overwriting in the window programs nothing: a log block written 100 times */
	rig_open_with(&g, &zns_inside, CAPACITY, areas);
	assert_int_equal(do_zrwa(&g, 0), PL_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rig_do(&g, DEV_WRITE, 0, 1, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FLUSH, GRANULE, 0, NULL), PL_OK);
	struct dev_stats s;
	dev_stats(g.dev, &s);
	assert_int_equal(sum(s.host_write_bytes), 100 * B);
	assert_int_equal(s.media_write_bytes, GRANULE * B);
	assert_int_equal(told(&g, "zrwa_overwritten_bytes"), 99 * B);
	/* what was poked into the window is no write: it is gone when the pointer has passed */
	fill(buf, 2, 1);
	assert_int_equal(zns_inside.poke(g.dev, GRANULE, 2, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_FLUSH, 2 * GRANULE, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, GRANULE, 2, buf2), PL_OK);
	expect_zeros(buf2, 2 * B);
	rig_close(&g);
}

static void zns_refuses_bad_geometry(void **state)
{
	(void)state;
	static const struct {
		const char *set[7], *says;
	} wrong[] = {
		{{"sim_zns.zone_bytes", "64k", "sim_zns.max_open", "4", "sim_zns.max_active", "3", NULL}, "max_active"},
		{{"sim_zns.zone_bytes", "64k", "sim_zns.zone_capacity_bytes", "128k", NULL}, "exceeds"},
		{{"sim_zns.zone_bytes", "63k", NULL}, "multiples of the block"},
		{{"sim_zns.zone_bytes", "1G", NULL}, "holds no zones"},
		{{"sim_zns.zone_bytes", "64k", "sim_zns.zrwa_bytes", "24k", NULL}, "zrwa_flush_bytes"},
		{{"sim_zns.zone_bytes", "64k", "sim_zns.zrwa_bytes", "128k", NULL}, "must not exceed"},
		{{"sim_zns.zone_bytes", "64k", "sim_zns.dies_per_zone", "33", NULL}, "dies_per_zone"},
		{{"sim_zns.zone_bytes", "64k", "sim_zns.read_spread_ns", "60us", NULL}, "read_spread_ns"},
	};
	for (size_t i = 0; i < PL_COUNT(wrong); i++) {
		struct rig g;
		struct pl_fault f = {0};
		assert_int_equal(rig_try(&g, &zns_inside, CAPACITY, wrong[i].set, &f), PL_INVALID);
		if (!strstr(f.text, wrong[i].says))
			fail_msg("case %zu: %s", i, f.text);
		rig_close(&g);
	}
}

/* Opens, finishes, areas, resets, reads, all in flight together, on a device of small zones; a digest of when each was
 * done and how, and the counters. Time never goes back, the invariants hold, what is held is what was written. */
static uint64_t mixed_storm(struct rig *g, uint64_t seed, int n, bool contentless)
{
	enum { DEPTH = 32 };
	static uint8_t data[DEPTH][WINDOW * B];
	struct dev_req req[DEPTH];
	bool busy[DEPTH] = {false};
	struct pl_rng rng;
	uint64_t digest = 0, last_ns = 0;
	pl_rng_seed(&rng, seed, 2);
	for (int i = 0, flying = 0; i < n || flying;) {
		uint64_t k = pl_rng_below(&rng, DEPTH);
		if (i < n && !busy[k]) {
			static const enum dev_op op[] = {DEV_READ, DEV_WRITE, DEV_WRITE, DEV_APPEND, DEV_ZONE_OPEN,
				DEV_ZONE_CLOSE, DEV_ZONE_FINISH, DEV_ZONE_RESET, DEV_ZONE_FLUSH, DEV_SYNC};
			struct dev_req *r = &req[k];
			uint64_t zone = pl_rng_below(&rng, 20), at = random_zone_at(g, zone);
			*r = (struct dev_req){.op = op[pl_rng_below(&rng, PL_COUNT(op))], .block = zone * ZB};
			bool blocks = r->op == DEV_READ || r->op == DEV_WRITE || r->op == DEV_APPEND;
			r->blocks = blocks ? 1 + (uint32_t)pl_rng_below(&rng, WINDOW) : 0;
			r->buf = blocks && !contentless ? data[k] : NULL;
			r->zrwa = pl_rng_below(&rng, 2);
			if (r->op == DEV_WRITE || r->op == DEV_ZONE_FLUSH)
				r->block = pl_min64(
					at + pl_rng_below(&rng, 2) * pl_rng_below(&rng, WINDOW), (zone + 1) * ZB - 1);
			if (rig_submit(g, r) == PL_OK) {
				busy[k] = true;
				flying++;
			}
			i++;
			check(g);
			continue;
		}
		g->now_ns += pl_rng_below(&rng, 30000);
		for (struct dev_req *r; (r = dev_poll(g->dev, g->now_ns)) != NULL; flying--) {
			assert_true(r->done_ns >= r->submit_ns && r->done_ns <= g->now_ns && r->done_ns >= last_ns);
			last_ns = r->done_ns;
			busy[r - req] = false;
			digest = pl_mix64(
				digest ^ r->done_ns ^ (uint64_t)(int64_t)r->status << 48 ^ (uint64_t)(r - req));
		}
	}
	struct dev_stats s;
	dev_stats(g->dev, &s);
	uint64_t written = 0;
	const struct sim_zns *z = zns_of(g->dev);
	for (uint64_t i = 0; i < g->dev->caps.zones; i++)
		for (uint64_t at = 0; at < ZB; at++)
			written += at < z->state.zone[i].written ||
				   (z->state.zone[i].area != ZNS_NONE && zns_holds(&z->state, &z->state.zone[i], at));
	assert_int_equal(written, z->state.held);
	assert_true(s.busy_ns > 0 && s.busy_ns <= g->now_ns * z->dies);
	return pl_mix64(digest ^ s.media_write_bytes ^ s.busy_ns << 20 ^ s.erases << 50 ^ told(g, "implicit_closes"));
}

static const char *const tight[] = {"sim_zns.zone_bytes", "64k", "sim_zns.zrwa_bytes", "32k",
	"sim_zns.zrwa_flush_bytes", "8k", "sim_zns.max_open", "4", "sim_zns.max_active", "6", "sim_zns.dies", "8",
	"sim_zns.dies_per_zone", "4", "sim_zns.stripe_bytes", "16k", "sim_zns.page_bytes", "8k",
	"sim_zns.write_buffer_bytes", "32k", NULL};

static void zns_is_pure(void **state)
{
	(void)state;
	uint64_t first = 0;
	for (int k = 0; k < 3; k++) { /* the same twice, and without content */
		struct rig g;
		if (k < 2)
			rig_open_with(&g, &zns_inside, CAPACITY, tight);
		else
			drive_open(&g, 64, tight);
		uint64_t digest = mixed_storm(&g, 5, 20000, k == 2);
		if (k == 0)
			first = digest;
		assert_int_equal(digest, first);
		assert_true(told(&g, "implicit_closes") > 20 && told(&g, "erase_suspensions") > 20);
		assert_true(told(&g, "write_buffer_stalls") > 5 && told(&g, "zrwa_implicit_flushes") > 5);
		rig_close(&g);
	}
}

static void zns_clones(void **state)
{
	(void)state;
	struct rig g, copy;
	rig_open_with(&g, &zns_inside, CAPACITY, tight);
	mixed_storm(&g, 7, 3000, false);
	for (uint64_t z = 0; z < 10; z++)
		assert_int_equal(rig_do(&g, DEV_ZONE_RESET, z * ZB, 0, NULL), PL_OK);
	assert_int_equal(do_zrwa(&g, 41 * ZB), PL_OK);
	struct dev_req r = {.op = DEV_WRITE, .block = 40 * ZB, .blocks = 8, .buf = buf};
	struct dev *none = NULL;
	assert_int_equal(rig_submit(&g, &r), PL_OK);
	assert_int_equal(dev_clone(g.dev, &none), PL_AGAIN);
	assert_ptr_equal(rig_wait(&g), &r);
	assert_true(zns_of(g.dev)->events.n > 0); /* programs go on */
	copy = g;
	assert_int_equal(dev_clone(g.dev, &copy.dev), PL_OK);
	for (uint64_t at = 0; at < g.dev->caps.capacity_blocks; at += 64) {
		assert_int_equal(zns_inside.peek(g.dev, at, 64, buf), PL_OK);
		assert_int_equal(zns_inside.peek(copy.dev, at, 64, buf2), PL_OK);
		assert_memory_equal(buf, buf2, sizeof buf);
	}
	uint64_t digest = mixed_storm(&copy, 9, 3000, false);
	dev_close(copy.dev);
	assert_int_equal(mixed_storm(&g, 9, 3000, false), digest); /* and the copy has not changed the original */
	fill(buf, 1, 1);
	assert_int_equal(rig_do(&g, DEV_WRITE, 41 * ZB + 1, 1, buf), PL_OK);
	assert_int_equal(dev_clone(g.dev, &copy.dev), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, 41 * ZB, 1, buf), PL_OK);
	copy.now_ns = g.now_ns;
	assert_int_equal(rig_do(&copy, DEV_ZONE_FLUSH, 41 * ZB + 2, 0, NULL), PL_OK); /* passes a hole there only */
	assert_int_equal(rig_do(&g, DEV_READ, 41 * ZB, 1, buf2), PL_OK);
	expect(buf2, 1, 1);
	assert_int_equal(rig_do(&copy, DEV_READ, 41 * ZB, 2, buf2), PL_OK);
	expect_zeros(buf2, B);
	expect(buf2 + B, 1, 1);
	dev_close(copy.dev);
	rig_close(&g);
}

/* Zones that end a page and a unit: each is a part of its own. */
static void zns_reads_across_tiny_zones(void **state)
{
	(void)state;
	for (uint32_t blocks = 1; blocks <= 3; blocks++) {
		char bytes[16];
		struct rig g;
		(void)snprintf(bytes, sizeof bytes, "%u", blocks * B);
		drive_open(
			&g, 600, (const char *const[]){"sim_zns.zone_bytes", bytes, "sim_zns.max_active", "0", NULL});
		for (uint64_t z = 0; z < 600; z++)
			zone_fill(&g, z, blocks);
		struct dev_req r = {.op = DEV_READ, .blocks = 600 * blocks};
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		assert_int_equal(zns_of(g.dev)->jobs_live, 600); /* a zone lies in a page */
		assert_ptr_equal(rig_wait(&g), &r);
		assert_int_equal(r.status, PL_OK);
		rig_close(&g);
	}
}

/* At the bounds of the options no time overflows. */
static void zns_longest_times(void **state)
{
	static const char *const slow[] = {"sim_zns.zone_bytes", "1024G", "sim_zns.dies", "1", "sim_zns.stripe_bytes",
		"512", "sim_zns.page_bytes", "512", "sim_zns.program_ns", "10s", "sim_zns.read_die_ns", "10s",
		"sim_zns.reset_full_ns", "10s", "sim_zns.reset_full_bytes", "1M", "sim_zns.write_ns", "10s",
		"sim_zns.flush_ns", "10s", NULL};
	struct rig g;
	(void)state;
	drive_open(&g, 2, slow);
	assert_in_range(rig_latency(&g, DEV_WRITE, 0, 1, NULL), 10000000000u, 10000010000u);
	assert_int_equal(zns_transfer_ns((uint64_t)1 << 40, 409), 2688292488449877751u);
	assert_int_equal(zns_transfer_ns((uint64_t)1 << 40, 1), (uint64_t)1 << 62);
	struct pl_fault f;
	assert_int_equal(pl_conf_set(&g.conf, "sim_zns.program_ns", "11s", &f), PL_INVALID);
	assert_int_equal(pl_conf_set(&g.conf, "sim_zns.flush_ns", "18446744073709551615", &f), PL_INVALID);
	rig_close(&g);
}

static void zns_large_device(void **state)
{
	(void)state;
	struct rig g;
	drive_open(&g, 904, zn540);
	assert_int_equal(g.dev->caps.capacity_blocks, 904ull * 524288);
	assert_null(zns_of(g.dev)->content.handle);
	assert_int_equal(rig_do(&g, DEV_WRITE, zone_at(&g, 903), 256, NULL), PL_OK);
	struct dev_stats s;
	dev_stats(g.dev, &s);
	assert_int_equal(s.stored_bytes, 256 * B);
	assert_int_equal(rig_do(&g, DEV_ZONE_RESET, zone_at(&g, 903), 0, NULL), PL_OK);
	dev_stats(g.dev, &s);
	assert_int_equal(s.stored_bytes, 0);
	rig_close(&g);
}

int main(void)
{
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.sim_zns.state_machine", zns_state_machine),
		T("device.sim_zns.limits", zns_limits_hold),
		T("device.sim_zns.violations", zns_violations),
		T("device.sim_zns.poke_zone_restores", zns_poke_zone_restores),
		T("device.sim_zns.wears_out", zns_wears_out),
		T("device.sim_zns.area_as_told", zns_area_as_told),
		T("device.sim_zns.area_resources", zns_area_resources),
		T("device.sim_zns.refuses_bad_geometry", zns_refuses_bad_geometry),
		T("device.sim_zns.is_pure", zns_is_pure),
		T("device.sim_zns.clones", zns_clones),
		T("device.sim_zns.reads_across_tiny_zones", zns_reads_across_tiny_zones),
		T("device.sim_zns.longest_times", zns_longest_times),
		T("device.sim_zns.large_device", zns_large_device),
	};
	return cmocka_run_group_tests_name("sim_zns", tests, NULL, NULL);
}
