/* devices.c - how fast the device models are simulated: pages a second that only count, requests a second in time.
 *
 * Contentless devices of the given raw size, filled to utilisation 0.8 and overwritten uniformly at random until
 * collection is in its steady state. Items are host pages, or requests of 4 KiB. */
#include "harness/micro/micro.h"

#include "engine/base/rng.h"
#include "harness/options.h"
#include "harness/util.h"
#include "variants/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIB ((uint64_t)1 << 30)
#define BLOCK 4096u
#define BATCH (1u << 16) /* items of a call */
#define AHEAD 32 /* requests known in advance, of which the model is told */
#define DEPTH_MAX 256

struct bench {
	struct pl_conf conf;
	struct dev *dev;
	struct pl_rng rng;
	uint64_t now_ns;
	uint32_t pages;
	unsigned mix, depth; /* reads in a hundred; requests in flight */
	uint64_t host_pages, moved_pages; /* of the flash, before the measurement */
	uint32_t block[BATCH + AHEAD];
	struct dev_req req[DEPTH_MAX];
};

static void set(struct bench *b, const char *key, uint64_t value)
{
	char text[32];
	struct pl_fault f = {0};
	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	if (pl_conf_set(&b->conf, key, text, &f)) {
		(void)fprintf(stderr, "%s\n", f.text);
		abort();
	}
}

static void bench_close(void *state)
{
	struct bench *b = state;
	dev_close(b->dev);
	pl_conf_free(&b->conf);
	free(b);
}

static struct bench *bench_open(const char *device, uint64_t raw_bytes, uint64_t capacity_bytes, const char **why)
{
	static struct pl_fault f;
	struct bench *b = lab_calloc(1, sizeof *b);
	const struct reg_choice *c = NULL;
	lab_conf_init(&b->conf);
	for (size_t i = 0; (c = reg_choice(REG_DEVICE, i)) && strcmp(c->name, device) != 0; i++)
		;
	if (strcmp(device, "sim_ssd") == 0)
		set(b, "sim_ssd.media_bytes", raw_bytes);
	struct dev_args a = {.conf = &b->conf,
		.seed = 1,
		.capacity_bytes = capacity_bytes,
		.block_bytes = BLOCK,
		.contentless = true};
	if (dev_open((const struct dev_ops *)(const void *)c, &a, &b->dev, &f)) {
		*why = f.text;
		bench_close(b);
		return NULL;
	}
	b->pages = (uint32_t)b->dev->caps.capacity_blocks;
	pl_rng_seed(&b->rng, 1, 0);
	return b;
}

static void draw(struct bench *b)
{
	for (uint32_t i = 0; i < BATCH; i++)
		b->block[i] = (uint32_t)pl_rng_below(&b->rng, b->pages);
}

static uint64_t untimed_run(void *state)
{
	struct bench *b = state;
	draw(b);
	dev_write_untimed(b->dev, b->block, BATCH, 0);
	return BATCH;
}

/* Every page in order, then `turns` times as many at random. */
static void age(struct bench *b, uint64_t turns)
{
	for (uint32_t at = 0; at < b->pages; at += BATCH) {
		uint32_t n = b->pages - at < BATCH ? b->pages - at : BATCH;
		for (uint32_t i = 0; i < n; i++)
			b->block[i] = at + i;
		dev_write_untimed(b->dev, b->block, n, 0);
	}
	for (uint64_t n = turns * b->pages / BATCH; n > 0; n--)
		(void)untimed_run(b);
}

static void note_pages(void *arg, const char *key, uint64_t value)
{
	uint64_t *pages = arg;
	if (strcmp(key, "host_pages") == 0)
		pages[0] = value;
	else if (strcmp(key, "moved_pages") == 0)
		pages[1] = value;
}

static double write_amplification(void *state)
{
	const struct bench *b = state;
	uint64_t pages[2] = {0, 0};
	dev_describe(b->dev, note_pages, pages);
	uint64_t host = pages[0] - b->host_pages;
	return host ? (double)(host + pages[1] - b->moved_pages) / (double)host : 0;
}

static void measure_from_here(struct bench *b)
{
	uint64_t pages[2] = {0, 0};
	dev_describe(b->dev, note_pages, pages);
	b->host_pages = pages[0];
	b->moved_pages = pages[1];
}

static double bytes_read(void *state)
{
	const struct bench *b = state;
	struct dev_stats st;
	dev_stats(b->dev, &st);
	return (double)st.media_read_bytes;
}

/* Requests in a closed loop: whoever completes submits the next at once. */
static uint64_t timed_run(void *state)
{
	struct bench *b = state;
	struct dev *d = b->dev;
	uint64_t next = 0, done = 0;
	for (uint32_t i = 0; i < BATCH + AHEAD; i++)
		b->block[i] = (uint32_t)pl_rng_below(&b->rng, b->pages);
	while (done < BATCH) {
		struct dev_req *r;
		if (next < b->depth) {
			r = &b->req[next];
		} else {
			while (!(r = dev_poll(d, b->now_ns)))
				b->now_ns = pl_max64(b->now_ns, dev_next_ns(d));
			done++;
		}
		if (next == BATCH)
			continue;
		dev_prepare(d, b->block[next + AHEAD], 0);
		dev_prepare(d, b->block[next + AHEAD / 2], 1);
		bool read = b->mix && pl_rng_below(&b->rng, 100) < b->mix;
		*r = (struct dev_req){.op = read ? DEV_READ : DEV_WRITE, .block = b->block[next], .blocks = 1};
		if (dev_submit(d, b->now_ns, r))
			abort();
		next++;
	}
	return BATCH;
}

static void *untimed_open(const struct micro *m, const char **why)
{
	struct bench *b = bench_open("sim_ssd", m->bytes, m->bytes / 5 * 4, why);
	if (!b)
		return NULL;
	age(b, 2);
	measure_from_here(b);
	return b;
}

static void *timed_open(const struct micro *m, const char **why)
{
	struct bench *b = bench_open("sim_ssd", m->bytes, m->bytes / 5 * 4, why);
	if (!b)
		return NULL;
	age(b, m->mix == 100 ? 0 : 2);
	measure_from_here(b);
	b->mix = m->mix;
	b->depth = m->depth;
	return b;
}

static void *opfs_open(const struct micro *m, const char **why)
{
	struct bench *b = bench_open("sim_opfs", m->bytes, m->bytes, why);
	if (!b)
		return NULL;
	b->mix = m->mix;
	b->depth = m->depth;
	return b;
}

static void *zns_open(const struct micro *m, const char **why)
{
	struct bench *b = bench_open("sim_zns", m->bytes, m->bytes, why);
	if (!b)
		return NULL;
	/* every zone to its capacity: only written blocks are read from the flash */
	const struct dev_caps *c = &b->dev->caps;
	struct dev_req r = {0};
	for (uint64_t zone = 0; zone < c->zones; zone++)
		for (uint64_t at = 0, n; at < c->zone_capacity; at += n) {
			n = pl_min64(c->zone_capacity - at, 1024);
			r = (struct dev_req){
				.op = DEV_WRITE, .block = zone * c->zone_blocks + at, .blocks = (uint32_t)n};
			if (dev_submit(b->dev, b->now_ns, &r))
				abort();
			while (!dev_poll(b->dev, b->now_ns))
				b->now_ns = pl_max64(b->now_ns, dev_next_ns(b->dev));
		}
	b->mix = 100;
	b->depth = m->depth;
	return b;
}

const struct micro device_micros[] = {
	{"sim_ssd/untimed/4G", untimed_open, untimed_run, bench_close, write_amplification, "write_amplification",
		4 * GIB, 0, 0},
	{"sim_ssd/untimed/64G", untimed_open, untimed_run, bench_close, write_amplification, "write_amplification",
		64 * GIB, 0, 0},
	{"sim_ssd/untimed/1T", untimed_open, untimed_run, bench_close, write_amplification, "write_amplification",
		1024 * GIB, 0, 0},
	{"sim_ssd/timed/64G/writes/depth8", timed_open, timed_run, bench_close, write_amplification,
		"write_amplification", 64 * GIB, 0, 8},
	{"sim_ssd/timed/64G/writes/depth32", timed_open, timed_run, bench_close, write_amplification,
		"write_amplification", 64 * GIB, 0, 32},
	{"sim_ssd/timed/64G/half_reads/depth32", timed_open, timed_run, bench_close, write_amplification,
		"write_amplification", 64 * GIB, 50, 32},
	{"sim_ssd/timed/64G/reads/depth32", timed_open, timed_run, bench_close, bytes_read, "media_read_bytes",
		64 * GIB, 100, 32},
	{"sim_zns/timed/64G/reads/depth32", zns_open, timed_run, bench_close, bytes_read, "media_read_bytes", 64 * GIB,
		100, 32},
	{"sim_opfs/timed/4G/half_reads/depth1", opfs_open, timed_run, bench_close, NULL, NULL, 4 * GIB, 50, 1},
	{.name = NULL},
};
