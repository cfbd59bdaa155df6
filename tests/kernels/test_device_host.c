/* What the macros of fragoracle_device.h record, with the threads as a loop on the host (test_device_host.cc). Exits 77
 * without a C++ compiler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "oracle/io/tap_image.h"
#include "tests/support/scratch.h"

#ifdef FO_HAVE_DEVICE_HOST
extern const struct fo_capture_calls test_capture;
int test_device_host_launch(int what, unsigned blocks, unsigned threads_y);
void test_device_host_break(int calls);
long test_device_host_live(void);

enum { REGISTERS, ASSERTIONS, NO_ROOM = 2 /* cudaErrorMemoryAllocation */, MOCK_ERROR = 999 };

static struct tap_image capture(void **state, const struct fo_capture_filter *f, uint32_t streams, uint32_t words,
                                int what, unsigned blocks, unsigned threads_y)
{
    char path[SCRATCH_PATH];
    struct tap_image image;
    struct error e;
    assert_int_equal(test_capture.begin(f, streams, words), 0);
    assert_int_equal(test_device_host_launch(what, blocks, threads_y), (int)(blocks * threads_y * 64));
    assert_int_equal(test_capture.save(scratch_path(state, "x.ftap", path)), 0);
    assert_int_equal(test_capture.end(), 0);
    assert_int_equal(test_device_host_live(), 0);
    if (tap_image_read(path, &image, &e) != STATUS_OK)
        fail_msg("%s: %s", e.field, e.why);
    return image;
}

static const uint32_t *words_at(const struct tap_image *image, uint32_t site, const char *operand, uint32_t words,
                                uint32_t block, uint32_t group, uint32_t time, uint32_t thread)
{
    for (uint32_t i = 0; i < image->stream_count; i++) {
        const struct tap_image_stream *s = &image->stream[i];
        if (s->site == site && strcmp(s->operand, operand) == 0 && s->words == words)
            return tap_image_words(image, s, block, group, time, thread);
    }
    fail_msg("no stream of site %u, operand %s, %u words", site, operand, words);
    return NULL;
}

/* Four blocks of four warpgroups; blocks 1 and 2, warpgroups 1 and 2 are in the window. */
static void tap_every_register_lies_where_the_format_says(void **state)
{
    size_t checked = 0;
    for (uint32_t keep_last = 0; keep_last < 2; keep_last++) {
        const struct fo_capture_filter f = {1, 2, 1, 2, 1, 2, keep_last};
        struct tap_image image = capture(state, &f, 5, 4, REGISTERS, 4, 8);
        assert_int_equal(image.stream_count, 5);
        assert_int_equal(image.refused, 0);
        for (uint32_t block = 0; block < 2; block++)
            for (uint32_t group = 0; group < 2; group++)
                for (uint32_t thread = 0; thread < 128; thread++) {
                    uint32_t came = 1 + thread % 4, who = ((group + 1) * 128 + thread) | (block + 1) << 16;
                    for (uint32_t time = 0; time < 5; time++, checked++) {
                        const uint32_t *a = words_at(&image, 7, "A", 4, block, group, time, thread);
                        bool there = time < came && (keep_last ? came - time <= 2 : time >= 1 && time <= 2);
                        assert_int_equal(a != NULL, there);
                        if (!there)
                            continue;
                        assert_true(a[0] == who && a[1] == time && a[2] == 2 && a[3] == 3);
                        const uint32_t *d = words_at(&image, 7, "D", 4, block, group, time, thread);
                        float as_float[4];
                        memcpy(as_float, d, sizeof as_float);
                        assert_true(as_float[0] == 1 && as_float[1] == 2 && as_float[2] == 3);
                        assert_true(as_float[3] == (float)time);
                        const uint32_t *p = words_at(&image, 9, "P", 3, block, group, time, thread);
                        assert_true(p[0] == who && p[1] == UINT32_MAX && p[2] == 0x40200000);
                        assert_true(words_at(&image, 4, "B", 2, block, group, time, thread)[0] == time);
                    }
                    const uint32_t *even = words_at(&image, 4, "B", 4, block, group, 1, thread);
                    assert_int_equal(even != NULL, came > 2);
                    if (even)
                        assert_int_equal(even[1], 2);
                }
        const struct tap_image_stream *s = tap_image_find(&image, 9, FO_KIND_A, "P");
        assert_non_null(s);
        assert_true(s->accumulator == 3 && tap_image_find(&image, 7, FO_KIND_A, "A")->accumulator == 7);
        assert_non_null(tap_image_find(&image, 7, FO_KIND_D, "D"));
        assert_string_equal(s->op, "wgmma.m64n8k16.f32.bf16.bf16.rs");
        assert_non_null(strstr(s->source, "test_device_host.cc:"));
        tap_image_free(&image);
    }
    assert_int_equal(checked, 2 * 2 * 2 * 128 * 5);
}

static void tap_default_filter_keeps_four_times_of_block_0(void **state)
{
    struct tap_image image = capture(state, NULL, 8, 16, REGISTERS, 2, 2);
    const struct tap_image_filter *f = &image.filter;
    assert_true(f->first_block == 0 && f->blocks == 1 && f->warpgroups == 4 && f->iterations == 4 && !f->keep_last);
    assert_int_equal(words_at(&image, 7, "A", 4, 0, 0, 3, 127)[1], 3);
    assert_null(words_at(&image, 7, "A", 4, 0, 1, 0, 0));
    tap_image_free(&image);
}

/* Too few streams, too little room: counted, and what was there first is whole. */
static void tap_without_room_is_counted_and_not_written(void **state)
{
    const struct fo_capture_filter f = {0, 1, 0, 1, 0, 4, 0};
    struct tap_image image = capture(state, &f, 2, 4, REGISTERS, 1, 2);
    assert_int_equal(image.stream_count, 2);
    assert_int_equal(image.refused, 2 * 320 + 192); /* 128 threads come 1 to 4 times, at even times for one */
    assert_int_equal(words_at(&image, 7, "D", 4, 0, 0, 3, 127)[0], 0x3f800000);
    tap_image_free(&image);
    image = capture(state, &f, 5, 3, REGISTERS, 1, 2);
    assert_int_equal(image.stream_count, 2); /* of 3 and of 2 words */
    assert_int_equal(image.refused, 2 * 320 + 192);
    tap_image_free(&image);
}

/* The words of an assertion; `where` NULL when everything should be right. */
static void check_assertion(const struct tap_image *image, uint32_t site, const char *operand, uint32_t thread,
                            uint32_t compared, uint32_t wrong, const uint32_t *where)
{
    const struct tap_image_stream *s = tap_image_find(image, site, FO_KIND_ASSERT, operand);
    assert_non_null(s);
    const uint32_t *w = tap_image_words(image, s, 0, 0, 0, thread);
    assert_non_null(w);
    assert_int_equal(w[FO_ASSERT_COMPARED], compared);
    assert_int_equal(w[FO_ASSERT_WRONG], wrong);
    static const uint32_t nowhere[6];
    assert_memory_equal(w + FO_ASSERT_REGISTER, where ? where : nowhere, sizeof nowhere);
}

/* Thread 77 holds one wrong register: rows 35 and 43, and row-major matrices of 7i+1, 0x10000001i+5, 5i+1. */
static void assert_wrong_slot_is_named_and_no_other(void **state)
{
    struct tap_image image = capture(state, NULL, 16, 8, ASSERTIONS, 1, 2);
    uint32_t e16 = 7 * (35 * 32 + 10) + 1, e16d = 7 * (43 * 32 + 16 + 3) + 1;
    uint32_t tf32 = ((35 * 8 + 5) * 0x10000001u + 5) & ~0x1fffu, s32 = (43 * 8 + 3) * 0x10000001u + 5;
    uint32_t e8 = (uint8_t)(5 * (35 * 32 + 23) + 1);
    assert_int_equal(image.refused, 0);
    assert_int_equal(image.stream_count, 10);
    for (uint32_t thread = 0; thread < 128; thread++) {
        bool bad = thread == 77;
        check_assertion(&image, 0, "A", thread, 8, 0, NULL);
        check_assertion(&image, 1, "A", thread, 8, bad ? 2 : 0, bad ? (uint32_t[]){2, 0, 35, 10, e16, e16 ^ 1} : NULL);
        check_assertion(&image, 2, "A", thread, 4, 0, NULL);
        check_assertion(&image, 3, "A", thread, 4, bad, bad ? (uint32_t[]){2, 0, 35, 5, tf32, tf32 ^ 0x2000} : NULL);
        check_assertion(&image, 4, "A", thread, 16, bad, bad ? (uint32_t[]){2, 3, 35, 23, e8, e8 ^ 0xff} : NULL);
        check_assertion(&image, 5, "A", thread, 8, 0, NULL);
        check_assertion(&image, 6, "A", thread, 8, bad, bad ? (uint32_t[]){2, 1, 35, 11, 0, 1} : NULL);
        check_assertion(&image, 0, "D", thread, 4, bad, bad ? (uint32_t[]){3, 0, 43, 3, s32, s32 + 1} : NULL);
        check_assertion(&image, 1, "D", thread, 4, bad,
                        bad ? (uint32_t[]){1, 1, 43, 19, e16d & 0xffff, (e16d ^ 0x8000) & 0xffff} : NULL);
        uint32_t row = thread / 32 * 16 + thread % 32 / 4, columns = thread % 4 == 0 ? 2 : thread % 4 == 1;
        check_assertion(&image, 2, "D", thread, ((row < 40) + (row + 8 < 40)) * columns, 0, NULL);
    }
    tap_image_free(&image);
}

static void capture_begin_impossible_sizes_are_refused(void **state)
{
    (void)state;
    const struct fo_capture_filter good = {0, 1, 0, 1, 0, 1, 0};
    struct fo_capture_filter f = good;
    char path[SCRATCH_PATH];
    scratch_path(state, "x.ftap", path);
    assert_int_equal(test_capture.begin(&good, 0, 1), 1);
    assert_int_equal(test_capture.begin(&good, 1, 0), 1);
    f.blocks = 0;
    assert_int_equal(test_capture.begin(&f, 1, 1), 1);
    f = good, f.warpgroups = 0;
    assert_int_equal(test_capture.begin(&f, 1, 1), 1);
    f = good, f.iterations = 0;
    assert_int_equal(test_capture.begin(&f, 1, 1), 1);
    f.iterations = f.blocks = f.warpgroups = UINT32_MAX;
    assert_int_equal(test_capture.begin(&f, UINT32_MAX, UINT32_MAX), 1);
    /* Before it nothing is recorded and nothing can be saved. */
    assert_int_equal(test_device_host_launch(REGISTERS, 1, 2), 128);
    assert_int_equal(test_capture.save(path), 1);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(test_capture.end(), 0);
}

/* Each call of the runtime fails in turn; nothing is leaked, and nothing is recorded into memory that is gone. */
static void capture_every_failing_call_is_reported(void **state)
{
    char path[SCRATCH_PATH];
    scratch_path(state, "x.ftap", path);
    int calls = 0;
    for (;; calls++) {
        test_device_host_break(calls);
        int begun = test_capture.begin(NULL, 2, 4);
        int saved = begun ? -1 : test_capture.save(path);
        test_device_host_break(-1);
        if (begun) {
            assert_int_equal(begun, calls ? MOCK_ERROR : NO_ROOM);
            assert_int_equal(test_device_host_live(), 0);
        }
        test_device_host_launch(REGISTERS, 1, 2);
        assert_int_equal(test_capture.end(), 0);
        assert_int_equal(test_device_host_live(), 0);
        if (!begun && !saved)
            break;
        assert_true(begun || saved == MOCK_ERROR);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(calls, 6);
    assert_int_equal(test_capture.begin(NULL, 2, 4), 0);
    assert_int_equal(test_capture.begin(NULL, 2, 4), 0);
    assert_int_equal(test_device_host_live(), 1);
    assert_int_equal(test_capture.save("/nowhere/at/all"), 304);
    /* What the name leads to is not ours to remove: a device, a link to one. */
    scratch_path(state, "full", path);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_int_equal(test_capture.save(path), 304);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(test_capture.end(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tap_every_register_lies_where_the_format_says, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_default_filter_keeps_four_times_of_block_0, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(tap_without_room_is_counted_and_not_written, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(assert_wrong_slot_is_named_and_no_other, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(capture_begin_impossible_sizes_are_refused, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(capture_every_failing_call_is_reported, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
    fprintf(stderr, "not run: there is no C++ compiler\n");
    return 77;
}
#endif
