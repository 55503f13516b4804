/* node_wall.c - a loop of lookups, a clock, and the processor's counters where the kernel lets us read them. */
#include "harness/node_wall.h"

#include "harness/util.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t node_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int counter_open(uint64_t event)
{
	struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
		.size = sizeof a,
		.config = event,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1};
	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static void counter_do(int fd, unsigned long what)
{
	if (fd >= 0)
		(void)ioctl(fd, what, 0);
}

static uint64_t counter_read(int fd)
{
	uint64_t v = 0;
	return read(fd, &v, sizeof v) == (ssize_t)sizeof v ? v : 0;
}

/* The next lookup waits for the value of this one: `wait` is zero, but the compiler and the processor do not know. */
static uint64_t look_all(const struct node_tree *t, const struct node_request *request, uint64_t n)
{
	uint64_t wait = 0, sum = 0;
	for (uint64_t i = 0; i < n; i++) {
		const struct node_request *r = request + i + wait;
		uint32_t page = t->root;
		struct nod_entry e;
		bool exact;
		for (uint32_t level = t->height; level > 1; level--) {
			nod_entry(
				t->ops, &t->cfg, t->page[page], nod_child(t->ops, &t->cfg, t->page[page], r->key), &e);
			page = node_tree_child(t, e.value);
		}
		uint32_t slot = nod_lower_bound(t->ops, &t->cfg, t->page[page], r->key, &exact);
		nod_entry(t->ops, &t->cfg, t->page[page], slot, &e);
		for (size_t at = 0; at < e.value.n; at += 64)
			sum += e.value.p[at];
		wait = sum;
		__asm__ volatile("and $0, %0" : "+r"(wait));
	}
	return sum;
}

void node_wall_measure(const struct node_tree *t, const struct node_request *request, uint64_t n, uint64_t rounds,
	struct node_wall *out)
{
	int misses = counter_open(PERF_COUNT_HW_CACHE_MISSES);
	if (misses < 0)
		lab_copy(out->why_not, sizeof out->why_not,
			errno == ENOENT || errno == EOPNOTSUPP || errno == ENODEV
				? "the processor offers no counter of cache misses"
				: strerror(errno));
	int instructions = misses < 0 ? -1 : counter_open(PERF_COUNT_HW_INSTRUCTIONS);
	for (uint64_t round = 0; round < rounds; round++) {
		counter_do(misses, PERF_EVENT_IOC_RESET);
		counter_do(instructions, PERF_EVENT_IOC_RESET);
		counter_do(misses, PERF_EVENT_IOC_ENABLE);
		counter_do(instructions, PERF_EVENT_IOC_ENABLE);
		uint64_t before = node_wall_ns(), cpu_before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		uint64_t sum = look_all(t, request, n);
		uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_before, took = node_wall_ns() - before;
		__asm__ volatile("" : : "r"(sum));
		counter_do(misses, PERF_EVENT_IOC_DISABLE);
		counter_do(instructions, PERF_EVENT_IOC_DISABLE);
		if (round == 0 || took < out->lookup_ns)
			out->lookup_ns = took;
		if (round && cpu >= out->cpu_ns)
			continue;
		out->cpu_ns = cpu;
		out->counted = misses >= 0 && instructions >= 0;
		out->cache_misses = misses >= 0 ? counter_read(misses) : 0;
		out->instructions = instructions >= 0 ? counter_read(instructions) : 0;
	}
	out->measured = true;
	out->rounds = rounds;
	if (misses >= 0)
		(void)close(misses);
	if (instructions >= 0)
		(void)close(instructions);
}
