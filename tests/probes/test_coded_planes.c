/* coded_planes: the pair planes hold every pair, visibly; the dense product is exact in bf16. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probes/coded.h"
#include "probes/coded_planes.h"
#include "probes/identity.h"
#include "reference/mxfp4.h"

static void make(size_t P, size_t N, size_t K, size_t experts, struct source_map *m)
{
    struct identity_segments segments;
    struct error e;
    assert_int_equal(identity_segments_make(P, experts, 0, &segments, &e), STATUS_OK);
    assert_int_equal(source_map_make(&segments.s, N, K, m, &e), STATUS_OK);
    identity_segments_free(&segments);
}

/* Pairs that observations of the longest segment show, each as what its product is. */
static size_t pairs_shown(const struct coded_planes *p, bool shown[16][256])
{
    const struct source_map *m = p->map;
    size_t count = 0, longest = 0;
    for (size_t a = 1; a < m->segments.active; a++)
        if (m->starts[a + 1] - m->starts[a] > m->starts[longest + 1] - m->starts[longest])
            longest = a;
    for (size_t plane = 0; plane < p->pair; plane++)
        for (size_t s = 0; s < m->sweeps; s++)
            for (size_t row = m->starts[longest]; row < m->starts[longest + 1]; row++)
                for (size_t n = 0; n < m->N; n++) {
                    struct source_point at = source_value_point(m, source_wanted_value(m, s, row, n));
                    struct source_point scale = source_scale_point(m, source_wanted_scale(m, s, row, n));
                    uint32_t code = coded_pair_code(m, plane, at);
                    uint32_t byte = coded_pair_scale(m, plane, scale, p->no_scales);
                    struct bf16 product = mxfp4_decode((struct fp4){(uint8_t)code}, (struct e8m0){(uint8_t)byte});
                    if (coded_planes_pair_expected(p, plane, at).bits == product.bits && !shown[code][byte]) {
                        shown[code][byte] = true;
                        count++;
                    }
                }
    return count;
}

static void coded_pair_planes_show_every_pair_in_as_few_as_the_shape_needs(void **state)
{
    (void)state;
    static const struct {
        size_t P, N, K, experts, planes;
    } shapes[] = {{128, 208, 256, 8, 1}, {24, 32, 64, 4, 5}, {8, 3, 32, 2, 90}, {5, 16, 96, 1, 7}, {8, 1, 320, 1, 41}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static bool shown[16][256];
        struct source_map m;
        struct coded_planes p;
        make(shapes[i].P, shapes[i].N, shapes[i].K, shapes[i].experts, &m);
        assert_int_equal(coded_planes_make(&m, false, &p, NULL), STATUS_OK);
        assert_int_equal(p.pair, shapes[i].planes);
        memset(shown, 0, sizeof shown);
        assert_int_equal(pairs_shown(&p, shown), 4096);
        /* One plane fewer would not do. */
        memset(shown, 0, sizeof shown);
        p.pair--;
        assert_true(pairs_shown(&p, shown) < 4096);
        coded_planes_free(&p);
        source_map_free(&m);
    }
}

static void coded_pair_planes_without_scales_show_every_code_in_one(void **state)
{
    (void)state;
    static bool shown[16][256];
    struct source_map m;
    struct coded_planes p;
    make(4, 1, 32, 1, &m);
    assert_int_equal(coded_planes_make(&m, true, &p, NULL), STATUS_OK);
    assert_int_equal(p.pair, 1);
    assert_int_equal(pairs_shown(&p, shown), 16);
    for (size_t code = 0; code < 16; code++)
        assert_true(shown[code][127]);
    coded_planes_free(&p);
    source_map_free(&m);
}

/* The arrays hold what the two functions say, and a right product of a row with a one at one place is what
 * coded_planes_pair_expected says, Inf and NaN included. */
static void coded_planes_pair_expected_is_the_product(void **state)
{
    (void)state;
    struct source_map m;
    struct coded_planes p;
    size_t special = 0;
    make(24, 32, 64, 4, &m);
    assert_int_equal(coded_planes_make(&m, false, &p, NULL), STATUS_OK);
    for (size_t plane = 0; plane < p.pair; plane++) {
        coded_planes_pair(&p, plane);
        for (uint32_t code = 0; code < 4 * 32 * 64; code++) {
            struct source_point at = source_value_point(&m, code);
            float sum = 0;
            for (uint32_t k = 0; k < 64; k++) {
                struct source_point other = {at.expert, at.n, k};
                struct source_point block = {at.expert, at.n, k / 32};
                uint32_t value = source_value_code(&m, other), scale = source_scale_code(&m, block);
                uint32_t nibble = p.blocks[value / 2] >> (value % 2 * 4) & 0xf;
                assert_int_equal(nibble, coded_pair_code(&m, plane, other));
                assert_int_equal(p.scales[scale], coded_pair_scale(&m, plane, block, false));
                sum += (k == at.k ? 1.0f : 0.0f) *
                       bf16_decode(mxfp4_decode((struct fp4){(uint8_t)nibble}, (struct e8m0){p.scales[scale]}));
            }
            float expected = bf16_decode(coded_planes_pair_expected(&p, plane, at));
            if (isnan(sum) ? !isnan(expected) : sum != expected)
                fail_msg("plane %zu, expert %u, n %u, k %u: %g, not %g", plane, at.expert, at.n, at.k, (double)expected,
                         (double)sum);
            special += !isfinite(sum);
        }
    }
    assert_true(special > 0);
    coded_planes_free(&p);
    source_map_free(&m);
}

static void coded_planes_dense_sums_stay_within_256(void **state)
{
    (void)state;
    static const size_t widths[] = {32, 128, 160, 1024};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        struct source_map m;
        struct coded_planes p;
        size_t K = widths[i], codes[16] = {0};
        make(40, 5, K, 3, &m);
        assert_int_equal(coded_planes_make(&m, false, &p, NULL), STATUS_OK);
        coded_planes_dense(&p, 7);
        for (size_t b = 0; b < 3 * 5 * K / 2; b++) {
            codes[p.blocks[b] & 0xf]++;
            codes[p.blocks[b] >> 4]++;
        }
        assert_int_equal(codes[2] + codes[4] + codes[10] + codes[12], 3 * 5 * K);
        assert_true(codes[2] && codes[4] && codes[10] && codes[12]);
        for (size_t b = 0; b < 3 * 5 * K / 32; b++)
            assert_int_equal(p.scales[b], 127);
        struct bf16 *x = malloc(40 * K * sizeof *x);
        coded_planes_dense_x(&p, 7, x);
        size_t asked_last = 0;
        for (size_t row = 0; row < 40; row++) {
            size_t nonzero = 0, negative = 0;
            for (size_t k = 0; k < K; k++) {
                uint16_t bits = x[row * K + k].bits;
                assert_true(bits == 0 || (bits & 0x7fff) == BF16_ONE);
                nonzero += bits != 0;
                negative += bits >> 15;
            }
            asked_last += x[row * K + K - 1].bits != 0;
            assert_int_equal(nonzero, K < CODED_DENSE ? K : CODED_DENSE);
            assert_in_range(negative, nonzero / 8, nonzero - nonzero / 8);
        }
        assert_true(asked_last > 0);
        free(x);
        coded_planes_free(&p);
        source_map_free(&m);
    }
}

static void coded_planes_sweep_sets_and_clears_one_a_row(void **state)
{
    (void)state;
    struct source_map m;
    struct coded_planes p;
    make(24, 4, 64, 2, &m);
    assert_int_equal(coded_planes_make(&m, false, &p, NULL), STATUS_OK);
    struct bf16 *x = calloc(24 * 64, sizeof *x);
    for (size_t sweep = 0; sweep < m.sweeps; sweep++)
        for (size_t plane = 0; plane <= p.row.planes; plane++) {
            size_t which = plane == p.row.planes ? CODED_ONES : plane, set = 0;
            coded_planes_sweep(&p, sweep, which, false, x);
            for (size_t i = 0; i < 24 * 64; i++)
                set += x[i].bits != 0;
            assert_int_equal(set, 24);
            for (size_t row = 0; row < 24; row++) {
                struct bf16 wanted = {BF16_ONE};
                if (which != CODED_ONES)
                    wanted = coded_row_symbol(coded_code_digit(&p.row, plane, (uint32_t)row));
                assert_int_equal(x[row * 64 + m.column[sweep * 24 + row]].bits, wanted.bits);
            }
            coded_planes_sweep(&p, sweep, which, true, x);
            for (size_t i = 0; i < 24 * 64; i++)
                assert_int_equal(x[i].bits, 0);
        }
    free(x);
    coded_planes_free(&p);
    source_map_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coded_pair_planes_show_every_pair_in_as_few_as_the_shape_needs),
        cmocka_unit_test(coded_pair_planes_without_scales_show_every_code_in_one),
        cmocka_unit_test(coded_planes_pair_expected_is_the_product),
        cmocka_unit_test(coded_planes_dense_sums_stay_within_256),
        cmocka_unit_test(coded_planes_sweep_sets_and_clears_one_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
