/* micro.h - what Google Benchmark measures, told in C. Wall time: recorded, never asserted. */
#ifndef PL_HARNESS_MICRO_H
#define PL_HARNESS_MICRO_H

#include <stdbool.h>
#include <stdint.h>

struct micro {
	const char *name; /* what/how/size; NULL ends the table */
	/* Prepare, outside the time that is measured; NULL: it cannot be had here, skipped with *why. */
	void *(*open)(const struct micro *m, const char **why);
	/* Do one batch of work and return how many items that were. */
	uint64_t (*run)(void *state);
	void (*close)(void *state);
	/* A figure that shows that the work was really done, shown beside the time under this name; both may be NULL. */
	double (*figure)(void *state);
	const char *figure_name;
	uint64_t bytes; /* the size that open is asked for */
	unsigned mix, depth; /* what else a family of benchmarks varies */
};

extern const struct micro device_micros[], node_micros[], space_micros[];

#endif
