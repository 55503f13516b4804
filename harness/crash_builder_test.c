/* What the crash laboratory itself must be able to do and must never do: every legal state appears, no other does. */
#include "harness/crash.h"

#include "engine/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define B 4096u
#define DRAWS 3000u

extern const struct dev_ops dev_null;

/* A trace by hand: no device is needed to say what was submitted and polled when. */
struct script {
	struct crash_trace t;
	struct crash_request request[32];
	struct crash_event event[80];
};

static void script_init(struct script *s, bool sequential, uint32_t atomic_blocks)
{
	memset(s, 0, sizeof *s);
	s->t.request = s->request;
	s->t.event = s->event;
	s->t.caps = (struct dev_caps){
		.block_bytes = B, .capacity_blocks = 32, .atomic_blocks = atomic_blocks, .sequential = sequential};
	if (sequential) {
		s->t.caps.zones = 4;
		s->t.caps.zone_blocks = 8;
		s->t.caps.zone_capacity = 7;
	}
}

static uint64_t submit(struct script *s, enum dev_op op, uint64_t block, uint32_t blocks, uint8_t fill)
{
	uint64_t i = s->t.requests++;
	s->event[s->t.events++] = (struct crash_event){i, false};
	s->request[i] = (struct crash_request){
		.op = op, .block = block, .blocks = blocks, .submitted = s->t.events, .polled = UINT64_MAX};
	if (op == DEV_WRITE || op == DEV_APPEND) {
		s->request[i].data = malloc((size_t)blocks * B);
		memset(s->request[i].data, fill, (size_t)blocks * B);
	}
	return i;
}

static void poll(struct script *s, uint64_t i)
{
	s->event[s->t.events++] = (struct crash_event){i, true};
	s->request[i].polled = s->t.events;
}

static uint64_t done(struct script *s, enum dev_op op, uint64_t block, uint32_t blocks, uint8_t fill)
{
	uint64_t i = submit(s, op, block, blocks, fill);
	poll(s, i);
	return i;
}

static void sync_now(struct script *s)
{
	(void)done(s, DEV_SYNC, 0, 0, 0);
}

static void script_free(struct script *s)
{
	for (uint64_t i = 0; i < s->t.requests; i++)
		free(s->request[i].data);
}

static uint8_t first_byte(const struct crash_image *i, uint64_t block)
{
	return i->now.block[block] ? i->now.block[block][0] : 0;
}

static bool uniform(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (p[i] != p[0])
			return false;
	return true;
}

/* Draw many states at the end of the script; seen[v] counts what `look` makes of each. */
static void draw(struct script *s, enum crash_kind kind, unsigned (*look)(const struct crash_image *), unsigned *seen)
{
	struct crash_cursor c;
	crash_cursor_init(&c, &s->t, NULL);
	crash_cursor_advance(&c, s->t.events);
	for (uint64_t subset = 0; subset < DRAWS; subset++) {
		struct crash_image i;
		crash_cut(&c, kind, subset, &i);
		seen[look(&i)]++;
		crash_image_free(&i);
	}
	crash_cursor_free(&c);
}

/* Blocks 0 to 3, each 0 or 1 (filled or not), as one number. */
static unsigned look_bits(const struct crash_image *i)
{
	unsigned v = 0;
	for (uint64_t b = 0; b < 4; b++) {
		assert_true(!i->now.block[b] || uniform(i->now.block[b], B));
		v |= (first_byte(i, b) ? 1u : 0u) << b;
	}
	return v;
}

static void unsynced_writes_leave_any_subset(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[16] = {0};
	script_init(&s, false, 1);
	for (uint64_t b = 0; b < 3; b++)
		(void)done(&s, DEV_WRITE, b, 1, 7);
	(void)submit(&s, DEV_WRITE, 3, 1, 7);
	draw(&s, CRASH_POWER, look_bits, seen);
	for (unsigned v = 0; v < 16; v++)
		assert_true(seen[v] > 0);
	script_free(&s);
}

static void synced_writes_stay(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[16] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 2, 7);
	sync_now(&s);
	(void)done(&s, DEV_WRITE, 2, 1, 7);
	draw(&s, CRASH_POWER, look_bits, seen);
	for (unsigned v = 0; v < 16; v++)
		assert_true((seen[v] > 0) == (v == 3 || v == 7));
	script_free(&s);
}

static void sync_covers_only_what_was_polled_before_it(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[16] = {0};
	script_init(&s, false, 1);
	uint64_t w = submit(&s, DEV_WRITE, 0, 1, 7);
	(void)done(&s, DEV_WRITE, 1, 1, 7);
	uint64_t sync = submit(&s, DEV_SYNC, 0, 0, 0);
	poll(&s, w);
	(void)done(&s, DEV_WRITE, 2, 1, 7);
	poll(&s, sync);
	draw(&s, CRASH_POWER, look_bits, seen);
	for (unsigned v = 0; v < 16; v++)
		assert_true((seen[v] > 0) == (v == 2 || v == 3 || v == 6 || v == 7));
	script_free(&s);
}

static void sync_in_flight_promises_nothing(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[16] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 1, 7);
	(void)submit(&s, DEV_SYNC, 0, 0, 0);
	draw(&s, CRASH_POWER, look_bits, seen);
	assert_true(seen[0] > 0 && seen[1] > 0);
	script_free(&s);
}

static unsigned look_value(const struct crash_image *i)
{
	assert_true(!i->now.block[0] || uniform(i->now.block[0], B));
	return first_byte(i, 0);
}

static void any_version_since_the_durable_one_may_show(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[8] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 1, 1);
	(void)done(&s, DEV_WRITE, 0, 1, 2);
	sync_now(&s);
	(void)done(&s, DEV_WRITE, 0, 1, 3);
	(void)done(&s, DEV_PUNCH, 0, 1, 0);
	(void)done(&s, DEV_WRITE, 0, 1, 4);
	draw(&s, CRASH_POWER, look_value, seen);
	assert_true(seen[0] && !seen[1] && seen[2] && seen[3] && seen[4]);
	script_free(&s);
}

/* 0: old, 1: new, 2: a mixture of whole sectors */
static unsigned look_torn(const struct crash_image *i)
{
	const uint8_t *p = i->now.block[0];
	assert_non_null(p);
	for (uint32_t k = 0; k < B; k += CRASH_SECTOR_BYTES) {
		assert_true(uniform(p + k, CRASH_SECTOR_BYTES));
		assert_true(p[k] == 1 || p[k] == 2);
	}
	return uniform(p, B) ? p[0] - 1u : 2;
}

static void writes_tear_by_sectors_unless_atomic(void **state)
{
	(void)state;
	for (uint32_t atomic_blocks = 0; atomic_blocks < 2; atomic_blocks++) {
		struct script s;
		unsigned seen[3] = {0};
		script_init(&s, false, atomic_blocks);
		(void)done(&s, DEV_WRITE, 0, 1, 1);
		sync_now(&s);
		(void)done(&s, DEV_WRITE, 0, 1, 2);
		draw(&s, CRASH_POWER, look_torn, seen);
		assert_true(seen[0] && seen[1]);
		assert_true((seen[2] > 0) == (atomic_blocks == 0));
		script_free(&s);
	}
}

static void writes_larger_than_atomic_tear(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[3] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 2, 1);
	sync_now(&s);
	(void)done(&s, DEV_WRITE, 0, 2, 2);
	draw(&s, CRASH_POWER, look_torn, seen);
	assert_true(seen[2] > 0);
	script_free(&s);
}

static unsigned look_pointer(const struct crash_image *i)
{
	unsigned n = (unsigned)i->now.write_pointer[0];
	for (unsigned b = 0; b < 8; b++)
		assert_int_equal(first_byte(i, b), b < n ? 10 + b / 2 : 0);
	return n;
}

static void zones_keep_a_prefix(void **state)
{
	(void)state;
	for (uint32_t atomic_blocks = 0; atomic_blocks < 3; atomic_blocks += 2) {
		struct script s;
		unsigned seen[8] = {0};
		script_init(&s, true, atomic_blocks);
		(void)done(&s, DEV_WRITE, 0, 2, 10);
		sync_now(&s);
		(void)done(&s, DEV_WRITE, 2, 2, 11);
		(void)submit(&s, DEV_WRITE, 4, 2, 12);
		draw(&s, CRASH_POWER, look_pointer, seen);
		for (unsigned n = 0; n < 8; n++)
			assert_true((seen[n] > 0) == (n >= 2 && n <= 6 && (atomic_blocks == 0 || n % 2 == 0)));
		script_free(&s);
	}
}

static unsigned look_reset(const struct crash_image *i)
{
	unsigned wp = (unsigned)i->now.write_pointer[1] - 8, value = first_byte(i, 8);
	assert_int_equal(value != 0, wp != 0);
	return wp * 10 + value;
}

static void zone_resets_happened_or_not(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[80] = {0};
	script_init(&s, true, 0);
	(void)done(&s, DEV_WRITE, 8, 3, 1);
	sync_now(&s);
	(void)done(&s, DEV_ZONE_RESET, 8, 0, 0);
	(void)done(&s, DEV_WRITE, 8, 2, 2);
	(void)done(&s, DEV_ZONE_FINISH, 8, 0, 0);
	draw(&s, CRASH_POWER, look_reset, seen);
	for (unsigned v = 0; v < 80; v++)
		assert_true((seen[v] > 0) == (v == 31 || v == 0 || v == 12 || v == 22 || v == 72));
	script_free(&s);
}

static unsigned look_two_zones(const struct crash_image *i)
{
	return (i->now.write_pointer[0] > 0 ? 1u : 0u) | (i->now.write_pointer[1] > 8 ? 2u : 0u);
}

static void zones_are_independent(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[4] = {0};
	script_init(&s, true, 1);
	(void)done(&s, DEV_WRITE, 0, 1, 1);
	(void)done(&s, DEV_WRITE, 8, 1, 1);
	draw(&s, CRASH_POWER, look_two_zones, seen);
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	script_free(&s);
}

static void appends_count_in_the_order_of_landing(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[8] = {0};
	script_init(&s, true, 1);
	uint64_t late = submit(&s, DEV_APPEND, 1, 1, 10), early = submit(&s, DEV_APPEND, 0, 1, 10);
	poll(&s, late);
	poll(&s, early);
	draw(&s, CRASH_POWER, look_pointer, seen);
	assert_true(seen[0] && seen[1] && seen[2]);
	script_free(&s);
}

static void zone_prefix_below_a_durable_append_is_durable(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[8] = {0};
	script_init(&s, true, 1);
	uint64_t late = submit(&s, DEV_APPEND, 1, 1, 10), early = submit(&s, DEV_APPEND, 0, 1, 10);
	poll(&s, late);
	sync_now(&s);
	poll(&s, early);
	draw(&s, CRASH_POWER, look_pointer, seen);
	assert_true(!seen[0] && !seen[1] && seen[2]);
	script_free(&s);
}

static void punches_apply_block_by_block(void **state)
{
	(void)state;
	struct script s;
	unsigned seen[16] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 3, 7);
	sync_now(&s);
	(void)done(&s, DEV_PUNCH, 0, 2, 0);
	draw(&s, CRASH_POWER, look_bits, seen);
	for (unsigned v = 0; v < 16; v++)
		assert_true((seen[v] > 0) == (v >= 4 && v < 8));
	sync_now(&s);
	memset(seen, 0, sizeof seen);
	draw(&s, CRASH_POWER, look_bits, seen);
	assert_true(seen[4] == DRAWS);
	script_free(&s);
}

static void process_kill_shows_but_does_not_keep(void **state)
{
	(void)state;
	struct script s, next;
	struct crash_cursor c;
	unsigned now[16] = {0}, then[16] = {0};
	script_init(&s, false, 1);
	(void)done(&s, DEV_WRITE, 0, 1, 7);
	(void)submit(&s, DEV_WRITE, 1, 1, 7);
	draw(&s, CRASH_KILL, look_bits, now);
	assert_true(!now[0] && now[1] && !now[2] && now[3]);
	for (int synced = 0; synced < 2; synced++) {
		struct crash_image killed;
		crash_cursor_init(&c, &s.t, NULL);
		crash_cursor_advance(&c, s.t.events);
		crash_cut(&c, CRASH_KILL, 1, &killed);
		crash_cursor_free(&c);
		script_init(&next, false, 1);
		if (synced)
			sync_now(&next);
		crash_cursor_init(&c, &next.t, &killed);
		crash_cursor_advance(&c, next.t.events);
		memset(then, 0, sizeof then);
		for (uint64_t subset = 0; subset < DRAWS; subset++) {
			struct crash_image i;
			crash_cut(&c, CRASH_POWER, subset, &i);
			then[look_bits(&i)]++;
			crash_image_free(&i);
		}
		for (unsigned v = 0; v < 4; v++)
			assert_true((then[v] > 0) == (!synced || v == 3));
		crash_cursor_free(&c);
		crash_image_free(&killed);
	}
	script_free(&s);
}

/* --- the recording device -------------------------------------------------------------------------------------- */

static struct dev *recorder(struct crash_trace *t)
{
	struct pl_conf conf;
	struct dev *inner, *d;
	pl_conf_init(&conf);
	pl_conf_declare(&conf, "null", dev_null.opts);
	struct dev_args a = {.conf = &conf, .capacity_bytes = 32 * B, .block_bytes = B};
	assert_int_equal(dev_open(&dev_null, &a, &inner, NULL), PL_OK);
	crash_trace_init(t);
	assert_int_equal(crash_wrap(inner, t, UINT32_MAX, &d), PL_OK);
	pl_conf_free(&conf);
	return d;
}

static void recording_replays_into_a_fresh_device(void **state)
{
	(void)state;
	struct crash_trace t, unused;
	struct dev *d = recorder(&t), *fresh = recorder(&unused);
	uint8_t buf[2 * B], back[2 * B];
	memset(buf, 9, sizeof buf);
	struct dev_req w = {.op = DEV_WRITE, .block = 4, .blocks = 2, .buf = buf}, s = {.op = DEV_SYNC};
	assert_int_equal(dev_submit(d, 0, &w), PL_OK);
	assert_ptr_equal(dev_poll(d, 0), &w);
	assert_int_equal(dev_submit(d, 1, &s), PL_OK);
	assert_ptr_equal(dev_poll(d, 1), &s);
	assert_int_equal(t.events, 4);
	assert_string_equal(t.violation, "");
	struct crash_cursor c;
	struct crash_image i;
	crash_cursor_init(&c, &t, NULL);
	crash_cursor_advance(&c, t.events);
	crash_cut(&c, CRASH_POWER, 0, &i);
	assert_int_equal(crash_load(fresh, &i), PL_OK);
	assert_int_equal(fresh->ops->peek(fresh, 4, 2, back), PL_OK);
	assert_memory_equal(buf, back, sizeof buf);
	assert_int_equal(fresh->ops->peek(fresh, 2, 2, back), PL_OK);
	assert_true(back[0] == 0 && uniform(back, sizeof back));
	crash_image_free(&i);
	crash_cursor_free(&c);
	dev_close(d);
	dev_close(fresh);
	crash_trace_free(&t);
	crash_trace_free(&unused);
}

static void breaches_of_the_contract_are_named(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct crash_trace t;
		struct dev *d = recorder(&t);
		uint8_t buf[2 * B] = {0};
		struct dev_req a = {.op = DEV_WRITE, .block = 4, .blocks = 2, .buf = buf};
		struct dev_req b = {.op = kind == 1 ? DEV_PUNCH : DEV_WRITE, .block = 5, .blocks = 1, .buf = buf};
		assert_int_equal(dev_submit(d, 5, &a), PL_OK);
		if (kind < 2)
			assert_int_equal(dev_submit(d, 5, &b), PL_OK);
		if (kind == 2)
			buf[77] = 1;
		while (dev_poll(d, 6))
			;
		static const char *const want[] = {"overlapping", "overlapping", "buffer", ""};
		assert_non_null(strstr(t.violation, want[kind]));
		assert_true(kind != 3 || !t.violation[0]);
		dev_close(d);
		crash_trace_free(&t);
	}
}

static void without_power_nothing_arrives(void **state)
{
	(void)state;
	struct crash_trace t;
	struct dev *d = recorder(&t);
	uint8_t buf[B], back[B];
	memset(buf, 3, B);
	struct dev_req a = {.op = DEV_WRITE, .block = 1, .blocks = 1, .buf = buf}, b = a;
	b.block = 2;
	crash_power_off(d, 1);
	assert_int_equal(dev_submit(d, 0, &a), PL_OK);
	assert_int_equal(dev_submit(d, 0, &b), PL_OK);
	assert_true(dev_next_ns(d) != PL_NS_NEVER);
	for (int n = 0; n < 2; n++)
		assert_int_equal(dev_poll(d, 9)->status, PL_CRASHED);
	assert_null(dev_poll(d, 9));
	assert_int_equal(d->ops->peek(d, 2, 1, back), PL_OK);
	assert_int_equal(back[0], 0);
	dev_close(d);
	crash_trace_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"crash.builder.unsynced_writes_leave_any_subset", unsynced_writes_leave_any_subset, NULL, NULL, NULL},
		{"crash.builder.synced_writes_stay", synced_writes_stay, NULL, NULL, NULL},
		{"crash.builder.sync_covers_only_what_was_polled_before_it", sync_covers_only_what_was_polled_before_it,
			NULL, NULL, NULL},
		{"crash.builder.sync_in_flight_promises_nothing", sync_in_flight_promises_nothing, NULL, NULL, NULL},
		{"crash.builder.any_version_since_the_durable_one_may_show", any_version_since_the_durable_one_may_show,
			NULL, NULL, NULL},
		{"crash.builder.writes_tear_by_sectors_unless_atomic", writes_tear_by_sectors_unless_atomic, NULL, NULL,
			NULL},
		{"crash.builder.writes_larger_than_atomic_tear", writes_larger_than_atomic_tear, NULL, NULL, NULL},
		{"crash.builder.zones_keep_a_prefix", zones_keep_a_prefix, NULL, NULL, NULL},
		{"crash.builder.zone_resets_happened_or_not", zone_resets_happened_or_not, NULL, NULL, NULL},
		{"crash.builder.zones_are_independent", zones_are_independent, NULL, NULL, NULL},
		{"crash.builder.appends_count_in_the_order_of_landing", appends_count_in_the_order_of_landing, NULL,
			NULL, NULL},
		{"crash.builder.zone_prefix_below_a_durable_append_is_durable",
			zone_prefix_below_a_durable_append_is_durable, NULL, NULL, NULL},
		{"crash.builder.punches_apply_block_by_block", punches_apply_block_by_block, NULL, NULL, NULL},
		{"crash.builder.process_kill_shows_but_does_not_keep", process_kill_shows_but_does_not_keep, NULL, NULL,
			NULL},
		{"crash.recorder.replays_into_a_fresh_device", recording_replays_into_a_fresh_device, NULL, NULL, NULL},
		{"crash.recorder.breaches_of_the_contract_are_named", breaches_of_the_contract_are_named, NULL, NULL,
			NULL},
		{"crash.recorder.without_power_nothing_arrives", without_power_nothing_arrives, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("crash.builder", tests, NULL, NULL);
}
