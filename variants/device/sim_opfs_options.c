/* sim_opfs_options.c - the options of sim_opfs; see the head of sim_opfs.c. Where the defaults come from:
 * harness/devices/chromium-opfs.ini. */
#include "variants/device/sim_opfs_options.h"
#include "variants/device/sim_opfs_file.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char *const handle_names[] = {"exclusive", "readwrite-unsafe", "read-only", NULL};

#define LONGEST_NS ((uint64_t)1 << 50) /* thirteen days */
const struct pl_opt opfs_opts[] = {
	{"files", PL_OPT_U64, "1", 1, 1u << 20, NULL, "files that share the capacity evenly"},
	{"fresh", PL_OPT_BOOL, "0", 0, 0, NULL, "1: no file exists at first; 0: all do, durable and open"},
	{"handle", PL_OPT_ENUM, "exclusive", 0, 0, handle_names, "mode in which files are opened"},
	{"max_handles", PL_OPT_U64, "1024", 1, 1u << 20, NULL, "handles that may be open (Safari: 252)"},
	{"read_ns", PL_OPT_NS, "2100", 0, LONGEST_NS, NULL, "a read"},
	{"read_ns_per_kib", PL_OPT_NS, "150", 0, 1u << 20, NULL, "and for each KiB before the file's end"},
	{"write_ns", PL_OPT_NS, "33000", 0, LONGEST_NS, NULL, "a write"},
	{"write_ns_per_kib", PL_OPT_NS, "230", 0, 1u << 20, NULL, "and for each KiB"},
	{"first_write_ns_per_kib", PL_OPT_NS, "250", 0, 1u << 20, NULL, "and for each KiB not stored before"},
	{"new_file_write_ns", PL_OPT_NS, "127000", 0, LONGEST_NS, NULL, "more for the first write to a new file"},
	{"grow_ns", PL_OPT_NS, "12000", 0, LONGEST_NS, NULL, "more for a write that makes the file longer"},
	{"truncate_ns", PL_OPT_NS, "32000", 0, LONGEST_NS, NULL, "a truncation, down or up"},
	{"truncate_ns_per_mib", PL_OPT_NS, "400000", 0, 1u << 30, NULL, "and for each MiB of data given back"},
	{"flush_ns", PL_OPT_NS, "150000", 0, LONGEST_NS, NULL, "a flush of a file"},
	{"flush_ns_per_page", PL_OPT_NS, "25000", 0, 1u << 30, NULL, "and for each dirty page of 16 KiB"},
	{"flush_tail_permille", PL_OPT_U64, "0", 0, 1000, NULL, "flushes, of a thousand, that take flush_tail_ns more"},
	{"flush_tail_ns", PL_OPT_NS, "4000000", 0, LONGEST_NS, NULL, "how much longer these take"},
	{"lookup_ns", PL_OPT_NS, "454000", 0, LONGEST_NS, NULL, "looking up a file that exists, before it is opened"},
	{"create_ns", PL_OPT_NS, "728000", 0, LONGEST_NS, NULL, "the same where there is none: making it"},
	{"open_ns", PL_OPT_NS, "1043000", 0, LONGEST_NS, NULL, "opening a handle"},
	{"close_ns", PL_OPT_NS, "381000", 0, LONGEST_NS, NULL, "closing it"},
	{"move_ns", PL_OPT_NS, "742000", 0, LONGEST_NS, NULL, "moving a file to another name"},
	{"remove_ns", PL_OPT_NS, "772000", 0, LONGEST_NS, NULL, "removing a file"},
	{"cache_bytes", PL_OPT_BYTES, "0", 0, (uint64_t)1 << 40, NULL,
		"page cache of the machine; 0: it holds everything"},
	{"cold_read_ns", PL_OPT_NS, "61000", 0, LONGEST_NS, NULL, "more for a read of pages not in the page cache"},
	{"cold_read_ns_per_kib", PL_OPT_NS, "600", 0, 1u << 20, NULL, "and for each KiB of them"},
	{"host_block_bytes", PL_OPT_BYTES, "4096", OPFS_GRANULE_BYTES_MIN, 65536, NULL,
		"granule in which space appears and unflushed data is lost; a power of two"},
	{"folio_bytes", PL_OPT_BYTES, "2097152", 4096, 1u << 30, NULL, "unit in which a killed process' write is torn"},
	{"quota_bytes", PL_OPT_BYTES, "162135015424", 0, (uint64_t)1 << 50, NULL, "of the origin; 0: none"},
	{"quota_step_bytes", PL_OPT_BYTES, "1048576", 1, 1u << 30, NULL, "step in which an open file is charged"},
	{"entry_bytes", PL_OPT_BYTES, "156", 0, 1u << 20, NULL, "charged for each file beside its size"},
	{"terminate_lag_ns", PL_OPT_NS, "2000000000", 0, LONGEST_NS, NULL,
		"how long a terminated worker runs on and holds its handles"},
	{"namespace_durable_ns", PL_OPT_NS, "35000000000", 0, LONGEST_NS, NULL,
		"age at which a created, moved or removed name is durable"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

static void times_read(struct opfs_times *t, const struct pl_conf *c)
{
	t->read_ns = pl_conf_u64(c, "sim_opfs.read_ns");
	t->read_ns_per_kib = pl_conf_u64(c, "sim_opfs.read_ns_per_kib");
	t->write_ns = pl_conf_u64(c, "sim_opfs.write_ns");
	t->write_ns_per_kib = pl_conf_u64(c, "sim_opfs.write_ns_per_kib");
	t->first_write_ns_per_kib = pl_conf_u64(c, "sim_opfs.first_write_ns_per_kib");
	t->new_file_write_ns = pl_conf_u64(c, "sim_opfs.new_file_write_ns");
	t->grow_ns = pl_conf_u64(c, "sim_opfs.grow_ns");
	t->truncate_ns = pl_conf_u64(c, "sim_opfs.truncate_ns");
	t->truncate_ns_per_mib = pl_conf_u64(c, "sim_opfs.truncate_ns_per_mib");
	t->flush_ns = pl_conf_u64(c, "sim_opfs.flush_ns");
	t->flush_ns_per_page = pl_conf_u64(c, "sim_opfs.flush_ns_per_page");
	t->flush_tail_permille = pl_conf_u64(c, "sim_opfs.flush_tail_permille");
	t->flush_tail_ns = pl_conf_u64(c, "sim_opfs.flush_tail_ns");
	t->lookup_ns = pl_conf_u64(c, "sim_opfs.lookup_ns");
	t->create_ns = pl_conf_u64(c, "sim_opfs.create_ns");
	t->open_ns = pl_conf_u64(c, "sim_opfs.open_ns");
	t->close_ns = pl_conf_u64(c, "sim_opfs.close_ns");
	t->move_ns = pl_conf_u64(c, "sim_opfs.move_ns");
	t->remove_ns = pl_conf_u64(c, "sim_opfs.remove_ns");
	t->cold_read_ns = pl_conf_u64(c, "sim_opfs.cold_read_ns");
	t->cold_read_ns_per_kib = pl_conf_u64(c, "sim_opfs.cold_read_ns_per_kib");
}

static uint32_t opt_u32(const struct pl_conf *c, const char *key)
{
	return (uint32_t)pl_conf_u64(c, key);
}

static void rules_read(struct opfs_rules *r, const struct pl_conf *c)
{
	const char *mode = pl_conf_str(c, "sim_opfs.handle");
	uint32_t i = 0;
	while (handle_names[i] && strcmp(handle_names[i], mode) != 0)
		i++;
	assert(handle_names[i]);
	*r = (struct opfs_rules){
		.mode = (enum opfs_mode)i,
		.fresh = pl_conf_bool(c, "sim_opfs.fresh"),
		.max_handles = opt_u32(c, "sim_opfs.max_handles"),
		.granule_bytes = opt_u32(c, "sim_opfs.host_block_bytes"),
		.folio_bytes = opt_u32(c, "sim_opfs.folio_bytes"),
		.cache_bytes = pl_conf_u64(c, "sim_opfs.cache_bytes"),
		.quota_bytes = pl_conf_u64(c, "sim_opfs.quota_bytes"),
		.quota_step_bytes = pl_conf_u64(c, "sim_opfs.quota_step_bytes"),
		.entry_bytes = pl_conf_u64(c, "sim_opfs.entry_bytes"),
		.terminate_lag_ns = pl_conf_u64(c, "sim_opfs.terminate_lag_ns"),
		.namespace_durable_ns = pl_conf_u64(c, "sim_opfs.namespace_durable_ns"),
	};
}

int opfs_options_read(
	struct opfs_times *t, struct opfs_rules *r, struct dev_caps *caps, const struct dev_args *a, struct pl_fault *f)
{
	uint64_t files = pl_conf_u64(a->conf, "sim_opfs.files"), blocks = a->capacity_bytes / a->block_bytes;
	times_read(t, a->conf);
	rules_read(r, a->conf);
	uint32_t granule_bytes = r->granule_bytes;
	if (granule_bytes & (granule_bytes - 1))
		return pl_fault_set(f, PL_INVALID,
			"sim_opfs.host_block_bytes = %" PRIu32 " is not a power of two; write 4096", granule_bytes);
	if (r->folio_bytes % granule_bytes || r->folio_bytes % a->block_bytes)
		return pl_fault_set(f, PL_INVALID,
			"sim_opfs.folio_bytes = %" PRIu32 " must be a multiple of the block of %" PRIu32
			" bytes and of sim_opfs.host_block_bytes = %" PRIu32,
			r->folio_bytes, a->block_bytes, granule_bytes);
	if (blocks < files)
		return pl_fault_set(f, PL_INVALID,
			"sim_opfs: a capacity of %" PRIu64 " blocks is too small for sim_opfs.files = %" PRIu64
			" files of a block each",
			blocks, files);
	if (!r->fresh && files > r->max_handles)
		return pl_fault_set(f, PL_INVALID,
			"sim_opfs.files = %" PRIu64
			" files cannot be open together with sim_opfs.max_handles = %" PRIu32
			"; make files smaller, or set sim_opfs.fresh = 1 and open what you use",
			files, r->max_handles);
	*caps = (struct dev_caps){
		.block_bytes = a->block_bytes,
		.capacity_blocks = blocks / files * files,
		.atomic_blocks = granule_bytes / a->block_bytes,
		.files = files,
		.file_blocks = blocks / files,
		.simulated = true,
		.contentless = a->contentless,
	};
	return PL_OK;
}
