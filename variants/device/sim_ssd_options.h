/* sim_ssd_options.h - what sim_ssd.c reads from the configuration: geometry, times, policies. */
#ifndef PL_DEVICE_SIM_SSD_OPTIONS_H
#define PL_DEVICE_SIM_SSD_OPTIONS_H

#include "engine/iface/device.h"

struct ssd_geometry {
	uint32_t channels, dies_per_channel, block_pages, unit_pages;
	uint32_t dies, super_pages, supers, spare_supers;
	uint64_t logical_pages, physical_pages; /* physical: wanted; supers * super_pages are there */
};

struct ssd_times { /* of the geometry after shrinking */
	uint64_t read_ns, program_ns, erase_ns, transfer_ns, read_command_ns, write_command_ns;
};

enum ssd_age { SSD_FRESH, SSD_SEQFILL, SSD_RANDFILL };

struct ssd_options {
	struct ssd_geometry geometry;
	struct ssd_times times;
	uint32_t gc_low, buffer_pages, atomic_blocks;
	bool gc_shared;
	enum ssd_age age;
};

extern const struct pl_opt ssd_opts[];

/* PL_INVALID with the sum when the geometry does not work out. */
int ssd_options_read(struct ssd_options *o, const struct dev_args *a, struct pl_fault *f) PL_MUST_USE;

#endif
