/* sim_ssd.h - what the files of sim_ssd share: the device itself. sim_ssd.c has the requests, sim_ssd_pages.c the way of
 * a page into a program unit, by the host or by collection. See the head of sim_ssd.c. */
#ifndef PL_DEVICE_SIM_SSD_H
#define PL_DEVICE_SIM_SSD_H

#include "engine/store/content.h"
#include "variants/device/sim_ssd_time.h"

#define GC_HEADS FTL_STREAMS_MAX /* heads are numbered: the host's, from here on those of collection */
#define HEADS (2 * FTL_STREAMS_MAX)
#define PREFETCH_ROWS 8 /* of the victim, ahead of those that are moved */
#define FOLD_LOW 1 /* folding runs while no more superblocks of the pSLC cache are free */

struct row { /* of a superblock */
	uint16_t die;
	uint8_t type;
};

struct collection { /* of the superblocks, or of the pSLC cache */
	uint32_t victim, cursor, valid, gain, dying;
	int64_t credit; /* pages owed, times gain */
};

struct list { /* of requests */
	struct dev_req *first, **last;
};

struct done {
	uint64_t at_ns, order;
	struct dev_req *req;
};

struct done_queue { /* a ring */
	struct done *done;
	uint32_t first, n;
};

struct sim_ssd {
	struct dev dev; /* first: a struct dev * is a struct sim_ssd * */
	struct dev_content content;
	struct ssd_options o;
	struct ftl ftl;
	struct ssd_time time;
	struct row *row, *slc_row;
	uint64_t *ram; /* bit a row: page address >> row_shift */
	uint32_t row_shift, page_mask, slc_first; /* slc_first: superblocks from here on are pSLC */

	uint32_t fill[HEADS]; /* the program being filled, SSD_NONE between units */
	struct collection gc, fold;
	uint32_t *partial, partials, partial_room; /* programs under way that are partial */

	uint64_t submissions, inflight, buffer_waits;
	struct done_queue reads, others; /* completed, to be polled */
	uint32_t done_room; /* of each, a power of two */
	uint32_t buffer_used, active; /* active: requests submitted and not completed */
	uint64_t idle_ns; /* then the next row is folded in idle time; PL_NS_NEVER: not idle, or nothing to fold */
	struct list linked; /* writes and punches on the host's link; done_ns: when they have arrived */
	struct list waiting; /* ... that wait for the buffer */
	struct list syncs; /* scratch counts the programs each waits for */
	uint64_t link_read_ns, link_write_ns; /* the link is busy until then */
	uint64_t epoch, first_sync_epoch;
	uint64_t epoch_programs; /* host programs of the current epoch, not yet done */
};

static inline struct sim_ssd *ssd_of(struct dev *d)
{
	return (struct sim_ssd *)(void *)d;
}

static inline size_t ram_words(const struct sim_ssd *s)
{
	return (size_t)pl_div_up((uint64_t)s->o.geometry.supers << s->ftl.shift >> s->row_shift, 64);
}

static inline bool is_slc(const struct sim_ssd *s, uint32_t page)
{
	return page >> s->ftl.shift >= s->slc_first;
}

static inline const struct row *row_of(const struct sim_ssd *s, uint32_t page)
{
	uint32_t row = (page & s->page_mask) >> s->row_shift;
	return is_slc(s, page) ? &s->slc_row[row] : &s->row[row];
}

static inline bool in_ram(const struct sim_ssd *s, uint32_t page)
{
	uint32_t row = page >> s->row_shift;
	return s->ram[row / 64] >> (row % 64) & 1;
}

static inline struct ftl_head *head_of(struct sim_ssd *s, uint32_t head)
{
	return head < GC_HEADS ? &s->ftl.host[head] : &s->ftl.gc[head - GC_HEADS];
}

static inline uint32_t pages_of(const struct sim_ssd *s, uint32_t super)
{
	return super >= s->slc_first ? s->o.geometry.slc_pages : s->o.geometry.super_pages;
}

static inline uint32_t valid_pages(const struct sim_ssd *s, uint32_t super)
{
	return ftl_super(&s->ftl, super)->valid & ~FTL_NOT_CLOSED;
}

/* ---- sim_ssd_pages.c ---- */

/* Take a page of the host into the open unit of its stream. False: it must wait until a program is done. */
bool ssd_host_put(struct sim_ssd *s, uint32_t lpn, uint32_t stream) PL_MUST_USE;
/* The unit being filled of a head, if any, goes to its die as soon as its inputs are ready. */
void ssd_unit_seal(struct sim_ssd *s, uint32_t head);
/* A program is done: its pages are no longer in memory; a dying superblock that waited for it is erased. Frees it. */
void ssd_program_done(struct sim_ssd *s, uint32_t id);
/* A read of collection's is done: the programs that take its pages have them. */
void ssd_read_feeds(struct sim_ssd *s, const struct ssd_op *read);
/* Fold a row of the pSLC cache if there is one; false: nothing is left, or it must wait. */
bool ssd_fold_row(struct sim_ssd *s);
/* Finish at once, without time, what collection has begun: before the translation layer is used without time. */
void ssd_settle(struct sim_ssd *s);

#endif
