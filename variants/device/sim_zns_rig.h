/* sim_zns_rig.h - what the tests of sim_zns share. The source is included under another name to reach the inside. */
#ifndef PL_SIM_ZNS_RIG_H
#define PL_SIM_ZNS_RIG_H

#define dev_sim_zns zns_inside
#include "variants/device/sim_zns.c"
#undef dev_sim_zns
#include "variants/device/device_rig.h"

static inline void check(struct rig *g)
{
	const char *wrong = zns_check(&zns_of(g->dev)->state);
	if (wrong)
		fail_msg("%s", wrong);
}

static uint64_t told_value;
static const char *told_key;
static inline void told_one(void *arg, const char *key, uint64_t value)
{
	(void)arg;
	if (strcmp(key, told_key) == 0)
		told_value = value;
}
static inline uint64_t told(struct rig *g, const char *key)
{
	told_key = key;
	told_value = PL_NS_NEVER;
	dev_describe(g->dev, told_one, NULL);
	assert_true(told_value != PL_NS_NEVER);
	return told_value;
}

__attribute__((unused)) static const char *const zn540[] = {
	"sim_zns.zone_bytes", "2G", "sim_zns.zone_capacity_bytes", "1077M", NULL};

static inline void drive_open(struct rig *g, uint64_t zones, const char *const *set)
{
	struct pl_fault f = {0};
	memset(g, 0, sizeof *g);
	pl_conf_init(&g->conf);
	pl_conf_declare(&g->conf, "sim_zns", zns_inside.opts);
	for (; set && *set; set += 2)
		assert_int_equal(pl_conf_set(&g->conf, set[0], set[1], &f), PL_OK);
	struct dev_args a = {.conf = &g->conf,
		.seed = 42,
		.capacity_bytes = zones * pl_conf_u64(&g->conf, "sim_zns.zone_bytes"),
		.block_bytes = B,
		.contentless = true};
	if (dev_open(&zns_inside, &a, &g->dev, &f) != PL_OK)
		fail_msg("%s", f.text);
}

static inline uint64_t zone_at(struct rig *g, uint64_t zone)
{
	return zone * g->dev->caps.zone_blocks;
}

/* Write on in a zone, and wait until all is in the flash. */
static inline void zone_fill(struct rig *g, uint64_t zone, uint64_t blocks)
{
	uint64_t at = random_zone_at(g, zone);
	while (blocks) {
		uint32_t n = (uint32_t)pl_min64(blocks, 4096);
		assert_int_equal(rig_do(g, DEV_WRITE, at, n, NULL), PL_OK);
		at += n;
		blocks -= n;
	}
	g->now_ns += 100000000;
}

#endif
