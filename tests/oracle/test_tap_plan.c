#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/tap.h"
#include "tests/support/alloc.h"

enum { SITES = 4, RESULTS = 2, SLOTS = 2 * 3 * 128 };

static const struct tap_filter small = {9, 2, 1, 3, 5, 4, false, false};

/* Sites 0 and 1 share a fence and an accumulator, site 2 has A in shared memory and its descriptors behind the fence,
 * site 3 cannot be read; the accumulator of 0 and 1 is complete at 300, the one of 2 at 400. */
struct four {
    struct ptx_site site[SITES];
    struct ptx_result result[RESULTS];
    struct ptx_sites sites;
    bool chosen[SITES];
};

static void make_four(struct four *f)
{
    memset(f, 0, sizeof *f);
    for (uint32_t i = 0; i < SITES; i++) {
        f->site[i] = (struct ptx_site){.function = "f",
                                       .op = "wgmma.m64n64k16.f32.bf16.bf16.rs",
                                       .n = 64,
                                       .k = 16,
                                       .a_bits = 16,
                                       .b_bits = 16,
                                       .d_registers = 32,
                                       .register_a = i != 2,
                                       .registers_at = 100,
                                       .descriptors_at = 100,
                                       .b_descriptor = "%b",
                                       .scale_d = "1"};
        f->chosen[i] = true;
    }
    f->site[1].source = "kernel.cu", f->site[1].source_line = 77;
    f->site[2].a_descriptor = "%a", f->site[2].descriptors_at = 200;
    f->site[2].accumulator = 1, f->site[2].a_mn = true;
    f->site[2].n = 96;
    f->site[3].accumulator = 2;
    strcpy(f->site[3].why_not, "the fence is in another block");
    f->result[0] = (struct ptx_result){.site = 1, .accumulator = 0, .at = 300, .registers = 32};
    f->result[1] = (struct ptx_result){.site = 2, .accumulator = 1, .at = 400, .registers = 48};
    f->sites = (struct ptx_sites){SITES, RESULTS, f->site, f->result, 10, "sm_90a", NULL};
}

static struct tap_plan plan_of(const struct four *f, const struct tap_filter *filter)
{
    struct tap_plan p;
    struct error e;
    assert_int_equal(tap_plan_make(&f->sites, f->chosen, filter, &p, &e), STATUS_OK);
    return p;
}

static void plan_of_four_sites_has_each_stream_at_its_point(void **state)
{
    (void)state;
    static const struct {
        enum fo_capture_kind kind;
        uint32_t site, words, point;
    } wanted[] = {
        {FO_KIND_A, 0, 4, 0},
        {FO_KIND_B_DESCRIPTOR, 0, 2, 0},
        {FO_KIND_SCALE_D, 0, 1, 0},
        {FO_KIND_B_BYTES, 0, 4, 0},
        {FO_KIND_A, 1, 4, 0},
        {FO_KIND_B_DESCRIPTOR, 1, 2, 0},
        {FO_KIND_SCALE_D, 1, 1, 0},
        {FO_KIND_B_BYTES, 1, 4, 0},
        {FO_KIND_A_DESCRIPTOR, 2, 2, 1},
        {FO_KIND_A_BYTES, 2, 4, 1},
        {FO_KIND_B_DESCRIPTOR, 2, 2, 1},
        {FO_KIND_SCALE_D, 2, 1, 1},
        {FO_KIND_B_BYTES, 2, 8, 1},
        {FO_KIND_D, 1, 32, 2},
        {FO_KIND_D, 2, 48, 3},
    };
    enum { STREAMS = sizeof wanted / sizeof *wanted };
    static const size_t at[] = {100, 200, 300, 400};
    static const bool fence[] = {false, true, true, true};
    struct four f;
    make_four(&f);
    struct tap_plan p = plan_of(&f, &small);
    assert_int_equal(p.stream_count, STREAMS);
    assert_int_equal(p.point_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(p.point[i].at, at[i]);
        assert_int_equal(p.point[i].fence, fence[i]);
    }
    for (uint32_t i = 0; i < STREAMS; i++) {
        const struct tap_point *point = &p.point[wanted[i].point];
        assert_int_equal(p.stream[i].kind, wanted[i].kind);
        assert_int_equal(p.stream[i].site, wanted[i].site);
        assert_int_equal(p.stream[i].words, wanted[i].words);
        assert_in_range(i, point->first, point->first + point->count - 1);
    }
    assert_int_equal(p.stream[13].result, 0);
    assert_int_equal(p.stream[14].result, 1);
    tap_plan_free(&p);
}

static void plan_lays_everything_side_by_side(void **state)
{
    (void)state;
    struct four f;
    make_four(&f);
    struct tap_plan p = plan_of(&f, &small);
    assert_int_equal(p.head_bytes % TAP_ALIGN, 0);
    assert_in_range(p.head_bytes, 64 + 232 * p.stream_count, 64 + 232 * p.stream_count + TAP_ALIGN - 1);
    uint64_t at = p.head_bytes;
    for (uint32_t i = 0; i < p.point_count; i++, at += 4 * SLOTS)
        assert_int_equal(p.point[i].counters, at);
    for (uint32_t i = 0; i < p.stream_count; i++) {
        assert_int_equal(p.stream[i].data, at);
        assert_int_equal(at % 16, 0);
        at += 4 * SLOTS * 4 * (uint64_t)p.stream[i].words;
    }
    assert_int_equal(p.bytes, at);
    tap_plan_free(&p);
}

static void plan_without_bytes_keeps_the_descriptors(void **state)
{
    (void)state;
    struct four f;
    struct tap_filter filter = small;
    make_four(&f);
    filter.no_bytes = true;
    struct tap_plan p = plan_of(&f, &filter);
    assert_int_equal(p.stream_count, 11);
    for (uint32_t i = 0; i < p.stream_count; i++)
        assert_true(p.stream[i].kind != FO_KIND_B_BYTES && p.stream[i].kind != FO_KIND_A_BYTES);
    tap_plan_free(&p);
}

static void plan_of_one_step_has_the_sum_that_it_adds_to(void **state)
{
    (void)state;
    struct four f;
    make_four(&f);
    f.chosen[1] = f.chosen[2] = f.chosen[3] = false;
    struct tap_plan p = plan_of(&f, &small);
    assert_int_equal(p.stream_count, 5);
    assert_int_equal(p.stream[4].kind, FO_KIND_D);
    assert_int_equal(p.stream[4].site, 1);
    tap_plan_free(&p);
}

static void plan_of_what_cannot_be_read_says_why(void **state)
{
    (void)state;
    struct four f;
    struct tap_plan p;
    struct error e;
    make_four(&f);
    memset(f.chosen, 0, sizeof f.chosen);
    assert_int_equal(tap_plan_make(&f.sites, f.chosen, &small, &p, &e), STATUS_UNSUPPORTED);
    assert_string_equal(e.why, "no wgmma is chosen");
    f.chosen[3] = true, f.site[3].line = 41;
    assert_int_equal(tap_plan_make(&f.sites, f.chosen, &small, &p, &e), STATUS_UNSUPPORTED);
    assert_string_equal(e.why, "none of the chosen wgmma can be read; site 3, line 41: the fence is in another block");
}

static void plan_of_a_large_window_is_refused_at_the_limit(void **state)
{
    (void)state;
    struct four f;
    struct tap_plan p;
    struct error e;
    make_four(&f);
    f.sites.result_count = 0;
    f.chosen[1] = f.chosen[2] = f.chosen[3] = false;
    /* 11 words a visit: 4 * 128 * (1 + 11 * iterations) bytes and a head of 1024. */
    struct tap_filter filter = {0, 1, 0, 1, 0, 95324, false, false};
    assert_int_equal(tap_plan_make(&f.sites, f.chosen, &filter, &p, &e), STATUS_OK);
    assert_true(p.bytes <= TAP_IMAGE_MOST && p.bytes + 4 * 128 * 11 > TAP_IMAGE_MOST);
    tap_plan_free(&p);
    filter.iterations++;
    assert_int_equal(tap_plan_make(&f.sites, f.chosen, &filter, &p, &e), STATUS_BAD_ARGUMENT);
    assert_non_null(strstr(e.why, "would take 512 MiB, more than 512: lower --blocks, --warpgroups or --iterations, or "
                                  "choose with --sites or --function"));
    filter.iterations = filter.blocks = (uint32_t)TAP_WINDOW_MOST, filter.warpgroups = TAP_WARPGROUPS_MOST;
    assert_int_equal(tap_plan_make(&f.sites, f.chosen, &filter, &p, &e), STATUS_BAD_ARGUMENT);
}

static void head_reads_back_through_the_structs(void **state)
{
    (void)state;
    struct four f;
    struct error e;
    uint8_t *head = NULL;
    struct fo_capture_head h;
    struct fo_capture_stream s[15];
    make_four(&f);
    struct tap_filter filter = {9, 2, 1, 3, 5, 4, true, false};
    struct tap_plan p = plan_of(&f, &filter);
    assert_int_equal(tap_head_make(&p, &head, &e), STATUS_OK);
    memcpy(&h, head, sizeof h);
    memcpy(s, head + sizeof h, sizeof s);
    assert_int_equal(h.magic, FO_CAPTURE_MAGIC);
    assert_memory_equal(head, "FTAP", 4);
    assert_int_equal(h.version, 1);
    assert_int_equal(h.streams, 15);
    assert_int_equal(h.first_block, 9);
    assert_int_equal(h.blocks, 2);
    assert_int_equal(h.first_warpgroup, 1);
    assert_int_equal(h.warpgroups, 3);
    assert_int_equal(h.first_iteration, 5);
    assert_int_equal(h.iterations, 4);
    assert_int_equal(h.keep_last, 1);
    assert_int_equal(h.bytes, p.bytes);
    assert_int_equal(h.refused, 0);
    assert_int_equal(h.room, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(h.reserved[i], 0);
    assert_string_equal(s[0].op, "wgmma.m64n64k16.f32.bf16.bf16.rs");
    assert_string_equal(s[0].operand, "A");
    assert_string_equal(s[0].source, "");
    assert_string_equal(s[4].source, "kernel.cu:77");
    assert_string_equal(s[6].operand, "scale-d");
    assert_string_equal(s[9].operand, "A");
    assert_string_equal(s[12].operand, "B");
    assert_string_equal(s[14].operand, "D");
    assert_int_equal(s[14].kind, FO_KIND_D);
    assert_int_equal(s[14].site, 2);
    assert_int_equal(s[14].accumulator, 1);
    assert_int_equal(s[14].words, 48);
    assert_int_equal(s[12].flags, FO_FLAG_A_MN);
    assert_int_equal(s[0].flags, 0);
    for (int i = 0; i < 15; i++) {
        int point = i < 8 ? 0 : i < 13 ? 1 : i - 11;
        assert_int_equal(s[i].counters, p.point[point].counters);
        assert_int_equal(s[i].data, p.stream[i].data);
        assert_int_equal(s[i].reserved, 0);
    }
    for (uint64_t i = sizeof h + sizeof s; i < p.head_bytes; i++)
        assert_int_equal(head[i], 0);
    free(head);
    tap_plan_free(&p);
}

static void head_of_a_long_path_keeps_its_end(void **state)
{
    (void)state;
    struct four f;
    struct error e;
    uint8_t *head = NULL;
    struct fo_capture_stream s;
    char path[300];
    make_four(&f);
    memset(path, 'x', sizeof path);
    strcpy(path + 290, "/end.cu");
    f.site[0].source = path, f.site[0].source_line = 12345;
    f.site[0].b_mn = true;
    struct tap_plan p = plan_of(&f, &small);
    assert_int_equal(tap_head_make(&p, &head, &e), STATUS_OK);
    memcpy(&s, head + sizeof(struct fo_capture_head), sizeof s);
    assert_int_equal(strlen(s.source), sizeof s.source - 1);
    assert_string_equal(s.source + sizeof s.source - 1 - 13, "/end.cu:12345");
    assert_int_equal(s.flags, FO_FLAG_B_MN);
    free(head);
    tap_plan_free(&p);
}

static void chunks_cover_the_tile_of_every_type(void **state)
{
    (void)state;
    /* n, k, bits, mn; chunks and those of one outer */
    static const uint32_t cases[][6] = {
        {256, 16, 16, 0, 512, 2}, {256, 16, 16, 1, 512, 32}, {8, 16, 16, 0, 16, 2},   {24, 16, 16, 1, 48, 3},
        {64, 8, 32, 0, 128, 2},   {64, 32, 8, 0, 128, 2},    {64, 256, 1, 0, 128, 2}, {64, 32, 16, 0, 256, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t *c = cases[i];
        struct ptx_site site = {.n = (int)c[0], .k = (int)c[1], .b_bits = (int)c[2], .b_mn = c[3] != 0};
        assert_int_equal(tap_chunks(&site, true), c[4]);
        assert_int_equal(tap_chunks_inner(&site, true), c[5]);
        site = (struct ptx_site){.n = 8, .k = (int)c[1], .a_bits = (int)c[2], .a_mn = c[3] != 0};
        assert_int_equal(tap_chunks(&site, false), 64 * c[1] * c[2] / 128);
        assert_int_equal(tap_chunks_inner(&site, false), c[3] ? 64 * c[2] / 128 : c[1] * c[2] / 128);
    }
}

static enum status plan_and_head(void *context, struct error *e)
{
    struct four *f = context;
    struct tap_plan p;
    uint8_t *head = NULL;
    enum status s = tap_plan_make(&f->sites, f->chosen, &small, &p, e);
    if (s != STATUS_OK)
        return s;
    s = tap_head_make(&p, &head, e);
    free(head);
    tap_plan_free(&p);
    return s;
}

static void plan_without_memory_says_so(void **state)
{
    (void)state;
    struct four f;
    make_four(&f);
    assert_int_equal(alloc_check(plan_and_head, NULL, &f), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_four_sites_has_each_stream_at_its_point),
        cmocka_unit_test(plan_lays_everything_side_by_side),
        cmocka_unit_test(plan_without_bytes_keeps_the_descriptors),
        cmocka_unit_test(plan_of_one_step_has_the_sum_that_it_adds_to),
        cmocka_unit_test(plan_of_what_cannot_be_read_says_why),
        cmocka_unit_test(plan_of_a_large_window_is_refused_at_the_limit),
        cmocka_unit_test(head_reads_back_through_the_structs),
        cmocka_unit_test(head_of_a_long_path_keeps_its_end),
        cmocka_unit_test(chunks_cover_the_tile_of_every_type),
        cmocka_unit_test(plan_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
