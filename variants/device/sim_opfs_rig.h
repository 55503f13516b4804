/* sim_opfs_rig.h - what the tests of sim_opfs share: calls, what the device tells of itself, its invariants, blocks of
 * one word. The source is included under another name to reach the inside. */
#ifndef PL_SIM_OPFS_RIG_H
#define PL_SIM_OPFS_RIG_H

#define dev_sim_opfs opfs_inside
#include "variants/device/sim_opfs.c"
#undef dev_sim_opfs
#include "variants/device/device_rig.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define US 1000u

/* ---- calls ---- */

static inline void open_blocks(
	struct rig *g, uint64_t capacity_bytes, uint32_t block_bytes, bool contentless, const char *const *settings)
{
	struct pl_fault f = {0};
	memset(g, 0, sizeof *g);
	pl_conf_init(&g->conf);
	pl_conf_declare(&g->conf, "sim_opfs", opfs_inside.opts);
	for (; settings && *settings; settings += 2)
		assert_int_equal(pl_conf_set(&g->conf, settings[0], settings[1], &f), PL_OK);
	struct dev_args a = {.conf = &g->conf,
		.seed = 42,
		.capacity_bytes = capacity_bytes,
		.block_bytes = block_bytes,
		.contentless = contentless};
	if (dev_open(&opfs_inside, &a, &g->dev, &f))
		fail_msg("%s", f.text);
}

/* A request alone, without content: its time. */
static inline uint64_t takes(struct rig *g, enum dev_op op, uint64_t block, uint64_t blocks)
{
	return rig_latency(g, op, block, (uint32_t)blocks, NULL);
}

static inline int ends(struct rig *g, enum dev_op op, uint64_t block)
{
	return rig_do(g, op, block, 0, NULL);
}

static inline int moves(struct rig *g, uint64_t from, uint64_t to)
{
	struct dev_req r = {.op = DEV_FILE_MOVE, .block = from, .result_block = to};
	assert_int_equal(rig_submit(g, &r), PL_OK);
	assert_ptr_equal(rig_wait(g), &r);
	return r.status;
}

struct sought {
	const char *key;
	uint64_t value;
	int found;
};

static inline void seek(void *arg, const char *key, uint64_t value)
{
	struct sought *s = arg;
	if (strcmp(s->key, key) != 0)
		return;
	s->value = value;
	s->found++;
}

static inline uint64_t told(struct rig *g, const char *key)
{
	struct sought s = {.key = key};
	dev_describe(g->dev, seek, &s);
	assert_int_equal(s.found, 1);
	return s.value;
}

/* What holds at any time. */
static inline void check(struct rig *g)
{
	const struct opfs_origin *o = &opfs_of(g->dev)->o;
	uint64_t existing = 0, charged = 0, handles = 0, held = 0;
	for (uint64_t i = 0; i < o->files; i++) {
		const struct opfs_name *n = &o->name[i];
		const struct opfs_body *b = n->body;
		existing += b != NULL;
		charged += n->charged;
		handles += n->handles;
		held += n->held;
		if (!n->handles && !n->held)
			assert_int_equal(n->charged, b ? b->size : 0);
		uint64_t stored = 0, end = 0;
		for (uint64_t k = 0; b && k < b->chunks; k++)
			for (uint32_t j = 0; b->chunk[k] && j < o->disk.granules; j++) {
				const struct opfs_chunk *c = b->chunk[k];
				bool in = c->stored[j / 64] >> (j % 64) & 1, dirty = c->dirty[j / 64] >> (j % 64) & 1;
				uint64_t at = k * OPFS_CHUNK_BYTES + (uint64_t)j * o->disk.granule_bytes;
				stored += in;
				end = in ? at : end;
				assert_true(!in || at < b->size);
				assert_true(!dirty || c->listed);
				if (c->version)
					assert_int_equal(in, c->version[j].now != NULL);
				if (in && at >= pl_min64(b->durable_size, b->least_size))
					assert_true(dirty);
			}
		if (b) {
			assert_int_equal(stored, b->stored_granules);
			assert_true(n->charged >= b->size);
		}
	}
	assert_int_equal(existing, o->existing);
	assert_int_equal(charged, o->charged);
	assert_int_equal(handles, o->handles);
	assert_int_equal(held, o->held);
}

/* A block whose words are all v. */
static inline uint8_t *stamped(uint64_t v, uint32_t blocks)
{
	for (size_t i = 0; i < (size_t)blocks * B; i += 8)
		memcpy(buf + i, &v, 8);
	return buf;
}

static inline void put(struct rig *g, uint64_t block, uint32_t blocks, uint64_t v)
{
	assert_int_equal(rig_do(g, DEV_WRITE, block, blocks, stamped(v, blocks)), PL_OK);
}

/* The word of which a block consists. */
static inline uint64_t holds(struct rig *g, uint64_t block)
{
	uint64_t v[B / 8];
	assert_true(g->dev->caps.block_bytes <= B);
	assert_int_equal(opfs_inside.peek(g->dev, block, 1, (uint8_t *)v), PL_OK);
	for (size_t i = 1; i < g->dev->caps.block_bytes / 8; i++)
		if (v[i] != v[0])
			fail_msg("block %llu is torn inside", (unsigned long long)block);
	return v[0];
}

#endif
