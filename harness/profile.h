/* profile.h - device profiles: the numbers of one device, each with its source, under a name.
 *
 *     # what the device is, and where its numbers come from
 *     [profile]
 *     summary = one line for `pagelab list --profiles`
 *     device = sim_zns
 *     device_bytes = 904G           ; data sheet
 *     sim_zns.write_ns = 11300      ; Doekemeijer et al., CLUSTER 2023, table 3
 *
 * One section, [profile], first. Keys are the keys of `pagelab list --options`, values as there; no key occurs twice.
 * # and ; begin a comment at the start of a line, and after white space behind a value. A value with a digit in it has a
 * source: a comment on its line, or on the line above; profile_load checks all but that (profile_unsourced does). */
#ifndef PL_HARNESS_PROFILE_H
#define PL_HARNESS_PROFILE_H

#include "engine/base/conf.h"

struct profile_item {
	char *key, *value, *source; /* value canonical; source: the comment, "" if there is none */
	int line;
};
struct profile {
	char *name, *path, *summary; /* name: of the file, without its ending */
	struct profile_item *item;
	size_t items;
};

/* Read harness/devices/<name>.ini, or the file itself when the word holds a / or ends in .ini. PL_INVALID names file
 * and line and the nearest known key or value, or the nearest profile. *out is empty after an error. */
int profile_load(const char *name_or_path, struct profile *out, struct pl_fault *f) PL_MUST_USE;
void profile_free(struct profile *p);
/* Set every key of p that is not set in c. */
int profile_apply(const struct profile *p, struct pl_conf *c, struct pl_fault *f) PL_MUST_USE;
/* If c has the key `profile`, load and apply it. For everybody who has gathered the keys of a run. PL_INVALID, too, if
 * c has the key `device` and it is not that of the profile. */
int profile_apply_named(struct pl_conf *c, struct pl_fault *f) PL_MUST_USE;
/* Whether key was set in c, and not merely by its profile (c has been through profile_apply_named). */
bool profile_set_besides(const struct pl_conf *c, const char *key);
/* The first item with a digit in its value and no source, or NULL. */
const struct profile_item *profile_unsourced(const struct profile *p);

/* Paths of all profiles of harness/devices, sorted; the caller frees them and the array. */
size_t profile_paths(char ***out);

#endif
