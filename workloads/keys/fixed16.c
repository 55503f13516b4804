/* fixed16.c - keys of 16 lower-case hexadecimal digits: the number of fixed8 as text.
 *
 *   0                                   16
 *   | hex(mix64(n)), or hex(n) when insertorder=ordered |
 *
 * Cost: about 6 ns. */
#include "engine/base/rng.h"
#include "workloads/keys/keys.h"

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return 16;
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	uint64_t v = form->ordered ? n : pl_mix64(n);
	for (int i = 15; i >= 0; i--, v >>= 4)
		out[i] = (uint8_t) "0123456789abcdef"[v & 15];
	return 16;
}

const struct wl_key_ops wl_keys_fixed16 = {
	.name = "fixed16",
	.summary = "16 hexadecimal digits of a bijective mix of the number",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
};
