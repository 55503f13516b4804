/* device_file.h - where a run's device comes from: its size, its path, and stores that are kept in a directory. */
#ifndef PL_HARNESS_DEVICE_FILE_H
#define PL_HARNESS_DEVICE_FILE_H

#include "harness/spec.h"
#include "workloads/workload.h"

/* Device size for this run: device_bytes, else the data's bytes (records of the load and the inserts to come) over
 * fill_permille, in whole MiB. Nothing set: plenty. */
uint64_t device_size(const struct pl_conf *c, const struct wl *w);
/* A file name for a real device that nobody named; caller frees. directory: where scratch files go if nothing else says. */
char *device_scratch_path(const struct spec *s, const char *directory);

/* PL_INVALID if dir exists and is not empty; else it is created. */
int keep_prepare(const char *dir, struct pl_fault *f) PL_MUST_USE;
/* Leave the closed store's device in dir: spec, and for a simulated device device.img (a sparse image) and zones.txt. */
int keep_save(const char *dir, const struct spec *s, struct dev *dev, struct pl_fault *f) PL_MUST_USE;
/* Open what keep_save left. out_spec is initialised on success. */
int keep_load(const char *dir, struct spec *out_spec, struct dev **out, struct pl_fault *f) PL_MUST_USE;

#endif
