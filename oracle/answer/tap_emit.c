#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "oracle/answer/tap.h"

/* Registers of a recorder. The scope is its own, and a module that knows the prefix is refused, so no name can clash.
 *     keep    this thread records, this time       index   ((slot * iterations + iteration) * 128 + thread % 128)
 *     thread  thread % 128                         base    of fragoracle_tap_data; to: where this thread writes */
static const char declarations[] =
    "\t.reg .pred %fotap_keep, %fotap_in, %fotap_plain;\n"
    "\t.reg .b32 %fotap_index, %fotap_thread, %fotap_a, %fotap_b, %fotap_c, %fotap_zero;\n"
    "\t.reg .b32 %fotap_lo, %fotap_hi, %fotap_width, %fotap_v<4>;\n"
    "\t.reg .b64 %fotap_base, %fotap_to;\n";

/* A zero that ptxas cannot know for one: what it is added to is not computed ahead of its time and kept in registers.
 */
static void emit_zero(struct text *out)
{
    text_add(out, "\tld.volatile.global.u32 %%fotap_zero, [" TAP_HEAD_NAME "+%zu];\n",
             offsetof(struct fo_capture_head, reserved));
}

/* The window of the filter; block and thread are linear indices. Leaves slot * 128 + thread in index. */
static void emit_window(const struct tap_filter *f, struct text *out)
{
    emit_zero(out);
    text_add(out,
             "\tmov.u32 %%fotap_a, %%ctaid.z;\n"
             "\tmov.u32 %%fotap_b, %%nctaid.y;\n"
             "\tmov.u32 %%fotap_c, %%ctaid.y;\n"
             "\tmad.lo.u32 %%fotap_a, %%fotap_a, %%fotap_b, %%fotap_c;\n"
             "\tmov.u32 %%fotap_b, %%nctaid.x;\n"
             "\tmov.u32 %%fotap_c, %%ctaid.x;\n"
             "\tmad.lo.u32 %%fotap_index, %%fotap_a, %%fotap_b, %%fotap_c;\n"
             "\tadd.u32 %%fotap_index, %%fotap_index, %%fotap_zero;\n"
             "\tsub.u32 %%fotap_index, %%fotap_index, %" PRIu32 ";\n"
             "\tsetp.lt.u32 %%fotap_keep, %%fotap_index, %" PRIu32 ";\n",
             f->first_block, f->blocks);
    text_add(out,
             "\tmov.u32 %%fotap_a, %%tid.z;\n"
             "\tmov.u32 %%fotap_b, %%ntid.y;\n"
             "\tmov.u32 %%fotap_c, %%tid.y;\n"
             "\tmad.lo.u32 %%fotap_a, %%fotap_a, %%fotap_b, %%fotap_c;\n"
             "\tmov.u32 %%fotap_b, %%ntid.x;\n"
             "\tmov.u32 %%fotap_c, %%tid.x;\n"
             "\tmad.lo.u32 %%fotap_a, %%fotap_a, %%fotap_b, %%fotap_c;\n"
             "\tadd.u32 %%fotap_a, %%fotap_a, %%fotap_zero;\n"
             "\tand.b32 %%fotap_thread, %%fotap_a, 127;\n"
             "\tshr.u32 %%fotap_a, %%fotap_a, 7;\n"
             "\tsub.u32 %%fotap_a, %%fotap_a, %" PRIu32 ";\n"
             "\tsetp.lt.and.u32 %%fotap_keep, %%fotap_a, %" PRIu32 ", %%fotap_keep;\n"
             "\tmad.lo.u32 %%fotap_index, %%fotap_index, %" PRIu32 ", %%fotap_a;\n",
             f->first_warpgroup, f->warpgroups, f->warpgroups);
}

/* Count this thread's visit and put the iteration into the index. Volatile: the counter stays in memory, or it would
 * occupy a register for as long as a loop runs. */
static void emit_counter(const struct tap_plan *p, uint64_t counters, struct text *out)
{
    const struct tap_filter *f = &p->filter;
    text_add(out,
             "\tmad.lo.u32 %%fotap_a, %%fotap_index, 128, %%fotap_thread;\n"
             "\tmov.u64 %%fotap_base, " TAP_DATA_NAME ";\n"
             "\tmad.wide.u32 %%fotap_to, %%fotap_a, 4, %%fotap_base;\n"
             "\tmov.u32 %%fotap_b, 0;\n"
             "\t@%%fotap_keep ld.volatile.global.u32 %%fotap_b, [%%fotap_to+%" PRIu64 "];\n"
             "\tadd.u32 %%fotap_c, %%fotap_b, 1;\n"
             "\t@%%fotap_keep st.volatile.global.u32 [%%fotap_to+%" PRIu64 "], %%fotap_c;\n",
             counters - p->head_bytes, counters - p->head_bytes);
    if (f->last)
        text_add(out, "\trem.u32 %%fotap_b, %%fotap_b, %" PRIu32 ";\n", f->iterations);
    else
        text_add(out,
                 "\tsub.u32 %%fotap_b, %%fotap_b, %" PRIu32 ";\n"
                 "\tsetp.lt.and.u32 %%fotap_keep, %%fotap_b, %" PRIu32 ", %%fotap_keep;\n",
                 f->first_iteration, f->iterations);
    text_add(out,
             "\tmad.lo.u32 %%fotap_index, %%fotap_index, %" PRIu32 ", %%fotap_b;\n"
             "\tmad.lo.u32 %%fotap_index, %%fotap_index, 128, %%fotap_thread;\n",
             f->iterations);
}

/* Where this thread's words of a stream begin. */
static void emit_to(const struct tap_stream *s, struct text *out)
{
    text_add(out, "\tmad.wide.u32 %%fotap_to, %%fotap_index, %" PRIu32 ", %%fotap_base;\n", 4 * s->words);
}

static void emit_registers(const struct tap_plan *p, const struct tap_stream *s, const char *const *name,
                           struct text *out)
{
    static const char *const vector[] = {[1] = "", [2] = ".v2", [4] = ".v4"};
    uint32_t wide = s->words % 4 == 0 ? 4 : s->words % 2 == 0 ? 2 : 1;
    emit_to(s, out);
    for (uint32_t w = 0; w < s->words; w += wide) {
        text_add(out, "\t@%%fotap_keep st.global%s.b32 [%%fotap_to+%" PRIu64 "], %s%s", vector[wide],
                 s->data - p->head_bytes + 4 * w, wide > 1 ? "{" : "", name[w]);
        for (uint32_t i = 1; i < wide; i++)
            text_add(out, ", %s", name[w + i]);
        text_add(out, "%s;\n", wide > 1 ? "}" : "");
    }
}

static void emit_descriptor(const struct tap_plan *p, const struct tap_stream *s, const char *name, struct text *out)
{
    static const char *const halves[] = {"%fotap_lo", "%fotap_hi"};
    text_add(out, "\tmov.b64 {%%fotap_lo, %%fotap_hi}, %s;\n", name);
    emit_registers(p, s, halves, out);
}

static void emit_scale_d(const struct tap_plan *p, const struct tap_stream *s, const char *name, struct text *out)
{
    static const char *const word[] = {"%fotap_a"};
    if (name[0] == '0' || name[0] == '1')
        text_add(out, "\tmov.u32 %%fotap_a, %c;\n", name[0]);
    else
        text_add(out, "\tselp.u32 %%fotap_a, 1, 0, %s;\n", name);
    emit_registers(p, s, word, out);
}

/* Chunk c = thread + 128 * i to outer (a) and inner (b). */
static void emit_chunk(uint32_t i, uint32_t inner, struct text *out)
{
    text_add(out,
             "\tadd.u32 %%fotap_c, %%fotap_thread, %" PRIu32 ";\n"
             "\tdiv.u32 %%fotap_a, %%fotap_c, %" PRIu32 ";\n"
             "\trem.u32 %%fotap_b, %%fotap_c, %" PRIu32 ";\n",
             i * FO_CAPTURE_THREADS, inner, inner);
}

/* v3 = a byte offset of the descriptor: 14 bits from bit `at` of lo or hi, in units of 16. */
static void emit_offset(const char *half, int at, struct text *out)
{
    text_add(out,
             "\tbfe.u32 %%fotap_v3, %%fotap_%s, %d, 14;\n"
             "\tshl.b32 %%fotap_v3, %%fotap_v3, 4;\n",
             half, at);
}

/* The shared address of chunk (outer a, inner b) to v0, as descriptor_chunk of reference/descriptor.h says it. width is
 * the logarithm of the bytes of a line: 4 without a swizzle, then 5, 6, 7.
 *
 *     K-major   start + outer / 8 * stride + outer % 8 << width + inner * (plain ? leading : 16)
 *     MN-major  start + outer / 8 * (plain ? leading : stride) + outer % 8 << width
 *               + inner % chunks of a line * 16 + inner / chunks of a line * (plain ? stride : leading)
 *     then      bits 4.. of it ^= bits 7.. minus the base offset, as many as a line has chunks */
static void emit_address(bool mn, struct text *out)
{
    text_add(out, "\tbfe.u32 %%fotap_v0, %%fotap_lo, 0, 14;\n"
                  "\tshl.b32 %%fotap_v0, %%fotap_v0, 4;\n"
                  "\tand.b32 %%fotap_v1, %%fotap_a, 7;\n"
                  "\tshl.b32 %%fotap_v1, %%fotap_v1, %%fotap_width;\n"
                  "\tadd.u32 %%fotap_v0, %%fotap_v0, %%fotap_v1;\n"
                  "\tshr.u32 %%fotap_a, %%fotap_a, 3;\n");
    text_add(out, "\tbfe.u32 %%fotap_v1, %%fotap_lo, 16, 14;\n"
                  "\tshl.b32 %%fotap_v1, %%fotap_v1, 4;\n");
    emit_offset("hi", 0, out);
    if (mn)
        text_add(out, "\tselp.b32 %%fotap_v2, %%fotap_v1, %%fotap_v3, %%fotap_plain;\n"
                      "\tselp.b32 %%fotap_v3, %%fotap_v3, %%fotap_v1, %%fotap_plain;\n"
                      "\tmad.lo.u32 %%fotap_v0, %%fotap_a, %%fotap_v2, %%fotap_v0;\n"
                      "\tsub.u32 %%fotap_v1, %%fotap_width, 4;\n"
                      "\tshr.u32 %%fotap_v2, %%fotap_b, %%fotap_v1;\n"
                      "\tmad.lo.u32 %%fotap_v0, %%fotap_v2, %%fotap_v3, %%fotap_v0;\n"
                      "\tshl.b32 %%fotap_v2, %%fotap_v2, %%fotap_v1;\n"
                      "\tsub.u32 %%fotap_b, %%fotap_b, %%fotap_v2;\n"
                      "\tmad.lo.u32 %%fotap_v0, %%fotap_b, 16, %%fotap_v0;\n");
    else
        text_add(out, "\tselp.b32 %%fotap_v1, %%fotap_v1, 16, %%fotap_plain;\n"
                      "\tmad.lo.u32 %%fotap_v0, %%fotap_a, %%fotap_v3, %%fotap_v0;\n"
                      "\tmad.lo.u32 %%fotap_v0, %%fotap_b, %%fotap_v1, %%fotap_v0;\n");
    text_add(out, "\tand.b32 %%fotap_v0, %%fotap_v0, 262128;\n"
                  "\tshr.u32 %%fotap_v1, %%fotap_v0, 7;\n"
                  "\tbfe.u32 %%fotap_v2, %%fotap_hi, 17, 3;\n"
                  "\tsub.u32 %%fotap_v1, %%fotap_v1, %%fotap_v2;\n"
                  "\tshl.b32 %%fotap_v1, %%fotap_v1, 4;\n"
                  "\tshl.b32 %%fotap_v2, 1, %%fotap_width;\n"
                  "\tsub.u32 %%fotap_v2, %%fotap_v2, 16;\n"
                  "\tand.b32 %%fotap_v1, %%fotap_v1, %%fotap_v2;\n"
                  "\txor.b32 %%fotap_v0, %%fotap_v0, %%fotap_v1;\n");
}

void tap_emit_bytes(const struct tap_plan *p, const struct tap_stream *s, struct text *out)
{
    const struct ptx_site *site = &p->sites->site[s->site];
    bool b = s->kind == FO_KIND_B_BYTES;
    uint32_t chunks = tap_chunks(site, b), inner = tap_chunks_inner(site, b);
    emit_to(s, out);
    text_add(out,
             "\tmov.b64 {%%fotap_lo, %%fotap_hi}, %s;\n"
             "\tshr.u32 %%fotap_a, %%fotap_hi, 30;\n"
             "\tsetp.eq.u32 %%fotap_plain, %%fotap_a, 0;\n"
             "\tsub.u32 %%fotap_width, 8, %%fotap_a;\n"
             "\tselp.u32 %%fotap_width, 4, %%fotap_width, %%fotap_plain;\n",
             b ? site->b_descriptor : site->a_descriptor);
    for (uint32_t i = 0; i * FO_CAPTURE_THREADS < chunks; i++) {
        uint32_t rest = chunks - i * FO_CAPTURE_THREADS;
        emit_chunk(i, inner, out);
        emit_address(b ? site->b_mn : site->a_mn, out);
        text_add(out,
                 "\tsetp.lt.and.u32 %%fotap_in, %%fotap_thread, %" PRIu32 ", %%fotap_keep;\n"
                 "\t@%%fotap_in ld.volatile.shared.v4.b32 {%%fotap_v0, %%fotap_v1, %%fotap_v2, %%fotap_v3}, "
                 "[%%fotap_v0];\n"
                 "\t@%%fotap_in st.global.v4.b32 [%%fotap_to+%" PRIu64 "], {%%fotap_v0, %%fotap_v1, %%fotap_v2, "
                 "%%fotap_v3};\n",
                 rest < FO_CAPTURE_THREADS ? rest : FO_CAPTURE_THREADS, s->data - p->head_bytes + 16 * i);
    }
}

static void emit_stream(const struct tap_plan *p, const struct tap_stream *s, struct text *out)
{
    const struct ptx_site *site = &p->sites->site[s->site];
    switch (s->kind) {
    case FO_KIND_A:
        emit_registers(p, s, site->a, out);
        break;
    case FO_KIND_D:
        emit_registers(p, s, p->sites->result[s->result].d, out);
        break;
    case FO_KIND_A_DESCRIPTOR:
        emit_descriptor(p, s, site->a_descriptor, out);
        break;
    case FO_KIND_B_DESCRIPTOR:
        emit_descriptor(p, s, site->b_descriptor, out);
        break;
    case FO_KIND_SCALE_D:
        emit_scale_d(p, s, site->scale_d, out);
        break;
    default:
        tap_emit_bytes(p, s, out);
    }
}

void tap_emit_point(const struct tap_plan *p, const struct tap_point *point, struct text *out)
{
    text_add(out, "\n\t{ // fragoracle tap\n%s", declarations);
    emit_window(&p->filter, out);
    emit_counter(p, point->counters, out);
    for (uint32_t i = point->first; i < point->first + point->count; i++)
        emit_stream(p, &p->stream[i], out);
    text_add(out, point->fence ? "\twgmma.fence.sync.aligned;\n\t}\n" : "\t}\n");
}

static enum status emit_globals(const struct tap_plan *p, struct text *out, struct error *e)
{
    uint8_t *head = NULL;
    enum status s = tap_head_make(p, &head, e);
    if (s != STATUS_OK)
        return s;
    text_add(out, "\n.visible .global .align %d .b8 " TAP_HEAD_NAME "[%" PRIu64 "] = {", TAP_ALIGN, p->head_bytes);
    for (uint64_t i = 0; i < p->head_bytes; i++)
        text_add(out, i ? ",%u" : "%u", head[i]);
    text_add(out, "};\n.visible .global .align %d .b8 " TAP_DATA_NAME "[%" PRIu64 "];\n", TAP_ALIGN,
             p->bytes - p->head_bytes);
    free(head);
    return STATUS_OK;
}

enum status tap_emit(const struct tap_plan *p, const char *text, size_t size, struct text *out, struct error *e)
{
    struct text made = {0};
    size_t at = p->sites->globals_at;
    assert(at <= size);
    text_add(&made, "%.*s", (int)at, text);
    enum status s = emit_globals(p, &made, e);
    for (uint32_t i = 0; s == STATUS_OK && i < p->point_count; i++) {
        assert(p->point[i].at >= at && p->point[i].at <= size);
        text_add(&made, "%.*s", (int)(p->point[i].at - at), text + at);
        tap_emit_point(p, &p->point[i], &made);
        at = p->point[i].at;
    }
    text_add(&made, "%.*s", (int)(size - at), text + at);
    if (s == STATUS_OK && made.failed)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the rewritten module");
    if (s != STATUS_OK) {
        text_free(&made);
        return s;
    }
    *out = made;
    return STATUS_OK;
}
