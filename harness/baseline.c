/* baseline.c - `pagelab baseline`: the exact metrics of simulated runs as CSV, and what differs from a committed file.
 *
 *     label,phase,metric,value
 *     ci/small placement=zone,run,host_write_bytes,1234
 *
 * Sorted by bytes, so that a change shows as a small diff. Metrics of value 0 are left out; a missing line means 0 where
 * the phase has other lines. Device runs have one phase, `device`. The phases of verification are left out. `label,end,digest,<hex>` stands for these and for
 * everything that is not a metric. */
#include "harness/command.h"
#include "results/metrics.h"
#include "results/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 40 /* differences printed one by one */

struct line {
	char *key, *value;
}; /* key = label,phase,metric */
struct lines {
	struct line *line;
	size_t n;
};

static void lines_add(struct lines *l, char *key, char *value)
{
	l->line = lab_realloc(l->line, (l->n + 1) * sizeof *l->line);
	l->line[l->n++] = (struct line){key, value};
}

static void lines_free(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->line[i].key);
		free(l->line[i].value);
	}
	free(l->line);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static void run_lines(const struct res_run *r, struct lines *out)
{
	const char *experiment = res_text(r->run, "experiment"), *name = res_text(r->run, "label");
	char *label = lab_printf("%s/%s", experiment, name);
	for (char *p = label; *p; p++)
		if (*p == ',')
			*p = ';';
	for (size_t i = 0; i < json_array_size(r->rows); i++) {
		json_t *row = json_array_get(r->rows, i);
		const char *key;
		json_t *value;
		const char *kind = res_text(row, "row");
		if (strcmp(kind, "device") == 0 || strcmp(kind, "node") == 0)
			json_object_foreach(row, key, value) if (json_is_integer(value) && json_integer_value(value))
				lines_add(out, lab_printf("%s,%s,%s", label, kind, key),
					lab_printf("%" PRIu64, (uint64_t)json_integer_value(value)));
		if (strcmp(kind, "phase") != 0 || strncmp(res_text(row, "phase"), "verify", 6) == 0)
			continue;
		for (size_t m = 0; m < res_metrics(); m++) {
			const struct res_metric *metric = res_metric(m);
			uint64_t v = res_number(row, metric->name);
			if (v && metric->class == RES_EXACT)
				lines_add(out, lab_printf("%s,%s,%s", label, res_text(row, "phase"), metric->name),
					lab_printf("%" PRIu64, v));
		}
	}
	lines_add(out, lab_printf("%s,end,digest", label), lab_strdup(res_text(r->end, "digest")));
	free(label);
}

static int collect(const struct arg_list *paths, struct lines *out, size_t *count)
{
	struct res_runs runs;
	struct pl_fault f = {0};
	int code = LAB_OK;
	if (res_load_all(paths->item, paths->n, &runs, &f))
		return lab_error(LAB_FAILED, "%s", f.text);
	for (size_t i = 0; !code && i < runs.n; i++) {
		const struct res_run *r = &runs.run[i];
		const char *status = r->end ? res_text(r->end, "status") : "incomplete";
		if (strcmp(status, "skipped") == 0 || !json_is_true(json_object_get(r->run, "simulated")))
			continue;
		if (strcmp(status, "ok") != 0)
			code = lab_error(LAB_FAILED, "%s ended with status %s: %s", r->path, status,
				r->end ? res_text(r->end, "reason") : "no end row");
		else {
			run_lines(r, out);
			++*count;
		}
	}
	if (!code && !*count)
		code = lab_error(LAB_FAILED, "there are no simulated runs in %s", paths->item[0]);
	res_unload_all(&runs);
	qsort(out->line, out->n, sizeof *out->line, by_key);
	for (size_t i = 1; !code && i < out->n; i++)
		if (strcmp(out->line[i - 1].key, out->line[i].key) == 0)
			code = lab_error(LAB_FAILED,
				"two runs give %s; give each run of an experiment a label of its own",
				out->line[i].key);
	return code;
}

static int read_csv(const char *path, struct lines *out)
{
	char *text = lab_read_file(path), *save = NULL;
	int number = 0;
	if (!text)
		return lab_error(LAB_USAGE, "cannot read %s: %s", path, strerror(errno));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *comma = strrchr(line, ',');
		number++;
		if (number == 1 && strcmp(line, "label,phase,metric,value") == 0)
			continue;
		if (!comma) {
			free(text);
			return lab_error(LAB_USAGE, "%s:%d: not label,phase,metric,value", path, number);
		}
		*comma = 0;
		lines_add(out, lab_strdup(line), lab_strdup(comma + 1));
	}
	free(text);
	qsort(out->line, out->n, sizeof *out->line, by_key);
	return LAB_OK;
}

static int write_csv(FILE *out, const struct lines *l)
{
	(void)fputs("label,phase,metric,value\n", out);
	for (size_t i = 0; i < l->n; i++)
		(void)fprintf(out, "%s,%s\n", l->line[i].key, l->line[i].value);
	return ferror(out) ? -1 : 0;
}

/* ---- compare */

struct compare {
	size_t differences, better, worse, digests, missing, added;
};

static size_t label_bytes(const char *key)
{
	return strcspn(key, ",");
}

static bool has_label(const struct lines *l, const char *key)
{
	size_t n = label_bytes(key) + 1, low = 0, high = l->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strncmp(l->line[mid].key, key, n);
		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static void differs(struct compare *c, const char *key, const char *before, const char *after)
{
	const char *name = strrchr(key, ',') + 1, *verdict = "";
	bool device = name - key >= 8 && strncmp(name - 8, ",device,", 8) == 0;
	bool node = name - key >= 6 && strncmp(name - 6, ",node,", 6) == 0;
	const struct res_metric *m = device ? res_device_metric(name)
				     : node ? res_node_metric(name)
					    : res_metric_find(name);
	if (!m) {
		c->digests++;
		return;
	}
	uint64_t b = strtoull(before, NULL, 10), a = strtoull(after, NULL, 10);
	bool up = a > b;
	if (m->direction != RES_NONE) {
		bool good = up == (m->direction == RES_HIGHER);
		verdict = good ? ", better" : ", worse";
		c->better += good;
		c->worse += !good;
	}
	if (c->differences++ >= SHOWN_MAX)
		return;
	printf("%s: %s -> %s (%s%" PRIu64 " %s", key, before, after, up ? "+" : "-", up ? a - b : b - a, m->unit);
	if (b)
		printf(", %+.2f %%", ((double)a - (double)b) * 100 / (double)b);
	printf("%s)\n", verdict);
}

/* Lines that only one side has: 0 on the other if the run is there, else the whole run is missing or new. */
static void one_sided(struct compare *c, const struct lines *other, const struct line *l, bool in_base, char *last)
{
	if (has_label(other, l->key)) {
		differs(c, l->key, in_base ? l->value : "0", in_base ? "0" : l->value);
		return;
	}
	size_t n = label_bytes(l->key);
	if (strncmp(last, l->key, n) == 0 && last[n] == 0)
		return;
	(void)snprintf(last, 512, "%.*s", (int)n, l->key);
	printf("%s: %s\n", last,
		in_base ? "the run is in the baseline but not among these runs"
			: "a new run that the baseline does not have");
	c->missing += in_base;
	c->added += !in_base;
}

static int compare(
	const char *file, const struct lines *base, const struct lines *now, const struct arg_list *runs, size_t count)
{
	struct compare c = {0};
	char last_base[512] = "", last_now[512] = "";
	size_t i = 0, k = 0;
	while (i < base->n || k < now->n) {
		int order = i == base->n ? 1 : k == now->n ? -1 : by_key(&base->line[i], &now->line[k]);
		if (order < 0)
			one_sided(&c, now, &base->line[i++], true, last_base);
		else if (order > 0)
			one_sided(&c, base, &now->line[k++], false, last_now);
		else {
			if (strcmp(base->line[i].value, now->line[k].value) != 0)
				differs(&c, base->line[i].key, base->line[i].value, now->line[k].value);
			i++;
			k++;
		}
	}
	if (c.differences > SHOWN_MAX)
		printf("... and %zu more metrics\n", c.differences - SHOWN_MAX);
	if (c.digests && !c.differences)
		printf("%zu digests differ although no metric does: histograms or series changed\n", c.digests);
	if (!c.differences && !c.digests && !c.missing && !c.added) {
		printf("%zu runs, %zu exact values: all as in %s\n", count, now->n, file);
		return LAB_OK;
	}
	printf("%zu metrics differ (%zu better, %zu worse), %zu runs missing, %zu runs new. To accept: pagelab "
	       "baseline --write %s",
		c.differences, c.better, c.worse, c.missing, c.added, file);
	for (size_t r = 0; r < runs->n; r++)
		printf(" %s", runs->item[r]);
	printf("\n");
	return lab_error(LAB_FAILED, "the runs differ from %s", file);
}

int cmd_baseline(int argc, char **argv)
{
	const char *check = NULL, *write = NULL;
	const struct arg options[] = {{.name = "--check", .text = &check}, {.name = "--write", .text = &write}};
	struct arg_list runs = {0};
	struct lines now = {0}, base = {0};
	size_t count = 0;
	int code = args_parse("baseline", options, PL_COUNT(options), argc, argv, &runs);
	if (!code && !runs.n)
		code = lab_error(LAB_USAGE, "baseline wants result files or their directory");
	if (!code && check && write)
		code = lab_error(LAB_USAGE, "baseline: --check and --write exclude each other");
	if (!code && check)
		code = read_csv(check, &base);
	if (!code)
		code = collect(&runs, &now, &count);
	if (!code && check)
		code = compare(check, &base, &now, &runs, count);
	else if (!code && write) {
		FILE *out = fopen(write, "we");
		if (!out || write_csv(out, &now) || fclose(out) != 0)
			code = lab_error(LAB_FAILED, "cannot write %s: %s", write, strerror(errno));
	} else if (!code) {
		(void)write_csv(stdout, &now);
	}
	lines_free(&now);
	lines_free(&base);
	free(runs.item);
	return code;
}
