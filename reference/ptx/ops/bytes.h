/* bytes: a value of 1, 2, 4 or 8 bytes, as memory holds it. */
#ifndef FO_REFERENCE_PTX_OPS_BYTES_H
#define FO_REFERENCE_PTX_OPS_BYTES_H

#include <assert.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t vm_bytes_read(const uint8_t *at, unsigned bytes)
{
    uint16_t b2;
    uint32_t b4;
    uint64_t b8;
    switch (bytes) {
    case 1:
        return *at;
    case 2:
        memcpy(&b2, at, sizeof b2);
        return b2;
    case 4:
        memcpy(&b4, at, sizeof b4);
        return b4;
    default:
        assert(bytes == sizeof b8);
        memcpy(&b8, at, sizeof b8);
        return b8;
    }
}

static inline void vm_bytes_write(uint8_t *at, unsigned bytes, uint64_t value)
{
    uint16_t b2 = (uint16_t)value;
    uint32_t b4 = (uint32_t)value;
    switch (bytes) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        memcpy(at, &b2, sizeof b2);
        break;
    case 4:
        memcpy(at, &b4, sizeof b4);
        break;
    default:
        assert(bytes == sizeof value);
        memcpy(at, &value, sizeof value);
        break;
    }
}

/* Two's complement of `bits` bits in 64. What stands above them must be 0. */
static inline uint64_t vm_sign_extend(uint64_t value, unsigned bits)
{
    uint64_t sign = UINT64_C(1) << (bits - 1);
    return (value ^ sign) - sign;
}

#endif
