/* child_memory: where arrays lie, which byte of a guard is told how, and what a reader cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/exec/child_memory.h"
#include "tests/support/expect.h"

static const char *const names[CHILD_ARRAYS] = {"a", "b", "c"};
static const size_t bytes[CHILD_ARRAYS] = {10, 4096, 3};

static void make_places_arrays_at_pages_with_guards_between(void **state)
{
    struct child_memory m;
    struct error e;
    char says[CHILD_SAYS];
    (void)state;
    assert_int_equal(child_memory_make(bytes, &m, &e), STATUS_OK);
    assert_int_equal(m.offset[0], CHILD_GUARD);
    assert_int_equal(m.offset[1], CHILD_GUARD + 4096 + CHILD_GUARD);
    assert_int_equal(m.offset[2], CHILD_GUARD + 4096 + CHILD_GUARD + 4096 + CHILD_GUARD);
    assert_int_equal(m.size, m.offset[2] + 4096 + CHILD_GUARD);
    for (int i = 0; i < CHILD_ARRAYS; i++) {
        uint8_t *array = child_memory_array(&m, i);
        assert_ptr_equal(array, m.base + m.offset[i]);
        for (size_t at = 0; at < bytes[i]; at++)
            assert_int_equal(array[at], 0);
        memset(array, 0xff, bytes[i]); /* what is ours is no guard */
    }
    assert_true(child_memory_intact(&m, names, says));
    child_memory_free(&m);
    child_memory_free(&m);
}

static void intact_names_the_array_and_the_bytes(void **state)
{
    static const struct {
        long from; /* relative to the start of array b, of 4096 bytes */
        size_t count;
        const char *says;
    } cases[] = {
        {-1, 1, "wrote 1 byte ahead of the start of b"},
        {-16, 16, "wrote 16 bytes ahead of the start of b"},
        {-20, 4, "wrote 4 bytes ahead of the start of b, 16 bytes away from it"},
        {4096, 1, "wrote 1 byte past the end of b"},
        {4096, CHILD_GUARD, "wrote 65536 bytes past the end of b"},
        {4098, 2, "wrote 2 bytes past the end of b, 2 bytes away from it"},
        {-CHILD_GUARD - 4086, 7, "wrote 7 bytes past the end of a"},
        {-CHILD_GUARD - 4097, 1, NULL}, /* the last byte of a itself */
        {-2 * CHILD_GUARD - 4096, 3, "wrote 3 bytes ahead of the start of a, 65533 bytes away from it"},
        {4096 + CHILD_GUARD + 3, 5, "wrote 5 bytes past the end of c"},
        {2 * 4096 + 2 * CHILD_GUARD - 1, 1, "wrote 1 byte past the end of c, 69628 bytes away from it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct child_memory m;
        struct error e;
        char says[CHILD_SAYS] = "";
        assert_int_equal(child_memory_make(bytes, &m, &e), STATUS_OK);
        uint8_t *at = (uint8_t *)child_memory_array(&m, 1) + cases[i].from;
        if (cases[i].says)
            for (size_t j = 0; j < cases[i].count; j++)
                at[j] ^= 0x10;
        else
            ((uint8_t *)child_memory_array(&m, 0))[9] ^= 1;
        assert_int_equal(child_memory_intact(&m, names, says), cases[i].says == NULL);
        if (cases[i].says)
            assert_string_equal(says, cases[i].says);
        child_memory_free(&m);
    }
}

static void intact_of_any_byte_of_any_guard_is_false(void **state)
{
    struct child_memory m;
    struct error e;
    char says[CHILD_SAYS];
    size_t tried = 0;
    (void)state;
    assert_int_equal(child_memory_make(bytes, &m, &e), STATUS_OK);
    for (size_t at = 0; at < m.size; at += 251) {
        bool inside = false;
        for (int i = 0; i < CHILD_ARRAYS; i++)
            inside = inside || (at >= m.offset[i] && at < m.offset[i] + bytes[i]);
        m.base[at] ^= 1;
        assert_int_equal(child_memory_intact(&m, names, says), inside);
        m.base[at] ^= 1;
        tried += !inside;
    }
    assert_true(tried > 1000);
    child_memory_free(&m);
}

static void place_names_what_is_written_to(void **state)
{
    struct child_memory m;
    struct error e;
    char says[CHILD_SAYS];
    (void)state;
    assert_int_equal(child_memory_make(bytes, &m, &e), STATUS_OK);
    const struct {
        size_t offset;
        const char *says;
    } cases[] = {{0, "ahead of a"},
                 {m.offset[0] - 1, "ahead of a"},
                 {m.offset[0], "to a"},
                 {m.offset[0] + 9, "to a"},
                 {m.offset[0] + 10, "past the end of a"},
                 {m.offset[1] - 1, "ahead of b"},
                 {m.offset[1] + 4095, "to b"},
                 {m.offset[1] + 4096, "past the end of b"},
                 {m.offset[2] + 2, "to c"},
                 {m.offset[2] + 3, "past the end of c"},
                 {m.size - 1, "past the end of c"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(child_memory_place(&m, names, cases[i].offset, says), cases[i].says);
    child_memory_free(&m);
}

static void reader_sees_what_is_written_and_cannot_write(void **state)
{
    struct child_memory m, seen = {.fd = -1};
    struct error e;
    int fd = -1;
    (void)state;
    assert_int_equal(child_memory_make(bytes, &m, &e), STATUS_OK);
    assert_int_equal(child_memory_reader(&m, &fd, &e), STATUS_OK);
    assert_int_equal(child_memory_map(fd, true, bytes, &seen, &e), STATUS_IO);
    assert_null(seen.base);
    assert_int_equal(child_memory_map(fd, false, bytes, &seen, &e), STATUS_OK);
    close(fd);
    ((uint8_t *)child_memory_array(&m, 1))[5] = 77;
    assert_int_equal(((uint8_t *)child_memory_array(&seen, 1))[5], 77);
    assert_int_equal(mprotect(seen.base, seen.size, PROT_READ | PROT_WRITE), -1);
    child_memory_free(&seen);
    child_memory_free(&m);
}

static void make_of_more_than_there_is_is_no_memory(void **state)
{
    static const size_t huge[][CHILD_ARRAYS] = {
        {SIZE_MAX, 0, 0}, {SIZE_MAX / 4, SIZE_MAX / 4, 9}, {(size_t)1 << 50, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        struct child_memory m = {.fd = 42};
        struct error e;
        assert_int_equal(child_memory_make(huge[i], &m, &e), STATUS_NO_MEMORY);
        expect_error(&e, STATUS_NO_MEMORY, "", "", -1, "no memory for");
        assert_int_equal(m.fd, 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make_places_arrays_at_pages_with_guards_between),
        cmocka_unit_test(intact_names_the_array_and_the_bytes),
        cmocka_unit_test(intact_of_any_byte_of_any_guard_is_false),
        cmocka_unit_test(place_names_what_is_written_to),
        cmocka_unit_test(reader_sees_what_is_written_and_cannot_write),
        cmocka_unit_test(make_of_more_than_there_is_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
