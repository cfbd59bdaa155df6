/* wgmma: every operation's name read and written, and every wrong name refused with a sentence that says what is legal.
 */
#include <setjmp.h>
#include <stdarg.h>
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
        for (int n = f->n_min; n <= f->n_max; n += f->n_step)
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
    assert_int_equal(ops, 2 * 32 * 2); /* two families, 32 legal N, two sources */
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
        cmocka_unit_test(wgmma_parse_every_other_n_is_refused),
        cmocka_unit_test(wgmma_parse_wrong_part_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
