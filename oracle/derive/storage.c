#include "oracle/derive/storage.h"

#include <string.h>

#include "reference/mxfp4.h"
#include "reference/pack_bits.h"
#include "reference/scale_swizzle.h"
#include "reference/value_swizzle.h"

enum { BYTE = 8, MOST = 256 /* rows and columns of a block, columns of a scale */ };

static bool is_power(uint32_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

struct storage storage_block(uint32_t bits, uint32_t share, uint32_t R, uint32_t C, uint32_t rows, uint32_t positions)
{
    return (struct storage){.bits = bits,
                            .share = share,
                            .block = {.kind = LAYOUT_AFFINE,
                                      .domain = {3, {"n", "k", "bit"}, {R, C, bits}},
                                      .codomain = {2, {"row", "position"}, {rows, positions}}}};
}

/* The image of one bit of a coordinate. */
static struct point *image_of(struct storage *s, int dim, uint32_t value)
{
    int bit = 0;
    while (1u << bit < value)
        bit++;
    return &s->block.image[dim][bit];
}

/* Code bits stand side by side. */
static void add_code_bits(struct storage *s)
{
    for (uint32_t b = 1; b < s->bits; b *= 2)
        image_of(s, STORAGE_BIT, b)->at[STORAGE_POSITION] = b;
}

struct storage storage_row_major(uint32_t bits, uint32_t share, uint32_t C)
{
    struct storage s = storage_block(bits, share, 1, C, 1, C * bits);
    add_code_bits(&s);
    for (uint32_t k = 1; k < C; k *= 2)
        image_of(&s, STORAGE_K, k)->at[STORAGE_POSITION] = k * bits;
    return s;
}

enum status storage_check(struct storage *s, struct error *e)
{
    struct layout *l = &s->block;
    const uint32_t *from = l->domain.extent, *to = l->codomain.extent;
    if (s->bits < 4 || s->bits > STORAGE_WORD || !is_power(s->bits))
        return error_set(e, STATUS_BAD_INPUT, "codes of %u bits; they have 4, 8, 16 or 32", s->bits);
    if (!is_power(s->share) || s->share > MOST)
        return error_set(e, STATUS_BAD_INPUT, "%u columns share a code; use a power of two up to 256", s->share);
    if (!is_power(from[STORAGE_N]) || !is_power(from[STORAGE_K]) || from[STORAGE_N] > MOST || from[STORAGE_K] > MOST)
        return error_set(e, STATUS_BAD_INPUT, "a block of %u x %u; use powers of two up to 256", from[STORAGE_N],
                         from[STORAGE_K]);
    if (!is_power(to[STORAGE_ROW]) || !is_power(to[STORAGE_POSITION]) || to[STORAGE_POSITION] % BYTE != 0 ||
        (uint64_t)to[STORAGE_ROW] * to[STORAGE_POSITION] != (uint64_t)from[STORAGE_N] * from[STORAGE_K] * s->bits)
        return error_set(e, STATUS_BAD_INPUT,
                         "a block of %u x %u codes of %u bits does not fill %u stored rows of %u bits, whole bytes",
                         from[STORAGE_N], from[STORAGE_K], s->bits, to[STORAGE_ROW], to[STORAGE_POSITION]);
    if (s->word_bits && (s->word_bits < s->bits || to[STORAGE_POSITION] % s->word_bits != 0))
        return error_set(e, STATUS_BAD_INPUT, "words of %u bits fit neither codes of %u bits nor %u bits of a block",
                         s->word_bits, s->bits, to[STORAGE_POSITION]);
    bool bijective;
    enum status st = layout_check(l, &bijective, e);
    if (st != STATUS_OK)
        return st;
    if (!bijective)
        return error_set(e, STATUS_BAD_INPUT, "two bits of a block stand in one place");
    if (l->kind != LAYOUT_AFFINE && !layout_to_affine(l, l))
        return error_set(e, STATUS_BAD_INPUT, "the map is not linear in the bits of n and k");
    for (int d = 0; d < 2; d++)
        if (l->offset.at[d] != 0)
            return error_set(e, STATUS_BAD_INPUT, "the map does not begin at 0");
    return STATUS_OK;
}

struct place storage_place(const struct storage *s, uint64_t n, uint64_t k, uint32_t bit)
{
    const uint32_t *from = s->block.domain.extent, *to = s->block.codomain.extent;
    k /= s->share;
    uint64_t down = s->rows_along_k ? k / from[STORAGE_K] : n / from[STORAGE_N];
    uint64_t right = s->rows_along_k ? n / from[STORAGE_N] : k / from[STORAGE_K];
    struct point p = {{(uint32_t)(n % from[STORAGE_N]), (uint32_t)(k % from[STORAGE_K]), bit}};
    p = layout_apply(&s->block, &p);
    return (struct place){down * to[STORAGE_ROW] + p.at[STORAGE_ROW],
                          right * to[STORAGE_POSITION] + p.at[STORAGE_POSITION]};
}

uint64_t storage_scatter(const struct storage *s, uint64_t bit)
{
    return s->word_bits ? bit / s->word_bits * s->word_bits + s->word[bit % s->word_bits] : bit;
}

static uint64_t blocks(uint64_t count, uint64_t extent)
{
    return (count + extent - 1) / extent;
}

uint64_t storage_pitch(const struct storage *s, uint64_t N, uint64_t K)
{
    const uint32_t *from = s->block.domain.extent, *to = s->block.codomain.extent;
    uint64_t right = s->rows_along_k ? blocks(N, from[STORAGE_N]) : blocks(K, (uint64_t)from[STORAGE_K] * s->share);
    return right * (to[STORAGE_POSITION] / BYTE);
}

uint64_t storage_bytes(const struct storage *s, uint64_t N, uint64_t K)
{
    const uint32_t *from = s->block.domain.extent, *to = s->block.codomain.extent;
    uint64_t down = s->rows_along_k ? blocks(K, (uint64_t)from[STORAGE_K] * s->share) : blocks(N, from[STORAGE_N]);
    return down * to[STORAGE_ROW] * storage_pitch(s, N, K);
}

/* What a bit of n or k does to the index of a swizzle that the reference knows as a function. */
static struct point place_of_scale(size_t index, size_t stride)
{
    return (struct point){{(uint32_t)(index / stride), (uint32_t)(index % stride * BYTE)}};
}

/* The packing takes the low nibbles of a word's four bytes to its low half and the high ones to its high half, and then
 * scatters bits inside the halves, alike in both:
 *
 *     bit     31 .. 16                                  15 .. 0
 *     holds   high nibbles of bytes 3 2 1 0             low nibbles of bytes 3 2 1 0
 */
enum { HALF = 16, NIBBLE = 4, WORD_BYTES = 4 };
static struct point place_of_value(size_t index, size_t stride)
{
    size_t byte = index % stride, word = byte / WORD_BYTES;
    return (struct point){{(uint32_t)(index / stride), (uint32_t)(word * 2 * HALF + byte % WORD_BYTES * NIBBLE)}};
}

static enum status hopper_values(struct storage *out, struct error *e)
{
    struct value_swizzle v;
    enum status st = value_swizzle_init(&v, VALUE_SWIZZLE_MIN_ROWS, VALUE_SWIZZLE_MIN_BYTES, VALUE_SWIZZLE_MIN_ROWS,
                                        VALUE_SWIZZLE_MIN_BYTES, 0, e);
    if (st != STATUS_OK)
        return st;
    struct storage s = storage_block(NIBBLE, 1, (uint32_t)v.rows, (uint32_t)v.row_bytes * 2,
                                     (uint32_t)value_swizzle_rows(&v), (uint32_t)v.stride * BYTE);
    add_code_bits(&s);
    for (uint32_t n = 1; n < v.rows; n *= 2)
        *image_of(&s, STORAGE_N, n) = place_of_value(value_swizzle_index(&v, n, 0), v.stride);
    image_of(&s, STORAGE_K, 1)->at[STORAGE_POSITION] = HALF; /* the odd column is the high nibble */
    for (uint32_t byte = 1; byte < v.row_bytes; byte *= 2)
        *image_of(&s, STORAGE_K, 2 * byte) = place_of_value(value_swizzle_index(&v, 0, byte), v.stride);
    s.word_bits = HALF;
    for (uint32_t i = 0; i < HALF; i++)
        for (uint32_t packed = pack_bits_forward(1u << (i / NIBBLE * BYTE + i % NIBBLE)); packed > 1; packed >>= 1)
            s.word[i]++;
    *out = s;
    return STATUS_OK;
}

static enum status hopper_scales(struct storage *out, struct error *e)
{
    enum { WARPS = 4, ROWS = 32 * WARPS, BLOCKS = 2 };
    struct scale_swizzle w;
    enum status st = scale_swizzle_init(&w, ROWS, BLOCKS, WARPS, 0, e);
    if (st != STATUS_OK)
        return st;
    struct storage s =
        storage_block(BYTE, MXFP4_BLOCK, ROWS, BLOCKS, (uint32_t)scale_swizzle_rows(&w), (uint32_t)w.stride * BYTE);
    add_code_bits(&s);
    for (uint32_t n = 1; n < ROWS; n *= 2)
        *image_of(&s, STORAGE_N, n) = place_of_scale(scale_swizzle_index(&w, n, 0), w.stride);
    *image_of(&s, STORAGE_K, 1) = place_of_scale(scale_swizzle_index(&w, 0, 1), w.stride);
    *out = s;
    return STATUS_OK;
}

/* Row-major layouts: a block is the fewest columns that fill bytes, or those that a format demands. */
static const struct {
    const char *name, *code;
    uint32_t bits, columns, share;
} row_major[] = {
    {"mxfp4", "e2m1", 4, MXFP4_BLOCK, MXFP4_BLOCK},
    {"int4", "int4", 4, 2, 0},
    {"int4-offset8", "int4-offset8", 4, 2, 0},
    {"fp8", "e4m3", 8, 1, 0},
    {"bf16", "bf16", 16, 1, 0},
};

enum status packing_find(const char *from, struct packing *out, struct error *e)
{
    struct packing p = {.scaled = false};
    if (strcmp(from, "mxfp4-hopper") == 0) {
        strcpy(p.code, "e2m1");
        p.scaled = true;
        enum status st = hopper_values(&p.values, e);
        if (st == STATUS_OK)
            st = hopper_scales(&p.scales, e);
        if (st == STATUS_OK)
            *out = p;
        return st;
    }
    for (size_t i = 0; i < sizeof row_major / sizeof *row_major; i++)
        if (strcmp(from, row_major[i].name) == 0) {
            strcpy(p.code, row_major[i].code);
            p.values = storage_row_major(row_major[i].bits, 1, row_major[i].columns);
            p.scaled = row_major[i].share != 0;
            if (p.scaled)
                p.scales = storage_row_major(BYTE, row_major[i].share, 1);
            *out = p;
            return STATUS_OK;
        }
    if (strpbrk(from, "./"))
        return packing_read(from, out, e);
    return error_set(e, STATUS_BAD_ARGUMENT,
                     "'%.40s' is no layout; write mxfp4-hopper, mxfp4, int4, int4-offset8, fp8, bf16, or the path of a "
                     "JSON file",
                     from);
}
