/* le.h - fixed-width little-endian loads and stores; what is on media is written with these. */
#ifndef PL_BASE_LE_H
#define PL_BASE_LE_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pagelab runs on little-endian machines (x86-64, wasm32)");

static inline uint16_t le16(const void *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}
static inline uint32_t le32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}
static inline uint64_t le64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}
static inline void put16(void *p, uint16_t v)
{
	memcpy(p, &v, 2);
}
static inline void put32(void *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static inline void put64(void *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

/* Big-endian, for keys whose byte order must be their numeric order. */
static inline uint64_t be64(const void *p)
{
	return __builtin_bswap64(le64(p));
}
static inline void put_be64(void *p, uint64_t v)
{
	put64(p, __builtin_bswap64(v));
}
static inline uint32_t be32(const void *p)
{
	return __builtin_bswap32(le32(p));
}

#endif
