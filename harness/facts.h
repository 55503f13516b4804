/* facts.h - facts about the machine and the build: the host row, which is no part of a digest. */
#ifndef PL_HARNESS_FACTS_H
#define PL_HARNESS_FACTS_H

#include <jansson.h>

/* path: where the device or the results lie, for the file system's type. New reference. */
json_t *facts_host_row(const char *path, const char *device_path);
const char *facts_revision(void);

#endif
