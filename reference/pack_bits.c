#include "reference/pack_bits.h"

#include <assert.h>

/* Both directions work on a pair of nibbles that take the same way in the two halves of the word:
 *
 *     bit    31 ... 20   19 18 17 16   15 ...  4    3  2  1  0
 *              zero      high nibble     zero       low nibble
 */
#define PAIR_SIGN      0x00080008u
#define PAIR_MAGNITUDE 0x00070007u
#define PAIR_UPPER     0x00060006u
#define PAIR_LOWEST    0x00010001u

static uint32_t pair_of_byte(uint32_t nibbles, int byte)
{
    uint32_t b = nibbles >> (8 * byte);
    return (b & 0x0fu) | (b & 0xf0u) << 12;
}

static uint32_t byte_of_pair(uint32_t pair, int byte)
{
    return ((pair | pair >> 12) & 0xffu) << (8 * byte);
}

/* c(n) of the header: where a mask alone finds it. */
static uint32_t pack_plain(uint32_t pair)
{
    return (pair & PAIR_SIGN) << 12 | (pair & PAIR_MAGNITUDE) << 6;
}

/* d(n) of the header: bits 14, 13, 11, 10, which three plain values leave free. */
static uint32_t pack_fourth(uint32_t pair)
{
    return (pair & PAIR_SIGN) << 11 | (pair & PAIR_UPPER) << 9 | (pair & PAIR_LOWEST) << 13;
}

uint32_t pack_bits_forward(uint32_t nibbles)
{
    return pack_plain(pair_of_byte(nibbles, 0)) | pack_plain(pair_of_byte(nibbles, 1)) >> 3 |
           pack_plain(pair_of_byte(nibbles, 2)) >> 6 | pack_fourth(pair_of_byte(nibbles, 3));
}

/* Read straight off the bit diagram of the header, one half:
 *
 *     bit    15  14  13  12  11  10   9   8   7   6   5   4   3   2   1   0
 *            s0  s3  m3  s1  e3  e3  s2  b0  b0  b0  b1  b1  b1  b2  b2  b2
 */
uint32_t pack_bits_inverse(uint32_t packed)
{
    uint32_t n0 = (packed >> 12 & PAIR_SIGN) | (packed >> 6 & PAIR_MAGNITUDE);
    uint32_t n1 = (packed >> 9 & PAIR_SIGN) | (packed >> 3 & PAIR_MAGNITUDE);
    uint32_t n2 = (packed >> 6 & PAIR_SIGN) | (packed & PAIR_MAGNITUDE);
    uint32_t n3 = (packed >> 11 & PAIR_SIGN) | (packed >> 9 & PAIR_UPPER) | (packed >> 13 & PAIR_LOWEST);
    return byte_of_pair(n0, 0) | byte_of_pair(n1, 1) | byte_of_pair(n2, 2) | byte_of_pair(n3, 3);
}

static void convert_bytes(uint8_t *data, size_t bytes, uint32_t (*convert)(uint32_t))
{
    assert(bytes % 4 == 0);
    for (size_t i = 0; i < bytes; i += 4) {
        uint32_t word =
            (uint32_t)data[i] | (uint32_t)data[i + 1] << 8 | (uint32_t)data[i + 2] << 16 | (uint32_t)data[i + 3] << 24;
        word = convert(word);
        for (int b = 0; b < 4; b++)
            data[i + (size_t)b] = (uint8_t)(word >> (8 * b));
    }
}

void pack_bits_forward_bytes(uint8_t *data, size_t bytes)
{
    convert_bytes(data, bytes, pack_bits_forward);
}

void pack_bits_inverse_bytes(uint8_t *data, size_t bytes)
{
    convert_bytes(data, bytes, pack_bits_inverse);
}
