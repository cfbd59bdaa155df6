#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/ptx_lanes.h"
#include "tests/support/splitmix.h"

#define ALL UINT32_MAX

static const char variables[] = ".global .align 16 .b8 somewhere[4096];\n.shared .align 128 .b8 area[8192];\n";

/* Which lane holds an element of an 8 x 8 matrix in the low half of its register (even columns); the column behind it
 * stands in the high half. source: PTX ISA, figure of the fragment layout of ldmatrix .m8n8, copied out. */
static const uint8_t holder[8][8] = {
    {0, 0, 1, 1, 2, 2, 3, 3},         {4, 4, 5, 5, 6, 6, 7, 7},         {8, 8, 9, 9, 10, 10, 11, 11},
    {12, 12, 13, 13, 14, 14, 15, 15}, {16, 16, 17, 17, 18, 18, 19, 19}, {20, 20, 21, 21, 22, 22, 23, 23},
    {24, 24, 25, 25, 26, 26, 27, 27}, {28, 28, 29, 29, 30, 30, 31, 31},
};

static uint16_t value_of(unsigned matrix, unsigned row, unsigned column)
{
    return (uint16_t)(0x8000 | matrix << 8 | row << 4 | column);
}

/* 16-byte slots in the area: where row `row` of a matrix lies. Scattered, one to one. */
static unsigned slot_of(unsigned matrix, unsigned row)
{
    return (matrix * 8 + row) * 5 % 32 * 3 + 1;
}

static uint8_t *area(const struct ptx_lanes *t)
{
    return vm_shared_at(t->w->block, t->w->block->rank << 24 | VM_SHARED_START, 8192, NULL);
}

static void set_addresses(const struct ptx_lanes *t, const char *name, unsigned matrices, uint64_t window)
{
    for (unsigned lane = 0; lane < VM_LANES; lane++)
        ptx_lanes_row(t, name)[lane] = lane < 8 * matrices ? window + ((uint64_t)t->w->block->rank << 24) +
                                                                 VM_SHARED_START + 16 * slot_of(lane / 8, lane % 8)
                                                           : 0x3; /* nobody's */
}

static uint64_t *word_row(const struct ptx_lanes *t, unsigned n)
{
    char name[16];
    snprintf(name, sizeof name, "%%r%u", n);
    return ptx_lanes_row(t, name);
}

static const struct {
    const char *words;
    unsigned matrices;
    bool transposed, generic;
} forms[] = {
    {"sync.aligned.m8n8.x1.shared.b16", 1, false, false},
    {"sync.aligned.m8n8.x2.shared.b16", 2, false, false},
    {"sync.aligned.m8n8.x4.shared.b16", 4, false, false},
    {"sync.aligned.m8n8.x4.shared::cta.b16", 4, false, false},
    {"sync.aligned.m8n8.x1.trans.shared.b16", 1, true, false},
    {"sync.aligned.m8n8.x2.trans.shared.b16", 2, true, false},
    {"sync.aligned.m8n8.x4.trans.shared::cta.b16", 4, true, false},
    {"sync.aligned.x4.m8n8.shared.b16", 4, false, false},
    {"sync.aligned.x4.trans.m8n8.shared.b16", 4, true, false},
    {"sync.aligned.m8n8.x2.trans.b16", 2, true, true},
    {"sync.aligned.m8n8.x4.b16", 4, false, true},
};
enum { FORMS = sizeof forms / sizeof *forms };
static const char *const lists[] = {[1] = "{%r1}", [2] = "{%r1, %r2}", [4] = "{%r1, %r2, %r3, %r4}"};

static void open_form(struct ptx_lanes *t, unsigned n, bool load)
{
    char body[160];
    const char *address = forms[n].generic ? "%d1" : "%r9", *list = lists[forms[n].matrices];
    if (load)
        snprintf(body, sizeof body, "ldmatrix.%s %s, [%s];", forms[n].words, list, address);
    else
        snprintf(body, sizeof body, "stmatrix.%s [%s], %s;", forms[n].words, address, list);
    ptx_lanes_open(t, variables, body, 2, 1);
    set_addresses(t, address, forms[n].matrices, forms[n].generic ? UINT64_C(0x7a0000000000) : 0);
}

static void ldmatrix_every_form_follows_the_figure(void **state)
{
    (void)state;
    for (unsigned n = 0; n < FORMS; n++) {
        struct ptx_lanes t;
        open_form(&t, n, true);
        for (unsigned m = 0; m < forms[n].matrices; m++)
            for (unsigned row = 0; row < 8; row++)
                for (unsigned column = 0; column < 8; column++) {
                    uint16_t value = value_of(m, row, column);
                    memcpy(area(&t) + 16 * slot_of(m, row) + 2 * column, &value, 2);
                }
        if (ptx_lanes_step(&t, 0, ALL) != VM_NEXT)
            fail_msg("%s: %s", forms[n].words, t.vm->error.why);
        for (unsigned m = 0; m < forms[n].matrices; m++)
            for (unsigned row = 0; row < 8; row++)
                for (unsigned column = 0; column < 8; column++) {
                    unsigned lane = forms[n].transposed ? holder[column][row] : holder[row][column];
                    unsigned high = forms[n].transposed ? row % 2 : column % 2;
                    uint64_t got = word_row(&t, m + 1)[lane] >> (16 * high) & 0xffff;
                    if (got != value_of(m, row, column) || word_row(&t, m + 1)[lane] >> 32)
                        fail_msg("%s: lane %u half %u of register %u is 0x%llx", forms[n].words, lane, high, m,
                                 (unsigned long long)got);
                }
        assert_int_equal(t.vm->report.hazards, 0);
        ptx_lanes_close(&t);
    }
}

static void stmatrix_every_form_follows_the_figure(void **state)
{
    (void)state;
    for (unsigned n = 0; n < FORMS; n++) {
        struct ptx_lanes t;
        bool owned[8192 / 16] = {false};
        open_form(&t, n, false);
        memset(area(&t), 0xee, 8192);
        for (unsigned m = 0; m < forms[n].matrices; m++)
            for (unsigned row = 0; row < 8; row++)
                for (unsigned column = 0; column < 8; column++) {
                    unsigned lane = forms[n].transposed ? holder[column][row] : holder[row][column];
                    unsigned high = forms[n].transposed ? row % 2 : column % 2;
                    uint64_t *word = &word_row(&t, m + 1)[lane];
                    *word = (*word & ~(UINT64_C(0xffff) << (16 * high))) | (uint64_t)value_of(m, row, column)
                                                                               << (16 * high);
                }
        if (ptx_lanes_step(&t, 0, ALL) != VM_NEXT)
            fail_msg("%s: %s", forms[n].words, t.vm->error.why);
        for (unsigned m = 0; m < forms[n].matrices; m++)
            for (unsigned row = 0; row < 8; row++) {
                owned[slot_of(m, row)] = true;
                for (unsigned column = 0; column < 8; column++) {
                    uint16_t got;
                    memcpy(&got, area(&t) + 16 * slot_of(m, row) + 2 * column, 2);
                    if (got != value_of(m, row, column))
                        fail_msg("%s: (%u, %u) of matrix %u is 0x%x", forms[n].words, row, column, m, got);
                }
            }
        for (unsigned k = 0; k < 8192; k++)
            if (!owned[k / 16])
                assert_int_equal(area(&t)[k], 0xee);
        ptx_lanes_close(&t);
    }
}

static void stmatrix_then_ldmatrix_is_the_identity(void **state)
{
    struct splitmix r = {splitmix_seed()};
    struct ptx_lanes t;
    (void)state;
    ptx_lanes_open(
        &t, variables,
        "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r9], {%r1, %r2, %r3, %r4};\n"
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%r9];\n"
        "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%r9], {%r1, %r2, %r3, %r4};\n"
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r10, %r11, %r12, %r13}, [%r9];\n"
        "ldmatrix.sync.aligned.m8n8.x1.shared.b16 %r14, [%r9]; movmatrix.sync.aligned.m8n8.trans.b16 %r15, %r1;\n"
        "movmatrix.sync.aligned.m8n8.trans.b16 %r16, %r15;",
        2, 1);
    set_addresses(&t, "%r9", 4, 0);
    for (unsigned n = 1; n <= 4; n++)
        for (unsigned lane = 0; lane < VM_LANES; lane++)
            word_row(&t, n)[lane] = splitmix_next(&r) & UINT32_MAX;
    ptx_lanes_run(&t);
    for (unsigned lane = 0; lane < VM_LANES; lane++) {
        for (unsigned n = 0; n < 4; n++) {
            assert_int_equal(word_row(&t, 5 + n)[lane], word_row(&t, 1 + n)[lane]);
            assert_int_equal(word_row(&t, 10 + n)[lane], word_row(&t, 1 + n)[lane]);
        }
        /* Stored transposed, loaded straight: what movmatrix does. */
        assert_int_equal(word_row(&t, 14)[lane], word_row(&t, 15)[lane]);
        assert_int_equal(word_row(&t, 16)[lane], word_row(&t, 1)[lane]);
    }
    /* Lane 9 holds (2, 2) and (2, 3); transposed (2, 2) and (3, 2), of lanes 9 and 13. */
    assert_int_equal(word_row(&t, 15)[9], (word_row(&t, 1)[13] & 0xffff) << 16 | (word_row(&t, 1)[9] & 0xffff));
    ptx_lanes_close(&t);
}

static void ldmatrix_waits_for_the_warp(void **state)
{
    static const char *const bodies[] = {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r9];",
                                         "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r9], {%r1};",
                                         "movmatrix.sync.aligned.m8n8.trans.b16 %r1, %r9;"};
    (void)state;
    for (size_t n = 0; n < sizeof bodies / sizeof *bodies; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, variables, bodies[n], 1, 0);
        set_addresses(&t, "%r9", 1, 0);
        assert_int_equal(ptx_lanes_step(&t, 0, 0x7fffffff), VM_WAIT);
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
        t.w->alive = 0x7fffffff;
        assert_int_equal(ptx_lanes_step(&t, 0, 0x7fffffff), VM_FAULT);
        assert_int_equal(t.vm->error.status, STATUS_SUBJECT);
        assert_non_null(strstr(t.vm->error.why, "all 32 lanes"));
        ptx_lanes_close(&t);
    }
}

static void ldmatrix_rows_that_it_may_not_reach_fault(void **state)
{
    static const struct {
        const char *body;
        uint64_t row; /* of lane 7 */
        const char *why;
    } faults[] = {
        {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%d1];", VM_SHARED_START + 8, "misaligned"},
        {"stmatrix.sync.aligned.m8n8.x1.shared.b16 [%d1], {%r1};", VM_SHARED_START + 8, "misaligned"},
        {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%d1];", 0, "outside"},
        {"ldmatrix.sync.aligned.m8n8.x1.b16 {%r1}, [%d1];", 0x10000000000, "not in shared memory"},
        {"stmatrix.sync.aligned.m8n8.x1.b16 [%d1], {%r1};", 0x7b0000000000, "not in shared memory"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof faults / sizeof *faults; n++) {
        struct ptx_lanes t;
        ptx_lanes_open(&t, variables, faults[n].body, 1, 0);
        set_addresses(&t, "%d1", 1, strstr(faults[n].body, "shared") ? 0 : UINT64_C(0x7a0000000000));
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
        ptx_lanes_row(&t, "%d1")[7] = faults[n].row;
        assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_FAULT);
        if (!strstr(t.vm->error.why, faults[n].why) || !strstr(t.vm->error.why, "lane 7"))
            fail_msg("%s: %s", faults[n].body, t.vm->error.why);
        ptx_lanes_close(&t);
    }
    struct ptx_lanes t;
    ptx_lanes_open(&t, variables, "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r9];", 2, 1);
    set_addresses(&t, "%r9", 1, 0);
    ptx_lanes_row(&t, "%r9")[7] = VM_SHARED_START;
    assert_int_equal(ptx_lanes_step(&t, 0, ALL), VM_NEXT);
    assert_true(ptx_lanes_hazard(&t, "of another block"));
    ptx_lanes_close(&t);
}

static void matrix_what_is_not_modelled_is_refused(void **state)
{
    static const struct {
        const char *body, *why;
    } refused[] = {
        {"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r1, %r2}, [%r9];", "words"},
        {"ldmatrix.sync.aligned.m8n16.x1.shared.b8x16.b6x16_p32 {%r1}, [%r9];", "words"},
        {"ldmatrix.sync.aligned.m8n8.x3.shared.b16 {%r1, %r2, %r3}, [%r9];", "words"},
        {"ldmatrix.sync.m8n8.x1.shared.b16 {%r1}, [%r9];", "words"},
        {"ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r1}, [%r9];", "operands"},
        {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1, %r2}, [%r9];", "operands"},
        {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%d1}, [%r9];", "operands"},
        {"ldmatrix.sync.aligned.m8n8.x1.global.b16 {%r1}, [%d9];", "operands"},
        {"ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [somewhere];", "operands"},
        {"stmatrix.sync.aligned.m16n8.x1.trans.shared.b8 [%r9], {%r1};", "words"},
        {"stmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [%r9];", "operands"},
        {"movmatrix.sync.aligned.m8n8.b16 %r1, %r2;", "words"},
        {"movmatrix.sync.aligned.m8n8.trans.b16 %r1, %d2;", "operands"},
    };
    (void)state;
    for (size_t n = 0; n < sizeof refused / sizeof *refused; n++)
        ptx_lanes_refuse(variables, refused[n].body, refused[n].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ldmatrix_every_form_follows_the_figure),
        cmocka_unit_test(stmatrix_every_form_follows_the_figure),
        cmocka_unit_test(stmatrix_then_ldmatrix_is_the_identity),
        cmocka_unit_test(ldmatrix_waits_for_the_warp),
        cmocka_unit_test(ldmatrix_rows_that_it_may_not_reach_fault),
        cmocka_unit_test(matrix_what_is_not_modelled_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
