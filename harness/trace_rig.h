/* trace_rig.h - for tests: a device that takes a fixed time for each request, any number of them at once, and remembers
 * what it was asked. With zones it checks the write pointer and allows one write in flight a zone. */
#ifndef PL_HARNESS_TRACE_RIG_H
#define PL_HARNESS_TRACE_RIG_H

#include "harness/trace.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RIG_BLOCK 4096u
#define RIG_CALLS 200000u

struct rig_call {
	enum dev_op op;
	uint64_t block, blocks, at_ns, done_ns;
};

struct rig {
	struct dev dev;
	struct rig_call *call;
	size_t calls;
	uint64_t latency_ns, sync_ns;
	struct dev_req *in_flight, *last; /* by done_ns */
	uint64_t depth, depth_max;
	uint64_t pointer[64];
	uint32_t writes_in_flight[64], open_max_seen;
	bool overlapped; /* two writes in flight in one zone */
	int status; /* what the next request ends with */
};

static inline struct rig *rig_of(struct dev *d)
{
	return (struct rig *)(void *)d;
}

static inline void rig_zone_command(struct rig *g, struct dev_req *r)
{
	const struct dev_caps *c = &g->dev.caps;
	uint64_t zone = r->block / c->zone_blocks, start = zone * c->zone_blocks, end = start + c->zone_capacity;
	uint32_t open = 0;
	if (r->op == DEV_ZONE_RESET)
		g->pointer[zone] = start;
	if (r->op == DEV_ZONE_FINISH)
		g->pointer[zone] = end;
	if (r->op == DEV_WRITE) {
		if (r->block != g->pointer[zone] || r->block + r->blocks > end)
			r->status = PL_ZONE_POINTER;
		else
			g->pointer[zone] += r->blocks;
		g->overlapped |= g->writes_in_flight[zone]++ != 0;
	}
	for (uint64_t z = 0; z < c->zones; z++)
		open += g->pointer[z] > z * c->zone_blocks && g->pointer[z] < z * c->zone_blocks + c->zone_capacity;
	if (open > g->open_max_seen)
		g->open_max_seen = open;
}

static inline int rig_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct rig *g = rig_of(d);
	struct dev_req **at = &g->in_flight;
	assert_true(g->calls < RIG_CALLS);
	if (r->op != DEV_SYNC)
		assert_true(r->block + r->blocks <= d->caps.capacity_blocks);
	r->status = g->status;
	g->status = PL_OK;
	if (d->caps.sequential)
		rig_zone_command(g, r);
	r->submit_ns = now_ns;
	r->done_ns = now_ns + (r->op == DEV_SYNC ? g->sync_ns : g->latency_ns);
	g->call[g->calls++] = (struct rig_call){r->op, r->block, r->blocks, now_ns, r->done_ns};
	if (g->in_flight && g->last->done_ns <= r->done_ns)
		at = &g->last->next; /* nearly always */
	while (*at && (*at)->done_ns <= r->done_ns)
		at = &(*at)->next;
	r->next = *at;
	*at = r;
	if (!r->next)
		g->last = r;
	g->depth++;
	g->depth_max = pl_max64(g->depth_max, g->depth);
	return PL_OK;
}

static inline struct dev_req *rig_poll(struct dev *d, uint64_t now_ns)
{
	struct rig *g = rig_of(d);
	struct dev_req *r = g->in_flight;
	if (!r || r->done_ns > now_ns)
		return NULL;
	g->in_flight = r->next;
	g->depth--;
	if (d->caps.sequential && r->op == DEV_WRITE)
		g->writes_in_flight[r->block / d->caps.zone_blocks]--;
	return r;
}

static inline uint64_t rig_next_ns(struct dev *d)
{
	return rig_of(d)->in_flight ? rig_of(d)->in_flight->done_ns : PL_NS_NEVER;
}

static inline int rig_zone(struct dev *d, uint64_t zone, struct dev_zone *out)
{
	const struct dev_caps *c = &d->caps;
	*out = (struct dev_zone){.start = zone * c->zone_blocks,
		.capacity = c->zone_capacity,
		.write_pointer = rig_of(d)->pointer[zone],
		.state = DEV_ZONE_EMPTY};
	return PL_OK;
}

static const struct dev_ops rig_ops = {
	.name = "rig", .submit = rig_submit, .poll = rig_poll, .next_ns = rig_next_ns, .zone = rig_zone};

/* zones > 0: sequential, the zones are of so many blocks, the capacity of a zone is `lost` blocks less. */
static inline struct rig *rig_new(uint64_t blocks, uint64_t zones, uint64_t lost)
{
	struct rig *g = lab_calloc(1, sizeof *g);
	g->call = lab_calloc(RIG_CALLS, sizeof *g->call);
	g->latency_ns = 10000;
	g->sync_ns = 100000;
	g->dev.ops = &rig_ops;
	g->dev.caps = (struct dev_caps){.block_bytes = RIG_BLOCK,
		.capacity_blocks = blocks,
		.punch = !zones,
		.punch_blocks = 1,
		.sequential = zones,
		.zones = zones,
		.zone_blocks = zones ? blocks / zones : 0,
		.zone_capacity = zones ? blocks / zones - lost : 0,
		.simulated = true,
		.contentless = true};
	for (uint64_t z = 0; z < zones; z++)
		g->pointer[z] = z * g->dev.caps.zone_blocks;
	return g;
}

static inline void rig_free(struct rig *g)
{
	assert_null(g->in_flight);
	free(g->call);
	free(g);
}

/* A file with this text; unlink and free the path. */
static inline char *rig_file(const char *text)
{
	char *path = lab_printf("/tmp/pagelab-trace-test-%d.txt", (int)getpid());
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	return path;
}

#endif
