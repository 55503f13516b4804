#include "variants/device/sim_opfs_origin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- quota ---- */

void opfs_charge(struct opfs_origin *o, struct opfs_name *n, uint64_t bytes)
{
	o->charged += bytes - n->charged;
	n->charged = bytes;
}

uint64_t opfs_charge_for(const struct opfs_origin *o, const struct opfs_name *n, uint64_t size)
{
	uint64_t now = n->body ? n->body->size : 0;
	if (size <= now || size <= n->charged)
		return n->charged;
	return pl_div_up(size, o->rules.quota_step_bytes) * o->rules.quota_step_bytes;
}

bool opfs_quota_allows(const struct opfs_origin *o, uint64_t more_bytes)
{
	uint64_t quota = o->rules.quota_bytes;
	return !quota || more_bytes <= quota - pl_min64(opfs_quota_used(o), quota);
}

static void charge_settle(struct opfs_origin *o, struct opfs_name *n)
{
	if (!n->handles && !n->held)
		opfs_charge(o, n, n->body ? n->body->size : 0);
}

/* ---- changes of names ---- */

static struct opfs_change *change_new(struct opfs_origin *o, uint64_t now_ns)
{
	if (o->changes == o->changes_room) {
		uint64_t room = o->changes_room ? o->changes_room * 2 : 16;
		struct opfs_change *change = realloc(o->change, room * sizeof *change);
		if (!change)
			return NULL;
		o->change = change;
		o->changes_room = room;
	}
	struct opfs_change *c = &o->change[o->changes++];
	*c = (struct opfs_change){.at_ns = now_ns};
	return c;
}

/* The name refers to body from now on; both take over the references of what they get. */
static struct opfs_body *refer(struct opfs_origin *o, uint64_t file, struct opfs_body *body)
{
	struct opfs_name *n = &o->name[file];
	struct opfs_body *before = n->body;
	o->existing += (uint64_t)(body != NULL) - (uint64_t)(before != NULL);
	n->body = body;
	charge_settle(o, n);
	return before;
}

static void rename_to(struct opfs_origin *o, struct opfs_change *c, uint64_t file, struct opfs_body *body)
{
	c->name[c->names] = file;
	c->before[c->names++] = refer(o, file, body);
}

int opfs_move(struct opfs_origin *o, uint64_t from, uint64_t to, uint64_t now_ns)
{
	struct opfs_change *c = change_new(o, now_ns);
	if (!c)
		return PL_NOMEM;
	o->name[from].body->references++;
	rename_to(o, c, to, o->name[from].body);
	rename_to(o, c, from, NULL);
	return PL_OK;
}

int opfs_remove(struct opfs_origin *o, uint64_t file, uint64_t now_ns)
{
	struct opfs_change *c = change_new(o, now_ns);
	if (!c)
		return PL_NOMEM;
	rename_to(o, c, file, NULL);
	return PL_OK;
}

static void forget(struct opfs_origin *o, struct opfs_change *c)
{
	for (uint32_t i = 0; i < c->names; i++)
		opfs_body_drop(&o->disk, c->before[i]);
}

void opfs_changes_expire(struct opfs_origin *o, uint64_t now_ns)
{
	uint64_t n = 0;
	while (n < o->changes && now_ns - o->change[n].at_ns >= o->rules.namespace_durable_ns)
		forget(o, &o->change[n++]);
	if (n)
		memmove(o->change, o->change + n, (o->changes - n) * sizeof *o->change);
	o->changes -= n;
}

void opfs_changes_settle(struct opfs_origin *o, uint64_t undone)
{
	assert(undone <= o->changes);
	for (; undone; undone--) {
		struct opfs_change *c = &o->change[--o->changes];
		for (uint32_t i = c->names; i-- > 0;)
			opfs_body_drop(&o->disk, refer(o, c->name[i], c->before[i]));
	}
	while (o->changes)
		forget(o, &o->change[--o->changes]);
}

void opfs_evict(struct opfs_origin *o)
{
	opfs_changes_settle(o, 0);
	for (uint64_t i = 0; i < o->files; i++)
		opfs_body_drop(&o->disk, refer(o, i, NULL));
}

/* ---- handles ---- */

int opfs_open_check(const struct opfs_origin *o, const struct opfs_name *n)
{
	if (o->rules.mode == OPFS_EXCLUSIVE && (n->handles || n->held))
		return PL_LOCKED;
	if (o->handles + o->held >= o->rules.max_handles)
		return PL_HANDLES;
	return n->body || opfs_quota_allows(o, o->rules.entry_bytes) ? PL_OK : PL_QUOTA;
}

int opfs_open(struct opfs_origin *o, uint64_t file, bool old, uint64_t now_ns)
{
	struct opfs_name *n = &o->name[file];
	if (!n->body) {
		struct opfs_body *b = opfs_body_new();
		struct opfs_change *c = b ? change_new(o, now_ns) : NULL;
		if (!c) {
			opfs_body_drop(&o->disk, b);
			return PL_NOMEM;
		}
		rename_to(o, c, file, b);
	}
	*(old ? &n->held : &n->handles) += 1;
	*(old ? &o->held : &o->handles) += 1;
	n->closed = false;
	return PL_OK;
}

void opfs_close(struct opfs_origin *o, uint64_t file, bool old)
{
	struct opfs_name *n = &o->name[file];
	assert(opfs_is_open(n, old));
	*(old ? &n->held : &n->handles) -= 1;
	*(old ? &o->held : &o->handles) -= 1;
	n->closed = true;
	charge_settle(o, n);
}

void opfs_handles_hold(struct opfs_origin *o)
{
	for (uint64_t i = 0; i < o->files; i++) {
		struct opfs_name *n = &o->name[i];
		n->held += n->handles;
		n->handles = 0;
		n->closed = false;
	}
	o->held += o->handles;
	o->handles = 0;
}

void opfs_held_close(struct opfs_origin *o)
{
	for (uint64_t i = 0; i < o->files; i++) {
		o->name[i].held = 0;
		charge_settle(o, &o->name[i]);
	}
	o->held = 0;
}

void opfs_handles_drop(struct opfs_origin *o)
{
	opfs_handles_hold(o);
	opfs_held_close(o);
}

/* ---- the origin ---- */

uint64_t opfs_stored_bytes(const struct opfs_origin *o)
{
	uint64_t granules = 0;
	for (uint64_t i = 0; i < o->files; i++)
		granules += o->name[i].body ? o->name[i].body->stored_granules : 0;
	return granules * o->disk.granule_bytes;
}

int opfs_origin_init(
	struct opfs_origin *o, const struct opfs_rules *rules, uint64_t files, bool contentless, uint64_t seed)
{
	*o = (struct opfs_origin){.rules = *rules, .files = files};
	o->name = calloc(files, sizeof *o->name);
	int err = opfs_disk_init(&o->disk, rules->granule_bytes, contentless,
		(uint32_t)pl_div_up(rules->cache_bytes, OPFS_PAGE_BYTES), seed);
	for (uint64_t i = 0; i < files && o->name && !err && !rules->fresh; i++) {
		o->name[i].body = opfs_body_new();
		o->name[i].handles = 1;
		err = o->name[i].body ? PL_OK : PL_NOMEM;
		o->existing++;
		o->handles++;
	}
	return o->name ? err : PL_NOMEM;
}

void opfs_origin_deinit(struct opfs_origin *o)
{
	while (o->changes)
		forget(o, &o->change[--o->changes]);
	for (uint64_t i = 0; o->name && i < o->files; i++)
		opfs_body_drop(&o->disk, o->name[i].body);
	opfs_disk_deinit(&o->disk);
	free(o->change);
	free(o->name);
	*o = (struct opfs_origin){0};
}

/* The copy of a body, made when it is first met, with one more reference. */
static int copy_of(struct opfs_origin *to, struct opfs_body *from, struct opfs_body **out)
{
	*out = NULL;
	if (!from)
		return PL_OK;
	if (!from->copy)
		from->copy = opfs_body_clone(&to->disk, from);
	*out = from->copy;
	if (!*out)
		return PL_NOMEM;
	(*out)->references++;
	return PL_OK;
}

static int copy_all(struct opfs_origin *to, const struct opfs_origin *from)
{
	int err = PL_OK;
	for (uint64_t i = 0; i < from->files && !err; i++) {
		to->name[i] = from->name[i];
		err = copy_of(to, from->name[i].body, &to->name[i].body);
	}
	for (uint64_t i = 0; i < from->changes && !err; i++) {
		struct opfs_change *c = &to->change[to->changes++];
		*c = from->change[i];
		for (uint32_t k = 0; k < 2; k++)
			if (copy_of(to, from->change[i].before[k], &c->before[k]))
				err = PL_NOMEM;
	}
	return err;
}

static void forget_copies(const struct opfs_origin *o)
{
	for (uint64_t i = 0; i < o->files; i++)
		if (o->name[i].body)
			o->name[i].body->copy = NULL;
	for (uint64_t i = 0; i < o->changes; i++)
		for (uint32_t k = 0; k < 2; k++)
			if (o->change[i].before[k])
				o->change[i].before[k]->copy = NULL;
}

int opfs_origin_clone(struct opfs_origin *to, const struct opfs_origin *from)
{
	*to = *from;
	to->changes = 0;
	to->changes_room = from->changes + 1;
	to->change = calloc(from->changes + 1, sizeof *to->change);
	to->name = calloc(from->files, sizeof *to->name);
	to->disk.cache = NULL;
	if (!to->change || !to->name || opfs_cache_clone(&to->disk, &from->disk))
		return PL_NOMEM;
	int err = copy_all(to, from);
	forget_copies(from);
	return err;
}
