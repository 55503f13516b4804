/* device_rig.h - what the tests of the devices share: a device with its options, calls that wait, and a storm of random
 * requests. */
#ifndef PL_DEVICE_RIG_H
#define PL_DEVICE_RIG_H

#include "engine/base/rng.h"
#include "engine/iface/device.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define B 4096u
#define CAPACITY (4u << 20)

/* ---- a device with its options, and calls that wait ---- */

struct rig {
	struct pl_conf conf;
	struct dev *dev;
	uint64_t now_ns;
	char path[64];
};

static inline uint64_t clock_ns(const struct rig *g)
{
	struct timespec t;
	if (g->dev->caps.simulated)
		return g->now_ns;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* settings: pairs of key and value, ended by NULL */
static inline int rig_try(struct rig *g, const struct dev_ops *ops, uint64_t capacity_bytes,
	const char *const *settings, struct pl_fault *f)
{
	memset(g, 0, sizeof *g);
	pl_conf_init(&g->conf);
	pl_conf_declare(&g->conf, ops->name, ops->opts);
	for (; settings && *settings; settings += 2)
		assert_int_equal(pl_conf_set(&g->conf, settings[0], settings[1], f), PL_OK);
	if (strcmp(ops->name, "file") == 0) {
		(void)snprintf(g->path, sizeof g->path, "/tmp/pagelab-device-test-%d.img", (int)getpid());
		(void)unlink(g->path);
	}
	struct dev_args a = {.conf = &g->conf,
		.seed = 42,
		.capacity_bytes = capacity_bytes,
		.block_bytes = B,
		.path = *g->path ? g->path : NULL,
		.create = true};
	return dev_open(ops, &a, &g->dev, f);
}

__attribute__((unused)) static const char *const small_zones[] = {"sim_zns.zone_bytes", "64k", NULL};

static inline void rig_open_with(
	struct rig *g, const struct dev_ops *ops, uint64_t capacity_bytes, const char *const *settings)
{
	struct pl_fault f = {0};
	if (!settings && strcmp(ops->name, "sim_zns") == 0)
		settings = small_zones;
	if (rig_try(g, ops, capacity_bytes, settings, &f) != PL_OK)
		fail_msg("%s", f.text);
}

static inline void rig_open(struct rig *g, const struct dev_ops *ops)
{
	rig_open_with(g, ops, CAPACITY, NULL);
}

static inline void rig_close(struct rig *g)
{
	dev_close(g->dev);
	pl_conf_free(&g->conf);
	if (*g->path)
		(void)unlink(g->path);
}

static inline struct dev_req *rig_wait(struct rig *g)
{
	for (;;) {
		uint64_t next_ns = dev_next_ns(g->dev);
		if (next_ns == PL_NS_NEVER)
			return NULL;
		if (next_ns > g->now_ns && g->dev->caps.simulated)
			g->now_ns = next_ns;
		struct dev_req *r = dev_poll(g->dev, clock_ns(g));
		if (r)
			return r;
	}
}

static inline int rig_submit(struct rig *g, struct dev_req *r)
{
	return dev_submit(g->dev, clock_ns(g), r);
}

/* One request alone; its status. */
static inline int rig_do(struct rig *g, enum dev_op op, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	struct dev_req r = {.op = op, .tag = DEV_TAG_LEAF, .block = block, .blocks = blocks, .buf = buf};
	assert_int_equal(rig_submit(g, &r), PL_OK);
	assert_ptr_equal(rig_wait(g), &r);
	assert_null(rig_wait(g));
	return r.status;
}

static inline uint64_t rig_latency(struct rig *g, enum dev_op op, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	uint64_t before = g->now_ns;
	assert_int_equal(rig_do(g, op, block, blocks, buf), PL_OK);
	return g->now_ns - before;
}

static inline void fill(uint8_t *buf, uint32_t blocks, uint64_t what)
{
	for (size_t i = 0; i < (size_t)blocks * B; i += 8) {
		uint64_t v = pl_mix64(what + i);
		memcpy(buf + i, &v, 8);
	}
}

static inline void expect(const uint8_t *buf, uint32_t blocks, uint64_t what)
{
	static uint8_t want[64 * B];
	assert_true(blocks <= 64);
	fill(want, blocks, what);
	assert_memory_equal(buf, want, (size_t)blocks * B);
}

static inline void expect_zeros(const uint8_t *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (buf[i])
			fail_msg("byte %zu is %u, not 0", i, buf[i]);
}

static inline uint64_t sum(const uint64_t *per_tag)
{
	uint64_t total = 0;
	for (int i = 0; i < DEV_TAGS; i++)
		total += per_tag[i];
	return total;
}

static inline uint64_t random_zone_at(struct rig *g, uint64_t zone)
{
	struct dev_zone z;
	assert_int_equal(dev_zone(g->dev, zone, &z), PL_OK);
	return z.write_pointer;
}

__attribute__((unused)) static uint8_t buf[64 * B], buf2[64 * B];

/* Random requests, many in flight; the order and the times of completion go into a digest. Zoned: one write stream a
 * zone in the first 8 zones. */
static inline uint64_t storm(struct rig *g, uint64_t seed, bool poll_often)
{
	enum { DEPTH = 24, REQUESTS = 4000 };
	static uint8_t data[DEPTH][8 * B];
	struct dev_req req[DEPTH];
	uint64_t order[DEPTH], done = 0, digest = 0, last_ns = 0, last_order = 0, submitted = 0;
	bool busy[DEPTH] = {false};
	struct pl_rng rng;
	pl_rng_seed(&rng, seed, 1);
	const struct dev_caps *c = &g->dev->caps;
	for (uint64_t i = 0; done < REQUESTS;) {
		uint64_t slot = i % DEPTH;
		if (i < REQUESTS && !busy[slot]) {
			struct dev_req *r = &req[slot];
			uint64_t dice = pl_rng_below(&rng, 100);
			uint32_t n = 1 + (uint32_t)pl_rng_below(&rng, 8);
			*r = (struct dev_req){.op = dice < 50   ? DEV_READ
						    : dice < 90 ? DEV_WRITE
						    : dice < 95 ? DEV_PUNCH
								: DEV_SYNC};
			r->tag = (enum dev_tag)pl_rng_below(&rng, DEV_TAGS);
			r->block = pl_rng_below(&rng, c->capacity_blocks - 8);
			if (r->op == DEV_PUNCH && !c->punch)
				r->op = c->zones ? DEV_ZONE_RESET : DEV_SYNC;
			if (c->sequential && r->op != DEV_READ && r->op != DEV_SYNC) {
				uint64_t zone = pl_rng_below(&rng, 8), at = random_zone_at(g, zone);
				if (at + n > (zone + 1) * c->zone_blocks)
					r->op = DEV_ZONE_RESET;
				r->block = r->op == DEV_WRITE ? at : zone * c->zone_blocks;
				n = r->op == DEV_WRITE ? n : 0;
			}
			r->blocks = r->op == DEV_SYNC ? 0 : n;
			r->buf = r->op == DEV_READ || r->op == DEV_WRITE ? data[slot] : NULL;
			g->now_ns += pl_rng_below(&rng, 20000);
			order[slot] = submitted++;
			busy[slot] = true;
			assert_int_equal(rig_submit(g, r), PL_OK);
			i++;
			if (!poll_often && i % DEPTH)
				continue;
		}
		struct dev_req *r;
		while ((r = poll_often || busy[i % DEPTH] || i == REQUESTS ? dev_poll(g->dev, clock_ns(g)) : NULL)) {
			uint64_t k = (uint64_t)(r - req);
			assert_true(busy[k]);
			busy[k] = false;
			assert_int_equal(r->status, PL_OK);
			assert_true(r->done_ns >= r->submit_ns);
			if (c->simulated) {
				assert_true(r->done_ns <= g->now_ns);
				/* in order, as far as both were in flight */
				if (r->done_ns == last_ns && done)
					assert_true(order[k] > last_order);
				assert_true(r->done_ns >= last_ns);
			}
			last_ns = r->done_ns;
			last_order = order[k];
			if (c->simulated)
				digest += pl_mix64(order[k] * 1000003 + r->done_ns);
			done++;
		}
		if (done < REQUESTS && (i == REQUESTS || busy[i % DEPTH])) {
			uint64_t next_ns = dev_next_ns(g->dev);
			assert_true(next_ns != PL_NS_NEVER);
			if (next_ns > g->now_ns)
				g->now_ns = next_ns;
		}
	}
	assert_int_equal(dev_next_ns(g->dev), PL_NS_NEVER);
	return digest;
}

#endif
