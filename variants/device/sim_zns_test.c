/* sim_zns_test.c - what sim_zns claims: the zone state machine, its limits, the times of the drive it models. The
 * source is included under another name to reach the inside. */
#define dev_sim_zns zns_inside
#include "variants/device/sim_zns.c"
#undef dev_sim_zns
#include "variants/device/device_rig.h"

enum {
	E = DEV_ZONE_EMPTY,
	I = DEV_ZONE_IMPLICIT_OPEN,
	X = DEV_ZONE_EXPLICIT_OPEN,
	C = DEV_ZONE_CLOSED,
	F = DEV_ZONE_FULL,
	R = DEV_ZONE_READ_ONLY,
	O = DEV_ZONE_OFFLINE,
	BAD = 100
};
enum { ZB = 16 }; /* blocks of a zone of 64 KiB */

static enum dev_zone_state zone_state(struct rig *g, uint64_t zone)
{
	struct dev_zone z;
	assert_int_equal(dev_zone(g->dev, zone, &z), PL_OK);
	assert_int_equal(z.start, zone * g->dev->caps.zone_blocks);
	return z.state;
}

static void zns_count(struct sim_zns *s)
{
	uint32_t open = 0, active = 0;
	for (uint64_t i = 0; i < s->dev.caps.zones; i++) {
		open += s->zone[i].state == DEV_ZONE_IMPLICIT_OPEN || s->zone[i].state == DEV_ZONE_EXPLICIT_OPEN;
		active += s->zone[i].state >= DEV_ZONE_IMPLICIT_OPEN && s->zone[i].state <= DEV_ZONE_CLOSED;
	}
	assert_int_equal(open, s->open);
	assert_int_equal(active, s->active);
}

static void zns_state_machine(void **state)
{
	(void)state;
	static const struct {
		enum dev_op op;
		uint32_t blocks;
		int after[7]; /* from each state; BAD: refused and unchanged */
	} table[] = {
		/*                          E    I    X    C    F    R    O */
		{DEV_WRITE, 1, {I, I, X, I, BAD, BAD, BAD}},
		{DEV_WRITE, ZB - 4, {I, F, F, F, BAD, BAD, BAD}}, /* the others have 4 blocks */
		{DEV_WRITE, ZB, {F, BAD, BAD, BAD, BAD, BAD, BAD}},
		{DEV_WRITE, ZB + 1, {BAD, BAD, BAD, BAD, BAD, BAD, BAD}},
		{DEV_APPEND, 1, {I, I, X, I, BAD, BAD, BAD}},
		{DEV_APPEND, ZB - 4, {I, F, F, F, BAD, BAD, BAD}},
		{DEV_ZONE_OPEN, 0, {X, X, X, X, BAD, BAD, BAD}},
		{DEV_ZONE_CLOSE, 0, {BAD, C, C, C, BAD, BAD, BAD}},
		{DEV_ZONE_FINISH, 0, {F, F, F, F, F, BAD, BAD}},
		{DEV_ZONE_RESET, 0, {E, E, E, E, E, BAD, BAD}},
	};
	for (size_t i = 0; i < PL_COUNT(table); i++)
		for (int from = E; from <= O; from++) {
			struct rig g;
			rig_open_with(&g, &zns_inside, CAPACITY, small_zones);
			uint64_t at = from == E ? ZB : from == F ? 2 * ZB : ZB + 4;
			assert_int_equal(zns_inside.poke_zone(g.dev, 1, (enum dev_zone_state)from, at), PL_OK);
			uint64_t block = table[i].op == DEV_WRITE && from != F ? at : ZB;
			int status = rig_do(&g, table[i].op, block, table[i].blocks, table[i].blocks ? buf : NULL);
			int want = table[i].after[from];
			struct dev_zone z;
			assert_int_equal(dev_zone(g.dev, 1, &z), PL_OK);
			if ((status != PL_OK) != (want == BAD) ||
				z.state != (enum dev_zone_state)(want == BAD ? from : want))
				fail_msg("row %zu from %d: status %d, state %d, not %d", i, from, status, (int)z.state,
					want);
			if (want == F)
				assert_int_equal(z.write_pointer, 2 * ZB);
			else if (want == E)
				assert_int_equal(z.write_pointer, ZB);
			else
				assert_int_equal(z.write_pointer, at + (want == BAD ? 0 : table[i].blocks));
			zns_count(zns_of(g.dev));
			rig_close(&g);
		}
}

static void zns_limits(void **state)
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
	assert_int_equal(rig_do(&g, DEV_WRITE, 3 * ZB, 1, buf), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 3 * ZB, 0, NULL), PL_ZONE_ACTIVE_LIMIT);
	assert_int_equal(zone_state(&g, 3), E);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 0, 0, NULL), PL_OK);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, ZB, 0, NULL), PL_OK); /* closes zone 2 */
	assert_int_equal(zone_state(&g, 2), C);
	assert_int_equal(rig_do(&g, DEV_WRITE, 2 * ZB + 1, 1, buf), PL_ZONE_OPEN_LIMIT);
	assert_int_equal(rig_do(&g, DEV_ZONE_OPEN, 2 * ZB, 0, NULL), PL_ZONE_OPEN_LIMIT);
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 5 * ZB, 0, NULL), PL_OK); /* needs no resources */
	assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK);
	assert_int_equal(
		rig_do(&g, DEV_WRITE, 3 * ZB, 1, buf), PL_OK); /* an active resource is back, and an open one */
	assert_int_equal(rig_do(&g, DEV_WRITE, 2 * ZB + 1, 1, buf), PL_OK); /* closes zone 3 */
	assert_int_equal(zone_state(&g, 3), C);
	zns_count(zns_of(g.dev));
	rig_close(&g);
	struct pl_fault f = {0};
	static const char *const wrong[] = {
		"sim_zns.zone_bytes", "64k", "sim_zns.max_open", "4", "sim_zns.max_active", "3", NULL};
	assert_int_equal(rig_try(&g, &zns_inside, CAPACITY, wrong, &f), PL_INVALID);
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

static void zns_reset_and_finish(void **state)
{
	(void)state;
	struct rig g;
	rig_open_with(&g, &zns_inside, 8u << 20, (const char *const[]){"sim_zns.zone_bytes", "1M", NULL});
	const uint64_t zb = 256, mib_ns = 13185;
	fill(buf, 64, 1);
	assert_int_equal(rig_latency(&g, DEV_ZONE_RESET, 0, 0, NULL), 2300);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(rig_do(&g, DEV_WRITE, i * 64, 64, buf), PL_OK);
	assert_int_equal(zone_state(&g, 0), F);
	assert_int_equal(rig_latency(&g, DEV_ZONE_RESET, 0, 0, NULL), 1600000 + mib_ns);
	assert_int_equal(zone_state(&g, 0), E);
	struct dev_stats s;
	dev_stats(g.dev, &s);
	assert_int_equal(s.stored_bytes, 0);
	assert_int_equal(s.erases, 1);
	assert_int_equal(rig_do(&g, DEV_READ, 0, 64, buf2), PL_OK);
	expect_zeros(buf2, sizeof buf2);
	/* half full: finish pads the other half; reset then costs what was written, not what was padded */
	assert_int_equal(rig_do(&g, DEV_WRITE, zb, 64, buf), PL_OK);
	assert_int_equal(rig_do(&g, DEV_WRITE, zb + 64, 64, buf), PL_OK);
	uint64_t finish_ns = rig_latency(&g, DEV_ZONE_FINISH, zb, 0, NULL);
	assert_in_range(finish_ns, 524288 * 1000u / 1240 - 1, 524288 * 1000u / 1240 + 1);
	assert_int_equal(rig_do(&g, DEV_READ, zb + 64, 64, buf2), PL_OK);
	expect(buf2, 64, 1);
	assert_int_equal(rig_do(&g, DEV_READ, zb + 128, 64, buf2), PL_OK);
	expect_zeros(buf2, sizeof buf2);
	assert_int_equal(rig_latency(&g, DEV_ZONE_RESET, zb, 0, NULL), 1600000 + mib_ns / 2);
	assert_int_equal(rig_latency(&g, DEV_ZONE_FINISH, 2 * zb, 0, NULL), 13500);
	rig_close(&g);
}

static void zns_times_of_the_drive(void **state)
{
	(void)state;
	/* measured on a ZN540, microseconds: write 4 KiB 11.4, 64 KiB 53.2; append 14.8; read 72.6, 16 KiB 101.6 */
	struct rig g;
	rig_open_with(&g, &zns_inside, 512u << 20, (const char *const[]){"sim_zns.zone_bytes", "16M", NULL});
	assert_in_range(rig_latency(&g, DEV_WRITE, 0, 1, buf), 11200, 11600);
	assert_in_range(rig_latency(&g, DEV_WRITE, 1, 16, buf), 51600, 54800);
	assert_in_range(rig_latency(&g, DEV_APPEND, 0, 1, buf), 14600, 15000);
	assert_in_range(rig_latency(&g, DEV_READ, 0, 1, buf), 72000, 73200);
	assert_in_range(rig_latency(&g, DEV_READ, 4, 4, buf), 99600, 103600);
	/* 14 zones, deep queue, 4 KiB: 186 thousand a second; in one zone one after the other */
	enum { N = 2800 };
	static struct dev_req r[N];
	uint64_t at = g.now_ns;
	for (uint64_t i = 0; i < N; i++) {
		r[i] = (struct dev_req){
			.op = DEV_WRITE, .block = (1 + i % 14) * 4096 + i / 14, .blocks = 1, .buf = buf};
		if (i == 0)
			assert_int_equal(rig_do(&g, DEV_ZONE_FINISH, 0, 0, NULL), PL_OK), at = g.now_ns;
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	}
	while (rig_wait(&g))
		;
	double rate = N * 1e9 / (double)(g.now_ns - at);
	assert_true(rate > 180e3 && rate < 190e3);
	for (int i = 0; i < N; i++)
		assert_int_equal(r[i].status, PL_OK);
	at = g.now_ns;
	for (uint64_t i = 0; i < 100; i++) {
		r[i] = (struct dev_req){.op = DEV_WRITE, .block = 4096 + N / 14 + i, .blocks = 1, .buf = buf};
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	}
	while (rig_wait(&g))
		;
	assert_int_equal(g.now_ns - at, 100 * 11300);
	/* appends overlap: 132 thousand a second in one zone */
	at = g.now_ns;
	for (uint64_t i = 0; i < 1000; i++) {
		r[i] = (struct dev_req){.op = DEV_APPEND, .block = 2 * 4096, .blocks = 1, .buf = buf};
		assert_int_equal(rig_submit(&g, &r[i]), PL_OK);
	}
	while (rig_wait(&g))
		;
	rate = 1000 * 1e9 / (double)(g.now_ns - at);
	assert_true(rate > 130e3 && rate < 135e3);
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
	assert_int_equal(zns_inside.poke_zone(g.dev, 64, DEV_ZONE_EMPTY, 0), PL_RANGE);
	assert_int_equal(zns_inside.poke_zone(g.dev, 2, DEV_ZONE_OFFLINE, 2 * ZB), PL_OK);
	assert_int_equal(rig_do(&g, DEV_READ, 2 * ZB, 1, buf2), PL_ZONE_STATE);
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
		T("device.sim_zns.limits", zns_limits),
		T("device.sim_zns.violations", zns_violations),
		T("device.sim_zns.reset_and_finish", zns_reset_and_finish),
		T("device.sim_zns.times_of_the_drive", zns_times_of_the_drive),
		T("device.sim_zns.poke_zone_restores", zns_poke_zone_restores),
	};
	return cmocka_run_group_tests_name("sim_zns", tests, NULL, NULL);
}
