/* fixed8.c - keys of 8 bytes: a 64-bit number, big-endian, so that byte order is numeric order.
 *
 *   0                      8
 *   | mix64(n), or n when insertorder=ordered |
 *
 * mix64 is one-to-one on 64-bit numbers, so keys never coincide. Cost: about 2 ns. */
#include "engine/base/le.h"
#include "engine/base/rng.h"
#include "workloads/keys/keys.h"

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return 8;
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	put_be64(out, form->ordered ? n : pl_mix64(n));
	return 8;
}

const struct wl_key_ops wl_keys_fixed8 = {
	.name = "fixed8",
	.summary = "8 bytes, big-endian, of a bijective mix of the number",
	.bytes_max = bytes_max,
	.make = make,
	.integers = true,
};
