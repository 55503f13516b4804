/* none.c - no log: a crash goes back to the last anchor.
 *
 * Anchors are made at close, at a commit that asks for it, and where a policy needs one to free space. Recovery shows
 * the state of the last of them, which is a prefix of all operations. Cost: nothing per operation. */
#include "engine/store/store.h"

static uint64_t none_log_blocks(const struct store *s)
{
	(void)s;
	return 0;
}

static int none_open(struct store *s, struct pl_fault *f)
{
	(void)s;
	(void)f;
	return PL_OK;
}

static void none_nothing(struct store *s)
{
	(void)s;
}

static bool none_reserve(struct store *s, uint64_t bytes)
{
	(void)s;
	(void)bytes;
	return true;
}

static void none_unreserve(struct store *s, uint64_t bytes)
{
	(void)s;
	(void)bytes;
}

static uint64_t none_record_bytes(const struct store *s, size_t key_bytes, size_t value_bytes)
{
	(void)s;
	(void)key_bytes;
	(void)value_bytes;
	return 0;
}

static void none_append(struct store *s, struct pl_ctx *x, const struct dur_record *r)
{
	(void)s;
	(void)x;
	(void)r;
}

static bool none_durable(const struct store *s, pl_lsn lsn)
{
	(void)s;
	(void)lsn;
	return true;
}

static void none_want(struct store *s, struct pl_ctx *x, pl_lsn lsn, bool commit)
{
	(void)s;
	(void)x;
	(void)lsn;
	(void)commit;
}

static void none_step(struct store *s, struct pl_ctx *x, bool idle)
{
	(void)s;
	(void)x;
	(void)idle;
}

static uint64_t none_next_ns(const struct store *s, bool idle)
{
	(void)s;
	(void)idle;
	return PL_NS_NEVER;
}

static bool none_due(const struct store *s)
{
	(void)s;
	return false;
}

static void none_cut(struct store *s, struct pl_ctx *x, struct anchor *a)
{
	(void)x;
	a->cut_lsn = s->last_lsn;
}

static void none_anchored(struct store *s, struct pl_ctx *x)
{
	(void)s;
	(void)x;
}

static int none_recover(struct store *s, struct pl_ctx *x, struct pl_fault *f)
{
	(void)s;
	(void)x;
	(void)f;
	return PL_OK;
}

const struct dur_ops dur_none = {
	.name = "none",
	.summary = "no log: a crash goes back to the last anchor",
	.log_blocks = none_log_blocks,
	.open = none_open,
	.close = none_nothing,
	.reserve = none_reserve,
	.unreserve = none_unreserve,
	.record_bytes = none_record_bytes,
	.append = none_append,
	.durable = none_durable,
	.want = none_want,
	.step = none_step,
	.next_ns = none_next_ns,
	.due = none_due,
	.cut = none_cut,
	.anchored = none_anchored,
	.recover = none_recover,
	.restart = none_nothing,
};
