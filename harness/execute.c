/* execute.c - one run: device, store, phases, rows.
 *
 *     format, open | load | settle (checkpoint) | warm | run | verify | reopen (close, open) | verify_again | close
 *
 * Each phase gives a phase row (differences of all counters over it), and those that issue operations give hist and
 * series rows. A device run has no phases: it gives a device row, hist rows and a derived row; a run of layouts a
 * node, a derived and a wall row. The first thing that goes wrong ends the run: the rows so far stay, the end row says
 * failed and why.
 *
 * Invariants:
 *  1. A file that ends with status ok was verified as far as the spec asks.
 *  2. Exact rows depend on the spec, its experiment and the code only.
 *  3. An interrupted run leaves no result file and no scratch file. */
#include "harness/execute.h"

#include "harness/device_file.h"
#include "harness/device_rows.h"
#include "harness/driver.h"
#include "harness/facts.h"
#include "harness/node_run.h"
#include "harness/options.h"
#include "harness/util.h"
#include "results/reader.h"
#include "results/writer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct exec {
	const struct exec_args *a;
	struct device_result device; /* of a device run, which has nothing else of this */
	struct node_result node; /* of a run of layouts, likewise */
	const struct spec *s;
	struct exec_state *state;
	struct pl_conf conf; /* the spec's, with what follows from the workload */
	struct res_file *out;
	struct drv d;
	struct expected expected;
	struct res_counters at; /* the counters where the present phase began */
	char *path, *scratch; /* of a real device; scratch: to be deleted */
	uint64_t device_bytes;
	struct pl_fault f;
};

char *exec_name(const struct spec *s)
{
	return lab_printf("%04" PRIu64 "-%s", s->index, s->run_id);
}

bool exec_finished(const struct spec *s, const char *directory, char *revision, size_t cap, struct pl_fault *f)
{
	char *name = exec_name(s), *path = lab_printf("%s/%s.jsonl", directory, name);
	bool yes = res_finished(path, s->run_id, revision, cap, f);
	free(name);
	free(path);
	return yes;
}

/* ---- rows */

static json_t *words_object(const struct spec_word *w, size_t n)
{
	json_t *o = json_object();
	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(o, w[i].key, json_string(w[i].value));
	return o;
}

static json_t *workload_facts(const struct wl *w)
{
	struct wl_facts facts;
	wl_facts(w, &facts);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "records", (json_int_t)wl_records(w), "operations",
		(json_int_t)wl_operations(w), "theta_micro", (json_int_t)(facts.theta * 1e6 + 0.5), "items",
		(json_int_t)facts.items, "key_bytes_mean_milli", (json_int_t)facts.key_bytes_mean_milli,
		"value_lz4_permille", (json_int_t)facts.value_lz4_permille);
}

static json_t *run_row(const struct exec *x)
{
	const struct spec *s = x->s;
	const struct experiment *e = x->a->experiment;
	json_t *choices = json_object(), *hints = e ? words_object(e->hint, e->hints) : json_object();
	for (int a = 0; a < REG_AXES; a++)
		(void)json_object_set_new(choices, reg_axis_name[a], json_string(s->axis[a]));
	json_t *row = json_pack("{s:s, s:i, s:s, s:s, s:I, s:s, s:s, s:I, s:b}", "row", "run", "schema",
		RES_SCHEMA_VERSION, "experiment", s->experiment, "group", s->group, "index", (json_int_t)s->index,
		"label", s->label, "run_id", s->run_id, "seed", (json_int_t)s->seed, "simulated",
		(int)(x->d.dev ? x->d.dev->caps.simulated : s->simulated));
	const struct dev_caps *caps = x->d.dev ? &x->d.dev->caps : &x->device.caps;
	if (caps->block_bytes)
		(void)json_object_update_new(row,
			json_pack("{s:b, s:i, s:I}", "punch", (int)caps->punch, "block_bytes", (int)caps->block_bytes,
				"device_bytes", (json_int_t)(caps->capacity_blocks * caps->block_bytes)));
	(void)json_object_set_new(row, "choices", choices);
	(void)json_object_set_new(row, "sweep", words_object(s->sweep, s->sweeps));
	(void)json_object_set_new(row, "spec", words_object(s->word, s->words));
	json_t *device_options = json_object();
	lab_options_in_force(s->conf, s->axis[REG_DEVICE], device_options);
	(void)json_object_set_new(row, "device_options", device_options);
	if (x->d.wl)
		(void)json_object_set_new(row, "workload_facts", workload_facts(x->d.wl));
	(void)json_object_set_new(row, "hints", hints);
	(void)json_object_set_new(row, "expect", words_object(s->expect, s->expects));
	return row;
}

static void put_metric(void *arg, const struct res_metric *m, uint64_t value)
{
	(void)json_object_set_new(arg, m->name, json_integer((json_int_t)value));
}

static void phase_row(struct exec *x, const char *phase, const struct res_counters *c, const struct drv_result *r)
{
	json_t *row = json_pack("{s:s, s:s}", "row", "phase", "phase", phase);
	res_each(c, put_metric, row);
	for (int k = 0; r && k < WL_KINDS; k++)
		for (int l = 0; l < RES_LATENCIES; l++)
			for (int q = 0; r->hist[l][k].count && q < RES_QUANTILES; q++)
				put_metric(row,
					res_latency_metric((enum wl_kind)k, (enum res_latency)l, (enum res_quantile)q),
					q == RES_MAX ? r->hist[l][k].greatest
						     : pl_hist_quantile(&r->hist[l][k], res_quantile_permyriad[q]));
	res_row(x->out, row, true);
}

static void hist_rows(struct exec *x, const char *phase, const struct drv_result *r)
{
	for (int k = 0; k < WL_KINDS; k++)
		for (int l = 0; l < RES_LATENCIES; l++) {
			const struct pl_hist *h = &r->hist[l][k];
			json_t *buckets = json_array();
			for (uint32_t i = 0; h->count && i < PL_HIST_BUCKETS; i++)
				if (h->bucket[i])
					(void)json_array_append_new(
						buckets, json_pack("[I, I]", (json_int_t)pl_hist_upper(i),
								 (json_int_t)h->bucket[i]));
			if (!h->count) {
				json_decref(buckets);
				continue;
			}
			res_row(x->out,
				json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "row", "hist", "phase",
					phase, "op", wl_kind_name[k], "kind", res_latency_name[l], "count",
					(json_int_t)h->count, "sum_ns", (json_int_t)h->sum, "least_ns",
					(json_int_t)h->least, "greatest_ns", (json_int_t)h->greatest, "buckets",
					buckets),
				true);
		}
}

static uint64_t sum_tags(const uint64_t *by_tag)
{
	uint64_t sum = 0;
	for (int i = 0; i < DEV_TAGS; i++)
		sum += by_tag[i];
	return sum;
}

static void series_rows(struct exec *x, const char *phase, const struct drv_result *r)
{
	for (size_t i = 0; i < r->points; i++) {
		const struct drv_point *p = &r->point[i];
		json_t *row = json_pack("{s:s, s:s}", "row", "series", "phase", phase);
		const struct {
			const char *name;
			uint64_t value;
		} cell[] = {{"t_ns", p->t_ns}, {"interval_ns", p->interval_ns}, {"operations", p->operations},
			{"response_p50_ns", p->p50_ns}, {"response_p99_ns", p->p99_ns}, {"response_max_ns", p->max_ns},
			{"user_write_bytes", p->counters.kv.user_write_bytes},
			{"host_read_bytes", sum_tags(p->counters.dev.host_read_bytes)},
			{"host_write_bytes", sum_tags(p->counters.dev.host_write_bytes)},
			{"media_write_bytes", p->counters.dev.media_write_bytes},
			{"pool_hits", p->counters.kv.pool_hits}, {"pool_misses", p->counters.kv.pool_misses},
			{"live_bytes", p->counters.kv.live_bytes}, {"dead_bytes", p->counters.kv.dead_bytes}};
		for (size_t c = 0; c < PL_COUNT(cell); c++)
			(void)json_object_set_new(row, cell[c].name, json_integer((json_int_t)cell[c].value));
		res_row(x->out, row, true);
	}
}

/* ---- phases */

static bool on_progress(void *arg, uint64_t done, uint64_t of, uint64_t elapsed_ns)
{
	struct exec *x = arg;
	x->state->done = done;
	x->state->of = of;
	x->state->elapsed_ns = elapsed_ns;
	return !lab_interrupted();
}

static void begin_phase(struct exec *x, const char *phase)
{
	lab_copy(x->state->phase, sizeof x->state->phase, phase);
	x->state->done = x->state->of = x->state->elapsed_ns = 0;
	drv_tick(&x->d);
	drv_read_counters(&x->d, &x->at);
}

static void end_phase(struct exec *x, const char *phase, const struct drv_result *r)
{
	struct res_counters now, difference;
	uint64_t records;
	drv_tick(&x->d);
	expected_totals(&x->expected, &records, &x->d.total.logical_bytes);
	drv_read_counters(&x->d, &now);
	res_difference(&x->at, &now, &difference);
	phase_row(x, phase, &difference, r);
}

static bool wanted(const struct exec *x, const char *phase)
{
	const char *p = pl_conf_str(&x->conf, "phases");
	size_t n = strlen(phase);
	for (; p; p = strchr(p, '+') ? strchr(p, '+') + 1 : NULL)
		if (strncmp(p, phase, n) == 0 && (p[n] == '+' || !p[n]))
			return true;
	return false;
}

static int operations_phase(struct exec *x, const char *phase, const struct drv_phase *p)
{
	if (!p->operations)
		return PL_OK;
	struct drv_result *r = drv_result_new();
	begin_phase(x, phase);
	int err = drv_run(&x->d, p, r, &x->f);
	if (err != PL_INTERRUPTED) {
		end_phase(x, phase, r);
		hist_rows(x, phase, r);
		series_rows(x, phase, r);
	}
	if (strcmp(phase, "run") == 0) {
		x->state->operations = r->counters.driver.operations;
		x->state->run_ns = r->counters.driver.elapsed_ns;
	}
	drv_result_free(r);
	return err;
}

static int load_phase(struct exec *x)
{
	return operations_phase(x, "load",
		&(struct drv_phase){.load = true,
			.operations = wl_records(x->d.wl),
			.no_wait = !pl_conf_bool(&x->conf, "load_wait")});
}

static int settle_phase(struct exec *x)
{
	begin_phase(x, "settle");
	int err = kv_checkpoint(x->d.kv, &x->d.x);
	if (err)
		(void)pl_fault_set(&x->f, err, "checkpoint failed: %s: %s", pl_err_text(err), kv_fault_text(x->d.kv));
	end_phase(x, "settle", NULL);
	return err;
}

static uint64_t warm_operations(const struct exec *x)
{
	uint64_t part = (uint64_t)(pl_conf_real(&x->conf, "warm") * (double)wl_operations(x->d.wl));
	return pl_max64(part, pl_conf_u64(&x->conf, "warm_operations"));
}

static int warm_phase(struct exec *x)
{
	return operations_phase(x, "warm",
		&(struct drv_phase){.operations = warm_operations(x),
			.target_ops_per_second = pl_conf_u64(&x->conf, "target_ops_per_second")});
}

static int run_phase(struct exec *x)
{
	return operations_phase(x, "run",
		&(struct drv_phase){.operations = wl_operations(x->d.wl),
			.target_ops_per_second = pl_conf_u64(&x->conf, "target_ops_per_second"),
			.series_points = pl_conf_u64(&x->conf, "series_points")});
}

static int verify_phase(struct exec *x, const char *phase)
{
	if (!pl_conf_bool(&x->conf, "verify"))
		return PL_OK;
	begin_phase(x, phase);
	int err = drv_verify(&x->d, &x->f);
	if (!err && pl_conf_bool(&x->conf, "check"))
		err = kv_check(x->d.kv, &x->d.x, &x->f);
	if (err != PL_INTERRUPTED)
		end_phase(x, phase, NULL);
	return err;
}

static int close_store(struct exec *x)
{
	struct kv *kv = x->d.kv;
	x->d.kv = NULL;
	drv_tick(&x->d);
	return kv ? kv_close(kv, &x->d.x, &x->f) : PL_OK;
}

static int open_store(struct exec *x)
{
	drv_tick(&x->d);
	return kv_open(&x->s->choice, &x->conf, x->d.dev, &x->d.x, &x->d.kv, &x->f);
}

static int reopen_phase(struct exec *x)
{
	begin_phase(x, "reopen");
	x->at.kv = (struct kv_stats){0}; /* the new store counts from its opening */
	int err = close_store(x);
	if (!err)
		err = open_store(x);
	if (!err)
		end_phase(x, "reopen", NULL);
	return err ? err : verify_phase(x, "verify_again");
}

static int all_phases(struct exec *x)
{
	int err = PL_OK;
	if (wanted(x, "load"))
		err = load_phase(x);
	if (!err && wanted(x, "settle"))
		err = settle_phase(x);
	if (!err && wanted(x, "warm"))
		err = warm_phase(x);
	if (!err && wanted(x, "run"))
		err = run_phase(x);
	if (!err && wanted(x, "verify"))
		err = verify_phase(x, "verify");
	if (!err && wanted(x, "verify") && pl_conf_bool(&x->conf, "reopen"))
		err = reopen_phase(x);
	return err;
}

/* ---- runs of a part alone */

static bool on_device_progress(void *arg, const char *phase, uint64_t done, uint64_t of, uint64_t elapsed_ns)
{
	struct exec *x = arg;
	lab_copy(x->state->phase, sizeof x->state->phase, phase);
	return on_progress(x, done, of, elapsed_ns);
}

static int run_device(struct exec *x)
{
	struct device_run_args a = {.conf = x->s->conf, .progress = on_device_progress, .arg = x};
	int err = device_run(&a, &x->device, &x->f);
	x->d.simulated = true;
	x->state->operations = x->device.submitted;
	x->state->run_ns = x->device.wall_ns;
	return err;
}

static int run_node(struct exec *x)
{
	struct node_run_args a = {.conf = x->s->conf, .progress = on_device_progress, .arg = x};
	int err = node_run(&a, &x->node, &x->f);
	x->d.simulated = true;
	x->state->operations = x->node.counts.lookups;
	x->state->run_ns = x->node.run_ns;
	return err;
}

static void node_rows(struct exec *x)
{
	res_row(x->out, node_row_exact(&x->node), true);
	res_row(x->out, node_row_derived(&x->node), false);
	res_row(x->out, node_row_wall(&x->node), false);
}

static void device_rows(struct exec *x)
{
	res_row(x->out, device_row_exact(&x->device), true);
	for (int op = 0; x->device.timed && op < DEV_OPS; op++) {
		json_t *row = device_row_hist(&x->device, op);
		if (row)
			res_row(x->out, row, true);
	}
	res_row(x->out, device_row_derived(&x->device, x->s->conf), false);
}

/* ---- the run */

static int check_phases(struct exec *x)
{
	static const char *const known[] = {"load", "settle", "warm", "run", "verify"};
	char *text = lab_strdup(pl_conf_str(&x->conf, "phases")), *save = NULL;
	int err = strncmp(text, "load", 4) == 0 && (!text[4] || text[4] == '+')
			  ? PL_OK
			  : pl_fault_set(&x->f, PL_INVALID,
				    "phases: '%s' does not begin with load: the store would be empty", text);
	for (char *p = strtok_r(text, "+", &save); p && !err; p = strtok_r(NULL, "+", &save)) {
		bool is = false;
		for (size_t i = 0; i < PL_COUNT(known); i++)
			is |= strcmp(known[i], p) == 0;
		if (!is)
			err = pl_fault_set(&x->f, PL_INVALID,
				"phases: there is no phase '%s' (load, settle, warm, run, verify)", p);
	}
	free(text);
	return err;
}

/* A file that is empty, a store, or not yet one (it begins with zeros) may become a new store; other files may not. */
static bool may_overwrite(const char *path)
{
	char magic[4] = {0};
	struct stat st;
	FILE *in = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "re") : NULL;
	size_t n = in ? fread(magic, 1, sizeof magic, in) : 0;
	if (in)
		(void)fclose(in);
	return !n || memcmp(magic, "PLAN", sizeof magic) == 0 || memcmp(magic, "\0\0\0\0", sizeof magic) == 0;
}

static int open_device(struct exec *x)
{
	const struct spec *s = x->s;
	const char *path = pl_conf_str(&x->conf, "path");
	if (!s->choice.device->peek && !*path) {
		x->path =
			x->a->keep ? lab_printf("%s/device.img", x->a->keep) : device_scratch_path(s, x->a->directory);
		x->scratch = x->a->keep ? NULL : x->path;
	} else if (!s->choice.device->peek) {
		x->path = lab_strdup(path);
	}
	if (*path && !s->choice.device->peek && !may_overwrite(path))
		return pl_fault_set(&x->f, PL_INVALID,
			"%s holds something that is no store; remove it, or let path name another file", path);
	x->device_bytes = device_size(&x->conf, x->d.wl);
	if (lab_interrupted())
		return pl_fault_set(&x->f, PL_INTERRUPTED, "interrupted");
	struct dev_args a = {.conf = &x->conf,
		.seed = s->seed,
		.capacity_bytes = x->device_bytes,
		.block_bytes = (uint32_t)lab_u64_or(&x->conf, "block_bytes", 4096),
		.path = x->path,
		.create = true};
	return dev_open(s->choice.device, &a, &x->d.dev, &x->f);
}

/* What the workload asks for and this run cannot give. */
static int check_workload(struct exec *x)
{
	const struct wl *w = x->d.wl;
	uint64_t page_bytes = lab_u64_or(&x->conf, "page_bytes", 0);
	if (wl_records(w) > UINT32_MAX)
		return pl_fault_set(&x->f, PL_INVALID, "%" PRIu64 " records are more than a run can hold (%u)",
			wl_records(w), UINT32_MAX);
	if (page_bytes && strcmp(pl_conf_str(&x->conf, "keys"), "file") == 0 && wl_key_bytes_max(w) > page_bytes / 8)
		return pl_fault_set(&x->f, PL_INVALID,
			"%s: its longest key has %u bytes; in pages of %" PRIu64 " bytes keys have at most %" PRIu64
			" (page_bytes / 8)",
			pl_conf_str(&x->conf, "keys.path"), wl_key_bytes_max(w), page_bytes, page_bytes / 8);
	return wl_room(w, wl_operations(w) + warm_operations(x), &x->f);
}

static int set_up(struct exec *x)
{
	const struct spec *s = x->s;
	struct drv *d = &x->d;
	pl_conf_copy(&x->conf, s->conf);
	d->clients = (uint32_t)pl_conf_u64(&x->conf, "clients");
	d->progress = on_progress;
	d->progress_arg = x;
	d->expected = &x->expected;
	int err = check_phases(x);
	if (!err)
		err = wl_open(&x->conf, s->seed, d->clients, &d->wl, &x->f);
	if (!err)
		err = check_workload(x);
	if (err)
		return err;
	expected_init(&x->expected, d->wl);
	if (lab_find_option(&x->conf, "int_keys", NULL) && !pl_conf_is_set(&x->conf, "int_keys"))
		err = pl_conf_set(&x->conf, "int_keys", wl_int_keys(d->wl) ? "1" : "0", &x->f);
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	if (!err && pl_conf_u64(&x->conf, "pool_bytes") > memory)
		err = pl_fault_set(&x->f, PL_INVALID,
			"pool_bytes: %s is more than this machine's memory (%" PRIu64 " bytes)",
			pl_conf_str(&x->conf, "pool_bytes"), memory);
	if (!err)
		err = open_device(x);
	if (err)
		return err;
	d->simulated = d->dev->caps.simulated;
	drv_start_clock(d);
	err = kv_format(&s->choice, &x->conf, s->seed, d->dev, &d->x, &x->f);
	if (err == PL_FULL && d->simulated)
		err = PL_INVALID; /* a device too small is a mistake in the specification */
	return err ? err : open_store(x);
}

static void tear_down(struct exec *x)
{
	if (x->d.kv)
		kv_abandon(x->d.kv);
	dev_close(x->d.dev);
	if (x->d.wl)
		wl_close(x->d.wl);
	expected_free(&x->expected);
	pl_conf_free(&x->conf);
	device_result_free(&x->device);
	if (x->scratch)
		(void)unlink(x->scratch);
	free(x->path);
}

static void finish(struct exec *x, int err, uint64_t start_ns)
{
	struct exec_state *st = x->state;
	st->wall_ms = (pl_clock_ns() - start_ns) / 1000000;
	st->err = err;
	st->status = err == PL_OK            ? EXEC_OK
		     : err == PL_INTERRUPTED ? EXEC_INTERRUPTED
		     : err == PL_UNSUPPORTED ? EXEC_SKIPPED
					     : EXEC_FAILED;
	lab_copy(st->reason, sizeof st->reason, !err ? "" : *x->f.text ? x->f.text : pl_err_text(err));
	if (st->status == EXEC_INTERRUPTED) {
		res_abandon(x->out);
		return;
	}
	static const char *const text[] = {[EXEC_OK] = "ok", [EXEC_FAILED] = "failed", [EXEC_SKIPPED] = "skipped"};
	int write_err = res_end(x->out, text[st->status], st->reason, st->wall_ms, x->d.simulated, &x->f);
	if (write_err && !err) {
		st->status = EXEC_FAILED;
		st->err = write_err;
		lab_copy(st->reason, sizeof st->reason, x->f.text);
	}
}

/* Leave the store if that was asked for; that of a failed run as if its process had died, so that it can be looked at. */
static int keep_store(struct exec *x, int err)
{
	struct pl_fault f = {0};
	if (!x->a->keep || !x->d.dev || err == PL_INTERRUPTED)
		return err;
	if (x->d.kv)
		kv_abandon(x->d.kv);
	x->d.kv = NULL;
	int keep_err = keep_save(x->a->keep, x->s, x->d.dev, &f);
	if (err || !keep_err)
		return err;
	x->f = f;
	return keep_err;
}

void exec_run(const struct exec_args *a, struct exec_state *state)
{
	struct exec x = {.a = a, .s = a->spec, .state = state};
	uint64_t start_ns = pl_clock_ns();
	char *name = exec_name(a->spec);
	*state = (struct exec_state){.status = EXEC_RUNNING};
	int err = res_begin(a->directory, name, &x.out, &x.f);
	free(name);
	if (err) {
		state->err = err;
		state->status = err == PL_AGAIN ? EXEC_BUSY : EXEC_FAILED;
		lab_copy(state->reason, sizeof state->reason, x.f.text);
		return;
	}
	if (a->spec->skip_err)
		err = pl_fault_set(&x.f, PL_UNSUPPORTED, "%s", a->spec->skip);
	else
		err = a->spec->device_run ? run_device(&x) : a->spec->node_run ? run_node(&x) : set_up(&x);
	res_row(x.out, run_row(&x), true);
	res_row(x.out, facts_host_row(x.path && !err ? x.path : a->directory, x.path), false);
	if (!err && a->spec->device_run)
		device_rows(&x);
	else if (!err && a->spec->node_run)
		node_rows(&x);
	else if (!err)
		err = all_phases(&x);
	if (!err)
		err = close_store(&x);
	err = keep_store(&x, err);
	finish(&x, err, start_ns);
	tear_down(&x);
}
