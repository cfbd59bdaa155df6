/* weights: random codes, stored by hand in every layout, and what each of them must be as an element of A. Nothing here
 * comes from oracle/derive. Include after cmocka.h. */
#ifndef FO_TESTS_DERIVE_WEIGHTS_H
#define FO_TESTS_DERIVE_WEIGHTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/hopper_layout.h"
#include "reference/mxfp4.h"
#include "reference/number.h"
#include "tests/support/splitmix.h"

struct logical {
    uint32_t N, K;
    const char *code;
    uint32_t *codes; /* [N][K] */
    uint8_t *scales; /* [N][blocks], NULL: none */
    uint32_t blocks;
};

static inline uint32_t code_bits(const char *code)
{
    return strcmp(code, "bf16") == 0 ? 16 : strcmp(code, "e4m3") == 0 ? 8 : 4;
}

/* special: scales with the edges of their range among them, else moderate ones; bf16 likewise. */
static inline struct logical logical_make(const char *code, int scaled, uint32_t N, uint32_t K, int special,
                                          struct splitmix *r)
{
    static const uint8_t edges[] = {0, 1, 127, 128, 129, 130, 251, 252, 253, 254, 255};
    struct logical w = {N, K, code, malloc((size_t)N * K * 4), NULL, (K + 31) / 32};
    assert_non_null(w.codes);
    for (size_t i = 0; i < (size_t)N * K; i++) {
        w.codes[i] = (uint32_t)splitmix_next(r) & ((1u << code_bits(code)) - 1);
        if (strcmp(code, "bf16") == 0 && !special)
            w.codes[i] = (w.codes[i] & 0x87ffu) | 0x3800u;
        if (strcmp(code, "e4m3") == 0 && !special && (w.codes[i] & 0x7f) == 0x7f)
            w.codes[i] ^= 1;
    }
    if (!scaled)
        return w;
    w.scales = malloc((size_t)N * w.blocks);
    assert_non_null(w.scales);
    for (size_t i = 0; i < (size_t)N * w.blocks; i++)
        w.scales[i] = special ? edges[splitmix_below(r, sizeof edges)] : (uint8_t)splitmix_between(r, 117, 137);
    return w;
}

static inline void logical_free(struct logical *w)
{
    free(w->codes);
    free(w->scales);
}

/* A stored array; every byte that no code fills is 0xa5. */
struct stored {
    uint8_t *data;
    size_t bytes;
};
static inline struct stored stored_make(size_t bytes)
{
    struct stored s = {malloc(bytes), bytes};
    assert_non_null(s.data);
    memset(s.data, 0xa5, bytes);
    return s;
}

static inline void put_nibble(uint8_t *byte, int high, uint32_t code)
{
    *byte = (uint8_t)(high ? (*byte & 0x0f) | code << 4 : (*byte & 0xf0) | code);
}

/* [N, K], rows of whole bytes, padded to blocks of 32 columns where there are scales. */
static inline struct stored store_rows(const struct logical *w)
{
    uint32_t bits = code_bits(w->code), K = w->scales ? w->blocks * 32 : w->K;
    size_t pitch = ((size_t)K * bits + 7) / 8;
    struct stored s = stored_make(w->N * pitch);
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++) {
            uint32_t code = w->codes[(size_t)n * w->K + k];
            uint8_t *at = s.data + n * pitch + (size_t)k * bits / 8;
            if (bits == 4)
                put_nibble(at, k & 1, code);
            else
                for (uint32_t b = 0; b < bits / 8; b++)
                    at[b] = (uint8_t)(code >> (8 * b));
        }
    return s;
}

static inline struct stored store_scale_rows(const struct logical *w)
{
    struct stored s = stored_make((size_t)w->N * w->blocks);
    memcpy(s.data, w->scales, s.bytes);
    return s;
}

/* Both arrays of mxfp4-hopper, through the reference. K % 32 == 0. */
static inline void store_hopper(const struct logical *w, struct stored *values, struct stored *scales)
{
    struct hopper_layout l;
    struct error e;
    if (hopper_layout_init(&l, 1, w->N, w->K, 16, 32, 4, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    struct stored blocks = store_rows(w);
    struct weights raw = {1, w->N, w->K, blocks.data, w->scales};
    *values = stored_make(hopper_layout_value_bytes(&l));
    *scales = stored_make(hopper_layout_scale_bytes(&l));
    hopper_layout_forward(&l, &raw, values->data, scales->data);
    free(blocks.data);
}

/* GPTQ: 32-bit words [K/8, N], column k in nibble k % 8. K % 8 == 0. */
static inline struct stored store_gptq(const struct logical *w)
{
    struct stored s = stored_make((size_t)w->K / 8 * w->N * 4);
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++)
            put_nibble(s.data + ((size_t)k / 8 * w->N + n) * 4 + k % 8 / 2, k & 1, w->codes[(size_t)n * w->K + k]);
    return s;
}

/* GGUF: byte j of a block of 32 columns holds columns j and j + 16. K % 32 == 0. */
static inline struct stored store_gguf(const struct logical *w)
{
    struct stored s = stored_make((size_t)w->N * w->K / 2);
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++)
            put_nibble(s.data + (size_t)n * (w->K / 2) + k / 32 * 16 + k % 16, k / 16 & 1,
                       w->codes[(size_t)n * w->K + k]);
    return s;
}

/* Two rows in a byte: [N/2, K], row 2i low, row 2i + 1 high. */
static inline struct stored store_row_pairs(const struct logical *w)
{
    struct stored s = stored_make((size_t)(w->N + 1) / 2 * w->K);
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++)
            put_nibble(s.data + (size_t)n / 2 * w->K + k, n & 1, w->codes[(size_t)n * w->K + k]);
    return s;
}

/* Rows of nibbles, low and high exchanged in odd rows. N and K even. */
static inline struct stored store_exchanged(const struct logical *w)
{
    struct stored s = store_rows(w);
    for (size_t i = 0; i < s.bytes; i++)
        if (i / (w->K / 2) % 2)
            s.data[i] = (uint8_t)(s.data[i] << 4 | s.data[i] >> 4);
    return s;
}

/* Two rows in a byte with the bits of every 32-bit word rotated by 7. K % 4 == 0. */
static inline struct stored store_rotated(const struct logical *w)
{
    struct stored s = store_row_pairs(w);
    for (size_t i = 0; i < s.bytes; i += 4) {
        uint32_t x;
        memcpy(&x, s.data + i, 4);
        x = x << 7 | x >> 25;
        memcpy(s.data + i, &x, 4);
    }
    return s;
}

/* bf16 in rows of 64 columns, the 16-byte chunk exclusive-or'ed with the row. N % 8 == 0, K % 64 == 0. */
static inline struct stored store_swizzled(const struct logical *w)
{
    struct stored s = stored_make((size_t)w->N * w->K * 2);
    for (uint32_t n = 0; n < w->N; n++)
        for (uint32_t k = 0; k < w->K; k++) {
            uint16_t code = (uint16_t)w->codes[(size_t)n * w->K + k];
            size_t at = (size_t)n * w->K * 2 + k / 64 * 128 + ((k % 64 / 8) ^ n % 8) * 16 + k % 8 * 2;
            memcpy(s.data + at, &code, 2);
        }
    return s;
}

static inline uint32_t bf16_of(const struct logical *w, uint32_t n, uint32_t k)
{
    uint32_t code = w->codes[(size_t)n * w->K + k];
    struct e8m0 scale = {w->scales ? w->scales[(size_t)n * w->blocks + k / 32] : E8M0_BIAS};
    if (strcmp(w->code, "e2m1") == 0)
        return mxfp4_decode((struct fp4){(uint8_t)code}, scale).bits;
    if (strcmp(w->code, "e4m3") == 0)
        return bf16_encode(e4m3_decode((struct e4m3){(uint8_t)code})).bits;
    if (strcmp(w->code, "bf16") == 0)
        return code;
    enum int4_coding coding = strcmp(w->code, "int4") == 0 ? INT4_TWOS_COMPLEMENT : INT4_OFFSET8;
    return bf16_encode((float)int4_decode((struct int4){(uint8_t)code}, coding) * e8m0_decode(scale)).bits;
}

/* The bits of element (n, k) of A in its type; 0 beyond the matrix. */
static inline uint32_t element_of(const struct logical *w, const char *a, uint32_t n, uint32_t k)
{
    if (n >= w->N || k >= w->K)
        return 0;
    if (strcmp(a, "bf16") == 0)
        return bf16_of(w, n, k);
    if (strcmp(a, "tf32") == 0)
        return bf16_of(w, n, k) << 16;
    uint32_t code = w->codes[(size_t)n * w->K + k];
    if (strcmp(a, "s8") == 0) {
        enum int4_coding coding = strcmp(w->code, "int4") == 0 ? INT4_TWOS_COMPLEMENT : INT4_OFFSET8;
        return (uint8_t)int4_decode((struct int4){(uint8_t)code}, coding);
    }
    return code;
}

#endif
