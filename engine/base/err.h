/* err.h - the one table of errors, and the sentence that goes with one.
 *
 * Every function that can fail returns 0 or one of these negative numbers. A failure that a person will read
 * also fills a pl_fault: one clear sentence that names the thing and says what to do. */
#ifndef PL_BASE_ERR_H
#define PL_BASE_ERR_H

#include "engine/base/types.h"

#define PL_ERRORS(X)                                                                                                   \
	X(PL_OK, 0, "success")                                                                                         \
	X(PL_AGAIN, -1, "waits for its ticket; resume it")                                                             \
	X(PL_NOTFOUND, -2, "no such key")                                                                              \
	X(PL_FULL, -3, "device full")                                                                                  \
	X(PL_NOFIT, -4, "does not fit in the page")                                                                    \
	X(PL_DAMAGED, -5, "stored data is damaged")                                                                    \
	X(PL_IO, -6, "the device reported an error")                                                                   \
	X(PL_FAILED, -7, "the store has failed; reopen it")                                                            \
	X(PL_INVALID, -8, "invalid argument or specification")                                                         \
	X(PL_NOMEM, -9, "out of memory")                                                                               \
	X(PL_NOTSTORE, -10, "not a pagelab store")                                                                     \
	X(PL_UNSUPPORTED, -11, "not supported here")                                                                   \
	X(PL_TOOBIG, -12, "key or value too large")                                                                    \
	X(PL_RANGE, -13, "address beyond the device")                                                                  \
	X(PL_ZONE_POINTER, -14, "write not at the zone's write pointer")                                               \
	X(PL_ZONE_OPEN_LIMIT, -15, "too many open zones")                                                              \
	X(PL_ZONE_ACTIVE_LIMIT, -16, "too many active zones")                                                          \
	X(PL_ZONE_FULL, -17, "zone is full")                                                                           \
	X(PL_ZONE_STATE, -18, "zone is in a state that forbids this")                                                  \
	X(PL_CRASHED, -19, "the simulated machine lost power")                                                         \
	X(PL_INTERRUPTED, -20, "interrupted")                                                                          \
	X(PL_QUOTA, -21, "the quota of the origin is used up")                                                         \
	X(PL_LOCKED, -22, "the file is locked, or open for reading only")                                              \
	X(PL_HANDLES, -23, "too many open file handles")                                                               \
	X(PL_FILE_STATE, -24, "the file is not open, or does not exist")

enum pl_err {
#define X(name, value, text) name = value,
	PL_ERRORS(X)
#undef X
};

/* The table's text for an error; never NULL. */
const char *pl_err_text(int err);
/* The table's name for an error ("PL_FULL"); never NULL. */
const char *pl_err_name(int err);

struct pl_fault {
	int err;
	char text[400]; /* one sentence, no newline */
};

/* Fill f (may be NULL) and return err, so that callers can write `return pl_fault_set(f, PL_INVALID, ...)`. */
int pl_fault_set(struct pl_fault *f, int err, const char *fmt, ...) PL_PRINTF(3, 4);

#endif
