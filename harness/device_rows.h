/* device_rows.h - a result of a device run in its three forms: rows of result files (see device_run.h for those of each
 * run), one JSON object for programs, a table for people. */
#ifndef PL_HARNESS_DEVICE_ROWS_H
#define PL_HARNESS_DEVICE_ROWS_H

#include "harness/device_run.h"

/* The hist row of an operation (enum dev_op) of a timed run, or NULL if it did not occur; the caller owns it. */
json_t *device_row_hist(const struct device_result *r, int op);
/* What `pagelab device --json` prints; the caller owns it. */
json_t *device_json(const struct device_result *r, const struct pl_conf *conf);
void device_print(FILE *out, const struct device_result *r, const struct pl_conf *conf);

#endif
