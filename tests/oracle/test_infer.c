/* infer: the A fragment of captures that were made from known matrices by known maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/oracle/infer_captures.h"

enum { ROWS = 128, COLUMNS = 256 };

static void fo_infer_of_the_contract_conforms(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 1);
    struct capture c = packed(&m.value, order_wanted, 3);
    struct asked a;
    ask4(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "capture: a kernel; block 0, warpgroup 0, iterations 0-2; nothing refused\n"
                         "site 0, kernel.cu:100: " OP_BF16 "\n"
                         "  A: conforms: 3072 of 3072 slots in 3 of 3 records; proved unique among affine maps\n"
                         "    tiles at (64,0), (64,16), (64,32)\n"
                         "verdict: conforms\n");
    fo_answer_free(&answer);
    matrix4_free(&m);
    capture_free(&c);
}

/* "v00 v04 ..." */
static void order_text(const uint8_t order[8], char text[40])
{
    snprintf(text, 40, "v%02u v%02u v%02u v%02u v%02u v%02u v%02u v%02u", order[0], order[1], order[2], order[3],
             order[4], order[5], order[6], order[7]);
}

static void expect_order(void **state, const uint8_t order[8], uint64_t seed)
{
    char text[40], wanted[160];
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, seed);
    struct capture c = packed(&m.value, order, 2);
    struct asked a;
    ask4(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    order_text(order, text);
    snprintf(wanted, sizeof wanted,
             "    pack order found   %s\n    pack order wanted  v00 v01 v04 v05 v02 v03 v06 v07\n", text);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, wanted);
    expect_says(&answer, "values right, order wrong");
    expect_says(&answer, "the same map in 2 of 2 records; proved unique");
    expect_says(&answer, "verdict: differs: order of the A fragment (site 0, kernel.cu:100)\n");
    fo_answer_free(&answer);
    matrix4_free(&m);
    capture_free(&c);
}

static void fo_infer_of_planted_orders_prints_them(void **state)
{
    static const uint8_t planted[][8] = {
        {0, 4, 1, 5, 3, 7, 6, 2}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 4, 1, 5, 3, 7, 2, 6}, {0, 4, 1, 5, 2, 6, 3, 7}};
    struct splitmix r = {7};
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        expect_order(state, planted[i], i);
    size_t ran = 0;
    for (uint64_t i = 0; i < 10; i++) {
        uint8_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
        for (unsigned k = 7; k > 0; k--) {
            unsigned with = (unsigned)splitmix_below(&r, k + 1);
            uint8_t keep = order[k];
            order[k] = order[with];
            order[with] = keep;
        }
        if (memcmp(order, order_wanted, 8) == 0)
            continue;
        expect_order(state, order, 100 + i);
        ran++;
    }
    assert_true(ran >= 9);
}

static void fo_infer_of_exchanged_registers_names_exactly_their_slots(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 3);
    struct capture c = packed(&m.value, order_wanted, 1);
    for (uint32_t t = 0; t < 128; t++) {
        uint32_t *w = capture_words(&c, 0, 0, t), keep = w[1];
        w[1] = w[3];
        w[3] = keep;
    }
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer,
                "order wrong: registers R1 and R3 exchanged; 512 of 1024 slots wrong; the same map in 1 of 1 records");
    expect_says(&answer, "    slot 0.1.0: expected (8,0), found (8,8)\n    slot 0.1.1: expected (8,1), found (8,9)\n"
                         "    slot 0.3.0: expected (8,8), found (8,0)\n");
    expect_silent(&answer, "slot 0.0");
    expect_silent(&answer, "slot 0.2");
    fo_answer_free(&answer);
    matrix4_free(&m);
}

static void fo_infer_of_registers_exchanged_in_one_warp_says_which(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 4);
    struct capture c = packed(&m.value, order_wanted, 2);
    for (uint32_t n = 0; n < 2; n++)
        for (uint32_t t = 32; t < 64; t++) {
            uint32_t *w = capture_words(&c, 0, n, t), keep = w[0];
            w[0] = w[2];
            w[2] = keep;
        }
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R0 and R2 exchanged, in 32 of 128 threads, 32 to 63; 128 of 1024 slots wrong");
    fo_answer_free(&answer);
    matrix4_free(&m);
}

/* A value that could come from two places names neither. */
static void fo_infer_of_a_value_with_two_sources_names_none(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 17);
    struct point two = lane_value(4, 2), four = lane_value(4, 4);
    struct asked a;
    m.bits[(64 + two.at[0]) * COLUMNS + two.at[1]] = m.bits[(64 + four.at[0]) * COLUMNS + four.at[1]];
    struct capture c = packed(&m, order_wanted, 1);
    uint32_t *w = capture_words(&c, 0, 0, 4);
    w[0] = (w[0] & 0xffff0000) | (w[1] & 0xffff); /* v00 became v04, or v02 */
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "the order of the contract, but for 1 of 1024 slots: ");
    expect_silent(&answer, "order wrong");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_records_with_maps_of_their_own_says_how_many_share_one(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 19);
    struct capture c = packed(&m.value, (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 3);
    for (uint32_t t = 0; t < 128; t++) {
        uint32_t *w = capture_words(&c, 0, 2, t), keep = w[0];
        w[0] = w[3];
        w[3] = keep;
    }
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R1 and R2 exchanged; 512 of 1024 slots wrong; the same map in 2 of 3 records");
    fo_answer_free(&answer);
    matrix4_free(&m);
}

static void fo_infer_of_nothing_recorded_decides_nothing(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 18);
    struct capture c = capture_of(1, 1, 1);
    struct asked a;
    capture_stream(&c, OP_BF16, "", FO_KIND_SCALE_D, 0, 1);
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "A: not-applicable: A was not recorded");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

/* Move what threads hold: thread t gets what `from` says. */
static void move_threads(struct capture *c, uint32_t record, uint32_t (*from)(uint32_t))
{
    static uint32_t keep[128][4];
    for (uint32_t t = 0; t < 128; t++)
        memcpy(keep[t], capture_words(c, 0, record, t), sizeof keep[t]);
    for (uint32_t t = 0; t < 128; t++)
        memcpy(capture_words(c, 0, record, t), keep[from(t)], sizeof keep[t]);
}
static uint32_t other_half(uint32_t t)
{
    return t ^ 16;
}
static uint32_t one_on(uint32_t t)
{
    return (t + 5) % 128;
}
static uint32_t bits_exchanged(uint32_t t)
{
    return (t & ~5u) | (t & 1u) << 2 | (t >> 2 & 1u);
}

static void fo_infer_of_moved_threads_says_how(void **state)
{
    static const struct {
        uint32_t (*from)(uint32_t);
        const char *says;
    } cases[] = {{other_half, "order wrong: thread t holds what thread t ^ 16 should hold; 1024 of 1024"},
                 {one_on, "order wrong: thread t holds what thread (t + 5) % 128 should hold; 1024 of 1024"},
                 {bits_exchanged,
                  "order wrong: bits of the thread moved: bit 0 counts as bit 2 bit 2 counts as bit 0; 512 of 1024"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct matrix4 m = matrix4_random(ROWS, COLUMNS, 5 + i);
        struct capture c = packed(&m.value, order_wanted, 2);
        move_threads(&c, 0, cases[i].from);
        move_threads(&c, 1, cases[i].from);
        struct fo_answer answer = answer4(state, &c, &m, NULL);
        expect_verdict(&answer, FO_DIFFERS);
        expect_says(&answer, cases[i].says);
        fo_answer_free(&answer);
        matrix4_free(&m);
    }
}

static void fo_infer_of_one_wrong_record_says_which(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 6);
    struct capture c = packed(&m.value, order_wanted, 4);
    move_threads(&c, 2, other_half);
    struct fo_answer answer = answer4(state, &c, &m, NULL);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "the same map in 1 of 1 records");
    expect_says(&answer, "    3 of 4 records conform; the first that does not: block 0, warpgroup 0, iteration 2\n");
    fo_answer_free(&answer);
    matrix4_free(&m);
}

static void fo_infer_of_a_constant_matrix_is_undecided_and_says_what_to_change(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 8);
    struct asked a;
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        m.bits[i] = 0x3f80;
    struct capture c = packed(&m, order_wanted, 2);
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_UNDECIDED);
    expect_says(&answer, "the contract fits all 1024 slots of 2 records, but so do others: ");
    expect_says(&answer, "    not unique: give elements (");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_at_a_place_says_where_the_tile_is_instead(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 9);
    struct capture c = packed(&m.value, order_wanted, 1), again = packed(&m.value, order_wanted, 1);
    struct fo_answer answer = answer4(state, &c, &m, "0,0");
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "the fragment is in order, but the tile stands at (64,0), not where it should");
    expect_says(&answer, "verdict: differs: origin of the A fragment");
    fo_answer_free(&answer);
    answer = answer4(state, &again, &m, "64,0");
    expect_verdict(&answer, FO_CONFORMS);
    fo_answer_free(&answer);
    matrix4_free(&m);
}

static void fo_infer_of_a_tile_anywhere_and_over_the_edge_conforms(void **state)
{
    struct matrix16 m = matrix16_random(100, 40, 10), padded = {128, 48, calloc(128 * 48, 2)};
    struct asked a;
    for (size_t i = 0; i < 100; i++)
        memcpy(padded.bits + i * 48, m.bits + i * 40, 80);
    for (size_t i = 0; i < 128 * 48; i++) /* nobody promised zeros there */
        padded.bits[i] = i / 48 < 100 && i % 48 < 40 ? padded.bits[i] : 0x7fc0;
    struct capture c = capture_of(1, 2, 1);
    capture_stream(&c, OP_BF16, "A", FO_KIND_A, 0, 4);
    capture_pack(&c, 0, 0, &padded, 64, 32, order_wanted);
    capture_pack(&c, 0, 1, &padded, 3, 7, order_wanted);
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "    tiles at (64,32), (3,7)\n");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
    free(padded.bits);
}

static void fo_infer_of_a_dump_needs_no_capture(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 11);
    struct capture c = packed(&m, order_wanted, 2), d = packed(&m, (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 2);
    struct asked a;
    char path[SCRATCH_PATH];
    ask16(state, &c, &m, &a);
    scratch_path(state, "dump.npy", path);
    npy_write(path, NPY_U4, 4, (const size_t[]){1, 2, 128, 4}, c.data[0], NULL);
    a.o.capture = path;
    a.o.op = OP_BF16;
    a.o.operand = "A";
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "2048 of 2048 slots in 2 of 2 records; proved unique");
    fo_answer_free(&answer);
    npy_write(path, NPY_U4, 2, (const size_t[]){128, 4}, d.data[0], NULL);
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "registers R1 and R2 exchanged");
    fo_answer_free(&answer);
    capture_free(&c);
    capture_free(&d);
    free(m.bits);
}

static void fo_infer_with_out_writes_the_verdicts_and_a_picture(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 12);
    struct capture c = packed(&m.value, (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7}, 1);
    struct asked a;
    char out[SCRATCH_PATH], path[SCRATCH_PATH + 40];
    uint8_t *data;
    size_t size;
    ask4(state, &c, &m, &a);
    a.o.out = scratch_path(state, "out", out);
    struct fo_answer answer = infer_answer_of(a.o);
    snprintf(path, sizeof path, "%s/infer.json", out);
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    assert_int_equal(size, strlen(answer.json));
    assert_memory_equal(data, answer.json, size);
    assert_non_null(strstr(answer.json, "\"schema\": \"fragoracle.infer/1\""));
    assert_non_null(strstr(answer.json, "\"pack_order\": \"v00 v01 v02 v03 v04 v05 v06 v07\""));
    assert_non_null(strstr(answer.json, "\"fidelity\": \"hardware-instrumented\""));
    free(data);
    snprintf(path, sizeof path, "%s/site0.A.png", out);
    assert_int_equal(file_read(path, 0, &data, &size, NULL), STATUS_OK);
    assert_memory_equal(data, "\x89PNG", 4);
    free(data);
    fo_answer_free(&answer);
    capture_free(&c);
    matrix4_free(&m);
}

static void fo_infer_of_asserts_says_the_first_wrong_slot(void **state)
{
    struct matrix16 m = matrix16_random(ROWS, COLUMNS, 13);
    struct capture c = capture_of(1, 1, 1);
    struct asked a;
    capture_stream(&c, OP_BF16, "A", FO_KIND_ASSERT, 4, FO_ASSERT_WORDS);
    for (uint32_t t = 0; t < 128; t++)
        capture_words(&c, 0, 0, t)[FO_ASSERT_COMPARED] = 8;
    ask16(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    expect_says(&answer, "assert: conforms: all 1024 slots that the kernel compared are right");
    fo_answer_free(&answer);
    uint32_t *w = capture_words(&c, 0, 0, 17);
    memcpy(w, (const uint32_t[FO_ASSERT_WORDS]){2, 8, 1, 1, 12, 3, 0x3f80, 0x4000}, sizeof(uint32_t[FO_ASSERT_WORDS]));
    ask16(state, &c, &m, &a);
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "thread 17, register 1, part 1: element (12,3) expected 0x3f80, found 0x4000");
    fo_answer_free(&answer);
    capture_free(&c);
    free(m.bits);
}

static void fo_infer_of_several_sites_places_the_first_fault(void **state)
{
    struct matrix4 m = matrix4_random(ROWS, COLUMNS, 14);
    struct capture c = packed(&m.value, order_wanted, 2);
    struct asked a;
    uint32_t s = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 7, 4),
             broken = capture_stream(&c, OP_BF16, "A", FO_KIND_A, 9, 4);
    capture_stream(&c, "wgmma.m64n8k256.s32.b1.b1.rs", "A", FO_KIND_A, 11, 4);
    for (uint32_t n = 0; n < 2; n++)
        capture_pack(&c, s, n, &m.value, 0, 16 * n, (const uint8_t[]){0, 1, 2, 3, 4, 5, 6, 7});
    c.came[broken] = 0;
    ask4(state, &c, &m, &a);
    struct fo_answer answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_DIFFERS);
    expect_says(&answer, "verdict: differs: order of the A fragment (site 7, kernel.cu:107)\n");
    expect_says(&answer, "site 9: not reached by any thread of the capture\nverdict: differs: ");
    expect_says(&answer, "site 11, kernel.cu:111: wgmma.m64n8k256.s32.b1.b1.rs\n  A: undecided: ");
    fo_answer_free(&answer);
    a.o.site = 0;
    answer = infer_answer_of(a.o);
    expect_verdict(&answer, FO_CONFORMS);
    fo_answer_free(&answer);
    capture_free(&c);
    matrix4_free(&m);
}

/* Every type that A can have, from bits. */
static void fo_infer_of_other_types_conforms_and_sees_exchanged_registers(void **state)
{
    static const struct {
        const char *op;
        enum npy_type file;
    } cases[] = {{"wgmma.m64n8k16.f32.f16.f16.rs", NPY_U2},
                 {"wgmma.m64n8k8.f32.tf32.tf32.rs", NPY_U4},
                 {"wgmma.m64n8k32.f32.e4m3.e4m3.rs", NPY_U1},
                 {"wgmma.m64n8k32.f32.e5m2.e4m3.rs", NPY_U1},
                 {"wgmma.m64n8k32.s32.s8.s8.rs", NPY_U1}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct wgmma_op op;
        struct layout contract;
        struct asked a;
        struct splitmix r = {i};
        uint8_t bytes[64 * 64 * 4];
        size_t size = npy_item_size(cases[i / 2].file);
        assert_int_equal(wgmma_parse(cases[i / 2].op, &op, NULL), STATUS_OK);
        assert_int_equal(fragment_map(&op, FRAGMENT_A, &contract, NULL), STATUS_OK);
        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)splitmix_next(&r);
        struct capture c = capture_of(1, 1, 2);
        capture_stream(&c, cases[i / 2].op, "A", FO_KIND_A, 0, 4);
        for (uint32_t n = 0; n < 2; n++)
            for (uint32_t s = 0; s < box_size(&contract.domain); s++) {
                struct point slot = box_point(&contract.domain, s), at = layout_apply(&contract, &slot);
                uint32_t bits = 0, reg = i % 2 && slot.at[1] % 2 ? slot.at[1] ^ 2 : slot.at[1];
                memcpy(&bits, bytes + (at.at[0] * 64 + at.at[1] + n * (uint32_t)op.family->k) % (64 * 64) * size, size);
                if (size == 4) /* what the hardware does not read may be anything */
                    bits ^= (uint32_t)splitmix_next(&r) & 0x1fff;
                capture_words(&c, 0, n, slot.at[0])[reg] |= bits << slot.at[2] * 8 * (uint32_t)size;
            }
        struct matrix16 unused = {1, 1, (uint16_t[]){0}};
        ask16(state, &c, &unused, &a);
        npy_write(a.matrix, cases[i / 2].file, 2, (const size_t[]){64, 64}, bytes, NULL);
        struct fo_answer answer = infer_answer_of(a.o);
        expect_verdict(&answer, i % 2 ? FO_DIFFERS : FO_CONFORMS);
        expect_says(&answer, i % 2 ? "registers R1 and R3 exchanged" : "proved unique");
        fo_answer_free(&answer);
        capture_free(&c);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_infer_of_the_contract_conforms),
        TEST(fo_infer_of_planted_orders_prints_them),
        TEST(fo_infer_of_exchanged_registers_names_exactly_their_slots),
        TEST(fo_infer_of_registers_exchanged_in_one_warp_says_which),
        TEST(fo_infer_of_a_value_with_two_sources_names_none),
        TEST(fo_infer_of_records_with_maps_of_their_own_says_how_many_share_one),
        TEST(fo_infer_of_nothing_recorded_decides_nothing),
        TEST(fo_infer_of_moved_threads_says_how),
        TEST(fo_infer_of_one_wrong_record_says_which),
        TEST(fo_infer_of_a_constant_matrix_is_undecided_and_says_what_to_change),
        TEST(fo_infer_at_a_place_says_where_the_tile_is_instead),
        TEST(fo_infer_of_a_tile_anywhere_and_over_the_edge_conforms),
        TEST(fo_infer_of_a_dump_needs_no_capture),
        TEST(fo_infer_with_out_writes_the_verdicts_and_a_picture),
        TEST(fo_infer_of_asserts_says_the_first_wrong_slot),
        TEST(fo_infer_of_several_sites_places_the_first_fault),
        TEST(fo_infer_of_other_types_conforms_and_sees_exchanged_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
