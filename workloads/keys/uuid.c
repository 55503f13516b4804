/* uuid.c - textual UUIDs as of version 4, variant 1 (RFC 9562, section 5.4): 36 bytes, lower case.
 *
 *   0          9      14     19     24             36
 *   | xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx |          y: 8, 9, a, b
 *
 * 1. The 122 free bits are, from the left, the 64 of mix64(n), which can be undone, and 58 of a second mix of them.
 * 2. So any two numbers give different keys, and their order has nothing to do with that of the numbers.
 *
 * Statistics, exact by construction: length 36; among N keys neighbours in order share log16(N) - 0.66 bytes on average
 * (3.5 of 10^5: a tenth), for all that is shared is chance. That is RFC 9562's definition, not a sample.
 *
 * Left out: versions with a time in front (1, 6, 7), whose neighbours share much more. Cost: about 15 ns. */
#include "engine/base/rng.h"
#include "workloads/keys/keys.h"

#define BYTES 36u

static uint32_t bytes_max(const struct wl_key_form *form)
{
	(void)form;
	return BYTES;
}

/* Hexadecimal digits of the lowest bits of v, out[from] being the most significant. */
static void hex(uint8_t *out, uint32_t from, uint32_t digits, uint64_t v)
{
	for (uint32_t i = from + digits; i-- > from; v >>= 4)
		out[i] = (uint8_t) "0123456789abcdef"[v & 15];
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	(void)form;
	uint64_t a = pl_mix64(n), b = pl_mix64(a);
	hex(out, 0, 8, a >> 32);
	hex(out, 9, 4, a >> 16);
	hex(out, 14, 4, (a >> 4 & 0xfff) | 0x4000);
	hex(out, 19, 4, 0x8000 | (a & 15) << 10 | b >> 54);
	hex(out, 24, 12, b);
	out[8] = out[13] = out[18] = out[23] = '-';
	return BYTES;
}

const struct wl_key_ops wl_keys_uuid = {
	.name = "uuid",
	.summary = "36 bytes, a textual UUID of version 4",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
	.own_order = true,
};
