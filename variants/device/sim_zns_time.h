/* sim_zns_time.h - the time of sim_zns: the zones' heads, the dies and channels beneath them, the events that move them.
 * The laws are in the head comment of sim_zns.c. */
#ifndef PL_SIM_ZNS_TIME_H
#define PL_SIM_ZNS_TIME_H

#include "engine/store/content.h"
#include "variants/device/sim_zns_state.h"

/* Something at a die, or on its way there. */
struct zns_job {
	struct dev_req *req; /* reads and erases */
	uint64_t ns; /* read: sensing; erase: still to do */
	uint64_t at; /* read: earliest start; ready: first block, from the zone's start */
	uint32_t zone, epoch; /* programs and ready */
	uint32_t blocks;
	uint32_t next;
};

struct zns_fifo {
	uint32_t first, last;
};

enum zns_doing { DIE_IDLE, DIE_SENSE, DIE_PROGRAM, DIE_ERASE, DIE_SLICE };

struct zns_die {
	struct zns_fifo reads, programs, erases;
	uint64_t pads; /* programs of padding that wait */
	uint64_t free_ns; /* idle: since or until (the channel has its last read) */
	uint64_t from_ns; /* start of what it does */
	uint64_t erased_ns; /* when an erase last ran, or the first of those waiting came */
	uint32_t current; /* job; ZNS_NONE: padding */
	enum zns_doing doing;
	bool erase_event;
};

/* A zone's side of time; its state is ahead (invariant 3). */
struct zns_head {
	uint64_t free_ns;
	uint64_t pointer; /* blocks that have gone to the buffer */
	uint64_t programmed; /* blocks that are in the flash */
	uint64_t pad_units, pad_at; /* of a finish: still to do; the next one's number */
	struct dev_req *first, *last; /* waiting */
	uint32_t epoch; /* incarnation: resets, finishes */
	uint32_t unprogrammed; /* units */
	uint32_t erases; /* dies that still erase */
	bool held, event; /* held: until something else happens, not until free_ns */
};

struct zns_times {
	uint64_t read_ns, read_die_ns, read_spread_ns, read_gap_ns, read_bytes_per_s, channel_bytes_per_s;
	uint64_t write_ns, append_ns, write_ns_per_kib, first_write_ns, first_append_ns, write_gap_ns, append_gap_ns;
	uint64_t write_bytes_per_s, write_buffer_bytes, program_ns;
	uint64_t command_ns, open_ns, close_ns, flush_ns, sync_ns;
	uint64_t reset_ns, reset_erase_ns, reset_full_ns, reset_full_bytes, erase_setback_ns;
	uint64_t finish_empty_ns, finish_bytes_per_s;
};

struct sim_zns {
	struct dev dev; /* first: a struct dev * is a struct sim_zns * */
	struct dev_content content;
	struct zns_state state;
	struct zns_times t;
	uint32_t unit_blocks, page_blocks, dies, channels, dies_per_zone;

	uint64_t now_ns, submissions, event_count, inflight;
	struct dev_heap events, done;
	uint64_t write_turn_ns, read_turn_ns; /* the servers are busy until */
	uint64_t *channel_ns;
	struct zns_die *die;
	struct zns_head *head;
	struct zns_job *job;
	uint32_t jobs_room, jobs_used, free_job;
	uint64_t jobs_live, jobs_promised; /* taken; to be taken by requests submitted */
	uint64_t suspensions, stalls, buffer_reads;
};

/* in done_ns of a write or flush: of a random write area; in that of a finish: there is something to pad */
#define ZNS_IN_AREA ((uint64_t)1 << 63)
#define ZNS_TO_PAD PL_NS_NEVER

static inline struct sim_zns *zns_of(struct dev *d)
{
	return (struct sim_zns *)(void *)d;
}

#define ZNS_SECOND 1000000000u

/* bytes at a rate (below 2^62), rounded up; two centuries at most */
static inline uint64_t zns_transfer_ns(uint64_t bytes, uint64_t bytes_per_s)
{
	__extension__ typedef unsigned __int128 u128;
	if (bytes < ((uint64_t)1 << 62) / ZNS_SECOND)
		return (bytes * ZNS_SECOND + bytes_per_s - 1) / bytes_per_s;
	u128 ns = ((u128)bytes * ZNS_SECOND + bytes_per_s - 1) / bytes_per_s, most = (uint64_t)1 << 62;
	return (uint64_t)(ns < most ? ns : most);
}

static inline uint64_t zns_bytes(const struct sim_zns *s, uint64_t blocks)
{
	return blocks * s->dev.caps.block_bytes;
}

static inline uint32_t zns_unit_die(const struct sim_zns *s, uint64_t zone, uint64_t unit)
{
	uint64_t first = s->dies_per_zone == s->dies ? zone : zone * s->dies_per_zone;
	return (uint32_t)((first + unit % s->dies_per_zone) % s->dies);
}

/* Jobs that the programs of n blocks can take, and their way to the dies. */
static inline uint64_t zns_program_jobs(const struct sim_zns *s, uint64_t blocks)
{
	return blocks ? blocks / s->unit_blocks + 3 : 0;
}

/* Room for n jobs more than were promised so far. PL_NOMEM. */
int zns_jobs_reserve(struct sim_zns *s, uint64_t n) PL_MUST_USE;
/* scratch of a request in flight: submission << 24 | parts of a read outstanding, or blocks that a write to a random
 * write area or a flush programs. */
void zns_complete(struct sim_zns *s, struct dev_req *r, uint64_t done_ns);
/* A part of a read, of one page: it comes to the die at from_ns, is sensed for sense_ns; r->done_ns is the latest of
 * its parts so far. */
void zns_die_read(
	struct sim_zns *s, uint32_t die, struct dev_req *r, uint64_t from_ns, uint64_t sense_ns, uint32_t blocks);
/* A command that changes a zone takes its turn at the zone's head. done_ns: what it needs to know of its time: latency
 * apart from the turn (write, append, flush; with ZNS_IN_AREA), what a die has to erase or PL_NS_NEVER for nothing
 * (reset), time or ZNS_TO_PAD (finish). */
void zns_head_enter(struct sim_zns *s, uint64_t zone, struct dev_req *r);
/* Let everything happen that is due by now_ns. */
void zns_advance(struct sim_zns *s, uint64_t now_ns);

#endif
