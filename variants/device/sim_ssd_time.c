/* sim_ssd_time.c - see sim_ssd_time.h for the model and its invariants. */
#include "variants/device/sim_ssd_time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

static void event_set(struct ssd_time *t, uint32_t die, uint64_t key)
{
	uint64_t *event = t->event;
	uint32_t i = t->leaves + die;
	event[i] = key;
	while (i > 1) {
		uint64_t a = event[i], b = event[i ^ 1];
		i /= 2;
		event[i] = a < b ? a : b;
	}
}

static void event_after(struct ssd_time *t, uint32_t die, enum ssd_phase phase, uint64_t ns)
{
	struct ssd_die *d = &t->die[die];
	uint64_t at_ns = t->now_ns + ns;
	assert(at_ns >> (63 - t->die_bits) == 0);
	d->phase = (uint8_t)phase;
	d->ends_ns = at_ns;
	event_set(t, die, at_ns << t->die_bits | die);
}

/* ---- operations ---- */

static bool ops_grow(struct ssd_time *t)
{
	uint32_t room = t->op_room ? t->op_room * 2 : 256;
	struct ssd_op *op = aligned_alloc(64, room * sizeof *op);
	if (!op)
		return false;
	if (t->op_room)
		memcpy(op, t->op, t->op_room * sizeof *op);
	for (uint32_t i = t->op_room; i < room; i++)
		op[i] = (struct ssd_op){.next = i + 1 < room ? i + 1 : SSD_NONE};
	t->free_op = t->op_room;
	free(t->op);
	t->op = op;
	t->op_room = room;
	return true;
}

uint32_t ssd_op_new(struct ssd_time *t, enum ssd_op_kind kind, uint32_t die, uint64_t cells_ns)
{
	if (t->free_op == SSD_NONE && !ops_grow(t))
		abort();
	uint32_t id = t->free_op;
	struct ssd_op *o = &t->op[id];
	t->free_op = o->next;
	t->ops++;
	*o = (struct ssd_op){.cells_ns = cells_ns,
		.next = SSD_NONE,
		.die = (uint16_t)die,
		.kind = (uint8_t)kind,
		.feeds = {SSD_NONE, SSD_NONE}};
	return id;
}

/* ---- channels ---- */

static void transfer_start(struct ssd_time *t, uint32_t die)
{
	uint64_t ns = t->op[t->die[die].current].pages * t->times.transfer_ns;
	t->busy_ns += ns;
	event_after(t, die, SSD_TRANSFER, ns);
}

static void channel_enter(struct ssd_time *t, uint32_t die)
{
	struct ssd_die *d = &t->die[die];
	struct ssd_channel *c = &t->channel[d->channel];
	if (c->current == SSD_NONE) {
		c->current = die;
		transfer_start(t, die);
		return;
	}
	d->next = SSD_NONE;
	d->phase = SSD_CHANNEL;
	if (c->first == SSD_NONE)
		c->first = die;
	else
		t->die[c->last].next = die;
	c->last = die;
	event_set(t, die, UINT64_MAX);
}

static void channel_leave(struct ssd_time *t, uint32_t channel)
{
	struct ssd_channel *c = &t->channel[channel];
	uint32_t die = c->first;
	c->current = die;
	if (die != SSD_NONE) {
		c->first = t->die[die].next;
		transfer_start(t, die);
	}
}

/* ---- dies ---- */

static void cells_start(struct ssd_time *t, uint32_t die)
{
	uint64_t ns = t->op[t->die[die].current].cells_ns;
	t->busy_ns += ns;
	event_after(t, die, SSD_CELLS, ns);
}

static void die_start(struct ssd_time *t, uint32_t die, uint32_t id)
{
	t->die[die].current = id;
	if (t->op[id].kind == SSD_PROGRAM)
		channel_enter(t, die);
	else
		cells_start(t, die);
}

/* What the die does next, if there is anything. */
static void die_next(struct ssd_time *t, uint32_t die)
{
	struct ssd_die *d = &t->die[die];
	uint32_t id;
	if ((id = d->read_first) != SSD_NONE) {
		d->read_first = t->op[id].next;
		die_start(t, die, id);
	} else if ((id = d->suspended) != SSD_NONE) {
		d->suspended = SSD_NONE;
		d->current = id;
		event_after(t, die, SSD_CELLS, d->rest_ns);
	} else if ((id = d->first) != SSD_NONE) {
		d->first = t->op[id].next;
		die_start(t, die, id);
	} else {
		d->current = SSD_NONE;
		d->phase = SSD_IDLE;
		event_set(t, die, UINT64_MAX);
	}
}

/* A read of the host waits: make the die free for it if its program or erase may be suspended now. */
static void die_suspend(struct ssd_time *t, uint32_t die)
{
	struct ssd_die *d = &t->die[die];
	if (d->phase != SSD_CELLS)
		return;
	struct ssd_op *o = &t->op[d->current];
	if (o->kind == SSD_READ || o->suspensions >= t->times.suspend_limit)
		return;
	uint64_t cost_ns = o->kind == SSD_PROGRAM ? t->times.suspend_program_ns : t->times.suspend_erase_ns;
	if (d->ends_ns - t->now_ns <= cost_ns)
		return;
	o->suspensions++;
	t->suspensions++;
	t->busy_ns += cost_ns;
	d->rest_ns = d->ends_ns - t->now_ns;
	d->suspended = d->current;
	d->current = SSD_NONE;
	event_after(t, die, SSD_SUSPENDING, cost_ns);
}

void ssd_op_enter(struct ssd_time *t, uint32_t id)
{
	struct ssd_op *o = &t->op[id];
	uint32_t die = o->die;
	struct ssd_die *d = &t->die[die];
	if (d->phase == SSD_IDLE) {
		die_start(t, die, id);
		return;
	}
	bool priority = o->req && t->times.read_priority;
	uint32_t *first = priority ? &d->read_first : &d->first, *last = priority ? &d->read_last : &d->last;
	o->next = SSD_NONE;
	if (*first == SSD_NONE)
		*first = id;
	else
		t->op[*last].next = id;
	*last = id;
	if (priority)
		die_suspend(t, die);
}

uint32_t ssd_time_step(struct ssd_time *t)
{
	uint32_t die = (uint32_t)(t->event[1] & (((uint64_t)1 << t->die_bits) - 1));
	t->now_ns = t->event[1] >> t->die_bits;
	struct ssd_die *d = &t->die[die];
	uint32_t id = d->current;
	if (d->phase == SSD_SUSPENDING) {
		die_next(t, die);
		return SSD_NONE;
	}
	bool read = t->op[id].kind == SSD_READ;
	if (d->phase == SSD_TRANSFER)
		channel_leave(t, d->channel);
	if (read && d->phase == SSD_CELLS) {
		channel_enter(t, die);
		return SSD_NONE;
	}
	if (!read && d->phase == SSD_TRANSFER) {
		cells_start(t, die);
		if (d->read_first != SSD_NONE)
			die_suspend(t, die);
		return SSD_NONE;
	}
	die_next(t, die);
	return id;
}

/* ---- opening ---- */

int ssd_time_init(struct ssd_time *t, const struct ssd_options *o)
{
	const struct ssd_geometry *g = &o->geometry;
	*t = (struct ssd_time){
		.times = o->times, .dies = g->dies, .channels = g->channels, .free_op = SSD_NONE, .leaves = 1};
	while (t->leaves < g->dies) {
		t->leaves *= 2;
		t->die_bits++;
	}
	t->event = malloc(2 * t->leaves * sizeof *t->event);
	t->die = calloc(g->dies, sizeof *t->die);
	t->channel = calloc(g->channels, sizeof *t->channel);
	if (!t->event || !t->die || !t->channel || !ops_grow(t)) {
		ssd_time_deinit(t);
		return PL_NOMEM;
	}
	memset(t->event, 0xff, 2 * t->leaves * sizeof *t->event);
	for (uint32_t i = 0; i < g->dies; i++)
		t->die[i] = (struct ssd_die){.current = SSD_NONE,
			.first = SSD_NONE,
			.read_first = SSD_NONE,
			.suspended = SSD_NONE,
			.channel = (uint16_t)(i % g->channels)};
	for (uint32_t i = 0; i < g->channels; i++)
		t->channel[i] = (struct ssd_channel){SSD_NONE, SSD_NONE, SSD_NONE};
	return PL_OK;
}

void ssd_time_deinit(struct ssd_time *t)
{
	free(t->event);
	free(t->die);
	free(t->channel);
	free(t->op);
	*t = (struct ssd_time){0};
}

int ssd_time_clone(struct ssd_time *to, const struct ssd_time *from)
{
	*to = *from;
	to->event = malloc(2 * from->leaves * sizeof *to->event);
	to->die = malloc(from->dies * sizeof *to->die);
	to->channel = malloc(from->channels * sizeof *to->channel);
	to->op = aligned_alloc(64, from->op_room * sizeof *to->op);
	if (!to->event || !to->die || !to->channel || !to->op) {
		ssd_time_deinit(to);
		return PL_NOMEM;
	}
	memcpy(to->event, from->event, 2 * from->leaves * sizeof *to->event);
	memcpy(to->die, from->die, from->dies * sizeof *to->die);
	memcpy(to->channel, from->channel, from->channels * sizeof *to->channel);
	memcpy(to->op, from->op, from->op_room * sizeof *to->op);
	return PL_OK;
}
