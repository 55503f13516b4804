/* sim_opfs_options.h - what the options of sim_opfs say. */
#ifndef PL_SIM_OPFS_OPTIONS_H
#define PL_SIM_OPFS_OPTIONS_H

#include "engine/iface/device.h"

enum opfs_mode { OPFS_EXCLUSIVE, OPFS_UNSAFE, OPFS_READ_ONLY };

struct opfs_times {
	uint64_t read_ns, read_ns_per_kib, write_ns, write_ns_per_kib, first_write_ns_per_kib, new_file_write_ns,
		grow_ns;
	uint64_t cold_read_ns, cold_read_ns_per_kib, truncate_ns, truncate_ns_per_mib;
	uint64_t flush_ns, flush_ns_per_page, flush_tail_permille, flush_tail_ns;
	uint64_t open_ns, lookup_ns, create_ns, close_ns, move_ns, remove_ns;
};

struct opfs_rules {
	enum opfs_mode mode;
	bool fresh;
	uint32_t max_handles, granule_bytes, folio_bytes;
	uint64_t cache_bytes, quota_bytes, quota_step_bytes, entry_bytes, terminate_lag_ns, namespace_durable_ns;
};

extern const struct pl_opt opfs_opts[];

/* PL_INVALID with a sentence. */
int opfs_options_read(struct opfs_times *t, struct opfs_rules *r, struct dev_caps *caps, const struct dev_args *a,
	struct pl_fault *f) PL_MUST_USE;

#endif
