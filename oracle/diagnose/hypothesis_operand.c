/* Hypotheses about the operand: which weight and which scale a register really holds, and what it decodes to.
 *
 * Each function is asked for an element as the step before wants it, and answers with the element that was there. */
#include "oracle/diagnose/hypothesis.h"

#include <string.h>

/* ---- registers -------------------------------------------------------------------------------------------------- */

const uint8_t order_wanted[8] = {0, 1, 4, 5, 2, 3, 6, 7};

/* Slot 2r+h of a thread is row g + 8*(r&1), column 2q + h + 8*(r>>1); v00..v03 are row g, columns 2q 2q+1 2q+8 2q+9,
 * v04..v07 the same of row g+8. */
void order_apply(const uint8_t order[8], uint32_t *n, uint32_t *k)
{
    uint32_t slot = 2 * ((*n >> 3 & 1) + 2 * (*k >> 3 & 1)) + (*k & 1), v = order[slot];
    *n = (*n & ~8u) | (v >> 2) * 8;
    *k = (*k & ~9u) | (v >> 1 & 1) * 8 | (v & 1);
}

static void pack_order(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    order_apply(c->order, &e->n, &e->k);
}

/* The orders of the catalogue, in the order of the entries below. */
static const uint8_t orders[][8] = {
    {0, 4, 1, 5, 3, 7, 6, 2}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 4, 1, 5, 3, 7, 2, 6}, {0, 4, 1, 5, 2, 6, 3, 7}};

static size_t known_order(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    (void)g;
    *out = (struct choice){.is = h};
    memcpy(out->order, orders[h - hypotheses_operand], sizeof out->order);
    return 1;
}

/* Four votes of the map say what each slot holds; ones that fit no permutation give no candidate. */
static size_t solved_order(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    enum { SLOTS = 8 };
    const struct source_map *m = g->map;
    size_t votes[SLOTS][SLOTS] = {{0}};
    struct choice c = {.is = h};
    uint32_t taken = 0;
    for (size_t i = 0; i < source_map_observations(m); i++) {
        uint32_t n = (uint32_t)(i % m->N), k = m->column[i / m->N];
        if (m->value[i] >= SOURCE_CODES)
            continue;
        struct source_point from = source_value_point(m, m->value[i]);
        uint32_t slot = 2 * ((n >> 3 & 1) + 2 * (k >> 3 & 1)) + (k & 1);
        votes[slot][(from.n >> 3 & 1) * 4 + (from.k >> 3 & 1) * 2 + (from.k & 1)]++;
    }
    for (int slot = 0; slot < SLOTS; slot++) {
        for (uint8_t v = 1; v < SLOTS; v++)
            if (votes[slot][v] > votes[slot][c.order[slot]])
                c.order[slot] = v;
        taken |= 1u << c.order[slot];
    }
    bool named = memcmp(c.order, order_wanted, sizeof c.order) == 0;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        named = named || memcmp(c.order, orders[i], sizeof c.order) == 0;
    *out = c;
    return taken == 0xff && !named;
}

/* ---- loads ------------------------------------------------------------------------------------------------------ */

static void feature_ahead(const struct geometry *g, const struct choice *c, struct element *e)
{
    e->n += c->parameter;
    e->nothing = e->nothing || e->n >= g->N;
}

static void feature_of_even_tile(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    e->n &= ~c->parameter;
}

static size_t feature_tiles(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    *out = (struct choice){.is = h, .parameter = g->tile_features};
    return (g->tile_features & (g->tile_features - 1)) == 0;
}

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static void odd_feature_masked(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->nothing = e->nothing || e->n % 2 == 1;
}

/* Rows of the swizzled values: 4 of 2K bytes for 16 features; feature n is in row n/16*4 + n%8/2. */
static uint32_t swizzled_row(const struct geometry *g, const struct element *e)
{
    return e->expert * (g->N / 4) + e->n / 16 * 4 + e->n % 8 / 2;
}

/* The element at the same place of another row of the whole array, `rows` of them to an expert. */
static void from_swizzled_row(uint32_t row, uint32_t rows, struct element *e)
{
    e->expert = row / rows;
    e->n = row % rows / 4 * 16 + row % 4 * 2 + (e->n & 9);
}

static void row_is_feature(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)c;
    from_swizzled_row(e->expert * (g->N / 4) + e->n / 16 * 16 + e->n % 8, g->N / 4, e);
    e->nothing = e->nothing || e->expert >= g->experts; /* masked by the size that the kernel knows */
}

static void scale_of_tile(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    e->k %= c->parameter;
}

/* The K tile that the kernel states, and its neighbours. */
static size_t tiles_of_k(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    size_t count = 0;
    out[count++] = (struct choice){.is = h, .parameter = g->tile_K};
    for (uint32_t k = 64; k <= 256; k *= 2)
        if (k != g->tile_K)
            out[count++] = (struct choice){.is = h, .parameter = k};
    return count;
}

static void scale_even_block(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->k &= ~32u;
}

static void scale_of_row8(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->n ^= 8;
}

/* ---- how it is stored ------------------------------------------------------------------------------------------- */

/* Byte of (n, k) in its swizzled row, and back. Bits of the byte, from the top: k/64, n&1, kb&3, kb>>3&3, kb>>2&1,
 * n>>3&1, with kb = k%64/2. */
static uint32_t swizzled_byte(const struct element *e)
{
    uint32_t kb = e->k % 64 / 2;
    return ((((e->k / 64 * 2 + e->n % 2) * 4 + kb % 4) * 4 + (kb >> 3)) * 2 + (kb >> 2 & 1)) * 2 + (e->n >> 3 & 1);
}

static void from_swizzled_byte(uint32_t byte, struct element *e)
{
    uint32_t kb = (byte >> 4 & 3) + (byte >> 1 & 1) * 4 + (byte >> 2 & 3) * 8;
    e->n = (e->n & ~9u) | (byte & 1) * 8 | (byte >> 6 & 1);
    e->k = byte / 128 * 64 + kb * 2 + e->k % 2;
}

/* Rows stand 128 bytes further apart than the kernel thinks: 64 columns of padding. */
static void stride_is_longer(const struct geometry *g, const struct choice *c, struct element *e)
{
    uint32_t bytes = 2 * g->K, stride = bytes + 2 * c->parameter;
    uint64_t at = (uint64_t)swizzled_row(g, e) * bytes + swizzled_byte(e);
    from_swizzled_row((uint32_t)(at / stride), g->N / 4, e);
    from_swizzled_byte((uint32_t)(at % stride), e);
    e->nothing = e->nothing || at % stride >= bytes;
}

static size_t pad_columns(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    (void)g;
    *out = (struct choice){.is = h, .parameter = 64};
    return 1;
}

/* Every expert stands further from the next than the kernel thinks. */
static void experts_padded(const struct geometry *g, const struct choice *c, struct element *e)
{
    uint32_t rows = (g->N + c->parameter - 1) / c->parameter * c->parameter;
    from_swizzled_row(swizzled_row(g, e), rows / 4, e);
    e->nothing = e->nothing || e->n >= g->N;
}

static size_t pad_rows(const struct geometry *g, const struct hypothesis *h, struct choice *out)
{
    (void)g;
    out[0] = (struct choice){.is = h, .parameter = 64};
    out[1] = (struct choice){.is = h, .parameter = 128};
    out[2] = (struct choice){.is = h, .parameter = 256};
    return 3;
}

/* Packed for 8 warps, read for 4. 4 warps: row n/128*4 + n/16%4, in it ((kb/2*2 + n/64%2)*8 + n%8)*4 + kb%2*2 + n/8%2.
 * 8 warps: row n/256*8 + n/16%8, and n/128%2 in place of n/64%2. */
static void scale_for_8_warps(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)c;
    uint32_t kb = e->k / 32, rows4 = (g->N + 127) / 128 * 4, rows8 = (g->N + 255) / 256 * 8;
    uint32_t row = e->expert * rows4 + e->n / 128 * 4 + e->n / 16 % 4;
    uint32_t strip = row % rows8 / 8 * 16 + e->n / 64 % 2 * 8 + row % 8;
    e->expert = row / rows8;
    e->n = strip * 16 + e->n % 16;
    e->k = kb * 32;
    e->nothing = e->nothing || e->n >= g->N;
}

/* ---- what was packed -------------------------------------------------------------------------------------------- */

/* Byte kb of each 32 went to s(kb) = ((kb&3)*4 + (kb>>3&3))*2 + (kb>>2&1) once more. */
static void bytes_swizzled_twice(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    uint32_t at = e->k % 64 / 2, kb = (at >> 3) + (at & 1) * 4 + (at >> 1 & 3) * 8;
    e->k = (e->k & ~63u) | kb * 2 | (e->k & 1);
}

/* A word takes the four logical neighbours of one row: of row m for even kb, of row m+8 for odd kb. */
static void word_of_neighbours(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    uint32_t kb = e->k / 2, byte = (e->n >> 3 & 1) + 2 * (kb >> 2 & 1);
    uint32_t base = (kb & ~7u) + (kb & 2 ? 4 : 0);
    e->n = (e->n & ~8u) | (kb & 1) * 8;
    e->k = (base + byte) * 2 + (e->k & 1);
}

static void nibbles_of_halves(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->k = (e->k & ~31u) | (e->k % 32 / 2 + e->k % 2 * 16);
}

static void nibbles_exchanged(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->k ^= 1;
}

static void bytes_reversed(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)g;
    (void)c;
    e->n ^= 8;
    e->k ^= 8;
}

/* ---- where it was taken from ------------------------------------------------------------------------------------ */

static void rows_interleaved(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)c;
    e->n = e->n / 2 + e->n % 2 * (g->N / 2);
}

static void highest_expert_empty(const struct geometry *g, const struct choice *c, struct element *e)
{
    (void)c;
    e->nothing = e->nothing || e->expert + 1 == g->experts;
}

/* ---- decode ----------------------------------------------------------------------------------------------------- */

static void decode_folded(const struct choice *c, struct decode *d)
{
    (void)c;
    d->folded = true;
}

static void decode_specials(const struct choice *c, struct decode *d)
{
    (void)c;
    d->zero_is_nothing = d->nan_is_infinity = true;
}

static void decode_flushed(const struct choice *c, struct decode *d)
{
    (void)c;
    if ((d->code & 7) == 1)
        d->code &= 8;
}

static void decode_unsigned(const struct choice *c, struct decode *d)
{
    (void)c;
    if (d->n % 16 >= 8 && d->k % 16 >= 8)
        d->code &= 7;
}

#define ORDER_WANTED "v00 v01 v04 v05 v02 v03 v06 v07"
#define VALUE_BYTE   "byte = ((k/64*2 + n%2)*4 + t%4)*16 of row n/16*4 + n%8/2, rows 2K bytes, experts N/4 rows"

/* The first four are in the order of `orders`. */
const struct hypothesis hypotheses_operand[] = {
    {"F01", "a-order-rowpair", "fragment", DEPTH_REGISTER, .value = pack_order, .scale = pack_order,
     .choices = known_order, .what = "the decoded values enter the A registers in another order",
     .found = "order v00 v04 v01 v05 v03 v07 v06 v02", .wanted = "order " ORDER_WANTED},
    {"F02", "a-order-linear", "fragment", DEPTH_REGISTER, .value = pack_order, .scale = pack_order,
     .choices = known_order, .what = "the decoded values enter the A registers in another order: R1 and R2 exchanged",
     .found = "order v00 v01 v02 v03 v04 v05 v06 v07", .wanted = "order " ORDER_WANTED},
    {"F03", "a-order-sweep24", "fragment", DEPTH_REGISTER, .value = pack_order, .scale = pack_order,
     .choices = known_order, .what = "the decoded values enter the A registers in another order",
     .found = "order v00 v04 v01 v05 v03 v07 v02 v06", .wanted = "order " ORDER_WANTED},
    {"F04", "a-order-alt", "fragment", DEPTH_REGISTER, .value = pack_order, .scale = pack_order, .choices = known_order,
     .what = "the decoded values enter the A registers in another order",
     .found = "order v00 v04 v01 v05 v02 v06 v03 v07", .wanted = "order " ORDER_WANTED},
    {NULL, "a-order", "fragment", DEPTH_REGISTER, .value = pack_order, .scale = pack_order, .choices = solved_order,
     .what = "the decoded values enter the A registers in another order, which has no name", .found = "",
     .wanted = "order " ORDER_WANTED},
    {"F05", "warp-counts-producer", "fragment", DEPTH_LOAD, .value = feature_ahead, .scale = feature_ahead,
     .choices = feature_tiles, .parameter = "%u features",
     .what = "the warp is counted over the block instead of the warpgroup, so every load is one tile of features ahead",
     .found = "feature = tile + 16*(threadIdx.x/32) + t%32/4, a producer warpgroup counted in",
     .wanted = "feature = tile + 16*(threadIdx.x%128/32) + t%32/4"},
    {"F06", "consumer-offset-missing", "fragment", DEPTH_LOAD, .value = feature_of_even_tile,
     .scale = feature_of_even_tile, .choices = feature_tiles, .parameter = "%u features",
     .what = "the second consumer warpgroup decodes the rows of the first", .found = "loads at feature & ~64",
     .wanted = "loads at feature: the tile of each consumer added"},
    {"F11", "odd-column-zero", "values", DEPTH_ADDRESS, .value = odd_feature_masked,
     .what = "the parity of the row is in the byte index twice, so the words of odd features lie past their row",
     .found = "byte = ((k/64*2 + n%2)*4 + t%4)*16 + n%2*2K", .wanted = "byte = ((k/64*2 + n%2)*4 + t%4)*16"},
    {"F15", "stride-layout-mismatch", "values", DEPTH_ADDRESS, .value = row_is_feature,
     .what = "the feature is taken for the row of the swizzled array", .found = "row = n/16*16 + n%8",
     .wanted = "row = n/16*4 + n%8/2, of 2K bytes"},
    {"F07", "scale-tile-relative", "scales", DEPTH_ADDRESS, .scale = scale_of_tile, .choices = tiles_of_k,
     .parameter = "K tile of %u", .what = "the block of a scale is counted from the K tile instead of from the matrix",
     .found = "block = (k - tile_k)/32", .wanted = "block = k/32, k counted over the whole of K"},
    {"F21", "scale-odd-block", "scales", DEPTH_ADDRESS, .scale = scale_even_block,
     .what = "odd blocks take the scale of the even block before them", .found = "block = k/32 & ~1",
     .wanted = "block = k/32"},
    {"F22", "scale-row8-swap", "scales", DEPTH_ADDRESS, .scale = scale_of_row8,
     .what = "rows g and g+8 take each other's scale", .found = "scale of n ^ 8: byte 1 of the word for row g",
     .wanted = "scale of n: bytes (g,kb) (g+8,kb) (g,kb+1) (g+8,kb+1)"},
    {"F16", "strides-ignored", "values", DEPTH_STORE, .value = stride_is_longer, .choices = pad_columns,
     .parameter = "%u columns of padding", .what = "the rows of the values are padded and read as if they were not",
     .found = "row stride 2K over rows of 2(K + 64) bytes",
     .wanted = "the stride of the array: 2(K + padding) bytes a row, N/4 such rows an expert"},
    {"F57", "pad-rows", "values", DEPTH_STORE, .value = experts_padded, .choices = pad_rows,
     .parameter = "padded to %u rows",
     .what = "the rows of each expert's values are padded further than the kernel thinks",
     .found = "expert base e*(N/4)*2K",
     .wanted = "expert base e*(padded N/4)*2K, or values packed with rows padded to 16"},
    {"F20", "scale-swizzle-warps", "scales", DEPTH_STORE, .scale = scale_for_8_warps,
     .what = "the scales are packed for 8 warps and read for 4", .found = "row n/256*8 + n/16%8, bit n/128%2",
     .wanted = "row n/128*4 + n/16%4, bit n/64%2: scales packed for 4 warps"},
    {"F12", "double-unshuffle", "values", DEPTH_DATA, .value = bytes_swizzled_twice,
     .what = "the bytes of each 64 columns are permuted twice",
     .found = "byte ((kb&3)*4 + (kb>>3&3))*2 + (kb>>2&1) of bytes that are permuted already",
     .wanted = "the permutation once"},
    {"F13", "byte-gather", "values", DEPTH_DATA, .value = word_of_neighbours,
     .what = "a word is packed of four logical neighbours instead of the four that are stored together",
     .found = "word (n,kb) (n,kb+1) (n,kb+2) (n,kb+3)", .wanted = "word (n,kb) (n+8,kb) (n,kb+4) (n+8,kb+4)"},
    {"F14", "nibble-split-half", "values", DEPTH_DATA, .value = nibbles_of_halves,
     .what = "byte j of a block is taken to hold elements j and j+16, as GGUF stores them",
     .found = "byte j of 32: elements j, j+16", .wanted = "byte j of 32: elements 2j, 2j+1"},
    {"F53", "nibbles-exchanged", "values", DEPTH_DATA, .value = nibbles_exchanged,
     .what = "the two nibbles of a byte are exchanged", .found = "low nibble = odd k", .wanted = "low nibble = even k"},
    {"F55", "byte-order", "values", DEPTH_DATA, .value = bytes_reversed,
     .what = "the four bytes of a word are in reverse order", .found = "word (n+8,kb+4) (n,kb+4) (n+8,kb) (n,kb)",
     .wanted = "word (n,kb) (n+8,kb) (n,kb+4) (n+8,kb+4), first in the low byte"},
    {"F54", "packbits-first", "values", DEPTH_DATA, .mixes = true,
     .what = "bits are packed before the bytes are permuted, so a word is made of bits of other words",
     .found = "swizzle(packbits(values))", .wanted = "packbits(swizzle(values))"},
    {"F47", "gate-up-split", "fragment", DEPTH_SOURCE, .value = rows_interleaved, .scale = rows_interleaved,
     .what = "gate and up rows are interleaved once too often: feature n is row n/2 + n%2*(N/2)",
     .found = "row n/2 + n%2*(N/2)", .wanted = "row n"},
    {"F48", "missing-weights-zero", "values", DEPTH_SOURCE, .value = highest_expert_empty,
     .what = "the weights of the highest expert were never loaded", .found = "codes of expert E-1 all 0",
     .wanted = "refuse to start where a tensor is missing"},
    {"F18", "e8m0-overflow", "scales", DEPTH_DECODE, .decode = decode_folded,
     .what = "2^126 is multiplied into the scale first, which overflows from scale 129 on",
     .found = "value * (2^126 * 2^(s-127))", .wanted = "(value * 2^126) * 2^(s-127)"},
    {"F19", "e8m0-specials", "scales", DEPTH_DECODE, .decode = decode_specials,
     .what = "the two ends of the scale bytes are taken for 0 and infinity", .found = "0 is 0.0, 255 is Inf",
     .wanted = "0 is 2^-127, 255 is NaN"},
    {"F23", "subnormal-flush", "values", DEPTH_DECODE, .decode = decode_flushed,
     .what = "every +-0.5 becomes 0: its pattern is a subnormal before the multiply and was flushed",
     .found = "code 1 is 0", .wanted = "code 1 is 0.5: a multiply that keeps subnormals"},
    {"F56", "sign-byte3-lost", "values", DEPTH_DECODE, .decode = decode_unsigned,
     .what = "the fourth byte of a word loses its sign", .found = "y3 without (x<<1 & 0x80008000)",
     .wanted = "y3 = (x<<1 & 0x80008000) | (x>>3 & 0x01800180) | (x>>7 & 0x00400040)"},
};
const size_t hypotheses_operand_count = sizeof hypotheses_operand / sizeof *hypotheses_operand;
