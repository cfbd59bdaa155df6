#include "reference/accumulate_tile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reference/accumulate_paths.h"
#include "reference/number.h"

/* Vectors of 16 bytes: SSE2, which every x86-64 has, NEON, or whatever the compiler makes of them. */
#define LANES_BYTES 16
#define LANES_TARGET
#if defined(__SSE2__)
#include <emmintrin.h>
#define LANES_LARGER(a, b) ((shorts)_mm_max_epi16((__m128i)(a), (__m128i)(b)))
#define LANES_LESS(a, b)   ((shorts)_mm_subs_epu16((__m128i)(a), (__m128i)(b)))
#define LANES_ANY(a)       (_mm_movemask_epi8((__m128i)(a)) != 0)
#else
#define LANES_LARGER(a, b) (((shorts)((a) > (b)) & (a)) | (~(shorts)((a) > (b)) & (b)))
#define LANES_LESS(a, b)   (((a) - (b)) & (shorts)((a) > (b)))
typedef uint64_t longs __attribute__((vector_size(LANES_BYTES)));
#define LANES_ANY(a)       ((((longs)(a))[0] | ((longs)(a))[1]) != 0)
#endif
#include "reference/accumulate_lanes.h"

/* ---- packing ----------------------------------------------------------------------------------------------------- */

enum { SIGNIFICAND_ONE = 1 << BF16_MANTISSA_BITS };

static int16_t plain_exponent(uint32_t offset)
{
    return (int16_t)(offset == 0 ? ACCUMULATE_ZERO : (int)offset - OPERAND_OFFSET);
}

/* Column of a lane in a panel. */
static size_t column_of(size_t lane)
{
    return 2 * (lane % HALF) + lane / HALF;
}

void accumulate_pack_line(const struct accumulate_operand *x, struct accumulate_line *out)
{
    for (size_t k = 0; k < ACCUMULATE_TERMS; k++) {
        const int32_t exponent = x[k].exponent + OPERAND_OFFSET;
        out->significand[k] = (float)x[k].significand * (1.0f / SIGNIFICAND_ONE);
        out->exponent[k] = (uint32_t)(exponent < 0 ? 0 : exponent) * 0x10001u; /* only a zero's is negative */
    }
}

void accumulate_unpack_line(const struct accumulate_line *line, struct accumulate_operand *out)
{
    for (size_t k = 0; k < ACCUMULATE_TERMS; k++)
        out[k] = (struct accumulate_operand){(int16_t)(line->significand[k] * SIGNIFICAND_ONE),
                                             plain_exponent(line->exponent[k] & 0xffffu)};
}

void accumulate_pack_panels(const struct accumulate_operand *x, size_t stride, size_t lanes,
                            struct accumulate_panel *out)
{
    if (lanes % ACCUMULATE_LANES != 0)
        memset(&out[lanes / ACCUMULATE_LANES], 0, sizeof *out);
    for (size_t lane = 0; lane < lanes; lane++) {
        struct accumulate_panel *panel = &out[lane / ACCUMULATE_LANES];
        const size_t column = column_of(lane % ACCUMULATE_LANES);
        struct accumulate_line line;
        uint32_t significand[ACCUMULATE_TERMS];
        accumulate_pack_line(x + lane * stride, &line);
        /* At most 8 significant bits: the low half of the binary32 is empty. */
        memcpy(significand, line.significand, sizeof significand);
        for (size_t k = 0; k < ACCUMULATE_TERMS; k++) {
            panel->significand[k][column] = (uint16_t)(significand[k] >> 16);
            panel->exponent[k][column] = (uint16_t)line.exponent[k];
        }
    }
}

void accumulate_unpack_lane(const struct accumulate_panel *panel, size_t lane, struct accumulate_operand *out)
{
    assert(lane < ACCUMULATE_LANES);
    for (size_t k = 0, column = column_of(lane); k < ACCUMULATE_TERMS; k++) {
        const float significand = bf16_decode((struct bf16){panel->significand[k][column]});
        out[k] = (struct accumulate_operand){(int16_t)(significand * SIGNIFICAND_ONE),
                                             plain_exponent(panel->exponent[k][column])};
    }
}

/* ---- which path -------------------------------------------------------------------------------------------------- */

static bool always(void)
{
    return true;
}

const struct accumulate_path accumulate_path_portable = {"portable", always, lanes_tile};
const struct accumulate_path *const accumulate_paths[ACCUMULATE_PATHS] = {&accumulate_path_portable,
                                                                          &accumulate_path_avx2};

const struct accumulate_path *accumulate_path_choose(const char *name)
{
    const struct accumulate_path *best = NULL;
    for (int i = 0; i < ACCUMULATE_PATHS; i++) {
        if (!accumulate_paths[i]->usable())
            continue;
        best = accumulate_paths[i];
        if (name && strcmp(name, best->name) == 0)
            break;
    }
    return best;
}

void accumulate_tile(const struct accumulate_profile *p, const struct accumulate_line *line, const uint32_t *row,
                     size_t rows, const struct accumulate_panel *panel, size_t columns, float *d, size_t stride)
{
    /* Threads that come here together find the same. */
    static const struct accumulate_path *_Atomic chosen;
    const struct accumulate_path *path = chosen;
    if (!path)
        chosen = path = accumulate_path_choose(getenv("FRAGORACLE_SIMD"));
    assert(p->products == ACCUMULATE_TERMS && p->fraction_bits >= F32_FRACTION && p->fraction_bits <= 25);
    assert(p->floor_exponent > -252);
    path->tile(p, line, row, rows, panel, columns, d, stride);
}
