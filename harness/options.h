/* options.h - every key that a run can have, gathered in one conf: the harness's own, the store's, the axes' and their
 * variants', the workloads'. */
#ifndef PL_HARNESS_OPTIONS_H
#define PL_HARNESS_OPTIONS_H

#include "engine/base/conf.h"

#include <jansson.h>

extern const struct pl_opt lab_opts[];

/* Declare all known keys into *c, which this call initialises. */
void lab_conf_init(struct pl_conf *c);
/* The declaration of key, or NULL; *prefix (may be NULL) gets the prefix of its table. */
const struct pl_opt *lab_find_option(const struct pl_conf *c, const char *key, const char **prefix);
/* The full name of an option of a set. */
void lab_option_name(char *out, size_t cap, const struct pl_opt_set *s, const struct pl_opt *o);
/* Add {full name: value, canonical} to *into for every option of a prefix, set or not. */
void lab_options_in_force(const struct pl_conf *c, const char *prefix, json_t *into);
/* Read key if somebody declares it, else otherwise. */
uint64_t lab_u64_or(const struct pl_conf *c, const char *key, uint64_t otherwise);
/* Keys that say where a run happens, not what it is: no part of its identity. */
bool lab_is_location(const char *key);

#endif
