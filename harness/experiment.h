/* experiment.h - experiment files and the runs they stand for.
 *
 *     title = what it asks                 verbatim: title, x, y, plot.*, expect.*
 *     [defaults]                           holds for every group
 *     use = preset                         the keys of harness/presets/preset.ini, here
 *     node = slotted, ordinal              a comma list is a dimension of the sweep
 *     seeds = 1..5                         or a list; a dimension too
 *     [group]                              adds to the defaults, or sets a key anew
 *     page_bytes = 8k
 *
 *     node = *                             all choices there are; with a `*`, only what is legal is taken
 *     device = *, !file                    all but this
 *     sample = pairs                       of the sweep only so many runs that every pair of values of two keys that a
 *                                          legal run has still occurs (cover.h)
 *
 *     run = device                         of a simulated device alone, without the engine: device.* (device_run.h)
 *     run = node                           of layouts of pages alone: node.* (node_run.h)
 *     profile = zn540                      sets the keys of harness/devices/zn540.ini that the run does not set itself
 *
 * Lines that begin with white space continue the line before. # and ; begin comments. */
#ifndef PL_HARNESS_EXPERIMENT_H
#define PL_HARNESS_EXPERIMENT_H

#include "harness/spec.h"

#include <stdio.h>

struct experiment {
	char *name, *path; /* path as it was found */
	struct spec *run; /* legal ones, in order, numbered from 0; unavailable ones among them have .skip set */
	size_t runs;
	struct spec *refused; /* illegal combinations that the sweeps produced, with the reason in .skip */
	size_t refusals;
	size_t duplicates; /* left out: same run_id as an earlier one */
	size_t left_out; /* illegal combinations of groups with a `*` */
	size_t unsampled; /* legal runs that a sample leaves out */
	struct spec_word *hint; /* title, x, y, plot.*: for those who draw */
	size_t hints;
};

/* Read and expand. PL_INVALID names file and line, and the nearest known key or value; PL_IO. */
int experiment_load(const char *name_or_path, struct experiment *out, struct pl_fault *f) PL_MUST_USE;
/* The same from an open stream; presets are looked for as usual. */
int experiment_read(
	FILE *in, const char *name, const char *path, struct experiment *out, struct pl_fault *f) PL_MUST_USE;
void experiment_free(struct experiment *e);

#endif
