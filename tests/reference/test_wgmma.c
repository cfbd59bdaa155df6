/* wgmma: every operation's name read and written, and every wrong name refused with a sentence that says what is legal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/wgmma.h"

static void wgmma_parse_primary_operation_gives_its_fields(void **state)
{
    (void)state;
    struct wgmma_op op;
    struct error e;
    assert_int_equal(wgmma_parse("wgmma.m64n64k16.f32.bf16.bf16.rs", &op, &e), STATUS_OK);
    assert_string_equal(op.family->d, "f32");
    assert_string_equal(op.family->a, "bf16");
    assert_string_equal(op.family->b, "bf16");
    assert_int_equal(op.family->k, 16);
    assert_int_equal(op.family->a_bits, 16);
    assert_int_equal(op.family->d_bits, 32);
    assert_int_equal(op.n, 64);
    assert_int_equal(op.source, WGMMA_RS);
    assert_int_equal(wgmma_parse("wgmma.m64n8k16.f32.f16.f16.ss", &op, NULL), STATUS_OK);
    assert_string_equal(op.family->a, "f16");
    assert_int_equal(op.n, 8);
    assert_int_equal(op.source, WGMMA_SS);
}

static void wgmma_format_every_operation_is_parsed_back(void **state)
{
    (void)state;
    int ops = 0;
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        for (int n = wgmma_next_n(f, 0); n; n = wgmma_next_n(f, n))
            for (int source = WGMMA_RS; source <= WGMMA_SS; source++, ops++) {
                struct wgmma_op op = {f, n, (enum wgmma_source)source}, back;
                char text[WGMMA_NAME_SIZE], want[WGMMA_NAME_SIZE];
                snprintf(want, sizeof want, "wgmma.m64n%dk%d.%s.%s.%s.%s", n, f->k, f->d, f->a, f->b,
                         source == WGMMA_RS ? "rs" : "ss");
                assert_ptr_equal(wgmma_format(&op, text), text);
                assert_string_equal(text, want);
                assert_int_equal(wgmma_parse(text, &back, NULL), STATUS_OK);
                assert_ptr_equal(back.family, f);
                assert_int_equal(back.n, n);
                assert_int_equal(back.source, source);
            }
    }
    assert_int_equal(ops, (12 * 32 + 4 * 18) * 2); /* twelve families of floats, four of integers, two sources */
}

static void wgmma_family_at_every_pairing_of_the_specification_is_there_once(void **state)
{
    (void)state;
    static const struct {
        const char *d, *a, *b;
        int k, a_bits, d_bits, ns;
    } want[] = {
        {"f32", "bf16", "bf16", 16, 16, 32, 32}, {"f32", "f16", "f16", 16, 16, 32, 32},
        {"f16", "f16", "f16", 16, 16, 16, 32},   {"f32", "tf32", "tf32", 8, 32, 32, 32},
        {"f32", "e4m3", "e4m3", 32, 8, 32, 32},  {"f32", "e4m3", "e5m2", 32, 8, 32, 32},
        {"f32", "e5m2", "e4m3", 32, 8, 32, 32},  {"f32", "e5m2", "e5m2", 32, 8, 32, 32},
        {"f16", "e4m3", "e4m3", 32, 8, 16, 32},  {"f16", "e4m3", "e5m2", 32, 8, 16, 32},
        {"f16", "e5m2", "e4m3", 32, 8, 16, 32},  {"f16", "e5m2", "e5m2", 32, 8, 16, 32},
        {"s32", "s8", "s8", 32, 8, 32, 18},      {"s32", "s8", "u8", 32, 8, 32, 18},
        {"s32", "u8", "s8", 32, 8, 32, 18},      {"s32", "u8", "u8", 32, 8, 32, 18},
    };
    const size_t count = sizeof want / sizeof *want;
    assert_int_equal(wgmma_family_count(), count);
    for (size_t w = 0; w < count; w++) {
        char name[WGMMA_NAME_SIZE];
        struct wgmma_op op;
        int ns = 0, found = 0;
        snprintf(name, sizeof name, "wgmma.m64n256k%d.%s.%s.%s.rs", want[w].k, want[w].d, want[w].a, want[w].b);
        assert_int_equal(wgmma_parse(name, &op, NULL), STATUS_OK);
        for (size_t i = 0; i < count; i++)
            found += op.family == wgmma_family_at(i);
        assert_int_equal(found, 1);
        assert_string_equal(op.family->d, want[w].d);
        assert_string_equal(op.family->a, want[w].a);
        assert_string_equal(op.family->b, want[w].b);
        assert_int_equal(op.family->a_bits, want[w].a_bits);
        assert_int_equal(op.family->d_bits, want[w].d_bits);
        assert_int_equal(op.family->k * op.family->a_bits, 256);
        for (int n = wgmma_next_n(op.family, 0); n; n = wgmma_next_n(op.family, n))
            ns++;
        assert_int_equal(ns, want[w].ns);
    }
}

static void wgmma_parse_integers_take_18_n_and_no_others(void **state)
{
    (void)state;
    static const int legal[] = {8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256};
    static const char *const types[] = {"s8.s8", "s8.u8", "u8.s8", "u8.u8"};
    for (int t = 0; t < 4; t++) {
        size_t next = 0;
        for (int n = 1; n <= 300; n++) {
            char name[WGMMA_NAME_SIZE];
            struct wgmma_op op;
            bool want = next < sizeof legal / sizeof *legal && n == legal[next];
            snprintf(name, sizeof name, "wgmma.m64n%dk32.s32.%s.rs", n, types[t]);
            assert_int_equal(wgmma_parse(name, &op, NULL), want ? STATUS_OK : STATUS_BAD_ARGUMENT);
            next += want;
        }
        assert_int_equal(next, 18);
    }
}

static void wgmma_parse_every_other_n_is_refused(void **state)
{
    (void)state;
    int legal = 0;
    for (int n = 0; n <= 1100; n++) {
        char name[WGMMA_NAME_SIZE];
        struct wgmma_op op;
        snprintf(name, sizeof name, "wgmma.m64n%dk16.f32.bf16.bf16.rs", n);
        enum status s = wgmma_parse(name, &op, NULL);
        assert_int_equal(s, n >= 8 && n <= 256 && n % 8 == 0 ? STATUS_OK : STATUS_BAD_ARGUMENT);
        legal += s == STATUS_OK;
    }
    assert_int_equal(legal, 32);
}

static void wgmma_parse_wrong_part_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } bad[] = {
        {"", "write wgmma."},
        {"wgmma", "write wgmma."},
        {"wgmma.m64n64k16.f32.bf16.bf16", "write wgmma."},
        {"wgmma.m64n64k16.f32.bf16.bf16.rs.sp", "write wgmma."},
        {"wgmma.m64n64k16.f32.bf16.bf16.rs.", "write wgmma."},
        {"wgmma.m64n64k16.f32.bf16.bf16.rsssssssssssssssssssssssssssssssssssssss", "write wgmma."},
        {"mma.m64n64k16.f32.bf16.bf16.rs", "\"mma\""},
        {"WGMMA.m64n64k16.f32.bf16.bf16.rs", "\"WGMMA\""},
        {"wgmma.m64n64k16.f32.bf16.f16.rs", "f32.bf16.bf16, f32.f16.f16"},
        {"wgmma.m64n64k16.f16.bf16.bf16.rs", "f16.bf16.bf16 are not covered"},
        {"wgmma.m64n64k8.f16.tf32.tf32.rs", "s32.u8.s8, s32.u8.u8"}, /* the list is whole */
        {"wgmma.m64n64k32.f32.s8.s8.rs", "f32.s8.s8 are not covered"},
        {"wgmma.m64n64k32.f32.e4m3.f16.rs", "f32.e4m3.f16 are not covered"},
        {"wgmma.m64n64k256.s32.b1.b1.rs", "s32.b1.b1 are not covered"},
        {"wgmma.m64n64k16.f32.tf32.tf32.rs", "K = 16 is wrong for A of type tf32; K is 8"},
        {"wgmma.m64n64k16.f16.e5m2.e4m3.rs", "K = 16 is wrong for A of type e5m2; K is 32"},
        {"wgmma.m64n.f32.tf32.tf32.rs", "m64nNk8"},
        {"wgmma.m64n40k32.s32.s8.u8.rs",
         "N = 40 is not legal; N is a multiple of 8 from 8 to 32 or of 16 from 48 to 256"},
        {"wgmma.m64n20k8.f32.tf32.tf32.rs", "N = 20 is not legal; N is a multiple of 8 from 8 to 256"},
        {"wgmma.m64n64k16..bf16.bf16.rs", "not covered"},
        {"wgmma.m64n64.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.n64m64k16.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m64n064k16.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m64n+64k16.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m64nk16.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m64n64k16x.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m64n99999999999k16.f32.bf16.bf16.rs", "m64nNk16"},
        {"wgmma.m128n64k16.f32.bf16.bf16.rs", "M = 128"},
        {"wgmma.m64n64k32.f32.bf16.bf16.rs", "K = 32"},
        {"wgmma.m64n12k16.f32.bf16.bf16.rs", "multiple of 8 from 8 to 256"},
        {"wgmma.m64n264k16.f32.bf16.bf16.rs", "multiple of 8 from 8 to 256"},
        {"wgmma.m64n64k16.f32.bf16.bf16.sr", "rs (registers) or ss (shared memory)"},
        {"wgmma.m64n64k16.f32.bf16.bf16.", "rs (registers) or ss (shared memory)"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wgmma_op op = {NULL, -1, WGMMA_SS};
        struct error e;
        assert_int_equal(wgmma_parse(bad[i].name, &op, &e), STATUS_BAD_ARGUMENT);
        assert_int_equal(e.status, STATUS_BAD_ARGUMENT);
        if (!strstr(e.why, bad[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].name, e.why, bad[i].says);
        assert_null(op.family);
        assert_int_equal(op.n, -1);
        assert_int_equal(wgmma_parse(bad[i].name, &op, NULL), STATUS_BAD_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wgmma_parse_primary_operation_gives_its_fields),
        cmocka_unit_test(wgmma_format_every_operation_is_parsed_back),
        cmocka_unit_test(wgmma_family_at_every_pairing_of_the_specification_is_there_once),
        cmocka_unit_test(wgmma_parse_every_other_n_is_refused),
        cmocka_unit_test(wgmma_parse_integers_take_18_n_and_no_others),
        cmocka_unit_test(wgmma_parse_wrong_part_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
