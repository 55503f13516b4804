/* reader.c - see reader.h.
 *
 * Invariant: a run that is handed out has the digest that its end row names, so that no table, claim or picture is made
 * from numbers that no program wrote. Not covered, as the digest does not: host, derived and wall rows. */
#include "results/reader.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* Calls fn for each line (its newline included); stops at an error. */
static int each_line(const char *path, int (*fn)(void *arg, const char *line, size_t n, int number, struct pl_fault *f),
	void *arg, struct pl_fault *f)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int err = PL_OK;
	if (!file)
		return pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	for (int number = 1; !err && (n = getline(&line, &cap, file)) > 0; number++)
		err = fn(arg, line, (size_t)n, number, f);
	free(line);
	(void)fclose(file);
	return err;
}

static bool is_exact(const json_t *row)
{
	const char *kind = res_text(row, "row");
	return strcmp(kind, "host") != 0 && strcmp(kind, "derived") != 0 && strcmp(kind, "wall") != 0 &&
	       strcmp(kind, "end") != 0;
}

struct loading {
	struct res_run *run;
	XXH64_state_t *hash;
};

static int keep_row(void *arg, const char *line, size_t n, int number, struct pl_fault *f)
{
	const struct loading *l = arg;
	struct res_run *r = l->run;
	json_error_t why;
	json_t *row = json_loadb(line, n, 0, &why);
	if (!json_is_object(row)) {
		json_decref(row);
		return pl_fault_set(f, PL_DAMAGED, "%s line %d is not a JSON object: %s", r->path, number, why.text);
	}
	if (strcmp(res_text(row, "row"), "run") == 0)
		r->run = row;
	if (strcmp(res_text(row, "row"), "end") == 0)
		r->end = row;
	if (is_exact(row))
		(void)XXH64_update(l->hash, line, n);
	(void)json_array_append_new(r->rows, row);
	return PL_OK;
}

static int load(const char *path, struct res_run *out, char digest[17], struct pl_fault *f)
{
	*out = (struct res_run){.path = strdup(path), .rows = json_array()};
	struct loading l = {out, XXH64_createState()};
	(void)XXH64_reset(l.hash, 0);
	int err = each_line(path, keep_row, &l, f);
	(void)snprintf(digest, 17, "%016llx", (unsigned long long)XXH64_digest(l.hash));
	(void)XXH64_freeState(l.hash);
	if (!err && !out->run)
		err = pl_fault_set(f, PL_DAMAGED, "%s has no run row", path);
	if (err)
		res_unload(out);
	return err;
}

/* Files without an end row are incomplete, those of real devices that have no digest cannot be checked. */
static int check_digest(const struct res_run *r, const char *digest, struct pl_fault *f)
{
	const char *said = res_text(r->end, "digest");
	bool wanted = *said || (strcmp(res_text(r->end, "status"), "ok") == 0 &&
				       json_is_true(json_object_get(r->run, "simulated")));
	if (!wanted || strcmp(digest, said) == 0)
		return PL_OK;
	return pl_fault_set(f, PL_DAMAGED, "%s was changed after it was written: digest %s, but its end row says %s",
		r->path, digest, *said ? said : "none");
}

int res_load(const char *path, struct res_run *out, struct pl_fault *f)
{
	char digest[17];
	int err = load(path, out, digest, f);
	if (!err && (err = check_digest(out, digest, f)))
		res_unload(out);
	return err;
}

int res_file_digest(const char *path, char out[17], struct pl_fault *f)
{
	struct res_run r;
	int err = load(path, &r, out, f);
	if (!err)
		res_unload(&r);
	return err;
}

void res_unload(struct res_run *r)
{
	free(r->path);
	json_decref(r->rows);
	*r = (struct res_run){0};
}

const json_t *res_phase(const struct res_run *r, const char *phase)
{
	for (size_t i = 0; i < json_array_size(r->rows); i++) {
		const json_t *row = json_array_get(r->rows, i);
		if (strcmp(res_text(row, "row"), "phase") == 0 && strcmp(res_text(row, "phase"), phase) == 0)
			return row;
	}
	return NULL;
}

const char *res_text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));
	return s ? s : "";
}

uint64_t res_number(const json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

bool res_finished(const char *path, const char *run_id, char *revision, size_t cap, struct pl_fault *f)
{
	struct res_run r;
	if (res_load(path, &r, f))
		return false;
	bool ok =
		r.end && strcmp(res_text(r.end, "status"), "ok") == 0 && strcmp(res_text(r.run, "run_id"), run_id) == 0;
	for (size_t i = 0; ok && revision && i < json_array_size(r.rows); i++) {
		const json_t *row = json_array_get(r.rows, i);
		if (strcmp(res_text(row, "row"), "host") == 0)
			(void)snprintf(revision, cap, "%s", res_text(row, "revision"));
	}
	res_unload(&r);
	return ok;
}

static int add_file(struct res_runs *to, const char *path, struct pl_fault *f)
{
	struct res_run r;
	struct pl_fault why = {0};
	int err = res_load(path, &r, &why);
	if (err)
		return pl_fault_set(
			f, err, "%s%s", why.text, err == PL_DAMAGED ? "; remove it and run the experiment again" : "");
	struct res_run *more = realloc(to->run, (to->n + 1) * sizeof *more);
	if (!more) {
		res_unload(&r);
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	}
	to->run = more;
	to->run[to->n++] = r;
	return PL_OK;
}

static int add_path(struct res_runs *to, const char *path, bool named, struct pl_fault *f)
{
	struct stat st;
	size_t n = strlen(path);
	if (stat(path, &st) != 0)
		return pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return named || (n > 6 && strcmp(path + n - 6, ".jsonl") == 0) ? add_file(to, path, f) : PL_OK;
	DIR *d = opendir(path);
	if (!d)
		return pl_fault_set(f, PL_IO, "cannot read %s: %s", path, strerror(errno));
	int err = PL_OK;
	for (struct dirent *e; !err && (e = readdir(d));) {
		char *sub = NULL;
		if (e->d_name[0] == '.')
			continue;
		if (asprintf(&sub, "%s/%s", path, e->d_name) < 0)
			err = pl_fault_set(f, PL_NOMEM, "out of memory");
		else
			err = add_path(to, sub, false, f);
		free(sub);
	}
	(void)closedir(d);
	return err;
}

static int by_place(const void *a, const void *b)
{
	const struct res_run *x = a, *y = b;
	int c = strcmp(res_text(x->run, "experiment"), res_text(y->run, "experiment"));
	uint64_t i = res_number(x->run, "index"), j = res_number(y->run, "index");
	if (c)
		return c;
	if (i != j)
		return i < j ? -1 : 1;
	return strcmp(res_text(x->run, "run_id"), res_text(y->run, "run_id"));
}

int res_load_all(const char *const *paths, size_t n, struct res_runs *out, struct pl_fault *f)
{
	int err = PL_OK;
	*out = (struct res_runs){0};
	for (size_t i = 0; !err && i < n; i++)
		err = add_path(out, paths[i], true, f);
	if (!err && !out->n)
		err = pl_fault_set(f, PL_NOTFOUND, "there are no result files in %s", n ? paths[0] : "nothing");
	if (err)
		res_unload_all(out);
	else
		qsort(out->run, out->n, sizeof *out->run, by_place);
	return err;
}

void res_unload_all(struct res_runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		res_unload(&r->run[i]);
	free(r->run);
	*r = (struct res_runs){0};
}
