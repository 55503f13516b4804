/* sim_ssd_options.c - the options of sim_ssd and the arithmetic of its geometry; see the head of sim_ssd.c. */
#include "variants/device/sim_ssd_options.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define SPARE_WANTED 16 /* superblocks; see "Small devices" in sim_ssd.c */
#define SPARE_BEYOND_LOW 1 /* one to gain; the open ones come on top */
#define SLC_SUPERS_LEAST 3 /* one open, one to fold, one free */
#define LONGEST_NS 10000000000u /* ten seconds: sums of these stay far below what the clockwork's time can hold */
#define IDLE_LONGEST_NS ((uint64_t)1 << 50) /* thirteen days */
#define SLOWEST_BYTES_PER_S 65536u

static const char *const fit_names[] = {"shrink", "exact", NULL};
static const char *const cell_names[] = {"slc", "mlc", "tlc", "qlc", NULL}; /* levels - 1 */
static const char *const program_names[] = {"page", "oneshot", NULL};
static const char *const age_names[] = {"fresh", "seqfill", "randfill", NULL}; /* enum ssd_age */
static const char *const ties_names[] = {"newest", "oldest", NULL};
static const char *const collect_names[] = {"greedy", "fifo", "costbenefit", "dchoices", NULL}; /* enum ftl_collect */
static const char *const stream_names[] = {"own", "shared", "stream", NULL}; /* enum ftl_gc_stream */
static const char *const fold_names[] = {"pressure", "idle", NULL};
static const char *const suspend_names[] = {"none", "program", "erase", "both", NULL}; /* bits: 1 program, 2 erase */

const struct pl_opt ssd_opts[] = {
	{"channels", PL_OPT_U64, "8", 1, 64, NULL, "channels"},
	{"dies_per_channel", PL_OPT_U64, "4", 1, 64, NULL, "dies on each channel"},
	{"planes", PL_OPT_U64, "2", 1, 16, NULL, "planes of a die, which always work together; a power of two"},
	{"flash_page_bytes", PL_OPT_BYTES, "16384", 512, 1u << 20, NULL,
		"page of one plane; a power of two, at least a block of the device"},
	{"pages_per_block", PL_OPT_U64, "32", 1, 65536, NULL,
		"flash pages of an erase block of one plane; one-shot: a multiple of the cell's levels"},
	{"cell", PL_OPT_ENUM, "slc", 0, 0, cell_names, "the pages of a block take turns in so many types (1 to 4)"},
	{"program_mode", PL_OPT_ENUM, "page", 0, 0, program_names,
		"a program writes one page on all planes, or (oneshot) one of each type"},
	{"fit", PL_OPT_ENUM, "shrink", 0, 0, fit_names,
		"geometry too coarse for the capacity: shrink it, or exact: refuse"},
	{"media_bytes", PL_OPT_BYTES, "0", 0, 0, NULL, "raw flash; 0: the capacity and op_permille of it"},
	{"op_permille", PL_OPT_U64, "125", 10, 10000, NULL, "spare flash, thousandths of the capacity"},
	{"slc_permille", PL_OPT_U64, "0", 0, 500, NULL,
		"thousandths of the superblocks that are a pSLC write cache; 0: none"},
	{"read_ns", PL_OPT_NS, "40000", 0, LONGEST_NS, NULL,
		"time of a die to read a page (all planes); the first type"},
	{"read_2_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the second type; 0: as the one before"},
	{"read_3_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the third type; 0: as the one before"},
	{"read_4_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the fourth type; 0: as the one before"},
	{"program_ns", PL_OPT_NS, "400000", 0, LONGEST_NS, NULL,
		"time of a die to program a page (all planes) of the first type, or (oneshot) one of each type"},
	{"program_2_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the second type; 0: as the one before"},
	{"program_3_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the third type; 0: as the one before"},
	{"program_4_ns", PL_OPT_NS, "0", 0, LONGEST_NS, NULL, "the fourth type; 0: as the one before"},
	{"slc_fold", PL_OPT_ENUM, "pressure", 0, 0, fold_names,
		"the pSLC cache is emptied when it is all but full (and in idle time), or in idle time only"},
	{"slc_idle_ns", PL_OPT_NS, "10000000", 0, IDLE_LONGEST_NS, NULL,
		"time without requests after which the pSLC cache is emptied"},
	{"slc_read_ns", PL_OPT_NS, "30000", 0, LONGEST_NS, NULL, "read_ns of the pSLC cache"},
	{"slc_program_ns", PL_OPT_NS, "200000", 0, LONGEST_NS, NULL, "program_ns of the pSLC cache"},
	{"erase_ns", PL_OPT_NS, "3000000", 0, LONGEST_NS, NULL, "time of a die to erase a block (all planes)"},
	{"channel_bytes_per_s", PL_OPT_BYTES, "819200000", SLOWEST_BYTES_PER_S, (uint64_t)1 << 50, NULL,
		"rate of each channel"},
	{"link_bytes_per_s", PL_OPT_BYTES, "0", 0, (uint64_t)1 << 50, NULL,
		"rate of the host's link, each way, 65536 or more; 0: takes no time"},
	{"read_command_ns", PL_OPT_NS, "8000", 0, LONGEST_NS, NULL, "latency of a read beside flash and link"},
	{"write_command_ns", PL_OPT_NS, "4000", 0, LONGEST_NS, NULL,
		"latency of a write, punch or sync beside link, buffer and flash"},
	{"write_buffer_pages", PL_OPT_U64, "512", 1, (1u << 24) - 1, NULL,
		"blocks acknowledged and not yet programmed; at least a unit for each open superblock"},
	{"collect", PL_OPT_ENUM, "greedy", 0, 0, collect_names, "which superblock is collected"},
	{"ties", PL_OPT_ENUM, "newest", 0, 0, ties_names,
		"greedy, among equals: the one that has had so few valid pages for the shortest or longest time"},
	{"choices", PL_OPT_U64, "10", 1, 1024, NULL, "dchoices: the fewest valid pages of so many drawn"},
	{"gc_low_superblocks", PL_OPT_U64, "3", 2, 1024, NULL, "collection runs while no more superblocks are free"},
	{"gc_stream", PL_OPT_ENUM, "own", 0, 0, stream_names,
		"open superblock of collection: its own, shared with the host, or one for each stream"},
	{"streams", PL_OPT_U64, "1", 1, FTL_STREAMS_MAX, NULL, "placement hints that have an open superblock each"},
	{"read_priority", PL_OPT_BOOL, "0", 0, 0, NULL, "the host's reads go before all that waits for the die"},
	{"suspend", PL_OPT_ENUM, "none", 0, 0, suspend_names, "what the host's reads suspend; needs read_priority"},
	{"suspend_program_ns", PL_OPT_NS, "20000", 0, LONGEST_NS, NULL, "a die's time until a program is suspended"},
	{"suspend_erase_ns", PL_OPT_NS, "40000", 0, LONGEST_NS, NULL, "a die's time until an erase is suspended"},
	{"suspend_limit", PL_OPT_U64, "8", 1, 255, NULL, "how often one program or erase is suspended"},
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

static uint32_t log2_up(uint64_t n)
{
	return n <= 1 ? 0 : 64 - (uint32_t)__builtin_clzll(n - 1);
}

/* What follows from the free numbers. False: more superblocks than can be counted. */
static bool geometry_count(struct ssd_geometry *g, uint32_t slc_permille, bool media_given)
{
	g->dies = g->channels * g->dies_per_channel;
	g->row_pages = g->planes * g->flash_page_pages;
	g->row_shift = log2_up(g->row_pages);
	g->unit_pages = g->row_pages * (g->oneshot ? g->levels : 1);
	uint64_t super_pages = (uint64_t)g->dies * g->block_rows * g->row_pages, data;
	uint64_t supers = media_given ? g->physical_pages / super_pages : pl_div_up(g->physical_pages, super_pages);
	if (super_pages > 1u << 30 || (supers + 1) << log2_up(super_pages) > (uint64_t)1 << 32)
		return false;
	g->super_pages = (uint32_t)super_pages;
	g->supers = (uint32_t)supers;
	g->slc_supers = (uint32_t)pl_div_up(supers * slc_permille, 1000);
	if (slc_permille && g->slc_supers < SLC_SUPERS_LEAST)
		g->slc_supers = SLC_SUPERS_LEAST;
	uint32_t slc_rows = g->block_rows / g->levels;
	g->slc_pages = g->slc_supers ? g->dies * (slc_rows ? slc_rows : 1) * g->row_pages : 0;
	data = pl_div_up(g->logical_pages, super_pages) + g->slc_supers;
	g->spare_supers = g->supers > data ? g->supers - (uint32_t)data : 0;
	return true;
}

/* One step towards smaller superblocks; false when there is none. Blocks keep whole wordlines. */
static bool geometry_halve(struct ssd_geometry *g)
{
	if (g->block_rows > g->levels) {
		uint32_t rows = g->block_rows / 2 / g->levels * g->levels;
		g->block_rows = rows ? rows : g->levels;
	} else if (g->dies_per_channel > 1) {
		g->dies_per_channel /= 2;
	} else if (g->channels > 1) {
		g->channels /= 2;
	} else if (g->planes > 1) {
		g->planes /= 2;
	} else if (g->flash_page_pages > 1) {
		g->flash_page_pages /= 2;
	} else {
		return false;
	}
	return true;
}

static int geometry_read(struct ssd_geometry *g, const struct dev_args *a, struct pl_fault *f)
{
	const struct pl_conf *c = a->conf;
	uint64_t flash_page_bytes = pl_conf_u64(c, "sim_ssd.flash_page_bytes");
	*g = (struct ssd_geometry){
		.channels = opt_u32(c, "sim_ssd.channels"),
		.dies_per_channel = opt_u32(c, "sim_ssd.dies_per_channel"),
		.planes = opt_u32(c, "sim_ssd.planes"),
		.flash_page_pages = (uint32_t)(flash_page_bytes / a->block_bytes),
		.block_rows = opt_u32(c, "sim_ssd.pages_per_block"),
		.levels = 1 + choice(c, "sim_ssd.cell", cell_names),
		.oneshot = choice(c, "sim_ssd.program_mode", program_names) == 1,
		.logical_pages = a->capacity_bytes / a->block_bytes,
	};
	if (g->flash_page_pages == 0 || (flash_page_bytes & (flash_page_bytes - 1)) != 0)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.flash_page_bytes = %" PRIu64 " must be a power of two and at least a block of %" PRIu32
			" bytes",
			flash_page_bytes, a->block_bytes);
	if ((g->planes & (g->planes - 1)) != 0)
		return pl_fault_set(f, PL_INVALID, "sim_ssd.planes = %" PRIu32 " is not a power of two", g->planes);
	if (g->oneshot && g->block_rows % g->levels != 0)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.pages_per_block = %" PRIu32 " is not a multiple of %" PRIu32
			", the pages that sim_ssd.cell = %s programs in one shot",
			g->block_rows, g->levels, cell_names[g->levels - 1]);
	if (pl_conf_u64(c, "sim_ssd.slc_permille") && g->levels == 1)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.slc_permille: with sim_ssd.cell = slc all flash is as fast as the cache; give mlc, "
			"tlc or qlc");
	return PL_OK;
}

/* Superblocks that are open at one time. */
static uint32_t heads(const struct ssd_options *o)
{
	return o->streams + (o->gc_stream == FTL_GC_STREAM ? o->streams : 1);
}

/* The address of a page has 32 bits: the number of a superblock and, in bits of its own, of a page in it. */
static int too_many(const struct ssd_geometry *g, struct pl_fault *f)
{
	uint64_t super_pages = (uint64_t)g->dies * g->block_rows * g->row_pages;
	return pl_fault_set(f, PL_INVALID,
		"sim_ssd: %" PRIu32 " channels x %" PRIu32 " dies x %" PRIu32 " planes x %" PRIu32
		" flash pages x %" PRIu32 " blocks = %" PRIu64 " blocks a superblock, addressed as %" PRIu64
		"; %" PRIu64 " blocks of flash for %" PRIu64
		" of capacity in such superblocks are more than 2^32 addresses, or a "
		"superblock more than 2^30: make the capacity, the spare flash or the superblock smaller",
		g->channels, g->dies_per_channel, g->planes, g->block_rows, g->flash_page_pages, super_pages,
		(uint64_t)1 << log2_up(super_pages), g->physical_pages, g->logical_pages);
}

static int geometry_fit(struct ssd_options *o, const struct dev_args *a, struct pl_fault *f)
{
	const struct pl_conf *c = a->conf;
	struct ssd_geometry *g = &o->geometry;
	uint64_t op_permille = pl_conf_u64(c, "sim_ssd.op_permille");
	uint64_t media_pages = pl_conf_u64(c, "sim_ssd.media_bytes") / a->block_bytes;
	uint32_t slc_permille = opt_u32(c, "sim_ssd.slc_permille");
	int err = geometry_read(g, a, f);
	if (err)
		return err;
	if (media_pages && media_pages < g->logical_pages)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.media_bytes: %" PRIu64 " blocks of flash cannot hold a capacity of %" PRIu64 " blocks",
			media_pages, g->logical_pages);
	if (g->logical_pages >= UINT32_MAX || media_pages > (uint64_t)1 << 32) /* the product cannot overflow */
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd: %" PRIu64 " blocks of capacity (and %" PRIu64
			" of sim_ssd.media_bytes) are more than 2^32: make the capacity, or media_bytes, smaller",
			g->logical_pages, media_pages);
	g->physical_pages = media_pages ? media_pages : pl_div_up(g->logical_pages * (1000 + op_permille), 1000);
	bool counts = geometry_count(g, slc_permille, media_pages != 0);
	uint32_t needed = o->gc_low + heads(o) + SPARE_BEYOND_LOW;
	uint32_t wanted = needed > SPARE_WANTED ? needed : SPARE_WANTED;
	bool shrink = choice(c, "sim_ssd.fit", fit_names) == 0;
	while (shrink && (!counts || g->spare_supers < wanted) && geometry_halve(g))
		counts = geometry_count(g, slc_permille, media_pages != 0);
	if (!counts)
		return too_many(g, f);
	if (g->spare_supers >= needed)
		return PL_OK;
	return pl_fault_set(f, PL_INVALID,
		"sim_ssd: %" PRIu32 " channels x %" PRIu32 " dies x %" PRIu32 " planes x %" PRIu32
		" flash pages x %" PRIu32 " blocks = %" PRIu32 " blocks a superblock; %" PRIu64
		" blocks of flash = %" PRIu32 " superblocks, - %" PRIu32 " pSLC - %" PRIu64
		" for the capacity = %" PRIu32 " spare, but %" PRIu32
		" must be: more spare flash, or smaller superblocks",
		g->channels, g->dies_per_channel, g->planes, g->block_rows, g->flash_page_pages, g->super_pages,
		g->physical_pages, g->supers, g->slc_supers, pl_div_up(g->logical_pages, g->super_pages),
		g->spare_supers, needed);
}

/* Times by page type, where 0 is as the one before. */
static void by_type(uint64_t *ns, const struct pl_conf *c, const char *const *keys)
{
	for (uint32_t i = 0; i < SSD_LEVELS_MAX; i++) {
		ns[i] = pl_conf_u64(c, keys[i]);
		if (i && !ns[i])
			ns[i] = ns[i - 1];
	}
}

static uint64_t page_ns(uint64_t bytes, uint64_t bytes_per_s)
{
	return bytes_per_s ? (bytes * 1000000000u + bytes_per_s / 2) / bytes_per_s : 0;
}

static int times_read(struct ssd_times *t, const struct ssd_geometry *g, const struct dev_args *a, struct pl_fault *f)
{
	static const char *const reads[] = {
		"sim_ssd.read_ns", "sim_ssd.read_2_ns", "sim_ssd.read_3_ns", "sim_ssd.read_4_ns"};
	static const char *const programs[] = {
		"sim_ssd.program_ns", "sim_ssd.program_2_ns", "sim_ssd.program_3_ns", "sim_ssd.program_4_ns"};
	const struct pl_conf *c = a->conf;
	uint32_t suspend = choice(c, "sim_ssd.suspend", suspend_names);
	*t = (struct ssd_times){
		.transfer_ns = page_ns(a->block_bytes, pl_conf_u64(c, "sim_ssd.channel_bytes_per_s")),
		.link_page_ns = page_ns(a->block_bytes, pl_conf_u64(c, "sim_ssd.link_bytes_per_s")),
		.read_command_ns = pl_conf_u64(c, "sim_ssd.read_command_ns"),
		.write_command_ns = pl_conf_u64(c, "sim_ssd.write_command_ns"),
		.suspend_program_ns = suspend & 1 ? pl_conf_u64(c, "sim_ssd.suspend_program_ns") : PL_NS_NEVER,
		.suspend_erase_ns = suspend & 2 ? pl_conf_u64(c, "sim_ssd.suspend_erase_ns") : PL_NS_NEVER,
		.suspend_limit = opt_u32(c, "sim_ssd.suspend_limit"),
		.read_priority = pl_conf_bool(c, "sim_ssd.read_priority"),
		.slc_idle_ns = pl_conf_u64(c, "sim_ssd.slc_idle_ns"),
	};
	uint64_t link_bytes_per_s = pl_conf_u64(c, "sim_ssd.link_bytes_per_s");
	if (link_bytes_per_s && link_bytes_per_s < SLOWEST_BYTES_PER_S)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.link_bytes_per_s = %" PRIu64 " is below %u; 0 is a link that takes no time",
			link_bytes_per_s, SLOWEST_BYTES_PER_S);
	if (suspend && !t->read_priority)
		return pl_fault_set(f, PL_INVALID,
			"sim_ssd.suspend = %s without sim_ssd.read_priority = 1 would let no read go first",
			suspend_names[suspend]);
	by_type(t->read_ns, c, reads);
	by_type(t->program_ns, c, programs);
	t->read_ns[SSD_SLC] = pl_conf_u64(c, "sim_ssd.slc_read_ns");
	t->program_ns[SSD_SLC] = pl_conf_u64(c, "sim_ssd.slc_program_ns");
	/* a smaller unit or block: the time for each page stays */
	uint64_t row_pages =
		pl_conf_u64(c, "sim_ssd.planes") * (pl_conf_u64(c, "sim_ssd.flash_page_bytes") / a->block_bytes);
	for (uint32_t i = 0; i <= SSD_SLC; i++)
		t->program_ns[i] = t->program_ns[i] * g->row_pages / row_pages;
	t->erase_ns = pl_conf_u64(c, "sim_ssd.erase_ns") * g->block_rows / pl_conf_u64(c, "sim_ssd.pages_per_block") *
		      g->row_pages / row_pages;
	return PL_OK;
}

int ssd_options_read(struct ssd_options *o, const struct dev_args *a, struct pl_fault *f)
{
	const struct pl_conf *c = a->conf;
	*o = (struct ssd_options){
		.gc_low = opt_u32(c, "sim_ssd.gc_low_superblocks"),
		.atomic_blocks = opt_u32(c, "sim_ssd.atomic_blocks"),
		.streams = opt_u32(c, "sim_ssd.streams"),
		.choices = opt_u32(c, "sim_ssd.choices"),
		.collect = (enum ftl_collect)choice(c, "sim_ssd.collect", collect_names),
		.oldest_of_equals = choice(c, "sim_ssd.ties", ties_names) == 1,
		.gc_stream = (enum ftl_gc_stream)choice(c, "sim_ssd.gc_stream", stream_names),
		.fold_pressed = choice(c, "sim_ssd.slc_fold", fold_names) == 0,
		.age = (enum ssd_age)choice(c, "sim_ssd.precondition", age_names),
	};
	int err = geometry_fit(o, a, f);
	if (!err)
		err = times_read(&o->times, &o->geometry, a, f);
	/* each stream may hold all but one page of a unit that waits to be full, the pSLC cache's head, too */
	o->buffer_pages = (uint32_t)pl_max64(pl_conf_u64(c, "sim_ssd.write_buffer_pages"),
		(uint64_t)(o->streams + (o->geometry.slc_supers != 0)) * o->geometry.unit_pages);
	return err;
}

struct ftl_options ssd_ftl_options(const struct ssd_options *o, uint64_t seed)
{
	return (struct ftl_options){
		.logical_pages = o->geometry.logical_pages,
		.supers = o->geometry.supers,
		.super_pages = o->geometry.super_pages,
		.slc_supers = o->geometry.slc_supers,
		.slc_pages = o->geometry.slc_pages,
		.streams = o->streams,
		.reserve = o->gc_low,
		.choices = o->choices,
		.collect = o->collect,
		.oldest_of_equals = o->oldest_of_equals,
		.gc_stream = o->gc_stream,
		.seed = seed,
	};
}
