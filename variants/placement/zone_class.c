/* zone_class.c - placement=zone: which stream an image goes to.
 *
 *   one          no class: a stream's write buffer is filled, then the next stream's. So images that are written together
 *                lie together, as in a single zone, and each zone gets whole writes
 *   level        inner and map pages, leaves, overflow pages
 *   temperature  equal shares of the pages that clients changed lately, by interval; a page without a history is cold
 *   death        grouping by death time (GDT: Lee, Ziegler, Leis 2026): death = last change + interval; an image goes to
 *                the open zone whose own time of death is closest, one without a history to the one that dies last
 *
 * Intervals are counted in classes of a quarter of an octave, and halved in number now and then, so that old ones are
 * forgotten; from them follow, every so many images, the bounds of temperatures, and of each the middle. A zone opened by
 * stream k gets as its time of death now + the middle of class k, and keeps it until it is full.
 *
 * A copy is judged by what is known when it is made: its page has not been changed for so long as it has not. Its interval
 * is at least that age; one that outlived its estimate is expected to live as long again as it has lived.
 *
 * Cost: O(1) an image, O(streams) by death; O(intervals) every FRESH images. */
#include "variants/placement/zone.h"

#define FRESH 64u /* images between two makings of the classes */
#define REMEMBER 8192u /* images after which half are forgotten */

static uint32_t bucket(uint64_t interval)
{
	uint64_t v = interval < 4 ? 4 : interval > UINT32_MAX ? UINT32_MAX : interval;
	uint32_t octave = 63u - (uint32_t)__builtin_clzll(v);
	return octave * 4 + (uint32_t)(v >> (octave - 2) & 3);
}

static uint64_t bucket_middle(uint32_t b)
{
	uint32_t octave = b / 4;
	return octave < 3 ? (uint64_t)1 << octave : ((uint64_t)9 + 2 * (b % 4)) << (octave - 3);
}

static void make_classes(struct zone_intervals *v, uint32_t classes)
{
	uint64_t below = 0;
	uint32_t k = 0;
	for (uint32_t b = 0; b < ZONE_INTERVALS; b++) {
		uint64_t here = v->count[b];
		v->class_of[b] = (uint8_t)((2 * below + here) * classes / (2 * (uint64_t)v->total + 1));
		below += here;
		for (; k < classes && 2 * classes * below > (2 * k + 1) * (uint64_t)v->total; k++)
			v->middle[k] = bucket_middle(b);
	}
	v->fresh = 0;
}

static void note(struct zones *z, uint32_t interval)
{
	struct zone_intervals *v = &z->intervals;
	if (!interval)
		return;
	v->count[bucket(interval)]++;
	v->total++;
	v->fresh++;
	if (v->total >= REMEMBER) {
		v->total = 0;
		for (uint32_t b = 0; b < ZONE_INTERVALS; b++)
			v->total += v->count[b] /= 2;
	}
	if (v->fresh >= FRESH || v->total < FRESH)
		make_classes(v, z->users);
}

uint64_t zone_death(const uint8_t *header, uint64_t now)
{
	uint64_t clock = page_clock(header), interval = page_interval(header);
	if (!clock || !interval || clock > now)
		return CLN_NEVER;
	uint64_t age = now - clock;
	return interval > age ? clock + interval : now + age;
}

static uint32_t by_level(const uint8_t *header)
{
	switch (page_kind(header)) {
	case PAGE_LEAF:
		return 1;
	case PAGE_OVERFLOW_INDEX:
	case PAGE_OVERFLOW_DATA:
		return 2;
	case PAGE_INNER:
	case PAGE_MAP:
	case PAGE_KINDS:
		break;
	}
	return 0;
}

static uint32_t by_temperature(const struct zones *z, const uint8_t *header, uint64_t now)
{
	uint64_t clock = page_clock(header), interval = page_interval(header);
	if (!clock || !interval || clock > now || !z->intervals.total)
		return z->users - 1;
	return z->intervals.class_of[bucket(pl_max64(interval, now - clock))];
}

static uint64_t death_of_zone(const struct zones *z, uint32_t stream, uint64_t now)
{
	const struct zone_stream *t = &z->stream[stream];
	return t->zone == ZONE_NONE ? now + z->intervals.middle[stream % z->users] : t->death_at;
}

static uint32_t by_death(const struct zones *z, uint32_t first, const uint8_t *header, uint64_t now)
{
	uint64_t death = zone_death(header, now), nearest = UINT64_MAX;
	uint32_t best = 0;
	for (uint32_t k = 0; k < z->users; k++) {
		uint64_t of_zone = death_of_zone(z, first + k, now);
		uint64_t distance = death > of_zone ? death - of_zone : of_zone - death;
		if (distance < nearest || (death == CLN_NEVER && distance == nearest)) {
			nearest = distance;
			best = k;
		}
	}
	return best;
}

static uint32_t in_turn(struct zones *z, uint32_t first, uint32_t count, uint32_t n)
{
	uint32_t *turn = &z->turn[first > 0];
	const struct zone_stream *t = &z->stream[first + *turn];
	if (t->zone != ZONE_NONE && (zone_stream_left(t) < n || t->gather.used_blocks + n > t->gather.buffer_blocks))
		*turn = (*turn + 1) % count;
	return *turn;
}

/* In a group any zone with room will do: the nearest. */
static uint32_t with_room(const struct zones *z, uint32_t wanted, uint32_t n)
{
	for (uint32_t d = 0; d < z->streams; d++) {
		if (wanted >= d && zone_stream_left(&z->stream[wanted - d]) >= n)
			return wanted - d;
		if (wanted + d < z->streams && zone_stream_left(&z->stream[wanted + d]) >= n)
			return wanted + d;
	}
	return wanted;
}

struct zone_stream *zone_choose(struct store *s, struct zones *z, const uint8_t *header, uint32_t n, bool copy)
{
	uint32_t first = copy && z->survivors != ZONE_MIXED ? z->users : 0, k = 0;
	if (!copy)
		note(z, page_interval(header));
	if (!first || z->survivors != ZONE_APART)
		switch (z->classes) {
		case ZONE_ONE:
			k = in_turn(z, first, z->users, n);
			break;
		case ZONE_LEVEL:
			k = by_level(header);
			break;
		case ZONE_TEMPERATURE:
			k = by_temperature(z, header, s->clock);
			break;
		case ZONE_DEATH:
			k = by_death(z, first, header, s->clock);
			break;
		}
	k += first;
	return &z->stream[zone_grouped(z) ? with_room(z, k, n) : k];
}

void zone_class_opened(const struct store *s, struct zones *z, struct zone_stream *t)
{
	t->death_at = s->clock + z->intervals.middle[(size_t)(t - z->stream) % z->users];
}
