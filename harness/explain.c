/* explain.c - `pagelab explain`: where each byte written came from, of one run or of several side by side.
 *
 *     client    bytes of keys and values that operations asked to write
 *     leaf ... cleaning    bytes the engine asked the device to write, by source; their sum: host
 *     moved     bytes the device moved itself
 *     padding   bytes programmed although nobody wrote them (a zone finished before it was full); or, below zero,
 *               absorbed: written by the host and overwritten in a random write area before they were programmed.
 *               On devices without zones it is under way: written in this phase and programmed in a later one
 *               (below zero), or the other way round
 *     media     bytes programmed: host + moved + padding
 *
 * The file is not believed. A run is refused, by a sentence and exit code 1, unless
 *  1. the sources sum to host_write_bytes, exactly;
 *  2. what media has beyond host + moved has a cause: padding only where zones were finished, absorbed only where there is
 *     a random write area; on every other device whole blocks, and at no phase's end more programmed than written so far;
 *  3. page images placed = those that made room + those of checkpoints (no fewer than none).
 * (That the rows still have the digest of the last one, the reader sees to.)
 * A device that does not count what it programs (media 0) ends at host.
 *
 * Which kind of page an image is of, is known in bytes (leaf, inner, ...); what dirtied it is not recorded: told are the
 * changes that were made, and what made the images be written. */
#include "harness/command.h"
#include "results/reader.h"

#include "engine/iface/device.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The order of the rows; cleaning last, for it is the consequence of all the others. */
static const enum dev_tag source[DEV_TAGS] = {DEV_TAG_LEAF, DEV_TAG_INNER, DEV_TAG_OVERFLOW, DEV_TAG_MAP, DEV_TAG_LOG,
	DEV_TAG_JOURNAL, DEV_TAG_META, DEV_TAG_CLEAN};

struct balance {
	const struct res_run *run;
	const json_t *phase;
	uint64_t client, by_source[DEV_TAGS], host, moved, media;
	int64_t rest; /* media - host - moved */
	bool counted; /* the device says what it programs */
};

static const char *source_name(size_t i)
{
	return source[i] == DEV_TAG_CLEAN ? "cleaning" : dev_tag_name[source[i]];
}

static uint64_t device_option(const struct balance *b, const char *name)
{
	return strtoull(res_text(json_object_get(b->run->run, "device_options"), name), NULL, 10);
}

static bool zoned(const struct balance *b)
{
	return device_option(b, "sim_zns.zone_bytes") != 0;
}

static const char *rest_name(const struct balance *b)
{
	return b->rest && !zoned(b) ? "under way" : b->rest < 0 ? "absorbed" : "padding";
}

/* ---- the checks */

static int refuse(const struct balance *b, const char *fmt, ...) PL_PRINTF(2, 3);
static int refuse(const struct balance *b, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return lab_error(LAB_FAILED, "%s: %s", b->run->path, text);
}

static int64_t rest_of(const json_t *phase)
{
	uint64_t media = res_number(phase, "media_write_bytes");
	return media ? (int64_t)(media - res_number(phase, "host_write_bytes") - res_number(phase, "media_moved_bytes"))
		     : 0;
}

/* Without zones every byte written is programmed once, if not in this phase; not before it was written. */
static int check_under_way(const struct balance *b)
{
	int64_t ahead = 0, block = (int64_t)pl_max64(res_number(b->run->run, "block_bytes"), 1);
	for (size_t i = 0; i < json_array_size(b->run->rows); i++) {
		const json_t *row = json_array_get(b->run->rows, i);
		if (strcmp(res_text(row, "row"), "phase") != 0)
			continue;
		ahead += rest_of(row);
		if (ahead > 0 || ahead % block)
			return refuse(b,
				"after phase %s media is %" PRId64
				" bytes more than host + moved, which no whole blocks under way explain",
				res_text(row, "phase"), ahead);
	}
	return LAB_OK;
}

static int check_rest(const struct balance *b)
{
	if (!b->counted)
		return b->moved ? refuse(b, "%" PRIu64 " bytes moved, but none programmed", b->moved) : LAB_OK;
	if (!zoned(b))
		return check_under_way(b);
	if (b->rest > 0 && !res_number(b->phase, "zone_finishes"))
		return refuse(b,
			"media %" PRIu64 " - host %" PRIu64 " - moved %" PRIu64 " leaves %" PRId64
			" bytes, but no zone was finished",
			b->media, b->host, b->moved, b->rest);
	if (b->rest < 0 && !device_option(b, "sim_zns.zrwa_bytes"))
		return refuse(b,
			"media %" PRIu64 " is %" PRId64 " bytes less than host %" PRIu64 " + moved %" PRIu64
			", and there is no random write area that could have absorbed them",
			b->media, -b->rest, b->host, b->moved);
	return LAB_OK;
}

static int check(const struct balance *b)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < DEV_TAGS; i++)
		sum += b->by_source[i];
	if (sum != b->host)
		return refuse(
			b, "the sources sum to %" PRIu64 " bytes, but host_write_bytes is %" PRIu64, sum, b->host);
	int code = check_rest(b);
	if (!code && res_number(b->phase, "evictions_dirty") > res_number(b->phase, "page_writes"))
		code = refuse(b, "more images made room than were placed");
	return code;
}

static void balance_of(const struct res_run *r, const json_t *phase, struct balance *b)
{
	*b = (struct balance){.run = r, .phase = phase, .client = res_number(phase, "user_write_bytes")};
	for (size_t i = 0; i < DEV_TAGS; i++) {
		char key[64];
		(void)snprintf(key, sizeof key, "host_write_bytes_%s", dev_tag_name[source[i]]);
		b->by_source[i] = res_number(phase, key);
	}
	b->host = res_number(phase, "host_write_bytes");
	b->moved = res_number(phase, "media_moved_bytes");
	b->media = res_number(phase, "media_write_bytes");
	b->counted = b->media != 0;
	b->rest = rest_of(phase);
}

/* ---- one run: a table of its own */

static uint64_t whole(const struct balance *b)
{
	return b->counted ? b->media : b->host;
}

static void line(const struct balance *b, const char *name, int64_t bytes, bool share)
{
	char percent[16] = "", times[24] = "-";
	if (share && whole(b))
		(void)snprintf(percent, sizeof percent, "%.1f %%", (double)bytes * 100 / (double)whole(b));
	if (b->client)
		(void)snprintf(times, sizeof times, "%.3f", (double)bytes / (double)b->client);
	printf("%-10s  %15" PRId64 "  %8s  %15s\n", name, bytes, percent, times);
}

static void print_images(const struct balance *b)
{
	const json_t *p = b->phase;
	uint64_t images = res_number(p, "page_writes"), room = res_number(p, "evictions_dirty");
	uint64_t changes = res_number(p, "puts") + res_number(p, "updates") + res_number(p, "deletes");
	printf("page images: %" PRIu64 " placed, %" PRIu64 " bytes: %" PRIu64 " to make room in the pool, %" PRIu64
	       " by %" PRIu64 " checkpoints;\n    %" PRIu64 " written home from a journal, %" PRIu64
	       " moved by cleaning\n",
		images, res_number(p, "page_write_bytes"), room, images - room, res_number(p, "checkpoints"),
		res_number(p, "home_writes"), res_number(p, "moved_pages"));
	printf("changes: %" PRIu64 " puts, %" PRIu64 " updates, %" PRIu64 " deletes, %" PRIu64 " splits, %" PRIu64
	       " merges",
		res_number(p, "puts"), res_number(p, "updates"), res_number(p, "deletes"), res_number(p, "splits"),
		res_number(p, "merges"));
	if (changes)
		printf("; %.3f images a put, update or delete", (double)images / (double)changes);
	(void)putchar('\n');
}

static void print_one(const struct balance *b, const char *phase)
{
	printf("%s: %s, phase %s\n\n", res_text(b->run->run, "experiment"), res_text(b->run->run, "label"), phase);
	printf("%-10s  %15s  %8s  %15s\n", "source", "bytes", "share", "per client byte");
	line(b, "client", (int64_t)b->client, false);
	for (size_t i = 0; i < DEV_TAGS; i++)
		line(b, source_name(i), (int64_t)b->by_source[i], true);
	line(b, "= host", (int64_t)b->host, true);
	if (b->counted) {
		line(b, "moved", (int64_t)b->moved, true);
		line(b, rest_name(b), b->rest, true);
		line(b, "= media", (int64_t)b->media, true);
	} else {
		printf("%-10s  %15s\n", "= media", "not counted");
	}
	(void)putchar('\n');
	print_images(b);
}

/* ---- several runs: one line each, in bytes per client byte */

#define COLUMNS (DEV_TAGS + 4)

static const char *column_name(size_t k)
{
	static const char *const sums[] = {"host", "moved", "padding", "media"};
	return k < DEV_TAGS ? source_name(k) : sums[k - DEV_TAGS];
}

static int64_t column_of(const struct balance *b, size_t k)
{
	const int64_t sums[] = {(int64_t)b->host, (int64_t)b->moved, b->rest, (int64_t)b->media};
	return k < DEV_TAGS ? (int64_t)b->by_source[k] : sums[k - DEV_TAGS];
}

static void print_many(const struct balance *b, size_t n, const char *phase)
{
	size_t width = strlen("run");
	bool shown[COLUMNS] = {false};
	shown[DEV_TAGS] = shown[COLUMNS - 1] = true;
	for (size_t i = 0; i < n; i++) {
		width = (size_t)pl_max64(width, strlen(res_text(b[i].run->run, "label")));
		for (size_t k = 0; k < COLUMNS; k++)
			shown[k] |= column_of(&b[i], k) != 0;
	}
	printf("%s: %zu runs, phase %s; bytes written per byte that clients wrote, by source\n\n",
		res_text(b[0].run->run, "experiment"), n, phase);
	printf("%-*s  %13s", (int)width, "run", "client bytes");
	for (size_t k = 0; k < COLUMNS; k++)
		if (shown[k])
			printf("  %8s", column_name(k));
	(void)putchar('\n');
	for (size_t i = 0; i < n; i++) {
		printf("%-*s  %13" PRIu64, (int)width, res_text(b[i].run->run, "label"), b[i].client);
		for (size_t k = 0; k < COLUMNS; k++)
			if (!shown[k])
				continue;
			else if (!b[i].client || (k > DEV_TAGS && !b[i].counted))
				printf("  %8s", "-");
			else
				printf("  %8.3f", (double)column_of(&b[i], k) / (double)b[i].client);
		(void)putchar('\n');
	}
}

/* ---- one object */

static void print_json(const struct balance *b, size_t n, const char *phase)
{
	json_t *runs = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *of = json_object(), *images = json_object();
		static const char *const image[] = {"page_writes", "page_write_bytes", "evictions_dirty", "checkpoints",
			"home_writes", "moved_pages", "puts", "updates", "deletes", "splits", "merges"};
		for (size_t k = 0; k < DEV_TAGS; k++)
			(void)json_object_set_new(of, source_name(k), json_integer((json_int_t)b[i].by_source[k]));
		for (size_t k = 0; k < PL_COUNT(image); k++)
			(void)json_object_set_new(
				images, image[k], json_integer((json_int_t)res_number(b[i].phase, image[k])));
		json_t *one = json_pack("{s:s, s:s, s:s, s:O?, s:I, s:o, s:I}", "experiment",
			res_text(b[i].run->run, "experiment"), "run_id", res_text(b[i].run->run, "run_id"), "label",
			res_text(b[i].run->run, "label"), "choices", json_object_get(b[i].run->run, "choices"),
			"client_bytes", (json_int_t)b[i].client, "host_bytes_by_source", of, "host_bytes",
			(json_int_t)b[i].host);
		if (b[i].counted) {
			(void)json_object_set_new(one, "moved_bytes", json_integer((json_int_t)b[i].moved));
			(void)json_object_set_new(one, "padding_bytes", json_integer((json_int_t)b[i].rest));
			(void)json_object_set_new(one, "media_bytes", json_integer((json_int_t)b[i].media));
		}
		(void)json_object_set_new(one, "pages", images);
		(void)json_array_append_new(runs, one);
	}
	json_t *all = json_pack("{s:s, s:o}", "phase", phase, "runs", runs);
	(void)json_dumpf(all, stdout, JSON_INDENT(1));
	(void)putchar('\n');
	json_decref(all);
}

/* ---- which runs */

/* The one result file of a directory (INDEX-RUNID.jsonl) of this index, or whose run id begins so. */
static int find_run(const char *directory, const char *experiment, const char *id, char **out)
{
	DIR *d = opendir(directory);
	size_t found = 0, n = strlen(id);
	*out = NULL;
	for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
		size_t len = strlen(f->d_name);
		const char *dash = strchr(f->d_name, '-');
		if (len < 6 || strcmp(f->d_name + len - 6, ".jsonl") != 0 || !dash || !n)
			continue;
		bool whole = strncmp(f->d_name, id, n) == 0 && (f->d_name[n] == '-' || n == len - 6);
		if (!whole && strncmp(dash + 1, id, n) != 0)
			continue;
		free(*out);
		*out = lab_printf("%s/%s", directory, f->d_name);
		found++;
	}
	if (d)
		(void)closedir(d);
	if (found > 1)
		return lab_error(LAB_USAGE, "%s has %zu runs whose id begins with '%s'", experiment, found, id);
	return found ? LAB_OK
		     : lab_error(LAB_USAGE, "%s has no result of a run '%s'; ids are in the names of the files in %s",
			       experiment, id, directory);
}

/* RUN to a path: a result file, EXPERIMENT/RUNID, or all of an experiment. */
static int resolve(const char *word, char **out)
{
	const char *slash = strrchr(word, '/');
	if (lab_exists(word) && !lab_is_dir(word)) {
		*out = lab_strdup(word);
		return LAB_OK;
	}
	*out = results_directory(word);
	if (*out)
		return LAB_OK;
	char *experiment = slash ? strndup(word, (size_t)(slash - word)) : NULL;
	char *directory = experiment ? results_directory(experiment) : NULL;
	int code =
		directory
			? find_run(directory, experiment, slash + 1, out)
			: lab_error(LAB_USAGE,
				  "'%s' is neither a result file, nor EXPERIMENT/RUNID, nor an experiment with results",
				  word);
	free(experiment);
	free(directory);
	return code;
}

static int collect(const struct res_runs *runs, const char *phase, struct balance **out, size_t *n)
{
	size_t without = 0;
	*out = lab_calloc(runs->n + 1, sizeof **out);
	for (size_t i = 0; i < runs->n; i++) {
		const struct res_run *r = &runs->run[i];
		const json_t *p = res_phase(r, phase);
		if (!r->end || strcmp(res_text(r->end, "status"), "ok") != 0 || !p) {
			without++;
			continue;
		}
		balance_of(r, p, &(*out)[*n]);
		int code = check(&(*out)[(*n)++]);
		if (code)
			return code;
	}
	if (!*n)
		return lab_error(
			LAB_FAILED, "none of %zu results is of a finished run with a phase '%s'", without, phase);
	if (without)
		(void)fprintf(stderr, "%zu results left out: not finished, or without a phase '%s'\n", without, phase);
	return LAB_OK;
}

/* explain.svg and explain.png, in `out` or beside the first run. */
static int draw(const struct balance *b, size_t n, const char *phase, const char *out)
{
	char *script = lab_find_file("plots/explain.py"), *beside = lab_strdup(b[0].run->path);
	char *slash = strrchr(beside, '/'), *to = NULL;
	struct pl_fault f = {0};
	if (slash)
		*slash = 0;
	to = out ? lab_strdup(out) : lab_printf("%s/figures", slash ? beside : ".");
	int code = !script ? lab_error(LAB_FAILED, "there is no plots/explain.py") : LAB_OK;
	if (!code && lab_mkdirs(to, &f))
		code = lab_error(LAB_FAILED, "%s", f.text);
	if (!code) {
		struct arg_list words = {0};
		const char *const first[] = {"python3", script, "--out", to, "--phase", phase};
		for (size_t i = 0; i < PL_COUNT(first); i++)
			arg_add(&words, first[i]);
		for (size_t i = 0; i < n; i++)
			arg_add(&words, b[i].run->path);
		arg_add(&words, NULL);
		code = run_python((char *const *)(uintptr_t)words.item)
			       ? lab_error(LAB_FAILED, "the chart could not be drawn")
			       : LAB_OK;
		free(words.item);
	}
	if (!code)
		printf("%s/explain.svg\n%s/explain.png\n", to, to);
	free(script);
	free(beside);
	free(to);
	return code;
}

int cmd_explain(int argc, char **argv)
{
	struct arg_list words = {0}, paths = {0};
	const char *phase = "run", *out = NULL;
	bool json = false, drawn = false;
	const struct arg options[] = {{.name = "--phase", .text = &phase}, {.name = "--json", .flag = &json},
		{.name = "--draw", .flag = &drawn}, {.name = "--out", .text = &out}};
	struct res_runs runs = {0};
	struct pl_fault f = {0};
	struct balance *b = NULL;
	size_t n = 0;
	int code = args_parse("explain", options, PL_COUNT(options), argc, argv, &words);
	if (!code && !words.n)
		code = lab_error(LAB_USAGE, "explain wants a result file, EXPERIMENT/RUNID or an experiment");
	if (!code && out && !drawn)
		code = lab_error(LAB_USAGE, "explain: --out goes with --draw");
	for (size_t i = 0; i < words.n && !code; i++) {
		char *path = NULL;
		code = resolve(words.item[i], &path);
		if (path)
			arg_add(&paths, path);
	}
	if (!code && res_load_all(paths.item, paths.n, &runs, &f))
		code = lab_error(LAB_FAILED, "%s", f.text);
	else if (!code) {
		code = collect(&runs, phase, &b, &n);
		if (!code && json)
			print_json(b, n, phase);
		else if (!code && n == 1)
			print_one(b, phase);
		else if (!code)
			print_many(b, n, phase);
		(void)fflush(stdout);
		if (!code && drawn)
			code = draw(b, n, phase, out);
		res_unload_all(&runs);
	}
	for (size_t i = 0; i < paths.n; i++)
		free((void *)(uintptr_t)paths.item[i]);
	free(paths.item);
	free(words.item);
	free(b);
	return code;
}
