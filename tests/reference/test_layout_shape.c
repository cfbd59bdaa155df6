/* layout_shape: malformed layouts are refused by every operation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/layouts.h"

/* Every operation refuses l, says so, and leaves its results alone. */
static void check_refused(const struct layout *l, const char *says)
{
    struct layout out, before, good = a_affine();
    struct layout_difference d, d_before;
    struct error e;
    bool bijective = true;
    memset(&out, 0x5a, sizeof out);
    memset(&d, 0x5a, sizeof d);
    before = out;
    d_before = d;
    assert_int_equal(layout_check(l, &bijective, &e), STATUS_BAD_INPUT);
    if (!strstr(e.why, says))
        fail_msg("\"%s\" does not say \"%s\"", e.why, says);
    assert_int_equal(layout_invert(l, &out, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_compose(l, &good, &out, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_compose(&good, l, &out, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_compare(l, &good, &d, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_compare(&good, l, &d, &e), STATUS_BAD_ARGUMENT);
    assert_false(layout_to_affine(l, &out));
    assert_true(bijective);
    assert_memory_equal(&out, &before, sizeof out);
    assert_memory_equal(&d, &d_before, sizeof d);
}

static void layout_check_malformed_box_is_refused(void **state)
{
    (void)state;
    const struct layout good = a_affine();
    struct layout l = good;
    l.domain.rank = 0;
    check_refused(&l, "rank 0");
    l.domain.rank = LAYOUT_DIMS + 1;
    check_refused(&l, "rank 5");
    l = good;
    l.codomain.rank = -1;
    check_refused(&l, "rank -1");
    l = good;
    l.domain.name[1] = NULL;
    check_refused(&l, "no name");
    l = good;
    l.domain.extent[1] = 0;
    check_refused(&l, "0 of reg");
    l = good;
    l.codomain.extent[0] = l.codomain.extent[1] = 1u << 16;
    check_refused(&l, "65536 of j");
    l = good;
    l.domain.extent[0] = (1u << LAYOUT_BITS) + 1;
    check_refused(&l, "65537 of thread");
    l = good;
    l.kind = (enum layout_kind)3;
    check_refused(&l, "3 is no kind");
}

static void layout_check_malformed_mode_is_refused(void **state)
{
    (void)state;
    const struct layout good = a_strided();
    struct layout l = good;
    l.modes = -1;
    check_refused(&l, "-1 modes");
    l.modes = LAYOUT_MODES + 1;
    check_refused(&l, "17 modes");
    l = good;
    l.mode[2].dim = 3;
    check_refused(&l, "mode 2 reads dimension 3");
    l.mode[2].dim = -1;
    check_refused(&l, "mode 2 reads dimension -1");
    l = good;
    l.mode[5].divisor = 0;
    check_refused(&l, "mode 5");
    l = good;
    l.mode[0].extent = 0;
    check_refused(&l, "mode 0");
}

static void layout_check_malformed_table_is_refused(void **state)
{
    (void)state;
    struct layout strided = a_strided(), l = tabulated(&strided);
    l.table[1023] = 1024;
    check_refused(&l, "thread 127, reg 3, part 1 goes to code 1024");
    struct layout empty = l;
    empty.table = NULL;
    check_refused(&empty, "without its table");
    layout_free(&l);
}

static void layout_from_table_code_outside_the_codomain_is_refused(void **state)
{
    (void)state;
    static const uint32_t codes[8] = {0, 1, 2, 3, 4, 8, 6, 9};
    struct layout out, before;
    struct error e;
    memset(&out, 0x5a, sizeof out);
    before = out;
    assert_int_equal(layout_from_table(&eight_slots, &eight_values, codes, &out, &e), STATUS_BAD_ARGUMENT);
    assert_string_equal(e.why, "reg 2, part 1 goes to code 8, but the codomain has 8 points");
    const struct box empty = {1, {"x"}, {0}};
    assert_int_equal(layout_from_table(&empty, &eight_values, codes, &out, &e), STATUS_BAD_ARGUMENT);
    assert_int_equal(layout_from_table(&eight_slots, &empty, codes, &out, &e), STATUS_BAD_ARGUMENT);
    assert_memory_equal(&out, &before, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_check_malformed_box_is_refused),
        cmocka_unit_test(layout_check_malformed_mode_is_refused),
        cmocka_unit_test(layout_check_malformed_table_is_refused),
        cmocka_unit_test(layout_from_table_code_outside_the_codomain_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
