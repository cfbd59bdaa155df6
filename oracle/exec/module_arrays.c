#include "oracle/exec/module_arrays.h"

#include <math.h>

#include "reference/number.h"

size_t module_arrays_x_bytes(const struct module_extents *extents)
{
    return extents->P * extents->K * sizeof(uint16_t);
}

size_t module_arrays_out_bytes(const struct module_sidecar *m, const struct module_extents *extents)
{
    return extents->P * extents->N * (m->out == MODULE_F32 ? sizeof(uint32_t) : sizeof(uint16_t));
}

enum status module_arrays_x(const struct module_sidecar *m, const struct module_extents *extents, const struct bf16 *x,
                            uint16_t *to, struct error *e)
{
    size_t P = extents->P, K = extents->K;
    for (size_t p = 0; p < P; p++)
        for (size_t k = 0; k < K; k++) {
            struct bf16 value = x[p * K + k];
            uint16_t bits = value.bits;
            if (m->x == MODULE_F16) {
                float wide = bf16_decode(value);
                bits = f16_encode(wide).bits;
                if (!isnan(wide) && f16_decode((struct f16){bits}) != wide)
                    return error_set(e, STATUS_BAD_ARGUMENT, "not applicable: f16 cannot hold x[%zu][%zu] = %g", p, k,
                                     wide);
            }
            to[m->x_kp ? k * P + p : p * K + k] = bits;
        }
    return STATUS_OK;
}

/* A NaN of bf16 is one of f16 and, above 16 zeros, of f32: its bits serve in each. */
void module_arrays_poison(const struct module_sidecar *m, const struct module_extents *extents, struct bf16 poison,
                          void *out)
{
    size_t count = extents->P * extents->N;
    for (size_t i = 0; i < count; i++)
        if (m->out == MODULE_F32)
            ((uint32_t *)out)[i] = (uint32_t)poison.bits << 16;
        else
            ((uint16_t *)out)[i] = poison.bits;
}

static struct bf16 result(enum module_type type, struct bf16 poison, const void *from, size_t i)
{
    if (type == MODULE_F32) {
        /* A binary32 that is a bf16 keeps its bits, payloads of NaN included. */
        uint32_t bits = ((const uint32_t *)from)[i];
        return bits % 0x10000 == 0 ? (struct bf16){(uint16_t)(bits >> 16)} : bf16_encode(f32_from_bits(bits));
    }
    struct bf16 plain = {((const uint16_t *)from)[i]};
    if (type == MODULE_BF16 || plain.bits == poison.bits)
        return plain;
    return bf16_encode(f16_decode((struct f16){plain.bits}));
}

void module_arrays_result(const struct module_sidecar *m, const struct module_extents *extents, struct bf16 poison,
                          const void *from, struct bf16 *out)
{
    size_t P = extents->P, N = extents->N;
    for (size_t p = 0; p < P; p++)
        for (size_t n = 0; n < N; n++)
            out[p * N + n] = result(m->out, poison, from, m->out_np ? n * P + p : p * N + n);
}
