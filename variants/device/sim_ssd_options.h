/* sim_ssd_options.h - what sim_ssd.c reads from the configuration: geometry, times, policies.
 *
 * A page is the unit of mapping, one block of the device; a flash page holds some of them. A row is the flash pages of
 * one index on all planes of a die: they are read at once. A unit is what is programmed at once: a row, or all the rows
 * of a wordline (one-shot). */
#ifndef PL_DEVICE_SIM_SSD_OPTIONS_H
#define PL_DEVICE_SIM_SSD_OPTIONS_H

#include "variants/device/sim_ssd_ftl.h"

#define SSD_LEVELS_MAX 4
#define SSD_SLC SSD_LEVELS_MAX /* the page type of the pSLC cache */

struct ssd_geometry {
	uint32_t channels, dies_per_channel, planes, flash_page_pages, block_rows; /* rows: flash pages of a block */
	uint32_t levels; /* page types of a wordline: 1 slc .. 4 qlc */
	bool oneshot;
	uint32_t dies, row_pages, row_shift, unit_pages, super_pages, supers, slc_supers, slc_pages, spare_supers;
	uint64_t logical_pages, physical_pages; /* physical: wanted; supers * super_pages are there */
};

struct ssd_times { /* of the geometry after shrinking; by page type */
	uint64_t read_ns[SSD_LEVELS_MAX + 1], program_ns[SSD_LEVELS_MAX + 1];
	uint64_t erase_ns, transfer_ns, link_page_ns, read_command_ns, write_command_ns;
	uint64_t suspend_program_ns, suspend_erase_ns; /* PL_NS_NEVER: is not suspended */
	uint64_t slc_idle_ns;
	uint32_t suspend_limit;
	bool read_priority;
};

enum ssd_age { SSD_FRESH, SSD_SEQFILL, SSD_RANDFILL };

struct ssd_options {
	struct ssd_geometry geometry;
	struct ssd_times times;
	uint32_t gc_low, buffer_pages, atomic_blocks, streams, choices;
	enum ftl_collect collect;
	bool oldest_of_equals;
	enum ftl_gc_stream gc_stream;
	bool fold_pressed; /* the pSLC cache is folded when all but full, not only in idle time */
	enum ssd_age age;
};

extern const struct pl_opt ssd_opts[];

/* PL_INVALID with the sum when the geometry does not work out. */
int ssd_options_read(struct ssd_options *o, const struct dev_args *a, struct pl_fault *f) PL_MUST_USE;
/* What the translation layer is opened with. */
struct ftl_options ssd_ftl_options(const struct ssd_options *o, uint64_t seed);

#endif
