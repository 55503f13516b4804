/* writer.c - see writer.h.
 *
 * Invariants:
 *  1. A file without the suffix `.part` is complete: it ends with an end row and was synced before it got its name.
 *  2. At most one process writes a given file: an exclusive flock on the `.part`, taken before it is truncated and
 *     checked to be still the file of that name (the previous holder may just have renamed it).
 *  3. Same rows, same bytes: compact, keys in the order in which they were set. */
#include "results/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

struct res_file {
	char *directory, *part, *final;
	FILE *file;
	XXH64_state_t *hash;
	bool failed;
};

static void release(struct res_file *r)
{
	if (r->file)
		(void)fclose(r->file);
	if (r->hash)
		(void)XXH64_freeState(r->hash);
	free(r->directory);
	free(r->part);
	free(r->final);
	free(r);
}

static bool still_named(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_locked(const char *path, int *out, struct pl_fault *f)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0)
			return pl_fault_set(f, PL_IO, "cannot write %s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			(void)close(fd);
			return pl_fault_set(
				f, PL_AGAIN, "%s is being written by another process; try again later", path);
		}
		if (still_named(fd, path) && ftruncate(fd, 0) == 0) {
			*out = fd;
			return PL_OK;
		}
		(void)close(fd);
	}
	return pl_fault_set(f, PL_AGAIN, "%s changes hands all the time; try again later", path);
}

int res_begin(const char *directory, const char *name, struct res_file **out, struct pl_fault *f)
{
	struct res_file *r = calloc(1, sizeof *r);
	int fd = -1, err;
	if (!r)
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	r->directory = strdup(directory);
	if (!r->directory || asprintf(&r->part, "%s/%s.jsonl.part", directory, name) < 0 ||
		asprintf(&r->final, "%s/%s.jsonl", directory, name) < 0 || !(r->hash = XXH64_createState())) {
		release(r);
		return pl_fault_set(f, PL_NOMEM, "out of memory");
	}
	(void)XXH64_reset(r->hash, 0);
	err = open_locked(r->part, &fd, f);
	if (err) {
		release(r);
		return err;
	}
	r->file = fdopen(fd, "w");
	assert(r->file);
	*out = r;
	return PL_OK;
}

void res_row(struct res_file *r, json_t *row, bool exact)
{
	char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	if (!text || fputs(text, r->file) < 0 || fputc('\n', r->file) < 0)
		r->failed = true;
	if (text && exact) {
		(void)XXH64_update(r->hash, text, strlen(text));
		(void)XXH64_update(r->hash, "\n", 1);
	}
	free(text);
	json_decref(row);
}

void res_digest(const struct res_file *r, char out[17])
{
	(void)snprintf(out, 17, "%016llx", (unsigned long long)XXH64_digest(r->hash));
}

static int sync_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int err = fsync(fd);
	(void)close(fd);
	return err;
}

int res_end(
	struct res_file *r, const char *status, const char *reason, uint64_t wall_ms, bool digest, struct pl_fault *f)
{
	char hex[17];
	int err = PL_OK;
	json_t *row = json_pack("{s:s, s:s, s:s, s:I}", "row", "end", "status", status, "reason", reason, "wall_ms",
		(json_int_t)wall_ms);
	if (!row) /* the reason may quote bytes that are no text */
		row = json_pack("{s:s, s:s, s:s, s:I}", "row", "end", "status", status, "reason", "(not printable)",
			"wall_ms", (json_int_t)wall_ms);
	res_digest(r, hex);
	if (digest && row)
		(void)json_object_set_new(row, "digest", json_string(hex));
	res_row(r, row, false);
	if (r->failed || fflush(r->file) != 0 || fsync(fileno(r->file)) != 0)
		err = pl_fault_set(f, PL_IO, "cannot write %s: %s", r->part, strerror(errno));
	else if (rename(r->part, r->final) != 0 || sync_directory(r->directory) != 0)
		err = pl_fault_set(f, PL_IO, "cannot rename %s to %s: %s", r->part, r->final, strerror(errno));
	if (err)
		(void)unlink(r->part);
	release(r);
	return err;
}

void res_abandon(struct res_file *r)
{
	(void)unlink(r->part);
	release(r);
}
