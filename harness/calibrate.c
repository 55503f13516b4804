/* calibrate.c - from measured times to a profile, and `pagelab calibrate`.
 *
 * How sim_ssd answers a single request on a device that was filled in order (sim_ssd.c), for requests within one row:
 *     read   read_command_ns + read_ns + KiB / channel + KiB / link          write  write_command_ns + KiB / link
 *     sync   write_command_ns + 4 KiB / channel + program_ns
 * so that two lines and a flush give all of them but the number of dies and how much of a read's base holds a die: these
 * two are chosen among a few by running the model at every number of threads that was measured.
 *
 * Rows are as long as the longest request (1 MiB), so that one request is on one die, and have as many planes as keep
 * programs, which take as long as a flush, from slowing down writes below the measured rate. None of this claims that
 * the device is built so. */
#include "harness/calibrate.h"

#include "harness/command.h"
#include "harness/options.h"
#include "harness/profile.h"

#include "engine/base/rng.h"
#include "variants/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB(i) (4u << (i)) /* of size i */
#define MODEL_BYTES ((uint64_t)8 << 30)
#define MODEL_CALLS 64u
#define MODEL_READS 2000u /* for each number of threads */
#define RATE_MAX ((uint64_t)1 << 50) /* of sim_ssd's rates: as good as no time */

/* ---- lines */

/* Relative least squares, sum of ((base + slope x - y) / y)^2; a negative part is left out and the other refitted. */
struct calibrate_line calibrate_fit(const struct calibrate_cell cell[CALIBRATE_SIZES])
{
	double w = 0, wx = 0, wxx = 0, wy = 0, wxy = 0;
	for (int i = 0; i < CALIBRATE_SIZES; i++) {
		double x = KIB(i), y = cell[i].p50_ns ? (double)cell[i].p50_ns : 1, weight = 1 / (y * y);
		w += weight;
		wx += weight * x;
		wxx += weight * x * x;
		wy += weight * y;
		wxy += weight * x * y;
	}
	struct calibrate_line l = {.slope_ns = (w * wxy - wx * wy) / (w * wxx - wx * wx)};
	l.base_ns = (wy - l.slope_ns * wx) / w;
	if (l.slope_ns < 0)
		l = (struct calibrate_line){.base_ns = wy / w};
	if (l.base_ns < 0)
		l = (struct calibrate_line){.slope_ns = wxy / wxx};
	return l;
}

static double at(const struct calibrate_line *l, double kib)
{
	return l->base_ns + l->slope_ns * kib;
}

static uint64_t rounded(double v)
{
	return v > 0 ? (uint64_t)(v + 0.5) : 0;
}

/* Bytes a second of a slope in ns a KiB. */
static uint64_t rate(double slope_ns)
{
	double r = slope_ns > 0 ? 1024e9 / slope_ns : (double)RATE_MAX;
	return r >= (double)RATE_MAX ? RATE_MAX : pl_max64(rounded(r), 1);
}

/* ---- the model's answers */

struct rig {
	struct pl_conf conf;
	struct dev *dev;
	struct pl_rng rng;
	uint64_t now_ns;
};

static int set_u64(struct pl_conf *c, const char *key, uint64_t value, struct pl_fault *f)
{
	char text[32];
	(void)snprintf(text, sizeof text, "%" PRIu64, value);
	return pl_conf_set(c, key, text, f);
}

static int rig_open(struct rig *g, struct pl_fault *f)
{
	struct kv_choice choice;
	g->dev = NULL;
	g->now_ns = 0;
	pl_rng_seed(&g->rng, 42, 0);
	int err = reg_choose(&g->conf, &choice, f);
	if (!choice.device)
		return err;
	if (choice.device->real)
		return pl_fault_set(f, PL_INVALID, "device %s is no model", choice.device->name);
	struct dev_args a = {.conf = &g->conf,
		.seed = 1,
		.capacity_bytes = pl_conf_u64(&g->conf, "device_bytes"),
		.block_bytes = 4096,
		.contentless = true};
	return dev_open(choice.device, &a, &g->dev, f);
}

static int rig_call(struct rig *g, struct dev_req *r)
{
	int err = dev_submit(g->dev, g->now_ns, r);
	for (struct dev_req *done = NULL; !err && !done; done = dev_poll(g->dev, g->now_ns))
		g->now_ns = pl_max64(g->now_ns, dev_next_ns(g->dev));
	return err ? err : r->status;
}

/* One request after the other; the mean. */
static int rig_calls(struct rig *g, enum dev_op op, uint32_t blocks, uint32_t n, uint64_t *mean_ns)
{
	uint64_t sum = 0, places = MODEL_BYTES / 8 / 4096 / (blocks ? blocks : 1);
	for (uint32_t i = 0; i < n; i++) {
		struct dev_req r = {
			.op = op, .blocks = blocks, .block = blocks ? pl_rng_below(&g->rng, places) * blocks : 0};
		int err = rig_call(g, &r);
		if (err)
			return err;
		sum += r.done_ns - r.submit_ns;
	}
	*mean_ns = sum / n;
	return PL_OK;
}

/* In order, 1 MiB at a time. */
static int rig_fill(struct rig *g)
{
	int err = PL_OK;
	for (uint64_t at = 0; !err && at < MODEL_BYTES / 8 / 4096; at += 256) {
		struct dev_req r = {.op = DEV_WRITE, .block = at, .blocks = 256};
		err = rig_call(g, &r);
	}
	return err;
}

static int rig_sync(struct rig *g, uint64_t *mean_ns)
{
	uint64_t sum = 0, ns, ignored;
	int err = rig_calls(g, DEV_SYNC, 0, 1, &ignored); /* what was written before */
	for (int i = 0; !err && i < 16; i++) {
		err = rig_calls(g, DEV_WRITE, 1, 1, &ignored);
		if (!err)
			err = rig_calls(g, DEV_SYNC, 0, 1, &ns);
		sum += err ? 0 : ns;
	}
	*mean_ns = sum / 16;
	return err;
}

/* Reads of one block by so many at once, in a second. */
static int rig_threads(struct rig *g, uint32_t threads, uint64_t *reads_per_s)
{
	struct dev_req r[1u << (CALIBRATE_THREADS - 1)];
	uint64_t begin_ns = g->now_ns, submitted = 0, done = 0;
	int err = PL_OK;
	for (uint32_t i = 0; !err && i < threads; i++, submitted++) {
		r[i] = (struct dev_req){
			.op = DEV_READ, .blocks = 1, .block = pl_rng_below(&g->rng, MODEL_BYTES / 8 / 4096)};
		err = dev_submit(g->dev, g->now_ns, &r[i]);
	}
	while (!err && done < submitted) {
		g->now_ns = pl_max64(g->now_ns, dev_next_ns(g->dev));
		for (struct dev_req *d; !err && (d = dev_poll(g->dev, g->now_ns)); done++)
			if (submitted < MODEL_READS) {
				*d = (struct dev_req){.op = DEV_READ,
					.blocks = 1,
					.block = pl_rng_below(&g->rng, MODEL_BYTES / 8 / 4096)};
				err = dev_submit(g->dev, g->now_ns, d);
				submitted++;
			}
	}
	*reads_per_s = err ? 0 : rounded((double)done * 1e9 / (double)pl_max64(g->now_ns - begin_ns, 1));
	return err;
}

static int rig_fault(const struct rig *g, int err, struct pl_fault *f)
{
	return err ? pl_fault_set(f, err, "device %s: %s", g->dev->ops->name, pl_err_text(err)) : PL_OK;
}

int calibrate_model(const char *profile, struct calibrate_model *out, struct pl_fault *f)
{
	struct rig g;
	struct profile p = {0};
	memset(out, 0, sizeof *out);
	lab_conf_init(&g.conf);
	int err = profile_load(profile, &p, f);
	if (!err)
		err = profile_apply(&p, &g.conf, f);
	profile_free(&p);
	bool ssd = !err && strcmp(pl_conf_str(&g.conf, "device"), "sim_ssd") == 0;
	if (ssd)
		err = pl_conf_set(&g.conf, "sim_ssd.precondition", "seqfill", f);
	if (!err)
		err = rig_open(&g, f);
	if (!err) {
		if (!ssd)
			err = rig_fill(&g);
		for (int i = 0; !err && i < CALIBRATE_SIZES; i++)
			err = rig_calls(&g, DEV_READ, 1u << i, MODEL_CALLS, &out->read_ns[i]);
		for (int i = 0; !err && ssd && i < CALIBRATE_THREADS; i++)
			err = rig_threads(&g, 1u << i, &out->reads_per_s[i]);
		for (int i = 0; !err && i < CALIBRATE_SIZES; i++)
			err = rig_calls(&g, DEV_WRITE, 1u << i, MODEL_CALLS, &out->write_ns[i]);
		if (!err)
			err = rig_sync(&g, &out->sync_ns);
		err = rig_fault(&g, err, f);
		dev_close(g.dev);
	}
	pl_conf_free(&g.conf);
	return err;
}

/* ---- sim_ssd: dies */

static int set_law(struct pl_conf *c, const struct calibrate_law *l, struct pl_fault *f)
{
	const struct {
		const char *key;
		uint64_t value;
	} key[] = {{"sim_ssd.channels", l->dies}, {"sim_ssd.dies_per_channel", 1}, {"sim_ssd.planes", l->planes},
		{"sim_ssd.flash_page_bytes", 1u << 20}, {"sim_ssd.pages_per_block", 1}, {"sim_ssd.read_ns", l->read_ns},
		{"sim_ssd.read_command_ns", l->read_command_ns},
		{"sim_ssd.channel_bytes_per_s", l->channel_bytes_per_s},
		{"sim_ssd.link_bytes_per_s", l->link_bytes_per_s}, {"device_bytes", MODEL_BYTES / 8}};
	int err = PL_OK;
	for (size_t i = 0; !err && i < PL_COUNT(key); i++)
		err = set_u64(c, key[i].key, key[i].value, f);
	if (!err)
		err = pl_conf_set(c, "device", "sim_ssd", f);
	if (!err)
		err = pl_conf_set(c, "sim_ssd.op_permille", "5000", f); /* room for superblocks of one row on 64 dies */
	return err ? err : pl_conf_set(c, "sim_ssd.precondition", "seqfill", f);
}

/* Sum of the squares of the relative errors over the numbers of threads. */
static int judge(const struct calibrate_result *r, const struct calibrate_law *l, double *error, struct pl_fault *f)
{
	struct rig g;
	lab_conf_init(&g.conf);
	*error = 0;
	int err = set_law(&g.conf, l, f);
	if (!err)
		err = rig_open(&g, f);
	if (!err) {
		for (int i = 0; !err && i < CALIBRATE_THREADS; i++) {
			uint64_t model;
			err = rig_threads(&g, 1u << i, &model);
			double e = (double)model / (double)pl_max64(r->reads_per_s[i], 1) - 1;
			*error += e * e;
		}
		err = rig_fault(&g, err, f);
		dev_close(g.dev);
	}
	pl_conf_free(&g.conf);
	return err;
}

static int find_dies(const struct calibrate_result *r, struct calibrate_law *l, struct pl_fault *f)
{
	static const uint32_t dies[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
	double least = -1, error;
	struct calibrate_law best = *l;
	for (size_t d = 0; d < PL_COUNT(dies); d++)
		for (uint32_t share = 1; share <= 10; share++) { /* tenths of the base that hold a die */
			struct calibrate_law t = *l;
			t.dies = dies[d];
			t.planes = 1;
			t.read_ns = rounded(l->read.base_ns * share / 10);
			t.read_command_ns = rounded(l->read.base_ns) - t.read_ns;
			int err = judge(r, &t, &error, f);
			if (err)
				return err;
			if (least < 0 || error < least) {
				least = error;
				best = t;
			}
		}
	*l = best;
	return PL_OK;
}

int calibrate_find_law(const struct calibrate_result *r, struct calibrate_law *out, struct pl_fault *f)
{
	struct calibrate_law l = {
		.read = calibrate_fit(r->read), .write = calibrate_fit(r->write), .planes = 1, .dies = 1};
	double much = (double)r->sync_much.p50_ns, little = (double)r->sync_little.p50_ns;
	l.sync_ns = little;
	l.sync_page_ns = much > little ? (much - little) / CALIBRATE_SYNC_MUCH : 0;
	if (r->direct) {
		double link = l.read.slope_ns < l.write.slope_ns ? l.read.slope_ns : l.write.slope_ns;
		double channel = l.read.slope_ns - link;
		l.link_bytes_per_s = rate(link);
		l.channel_bytes_per_s = rate(channel);
		l.write_command_ns = rounded(l.write.base_ns);
		l.program_ns = rounded(little - l.write.base_ns - 4 * channel);
		int err = find_dies(r, &l, f);
		if (err)
			return err;
		while (l.planes < 16 && (double)l.planes * l.dies * 1024 * l.write.slope_ns < (double)l.program_ns)
			l.planes *= 2;
	}
	*out = l;
	return PL_OK;
}

/* ---- the profile */

static void line(struct lab_text *t, const char *key, uint64_t value, const char *source)
{
	lab_text_addf(t, "%s = %" PRIu64 " ; %s\n", key, value, source);
}

static void head(struct lab_text *t, const struct calibrate_result *r, const char *device)
{
	lab_text_addf(t, "# Measured here %s on %s,\n", r->date, r->where);
	lab_text_addf(t, "# %s, in a place of %" PRIu64 " MiB; caches of the device below may have held all of it.\n",
		r->direct ? "past the page cache (direct I/O)" : "through the page cache", r->size_bytes >> 20);
	lab_text_add(t,
		"# Lines: relative least squares through the medians of 4 KiB to 1 MiB, one call at a time. Tails are "
		"not in it.\n"
		"# Not measured, so left at the model's defaults: collection, erase, spare flash, wear, trims.\n"
		"#\n# KiB, p50 (mean, p99) in us of reads; of writes; calls\n");
	for (int i = 0; i < CALIBRATE_SIZES; i++) {
		const struct calibrate_cell *c[2] = {&r->read[i], &r->write[i]};
		lab_text_addf(t, "#   %4u", KIB(i));
		for (int k = 0; k < 2; k++)
			lab_text_addf(t, "  %.1f (%.1f, %.1f)", (double)c[k]->p50_ns / 1e3, (double)c[k]->mean_ns / 1e3,
				(double)c[k]->p99_ns / 1e3);
		lab_text_addf(t, "  %" PRIu64 ", %" PRIu64 "\n", c[0]->n, c[1]->n);
	}
	lab_text_addf(t,
		"# flush after 4 KiB: p50 %.1f us, n=%" PRIu64 "; after 1 MiB: p50 %.1f us, n=%" PRIu64
		"\n# reads a second, 1 to 64 threads:",
		(double)r->sync_little.p50_ns / 1e3, r->sync_little.n, (double)r->sync_much.p50_ns / 1e3,
		r->sync_much.n);
	for (int i = 0; i < CALIBRATE_THREADS; i++)
		lab_text_addf(t, " %" PRIu64, r->reads_per_s[i]);
	lab_text_addf(t, "\n\n[profile]\nsummary = measured here %s, %s, %s\ndevice = %s\n", r->date,
		r->direct ? "direct I/O" : "page cache", r->where, device);
	line(t, "device_bytes", MODEL_BYTES, "not measured: room for the runs of the comparison");
}

static char *source_of(const struct calibrate_result *r, const char *what, const struct calibrate_cell *c)
{
	return lab_printf("measured here %s on %s: %s, n=%" PRIu64 ", p50 at 4 KiB %.1f us", r->date, r->where, what,
		c->n, (double)c->p50_ns / 1e3);
}

char *calibrate_profile(const struct calibrate_result *r, const struct calibrate_law *l)
{
	struct lab_text t = {0};
	char *read = source_of(r, "line of the reads", &r->read[0]),
	     *write = source_of(r, "line of the writes", &r->write[0]);
	char *sync = source_of(r, "flush after one write", &r->sync_little);
	char *dies = source_of(r, "nearest to the reads a second by 1 to 64 threads", &r->read[0]);
	head(&t, r, r->direct ? "sim_ssd" : "sim_opfs");
	if (r->direct) {
		line(&t, "sim_ssd.channels", l->dies, dies);
		line(&t, "sim_ssd.dies_per_channel", 1, "as above: channels stand for dies");
		line(&t, "sim_ssd.planes", l->planes,
			"chosen so that programs do not slow writes below their measured rate");
		line(&t, "sim_ssd.flash_page_bytes", 1u << 20,
			"chosen: the longest request that was measured lies on one die");
		line(&t, "sim_ssd.pages_per_block", 1, "not measured: the smallest");
		line(&t, "sim_ssd.read_ns", l->read_ns, dies);
		line(&t, "sim_ssd.read_command_ns", l->read_command_ns, read);
		line(&t, "sim_ssd.write_command_ns", l->write_command_ns, write);
		line(&t, "sim_ssd.program_ns", l->program_ns, sync);
		line(&t, "sim_ssd.channel_bytes_per_s", l->channel_bytes_per_s, read);
		line(&t, "sim_ssd.link_bytes_per_s", l->link_bytes_per_s,
			l->read.slope_ns < l->write.slope_ns ? read : write);
		line(&t, "sim_ssd.write_buffer_pages", pl_max64(2ull * l->dies * l->planes * 256, 65536),
			"chosen: 256 MiB or two units for each die; no limit was seen while less was written");
	} else {
		line(&t, "sim_opfs.read_ns", rounded(l->read.base_ns), read);
		line(&t, "sim_opfs.read_ns_per_kib", rounded(l->read.slope_ns), read);
		line(&t, "sim_opfs.write_ns", rounded(l->write.base_ns), write);
		line(&t, "sim_opfs.write_ns_per_kib", rounded(l->write.slope_ns), write);
		line(&t, "sim_opfs.first_write_ns_per_kib", 0, "not measured: all blocks were there before");
		line(&t, "sim_opfs.new_file_write_ns", 0, "not measured: the file was there before");
		line(&t, "sim_opfs.grow_ns", 0, "not measured: the file had its size before");
		line(&t, "sim_opfs.flush_ns", rounded(l->sync_ns - l->sync_page_ns), sync);
		line(&t, "sim_opfs.flush_ns_per_page", rounded(l->sync_page_ns), sync);
	}
	free(read);
	free(write);
	free(sync);
	free(dies);
	return t.s;
}

/* ---- the command */

static bool on_progress(void *arg, const char *what)
{
	const bool *terminal = arg;
	if (*terminal) {
		(void)fprintf(stderr, "\r\033[K%s", what);
		(void)fflush(stderr);
	}
	return true;
}

static double percent(uint64_t model, uint64_t measured)
{
	return measured ? ((double)model / (double)measured - 1) * 100 : 0;
}

static void print_comparison(
	const struct calibrate_result *r, const struct calibrate_law *l, const struct calibrate_model *m)
{
	const struct calibrate_line *const law[2] = {&l->read, &l->write};
	const struct calibrate_cell *const cell[2] = {r->read, r->write};
	const uint64_t *const model[2] = {m->read_ns, m->write_ns};
	static const char *const name[2] = {"read", "write"};
	for (int k = 0; k < 2; k++) {
		printf("\n%s: %.1f us + %.3f us/KiB\n%8s %10s %10s %10s %10s %10s %8s\n", name[k],
			law[k]->base_ns / 1e3, law[k]->slope_ns / 1e3, "KiB", "mean us", "p50 us", "p99 us", "law us",
			"model us", "to p50");
		for (int i = 0; i < CALIBRATE_SIZES; i++)
			printf("%8u %10.1f %10.1f %10.1f %10.1f %10.1f %+7.1f%%\n", KIB(i),
				(double)cell[k][i].mean_ns / 1e3, (double)cell[k][i].p50_ns / 1e3,
				(double)cell[k][i].p99_ns / 1e3, at(law[k], KIB(i)) / 1e3, (double)model[k][i] / 1e3,
				percent(model[k][i], cell[k][i].p50_ns));
	}
	printf("\nflush after 4 KiB: mean %.1f us, p50 %.1f us, model %.1f us, %+.1f%%; after 1 MiB: p50 %.1f us\n",
		(double)r->sync_little.mean_ns / 1e3, (double)r->sync_little.p50_ns / 1e3, (double)m->sync_ns / 1e3,
		percent(m->sync_ns, r->sync_little.p50_ns), (double)r->sync_much.p50_ns / 1e3);
	printf("\n%8s %12s %12s\n", "threads", "reads/s", "model");
	for (int i = 0; i < CALIBRATE_THREADS; i++)
		if (m->reads_per_s[i])
			printf("%8u %12" PRIu64 " %12" PRIu64 " %+7.1f%%\n", 1u << i, r->reads_per_s[i],
				m->reads_per_s[i], percent(m->reads_per_s[i], r->reads_per_s[i]));
		else
			printf("%8u %12" PRIu64 " %12s\n", 1u << i, r->reads_per_s[i], "takes turns");
}

/* Beside its place first, then by a rename: a profile is there in full or not at all. */
static int write_profile(const char *path, const char *text, bool force, struct pl_fault *f)
{
	char *scratch = lab_printf("%s.%ld.ini", path, (long)getpid());
	int fd = open(scratch, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644), err = PL_OK;
	size_t n = strlen(text);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) != 0)
		err = pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	if (!err && (force ? rename(scratch, path) : link(scratch, path)) != 0)
		err = pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	(void)unlink(scratch);
	free(scratch);
	return err;
}

/* A profile of the text, long enough to run the model. */
static int run_model(const char *text, struct calibrate_model *m, struct pl_fault *f)
{
	char path[] = "/tmp/pagelab-profile-XXXXXX.ini";
	int fd = mkstemps(path, 4);
	if (fd < 0)
		return pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	size_t n = strlen(text);
	int err = write(fd, text, n) == (ssize_t)n
			  ? calibrate_model(path, m, f)
			  : pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
	(void)close(fd);
	(void)unlink(path);
	return err;
}

static int calibrate(const struct calibrate_options *o, const char *out, bool force)
{
	static struct calibrate_result r;
	struct calibrate_law law;
	struct calibrate_model m;
	struct pl_fault f = {0};
	bool terminal = isatty(STDERR_FILENO) == 1;
	char *text = NULL;
	int err = calibrate_measure(o, on_progress, &terminal, &r, &f);
	if (!err)
		(void)on_progress(&terminal, "fitting");
	if (!err)
		err = calibrate_find_law(&r, &law, &f);
	if (!err) {
		text = calibrate_profile(&r, &law);
		err = run_model(text, &m, &f);
	}
	if (!err && lab_interrupted())
		err = pl_fault_set(&f, PL_INTERRUPTED, "interrupted");
	if (!err)
		err = write_profile(out, text, force, &f);
	free(text);
	if (terminal)
		(void)fputs("\r\033[K", stderr);
	if (err == PL_INTERRUPTED)
		return lab_error(LAB_AGAIN, "interrupted; no profile was written");
	if (err)
		return lab_error(err == PL_INVALID ? LAB_USAGE : LAB_FAILED, "%s", f.text);
	printf("%s: %s\n", out,
		r.direct ? "direct I/O, model sim_ssd"
			 : "through the page cache (no direct I/O here), model sim_opfs: calls take turns");
	print_comparison(&r, &law, &m);
	return LAB_OK;
}

static int size_option(const char *text, uint64_t *out)
{
	static const struct pl_opt size = {"--size", PL_OPT_BYTES, "0", 1u << 24, (uint64_t)1 << 50, NULL, NULL};
	struct pl_fault f = {0};
	char value[32];
	if (pl_opt_canonical(&size, "calibrate: --size", text, value, sizeof value, &f))
		return lab_error(LAB_USAGE, "%s", f.text);
	*out = strtoull(value, NULL, 10);
	return LAB_OK;
}

/* Measuring takes long: that its result has no place should be known before. */
static int check_place(const char *out)
{
	char *copy = lab_strdup(out);
	const char *directory = dirname(copy);
	int code = LAB_OK;
	if (access(directory, W_OK | X_OK) != 0)
		code = lab_error(LAB_USAGE, "calibrate: --out: cannot write to the directory %s: %s", directory,
			strerror(errno));
	else if (!lab_is_dir(directory))
		code = lab_error(LAB_USAGE, "calibrate: --out: %s is no directory", directory);
	free(copy);
	return code;
}

int cmd_calibrate(int argc, char **argv)
{
	struct arg_list none = {0};
	struct calibrate_options o = {.size_bytes = (uint64_t)256 << 20};
	char *profiles = lab_find_file("harness/devices");
	char *measured = lab_printf("%s/measured.ini", profiles ? profiles : "harness/devices");
	const char *size = NULL, *out = measured;
	bool force = false;
	const struct arg options[] = {{.name = "--path", .text = &o.path}, {.name = "--size", .text = &size},
		{.name = "--out", .text = &out}, {.name = "--quick", .flag = &o.quick},
		{.name = "--force", .flag = &force}, {.name = "--destroy", .flag = &o.destroy},
		{.name = "--buffered", .flag = &o.buffered}};
	int code = args_parse("calibrate", options, PL_COUNT(options), argc, argv, &none);
	size_t n = strlen(out);
	if (!code && none.n)
		code = lab_error(LAB_USAGE, "calibrate takes no '%s'; the place is named with --path", none.item[0]);
	if (!code && !o.path)
		code = lab_error(
			LAB_USAGE, "calibrate wants --path: a file that does not exist, a directory or a block device");
	if (!code && size)
		code = size_option(size, &o.size_bytes);
	if (!code && (n < 5 || strcmp(out + n - 4, ".ini") != 0))
		code = lab_error(LAB_USAGE, "calibrate: --out: the name of a profile ends in .ini, '%s' does not", out);
	if (!code && lab_exists(out) && !force)
		code = lab_error(
			LAB_USAGE, "calibrate: %s exists; name another with --out, or replace it with --force", out);
	if (!code)
		code = check_place(out);
	if (!code) {
		lab_catch_signals();
		code = calibrate(&o, out, force);
	}
	free(measured);
	free(profiles);
	free(none.item);
	return code;
}
