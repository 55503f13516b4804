/* ycsb.c - keys as CoreWorkload.buildKeyName makes them: "user" and a decimal number.
 *
 *   0      4                  5..23 (24 for YCSB-cpp)
 *   | user | digits, left-padded with '0' to `zeropadding` |
 *
 * The number is fnv64(n) when hashed, n itself when ordered. Lengths vary, and byte order is not numeric order unless
 * zeropadding makes all lengths equal. Cost: about 20 ns. */
#include "workloads/generators.h"
#include "workloads/keys/keys.h"

#include <string.h>

#define DIGITS_MAX 20u

static uint32_t bytes_max(const struct wl_key_form *form)
{
	uint32_t digits = form->ordered || form->cpp ? DIGITS_MAX : 19;
	return 4 + (form->zeropadding > digits ? form->zeropadding : digits);
}

static const char pairs[] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445"
	"46474849505152535455565758596061626364656667686970717273747576777879808182838485868788899091"
	"9293949596979899";

/* Digits of v at the end of text[0..DIGITS_MAX); returns how many. */
static uint32_t decimal(uint64_t v, char *text)
{
	uint32_t at = DIGITS_MAX;
	while (v >= 100) {
		at -= 2;
		memcpy(text + at, pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		at -= 2;
		memcpy(text + at, pairs + 2 * v, 2);
	} else {
		text[--at] = (char)('0' + v);
	}
	return DIGITS_MAX - at;
}

static size_t make(const struct wl_key_form *form, uint64_t n, uint8_t *out)
{
	char text[DIGITS_MAX];
	uint64_t v = form->ordered ? n : form->cpp ? gen_fnv64(n) : gen_fnv64_abs(n);
	uint32_t digits = decimal(v, text), fill = form->zeropadding > digits ? form->zeropadding - digits : 0;
	memcpy(out, "user", 4);
	memset(out + 4, '0', fill);
	memcpy(out + 4 + fill, text + DIGITS_MAX - digits, digits);
	return 4 + fill + digits;
}

const struct wl_key_ops wl_keys_ycsb = {
	.name = "ycsb",
	.summary = "\"user\" and a decimal number, 5 to 23 bytes",
	.bytes_max = bytes_max,
	.make = make,
	.text = true,
};
