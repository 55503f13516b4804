/* report.c - `pagelab report`: the table of an experiment's results on the terminal, from the result files alone; and the
 * drawn page, if plots/report.py and a python are there. Exits 1 if a run failed
 * or a judged claim fails (harness/expect.h).
 *
 * One line per configuration: the swept keys, then medians over seeds of ratios that were computed per run. */
#include "harness/command.h"
#include "harness/expect.h"
#include "harness/experiment.h"
#include "results/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

struct measure;
struct table { /* of engine runs, of device runs, of runs of layouts */
	const struct measure *measure;
	size_t n;
	const char *row; /* that such runs have; NULL: phases */
};

struct row {
	const char **cell;
	double *value;
	size_t seeds;
};

/* ---- measures, each from one phase of one run; negative: there is none */

static double ratio(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : -1;
}

static double m_kops(const json_t *p)
{
	return ratio(res_number(p, "operations"), res_number(p, "elapsed_ns")) * 1e6;
}
static double p99_us(const json_t *p, const char *key)
{
	return json_object_get(p, key) ? (double)res_number(p, key) / 1e3 : -1;
}
static double m_read(const json_t *p)
{
	return p99_us(p, "read_service_p99_ns");
}
static double m_update(const json_t *p)
{
	const char *const key[] = {"update_service_p99_ns", "rmw_service_p99_ns", "insert_service_p99_ns"};
	for (size_t i = 0; i < PL_COUNT(key); i++)
		if (json_object_get(p, key[i]))
			return p99_us(p, key[i]);
	return -1;
}
static double m_engine(const json_t *p)
{
	return ratio(res_number(p, "host_write_bytes"), res_number(p, "user_write_bytes"));
}
static double m_device(const json_t *p)
{
	return res_number(p, "media_write_bytes")
		       ? ratio(res_number(p, "media_write_bytes"), res_number(p, "host_write_bytes"))
		       : -1;
}
static double m_space(const json_t *p)
{
	return ratio(res_number(p, "device_used_bytes"), res_number(p, "logical_bytes"));
}
static double m_hits(const json_t *p)
{
	return ratio(res_number(p, "pool_hits"), res_number(p, "pool_hits") + res_number(p, "pool_misses")) * 100;
}

/* Of device runs: the derived row, and for latencies the operation that was asked for. */
static double real_of(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);
	return json_is_number(v) ? json_number_value(v) : -1;
}
static double m_amplification(const json_t *row)
{
	return real_of(row, "write_amplification");
}
static double m_effective(const json_t *row)
{
	return real_of(row, "utilisation_effective");
}
static double m_fifo(const json_t *row)
{
	return real_of(row, "formula_fifo");
}
static double m_greedy(const json_t *row)
{
	return real_of(row, "formula_greedy");
}
static double m_device_kops(const json_t *row)
{
	double v = real_of(row, "operations_per_second");
	return v < 0 ? v : v / 1e3;
}
static double m_bandwidth(const json_t *row)
{
	return real_of(row, "bandwidth_mib_per_s");
}
/* Of the only operation; of mixed runs that of the reads, where writes precede syncs that of the syncs. */
static double of_operation(const json_t *row, const char *ending)
{
	const char *key;
	char sync[64];
	json_t *value;
	(void)snprintf(sync, sizeof sync, "sync%s", ending);
	if (json_object_get(row, sync))
		return real_of(row, sync);
	json_object_foreach((json_t *)row, key, value)
	{
		size_t n = strlen(key), end = strlen(ending);
		if (n > end && strcmp(key + n - end, ending) == 0)
			return json_number_value(value);
	}
	return -1;
}
static double m_mean(const json_t *row)
{
	return of_operation(row, "_latency_mean_us");
}
static double m_p99(const json_t *row)
{
	return of_operation(row, "_latency_p99_us");
}

/* Of runs of layouts. */
static double m_lines(const json_t *row)
{
	return real_of(row, "lines_per_lookup");
}
static double m_leaf_lines(const json_t *row)
{
	return real_of(row, "leaf_lines_per_lookup");
}
static double m_loaded_lines(const json_t *row)
{
	return real_of(row, "loaded_lines_per_lookup");
}
static double m_comparisons(const json_t *row)
{
	return real_of(row, "comparisons_per_lookup");
}
static double m_record_comparisons(const json_t *row)
{
	return real_of(row, "record_comparisons_per_lookup");
}
static double m_read_bytes(const json_t *row)
{
	return real_of(row, "read_bytes_per_lookup");
}
static double m_record_bytes(const json_t *row)
{
	return real_of(row, "bytes_per_record");
}
static double m_fill(const json_t *row)
{
	return real_of(row, "fill");
}

struct measure {
	const char *name;
	double (*of)(const json_t *row);
};
static const struct measure of_device[] = {{"WA", m_amplification}, {"u effective", m_effective},
	{"FIFO theory", m_fifo}, {"greedy theory", m_greedy}, {"kops/s", m_device_kops}, {"MiB/s", m_bandwidth},
	{"mean us", m_mean}, {"p99 us", m_p99}};
static const struct measure of_node[] = {{"lines", m_lines}, {"leaf lines", m_leaf_lines},
	{"prefetched too", m_loaded_lines}, {"comparisons", m_comparisons}, {"with records", m_record_comparisons},
	{"bytes read", m_read_bytes}, {"bytes/record", m_record_bytes}, {"fill", m_fill}};
static const struct measure of_engine[] = {{"kops/s", m_kops}, {"read p99 us", m_read}, {"write p99 us", m_update},
	{"WA engine", m_engine}, {"WA device", m_device}, {"space amp", m_space}, {"hits %", m_hits}};
#define MEASURES 8 /* most of the two */
_Static_assert(PL_COUNT(of_device) <= MEASURES && PL_COUNT(of_node) <= MEASURES && PL_COUNT(of_engine) <= MEASURES,
	"rows have room for all measures");

/* ---- the table */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static bool ended_with(const struct res_run *r, const char *status)
{
	return r->end && strcmp(res_text(r->end, "status"), status) == 0;
}

/* Swept keys of all runs but the seed, in order of appearance. */
static void columns_of(const struct res_runs *runs, struct arg_list *out)
{
	for (size_t i = 0; i < runs->n; i++) {
		const char *key;
		json_t *value;
		json_object_foreach(json_object_get(runs->run[i].run, "sweep"), key, value)
		{
			size_t k = 0;
			while (k < out->n && strcmp(out->item[k], key) != 0)
				k++;
			if (k == out->n && strcmp(key, "seed") != 0)
				arg_add(out, key);
		}
	}
}

static const char *cell_of(const struct res_run *r, const char *key)
{
	const char *v = res_text(json_object_get(r->run, "spec"), key);
	return *v ? v : "-";
}

static bool same_row(const struct row *row, const struct res_run *r, const struct arg_list *columns)
{
	if (strcmp(row->cell[0], res_text(r->run, "group")) != 0)
		return false;
	for (size_t k = 0; k < columns->n; k++)
		if (strcmp(row->cell[k + 1], cell_of(r, columns->item[k])) != 0)
			return false;
	return true;
}

static void row_add(struct row *row, const struct table *t, const json_t *phase)
{
	row->value = lab_realloc(row->value, (row->seeds + 1) * MEASURES * sizeof *row->value);
	for (size_t m = 0; m < t->n; m++)
		row->value[row->seeds * MEASURES + m] = t->measure[m].of(phase);
	row->seeds++;
}

static const json_t *row_named(const struct res_run *r, const char *kind)
{
	for (size_t i = 0; i < json_array_size(r->rows); i++)
		if (strcmp(res_text(json_array_get(r->rows, i), "row"), kind) == 0)
			return json_array_get(r->rows, i);
	return NULL;
}

static size_t rows_of(
	const struct res_runs *runs, const struct table *t, const struct arg_list *columns, struct row **out)
{
	struct row *rows = NULL;
	size_t n = 0;
	for (size_t i = 0; i < runs->n; i++) {
		const struct res_run *r = &runs->run[i];
		const json_t *phase = t->row ? row_named(r, "derived") : res_phase(r, "run");
		size_t k = 0;
		if (!ended_with(r, "ok") || !phase || (t->row && !row_named(r, t->row)))
			continue;
		while (k < n && !same_row(&rows[k], r, columns))
			k++;
		if (k == n) {
			rows = lab_realloc(rows, (n + 1) * sizeof *rows);
			rows[n] = (struct row){.cell = lab_calloc(columns->n + 1, sizeof(char *))};
			rows[n].cell[0] = res_text(r->run, "group");
			for (size_t c = 0; c < columns->n; c++)
				rows[n].cell[c + 1] = cell_of(r, columns->item[c]);
			n++;
		}
		row_add(&rows[k], t, phase);
	}
	*out = rows;
	return n;
}

static void format_measure(char *out, size_t cap, const struct row *row, size_t m)
{
	double v[1024];
	size_t n = 0;
	for (size_t i = 0; i < row->seeds && n < PL_COUNT(v); i++)
		if (row->value[i * MEASURES + m] >= 0)
			v[n++] = row->value[i * MEASURES + m];
	if (!n)
		lab_copy(out, cap, "-");
	else
		(void)snprintf(out, cap, v[0] >= 1000 ? "%.0f" : v[0] >= 100 ? "%.1f" : "%.2f", median(v, n));
}

/* Device runs are of two kinds that measure different things. */
static bool any_has(const struct row *rows, size_t n, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < rows[i].seeds; k++)
			if (rows[i].value[k * MEASURES + m] >= 0)
				return true;
	return false;
}

static bool concerns_any(const struct row *rows, size_t n, size_t k)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].cell[k], "-") != 0)
			return true;
	return false;
}

static void print_table(const struct table *t, const struct row *rows, size_t n, const struct arg_list *columns)
{
	size_t width[64] = {0}, keys = columns->n < 60 ? columns->n : 60;
	bool grouped = false;
	for (size_t i = 0; i < n; i++) {
		grouped |= strcmp(rows[i].cell[0], rows[0].cell[0]) != 0;
		for (size_t k = 0; k <= keys; k++)
			width[k] = (size_t)pl_max64(width[k], strlen(rows[i].cell[k]));
	}
	for (size_t k = 1; k <= keys; k++) /* a key that concerns none of these runs has no column */
		width[k] = concerns_any(rows, n, k) ? (size_t)pl_max64(width[k], strlen(columns->item[k - 1])) : 0;
	width[0] = grouped ? (size_t)pl_max64(width[0], 5) : 0;
	for (size_t i = 0; i <= n; i++) {
		if (grouped)
			printf("%-*s  ", (int)width[0], i ? rows[i - 1].cell[0] : "group");
		for (size_t k = 1; k <= keys; k++)
			if (width[k])
				printf("%-*s  ", (int)width[k], i ? rows[i - 1].cell[k] : columns->item[k - 1]);
		const char *before = "";
		for (size_t m = 0; m < t->n; m++) {
			const char *name = t->measure[m].name;
			char text[40];
			if (t->row && !any_has(rows, n, m))
				continue;
			if (i)
				format_measure(text, sizeof text, &rows[i - 1], m);
			printf("%s%*s", before, (int)pl_max64(9, strlen(name)), i ? text : name);
			before = "  ";
		}
		(void)putchar('\n');
	}
}

/* Returns whether there was any. */
static bool print_runs(const struct table *t, const struct res_runs *runs, const struct arg_list *columns)
{
	struct row *rows;
	size_t n = rows_of(runs, t, columns, &rows);
	if (n)
		print_table(t, rows, n, columns);
	for (size_t i = 0; i < n; i++) {
		free(rows[i].cell);
		free(rows[i].value);
	}
	free(rows);
	return n > 0;
}

static bool is_of(const struct res_run *r, const struct spec *s)
{
	return strcmp(res_text(r->run, "run_id"), s->run_id) == 0;
}

/* Runs of the experiment's file, or 0 if there is none here or these results are of another; *missing: without a file. */
static size_t runs_wanted(const struct res_runs *runs, size_t *missing)
{
	struct experiment e;
	size_t found = 0, legal = 0, n = 0;
	if (experiment_load(res_text(runs->run[0].run, "experiment"), &e, NULL))
		return 0;
	for (size_t i = 0; i < runs->n; i++)
		legal += !ended_with(&runs->run[i], "skipped");
	for (size_t i = 0; i < e.runs; i++) {
		const struct res_run *r = NULL;
		for (size_t k = 0; k < runs->n && !r; k++)
			r = is_of(&runs->run[k], &e.run[i]) ? &runs->run[k] : NULL;
		found += r != NULL;
		legal -= r && !ended_with(r, "skipped");
	}
	if (!legal) {
		n = e.runs;
		*missing = n - found;
	}
	experiment_free(&e);
	return n;
}

/* Returns how many runs and judged claims failed. */
static size_t print_results(const struct res_runs *runs, json_t *readings)
{
	static const struct table engine = {of_engine, PL_COUNT(of_engine), NULL},
				  device = {of_device, PL_COUNT(of_device), "device"},
				  node = {of_node, PL_COUNT(of_node), "node"};
	struct arg_list columns = {0};
	size_t failed = 0, skipped = 0;
	struct claim_tally claims;
	columns_of(runs, &columns);
	const json_t *hints = json_object_get(runs->run[0].run, "hints");
	printf("%s%s%s\n", res_text(runs->run[0].run, "experiment"), *res_text(hints, "title") ? ": " : "",
		res_text(hints, "title"));
	bool engines = print_runs(&engine, runs, &columns);
	(void)print_runs(&device, runs, &columns);
	(void)print_runs(&node, runs, &columns);
	for (size_t i = 0; i < runs->n; i++) {
		const struct res_run *r = &runs->run[i];
		skipped += ended_with(r, "skipped");
		if (!ended_with(r, "ok") && !ended_with(r, "skipped")) {
			failed++;
			printf("%s: %s: %s\n", res_text(r->run, "label"),
				r->end ? res_text(r->end, "status") : "incomplete",
				r->end ? res_text(r->end, "reason") : "the file has no end row");
		}
	}
	size_t missing = 0, wanted = runs_wanted(runs, &missing);
	if (missing)
		printf("%zu of %zu runs; %zu are missing\n", wanted - missing, wanted, missing);
	printf("%zu runs ok, %zu failed, %zu skipped. ", runs->n - failed - skipped, failed, skipped);
	if (engines)
		printf("Phase run; medians over seeds; WA = write amplification (device: media bytes\n"
		       "per host byte), space amp = device bytes in use per byte of keys and values.\n");
	else
		printf("Medians over seeds; WA = write amplification; theory, of untimed runs: closed\n"
		       "forms for uniform overwrites at the effective utilisation; us: latency.\n");
	claims_report(runs, stdout, &claims, readings);
	free(columns.item);
	return claims.failed + failed;
}

/* ---- the drawn page */

int run_python(char *const argv[])
{
	int status = 0;
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execv(PYTHON, argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint64_t changed_ns(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec : 0;
}

/* What the page tells of the claims; written anew only when it changed, for the page is as old as its oldest source. */
static void write_claims(const char *path, const json_t *readings)
{
	char *text = json_dumps(readings, JSON_INDENT(1)), *old = lab_read_file(path);
	FILE *out = old && strcmp(old, text) == 0 ? NULL : fopen(path, "we");
	if (out) {
		(void)fputs(text, out);
		(void)fclose(out);
	}
	free(old);
	free(text);
}

static bool is_current(const char *page, const char *claims, const struct res_runs *runs)
{
	if (changed_ns(claims) >= changed_ns(page))
		return false;
	for (size_t i = 0; i < runs->n; i++)
		if (changed_ns(runs->run[i].path) >= changed_ns(page))
			return false;
	return true;
}

static int draw(const char *runs, const char *name)
{
	char *scripts[3], *explain = lab_find_file("plots/explain.py"), *figures = lab_printf("%s/figures", runs),
			  *page = lab_printf("%s/report.html", runs);
	char *paper = lab_printf("plots/paper/%s.py", name);
	struct pl_fault f;
	int code = 0;
	scripts[0] = lab_find_file("plots/quick.py");
	scripts[1] = lab_find_file(paper);
	scripts[2] = lab_find_file("plots/report.py");
	if (scripts[2] && access(PYTHON, X_OK) == 0 && lab_mkdirs(figures, &f) == PL_OK) {
		char python_name[] = PYTHON, to[] = "--out", with[] = "--figures", *directory = lab_strdup(runs);
		char any[] = "--if-any", stem[] = "--stem={name}.explain";
		for (int i = 0; i < 2 && !code; i++)
			if (scripts[i])
				code = run_python((char *[]){python_name, scripts[i], directory, to, figures, NULL});
		if (explain && !code)
			code = run_python((char *[]){python_name, explain, directory, any, stem, to, figures, NULL});
		if (!code)
			code = run_python(
				(char *[]){python_name, scripts[2], directory, with, figures, to, page, NULL});
		free(directory);
	}
	for (int i = 0; i < 3; i++)
		free(scripts[i]);
	free(explain);
	free(paper);
	free(figures);
	free(page);
	return code;
}

/* Absolute, for the drawing programs change theirs. */
char *results_directory(const char *exp)
{
	if (lab_is_dir(exp))
		return realpath(exp, NULL);
	char *copy = lab_strdup(exp), *name = basename(copy);
	size_t n = strlen(name);
	if (n > 4 && strcmp(name + n - 4, ".ini") == 0)
		name[n - 4] = 0;
	char *relative = lab_printf("results/runs/%s", name), *path = lab_find_file(relative);
	char *whole = path ? realpath(path, NULL) : NULL;
	free(copy);
	free(relative);
	free(path);
	return whole;
}

int cmd_report(int argc, char **argv)
{
	struct arg_list exp = {0};
	struct res_runs runs;
	struct pl_fault f = {0};
	int code = args_parse("report", NULL, 0, argc, argv, &exp);
	if (!code && exp.n != 1)
		code = lab_error(LAB_USAGE, "report wants one experiment");
	char *directory = code ? NULL : results_directory(exp.item[0]);
	if (!code && !directory)
		code = lab_error(
			LAB_USAGE, "there are no results of %s; `pagelab run %s` makes them", exp.item[0], exp.item[0]);
	if (!code && res_load_all((const char *[]){directory}, 1, &runs, &f))
		code = lab_error(LAB_FAILED, "%s", f.text);
	else if (!code) {
		char *page = lab_printf("%s/report.html", directory);
		json_t *readings = json_array();
		char *claims = lab_printf("%s/claims.json", directory);
		code = print_results(&runs, readings) ? LAB_FAILED : LAB_OK;
		write_claims(claims, readings);
		json_decref(readings);
		(void)fflush(stdout);
		if (!is_current(page, claims, &runs) && draw(directory, res_text(runs.run[0].run, "experiment")) != 0)
			(void)lab_error(LAB_OK, "the table above is complete, but the page could not be drawn");
		else if (lab_exists(page))
			printf("%s\n", page);
		free(claims);
		free(page);
		res_unload_all(&runs);
	}
	free(directory);
	free(exp.item);
	return code;
}
