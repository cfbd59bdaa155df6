#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/tap.h"
#include "reference/descriptor.h"
#include "tests/oracle/ptx_run.h"
#include "tests/support/alloc.h"

enum { SHARED = 1 << 18, MODULE_AT = 20 };

static const struct tap_filter first_block = {0, 1, 0, 1, 0, 1, false, false};

/* A module of one .rs site, whose point is byte 40 of whatever text, and a result of two registers at byte 60. */
struct case_of_one {
    struct ptx_site site;
    struct ptx_result result;
    struct ptx_sites sites;
    bool chosen[1];
};

static void make_one(struct case_of_one *c)
{
    memset(c, 0, sizeof *c);
    c->site = (struct ptx_site){.line = 3,
                                .column = 2,
                                .function = "f",
                                .source = "dir/k.cu",
                                .source_line = 123,
                                .op = "wgmma.m64n8k16.f16.bf16.bf16.rs",
                                .n = 8,
                                .k = 16,
                                .a_bits = 16,
                                .b_bits = 16,
                                .d_registers = 2,
                                .register_a = true,
                                .registers_at = 40,
                                .a = {"%a0", "%a1", "%a2", "%a3"},
                                .descriptors_at = 40,
                                .b_descriptor = "%desc",
                                .scale_d = "%scale",
                                .accumulator = 5};
    c->result = (struct ptx_result){.site = 0, .accumulator = 5, .at = 60, .registers = 2, .d = {"%d0", "%d1"}};
    c->sites = (struct ptx_sites){1, 1, &c->site, &c->result, MODULE_AT, "sm_90a", NULL};
    c->chosen[0] = true;
}

static struct tap_plan plan_of(const struct ptx_sites *sites, const bool *chosen, const struct tap_filter *filter)
{
    struct tap_plan p;
    struct error e;
    assert_int_equal(tap_plan_make(sites, chosen, filter, &p, &e), STATUS_OK);
    return p;
}

static void emit_of_a_result_alone_is_exactly_this(void **state)
{
    (void)state;
    struct case_of_one c;
    struct text out = {0};
    make_one(&c);
    strcpy(c.site.why_not, "made so");
    struct tap_plan p = plan_of(&c.sites, c.chosen, &(struct tap_filter){7, 2, 1, 3, 5, 4, false, false});
    assert_int_equal(p.point_count, 1);
    assert_int_equal(p.head_bytes, 384);
    tap_emit_point(&p, &p.point[0], &out);
    assert_string_equal(out.data,
                        "\n\t{ // fragoracle tap\n"
                        "\t.reg .pred %fotap_keep, %fotap_in, %fotap_plain;\n"
                        "\t.reg .b32 %fotap_index, %fotap_thread, %fotap_a, %fotap_b, %fotap_c, %fotap_zero;\n"
                        "\t.reg .b32 %fotap_lo, %fotap_hi, %fotap_width, %fotap_v<4>;\n"
                        "\t.reg .b64 %fotap_base, %fotap_to;\n"
                        "\tld.volatile.global.u32 %fotap_zero, [fragoracle_tap_head+56];\n"
                        "\tmov.u32 %fotap_a, %ctaid.z;\n"
                        "\tmov.u32 %fotap_b, %nctaid.y;\n"
                        "\tmov.u32 %fotap_c, %ctaid.y;\n"
                        "\tmad.lo.u32 %fotap_a, %fotap_a, %fotap_b, %fotap_c;\n"
                        "\tmov.u32 %fotap_b, %nctaid.x;\n"
                        "\tmov.u32 %fotap_c, %ctaid.x;\n"
                        "\tmad.lo.u32 %fotap_index, %fotap_a, %fotap_b, %fotap_c;\n"
                        "\tadd.u32 %fotap_index, %fotap_index, %fotap_zero;\n"
                        "\tsub.u32 %fotap_index, %fotap_index, 7;\n"
                        "\tsetp.lt.u32 %fotap_keep, %fotap_index, 2;\n"
                        "\tmov.u32 %fotap_a, %tid.z;\n"
                        "\tmov.u32 %fotap_b, %ntid.y;\n"
                        "\tmov.u32 %fotap_c, %tid.y;\n"
                        "\tmad.lo.u32 %fotap_a, %fotap_a, %fotap_b, %fotap_c;\n"
                        "\tmov.u32 %fotap_b, %ntid.x;\n"
                        "\tmov.u32 %fotap_c, %tid.x;\n"
                        "\tmad.lo.u32 %fotap_a, %fotap_a, %fotap_b, %fotap_c;\n"
                        "\tadd.u32 %fotap_a, %fotap_a, %fotap_zero;\n"
                        "\tand.b32 %fotap_thread, %fotap_a, 127;\n"
                        "\tshr.u32 %fotap_a, %fotap_a, 7;\n"
                        "\tsub.u32 %fotap_a, %fotap_a, 1;\n"
                        "\tsetp.lt.and.u32 %fotap_keep, %fotap_a, 3, %fotap_keep;\n"
                        "\tmad.lo.u32 %fotap_index, %fotap_index, 3, %fotap_a;\n"
                        "\tmad.lo.u32 %fotap_a, %fotap_index, 128, %fotap_thread;\n"
                        "\tmov.u64 %fotap_base, fragoracle_tap_data;\n"
                        "\tmad.wide.u32 %fotap_to, %fotap_a, 4, %fotap_base;\n"
                        "\tmov.u32 %fotap_b, 0;\n"
                        "\t@%fotap_keep ld.volatile.global.u32 %fotap_b, [%fotap_to+0];\n"
                        "\tadd.u32 %fotap_c, %fotap_b, 1;\n"
                        "\t@%fotap_keep st.volatile.global.u32 [%fotap_to+0], %fotap_c;\n"
                        "\tsub.u32 %fotap_b, %fotap_b, 5;\n"
                        "\tsetp.lt.and.u32 %fotap_keep, %fotap_b, 4, %fotap_keep;\n"
                        "\tmad.lo.u32 %fotap_index, %fotap_index, 4, %fotap_b;\n"
                        "\tmad.lo.u32 %fotap_index, %fotap_index, 128, %fotap_thread;\n"
                        "\tmad.wide.u32 %fotap_to, %fotap_index, 8, %fotap_base;\n"
                        "\t@%fotap_keep st.global.v2.b32 [%fotap_to+3072], {%d0, %d1};\n"
                        "\twgmma.fence.sync.aligned;\n"
                        "\t}\n");
    text_free(&out);
    tap_plan_free(&p);
}

static void emit_puts_globals_and_recorders_at_their_points(void **state)
{
    (void)state;
    static const char module[] = "0123456789012345678\nabcdefghijklmnopqrs\nABCDEFGHIJKLMNOPQRS\nend";
    struct case_of_one c;
    struct text out = {0}, point = {0};
    struct error e;
    make_one(&c);
    struct tap_plan p = plan_of(&c.sites, c.chosen, &first_block);
    assert_int_equal(p.point_count, 2);
    assert_int_equal(tap_emit(&p, module, sizeof module - 1, &out, &e), STATUS_OK);
    assert_memory_equal(out.data, module, MODULE_AT);
    char declared[128];
    snprintf(declared, sizeof declared, "};\n.visible .global .align 128 .b8 fragoracle_tap_data[%lu];\nabcde",
             (unsigned long)(p.bytes - p.head_bytes));
    assert_non_null(strstr(out.data, declared));
    snprintf(declared, sizeof declared, "\n.visible .global .align 128 .b8 fragoracle_tap_head[%lu] = {70,84,65,80,1,0",
             (unsigned long)p.head_bytes);
    assert_ptr_equal(strstr(out.data, declared), out.data + MODULE_AT);
    tap_emit_point(&p, &p.point[0], &point);
    const char *recorder = strstr(out.data, point.data);
    assert_non_null(recorder);
    assert_memory_equal(recorder - 20, "abcdefghijklmnopqrs\n", 20);
    assert_memory_equal(recorder + point.used, "ABCDEFGHIJKLMNOPQRS\n\n\t{ // fragoracle tap", 41);
    assert_string_equal(out.data + out.used - 5, "}\nend");
    text_free(&point);
    text_free(&out);
    tap_plan_free(&p);
}

static void emit_fences_after_itself_behind_the_fence_alone(void **state)
{
    (void)state;
    struct case_of_one c;
    struct text text[3] = {{0}};
    make_one(&c);
    c.site.descriptors_at = 50;
    struct tap_plan p = plan_of(&c.sites, c.chosen, &first_block);
    assert_int_equal(p.point_count, 3);
    for (int i = 0; i < 3; i++) {
        tap_emit_point(&p, &p.point[i], &text[i]);
        const char *fence = strstr(text[i].data, "wgmma.fence.sync.aligned;\n\t}\n");
        assert_int_equal(fence != NULL, i > 0);
        assert_true(!fence || fence + 29 == text[i].data + text[i].used);
        text_free(&text[i]);
    }
    tap_plan_free(&p);
}

/* One word of the image that the whole run must have made, from the formula of fragoracle_device.h. */
static uint32_t word_at(const uint8_t *image, uint64_t at)
{
    uint32_t word;
    memcpy(&word, image + at, 4);
    return word;
}

struct launch {
    uint32_t grid[3], block[3], times;
};

/* What a thread's registers hold at its t-th visit. */
static uint32_t content(uint32_t block, uint32_t thread, uint32_t time, uint32_t which)
{
    return block * 1000003u + thread * 7919u + time * 104729u + which * 31u + 1;
}

/* Run every thread of the launch through every point `times` times; the image of the capture, head included. */
static uint8_t *run_launch(const struct tap_plan *p, const struct launch *l, uint32_t *executed)
{
    struct ptx_run *r = calloc(1, sizeof *r);
    uint8_t *image = calloc(1, p->bytes), *shared = calloc(1, SHARED);
    struct text code = {0};
    assert_true(r && image && shared);
    for (uint32_t i = 0; i < p->point_count; i++)
        tap_emit_point(p, &p->point[i], &code);
    r->global = image + p->head_bytes, r->global_size = p->bytes - p->head_bytes;
    r->shared = shared, r->shared_size = SHARED;
    memcpy(r->ntid, l->block, sizeof r->ntid);
    memcpy(r->nctaid, l->grid, sizeof r->nctaid);
    for (uint32_t b = 0; b < l->grid[0] * l->grid[1] * l->grid[2]; b++)
        for (uint32_t t = 0; t < l->block[0] * l->block[1] * l->block[2]; t++)
            for (uint32_t i = 0; i < l->times; i++) {
                static const char *const names[] = {"%a0", "%a1", "%a2", "%a3", "%d0", "%d1"};
                uint32_t block[3] = {b % l->grid[0], b / l->grid[0] % l->grid[1], b / l->grid[0] / l->grid[1]};
                uint32_t tid[3] = {t % l->block[0], t / l->block[0] % l->block[1], t / l->block[0] / l->block[1]};
                r->count = 0;
                memcpy(r->ctaid, block, sizeof block);
                memcpy(r->tid, tid, sizeof tid);
                for (uint32_t n = 0; n < 6; n++)
                    ptx_run_set(r, names[n], content(b, t, i, n));
                ptx_run_set(r, "%desc", (uint64_t)content(b, t, i, 8) << 35 >> 3);
                ptx_run_set(r, "%scale", content(b, t, i, 0) & 1);
                ptx_run_text(r, code.data);
            }
    *executed = r->executed;
    text_free(&code);
    free(shared);
    free(r);
    return image;
}

/* Hold the streams A, B descriptor, scale-d and D of one launch against the formula. Returns the words compared. */
static uint64_t compare_launch(const struct tap_plan *p, const struct launch *l, const uint8_t *image)
{
    const struct tap_filter *f = &p->filter;
    uint32_t blocks = l->grid[0] * l->grid[1] * l->grid[2], threads = l->block[0] * l->block[1] * l->block[2];
    uint64_t compared = 0;
    for (uint32_t i = 0; i < p->point_count; i++)
        for (uint32_t j = p->point[i].first; j < p->point[i].first + p->point[i].count; j++) {
            const struct tap_stream *s = &p->stream[j];
            for (uint32_t b = 0; b < f->blocks; b++)
                for (uint32_t g = 0; g < f->warpgroups; g++)
                    for (uint32_t t = 0; t < 128; t++) {
                        uint32_t block = b + f->first_block, thread = (g + f->first_warpgroup) * 128 + t;
                        bool there = block < blocks && thread < threads;
                        uint64_t slot = b * f->warpgroups + g;
                        assert_int_equal(word_at(image, p->point[i].counters + 4 * (slot * 128 + t)),
                                         there ? l->times : 0);
                        for (uint32_t k = 0; k < f->iterations; k++) {
                            uint32_t time = k + f->first_iteration;
                            while (f->last && time + f->iterations < l->times)
                                time += f->iterations;
                            for (uint32_t w = 0; w < s->words && s->kind != FO_KIND_B_BYTES; w++) {
                                uint32_t is = word_at(
                                    image, s->data + 4 * (((slot * f->iterations + k) * 128 + t) * s->words + w));
                                uint64_t desc = (uint64_t)content(block, thread, time, 8) << 35 >> 3;
                                uint32_t want = s->kind == FO_KIND_A         ? content(block, thread, time, w)
                                                : s->kind == FO_KIND_D       ? content(block, thread, time, 4 + w)
                                                : s->kind == FO_KIND_SCALE_D ? content(block, thread, time, 0) & 1
                                                                             : (uint32_t)(desc >> 32 * w);
                                assert_int_equal(is, there && time < l->times ? want : 0);
                                compared++;
                            }
                        }
                    }
        }
    return compared;
}

static void emit_of_every_filter_keeps_the_window(void **state)
{
    (void)state;
    static const struct tap_filter filters[] = {
        {0, 1, 0, 1, 0, 1, false, false}, {3, 4, 0, 2, 0, 3, false, false}, {5, 9, 1, 2, 1, 2, false, false},
        {0, 2, 0, 8, 0, 3, true, false},  {0, 1, 1, 1, 0, 4, true, false},  {2, 3, 2, 1, 3, 9, false, false},
    };
    static const struct launch launches[] = {
        {{4, 1, 1}, {128, 1, 1}, 1}, {{3, 2, 2}, {8, 8, 6}, 5}, {{2, 5, 1}, {256, 1, 1}, 7}};
    uint64_t compared = 0;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        for (size_t j = 0; j < sizeof launches / sizeof *launches; j++) {
            struct case_of_one c;
            uint32_t executed;
            make_one(&c);
            struct tap_plan p = plan_of(&c.sites, c.chosen, &filters[i]);
            uint8_t *image = run_launch(&p, &launches[j], &executed);
            assert_true(executed > 0);
            compared += compare_launch(&p, &launches[j], image);
            free(image);
            tap_plan_free(&p);
        }
    assert_true(compared > 10000);
}

static void emit_of_words_that_four_does_not_divide_stores_each(void **state)
{
    (void)state;
    static const char *const names[] = {"%a0", "%a1", "%a2", "%a3", "%d0", "%d1"};
    for (int words = 1; words <= 6; words++) {
        struct case_of_one c;
        uint32_t executed;
        make_one(&c);
        strcpy(c.site.why_not, "made so");
        c.result.registers = words;
        for (int w = 0; w < words; w++)
            c.result.d[w] = names[w];
        struct tap_plan p = plan_of(&c.sites, c.chosen, &first_block);
        uint8_t *image = run_launch(&p, &(struct launch){{1, 1, 1}, {128, 1, 1}, 1}, &executed);
        for (uint32_t t = 0; t < 128; t++)
            for (uint32_t w = 0; w < (uint32_t)words; w++)
                assert_int_equal(word_at(image, p.stream[0].data + 4 * (t * (uint32_t)words + w)), content(0, t, 0, w));
        free(image);
        tap_plan_free(&p);
    }
}

static void emit_of_a_constant_scale_records_it(void **state)
{
    (void)state;
    static const char *const constant[] = {"0", "1"};
    for (uint32_t value = 0; value < 2; value++) {
        struct case_of_one c;
        uint32_t executed;
        make_one(&c);
        c.site.scale_d = constant[value];
        struct tap_plan p = plan_of(&c.sites, c.chosen, &first_block);
        uint8_t *image = run_launch(&p, &(struct launch){{1, 1, 1}, {128, 1, 1}, 1}, &executed);
        int seen = 0;
        for (uint32_t i = 0; i < p.stream_count; i++)
            if (p.stream[i].kind == FO_KIND_SCALE_D)
                for (seen = 0; seen < 128; seen++)
                    assert_int_equal(word_at(image, p.stream[i].data + 4 * (uint64_t)seen), value);
        assert_int_equal(seen, 128);
        free(image);
        tap_plan_free(&p);
    }
}

/* Run every third thread of one warpgroup over a shared memory that names its own addresses, and hold each chunk
 * against descriptor_chunk. */
static uint32_t compare_bytes(struct ptx_run *r, const struct tap_plan *p, const struct tap_stream *s, const char *code,
                              uint64_t bits, uint32_t first)
{
    const struct ptx_site *site = &p->sites->site[0];
    bool b = s->kind == FO_KIND_B_BYTES;
    struct descriptor d = descriptor_decode(bits);
    uint32_t inner = tap_chunks_inner(site, b), chunks = tap_chunks(site, b);
    memset(r->global, 0xff, r->global_size);
    for (uint32_t t = first % 3; t < 128; t += 3) {
        r->count = 0;
        ptx_run_set(r, "%fotap_index", t);
        ptx_run_set(r, "%fotap_thread", t);
        ptx_run_set(r, "%fotap_keep", 1);
        ptx_run_set(r, "%fotap_zero", 0);
        ptx_run_set(r, "%fotap_base", 0x7f0000000000u);
        ptx_run_set(r, b ? "%desc" : "%adesc", bits);
        ptx_run_text(r, code);
        for (uint32_t i = 0; i < s->words / 4; i++) {
            uint32_t c = t + 128 * i;
            uint64_t at = s->data - p->head_bytes + 4 * (t * s->words + 4 * i);
            uint32_t want = descriptor_chunk(&d, b ? site->b_mn : site->a_mn, c / inner, c % inner);
            for (uint32_t w = 0; w < 4; w++)
                assert_int_equal(word_at(r->global, at + 4 * w), c < chunks ? want + 4 * w : UINT32_MAX);
        }
    }
    return chunks;
}

static void emit_bytes_of_every_descriptor_reads_the_chunks_of_the_reference(void **state)
{
    (void)state;
    static const int extents[] = {8, 16, 24, 40, 64, 96, 128, 176, 256};
    struct ptx_run *r = calloc(1, sizeof *r);
    uint32_t *shared = malloc(SHARED), compared = 0, cases = 0;
    assert_true(r && shared);
    for (uint32_t i = 0; i < SHARED / 4; i++)
        shared[i] = 4 * i;
    for (size_t n = 0; n < sizeof extents / sizeof *extents; n++)
        for (int mn = 0; mn < 2; mn++)
            for (int operand = 0; operand < 2; operand++) {
                struct case_of_one c;
                struct text code = {0};
                make_one(&c);
                c.site.register_a = false, c.site.a_descriptor = "%adesc";
                c.site.n = extents[n], c.site.b_mn = c.site.a_mn = mn != 0;
                if (!mn && n % 2)
                    c.site.k = n % 3 ? 32 : 8, c.site.a_bits = c.site.b_bits = 256 / c.site.k;
                if (!mn && n == 4) /* sparse: twice the K of B */
                    c.site.k = 32;
                struct tap_plan p = plan_of(&c.sites, c.chosen, &first_block);
                const struct tap_stream *s = p.stream;
                while (s->kind != (operand ? FO_KIND_B_BYTES : FO_KIND_A_BYTES))
                    s++;
                tap_emit_bytes(&p, s, &code);
                r->global = malloc(p.bytes), r->global_size = p.bytes - p.head_bytes;
                r->shared = (const uint8_t *)shared, r->shared_size = SHARED;
                for (uint32_t swizzle = 0; swizzle < 4; swizzle++)
                    for (uint32_t variant = 0; variant < 6; variant++) {
                        static const uint32_t start[] = {0, 1024, 32, 5 * 1024 + 96, 0x3fff0, 0x1230};
                        static const uint32_t leading[] = {128, 16, 4096, 2048, 0x3fff0, 48};
                        static const uint32_t stride[] = {1024, 256, 512, 144, 0x20010, 2064};
                        struct descriptor d = {start[variant], leading[variant], stride[variant],
                                               variant == 3   ? 5
                                               : variant == 5 ? 7
                                                              : 0,
                                               swizzle ? 16u << swizzle : 0};
                        uint64_t bits;
                        assert_int_equal(descriptor_encode(&d, &bits, NULL), STATUS_OK);
                        compared += compare_bytes(r, &p, s, code.data, bits, variant + swizzle);
                        cases++;
                    }
                free(r->global);
                text_free(&code);
                tap_plan_free(&p);
            }
    assert_int_equal(cases, 9 * 4 * 24);
    assert_true(compared > 50000);
    free(shared);
    free(r);
}

struct emission {
    struct case_of_one c;
    struct tap_plan plan;
    struct text out;
};

static enum status emit_all(void *context, struct error *e)
{
    static const char module[] = "0123456789012345678\nabcdefghijklmnopqrs\nABCDEFGHIJKLMNOPQRS\nend";
    struct emission *m = context;
    enum status s = tap_plan_make(&m->c.sites, m->c.chosen, &first_block, &m->plan, e);
    if (s != STATUS_OK)
        return s;
    s = tap_emit(&m->plan, module, sizeof module - 1, &m->out, e);
    if (s != STATUS_OK)
        tap_plan_free(&m->plan);
    return s;
}

static void emit_without_memory_says_so(void **state)
{
    (void)state;
    struct emission m = {.out = {0}};
    make_one(&m.c);
    assert_true(alloc_check(emit_all, NULL, &m) > 5);
    text_free(&m.out);
    tap_plan_free(&m.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emit_of_a_result_alone_is_exactly_this),
        cmocka_unit_test(emit_puts_globals_and_recorders_at_their_points),
        cmocka_unit_test(emit_fences_after_itself_behind_the_fence_alone),
        cmocka_unit_test(emit_of_every_filter_keeps_the_window),
        cmocka_unit_test(emit_of_words_that_four_does_not_divide_stores_each),
        cmocka_unit_test(emit_of_a_constant_scale_records_it),
        cmocka_unit_test(emit_bytes_of_every_descriptor_reads_the_chunks_of_the_reference),
        cmocka_unit_test(emit_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
