/* rs_decode, rs_round, rs_checksum: the bits that the production kernel computes, against mxfp4, pack_bits and number.
 */
#include "kernels/rs_index.h"

#include "oracle/exec/subject.h"
#include "reference/mxfp4.h"
#include "reference/pack_bits.h"
#include "tests/support/splitmix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 8 };

static const struct rs_fault neutral = RS_FAULT_NEUTRAL;

static uint16_t half_of(const uint32_t a[4], uint32_t slot)
{
    return (uint16_t)(a[slot / 2] >> (16 * (slot % 2)));
}

/* ---- decode ----------------------------------------------------------------------------------------------------- */

/* Slot 2r+h is nibble h of byte r; odd registers are the row 8 below, whose scale is the next byte; steps 2 and 3 are
 * the second block of 32. */
static size_t check_decode(uint32_t nibbles, uint32_t scales, uint32_t step)
{
    uint32_t a[4];
    rs_decode(pack_bits_forward(nibbles), scales, step, &neutral, a);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        struct fp4 code = {(uint8_t)(nibbles >> (8 * (slot / 2) + 4 * (slot % 2)) & 0xf)};
        struct e8m0 scale = {(uint8_t)(scales >> (8 * (step / 2 * 2 + slot / 2 % 2)))};
        if (half_of(a, slot) != mxfp4_decode(code, scale).bits)
            fail_msg("nibbles %08x scales %08x step %u slot %u: %04x, wanted %04x", nibbles, scales, step, slot,
                     half_of(a, slot), mxfp4_decode(code, scale).bits);
    }
    return SLOTS;
}

static void rs_decode_every_code_and_scale_in_every_place_matches_mxfp4(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t compared = 0;
    for (uint32_t step = 0; step < RS_STEPS; step++)
        for (uint32_t place = 0; place < SLOTS; place++)
            for (uint32_t code = 0; code < FP4_CODES; code++)
                for (uint32_t scale = 0; scale < 256; scale++) {
                    uint32_t byte = step / 2 * 2 + place / 2 % 2;
                    uint32_t nibbles = ((uint32_t)splitmix_next(&r) & ~(0xfu << (4 * place))) | code << (4 * place);
                    uint32_t scales = ((uint32_t)splitmix_next(&r) & ~(0xffu << (8 * byte))) | scale << (8 * byte);
                    compared += check_decode(nibbles, scales, step);
                }
    assert_int_equal(compared, 4 * 8 * 16 * 256 * SLOTS);
}

static void rs_decode_random_words_match_mxfp4(void **state)
{
    (void)state;
    enum { WORDS = 200000 };
    struct splitmix r = {splitmix_seed()};
    size_t compared = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        uint64_t draw = splitmix_next(&r);
        compared += check_decode((uint32_t)draw, (uint32_t)(draw >> 32), i % RS_STEPS);
    }
    assert_int_equal(compared, WORDS * SLOTS);
}

/* Every pack order that faults.def names, and random ones: slot s holds v[order[s]], where the neutral order says which
 * slot v is in when nothing is wrong. */
static void rs_decode_any_pack_order_moves_the_values_as_it_says(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t compared = 0;
    for (size_t trial = 0; trial < 1000; trial++) {
        struct rs_fault fault = neutral;
        uint32_t right[4], got[4], place[SLOTS];
        uint32_t word = (uint32_t)splitmix_next(&r), scales = 0x7f7f7f7fu - (uint32_t)splitmix_below(&r, 8);
        for (uint32_t i = 7; trial >= fault_count() && i > 0; i--) {
            uint32_t j = (uint32_t)splitmix_below(&r, i + 1);
            uint8_t other = fault.pack_order[i];
            fault.pack_order[i] = fault.pack_order[j];
            fault.pack_order[j] = other;
        }
        if (trial < fault_count())
            memcpy(fault.pack_order, fault_at(trial)->fault.pack_order, sizeof fault.pack_order);
        for (uint32_t slot = 0; slot < SLOTS; slot++)
            place[neutral.pack_order[slot]] = slot;
        rs_decode(word, scales, 1, &neutral, right);
        rs_decode(word, scales, 1, &fault, got);
        for (uint32_t slot = 0; slot < SLOTS; slot++, compared++)
            assert_int_equal(half_of(got, slot), half_of(right, place[fault.pack_order[slot]]));
    }
    assert_int_equal(compared, 1000 * SLOTS);
}

/* ---- round ------------------------------------------------------------------------------------------------------ */

/* Rounding depends on the upper 24 bits, which are all visited, and on whether anything is below them. */
static void rs_round_every_upper_24_bits_matches_bf16_encode(void **state)
{
    (void)state;
    static const uint32_t low[] = {0x00, 0x01, 0xff};
    size_t compared = 0;
    for (uint32_t high = 0; high < 1u << 24; high++)
        for (size_t i = 0; i < 3; i++, compared++) {
            uint32_t bits = high << 8 | low[i];
            float x;
            memcpy(&x, &bits, sizeof x);
            if (rs_round(x).bits != bf16_encode(x).bits)
                fail_msg("f32 %08x: rs_round gives %04x, bf16_encode %04x", bits, rs_round(x).bits,
                         bf16_encode(x).bits);
        }
    assert_int_equal(compared, 3u << 24);
}

/* ---- checksum --------------------------------------------------------------------------------------------------- */

enum { STEPS = 180, REGISTERS = STEPS * RS_THREADS * 4 }; /* K = 2880 */

static uint32_t checksum_of(const uint32_t *registers)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < REGISTERS / 4; i++)
        sum += rs_checksum(registers + 4 * i, i / RS_THREADS * RS_STEP_K, i % RS_THREADS);
    return sum;
}

/* A register that decoded weights can leave: two FP4 values times powers of two, whose low mantissa bits are zero. */
static uint32_t register_of_weights(struct splitmix *r)
{
    uint32_t word = (uint32_t)splitmix_next(r), a[4];
    rs_decode(word, 0x7f7f7f7fu - (uint32_t)splitmix_below(r, 3) * 0x01010101u, 0, &neutral, a);
    return a[0];
}

/* Exchange `mask` bits of registers i and j; the sum must change unless they are the same. */
static size_t check_exchange(uint32_t *registers, uint32_t before, uint32_t i, uint32_t j, uint32_t mask, uint64_t seed)
{
    uint32_t old[2] = {registers[i], registers[j]};
    uint32_t differ = (old[0] ^ old[1]) & mask;
    registers[i] ^= differ;
    registers[j] ^= differ;
    /* Only the two steps that are touched are summed again. */
    uint32_t after = before;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t quad = (pass ? j : i) / 4 * 4, was[4];
        if (pass && j / 4 == i / 4)
            break;
        for (uint32_t r = 0; r < 4; r++)
            was[r] = quad + r == i ? old[0] : quad + r == j ? old[1] : registers[quad + r];
        uint32_t k = quad / 4 / RS_THREADS * RS_STEP_K, thread = quad / 4 % RS_THREADS;
        after += rs_checksum(registers + quad, k, thread) - rs_checksum(was, k, thread);
    }
    registers[i] = old[0];
    registers[j] = old[1];
    if (differ && after == before)
        fail_msg("registers %u and %u, %08x and %08x, exchanged under %08x: the checksum stays %08x; "
                 "repeat: FO_TEST_SEED=%" PRIu64,
                 i, j, old[0], old[1], mask, before, seed);
    return differ != 0;
}

/* Any two registers of a tile of K = 2880, whole or one half: neighbours in register, lane, warp and step, and random
 * pairs. */
static void rs_checksum_exchanged_slots_change_the_sum(void **state)
{
    (void)state;
    static const uint32_t masks[] = {0xffffffffu, 0x0000ffffu, 0xffff0000u, 0x80000000u, 0x00008000u};
    static const uint32_t apart[] = {1, 2, 4, 16, 32, 128, 512, 1024, 2048, 4096, 16384};
    uint64_t seed = splitmix_seed();
    struct splitmix r = {seed};
    uint32_t *registers = malloc(REGISTERS * sizeof *registers);
    size_t exchanged = 0;
    assert_non_null(registers);
    for (uint32_t i = 0; i < REGISTERS; i++)
        registers[i] = register_of_weights(&r);
    uint32_t before = checksum_of(registers);
    for (uint32_t trial = 0; trial < 20000; trial++)
        for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
            uint32_t i = (uint32_t)splitmix_below(&r, REGISTERS), far = (uint32_t)splitmix_below(&r, REGISTERS);
            exchanged += check_exchange(registers, before, i, far, masks[m], seed);
            for (size_t d = 0; d < sizeof apart / sizeof *apart; d++)
                if (i + apart[d] < REGISTERS)
                    exchanged += check_exchange(registers, before, i, i + apart[d], masks[m], seed);
        }
    assert_true(exchanged > 500000);
    print_message("%zu exchanges, all of them seen\n", exchanged);
    free(registers);
}

/* Adding the parts in any order gives the same, and one flipped bit anywhere shows. */
static void rs_checksum_any_flipped_bit_changes_the_sum(void **state)
{
    (void)state;
    struct splitmix r = {splitmix_seed()};
    size_t flipped = 0;
    for (uint32_t trial = 0; trial < 1000; trial++) {
        uint32_t a[4], k = (uint32_t)splitmix_below(&r, STEPS) * RS_STEP_K, t = (uint32_t)splitmix_below(&r, 128);
        for (uint32_t i = 0; i < 4; i++)
            a[i] = register_of_weights(&r);
        uint32_t before = rs_checksum(a, k, t);
        for (uint32_t bit = 0; bit < 128; bit++, flipped++) {
            a[bit / 32] ^= 1u << bit % 32;
            assert_int_not_equal(rs_checksum(a, k, t), before);
            a[bit / 32] ^= 1u << bit % 32;
        }
    }
    assert_int_equal(flipped, 128000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rs_decode_every_code_and_scale_in_every_place_matches_mxfp4),
        cmocka_unit_test(rs_decode_random_words_match_mxfp4),
        cmocka_unit_test(rs_decode_any_pack_order_moves_the_values_as_it_says),
        cmocka_unit_test(rs_round_every_upper_24_bits_matches_bf16_encode),
        cmocka_unit_test(rs_checksum_exchanged_slots_change_the_sum),
        cmocka_unit_test(rs_checksum_any_flipped_bit_changes_the_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
