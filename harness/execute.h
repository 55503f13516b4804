/* execute.h - one run, from an empty device to a finished result file. */
#ifndef PL_HARNESS_EXECUTE_H
#define PL_HARNESS_EXECUTE_H

#include "harness/experiment.h"

enum exec_status { EXEC_RUNNING, EXEC_OK, EXEC_ALREADY, EXEC_FAILED, EXEC_SKIPPED, EXEC_BUSY, EXEC_INTERRUPTED };

/* Lives in memory shared between the process that runs and the one that shows progress. */
struct exec_state {
	enum exec_status status;
	int err;
	char phase[24];
	uint64_t done, of, elapsed_ns; /* of the phase */
	char reason[400];
	uint64_t operations, run_ns; /* of the run phase */
	uint64_t wall_ms;
};

struct exec_args {
	const struct spec *spec;
	const struct experiment *experiment; /* NULL: a single run */
	const char *directory; /* for the result file; exists */
	const char *keep; /* leave the store here; NULL: do not */
	bool quiet;
};

/* `<index>-<run_id>`; caller frees. */
char *exec_name(const struct spec *s);
/* True if the run's complete result is in directory; revision (may be NULL): of the program that made it; f as in
 * res_finished. */
bool exec_finished(const struct spec *s, const char *directory, char *revision, size_t cap, struct pl_fault *f);
/* Run it. The outcome is in *state; the result file is complete unless busy or interrupted. */
void exec_run(const struct exec_args *a, struct exec_state *state);

#endif
