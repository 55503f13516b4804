/* reader.h - result files back in memory. */
#ifndef PL_RESULTS_READER_H
#define PL_RESULTS_READER_H

#include "engine/base/err.h"

#include <jansson.h>

struct res_run {
	char *path;
	json_t *rows; /* array of all rows, in order */
	const json_t *run, *end; /* borrowed from rows; end is NULL in an incomplete file */
};

/* PL_IO, or PL_DAMAGED with file and line, also if the exact rows no longer have the digest of the end row. */
int res_load(const char *path, struct res_run *out, struct pl_fault *f) PL_MUST_USE;
void res_unload(struct res_run *r);
/* The row `phase` of that name, or NULL. */
const json_t *res_phase(const struct res_run *r, const char *phase);
/* Text and number of a key, "" and 0 if absent. */
const char *res_text(const json_t *row, const char *key);
uint64_t res_number(const json_t *row, const char *key);
/* Digest over the bytes of the exact rows as they stand in the file, whatever its end row says. */
int res_file_digest(const char *path, char out[17], struct pl_fault *f) PL_MUST_USE;
/* True if path is a complete result of run_id with status ok; then revision (may be NULL) is told what made it. f (may be
 * NULL): PL_DAMAGED and why, if there is a file that cannot be used. */
bool res_finished(const char *path, const char *run_id, char *revision, size_t cap, struct pl_fault *f);

struct res_runs {
	struct res_run *run;
	size_t n;
};
/* All result files named by paths: files, or directories (searched below). Sorted by experiment, index, seed, run_id.
 * PL_NOTFOUND if there is none. */
int res_load_all(const char *const *paths, size_t n, struct res_runs *out, struct pl_fault *f) PL_MUST_USE;
void res_unload_all(struct res_runs *r);

#endif
