/* sim_ssd_rig.h - what the tests of sim_ssd share: geometries and policies to go through, the check of its invariants. */
#ifndef PL_DEVICE_SIM_SSD_RIG_H
#define PL_DEVICE_SIM_SSD_RIG_H

#include "engine/base/hist.h"
#include "variants/device/device_rig.h"
#include "variants/device/sim_ssd.h"

extern const struct dev_ops dev_sim_ssd;

static inline struct sim_ssd *ssd_rig(struct rig *g, uint64_t capacity_bytes, const char *const *settings)
{
	rig_open_with(g, &dev_sim_ssd, capacity_bytes, settings);
	return ssd_of(g->dev);
}

#define GEOMETRY(channels, dies, pages)                                                                                \
	"sim_ssd.channels", channels, "sim_ssd.dies_per_channel", dies, "sim_ssd.pages_per_block", pages,              \
		"sim_ssd.fit", "exact"
#define ONE_DIE GEOMETRY("1", "1", "8") /* superblocks of 64 pages */

__attribute__((unused)) static const char *const one_die[] = {ONE_DIE, "sim_ssd.op_permille", "250", NULL};

static inline void ssd_check(struct sim_ssd *s)
{
	const struct ssd_geometry *g = &s->o.geometry;
	const struct ftl *f = &s->ftl;
	uint64_t mapped = 0, valid = 0;
	uint32_t transient = 0, free_supers = 0;
	for (uint32_t i = 0; i < g->logical_pages; i++) {
		uint32_t page = f->map[i];
		if (page == FTL_NONE)
			continue;
		mapped++;
		assert_int_equal(f->owner[page], i);
		assert_true(ftl_valid(f, page));
	}
	for (uint32_t i = 0; i < g->supers; i++) {
		const struct ftl_super *super = ftl_super(f, i);
		uint32_t n = 0;
		for (uint32_t p = 0; p < pages_of(s, i); p++)
			n += ftl_valid(f, i << f->shift | p);
		assert_int_equal(n, valid_pages(s, i));
		valid += n;
		free_supers += super->state == FTL_FREE;
		transient += super->state == FTL_VICTIM;
	}
	for (uint32_t i = 0; i < HEADS; i++) /* not yet written counts as valid */
		valid -= head_of(s, i)->end - head_of(s, i)->at;
	assert_int_equal(mapped, valid);
	assert_int_equal(free_supers, f->free_count + f->slc_free);
	assert_true(transient <= 1 + (g->slc_supers != 0));
	assert_true(s->buffer_used <= s->o.buffer_pages);
	const char *wrong = ftl_check(f);
	if (wrong)
		fail_msg("%s", wrong);
}

static inline void ssd_drain(struct rig *g)
{
	g->now_ns += 10000000000u;
	assert_null(dev_poll(g->dev, g->now_ns));
}

/* Uniform random overwrites of n pages of [from, from + span), deep queue; the stream is the block's. */
static inline void ssd_overwrite_in(struct rig *g, struct pl_rng *rng, uint64_t n, uint64_t from, uint64_t span)
{
	enum { DEPTH = 32 };
	static struct dev_req req[DEPTH];
	for (uint64_t i = 0, in = 0; i < n || in;) {
		struct dev_req *r = in < DEPTH && i < n ? &req[i % DEPTH] : rig_wait(g);
		if (i < n) {
			in += in < DEPTH;
			uint64_t block = from + pl_rng_below(rng, span);
			*r = (struct dev_req){.op = DEV_WRITE,
				.block = block,
				.blocks = 1,
				.stream = (uint8_t)(block % 5),
				.buf = buf};
			assert_int_equal(rig_submit(g, r), PL_OK);
			i++;
		} else {
			in--;
		}
	}
}

static inline void ssd_overwrite(struct rig *g, struct pl_rng *rng, uint64_t n)
{
	ssd_overwrite_in(g, rng, n, 0, g->dev->caps.capacity_blocks);
}

/* Geometries and policies that the tests of properties go through. */
#define KIND_BYTES (16u << 20)
__attribute__((unused)) static const char *const shared[] = {
	"sim_ssd.gc_stream", "shared", "sim_ssd.write_buffer_pages", "1", NULL};
__attribute__((unused)) static const char *const tight[] = {GEOMETRY("2", "2", "2"), "sim_ssd.flash_page_bytes", "8k",
	"sim_ssd.gc_low_superblocks", "2", "sim_ssd.gc_stream", "shared", "sim_ssd.op_permille", "320", NULL};
__attribute__((unused)) static const char *const streams[] = {ONE_DIE, "sim_ssd.streams", "4", "sim_ssd.gc_stream",
	"stream", "sim_ssd.op_permille", "400", "sim_ssd.write_buffer_pages", "1", NULL};
__attribute__((unused)) static const char *const oneshot[] = {GEOMETRY("2", "1", "6"), "sim_ssd.cell", "tlc",
	"sim_ssd.program_mode", "oneshot", "sim_ssd.op_permille", "300", "sim_ssd.read_3_ns", "70us", NULL};
__attribute__((unused)) static const char *const cached[] = {GEOMETRY("2", "1", "6"), "sim_ssd.cell", "tlc",
	"sim_ssd.slc_permille", "200", "sim_ssd.op_permille", "700", "sim_ssd.streams", "2", NULL};
__attribute__((unused)) static const char *const fifo[] = {
	"sim_ssd.collect", "fifo", "sim_ssd.op_permille", "250", NULL};
__attribute__((unused)) static const char *const costbenefit[] = {"sim_ssd.collect", "costbenefit", NULL};
__attribute__((unused)) static const char *const dchoices[] = {
	"sim_ssd.collect", "dchoices", "sim_ssd.choices", "4", NULL};
__attribute__((unused)) static const char *const eager[] = {"sim_ssd.read_priority", "1", "sim_ssd.suspend", "both",
	"sim_ssd.link_bytes_per_s", "1000000000", "sim_ssd.precondition", "randfill", NULL};
__attribute__((unused)) static const char *const wide[] = {"sim_ssd.planes", "8", "sim_ssd.flash_page_bytes", "64k",
	"sim_ssd.channels", "1", "sim_ssd.dies_per_channel", "1", "sim_ssd.pages_per_block", "1", "sim_ssd.op_permille",
	"400", "sim_ssd.fit", "exact", NULL};
__attribute__((unused)) static const char *const *const kinds[] = {
	NULL, shared, tight, one_die, streams, oneshot, cached, fifo, costbenefit, dchoices, eager, wide};

struct asked {
	const char *key;
	uint64_t value;
	uint32_t found;
};

static inline void answer(void *arg, const char *key, uint64_t value)
{
	struct asked *a = arg;
	if (strcmp(a->key, key) == 0) {
		a->value = value;
		a->found++;
	}
}

static inline uint64_t described(struct dev *d, const char *key)
{
	struct asked a = {.key = key};
	dev_describe(d, answer, &a);
	if (a.found != 1)
		fail_msg("%s is described %u times", key, a.found);
	return a.value;
}

#endif
