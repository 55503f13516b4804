/* sim_ssd_collect.c - which superblock is collected next: four policies over the closed ones (the candidates).
 *
 * greedy        the one with the fewest valid pages. Greedy says nothing of equals, so an option does: `newest` takes
 *               the one that has had so few for the shortest time, as a stack for each count does and as the published
 *               simulations did; `oldest` the longest, so that all have their turn when there is nothing to choose. To
 *               take the oldest saves up to 4 % of the writes where collection separates hot from cold (superblocks of
 *               128 pages at 90 % use), because it leans towards cold data.
 *               Only candidates with at most `threshold` valid pages are in lists, one for each number of pages, so a
 *               lost page is a decrement and a comparison that nearly always ends there. When the lists are empty or
 *               long, a scan of all candidates sets the threshold anew so that one in 64 is listed (in order of their
 *               number). Cost: O(1) a victim, plus a scan of N superblocks every N/64 victims at worst.
 * fifo          the one closed longest ago. O(1).
 * costbenefit   the highest (1 - v) * age / (1 + v), v the valid share, age in host pages since it was closed (plus one,
 *               so that one without valid pages has a benefit at once): Rosenblum and Ousterhout, "The Design and
 *               Implementation of a Log-Structured File System", TOCS 10(1), 1992. Exact without looking at all N:
 *               benefits only grow until a superblock is chosen, with time linearly, so whose benefit would be below a
 *               floor at a time not yet come (the horizon) and that loses no page until then need not be looked at.
 *               Those above are in an array, which a lost page may extend, and the best of it is the best of all while
 *               it is not below the floor and the horizon is not passed. Cost: O(sqrt(N)) a victim, one multiplication
 *               and comparison a lost page.
 * dchoices      of d candidates drawn independently the one with the fewest valid pages, the first among equals: Van
 *               Houdt, "A Mean Field Model for a Class of Garbage Collection Algorithms in Flash-Based Solid State
 *               Drives", SIGMETRICS 2013. d draws, and N / candidates times that where some are not closed.
 *
 * Invariants:
 *  1. A candidate is a closed superblock outside of the pSLC cache; there are policy.closed of them.
 *  2. greedy: listed in by_valid[valid] <=> candidate with valid <= threshold; none is listed below `least`.
 *  3. costbenefit: no candidate outside of the array has a benefit of `floor` or more before the horizon has passed.
 * Left out: any knowledge of wear. */
#include "variants/device/sim_ssd_ftl.h"

#include <assert.h>

struct list { /* of superblocks, through prev and next */
	uint32_t first, last;
};

struct policy {
	uint32_t closed; /* candidates */
	struct list slc; /* closed superblocks of the pSLC cache, oldest first */
	struct list oldest_first; /* fifo */
	uint32_t listed, listed_max; /* greedy: in lists; costbenefit: in the array */
	uint32_t least; /* greedy */
	uint64_t horizon; /* costbenefit: of ftl_clock */
	double floor;
	/* greedy: a list for each number of valid pages.
	 * costbenefit: (1 - v) / (1 + v) for each, then the array; ftl_super.prev is the place in that or FTL_NONE */
	double more[];
};
_Static_assert(sizeof(struct list) == sizeof(double), "both fit more[super_pages + 1]");

static struct policy *policy_of(const struct ftl *f)
{
	return f->policy;
}

static struct list *by_valid(const struct ftl *f)
{
	return (struct list *)(void *)policy_of(f)->more;
}

static uint32_t *array_of(const struct ftl *f)
{
	return (uint32_t *)(void *)(policy_of(f)->more + f->o.super_pages + 1);
}

static bool candidate(const struct ftl_super *s)
{
	return s->state == FTL_CLOSED && !s->slc;
}

static void list_append(const struct ftl *f, struct list *l, uint32_t super)
{
	struct ftl_super *s = ftl_super(f, super);
	s->prev = l->last;
	s->next = FTL_NONE;
	if (l->last == FTL_NONE)
		l->first = super;
	else
		ftl_super(f, l->last)->next = super;
	l->last = super;
}

static void list_remove(const struct ftl *f, struct list *l, uint32_t super)
{
	struct ftl_super *s = ftl_super(f, super);
	if (s->prev == FTL_NONE)
		l->first = s->next;
	else
		ftl_super(f, s->prev)->next = s->next;
	if (s->next == FTL_NONE)
		l->last = s->prev;
	else
		ftl_super(f, s->next)->prev = s->prev;
}

/* Walk a list of candidates (or of the pSLC cache); its length, or UINT32_MAX when it is broken. */
static uint32_t list_length(const struct ftl *f, const struct list *l, bool slc)
{
	uint32_t n = 0, before = FTL_NONE;
	for (uint32_t i = l->first; i != FTL_NONE; before = i, i = ftl_super(f, i)->next, n++) {
		const struct ftl_super *s = ftl_super(f, i);
		if (i >= f->o.supers || n >= f->o.supers || s->prev != before || s->state != FTL_CLOSED ||
			s->slc != slc)
			return UINT32_MAX;
	}
	return l->last == before ? n : UINT32_MAX;
}

/* ---- greedy ---- */

static size_t greedy_bytes(const struct ftl_options *o)
{
	return ((size_t)o->super_pages + 1) * sizeof(struct list);
}

static void greedy_unlist(struct ftl *f)
{
	struct policy *p = policy_of(f);
	for (uint32_t v = 0; v <= f->o.super_pages; v++)
		by_valid(f)[v] = (struct list){FTL_NONE, FTL_NONE};
	p->listed = 0;
	p->least = f->o.super_pages;
}

/* The threshold is 0 until the first victim is chosen: while a device fills, nothing needs an order. */
static void greedy_init(struct ftl *f)
{
	greedy_unlist(f);
}

static void greedy_list(struct ftl *f, uint32_t super, uint32_t valid)
{
	struct policy *p = policy_of(f);
	list_append(f, &by_valid(f)[valid], super);
	p->listed++;
	if (valid < p->least)
		p->least = valid;
}

static void greedy_closed(struct ftl *f, uint32_t super)
{
	uint32_t valid = ftl_super(f, super)->valid;
	if (valid <= f->threshold)
		greedy_list(f, super, valid);
}

static void greedy_lost(struct ftl *f, uint32_t super, uint32_t valid)
{
	struct policy *p = policy_of(f);
	if (valid < f->threshold) {
		list_remove(f, &by_valid(f)[valid + 1], super);
		p->listed--;
	}
	greedy_list(f, super, valid);
}

/* Many candidates may have equally few valid pages: then all of them are listed, and the lists may grow to twice that
 * before the next scan. */
static void greedy_scan(struct ftl *f)
{
	struct policy *p = policy_of(f);
	uint32_t pages = f->o.super_pages, wanted = p->closed / 64 + 16;
	for (uint32_t v = 0; v <= pages; v++)
		by_valid(f)[v].first = 0;
	for (uint32_t i = 0; i < f->o.supers; i++)
		if (candidate(ftl_super(f, i)))
			by_valid(f)[ftl_super(f, i)->valid].first++;
	f->threshold = 0;
	for (uint32_t sum = by_valid(f)[0].first; sum < wanted && f->threshold < pages;)
		sum += by_valid(f)[++f->threshold].first;
	greedy_unlist(f);
	for (uint32_t i = 0; i < f->o.supers; i++)
		if (candidate(ftl_super(f, i)))
			greedy_closed(f, i);
	p->listed_max = p->closed / 8 + 256;
	if (p->listed_max < 2 * p->listed)
		p->listed_max = 2 * p->listed;
	f->counts.rescans++;
}

static uint32_t greedy_choose(struct ftl *f)
{
	struct policy *p = policy_of(f);
	if (!p->listed || p->listed > p->listed_max)
		greedy_scan(f);
	while (by_valid(f)[p->least].first == FTL_NONE)
		p->least++;
	const struct list *l = &by_valid(f)[p->least];
	uint32_t super = f->o.oldest_of_equals ? l->first : l->last;
	list_remove(f, &by_valid(f)[p->least], super);
	p->listed--;
	return super;
}

static const char *greedy_check(const struct ftl *f)
{
	const struct policy *p = policy_of(f);
	uint32_t listed = 0, low = 0;
	for (uint32_t v = 0; v <= f->o.super_pages; v++) {
		uint32_t n = list_length(f, &by_valid(f)[v], false);
		if (n == UINT32_MAX)
			return "greedy: a list is broken";
		if (n && (v > f->threshold || v < p->least))
			return "greedy: a list beyond the threshold or below the least is not empty";
		for (uint32_t i = by_valid(f)[v].first; i != FTL_NONE; i = ftl_super(f, i)->next)
			if (ftl_super(f, i)->valid != v)
				return "greedy: a superblock is in the list of another number of valid pages";
		listed += n;
	}
	for (uint32_t i = 0; i < f->o.supers; i++)
		low += candidate(ftl_super(f, i)) && ftl_super(f, i)->valid <= f->threshold;
	return listed == p->listed && listed == low
		       ? NULL
		       : "greedy: not exactly the candidates up to the threshold are listed";
}

/* ---- fifo ---- */

static void fifo_init(struct ftl *f)
{
	policy_of(f)->oldest_first = (struct list){FTL_NONE, FTL_NONE};
}

static void fifo_closed(struct ftl *f, uint32_t super)
{
	list_append(f, &policy_of(f)->oldest_first, super);
}

static uint32_t fifo_choose(struct ftl *f)
{
	uint32_t super = policy_of(f)->oldest_first.first;
	list_remove(f, &policy_of(f)->oldest_first, super);
	return super;
}

static const char *fifo_check(const struct ftl *f)
{
	const struct list *l = &policy_of(f)->oldest_first;
	if (list_length(f, l, false) != policy_of(f)->closed)
		return "fifo: the list is broken or does not hold every candidate";
	for (uint32_t i = l->first; i != l->last; i = ftl_super(f, i)->next)
		if (ftl_super(f, ftl_super(f, i)->next)->closed_at < ftl_super(f, i)->closed_at)
			return "fifo: the list is not in order of closing";
	return NULL;
}

/* ---- costbenefit ---- */

static size_t costbenefit_bytes(const struct ftl_options *o)
{
	return ((size_t)o->super_pages + 1) * sizeof(double) + (size_t)o->supers * sizeof(uint32_t);
}

static void costbenefit_init(struct ftl *f)
{
	struct policy *p = policy_of(f);
	uint32_t pages = f->o.super_pages;
	for (uint32_t v = 0; v <= pages; v++)
		p->more[v] = (double)(pages - v) / (double)(pages + v);
	f->threshold = pages; /* every lost page is told */
}

static double benefit(const struct policy *p, const struct ftl_super *s, uint64_t clock)
{
	return p->more[s->valid] * (double)(clock - s->closed_at + 1);
}

static void costbenefit_add(struct ftl *f, uint32_t super)
{
	struct policy *p = policy_of(f);
	struct ftl_super *s = ftl_super(f, super);
	if (s->prev != FTL_NONE || p->horizon < s->closed_at || benefit(p, s, p->horizon) < p->floor)
		return;
	s->prev = p->listed;
	array_of(f)[p->listed++] = super;
}

static void costbenefit_lost(struct ftl *f, uint32_t super, uint32_t valid)
{
	(void)valid;
	costbenefit_add(f, super);
}

static uint32_t root(uint32_t n)
{
	uint32_t r = 0;
	while ((uint64_t)(r + 1) * (r + 1) <= n)
		r++;
	return r;
}

/* Move the horizon, and set the floor so that about sqrt(2 N) candidates can reach it by then: the array is looked
 * through for each victim, all candidates once in about half as many victims. */
static void costbenefit_scan(struct ftl *f)
{
	struct policy *p = policy_of(f);
	enum { STEPS = 512 };
	uint32_t wanted = root(2 * p->closed) + 8, sum = 0, step = STEPS, count[STEPS + 1] = {0};
	uint64_t now = ftl_clock(f);
	double best = 0, best_now = 0;
	p->horizon = now + (uint64_t)wanted * f->o.super_pages / 4;
	for (uint32_t i = 0; i < f->o.supers; i++) {
		const struct ftl_super *s = ftl_super(f, i);
		if (!candidate(s))
			continue;
		best = benefit(p, s, p->horizon) > best ? benefit(p, s, p->horizon) : best;
		best_now = benefit(p, s, now) > best_now ? benefit(p, s, now) : best_now;
	}
	for (uint32_t i = 0; i < f->o.supers && best > 0; i++)
		if (candidate(ftl_super(f, i)))
			count[(uint32_t)(benefit(p, ftl_super(f, i), p->horizon) / best * STEPS)]++;
	while (step > 0 && sum + count[step] < wanted)
		sum += count[step--];
	p->floor = best * (double)step / STEPS;
	if (p->floor > best_now)
		p->floor = best_now;
	p->listed = 0;
	for (uint32_t i = 0; i < f->o.supers; i++)
		if (candidate(ftl_super(f, i))) {
			ftl_super(f, i)->prev = FTL_NONE;
			costbenefit_add(f, i);
		}
	p->listed_max = 2 * p->listed + 4 * wanted;
	f->counts.rescans++;
}

static uint32_t costbenefit_best(const struct ftl *f, double *best)
{
	const struct policy *p = policy_of(f);
	uint64_t now = ftl_clock(f);
	uint32_t found = FTL_NONE;
	*best = -1;
	for (uint32_t i = 0; i < p->listed; i++) {
		const struct ftl_super *s = ftl_super(f, array_of(f)[i]);
		double b = benefit(p, s, now);
		if (b < *best)
			continue;
		/* Among equals the one closed first, of those the lowest number: the array's order says nothing. */
		if (b > *best || s->closed_at < ftl_super(f, found)->closed_at ||
			(s->closed_at == ftl_super(f, found)->closed_at && array_of(f)[i] < found)) {
			*best = b;
			found = array_of(f)[i];
		}
	}
	return found;
}

static uint32_t costbenefit_choose(struct ftl *f)
{
	struct policy *p = policy_of(f);
	double best;
	uint32_t super = FTL_NONE;
	if (ftl_clock(f) <= p->horizon && p->listed <= p->listed_max)
		super = costbenefit_best(f, &best);
	if (super == FTL_NONE || best < p->floor) {
		costbenefit_scan(f);
		super = costbenefit_best(f, &best);
	}
	uint32_t last = array_of(f)[--p->listed];
	array_of(f)[ftl_super(f, super)->prev] = last;
	ftl_super(f, last)->prev = ftl_super(f, super)->prev;
	return super;
}

static const char *costbenefit_check(const struct ftl *f)
{
	const struct policy *p = policy_of(f);
	for (uint32_t i = 0; i < p->listed; i++)
		if (!candidate(ftl_super(f, array_of(f)[i])) || ftl_super(f, array_of(f)[i])->prev != i)
			return "costbenefit: the array holds what is no candidate";
	if (ftl_clock(f) > p->horizon)
		return NULL;
	for (uint32_t i = 0; i < f->o.supers; i++) {
		const struct ftl_super *s = ftl_super(f, i);
		if (candidate(s) && s->prev == FTL_NONE && s->closed_at <= p->horizon &&
			benefit(p, s, p->horizon) >= p->floor)
			return "costbenefit: a candidate above the floor is missing in the array";
	}
	return NULL;
}

/* ---- dchoices ---- */

static uint32_t dchoices_choose(struct ftl *f)
{
	uint32_t best = FTL_NONE;
	for (uint32_t n = 0; n < f->o.choices;) {
		uint32_t super = (uint32_t)pl_rng_below(&f->rng, f->o.supers);
		if (!candidate(ftl_super(f, super)))
			continue;
		if (best == FTL_NONE || ftl_super(f, super)->valid < ftl_super(f, best)->valid)
			best = super;
		n++;
	}
	return best;
}

/* ---- all of them ---- */

static const struct {
	size_t (*bytes)(const struct ftl_options *o); /* beyond struct policy */
	void (*init)(struct ftl *f);
	void (*closed)(struct ftl *f, uint32_t super);
	void (*lost)(struct ftl *f, uint32_t super, uint32_t valid);
	uint32_t (*choose)(struct ftl *f); /* and forget; there is a candidate */
	const char *(*check)(const struct ftl *f);
} policies[] = {
	[FTL_GREEDY] = {greedy_bytes, greedy_init, greedy_closed, greedy_lost, greedy_choose, greedy_check},
	[FTL_FIFO] = {NULL, fifo_init, fifo_closed, NULL, fifo_choose, fifo_check},
	[FTL_COSTBENEFIT] = {costbenefit_bytes, costbenefit_init, costbenefit_add, costbenefit_lost, costbenefit_choose,
		costbenefit_check},
	[FTL_DCHOICES] = {NULL, NULL, NULL, NULL, dchoices_choose, NULL},
};

size_t ftl_policy_bytes(const struct ftl_options *o)
{
	return sizeof(struct policy) + (policies[o->collect].bytes ? policies[o->collect].bytes(o) : 0);
}

void ftl_policy_init(struct ftl *f)
{
	struct policy *p = policy_of(f);
	p->slc = (struct list){FTL_NONE, FTL_NONE};
	if (policies[f->o.collect].init)
		policies[f->o.collect].init(f);
}

void ftl_policy_closed(struct ftl *f, uint32_t super)
{
	struct policy *p = policy_of(f);
	if (ftl_super(f, super)->slc) {
		list_append(f, &p->slc, super);
		return;
	}
	p->closed++;
	if (policies[f->o.collect].closed)
		policies[f->o.collect].closed(f, super);
}

void ftl_listed_lost(struct ftl *f, uint32_t super, uint32_t valid)
{
	if (!ftl_super(f, super)->slc && policies[f->o.collect].lost)
		policies[f->o.collect].lost(f, super, valid);
}

static uint32_t chosen(struct ftl *f, uint32_t super)
{
	struct ftl_super *s = ftl_super(f, super);
	assert(s->state == FTL_CLOSED);
	s->state = FTL_VICTIM;
	s->valid += FTL_NOT_CLOSED;
	s->prev = s->next = FTL_NONE;
	return super;
}

static uint32_t head_written(const struct ftl *f, const struct ftl_head *h)
{
	return h->end && !h->slc ? f->o.super_pages - (h->end - h->at) : 0;
}

uint32_t ftl_victim(struct ftl *f)
{
	struct policy *p = policy_of(f);
	if (!p->closed)
		return FTL_NONE;
	f->counts.victim_written += (uint64_t)p->closed * f->o.super_pages;
	for (uint32_t i = 0; i < f->o.streams; i++)
		f->counts.victim_written += head_written(f, &f->host[i]) + head_written(f, &f->gc[i]);
	uint32_t super = policies[f->o.collect].choose(f);
	p->closed--;
	f->counts.victims++;
	f->counts.victim_valid += ftl_super(f, super)->valid;
	return chosen(f, super);
}

uint32_t ftl_slc_victim(struct ftl *f)
{
	struct policy *p = policy_of(f);
	uint32_t super = p->slc.first;
	if (super == FTL_NONE)
		return FTL_NONE;
	list_remove(f, &p->slc, super);
	return chosen(f, super);
}

const char *ftl_policy_check(const struct ftl *f)
{
	const struct policy *p = policy_of(f);
	uint32_t closed = 0, slc = 0;
	for (uint32_t i = 0; i < f->o.supers; i++) {
		closed += candidate(ftl_super(f, i));
		slc += ftl_super(f, i)->state == FTL_CLOSED && ftl_super(f, i)->slc;
	}
	if (closed != p->closed)
		return "the number of candidates is not that of closed superblocks";
	if (list_length(f, &p->slc, true) != slc)
		return "the list of the pSLC cache is broken or does not hold every closed superblock of it";
	return policies[f->o.collect].check ? policies[f->o.collect].check(f) : NULL;
}
