#include "reference/ptx/ops/strip.h"

#include <assert.h>
#include <string.h>

#include "reference/number.h"

enum { NO_FORMAT = -1 };

/* What the float types of A and B are called in fused_sum.h, and what is said of their arithmetic. */
static const struct {
    int format;
    const char *approximate;
} types[VM_TYPES] = {
    [VM_BF16] = {FUSED_BF16, NULL},
    [VM_F16] = {FUSED_F16, "tensor-core arithmetic of f16 is read, not measured"},
    [VM_TF32] = {FUSED_TF32, "tensor-core arithmetic of tf32 is read, not measured"},
    [VM_E4M3] = {FUSED_E4M3, "tensor-core arithmetic of e4m3 is read, not measured"},
    [VM_E5M2] = {FUSED_E5M2, "tensor-core arithmetic of e5m2 is read, not measured"},
    [VM_S8] = {NO_FORMAT, NULL},
    [VM_U8] = {NO_FORMAT, NULL},
};

/* bf16 was measured as wgmma alone. */
static const char mma_of_bf16[] = "mma.sync of bf16 is read, not measured";

/* Which pairs there are, and how they are summed. bf16 of 16 products and integers need no profile. */
static const struct {
    enum strip_unit unit;
    enum vm_type a, d;
    size_t k;
    const struct fused_profile *profile;
} units[] = {
    {STRIP_WGMMA, VM_BF16, VM_F32, 16, NULL},
    {STRIP_WGMMA, VM_F16, VM_F32, 16, &fused_wgmma_f16},
    {STRIP_WGMMA, VM_F16, VM_F16, 16, &fused_wgmma_f16_half},
    {STRIP_WGMMA, VM_TF32, VM_F32, 8, &fused_wgmma_tf32},
    {STRIP_WGMMA, VM_E4M3, VM_F32, 32, &fused_wgmma_fp8},
    {STRIP_WGMMA, VM_E4M3, VM_F16, 32, &fused_wgmma_fp8_half},
    {STRIP_WGMMA, VM_S8, VM_S32, 32, NULL},
    {STRIP_MMA, VM_BF16, VM_F32, 8, &fused_mma_8},
    {STRIP_MMA, VM_BF16, VM_F32, 16, NULL},
    {STRIP_MMA, VM_F16, VM_F32, 8, &fused_mma_8},
    {STRIP_MMA, VM_F16, VM_F16, 8, &fused_mma_8_half},
    {STRIP_MMA, VM_F16, VM_F32, 16, &fused_mma_16},
    {STRIP_MMA, VM_F16, VM_F16, 16, &fused_mma_16_half},
    {STRIP_MMA, VM_TF32, VM_F32, 4, &fused_mma_8},
    {STRIP_MMA, VM_TF32, VM_F32, 8, &fused_mma_8},
    {STRIP_MMA, VM_E4M3, VM_F32, 16, &fused_mma_16},
    {STRIP_MMA, VM_E4M3, VM_F16, 16, &fused_mma_16_half},
    {STRIP_MMA, VM_E4M3, VM_F32, 32, &fused_mma_16},
    {STRIP_MMA, VM_E4M3, VM_F16, 32, &fused_mma_16_half},
    {STRIP_MMA, VM_S8, VM_S32, 16, NULL},
    {STRIP_MMA, VM_S8, VM_S32, 32, NULL},
};
enum { UNITS = sizeof units / sizeof *units };

/* Types that go with each other: the table has the first of them. */
static enum vm_type kin(enum vm_type t)
{
    return t == VM_E5M2 ? VM_E4M3 : t == VM_U8 ? VM_S8 : t;
}

bool strip_make(enum strip_unit unit, enum vm_type d, enum vm_type a, enum vm_type b, size_t k, struct strip *out)
{
    for (int u = 0; u < UNITS; u++)
        if (units[u].unit == unit && units[u].d == d && units[u].k == k && units[u].a == kin(a) &&
            units[u].a == kin(b)) {
            const struct fused_profile *p = units[u].profile;
            size_t room = p && k % (size_t)p->products != 0 ? (size_t)p->products : k;
            *out =
                (struct strip){.a = a,
                               .b = b,
                               .d = d,
                               .k = k,
                               .room = room,
                               .profile = p,
                               .exact = a == VM_BF16 && p == NULL,
                               .approximate = unit == STRIP_MMA && a == VM_BF16 ? mma_of_bf16 : types[a].approximate};
            return true;
        }
    return false;
}

/* Seven fraction bits for accumulate.h, ten for fused_sum.h; an integer is its own significand. */
static struct accumulate_operand prepared(const struct strip *s, enum vm_type type, uint32_t bits)
{
    struct accumulate_operand o = {0};
    if (s->exact)
        accumulate_prepare(&(struct bf16){(uint16_t)bits}, 1, &o);
    else if (s->profile)
        fused_prepare((enum fused_format)types[type].format, &bits, 1, &o);
    else
        o.significand = type == VM_S8 ? (int8_t)bits : (uint8_t)bits;
    return o;
}

void strip_prepare(const struct strip *s, enum vm_type type, const uint32_t *bits, size_t lines, bool negate,
                   struct accumulate_operand *out)
{
    for (size_t line = 0; line < lines; line++)
        for (size_t i = 0; i < s->room; i++) {
            struct accumulate_operand o = i < s->k ? prepared(s, type, bits[line * s->k + i]) : fused_zero();
            /* Inf is a signed 1, NaN a 0. */
            if (negate)
                o.significand = (int16_t)-o.significand;
            out[line * s->room + i] = o;
        }
}

static uint32_t integer_step(const struct strip *s, const struct accumulate_operand *a,
                             const struct accumulate_operand *b, uint32_t c)
{
    int64_t sum = (int32_t)c;
    int32_t products = 0;
    for (size_t i = 0; i < s->room; i++)
        products += a[i].significand * b[i].significand;
    sum += products;
    if (s->saturate)
        sum = sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : sum;
    return (uint32_t)sum;
}

static uint32_t step(const struct strip *s, const struct accumulate_operand *a, const struct accumulate_operand *b,
                     uint32_t c)
{
    if (!s->profile)
        return integer_step(s, a, b, c);
    const size_t products = (size_t)s->profile->products;
    for (size_t i = 0; i < s->room; i += products)
        c = fused_step(s->profile, a + i, b + i, c);
    return c;
}

void strip_pack(const struct strip *s, const struct accumulate_operand *b, size_t n, struct accumulate_panel *out)
{
    assert(n <= STRIP_MOST_N);
    if (s->exact)
        accumulate_pack_panels(b, s->room, n, out);
}

static void multiply_exact(const struct strip *s, const struct accumulate_operand *a,
                           const struct accumulate_panel *panel, size_t n, uint32_t *d)
{
    struct accumulate_line line[STRIP_ROWS];
    float sum[STRIP_ROWS * STRIP_MOST_N];
    for (size_t row = 0; row < STRIP_ROWS; row++)
        accumulate_pack_line(a + row * s->room, &line[row]);
    memcpy(sum, d, STRIP_ROWS * n * sizeof *d);
    accumulate_tile(&accumulate_hopper_bf16, line, NULL, STRIP_ROWS, panel, n, sum, n);
    memcpy(d, sum, STRIP_ROWS * n * sizeof *d);
}

void strip_multiply(const struct strip *s, const struct accumulate_operand *a, const struct accumulate_operand *b,
                    const struct accumulate_panel *panel, size_t n, uint32_t *d)
{
    assert(n <= STRIP_MOST_N && s->room <= STRIP_MOST_K);
    if (s->exact) {
        multiply_exact(s, a, panel, n, d);
        return;
    }
    for (size_t row = 0; row < STRIP_ROWS; row++)
        for (size_t column = 0; column < n; column++) {
            uint32_t *to = &d[row * n + column];
            *to = step(s, a + row * s->room, b + column * s->room, *to);
        }
}
