#include "engine/base/crc32c.h"

#include "engine/base/le.h"

#include <stdbool.h>

#define POLY 0x82F63B78u

/* Slicing by eight: table[k][b] is the crc of byte b followed by k zero bytes. */
static uint32_t table[8][256];
static bool ready;

static void build(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t c = b;
		for (int i = 0; i < 8; i++)
			c = (c >> 1) ^ (POLY & (0u - (c & 1u)));
		table[0][b] = c;
	}
	for (uint32_t b = 0; b < 256; b++)
		for (int k = 1; k < 8; k++)
			table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xFF];
	ready = true;
}

uint32_t pl_crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *s = p;
	if (!ready)
		build();
	crc = ~crc;
	for (; n >= 8; n -= 8, s += 8) {
		uint32_t lo = le32(s) ^ crc, hi = le32(s + 4);
		crc = table[7][lo & 0xFF] ^ table[6][(lo >> 8) & 0xFF] ^ table[5][(lo >> 16) & 0xFF] ^
		      table[4][lo >> 24] ^ table[3][hi & 0xFF] ^ table[2][(hi >> 8) & 0xFF] ^
		      table[1][(hi >> 16) & 0xFF] ^ table[0][hi >> 24];
	}
	while (n--)
		crc = (crc >> 8) ^ table[0][(crc ^ *s++) & 0xFF];
	return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t hardware(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *s = p;
	uint64_t c = ~crc;
	for (; n >= 8; n -= 8, s += 8)
		c = _mm_crc32_u64(c, le64(s));
	while (n--)
		c = _mm_crc32_u8((uint32_t)c, *s++);
	return ~(uint32_t)c;
}

uint32_t pl_crc32c(uint32_t crc, const void *p, size_t n)
{
	return __builtin_cpu_supports("sse4.2") ? hardware(crc, p, n) : pl_crc32c_portable(crc, p, n);
}
#else
uint32_t pl_crc32c(uint32_t crc, const void *p, size_t n)
{
	return pl_crc32c_portable(crc, p, n);
}
#endif
