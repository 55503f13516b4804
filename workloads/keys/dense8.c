/* dense8.c - keys of 8 bytes: the number itself, big-endian, whatever insertorder says: 0, 1, 2, ... without a gap.
 *
 *   0      8
 *   | n    |
 *
 * The ordinals of a table. Loads are sorted loads, and what is inserted later comes behind everything; fixed8 has the
 * same integers scattered over 64 bits. Cost: about 1 ns. */
#include "engine/base/le.h"
#include "workloads/keys/keys.h"

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return 8;
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	(void)form;
	put_be64(out, n);
	return 8;
}

const struct wl_key_ops wl_keys_dense8 = {
	.name = "dense8",
	.summary = "8 bytes, big-endian: the number, ordinals without gaps",
	.bytes_max = bytes_max,
	.make = make,
	.integers = true,
};
