/* hopper_layout: several experts packed and unpacked; what one packed word decodes to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reference/hopper_layout.h"
#include "reference/pack_bits.h"

static struct hopper_layout make(size_t experts, size_t N, size_t K, size_t pad_rows, size_t pad_bytes, int warps)
{
    struct hopper_layout l;
    struct error e;
    if (hopper_layout_init(&l, experts, N, K, pad_rows, pad_bytes, warps, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    return l;
}

static uint8_t *bytes_filled(size_t size, uint8_t first)
{
    uint8_t *p = malloc(size);
    assert_non_null(p);
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(first + i * 151 + i / 239);
    return p;
}

static void hopper_layout_init_sizes_all_experts(void **state)
{
    (void)state;
    struct hopper_layout l = make(32, 2880, 2880, 16, 32, 4);
    assert_int_equal(hopper_layout_value_bytes(&l), 32u * 720 * 5760);
    assert_int_equal(hopper_layout_scale_bytes(&l), 32u * 92 * 2880);
    l = make(2, 96, 160, 64, 64, 8); /* 5 blocks become 6, 80 bytes 128, 96 rows 128 and 256 */
    assert_int_equal(hopper_layout_value_bytes(&l), 2 * 32 * 4 * 128);
    assert_int_equal(hopper_layout_scale_bytes(&l), 2 * 8 * 32 * 6);
}

static void hopper_layout_init_bad_arguments_are_refused(void **state)
{
    (void)state;
    const struct {
        size_t experts, N, K, pad_rows, pad_bytes;
        int warps;
        const char *names; /* what the sentence must name */
    } bad[] = {
        {0, 64, 64, 16, 32, 4, "experts"},
        {1, 64, 48, 16, 32, 4, "48"},
        {1, 64, 33, 16, 32, 4, "33"},
        {1, 0, 64, 16, 32, 4, "rows"},
        {1, 64, 0, 16, 32, 4, "bytes"},
        {1, 64, 64, 10, 32, 4, "10 rows"},
        {1, 64, 64, 16, 20, 4, "20 bytes"},
        {1, 64, 64, 16, 32, 6, "6 warps"},
        {SIZE_MAX / 1000, 64, 64, 16, 32, 4, "experts"},
        {1, SIZE_MAX, 64, 16, 32, 4, "too many"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct hopper_layout l, before;
        struct error e = {.status = STATUS_OK};
        memset(&l, 0x5a, sizeof l);
        before = l;
        assert_int_equal(hopper_layout_init(&l, bad[i].experts, bad[i].N, bad[i].K, bad[i].pad_rows, bad[i].pad_bytes,
                                            bad[i].warps, &e),
                         STATUS_BAD_ARGUMENT);
        if (!strstr(e.why, bad[i].names))
            fail_msg("\"%s\" does not name \"%s\"", e.why, bad[i].names);
        assert_memory_equal(&l, &before, sizeof l);
    }
}

static void check_round_trip(const struct hopper_layout *l, size_t N, size_t K)
{
    size_t nb = l->experts * N * K / 2, ns = l->experts * N * K / 32;
    uint8_t *blocks = bytes_filled(nb, 3), *scales = bytes_filled(ns, 77);
    uint8_t *v = malloc(hopper_layout_value_bytes(l)), *s = malloc(hopper_layout_scale_bytes(l));
    uint8_t *blocks_back = malloc(nb), *scales_back = malloc(ns), *v_before = malloc(hopper_layout_value_bytes(l));
    assert_true(v && s && blocks_back && scales_back && v_before);

    struct weights w = {l->experts, N, K, blocks, scales};
    hopper_layout_forward(l, &w, v, s);
    memcpy(v_before, v, hopper_layout_value_bytes(l));
    struct error e;
    assert_int_equal(hopper_layout_inverse(l, v, s, blocks_back, scales_back, &e), STATUS_OK);
    assert_memory_equal(blocks_back, blocks, nb);
    assert_memory_equal(scales_back, scales, ns);
    assert_memory_equal(v, v_before, hopper_layout_value_bytes(l)); /* the packed array is not modified */

    uint8_t *all[] = {blocks, scales, v, s, blocks_back, scales_back, v_before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void hopper_layout_inverse_every_padding_gives_the_input_back(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{1, 32}, {96, 160}, {64, 128}, {272, 96}}, rows[] = {16, 64, 256};
    int cases = 0;
    for (int i = 0; i < 4; i++)
        for (int r = 0; r < 3; r++)
            for (size_t bytes = 32; bytes <= 64; bytes += 32)
                for (int warps = 4; warps <= 8; warps += 4, cases++) {
                    struct hopper_layout l = make(3, shapes[i][0], shapes[i][1], rows[r], bytes, warps);
                    check_round_trip(&l, shapes[i][0], shapes[i][1]);
                }
    assert_int_equal(cases, 48);
}

static void hopper_layout_forward_expert_stands_alone(void **state)
{
    (void)state;
    enum { N = 80, K = 96, E = 3 };
    struct hopper_layout all = make(E, N, K, 64, 64, 4), one = make(1, N, K, 64, 64, 4);
    size_t nv = hopper_layout_value_bytes(&one), ns = hopper_layout_scale_bytes(&one);
    uint8_t *blocks = bytes_filled((size_t)E * N * K / 2, 3), *scales = bytes_filled((size_t)E * N * K / 32, 77);
    uint8_t *v = malloc(E * nv), *s = malloc(E * ns), *v1 = malloc(nv), *s1 = malloc(ns);
    assert_true(v && s && v1 && s1);
    hopper_layout_forward(&all, &(struct weights){E, N, K, blocks, scales}, v, s);
    for (size_t x = 0; x < E; x++) {
        struct weights w = {1, N, K, blocks + x * N * K / 2, scales + x * N * K / 32};
        hopper_layout_forward(&one, &w, v1, s1);
        assert_memory_equal(v + x * nv, v1, nv);
        assert_memory_equal(s + x * ns, s1, ns);
    }
    uint8_t *used[] = {blocks, scales, v, s, v1, s1};
    for (size_t i = 0; i < sizeof used / sizeof *used; i++)
        free(used[i]);
}

/* The code of element (n, k), straight from the checkpoint: low nibble is even k. */
static uint8_t code_at(const uint8_t *blocks, size_t K, size_t n, size_t k)
{
    return blocks[n * (K / 2) + k / 2] >> (4 * (k % 2)) & 0xf;
}

static void hopper_layout_forward_word_decodes_to_the_fragment(void **state)
{
    (void)state;
    /* One lane, one load of 16 bytes: word s unpacks, mask by mask, into registers R0..R3 of k16 step s. */
    enum { N = 64, K = 128 };
    struct hopper_layout l = make(1, N, K, 16, 32, 4);
    uint8_t *blocks = bytes_filled(N * K / 2, 3), *scales = bytes_filled(N * K / 32, 77);
    uint8_t *v = malloc(hopper_layout_value_bytes(&l)), *s = malloc(hopper_layout_scale_bytes(&l));
    assert_true(v && s);
    hopper_layout_forward(&l, &(struct weights){1, N, K, blocks, scales}, v, s);
    int checked = 0;
    for (size_t thread = 0; thread < 128; thread++)
        for (size_t k64 = 0; k64 < K; k64 += 64)
            for (size_t step = 0; step < 4; step++) {
                size_t row = thread / 32 * 16 + thread % 32 / 4, q = thread % 4;
                const uint8_t *b = v + value_swizzle_index(&l.values, row, k64 / 2 + q) + 4 * step;
                uint32_t x = pack_bits_inverse((uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
                                               (uint32_t)b[3] << 24);
                for (size_t r = 0; r < 4; r++)
                    for (size_t h = 0; h < 2; h++, checked++) {
                        size_t n = row + 8 * (r & 1), k = k64 + 16 * step + 2 * q + h + 8 * (r >> 1);
                        assert_int_equal(x >> (8 * r + 4 * h) & 0xf, code_at(blocks, K, n, k));
                    }
            }
    assert_int_equal(checked, N * K);
    free(blocks);
    free(scales);
    free(v);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hopper_layout_init_sizes_all_experts),
        cmocka_unit_test(hopper_layout_init_bad_arguments_are_refused),
        cmocka_unit_test(hopper_layout_inverse_every_padding_gives_the_input_back),
        cmocka_unit_test(hopper_layout_forward_expert_stands_alone),
        cmocka_unit_test(hopper_layout_forward_word_decodes_to_the_fragment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
