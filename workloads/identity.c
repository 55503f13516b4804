/* identity.c - what of a workload lies outside of its options: the content of a file of keys.
 *
 *   keys = file, keys.path = P     -->  keys.digest = xxh64 of P's bytes, 16 hexadecimal digits
 *
 * 1. The digest is part of what a run is, the path is not: the same keys elsewhere are the same run, other keys under
 *    the same path are another.
 * 2. A digest that was set is insisted on, when a run is made as when its workload is opened: a file that changes in
 *    between is refused.
 *
 * The last file that was found well is remembered, for an experiment asks once for each of its runs. */
#include "workloads/core.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct {
	char path[sizeof((struct wl_spec *)0)->keys_path];
	struct stat at;
	uint64_t lines, digest;
} known;

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Make `known` that file. Its state is taken before it is read: what changes meanwhile is read again next time. */
static int get_to_know(const char *path, struct pl_fault *f)
{
	struct wl_key_file *k = NULL;
	struct stat at;
	bool there = stat(path, &at) == 0;
	if (there && strcmp(known.path, path) == 0 && unchanged(&known.at, &at))
		return PL_OK;
	int err = wl_key_file_open(path, &k, f);
	if (err)
		return err;
	known.path[0] = 0;
	if (there) {
		memcpy(known.path, path, strlen(path) + 1);
		known.at = at;
	}
	known.lines = wl_key_file_lines(k);
	known.digest = wl_key_file_digest(k);
	wl_key_file_close(k);
	return PL_OK;
}

int wl_check_digest(const struct wl_spec *s, uint64_t digest, struct pl_fault *f)
{
	char text[17];
	(void)snprintf(text, sizeof text, "%016" PRIx64, digest);
	if (!*s->keys_digest || strcmp(s->keys_digest, text) == 0)
		return PL_OK;
	return pl_fault_set(f, PL_INVALID,
		"%s: its content has the digest %s, not keys.digest %s: these are other keys", s->keys_path, text,
		s->keys_digest);
}

int wl_identify(struct pl_conf *c, struct pl_fault *f)
{
	struct wl_spec s;
	char text[17];
	if (strcmp(pl_conf_str(c, "keys"), wl_keys_file.name) != 0)
		return PL_OK;
	int err = wl_spec_resolve(c, &s, f);
	if (!err)
		err = get_to_know(s.keys_path, f);
	if (!err)
		err = wl_check_digest(&s, known.digest, f);
	if (!err)
		err = wl_check_lines(&s, known.lines, s.operations, f);
	(void)snprintf(text, sizeof text, "%016" PRIx64, known.digest);
	return err ? err : pl_conf_set(c, "keys.digest", text, f);
}
