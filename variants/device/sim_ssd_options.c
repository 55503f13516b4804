/* sim_ssd_options.c - the options of sim_ssd and the arithmetic of its geometry; see the head of sim_ssd.c. */
#include "variants/device/sim_ssd_options.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SPARE_WANTED 16 /* superblocks; see "Small devices" in sim_ssd.c */
#define SPARE_BEYOND_LOW 3 /* host head, collection head, one to gain */

static const char *const fit_names[] = {"shrink", "exact", NULL};
static const char *const age_names[] = {"fresh", "seqfill", "randfill", NULL};
static const char *const stream_names[] = {"own", "shared", NULL};

const struct pl_opt ssd_opts[] = {
	{"channels", PL_OPT_U64, "8", 1, 64, NULL, "channels"},
	{"dies_per_channel", PL_OPT_U64, "4", 1, 64, NULL, "dies on each channel"},
	{"pages_per_block", PL_OPT_U64, "256", 1, 65536, NULL,
		"pages of an erase block of one die (a page is one device block); a multiple of program_pages"},
	{"program_pages", PL_OPT_U64, "8", 1, 1024, NULL, "pages programmed on a die at once (planes x wordline)"},
	{"fit", PL_OPT_ENUM, "shrink", 0, 0, fit_names,
		"geometry too coarse for the capacity: shrink it, or exact: refuse"},
	{"op_permille", PL_OPT_U64, "125", 10, 10000, NULL, "spare flash, thousandths of the capacity"},
	{"read_ns", PL_OPT_NS, "40000", 0, 0, NULL, "time of a die to read pages of one program unit"},
	{"program_ns", PL_OPT_NS, "400000", 0, 0, NULL, "time of a die to program one unit of program_pages"},
	{"erase_ns", PL_OPT_NS, "3000000", 0, 0, NULL, "time of a die to erase one block of pages_per_block"},
	{"transfer_ns", PL_OPT_NS, "5000", 0, 0, NULL, "time of a channel to transfer one page"},
	{"read_command_ns", PL_OPT_NS, "8000", 0, 0, NULL, "latency of a read beside the flash"},
	{"write_command_ns", PL_OPT_NS, "4000", 0, 0, NULL,
		"latency of a write, punch or sync beside buffer and flash"},
	{"write_buffer_pages", PL_OPT_U64, "512", 1, 1u << 24, NULL,
		"pages acknowledged and not yet programmed; at least program_pages are used"},
	{"gc_low_superblocks", PL_OPT_U64, "3", 2, 1024, NULL, "collection runs while no more superblocks are free"},
	{"gc_stream", PL_OPT_ENUM, "own", 0, 0, stream_names,
		"open block of collection: its own, or shared with the host"},
	{"precondition", PL_OPT_ENUM, "fresh", 0, 0, age_names,
		"age at open: fresh, seqfill (all mapped in order), randfill (then overwritten twice at random)"},
	{"atomic_blocks", PL_OPT_U64, "1", 0, 65536, NULL, "blocks a write may have and never be torn by a power cut"},
	{NULL, PL_OPT_U64, NULL, 0, 0, NULL, NULL},
};

static uint32_t opt_u32(const struct pl_conf *c, const char *key)
{
	return (uint32_t)pl_conf_u64(c, key);
}

static uint32_t choice(const struct pl_conf *c, const char *key, const char *const *names)
{
	const char *value = pl_conf_str(c, key);
	uint32_t i = 0;
	while (names[i] && strcmp(names[i], value) != 0)
		i++;
	assert(names[i]);
	return i;
}

static void geometry_count(struct ssd_geometry *g)
{
	g->dies = g->channels * g->dies_per_channel;
	uint64_t super_pages = (uint64_t)g->dies * g->block_pages;
	g->super_pages = (uint32_t)super_pages;
	g->supers = (uint32_t)pl_div_up(g->physical_pages, super_pages);
	g->spare_supers = g->supers - (uint32_t)pl_div_up(g->logical_pages, super_pages);
}

/* One step towards smaller superblocks; false when there is none. */
static bool geometry_halve(struct ssd_geometry *g)
{
	if (g->block_pages > g->unit_pages) {
		uint32_t units = g->block_pages / g->unit_pages;
		g->block_pages = units / 2 * g->unit_pages;
	} else if (g->dies_per_channel > 1) {
		g->dies_per_channel /= 2;
	} else if (g->channels > 1) {
		g->channels /= 2;
	} else if (g->unit_pages > 1) {
		g->unit_pages /= 2;
		g->block_pages = g->unit_pages;
	} else {
		return false;
	}
	return true;
}

static int geometry_fit(struct ssd_geometry *g, const struct dev_args *a, uint32_t gc_low, struct pl_fault *f)
{
	const struct pl_conf *c = a->conf;
	uint64_t op_permille = pl_conf_u64(c, "sim_ssd.op_permille");
	*g = (struct ssd_geometry){
		.channels = opt_u32(c, "sim_ssd.channels"),
		.dies_per_channel = opt_u32(c, "sim_ssd.dies_per_channel"),
		.block_pages = opt_u32(c, "sim_ssd.pages_per_block"),
		.unit_pages = opt_u32(c, "sim_ssd.program_pages"),
		.logical_pages = a->capacity_bytes / a->block_bytes,
	};
	if (g->block_pages % g->unit_pages != 0)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.pages_per_block = %" PRIu32 " is not a multiple of sim_ssd.program_pages = %" PRIu32,
			g->block_pages, g->unit_pages);
	/* 2^30: page numbers and their sums stay far from 32 bits, and op_permille cannot overflow the product */
	if (g->logical_pages > 1u << 30 || g->logical_pages * (1000 + op_permille) / 1000 > 1u << 30)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd: %" PRIu64 " blocks and %" PRIu64 " permille spare exceed 2^30 flash pages",
			g->logical_pages, op_permille);
	g->physical_pages = pl_div_up(g->logical_pages * (1000 + op_permille), 1000);
	uint32_t needed = gc_low + SPARE_BEYOND_LOW, wanted = needed > SPARE_WANTED ? needed : SPARE_WANTED;
	geometry_count(g);
	if (choice(c, "sim_ssd.fit", fit_names) == 0)
		while (g->spare_supers < wanted && geometry_halve(g))
			geometry_count(g);
	if (g->spare_supers >= needed)
		return PL_OK;
	return pl_fault_set(f, PL_INVALID,
		"sim_ssd: %" PRIu32 " channels x %" PRIu32 " dies x %" PRIu32 " pages = %" PRIu32
		" pages a superblock; %" PRIu64 " pages + %" PRIu64 " permille spare = %" PRIu32
		" superblocks, %" PRIu32 " of them spare, but %" PRIu32
		" must be (gc_low_superblocks + %d): make the capacity or op_permille larger, or the blocks smaller",
		g->channels, g->dies_per_channel, g->block_pages, g->super_pages, g->logical_pages, op_permille,
		g->supers, g->spare_supers, needed, SPARE_BEYOND_LOW);
}

static void times_read(struct ssd_times *t, const struct ssd_geometry *g, const struct pl_conf *c)
{
	*t = (struct ssd_times){
		.read_ns = pl_conf_u64(c, "sim_ssd.read_ns"),
		.program_ns =
			pl_conf_u64(c, "sim_ssd.program_ns") * g->unit_pages / pl_conf_u64(c, "sim_ssd.program_pages"),
		.erase_ns =
			pl_conf_u64(c, "sim_ssd.erase_ns") * g->block_pages / pl_conf_u64(c, "sim_ssd.pages_per_block"),
		.transfer_ns = pl_conf_u64(c, "sim_ssd.transfer_ns"),
		.read_command_ns = pl_conf_u64(c, "sim_ssd.read_command_ns"),
		.write_command_ns = pl_conf_u64(c, "sim_ssd.write_command_ns"),
	};
}

int ssd_options_read(struct ssd_options *o, const struct dev_args *a, struct pl_fault *f)
{
	const struct pl_conf *c = a->conf;
	o->gc_low = opt_u32(c, "sim_ssd.gc_low_superblocks");
	int err = geometry_fit(&o->geometry, a, o->gc_low, f);
	if (err)
		return err;
	times_read(&o->times, &o->geometry, c);
	/* less than a unit could never fill one */
	o->buffer_pages = (uint32_t)pl_max64(pl_conf_u64(c, "sim_ssd.write_buffer_pages"), o->geometry.unit_pages);
	o->atomic_blocks = opt_u32(c, "sim_ssd.atomic_blocks");
	o->gc_shared = choice(c, "sim_ssd.gc_stream", stream_names) == 1;
	o->age = (enum ssd_age)choice(c, "sim_ssd.precondition", age_names);
	return PL_OK;
}
