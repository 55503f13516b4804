/* null.c - a RAM disk that takes no time: every request is complete at the time of its submission.
 *
 * It measures the engine's own overhead (as fio's null engine does for fio) and is the reference that the models must
 * agree with in content.
 * Invariants:
 *  1. done_ns = submit_ns; completions leave in the order of submission.
 *  2. A write is durable when submitted; sync is free.
 * Cost: one memcpy a block. Left out: everything that costs time; zones. media_write_bytes = host bytes. */
#include "engine/store/content.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

extern const struct dev_ops dev_null;

struct null_dev {
	struct dev dev; /* first: a struct dev * is a struct null_dev * */
	struct dev_content content;
	struct dev_req *head, **tail; /* complete, not yet polled */
	uint64_t now_ns;
};

static struct null_dev *null_of(struct dev *d)
{
	return (struct null_dev *)(void *)d;
}

static void null_close(struct dev *d)
{
	struct null_dev *n = null_of(d);
	dev_content_deinit(&n->content);
	free(n);
}

static int null_open(const struct dev_args *a, struct dev **out, struct pl_fault *f)
{
	int err = dev_args_check("null", a, f);
	if (err)
		return err;
	struct null_dev *n = calloc(1, sizeof *n);
	if (!n)
		return pl_fault_set(f, PL_NOMEM, "device null: out of memory");
	n->dev.ops = &dev_null;
	n->dev.caps = (struct dev_caps){
		.block_bytes = a->block_bytes,
		.capacity_blocks = a->capacity_bytes / a->block_bytes,
		.atomic_blocks = 1,
		.punch = true,
		.punch_blocks = 1,
		.simulated = true,
		.contentless = a->contentless,
	};
	n->tail = &n->head;
	n->content = (struct dev_content){.block_bytes = a->block_bytes, .blocks = n->dev.caps.capacity_blocks};
	err = a->contentless ? PL_OK : dev_content_init(&n->content, a->block_bytes, n->dev.caps.capacity_blocks);
	if (err) {
		free(n);
		return pl_fault_set(f, err, "device null: cannot keep %" PRIu64 " bytes in memory", a->capacity_bytes);
	}
	*out = &n->dev;
	return PL_OK;
}

static int null_submit(struct dev *d, uint64_t now_ns, struct dev_req *r)
{
	struct null_dev *n = null_of(d);
	assert(now_ns >= n->now_ns);
	int err = dev_req_check(&d->caps, r);
	if (err)
		return err;
	n->now_ns = now_ns;
	dev_req_count(&d->stats, &d->caps, r);
	r->status = PL_OK;
	r->submit_ns = r->done_ns = now_ns;
	if (r->op == DEV_READ) {
		dev_content_read(&n->content, r->block, r->blocks, r->buf);
		d->stats.media_read_bytes += (uint64_t)r->blocks * d->caps.block_bytes;
	} else if (r->op == DEV_WRITE) {
		r->status = dev_content_write(&n->content, r->block, r->blocks, r->buf);
		d->stats.media_write_bytes += (uint64_t)r->blocks * d->caps.block_bytes;
	} else if (r->op == DEV_PUNCH) {
		dev_content_punch(&n->content, r->block, r->blocks);
	}
	r->next = NULL;
	*n->tail = r;
	n->tail = &r->next;
	return PL_OK;
}

static struct dev_req *null_poll(struct dev *d, uint64_t now_ns)
{
	struct null_dev *n = null_of(d);
	assert(now_ns >= n->now_ns);
	n->now_ns = now_ns;
	struct dev_req *r = n->head;
	if (!r)
		return NULL;
	n->head = r->next;
	if (!n->head)
		n->tail = &n->head;
	r->next = NULL;
	return r;
}

static uint64_t null_next_ns(struct dev *d)
{
	struct null_dev *n = null_of(d);
	return n->head ? n->head->done_ns : PL_NS_NEVER;
}

static void null_stats(struct dev *d, struct dev_stats *out)
{
	*out = d->stats;
	out->stored_bytes = null_of(d)->content.stored_blocks * d->caps.block_bytes;
}

static int null_peek(struct dev *d, uint64_t block, uint32_t blocks, uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	dev_content_read(&null_of(d)->content, block, blocks, buf);
	return PL_OK;
}

static int null_poke(struct dev *d, uint64_t block, uint32_t blocks, const uint8_t *buf)
{
	if (!dev_range_ok(&d->caps, block, blocks))
		return PL_RANGE;
	if (buf)
		return dev_content_write(&null_of(d)->content, block, blocks, buf);
	dev_content_punch(&null_of(d)->content, block, blocks);
	return PL_OK;
}

const struct dev_ops dev_null = {
	.name = "null",
	.summary = "RAM disk that completes every request at once: measures the engine alone",
	.open = null_open,
	.close = null_close,
	.submit = null_submit,
	.poll = null_poll,
	.next_ns = null_next_ns,
	.stats = null_stats,
	.peek = null_peek,
	.poke = null_poke,
};
