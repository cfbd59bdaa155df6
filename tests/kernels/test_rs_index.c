/* rs_index: the addresses and coordinates of the production kernel against the layouts and fragment maps of reference/,
 * which share nothing with it. */
#include "kernels/rs_index.h"

#include "oracle/exec/subject.h"
#include "reference/fragment.h"
#include "reference/hopper_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct rs_fault neutral = RS_FAULT_NEUTRAL;

static struct layout contract_map(enum fragment_operand operand)
{
    struct wgmma_op op;
    struct layout map;
    struct error e;
    assert_int_equal(wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, &e), STATUS_OK);
    assert_int_equal(fragment_map(&op, operand, &map, &e), STATUS_OK);
    return map;
}

static struct point element_of(const struct layout *map, uint32_t thread, uint32_t reg, uint32_t part)
{
    struct point slot = {{thread, reg, part}};
    return layout_apply(map, &slot);
}

/* ---- weights ---------------------------------------------------------------------------------------------------- */

/* One word of one thread: where the kernel finds the byte of every slot, against where the swizzles put it. */
struct word_case {
    const struct layout *map;
    struct hopper_layout layout;
    struct rs_shape shape;
    uint32_t expert, feature0, k, thread;
};

static size_t check_word(const struct word_case *c)
{
    uint32_t feature = c->feature0 + rs_feature(c->thread), tile_k = c->k / RS_TILE_K * RS_TILE_K;
    size_t value_base = c->expert * value_swizzle_bytes(&c->layout.values);
    size_t scale_base = c->expert * scale_swizzle_bytes(&c->layout.scales);
    size_t value = rs_value_row(&c->shape, c->expert, feature, &neutral) +
                   rs_value_byte(feature, c->k, c->thread, c->shape.K, &neutral);
    size_t scale = rs_scale_offset(&c->shape, c->expert, feature, c->k, tile_k, &neutral);
    size_t compared = 0;
    if (value % 16 || scale % 4 || !rs_value_inside(&c->shape, c->expert, feature, value, &neutral))
        fail_msg("thread %u: a 16-byte load at %zu or a 4-byte load at %zu is not aligned", c->thread, value, scale);
    for (uint32_t step = 0; step < RS_STEPS; step++)
        for (uint32_t slot = 0; slot < 8; slot++) {
            struct point at = element_of(c->map, c->thread, slot / 2, slot % 2);
            size_t row = c->feature0 + at.at[0], k = c->k + step * RS_STEP_K + at.at[1];
            size_t want = value_base + value_swizzle_index(&c->layout.values, row, k / 2);
            size_t want_scale = scale_base + scale_swizzle_index(&c->layout.scales, row, k / 32);
            if (want != value + 4 * step + slot / 2 || k % 2 != slot % 2)
                fail_msg("N %u K %u expert %u row %zu k %zu: value byte %zu, the kernel reads %zu", c->shape.N,
                         c->shape.K, c->expert, row, k, want, value + 4 * step + slot / 2);
            if (want_scale != scale + step / 2 * 2 + slot / 2 % 2)
                fail_msg("N %u K %u expert %u row %zu k %zu: scale byte %zu, the kernel reads %zu", c->shape.N,
                         c->shape.K, c->expert, row, k, want_scale, scale + step / 2 * 2 + slot / 2 % 2);
            compared++;
        }
    return compared;
}

/* Every word of one expert. */
static size_t check_expert(const struct layout *map, uint32_t N, uint32_t K, uint32_t experts, uint32_t expert)
{
    struct word_case c = {.map = map, .shape = {.N = N, .K = K, .experts = experts}, .expert = expert};
    struct error e;
    size_t compared = 0;
    assert_int_equal(hopper_layout_init(&c.layout, experts, N, K, 16, 32, 4, &e), STATUS_OK);
    for (c.feature0 = 0; c.feature0 < N; c.feature0 += RS_TILE_FEATURES)
        for (c.k = 0; c.k < K; c.k += RS_WORD_K)
            for (c.thread = 0; c.thread < RS_THREADS; c.thread++)
                if (c.feature0 + rs_feature(c.thread) < N)
                    compared += check_word(&c);
    assert_int_equal(compared, (size_t)N * K);
    return compared;
}

static void rs_value_row_every_slot_of_every_shape_matches_the_swizzles(void **state)
{
    (void)state;
    static const uint32_t Ns[] = {16, 48, 64, 112, 208, 336}, Ks[] = {64, 128, 192, 2880};
    struct layout map = contract_map(FRAGMENT_A);
    size_t compared = 0;
    for (size_t n = 0; n < sizeof Ns / sizeof *Ns; n++)
        for (size_t k = 0; k < sizeof Ks / sizeof *Ks; k++)
            for (uint32_t expert = 0; expert < 3; expert++)
                compared += check_expert(&map, Ns[n], Ks[k], 3, expert);
    assert_int_equal(compared, 3u * (16 + 48 + 64 + 112 + 208 + 336) * (64 + 128 + 192 + 2880));
}

/* The real shapes; the last expert lies beyond 4 GiB, so that an offset of 32 bits would show. */
static void rs_value_row_real_shapes_match_beyond_4_gib(void **state)
{
    (void)state;
    struct layout map = contract_map(FRAGMENT_A);
    struct rs_shape shape = {.N = 5760, .K = 2880, .experts = 600};
    assert_true(rs_value_row(&shape, 599, 0, &neutral) > UINT32_MAX);
    assert_int_equal(check_expert(&map, 2880, 2880, 32, 31), 2880u * 2880);
    assert_int_equal(check_expert(&map, 5760, 2880, 600, 599), 5760u * 2880);
    assert_int_equal(check_expert(&map, 5760, 128, 128, 127), 5760u * 128);
}

/* The two planted address faults: what they change, and what they leave. */
static void rs_scale_offset_tile_relative_differs_only_past_the_first_tile(void **state)
{
    (void)state;
    struct rs_shape shape = {.N = 128, .K = 384, .experts = 1};
    struct rs_fault wrong = neutral;
    size_t same = 0, other = 0;
    wrong.scale_tile_relative = 1;
    for (uint32_t k = 0; k < 384; k += RS_WORD_K)
        for (uint32_t feature = 0; feature < 128; feature++) {
            uint32_t tile_k = k / RS_TILE_K * RS_TILE_K;
            bool equal = rs_scale_offset(&shape, 0, feature, k, tile_k, &wrong) ==
                         rs_scale_offset(&shape, 0, feature, k, tile_k, &neutral);
            assert_int_equal(equal, k < RS_TILE_K);
            same += equal, other += !equal;
        }
    assert_int_equal(same, 2 * 128);
    assert_int_equal(other, 4 * 128);
}

static void rs_value_byte_odd_column_fault_masks_every_odd_feature(void **state)
{
    (void)state;
    struct rs_fault wrong = neutral;
    const struct rs_shape shape = {1, 64, 192, 1, 1};
    size_t masked = 0;
    wrong.odd_column_zero = 1;
    for (uint32_t feature = 0; feature < 64; feature++)
        for (uint32_t thread = 0; thread < RS_THREADS; thread++) {
            size_t byte = rs_value_byte(feature, 64, thread, 192, &wrong);
            assert_int_equal(rs_value_inside(&shape, 0, feature, byte, &wrong), feature % 2 == 0);
            if (feature % 2 == 0)
                assert_int_equal(byte, rs_value_byte(feature, 64, thread, 192, &neutral));
            masked += !rs_value_inside(&shape, 0, feature, byte, &wrong);
        }
    assert_int_equal(masked, 32 * RS_THREADS);
}

/* ---- x ---------------------------------------------------------------------------------------------------------- */

static void rs_x_chunk_all_threads_cover_the_tile_once(void **state)
{
    (void)state;
    uint8_t covered[RS_TILE_TOKENS][RS_TILE_K] = {{0}};
    uint8_t bytes[RS_SMEM_BYTES] = {0};
    size_t chunks = 0;
    for (uint32_t thread = 0; thread < RS_THREADS; thread++)
        for (uint32_t c = 0; c < RS_CHUNKS; c++, chunks++) {
            uint32_t token, k;
            rs_x_chunk(thread, c, &neutral, &token, &k);
            assert_true(token < RS_TILE_TOKENS && k < RS_TILE_K && k % 8 == 0);
            for (uint32_t i = 0; i < 8; i++)
                covered[token][k + i]++;
            assert_true(rs_smem_offset(token, k, &neutral) % 16 == 0 &&
                        rs_smem_offset(token, k, &neutral) < RS_SMEM_BYTES);
            for (uint32_t i = 0; i < RS_CHUNK_BYTES; i++)
                bytes[rs_smem_offset(token, k, &neutral) + i]++;
        }
    assert_int_equal(chunks * 8, RS_TILE_TOKENS * RS_TILE_K);
    for (uint32_t i = 0; i < RS_TILE_TOKENS * RS_TILE_K; i++)
        assert_int_equal(covered[i / RS_TILE_K][i % RS_TILE_K], 1);
    for (uint32_t i = 0; i < RS_SMEM_BYTES; i++)
        assert_int_equal(bytes[i], 1);
}

/* Where the kernel writes an activation is where the descriptor of its k16 step makes wgmma read it: the 128-byte
 * swizzle is a function of the address, so it is taken from a 1024-aligned base. */
static void rs_smem_step_every_element_is_read_where_it_was_written(void **state)
{
    (void)state;
    size_t compared = 0;
    for (uint32_t k = 0; k < RS_TILE_K; k += RS_STEP_K) {
        uint32_t start = rs_smem_step(k), base = start / 1024 * 1024, column = start % 128 / 2;
        assert_int_equal(start % 16, 0);
        assert_true(start - base < 128);
        for (uint32_t token = 0; token < RS_TILE_TOKENS; token++)
            for (uint32_t j = 0; j < RS_STEP_K; j++, compared++) {
                size_t read = base + fragment_smem_sw128(token, column + j);
                size_t written = rs_smem_offset(token, (k + j) / 8 * 8, &neutral) + (k + j) % 8 * 2;
                if (read != written)
                    fail_msg("token %u k %u: written at %zu, read at %zu", token, k + j, written, read);
            }
    }
    assert_int_equal(compared, RS_TILE_TOKENS * RS_TILE_K);
}

static void rs_x_offset_large_matrices_do_not_wrap(void **state)
{
    (void)state;
    struct rs_shape shape = {.P = 4000000, .N = 5760, .K = 2880};
    assert_true(rs_x_offset(&shape, 0, 7) == 7);
    assert_true(rs_x_offset(&shape, 3999999, 2879) == (size_t)4000000 * 2880 - 1);
    assert_true(rs_out_offset(&shape, 0, 7) == 7);
    assert_true(rs_out_offset(&shape, 3999999, 5759) == (size_t)4000000 * 5760 - 1);
}

/* ---- the result ------------------------------------------------------------------------------------------------- */

static void rs_acc_feature_every_register_matches_the_d_map(void **state)
{
    (void)state;
    struct layout map = contract_map(FRAGMENT_D);
    size_t compared = 0;
    for (uint32_t thread = 0; thread < RS_THREADS; thread++)
        for (uint32_t i = 0; i < RS_ACCUMULATORS; i++, compared++) {
            struct point at = element_of(&map, thread, i, 0);
            assert_int_equal(rs_acc_feature(thread, i, &neutral), at.at[0]);
            assert_int_equal(rs_acc_token(thread, i, &neutral), at.at[1]);
        }
    assert_int_equal(compared, RS_TILE_FEATURES * RS_TILE_TOKENS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rs_value_row_every_slot_of_every_shape_matches_the_swizzles),
        cmocka_unit_test(rs_value_row_real_shapes_match_beyond_4_gib),
        cmocka_unit_test(rs_scale_offset_tile_relative_differs_only_past_the_first_tile),
        cmocka_unit_test(rs_value_byte_odd_column_fault_masks_every_odd_feature),
        cmocka_unit_test(rs_x_chunk_all_threads_cover_the_tile_once),
        cmocka_unit_test(rs_smem_step_every_element_is_read_where_it_was_written),
        cmocka_unit_test(rs_x_offset_large_matrices_do_not_wrap),
        cmocka_unit_test(rs_acc_feature_every_register_matches_the_d_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
