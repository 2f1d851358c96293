/* CRC-32C (Castagnoli; RFC 3720), what every record of a shard carries. */
#ifndef RESULT_CRC_H
#define RESULT_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers followed by data; 0 to begin with. */
uint32_t crc_extend(uint32_t crc, const void *data, size_t len);
/* The same by the table alone: the reference. */
uint32_t crc_extend_table(uint32_t crc, const void *data, size_t len);

#endif
