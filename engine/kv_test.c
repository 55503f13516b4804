/* kv_test.c - the public face of the engine, one promise at a time: large values, ranges of an update, scans while others
 * split, what a commit promises, refusals in words, a full device, a failing device, many clients on the smallest pool.
 *
 * The broad comparison with a reference store is harness/model_test.c; here is what it does not reach. */
#include "engine/kv.h"

#include "engine/base/rng.h"
#include "variants/registry.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

/* --- a device whose writes or syncs fail from some number on ------------------------------------------------------- */

struct faulty {
	struct dev base;
	struct dev *inner;
	uint64_t writes_left, syncs_left; /* PL_NS_NEVER: for ever */
	struct dev_req *head, **tail;
};

static int faulty_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct faulty *t = (struct faulty *)(void *)d;
	uint64_t *left = r->op == DEV_WRITE ? &t->writes_left : r->op == DEV_SYNC ? &t->syncs_left : NULL;
	if (left && !*left) {
		r->status = PL_IO;
		r->next = NULL;
		*t->tail = r;
		t->tail = &r->next;
		return PL_OK;
	}
	if (left && *left != PL_NS_NEVER)
		--*left;
	return dev_submit(t->inner, now_ns, r);
}

static struct dev_req *faulty_poll(struct dev *d, uint64_t now_ns)
{
	struct faulty *t = (struct faulty *)(void *)d;
	struct dev_req *r = t->head;
	if (!r)
		return dev_poll(t->inner, now_ns);
	t->head = r->next;
	if (!t->head)
		t->tail = &t->head;
	return r;
}

static uint64_t faulty_next_ns(struct dev *d)
{
	struct faulty *t = (struct faulty *)(void *)d;
	return t->head ? 0 : dev_next_ns(t->inner);
}

static void faulty_close(struct dev *d)
{
	dev_close(((struct faulty *)(void *)d)->inner);
}

static int faulty_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	return dev_zone(((struct faulty *)(void *)d)->inner, zone, out);
}

static void faulty_stats(struct dev *d, struct dev_stats *out)
{
	dev_stats(((struct faulty *)(void *)d)->inner, out);
}

static const struct dev_ops dev_faulty = {
	.name = "faulty",
	.summary = "passes on to another until it fails",
	.close = faulty_close,
	.submit = faulty_submit,
	.poll = faulty_poll,
	.next_ns = faulty_next_ns,
	.zone = faulty_zone,
	.stats = faulty_stats,
};

/* --- a store to play with ------------------------------------------------------------------------------------------ */

struct bench {
	struct pl_conf conf;
	struct kv_choice choice;
	struct faulty dev;
	struct kv *kv;
	struct pl_ctx x;
	struct pl_fault f;
};

static void option(struct bench *b, const char *key, const char *value)
{
	struct pl_fault f;
	if (pl_conf_set(&b->conf, key, value, &f))
		fail_msg("%s", f.text);
}

/* `options`: "key=value key=value ..." */
static void bench_options(struct bench *b, const char *options)
{
	char text[600], *save = NULL;
	(void)snprintf(text, sizeof text, "%s", options);
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		char *value = strchr(p, '=');
		assert_non_null(value);
		*value = 0;
		option(b, p, value + 1);
	}
	assert_int_equal(reg_choose(&b->conf, &b->choice, &b->f), PL_OK);
}

static int bench_make(struct bench *b, uint64_t device_bytes, const char *options)
{
	memset(b, 0, sizeof *b);
	pl_conf_init(&b->conf);
	reg_declare(&b->conf);
	pl_conf_declare(&b->conf, "", kv_opts);
	bench_options(b, options);
	struct dev_args a = {.conf = &b->conf, .seed = 1, .capacity_bytes = device_bytes, .block_bytes = 4096};
	assert_int_equal(dev_open(b->choice.device, &a, &b->dev.inner, &b->f), PL_OK);
	b->dev.base = (struct dev){.ops = &dev_faulty, .caps = b->dev.inner->caps};
	b->dev.tail = &b->dev.head;
	b->dev.writes_left = b->dev.syncs_left = PL_NS_NEVER;
	b->x.simulated = true;
	return kv_format(&b->choice, &b->conf, 1, &b->dev.base, &b->x, &b->f);
}

static int bench_open(struct bench *b)
{
	return kv_open(&b->choice, &b->conf, &b->dev.base, &b->x, &b->kv, &b->f);
}

static void bench_begin(struct bench *b, uint64_t device_bytes, const char *options)
{
	if (bench_make(b, device_bytes, options) || bench_open(b))
		fail_msg("%s", b->f.text);
}

static int bench_close(struct bench *b)
{
	int err = kv_close(b->kv, &b->x, &b->f);
	b->kv = NULL;
	return err;
}

static void bench_check(struct bench *b)
{
	if (kv_check(b->kv, &b->x, &b->f))
		fail_msg("%s", b->f.text);
}

static void bench_end(struct bench *b)
{
	if (b->kv) {
		bench_check(b);
		if (bench_close(b))
			fail_msg("%s", b->f.text);
	}
	dev_close(&b->dev.base);
	pl_conf_free(&b->conf);
}

static pl_slice text_key(char *buf, uint32_t k)
{
	return pl_slice_of(buf, (size_t)snprintf(buf, 16, "key%08" PRIu32, k));
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(pl_mix64(seed + i / 8) >> i % 8 * 8);
}

static int put(struct bench *b, uint32_t k, const uint8_t *p, size_t n)
{
	char key[24];
	return kv_put(b->kv, &b->x, text_key(key, k), pl_slice_of(p, n));
}

static int erase(struct bench *b, uint32_t k)
{
	char key[24];
	return kv_delete(b->kv, &b->x, text_key(key, k));
}

static int update(struct bench *b, uint32_t k, uint64_t offset, const uint8_t *p, size_t n)
{
	char key[24];
	struct kv_op op = {.kind = KV_UPDATE, .key = text_key(key, k), .value = pl_slice_of(p, n), .offset = offset};
	return kv_do(b->kv, &b->x, &op);
}

static int commit(struct bench *b)
{
	struct kv_op op = {.kind = KV_COMMIT};
	return kv_do(b->kv, &b->x, &op);
}

static void expect(struct bench *b, uint32_t k, const uint8_t *p, size_t n)
{
	static uint8_t buf[2 * MIB];
	char key[24];
	pl_slice v;
	int err = kv_get(b->kv, &b->x, text_key(key, k), buf, sizeof buf, &v);
	if (err)
		fail_msg("key %" PRIu32 ": %s (%s)", k, pl_err_name(err), kv_fault_text(b->kv));
	assert_int_equal(v.n, n);
	if (n)
		assert_memory_equal(v.p, p, n);
}

static void expect_absent(struct bench *b, uint32_t k)
{
	char key[24];
	pl_slice v;
	assert_int_equal(kv_get(b->kv, &b->x, text_key(key, k), NULL, 0, &v), PL_NOTFOUND);
}

/* The whole process goes: nothing more is written. Nothing may be in flight. */
static void die(struct bench *b)
{
	while (kv_run(b->kv, &b->x) || kv_next_ns(b->kv, b->x.now_ns, false) != PL_NS_NEVER)
		b->x.now_ns = kv_next_ns(b->kv, b->x.now_ns, false);
	kv_abandon(b->kv);
	b->kv = NULL;
}

static uint64_t flushes(const struct bench *b)
{
	struct kv_stats s;
	kv_stats(b->kv, &s);
	return s.log_flushes;
}

/* --- values -------------------------------------------------------------------------------------------------------- */

static const char *const each[] = {
	"device=null space=raw",
	"device=sim_ssd space=lz4 node=ordinal",
	"device=sim_ssd space=hole placement=zone durability=none",
	"device=sim_ssd space=lz4 placement=zone",
};
#define LARGE " pool_bytes=12582912 log_bytes=33554432 page_bytes=8192"

static void modify_tail(void *arg, pl_slice value, struct kv_patch *patch)
{
	patch->offset = value.n - 9000;
	patch->bytes = pl_slice_of(arg, 9000);
}

static void modify_all(void *arg, pl_slice value, struct kv_patch *patch)
{
	patch->offset = 0;
	patch->bytes = pl_slice_of(arg, value.n);
}

static bool compare_emitted(void *arg, pl_slice key, pl_slice value)
{
	const pl_slice *want = arg;
	assert_int_equal(key.n, 11);
	assert_int_equal(value.n, want->n);
	assert_memory_equal(value.p, want->p, want->n);
	return true;
}

static void large_values(void **state)
{
	static uint8_t v[MIB], w[MIB], buf[MIB];
	(void)state;
	for (size_t i = 0; i < PL_COUNT(each); i++) {
		struct bench b;
		char options[400], key[24];
		(void)snprintf(options, sizeof options, "%s" LARGE, each[i]);
		bench_begin(&b, 128u << 20, options);
		assert_int_equal(kv_max_value_bytes(b.kv), MIB);
		fill(v, MIB, 1);
		assert_int_equal(put(&b, 1, v, MIB), PL_OK);
		assert_int_equal(put(&b, 2, v, MIB + 1), PL_TOOBIG);
		fill(w, 40000, 7);
		memcpy(v + 123456, w, 40000);
		assert_int_equal(update(&b, 1, 123456, w, 40000), PL_OK);
		expect(&b, 1, v, MIB);
		struct kv_op rmw = {.kind = KV_RMW, .buf = buf, .buf_bytes = MIB, .modify = modify_tail, .arg = w};
		rmw.key = text_key(key, 1);
		assert_int_equal(kv_do(b.kv, &b.x, &rmw), PL_OK);
		memcpy(v + MIB - 9000, w, 9000);
		pl_slice want = pl_slice_of(v, MIB);
		struct kv_op scan = {
			.kind = KV_SCAN, .buf = buf, .buf_bytes = MIB, .emit = compare_emitted, .arg = &want};
		assert_int_equal(kv_do(b.kv, &b.x, &scan), PL_OK);
		assert_int_equal(scan.emitted, 1);
		scan.buf_bytes = MIB - 1;
		assert_int_equal(kv_do(b.kv, &b.x, &scan), PL_TOOBIG);
		assert_int_equal(commit(&b), PL_OK);
		die(&b);
		assert_int_equal(bench_open(&b), PL_OK);
		bench_check(&b);
		expect(&b, 1, v, MIB);
		assert_int_equal(put(&b, 1, w, 5), PL_OK); /* its pages are freed */
		assert_int_equal(put(&b, 1, v, MIB), PL_OK);
		bench_check(&b);
		assert_int_equal(erase(&b, 1), PL_OK);
		expect_absent(&b, 1);
		bench_end(&b);
	}
}

static void update_bounds(void **state)
{
	static uint8_t v[60000];
	/* bytes of one overflow page of 8192: 8120, so the second length ends with its last page */
	static const size_t lengths[] = {0, 100, 2 * 8120, 3 * 8120 + 1};
	struct bench b;
	(void)state;
	bench_begin(&b, 16u << 20, "device=null page_bytes=8192 pool_bytes=1048576 log_bytes=4194304");
	fill(v, sizeof v, 3);
	for (size_t i = 0; i < PL_COUNT(lengths); i++) {
		size_t n = lengths[i];
		assert_int_equal(put(&b, 5, v, n), PL_OK);
		assert_int_equal(update(&b, 5, n, v, 0), PL_OK); /* nothing, at the end */
		assert_int_equal(update(&b, 5, n, NULL, 0), PL_OK);
		assert_int_equal(update(&b, 5, n, v, 1), PL_RANGE);
		assert_int_equal(update(&b, 5, n + 1, v, 0), PL_RANGE);
		assert_int_equal(update(&b, 5, UINT64_MAX, v, 2), PL_RANGE);
		assert_int_equal(update(&b, 5, 0, v, n), PL_OK);
		if (n)
			assert_int_equal(update(&b, 5, n - 1, v + n - 1, 1), PL_OK);
		expect(&b, 5, v, n);
	}
	assert_int_equal(update(&b, 6, 0, v, 0), PL_NOTFOUND);
	assert_int_equal(put(&b, 7, NULL, 0), PL_OK);
	expect(&b, 7, NULL, 0);
	bench_end(&b);
}

/* A value longer than this opening permits: it can be read, replaced and deleted, but not changed at a stretch. */
static void smaller_limit(void **state)
{
	static uint8_t v[60000], w[60000];
	struct bench b;
	(void)state;
	bench_begin(&b, 16u << 20, "device=null page_bytes=4096 pool_bytes=1048576 log_bytes=4194304");
	fill(v, sizeof v, 3);
	fill(w, sizeof w, 4);
	assert_int_equal(put(&b, 1, v, sizeof v), PL_OK);
	assert_int_equal(put(&b, 2, v, sizeof v), PL_OK);
	assert_int_equal(bench_close(&b), PL_OK);
	bench_options(&b, "max_value_bytes=5000");
	assert_int_equal(bench_open(&b), PL_OK);
	expect(&b, 1, v, sizeof v);
	assert_int_equal(update(&b, 1, 0, w, sizeof w), PL_TOOBIG);
	static uint8_t buf[60000];
	char key[24];
	struct kv_op rmw = {.kind = KV_RMW, .buf = buf, .buf_bytes = sizeof buf, .modify = modify_all, .arg = w};
	rmw.key = text_key(key, 1);
	assert_int_equal(kv_do(b.kv, &b.x, &rmw), PL_TOOBIG);
	expect(&b, 1, v, sizeof v);
	assert_int_equal(update(&b, 1, 40000, w, 5000), PL_OK);
	memcpy(v + 40000, w, 5000);
	expect(&b, 1, v, sizeof v);
	assert_int_equal(erase(&b, 1), PL_OK);
	assert_int_equal(put(&b, 2, w, 10), PL_OK);
	bench_check(&b);
	bench_end(&b);
	/* and a log that holds longer records than it can take is not called damaged */
	bench_begin(&b, 16u << 20, "device=null page_bytes=4096 pool_bytes=1048576 log_bytes=4194304");
	assert_int_equal(put(&b, 1, v, sizeof v), PL_OK);
	die(&b);
	bench_options(&b, "max_value_bytes=5000");
	assert_int_equal(bench_open(&b), PL_INVALID);
	assert_non_null(strstr(b.f.text, "max_value_bytes"));
	bench_options(&b, "max_value_bytes=0");
	assert_int_equal(bench_open(&b), PL_OK);
	expect(&b, 1, v, sizeof v);
	bench_end(&b);
}

/* --- scans while others split -------------------------------------------------------------------------------------- */

struct seen {
	uint32_t even, last;
	bool disorder;
};

static bool note_seen(void *arg, pl_slice key, pl_slice value)
{
	struct seen *s = arg;
	uint32_t k = (uint32_t)strtoul((const char *)key.p + 3, NULL, 10);
	(void)value;
	if ((s->even || s->last) && k <= s->last)
		s->disorder = true;
	s->last = k;
	s->even += k % 2 == 0;
	return true;
}

static void scans_and_splits(void **state)
{
	static uint8_t v[900];
	struct bench b;
	(void)state;
	bench_begin(&b, 32u << 20,
		"device=sim_ssd page_bytes=4096 pool_bytes=262144 durability=none placement=zone "
		"zone.zone_bytes=262144");
	for (uint32_t k = 0; k < 800; k += 2)
		assert_int_equal(put(&b, k, v, 200), PL_OK);
	struct seen seen = {0};
	char keys[800][24], start[24];
	struct kv_op scan = {.kind = KV_SCAN, .key = text_key(start, 0), .emit = note_seen, .arg = &seen};
	static struct kv_op puts[800];
	int scanning = kv_start(b.kv, &b.x, &scan);
	uint32_t started = 0, open = 0;
	while (scanning == PL_AGAIN || open || started < 400) { /* odd keys come in from the end, two at a time */
		while (open < 2 && started < 400) {
			uint32_t k = 799 - 2 * started;
			puts[k] = (struct kv_op){
				.kind = KV_PUT, .key = text_key(keys[k], k), .value = pl_slice_of(v, 900)};
			open += kv_start(b.kv, &b.x, &puts[k]) == PL_AGAIN;
			started++;
		}
		struct kv_op *op = kv_run(b.kv, &b.x);
		if (op) {
			assert_int_equal(op->status, PL_OK);
			if (op == &scan)
				scanning = PL_OK;
			else
				open--;
			continue;
		}
		uint64_t next = kv_next_ns(b.kv, b.x.now_ns, true);
		if (open || scanning == PL_AGAIN)
			assert_true(next != PL_NS_NEVER);
		if (next != PL_NS_NEVER)
			b.x.now_ns = next;
	}
	assert_int_equal(seen.even, 400);
	assert_false(seen.disorder);
	struct kv_stats s;
	kv_stats(b.kv, &s);
	assert_true(s.splits > 50);
	bench_end(&b);
}

/* --- commits ------------------------------------------------------------------------------------------------------- */

static void group_by_count_and_time(void **state)
{
	struct bench b;
	char keys[8][24];
	struct kv_op op[8];
	(void)state;
	bench_begin(&b, 16u << 20, "device=sim_ssd log_bytes=4194304 redo.group_count=3 redo.group_ns=50000000");
	assert_int_equal(put(&b, 0, NULL, 0), PL_OK); /* idle: flushed at once */
	assert_int_equal(commit(&b), PL_OK); /* owes nothing to the next group */
	uint64_t before = flushes(&b);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(flushes(&b), before);
		op[i] = (struct kv_op){.kind = KV_PUT, .key = text_key(keys[i], i)};
		assert_int_equal(kv_start(b.kv, &b.x, &op[i]), PL_AGAIN);
	}
	assert_int_equal(flushes(&b), before + 1); /* the third brings it on its way */
	/* a commit that only waits for the flush under way leaves no trace either */
	op[3] = (struct kv_op){.kind = KV_COMMIT};
	assert_int_equal(kv_start(b.kv, &b.x, &op[3]), PL_AGAIN);
	for (uint32_t ended = 0; ended < 4;) {
		struct kv_op *o = kv_run(b.kv, &b.x);
		ended += o != NULL;
		if (!o)
			b.x.now_ns = kv_next_ns(b.kv, b.x.now_ns, false);
	}
	op[4] = (struct kv_op){.kind = KV_PUT, .key = text_key(keys[4], 4)};
	uint64_t start = b.x.now_ns;
	assert_int_equal(kv_start(b.kv, &b.x, &op[4]), PL_AGAIN);
	assert_null(kv_run(b.kv, &b.x));
	assert_int_equal(flushes(&b), before + 1);
	uint64_t due = kv_next_ns(b.kv, b.x.now_ns, false);
	assert_true(due >= start + 50000000 && due < start + 50100000);
	b.x.now_ns = due;
	assert_null(kv_run(b.kv, &b.x));
	assert_int_equal(flushes(&b), before + 2);
	while (!kv_run(b.kv, &b.x))
		b.x.now_ns = kv_next_ns(b.kv, b.x.now_ns, false);
	bench_end(&b);
}

static void commit_without_a_log(void **state)
{
	struct bench b;
	const uint8_t one[] = "one", two[] = "two";
	(void)state;
	bench_begin(&b, 16u << 20, "device=sim_ssd durability=none guard=dwb");
	assert_int_equal(put(&b, 1, one, 3), PL_OK);
	assert_int_equal(commit(&b), PL_OK);
	struct kv_stats s;
	kv_stats(b.kv, &s);
	uint64_t anchors = s.checkpoints;
	assert_int_equal(commit(&b), PL_OK); /* nothing new: no anchor */
	kv_stats(b.kv, &s);
	assert_int_equal(s.checkpoints, anchors);
	assert_int_equal(put(&b, 1, two, 3), PL_OK);
	assert_int_equal(put(&b, 2, two, 3), PL_OK);
	die(&b);
	assert_int_equal(bench_open(&b), PL_OK);
	expect(&b, 1, one, 3); /* a prefix: what was committed */
	expect_absent(&b, 2);
	bench_end(&b);
}

/* --- refusals ------------------------------------------------------------------------------------------------------ */

static void other_options(void **state)
{
	static const struct {
		const char *made, *opened, *named;
	} cases[] = {
		{"page_bytes=8192", "page_bytes=16384", "page_bytes=8192"},
		{"log_bytes=8388608", "log_bytes=4194304", "log_bytes=8388608"},
		{"node=slotted", "node=ordinal", "node=slotted"},
		{"space=raw", "space=hole", "space=raw"},
		{"node=slotted", "slotted.heads=0", "slotted.heads=1"},
		{"node=slotted slotted.hints=16", "slotted.hints=0", "slotted.hints=16"},
		{"node=b2", "b2.heads=1", "b2.heads=0"},
		{"node=b2 b2.range_slots=8", "b2.range_slots=16", "b2.range_slots=8"},
		{"space=lz4 placement=zone addressing=table guard=none zone.zone_bytes=1048576", "lz4.acceleration=2",
			"lz4.acceleration=1"},
		{"max_value_bytes=4096 dwb.journal_bytes=1048576", "max_value_bytes=4096 dwb.journal_bytes=2097152",
			"dwb.journal_bytes"},
		{"pool_bytes=1048576", "pool_bytes=2097152", "journal_bytes (0: from pool_bytes)=2097152"},
		{"placement=zone addressing=table guard=none zone.zone_bytes=1048576", "zone.zone_bytes=2097152",
			"zone.zone_bytes=1048576"},
	};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(cases); i++)
		for (int openings = 0; openings < 2; openings++) { /* newest anchor in the first or the second half */
			struct bench b;
			bench_begin(&b, 64u << 20, cases[i].made);
			assert_int_equal(bench_close(&b), PL_OK);
			if (openings) {
				assert_int_equal(bench_open(&b), PL_OK);
				assert_int_equal(bench_close(&b), PL_OK);
			}
			bench_options(&b, cases[i].opened);
			assert_int_equal(bench_open(&b), PL_INVALID);
			if (!strstr(b.f.text, cases[i].named))
				fail_msg("%s is not named: %s", cases[i].named, b.f.text);
			bench_end(&b);
		}
}

static void too_small(void **state)
{
	static const struct {
		const char *options, *named;
		uint64_t bytes;
		int err;
	} cases[] = {
		{"device=null", "device too small", 1u << 20, PL_FULL},
		{"device=null placement=zone", "device too small", 20u << 20, PL_FULL},
		{"device=null pool_bytes=131072", "pool_bytes", 16u << 20, PL_INVALID},
		{"device=null page_bytes=12288", "page_bytes", 16u << 20, PL_INVALID},
		{"device=null log_bytes=65536", "log_bytes", 16u << 20, PL_INVALID},
		{"device=null max_value_bytes=16777216", "max_value_bytes", 64u << 20, PL_INVALID},
	};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(cases); i++) {
		struct bench b;
		assert_int_equal(bench_make(&b, cases[i].bytes, cases[i].options), cases[i].err);
		if (!strstr(b.f.text, cases[i].named))
			fail_msg("%s is not named: %s", cases[i].named, b.f.text);
		bench_end(&b);
	}
	/* without max_value_bytes the log itself says what it takes */
	for (uint64_t log = 262144; log <= 2097152; log += 65536) {
		struct bench b;
		char options[100];
		(void)snprintf(options, sizeof options, "device=null log_bytes=%" PRIu64, log);
		bench_begin(&b, 32u << 20, options);
		bench_end(&b);
	}
}

/* --- full ---------------------------------------------------------------------------------------------------------- */

static void full_then_not(void **state)
{
	static const char *const kinds[] = {
		"device=null",
		"device=sim_ssd space=hole",
		"device=sim_ssd placement=zone space=lz4 zone.zone_bytes=131072",
		"device=null placement=zone zone.zone_bytes=65536",
		"device=null placement=zone space=hole page_bytes=65536 zone.zone_bytes=262144 pool_bytes=2097152",
		"device=sim_zns sim_zns.zone_bytes=262144 space=raw",
	};
	static uint8_t v[1500];
	(void)state;
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		struct bench b;
		char options[300];
		(void)snprintf(options, sizeof options, "pool_bytes=1048576 log_bytes=1048576 max_value_bytes=2000 %s",
			kinds[i]);
		bench_begin(&b, 12u << 20, options);
		uint32_t n = 0;
		int err;
		fill(v, sizeof v, 8);
		while ((err = put(&b, n, v, sizeof v)) == PL_OK)
			n++;
		assert_int_equal(err, PL_FULL);
		assert_non_null(strstr(kv_fault_text(b.kv), "device full"));
		assert_true(n > 1000);
		die(&b); /* what was acknowledged finds room again */
		if (bench_open(&b))
			fail_msg("%s: %s", kinds[i], b.f.text);
		for (uint32_t k = 0; k < n; k += 97)
			expect(&b, k, v, sizeof v);
		for (uint32_t k = 0; k < n / 4; k++) {
			err = erase(&b, k);
			if (err)
				fail_msg("%s: delete %" PRIu32 ": %s", kinds[i], k, kv_fault_text(b.kv));
		}
		for (uint32_t k = 0; k < n / 10; k++) {
			err = put(&b, k, v, sizeof v);
			if (err)
				fail_msg("%s: put %" PRIu32 ": %s", kinds[i], k, kv_fault_text(b.kv));
		}
		bench_end(&b);
	}
}

/* --- failing ------------------------------------------------------------------------------------------------------- */

/* Work until the device fails; then: refused with the reason, reads never give old data, what was durable comes back. */
static void fail_once(const char *options, uint64_t writes, uint64_t syncs)
{
	static uint8_t v[400][1500];
	bool acknowledged[400] = {false};
	uint8_t generation[400] = {0};
	struct bench b;
	bench_begin(&b, 12u << 20, options);
	for (uint32_t k = 0; k < 400; k++) {
		fill(v[k], sizeof v[k], k);
		assert_int_equal(put(&b, k, v[k], sizeof v[k]), PL_OK);
	}
	assert_int_equal(kv_checkpoint(b.kv, &b.x), PL_OK);
	b.dev.writes_left = writes;
	b.dev.syncs_left = syncs;
	int err = PL_OK;
	for (uint32_t i = 0; !err && i < 4000; i++) {
		uint32_t k = i * 37 % 400;
		uint8_t new = (uint8_t)(i / 400 + 1);
		err = update(&b, k, 0, &new, 1);
		acknowledged[k] = !err;
		generation[k] = new;
		v[k][0] = new;
	}
	assert_int_equal(err, PL_FAILED);
	assert_int_equal(put(&b, 1, v[1], 3), PL_FAILED);
	for (uint32_t k = 0; k < 400 && writes % 2 == 0; k++) { /* else close with requests in flight */
		static uint8_t buf[1500];
		char key[24];
		pl_slice got;
		err = kv_get(b.kv, &b.x, text_key(key, k), buf, sizeof buf, &got);
		if (err && err != PL_FAILED)
			fail_msg("%s, %" PRIu64 ": a failed store says %s", options, writes, kv_fault_text(b.kv));
		if (!err && acknowledged[k] && got.p[0] != generation[k])
			fail_msg("%s, %" PRIu64 ": a failed store shows %d for %d", options, writes, got.p[0],
				generation[k]);
	}
	assert_int_equal(put(&b, 1, v[1], 1501), PL_TOOBIG); /* does not hide the reason */
	if (!strstr(kv_fault_text(b.kv), "failed") || !strstr(kv_fault_text(b.kv), "reopen"))
		fail_msg("the reason is gone: %s", kv_fault_text(b.kv));
	assert_int_equal(kv_checkpoint(b.kv, &b.x), PL_FAILED);
	assert_int_equal(bench_close(&b), PL_FAILED);
	assert_non_null(strstr(b.f.text, "failed"));
	b.dev.writes_left = b.dev.syncs_left = PL_NS_NEVER;
	if (strstr(options, "guard=none")) {
		assert_int_equal(bench_open(&b), PL_DAMAGED);
		bench_end(&b);
		return;
	}
	if (bench_open(&b))
		fail_msg("%s, %" PRIu64 " writes, %" PRIu64 " syncs: %s", options, writes, syncs, b.f.text);
	bench_check(&b);
	for (uint32_t k = 0; k < 400; k++)
		if (acknowledged[k] && strstr(options, "redo"))
			expect(&b, k, v[k], sizeof v[k]);
	bench_end(&b);
}

static void device_fails(void **state)
{
	static const char *const kinds[] = {"durability=redo device=sim_ssd", "durability=redo device=null space=hole",
		"durability=redo device=sim_ssd placement=zone zone.zone_bytes=131072 space=lz4",
		"durability=redo device=sim_zns sim_zns.zone_bytes=262144", "durability=none guard=dwb device=sim_ssd",
		"durability=none guard=dwb device=sim_ssd space=hole", "durability=none guard=none device=sim_ssd",
		"durability=redo guard=pingpong device=sim_ssd space=hole",
		"durability=none device=sim_ssd placement=zone zone.zone_bytes=131072"};
	(void)state;
	for (size_t i = 0; i < PL_COUNT(kinds); i++)
		for (uint64_t n = 0; n < 60; n = n * 5 / 4 + 1) {
			char options[300];
			(void)snprintf(options, sizeof options,
				"%s page_bytes=8192 pool_bytes=262144 log_bytes=1048576 max_value_bytes=1500",
				kinds[i]);
			fail_once(options, n, PL_NS_NEVER);
			if (n < 8 && strstr(options, "redo"))
				fail_once(options, PL_NS_NEVER, n);
		}
}

/* --- many clients -------------------------------------------------------------------------------------------------- */

static void many_clients(void **state)
{
	static const char *const kinds[] = {"device=sim_ssd", "device=sim_zns sim_zns.zone_bytes=524288 space=lz4"};
	static struct kv_op op[1000];
	static char keys[1000][24];
	static uint8_t v[7000];
	(void)state;
	fill(v, sizeof v, 2);
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		struct bench b;
		char options[300];
		(void)snprintf(options, sizeof options, "pool_bytes=262144 max_value_bytes=20000 log_bytes=1048576 %s",
			kinds[i]);
		bench_begin(&b, 48u << 20, options);
		for (uint32_t round = 0; round < 2; round++) {
			uint32_t open = 0;
			for (uint32_t k = 0; k < 1000; k++) {
				op[k] = (struct kv_op){.kind = KV_PUT, .key = text_key(keys[k], k)};
				op[k].value = pl_slice_of(v, k * 7);
				open += kv_start(b.kv, &b.x, &op[k]) == PL_AGAIN;
			}
			while (open) {
				struct kv_op *o = kv_run(b.kv, &b.x);
				if (o)
					open--;
				else {
					uint64_t next = kv_next_ns(b.kv, b.x.now_ns, true);
					assert_true(next != PL_NS_NEVER);
					b.x.now_ns = next;
				}
			}
			for (uint32_t k = 0; k < 1000; k++)
				assert_int_equal(op[k].status, PL_OK);
		}
		for (uint32_t k = 0; k < 1000; k += 13)
			expect(&b, k, v, k * 7);
		struct kv_stats s;
		kv_stats(b.kv, &s);
		assert_int_equal(s.puts, 2000);
		assert_int_equal(s.records, 1000);
		/* the process may die with operations in flight: nothing leaks */
		for (uint32_t k = 0; k < 20; k++) {
			op[k] = (struct kv_op){
				.kind = KV_PUT, .key = text_key(keys[k], k), .value = pl_slice_of(v, 500)};
			int err = kv_start(b.kv, &b.x, &op[k]);
			assert_true(err == PL_AGAIN || err == PL_OK);
		}
		kv_abandon(b.kv);
		b.kv = NULL;
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"kv.values.of_a_mebibyte", large_values, NULL, NULL, NULL},
		{"kv.update.stays_inside_the_value", update_bounds, NULL, NULL, NULL},
		{"kv.values.longer_than_this_opening_permits", smaller_limit, NULL, NULL, NULL},
		{"kv.scan.goes_on_while_others_split", scans_and_splits, NULL, NULL, NULL},
		{"durability.redo.groups_by_count_and_time", group_by_count_and_time, NULL, NULL, NULL},
		{"durability.none.commit_makes_an_anchor", commit_without_a_log, NULL, NULL, NULL},
		{"kv.open.refuses_other_options_by_name", other_options, NULL, NULL, NULL},
		{"kv.format.says_what_is_too_small", too_small, NULL, NULL, NULL},
		{"kv.full.delete_then_put", full_then_not, NULL, NULL, NULL},
		{"kv.failed.refuses_and_reopens", device_fails, NULL, NULL, NULL},
		{"kv.clients.many_on_the_smallest_pool", many_clients, NULL, NULL, NULL},
	};
	return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
