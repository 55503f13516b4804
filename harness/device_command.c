/* device_command.c - `pagelab device`: a simulated device without the engine, by one command.
 *
 * Every option stands for a key: --pattern for device.pattern, --profile for profile; what a profile or --set says is
 * overruled by an option. Results go to standard output, one JSON object with --json, else a table; progress to standard
 * error, on a terminal only. */
#include "harness/command.h"
#include "harness/device_parts.h"
#include "harness/device_rows.h"
#include "harness/fio_job.h"
#include "harness/options.h"
#include "harness/profile.h"
#include "harness/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char device_help[] =
	"Untimed: how much does a device write for each page of the host's, when it has come to rest?\n"
	"    --pattern uniform | seq | hotcold:90/10 | zipf:0.99 | extents:64M/4\n"
	"    --utilisation U      live pages / raw flash pages, in (0, 0.98]; device_bytes (16G) is the raw flash\n"
	"    --until steady | PAGES | Nx      Nx: turnovers of the live pages; the second half is measured\n"
	"    --cap N              most turnovers until steady\n"
	"    --fill seq | random | class      order of the first writes\n"
	"    --streams            a placement hint for each class of the pattern\n"
	"Timed: how long does one kind of request take?\n"
	"    --op read | write | append | punch | mixed:R | sync | reset | finish | open | close |\n"
	"         truncate | file_open | file_close | move | remove | create\n"
	"    --size BYTES --qd N --count N --warm N   requests, how many in flight, how many measured, and before\n"
	"    --zones N            zones written at a time, or operated on; --zone-requests N: writes before a zone is "
	"left\n"
	"    --fill PERMILLE | SIZE   how full a zone or file is made before each reset, finish, open, close, "
	"truncate;\n"
	"                         --finished: and finished before the reset\n"
	"    --start fresh | seq | random     state of the device before; --region BYTES: use only its first bytes\n"
	"    --sync-writes N      writes before each sync\n"
	"Rates are over all elapsed time, so where requests prepare an operation (file operations, --finished) they "
	"tell\n"
	"little; latencies are the operation's own. Sequential devices: writes follow the pointers of --zones\n"
	"zones (one write at a time each, appends any number); a zone that is used up is left for the next one, which "
	"is\n"
	"emptied out of band, in no time, if it was written before.\n"
	"Of others' making:\n"
	"    --trace FILE         replay fio iologs, blkparse text or MSR CSV: --trace-format F, --trace-speed X or\n"
	"                         --trace-closed QD, --trace-block BYTES, --trace-reorder N, --trace-strict\n"
	"    --fio FILE           run a fio job file\n"
	"Both meet a device that holds nothing, and reads of that cost no flash;\n"
	"--set sim_ssd.precondition=seqfill (or randfill) writes it full before.\n"
	"All: --profile NAME|PATH, --set KEY=VALUE ..., --seed N, --json. Keys: `pagelab list --options`; profiles:\n"
	"`pagelab list --profiles`. Requests carry no bytes.\n"
	"\n"
	"    pagelab device --set sim_ssd.collect=fifo --utilisation 0.85 --pattern hotcold:90/10 --json\n"
	"    pagelab device --profile zn540 --op append --size 16k --qd 4 --count 100000\n"
	"    pagelab device --profile zn540 --op reset --fill 500 --count 200\n";

struct option_key {
	const char *option, *key;
	bool flag;
};

static const struct option_key option_key[] = {{"--pattern", "device.pattern", false},
	{"--utilisation", "device.utilisation", false}, {"--until", "device.until", false},
	{"--cap", "device.cap", false}, {"--fill", "device.fill", false}, {"--streams", "device.streams", true},
	{"--op", "device.op", false}, {"--size", "device.size", false}, {"--qd", "device.qd", false},
	{"--count", "device.count", false}, {"--warm", "device.warm", false}, {"--zones", "device.zones", false},
	{"--zone-requests", "device.zone_requests", false}, {"--start", "device.start", false},
	{"--finished", "device.finished", true}, {"--region", "device.region_bytes", false},
	{"--sync-writes", "device.sync_writes", false}, {"--seed", "seed", false}, {"--profile", "profile", false}};
#define KEYS PL_COUNT(option_key)

struct progress {
	bool terminal, shown;
	uint64_t told_ns;
};

static bool on_progress(void *arg, const char *phase, uint64_t done, uint64_t of, uint64_t elapsed_ns)
{
	struct progress *p = arg;
	if (p->terminal && elapsed_ns > p->told_ns + 200000000) {
		(void)fprintf(stderr, "\r\033[K%s: %" PRIu64 " of at most %" PRIu64 ", %.0f s", phase, done, of,
			(double)elapsed_ns / 1e9);
		(void)fflush(stderr);
		p->told_ns = elapsed_ns;
		p->shown = true;
	}
	return !lab_interrupted();
}

static int code_of(int err, const char *text)
{
	if (err == PL_INTERRUPTED)
		return lab_error(LAB_AGAIN, "interrupted; there is no result");
	int code = err == PL_INVALID ? LAB_USAGE : lab_exit_code(err);
	return lab_error(code ? code : LAB_FAILED, "%s", *text ? text : pl_err_text(err));
}

static int set_key(struct pl_conf *conf, const struct option_key *k, const char *value)
{
	struct pl_fault f = {0};
	int err = strncmp(k->key, "device.", 7) == 0 ? device_run_check_value(k->key + 7, value, &f) : PL_OK;
	if (!err)
		err = pl_conf_set(conf, k->key, value, &f);
	return err ? lab_error(LAB_USAGE, "device: %s", f.text) : LAB_OK;
}

static int run_and_print(const struct pl_conf *conf, bool json)
{
	struct progress p = {.terminal = isatty(STDERR_FILENO) == 1};
	struct device_run_args a = {.conf = conf, .progress = on_progress, .arg = &p};
	struct device_result r;
	struct pl_fault f = {0};
	int code = LAB_OK, err = device_run(&a, &r, &f);
	if (p.shown)
		(void)fputs("\r\033[K", stderr);
	if (err) {
		code = code_of(err, f.text);
	} else if (json) {
		json_t *o = device_json(&r, conf);
		(void)json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
		(void)putchar('\n');
		json_decref(o);
	} else {
		device_print(stdout, &r, conf);
	}
	if (!err && !r.timed && !r.steady)
		(void)lab_error(LAB_OK,
			"warning: the write amplification was not steady: quarters of what was measured differ by "
			"%.2f %%",
			r.spread * 100);
	device_result_free(&r);
	return code;
}

/* ---- requests of others' making ---- */

struct foreign { /* a trace or a job file */
	const char *trace, *fio;
	struct trace_words words;
};

static void keep_number(void *arg, const char *key, uint64_t value)
{
	(void)json_object_set_new(arg, key, json_integer((json_int_t)value));
}

/* Reads of what was never written cost no flash: true of a new device, seldom what was meant. */
static void warn_of_unwritten(const struct pl_conf *conf, struct dev *d)
{
	struct dev_stats s;
	uint64_t host = 0;
	if (strcmp(d->ops->name, "sim_ssd") != 0 || strcmp(pl_conf_str(conf, "sim_ssd.precondition"), "fresh") != 0)
		return;
	dev_stats(d, &s);
	for (size_t i = 0; i < DEV_TAGS; i++)
		host += s.host_read_bytes[i];
	if (s.media_read_bytes < host / 2)
		(void)lab_error(LAB_OK,
			"warning: of %" PRIu64 " bytes read, %" PRIu64
			" came from flash; blocks never written are read at once; "
			"--set sim_ssd.precondition=seqfill writes all of them before",
			host, s.media_read_bytes);
}

/* The caller owns *out. */
static int replay(const struct pl_conf *conf, const struct foreign *x, struct dev *d, json_t **out, struct pl_fault *f)
{
	struct device_tally *tally = tally_new();
	struct trace_options o;
	struct trace_result r;
	json_t *detail = NULL;
	int err;
	if (x->trace) {
		err = trace_options_parse(&x->words, &o, f);
		if (!err)
			err = trace_replay(d, 0, &o, x->trace, tally, &r, f);
		if (!err)
			detail = trace_json(&r);
	} else {
		err = fio_job_run(d, 0, x->fio, pl_conf_u64(conf, "seed"), tally, &detail, f);
	}
	if (!err) {
		warn_of_unwritten(conf, d);
		json_t *describe = json_object();
		dev_describe(d, keep_number, describe);
		*out = json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o}", "device", d->ops->name, "kind",
			x->trace ? "trace" : "fio", "profile", pl_conf_str(conf, "profile"), x->trace ? "trace" : "fio",
			detail, "elapsed_ns", (json_int_t)tally_elapsed_ns(tally), "operations",
			tally_json(tally, &d->caps), "describe", describe);
	}
	free(tally);
	return err;
}

static int replay_and_print(const struct pl_conf *conf, const struct foreign *x, bool json)
{
	struct pl_fault f = {0};
	struct dev *d = NULL;
	json_t *o = NULL;
	int err = device_open_alone(conf, &d, &f);
	if (!err)
		err = replay(conf, x, d, &o, &f);
	dev_close(d);
	if (err) /* a file that cannot be read is a mistake of the command line */
		return code_of(err == PL_IO ? PL_INVALID : err, f.text);
	(void)json_dumpf(o, stdout, (json ? JSON_COMPACT : JSON_INDENT(4)) | JSON_REAL_PRECISION(10));
	(void)putchar('\n');
	json_decref(o);
	return LAB_OK;
}

/* What of the other kinds of run was given, too; or NULL. */
static const char *conflict(const struct foreign *x, const struct pl_conf *conf)
{
	const struct trace_words *w = &x->words;
	if (x->trace && x->fio)
		return "--fio";
	for (size_t i = 0; (x->trace || x->fio) && i < KEYS; i++)
		if (strncmp(option_key[i].key, "device.", 7) == 0 && pl_conf_is_set(conf, option_key[i].key))
			return option_key[i].option;
	if (!x->trace && (w->format || w->speed || w->closed || w->block || w->reorder || w->strict))
		return "a --trace option without --trace";
	return NULL;
}

int cmd_device(int argc, char **argv)
{
	const char *text[KEYS] = {NULL};
	bool flag[KEYS] = {false}, json = false;
	struct foreign foreign = {0};
	struct arg options[KEYS + 10] = {{.name = "--set"}, {.name = "--json", .flag = &json}};
	const struct arg more[] = {{.name = "--trace", .text = &foreign.trace}, {.name = "--fio", .text = &foreign.fio},
		{.name = "--trace-format", .text = &foreign.words.format},
		{.name = "--trace-speed", .text = &foreign.words.speed},
		{.name = "--trace-closed", .text = &foreign.words.closed},
		{.name = "--trace-block", .text = &foreign.words.block},
		{.name = "--trace-reorder", .text = &foreign.words.reorder},
		{.name = "--trace-strict", .flag = &foreign.words.strict}};
	struct arg_list set = {0}, none = {0};
	struct pl_conf conf;
	struct pl_fault f = {0};
	options[0].list = &set;
	for (size_t i = 0; i < KEYS; i++) {
		options[i + 2].name = option_key[i].option;
		if (option_key[i].flag)
			options[i + 2].flag = &flag[i];
		else
			options[i + 2].text = &text[i];
	}
	_Static_assert(PL_COUNT(more) + KEYS + 2 == PL_COUNT(options), "all options are in the one table");
	memcpy(options + KEYS + 2, more, sizeof more);
	lab_conf_init(&conf);
	lab_catch_signals();
	int code = args_parse("device", options, PL_COUNT(options), argc, argv, &none);
	if (!code && none.n)
		code = lab_error(LAB_USAGE, "device takes no '%s'; keys follow --set", none.item[0]);
	if (!code)
		code = args_set(&conf, &set, &none, &none);
	for (size_t i = 0; !code && i < KEYS; i++)
		if (text[i] || flag[i])
			code = set_key(&conf, &option_key[i], flag[i] ? "1" : text[i]);
	if (!code && profile_apply_named(&conf, &f))
		code = lab_error(LAB_USAGE, "%s", f.text);
	const char *stranger = code ? NULL : conflict(&foreign, &conf);
	if (stranger)
		code = lab_error(LAB_USAGE,
			"device: one run is of a trace (--trace), of a job file (--fio), timed (--op) or untimed; %s "
			"is too much",
			stranger);
	bool is_foreign = foreign.trace || foreign.fio;
	int err = code || is_foreign ? PL_OK : device_run_check(&conf, &f);
	if (err)
		code = code_of(err, f.text);
	if (!code)
		code = is_foreign ? replay_and_print(&conf, &foreign, json) : run_and_print(&conf, json);
	pl_conf_free(&conf);
	free(set.item);
	free(none.item);
	return code;
}
