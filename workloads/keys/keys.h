/* keys.h - from the number of a key to its bytes. A form of keys is one file and one constant table; it is chosen by
 * the option `keys`. */
#ifndef PL_WL_KEYS_H
#define PL_WL_KEYS_H

#include "engine/base/err.h"

struct wl_key_file; /* see file.c */

struct wl_key_form {
	bool ordered; /* byte order of the keys follows their numbers (insertorder=ordered) */
	bool cpp; /* hash as YCSB-cpp does */
	uint32_t zeropadding; /* least number of digits */
	const struct wl_key_file *file; /* of "file", once it is open */
};

struct wl_key_ops {
	const char *name, *summary;
	uint32_t (*bytes_max)(const struct wl_key_form *form);
	/* Write the key of number n < 2^63 to out (bytes_max bytes of room), return its length. One-to-one in n, but for
	 * "ycsb" with hashed order, where two of n keys coincide with probability n^2 / 2^64. */
	size_t (*make)(const struct wl_key_form *form, uint64_t n, uint8_t *out);
	bool text; /* printable as it is */
	bool integers; /* every key is exactly 8 bytes, big-endian */
	bool own_order; /* byte order never follows the numbers: insertorder=ordered is refused */
};

extern const struct wl_key_ops wl_keys_ycsb, wl_keys_fixed8, wl_keys_fixed16, wl_keys_dense8, wl_keys_url, wl_keys_mail,
	wl_keys_title, wl_keys_uuid, wl_keys_file;
/* All of them, as the option `keys` names them; NULL ends. */
extern const struct wl_key_ops *const wl_key_forms[];

/* Read a file of keys, one a line. PL_INVALID names the file and the line: one that is empty, longer than WL_KEY_MAX or
 * that of an earlier line again; or the file, if it cannot be read or has no line. The callee owns until close. */
int wl_key_file_open(const char *path, struct wl_key_file **out, struct pl_fault *f) PL_MUST_USE;
void wl_key_file_close(struct wl_key_file *k); /* NULL is nothing */
uint64_t wl_key_file_lines(const struct wl_key_file *k);
uint64_t wl_key_file_digest(const struct wl_key_file *k); /* xxh64 of the file's bytes */

#endif
