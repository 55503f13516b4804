/* util.h - what the commands share: memory that cannot run out quietly, growing texts, files, exit codes, signals. */
#ifndef PL_HARNESS_UTIL_H
#define PL_HARNESS_UTIL_H

#include "engine/base/err.h"

#include <stdio.h>

enum { /* exit codes of every command */
	LAB_OK = 0,
	LAB_FAILED = 1,
	LAB_USAGE = 2,
	LAB_AGAIN = 75,
	LAB_SKIPPED = 77,
};

void *lab_calloc(size_t n, size_t bytes);
void *lab_realloc(void *p, size_t bytes);
char *lab_strdup(const char *s);
char *lab_printf(const char *fmt, ...) PL_PRINTF(1, 2); /* caller frees */
void lab_copy(char *out, size_t cap, const char *s); /* cut at cap */

struct lab_text {
	char *s;
	size_t n, cap;
}; /* zero-initialised; s is the caller's to free */
void lab_text_add(struct lab_text *t, const char *s);
void lab_text_addf(struct lab_text *t, const char *fmt, ...) PL_PRINTF(2, 3);

/* "pagelab: sentence" on stderr; returns code. */
int lab_error(int code, const char *fmt, ...) PL_PRINTF(2, 3);
/* The exit code that an error of the engine means for a single run. */
int lab_exit_code(int err);

/* Create path and its parents. */
int lab_mkdirs(const char *path, struct pl_fault *f) PL_MUST_USE;
bool lab_exists(const char *path);
bool lab_is_dir(const char *path);
/* A file of the product by its path in the tree: below the present directory, else beside the program or above it.
 * NULL if it is nowhere; caller frees. */
char *lab_find_file(const char *relative);
/* Whole file as text, NULL if it cannot be read; caller frees. */
char *lab_read_file(const char *path);

/* SIGINT and SIGTERM only set a flag, which runs look at. */
void lab_catch_signals(void);
bool lab_interrupted(void);

#endif
