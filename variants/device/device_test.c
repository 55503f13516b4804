/* device_test.c - the contract of the axis `device`, run over every choice, and what the models are built on. */
#include "engine/store/content.h"
#include "variants/device/device_rig.h"
#include "variants/registry.h"

extern const struct dev_ops dev_null, dev_sim_ssd, dev_sim_zns, dev_file;

/* ---- conformance: each test runs over all devices ---- */

/* every available choice of the axis: filled from the registry by main */
static const struct dev_ops *devices[32];
static size_t ndevices;

#define EACH(g)                                                                                                        \
	struct rig g;                                                                                                  \
	for (size_t each = 0; each < ndevices; each++, rig_close(&g))                                                  \
		if (rig_open(&g, devices[each]), true)

static void reads_what_was_written(void **state)
{
	(void)state;
	EACH(g)
	{
		for (uint64_t i = 0; i < 16; i++) {
			fill(buf, 1, i);
			assert_int_equal(rig_do(&g, DEV_WRITE, i, 1, buf), PL_OK);
		}
		for (uint64_t i = 0; i < 16; i++) {
			assert_int_equal(rig_do(&g, DEV_READ, i, 1, buf), PL_OK);
			expect(buf, 1, i);
		}
		assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
		assert_int_equal(rig_do(&g, DEV_READ, 0, 16, buf), PL_OK);
		for (uint64_t i = 0; i < 16; i++)
			expect(buf + i * B, 1, i);
	}
}

static void read_in_flight_sees_earlier_write(void **state)
{
	(void)state;
	EACH(g)
	{
		fill(buf, 4, 7);
		struct dev_req w = {.op = DEV_WRITE, .tag = DEV_TAG_LOG, .block = 0, .blocks = 4, .buf = buf};
		struct dev_req r = {.op = DEV_READ, .tag = DEV_TAG_LOG, .block = 0, .blocks = 4, .buf = buf2};
		assert_int_equal(rig_submit(&g, &w), PL_OK);
		assert_int_equal(rig_submit(&g, &r), PL_OK);
		assert_non_null(rig_wait(&g));
		assert_non_null(rig_wait(&g));
		expect(buf2, 4, 7);
	}
}

static void zeros_before_write_and_after_punch(void **state)
{
	(void)state;
	EACH(g)
	{
		memset(buf, 0xEE, sizeof buf);
		assert_int_equal(rig_do(&g, DEV_READ, 8, 8, buf), PL_OK);
		expect_zeros(buf, 8 * B);
		if (!g.dev->caps.punch)
			continue;
		fill(buf, 8, 1);
		assert_int_equal(rig_do(&g, DEV_WRITE, 8, 8, buf), PL_OK);
		assert_int_equal(rig_do(&g, DEV_PUNCH, 10, 3, NULL), PL_OK);
		assert_int_equal(rig_do(&g, DEV_READ, 8, 8, buf2), PL_OK);
		assert_memory_equal(buf2, buf, 2 * B);
		expect_zeros(buf2 + 2 * B, 3 * B);
		assert_memory_equal(buf2 + 5 * B, buf + 5 * B, 3 * B);
	}
}

static void forbidden_requests_are_refused(void **state)
{
	(void)state;
	EACH(g)
	{
		uint64_t end = g.dev->caps.capacity_blocks;
		const struct {
			struct dev_req r;
			int err;
		} cases[] = {
			{{.op = DEV_READ, .block = end, .blocks = 1, .buf = buf}, PL_RANGE},
			{{.op = DEV_READ, .block = end - 1, .blocks = 2, .buf = buf}, PL_RANGE},
			{{.op = DEV_WRITE, .block = UINT64_MAX, .blocks = 2, .buf = buf}, PL_RANGE},
			{{.op = DEV_READ, .block = 0, .blocks = 0, .buf = buf}, PL_INVALID},
			{{.op = DEV_READ, .block = 0, .blocks = 1, .buf = NULL}, PL_INVALID},
			{{.op = DEV_SYNC, .block = 0, .blocks = 1}, PL_INVALID},
			{{.op = DEV_OPS, .block = 0, .blocks = 1}, PL_INVALID},
			{{.op = DEV_READ, .tag = DEV_TAGS, .block = 0, .blocks = 1, .buf = buf}, PL_INVALID},
			{{.op = DEV_ZONE_RESET, .block = 1}, PL_INVALID},
			{{.op = DEV_APPEND, .block = 1, .blocks = 1, .buf = buf}, PL_INVALID},
		};
		for (size_t i = 0; i < PL_COUNT(cases); i++) {
			struct dev_req r = cases[i].r;
			if (rig_submit(&g, &r) != cases[i].err)
				fail_msg("%s: case %zu", devices[each]->name, i);
		}
		assert_null(rig_wait(&g));
		struct dev_stats s, none = {0};
		dev_stats(g.dev, &s);
		none.stored_bytes = s.stored_bytes;
		assert_memory_equal(&s, &none, sizeof s);
	}
}

static void completions_are_ordered_and_pure(void **state)
{
	(void)state;
	for (size_t i = 0; i < ndevices; i++) {
		struct rig g[2];
		uint64_t digest[2];
		struct dev_stats s[2];
		for (int k = 0; k < 2; k++) {
			rig_open(&g[k], devices[i]);
			digest[k] = storm(&g[k], 5, true);
			dev_stats(g[k].dev, &s[k]);
			rig_close(&g[k]);
			s[k].stored_bytes *= !devices[i]->real; /* a file system's business */
		}
		assert_int_equal(digest[0], digest[1]);
		assert_memory_equal(&s[0], &s[1], sizeof s[0]);
	}
}

static void stats_add_up(void **state)
{
	(void)state;
	EACH(g)
	{
		const struct dev_caps *c = &g.dev->caps;
		for (uint64_t i = 0; i < 8; i++)
			for (int tag = 0; tag < DEV_TAGS; tag++) {
				struct dev_req w = {.op = DEV_WRITE,
					.tag = (enum dev_tag)tag,
					.block = i * DEV_TAGS + (uint64_t)tag,
					.blocks = 1,
					.buf = buf};
				struct dev_req r = {
					.op = DEV_READ, .tag = (enum dev_tag)tag, .block = 0, .blocks = 2, .buf = buf};
				assert_int_equal(rig_submit(&g, &w), PL_OK);
				assert_ptr_equal(rig_wait(&g), &w);
				if (tag == DEV_TAG_MAP)
					assert_int_equal(rig_submit(&g, &r), PL_OK);
				if (tag == DEV_TAG_MAP)
					assert_ptr_equal(rig_wait(&g), &r);
			}
		assert_int_equal(rig_do(&g, DEV_SYNC, 0, 0, NULL), PL_OK);
		struct dev_stats s;
		dev_stats(g.dev, &s);
		for (int tag = 0; tag < DEV_TAGS; tag++) {
			assert_int_equal(s.host_writes[tag], 8);
			assert_int_equal(s.host_write_bytes[tag], 8 * B);
			assert_int_equal(s.host_reads[tag], tag == DEV_TAG_MAP ? 8 : 0);
			assert_int_equal(s.host_read_bytes[tag], tag == DEV_TAG_MAP ? 16 * B : 0);
		}
		assert_int_equal(s.syncs, 1);
		if (!c->simulated)
			continue;
		assert_int_equal(s.media_write_bytes, sum(s.host_write_bytes));
		assert_int_equal(s.stored_bytes, 64 * B);
		if (c->punch) {
			assert_int_equal(rig_do(&g, DEV_PUNCH, 0, 3, NULL), PL_OK);
			dev_stats(g.dev, &s);
			assert_int_equal(s.punches, 1);
			assert_int_equal(s.punch_bytes, 3 * B);
			assert_int_equal(s.stored_bytes, 61 * B);
		}
	}
}

static void peek_and_poke_cost_nothing(void **state)
{
	(void)state;
	EACH(g)
	{
		const struct dev_ops *o = devices[each];
		if (!g.dev->caps.simulated)
			continue;
		struct dev_stats before, after;
		dev_stats(g.dev, &before);
		fill(buf, 8, 3);
		assert_int_equal(o->poke(g.dev, 4, 8, buf), PL_OK);
		if (o->poke_zone)
			assert_int_equal(o->poke_zone(g.dev, 0, DEV_ZONE_CLOSED, 12), PL_OK);
		assert_int_equal(o->peek(g.dev, 0, 16, buf2), PL_OK);
		expect_zeros(buf2, 4 * B);
		expect(buf2 + 4 * B, 8, 3);
		expect_zeros(buf2 + 12 * B, 4 * B);
		assert_int_equal(o->poke(g.dev, 5, 1, NULL), PL_OK);
		assert_int_equal(o->peek(g.dev, 5, 1, buf2), PL_OK);
		expect_zeros(buf2, B);
		assert_int_equal(o->poke(g.dev, g.dev->caps.capacity_blocks, 1, buf), PL_RANGE);
		assert_int_equal(o->peek(g.dev, g.dev->caps.capacity_blocks, 1, buf), PL_RANGE);
		dev_stats(g.dev, &after);
		assert_int_equal(after.stored_bytes, 7 * B);
		after.stored_bytes = before.stored_bytes;
		assert_memory_equal(&before, &after, sizeof before);
		assert_int_equal(dev_next_ns(g.dev), PL_NS_NEVER);
	}
}

static void impossible_sizes_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ndevices; i++) {
		struct rig g;
		struct pl_fault f = {0};
		assert_int_equal(rig_try(&g, devices[i], B - 1, NULL, &f), PL_INVALID);
		assert_non_null(strstr(f.text, "holds no block"));
		rig_close(&g);
	}
}

static void tags_have_names(void **state)
{
	(void)state;
	assert_string_equal(dev_tag_name[DEV_TAG_LEAF], "leaf");
	assert_string_equal(dev_tag_name[DEV_TAG_META], "meta");
	for (int i = 0; i < DEV_TAGS; i++)
		assert_non_null(dev_tag_name[i]);
}

/* ---- content ---- */

static void content_reuses_slots(void **state)
{
	(void)state;
	struct dev_content c;
	assert_int_equal(dev_content_init(&c, B, 1u << 20), PL_OK);
	fill(buf, 32, 0);
	for (uint64_t round = 0; round < 50; round++) {
		assert_int_equal(dev_content_write(&c, round * 1000, 32, buf), PL_OK);
		dev_content_punch(&c, round * 1000, 32);
		assert_int_equal(c.stored_blocks, 0);
	}
	assert_int_equal(c.slots, 32);
	assert_int_equal(dev_content_write(&c, 5, 2, buf), PL_OK);
	assert_int_equal(dev_content_write(&c, 5, 1, buf + B), PL_OK);
	assert_int_equal(c.stored_blocks, 2);
	dev_content_read(&c, 4, 4, buf2);
	expect_zeros(buf2, B);
	assert_memory_equal(buf2 + B, buf + B, B);
	assert_memory_equal(buf2 + 2 * B, buf + B, B);
	expect_zeros(buf2 + 3 * B, B);
	dev_content_deinit(&c);
	assert_int_equal(dev_content_init(&c, B, UINT32_MAX), PL_INVALID);
}

static void heap_orders_by_time_then_order(void **state)
{
	(void)state;
	struct dev_heap h = {0};
	struct pl_rng rng;
	pl_rng_seed(&rng, 1, 1);
	assert_int_equal(dev_heap_reserve(&h, 1000), PL_OK);
	for (uint64_t i = 0; i < 1000; i++)
		dev_heap_push(&h, pl_rng_below(&rng, 50), i, i);
	struct dev_due last = dev_heap_pop(&h);
	while (h.n) {
		struct dev_due due = dev_heap_pop(&h);
		assert_true(due.at > last.at || (due.at == last.at && due.order > last.order));
		last = due;
	}
	dev_heap_deinit(&h);
}

int main(void)
{
	const struct reg_choice *c;
	for (size_t i = 0; (c = reg_choice(REG_DEVICE, i)) != NULL; i++)
		if (!c->unavailable && ndevices < PL_COUNT(devices))
			devices[ndevices++] = (const struct dev_ops *)(const void *)c;
#define T(name, function)                                                                                              \
	{                                                                                                              \
		name, function, NULL, NULL, NULL                                                                       \
	}
	const struct CMUnitTest tests[] = {
		T("device.all.reads_what_was_written", reads_what_was_written),
		T("device.all.read_in_flight_sees_earlier_write", read_in_flight_sees_earlier_write),
		T("device.all.zeros_before_write_and_after_punch", zeros_before_write_and_after_punch),
		T("device.all.forbidden_requests_are_refused", forbidden_requests_are_refused),
		T("device.all.completions_are_ordered_and_pure", completions_are_ordered_and_pure),
		T("device.all.stats_add_up", stats_add_up),
		T("device.all.peek_and_poke_cost_nothing", peek_and_poke_cost_nothing),
		T("device.all.impossible_sizes_are_refused", impossible_sizes_are_refused),
		T("device.all.tags_have_names", tags_have_names),
		T("device.content.reuses_slots", content_reuses_slots),
		T("device.content.heap_orders_by_time_then_order", heap_orders_by_time_then_order),
	};
	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
