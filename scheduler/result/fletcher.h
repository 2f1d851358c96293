/* Fletcher-32 as HDF5's filter of that name computes it over big-endian words, for chunks
 * that are written without the filter's own, slower loop. */
#ifndef RESULT_FLETCHER_H
#define RESULT_FLETCHER_H

#include <stddef.h>
#include <stdint.h>

uint32_t fletcher32(const void *data, size_t len);

#endif
