/* writer.h - result files: written row by row under the name `.part`, digested on the way, renamed when complete. */
#ifndef PL_RESULTS_WRITER_H
#define PL_RESULTS_WRITER_H

#include "engine/base/err.h"

#include <jansson.h>

struct res_file;

/* Begin `<directory>/<name>.jsonl`; the directory exists. A left-over `.part` is begun anew. PL_AGAIN: another process
 * is writing it; PL_IO. Whoever begins holds a lock until end or abandon. */
int res_begin(const char *directory, const char *name, struct res_file **out, struct pl_fault *f) PL_MUST_USE;
/* Append one row (the reference to row is taken over). exact: its bytes enter the digest; it must hold no reals. */
void res_row(struct res_file *r, json_t *row, bool exact);
/* The digest of the exact rows so far: 16 hex digits. */
void res_digest(const struct res_file *r, char out[17]);
/* Write the end row, sync, rename. digest: put it into the end row. r is released whatever happens. */
int res_end(struct res_file *r, const char *status, const char *reason, uint64_t wall_ms, bool digest,
	struct pl_fault *f) PL_MUST_USE;
/* Remove the `.part` and release r. */
void res_abandon(struct res_file *r);

#endif
