#include "engine/base/ctx.h"

#include <time.h>

const uint32_t pl_cost_ps[PL_COST_COUNT] = {
#define X(id, name, ps, text) ps,
	PL_COSTS(X)
#undef X
};

const char *const pl_cost_name[PL_COST_COUNT] = {
#define X(id, name, ps, text) name,
	PL_COSTS(X)
#undef X
};

uint64_t pl_clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
