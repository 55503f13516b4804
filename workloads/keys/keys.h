/* keys.h - from the number of a key to its bytes. A form of keys is one file and one constant table; it is chosen by
 * the option `keys`. */
#ifndef PL_WL_KEYS_H
#define PL_WL_KEYS_H

#include "engine/base/types.h"

struct wl_key_form {
	bool ordered; /* byte order of the keys follows their numbers (insertorder=ordered) */
	bool cpp; /* hash as YCSB-cpp does */
	uint32_t zeropadding; /* least number of digits */
};

struct wl_key_ops {
	const char *name, *summary;
	uint32_t (*bytes_max)(const struct wl_key_form *form);
	/* Write the key of number n to out (bytes_max bytes of room), return its length. One-to-one in n, but for "ycsb"
	 * with hashed order, where two of n keys coincide with probability n^2 / 2^64. */
	size_t (*make)(const struct wl_key_form *form, uint64_t n, uint8_t *out);
	bool text; /* printable as it is */
};

extern const struct wl_key_ops wl_keys_ycsb, wl_keys_fixed8, wl_keys_fixed16;

#endif
