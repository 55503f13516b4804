/* crc32c.h - CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI and ext4 use it.
 * Uses the SSE4.2 instruction where the machine has it; same results without. */
#ifndef PL_BASE_CRC32C_H
#define PL_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue a crc: start with 0, feed pieces in order. crc32c(0, "123456789", 9) == 0xE3069283. */
uint32_t pl_crc32c(uint32_t crc, const void *p, size_t n);
/* The portable form alone (tests compare both). */
uint32_t pl_crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
