/* sim_ssd_time.h - the clockwork of sim_ssd: operations on dies and channels as a discrete event simulation. It knows
 * nothing of maps and requests.
 *
 *   read       cells (read_ns) -> wait for the channel -> transfer -> done      the die is held from first to last
 *   program    wait for the channel -> transfer -> cells (program_ns) -> done
 *   erase      cells (erase_ns) -> done
 *
 * A die and a channel serve in the order of arrival. With read_priority the reads of the host have a queue of their own
 * on each die, which is served first. With suspension such a read interrupts the cells of a program or erase: the die
 * is free for the reads that wait (and those that come meanwhile) after suspend_*_ns, and then does the rest. That is
 * not done when the rest takes no longer than suspending, nor more than suspend_limit times to one operation.
 *
 * Invariants:
 *  1. A die has at most one event, its phase tells which. A die whose operation waits for the channel has none.
 *  2. Events happen in the order of (time, die), the channel hands over at the end of the event that left it. So the
 *     sequence is a function of the calls, and never of what lies where in memory.
 *  3. Nothing is reserved ahead: an operation enters a queue when it can start, and a server when that is free.
 *
 * The events are a winner tree: a leaf for each die, time and die packed into one number, each inner node the lesser of
 * its two. So the next event is one read, and a change log2(dies) steps without a branch. Cost: a read or program is 2
 * events, an erase 1, a suspension 1 more. Time has 63 bits less those of the number of dies: 4 years at 64 dies, 26
 * days at 4096. */
#ifndef PL_DEVICE_SIM_SSD_TIME_H
#define PL_DEVICE_SIM_SSD_TIME_H

#include "variants/device/sim_ssd_options.h"

#define SSD_NONE UINT32_MAX

enum ssd_op_kind { SSD_READ, SSD_PROGRAM, SSD_ERASE };

struct ssd_op {
	struct dev_req *req; /* host's read, or NULL */
	uint64_t cells_ns;
	uint32_t next; /* in a queue or the free list */
	uint32_t pages; /* to transfer */
	uint16_t die;
	uint8_t kind, suspensions;
	/* the caller's */
	bool partial; /* program: of less than a unit */
	uint32_t first, end; /* program: first page address, end of the unit */
	uint32_t host_pages; /* program: of the pages, those that hold room in the buffer */
	uint32_t missing; /* program: inputs not ready: reads, and 1 while being filled */
	uint32_t feeds[2]; /* collection's read: the programs that wait for it */
	uint64_t epoch; /* program: syncs submitted before the first host page */
};
_Static_assert(sizeof(struct ssd_op) == 64, "an operation is a cache line");

enum ssd_phase { SSD_IDLE, SSD_CELLS, SSD_CHANNEL, SSD_TRANSFER, SSD_SUSPENDING };

struct ssd_die {
	uint32_t current, first, last, read_first, read_last; /* operations */
	uint32_t suspended;
	uint64_t ends_ns, rest_ns; /* of the event; of the suspended operation */
	uint32_t next; /* die that waits for the channel behind this one */
	uint16_t channel;
	uint8_t phase;
};

struct ssd_channel {
	uint32_t current, first, last; /* dies */
};

struct ssd_time {
	struct ssd_times times;
	uint64_t now_ns; /* of the event being played, or of the last call */
	uint64_t busy_ns, suspensions;
	uint64_t *event; /* [1] the least; leaves from [leaves] */
	uint32_t leaves, die_bits, dies, channels;
	struct ssd_die *die;
	struct ssd_channel *channel;
	struct ssd_op *op;
	uint32_t op_room, free_op, ops; /* ops: under way */
};

/* PL_NOMEM: there is nothing to deinit. */
int ssd_time_init(struct ssd_time *t, const struct ssd_options *o) PL_MUST_USE;
void ssd_time_deinit(struct ssd_time *t);
/* No operation has a request. */
int ssd_time_clone(struct ssd_time *to, const struct ssd_time *from) PL_MUST_USE;

/* A new operation: kind, die and cells_ns set, no pages. Pointers to others may move. Running out of memory here, in the
 * middle of a simulated instant, cannot be reported to anybody and aborts. */
uint32_t ssd_op_new(struct ssd_time *t, enum ssd_op_kind kind, uint32_t die, uint64_t cells_ns);
static inline void ssd_op_free(struct ssd_time *t, uint32_t id)
{
	t->op[id].next = t->free_op;
	t->free_op = id;
	t->ops--;
}
/* Its inputs are ready: at t->now_ns it joins the queue of its die. */
void ssd_op_enter(struct ssd_time *t, uint32_t id);

/* Time of the next event, PL_NS_NEVER: none. */
static inline uint64_t ssd_time_next_ns(const struct ssd_time *t)
{
	return t->event[1] == UINT64_MAX ? PL_NS_NEVER : t->event[1] >> t->die_bits;
}
/* Play the next event, which exists; now_ns becomes its time. The operation that it ended, which is the caller's to free,
 * or SSD_NONE. */
uint32_t ssd_time_step(struct ssd_time *t);

#endif
