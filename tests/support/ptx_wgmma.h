/* ptx_wgmma: a kernel around a few lines of wgmma, run in the PTX machine.
 *
 * Thread t of 128 loads its A registers %a0 .. from a[t][4], its D registers %d0 .. from d[t][registers], the block the
 * image into shared memory from VM_SHARED_START on, then come the lines under test, then D goes back to d. %bdesc,
 * %adesc and the predicate %add are parameters. Include after cmocka.h. */
#ifndef FO_TESTS_SUPPORT_PTX_WGMMA_H
#define FO_TESTS_SUPPORT_PTX_WGMMA_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "reference/ptx/vm.h"

enum { PTX_THREADS = 128, PTX_A = 4, PTX_IMAGE = 1 << 15, PTX_MOST_D = 128, PTX_TEXT = 1 << 15 };

struct ptx_wgmma {
    uint32_t a[PTX_THREADS][PTX_A];
    uint32_t d[PTX_THREADS * PTX_MOST_D]; /* [thread][registers] */
    uint8_t image[PTX_IMAGE];
    uint64_t a_descriptor, b_descriptor;
    uint32_t add, registers; /* of D */
    uint32_t threads;        /* 0: PTX_THREADS */
    uint32_t blocks;         /* of one cluster; 0: one block */
    enum vm_order order;
    void (*see)(void *self, const struct vm_seen *seen);
    void *see_self;
    struct vm_report report; /* out */
    char text[PTX_TEXT];
    size_t length;
};

static inline void ptx_line(struct ptx_wgmma *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void ptx_line(struct ptx_wgmma *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int more = vsnprintf(t->text + t->length, sizeof t->text - t->length, format, ap);
    va_end(ap);
    t->length += (size_t)more;
    assert_true(t->length + 1 < sizeof t->text);
    t->text[t->length++] = '\n';
    t->text[t->length] = '\0';
}

/* "{%d0, %d1, ...}" */
static inline const char *ptx_list(char name, uint32_t count, char *text, size_t size)
{
    size_t length = 0;
    for (uint32_t r = 0; r < count; r++)
        length += (size_t)snprintf(text + length, size - length, "%s%%%c%u", r ? ", " : "{", name, r);
    assert_true(length + 2 < size);
    strcat(text, "}");
    return text;
}

static inline void ptx_begin(struct ptx_wgmma *t)
{
    t->length = 0;
    ptx_line(t, ".version 8.0\n.target sm_90a\n.address_size 64");
    ptx_line(t, ".visible .entry k(.param .u64 pa, .param .u64 pd, .param .u64 pimage, .param .u64 padesc, "
                ".param .u64 pbdesc, .param .u32 padd)\n{");
    ptx_line(t, ".reg .b32 %%a<4>, %%d<%u>, %%t, %%i, %%s, %%v, %%n;", t->registers);
    ptx_line(t, ".reg .b64 %%pa, %%pd, %%pi, %%adesc, %%bdesc, %%o;\n.reg .pred %%p, %%add;");
    ptx_line(t, ".shared .align 1024 .b8 memory[%d];", PTX_IMAGE);
    ptx_line(t, "ld.param.u64 %%pa, [pa];\nld.param.u64 %%pd, [pd];\nld.param.u64 %%pi, [pimage];");
    ptx_line(t, "ld.param.u64 %%adesc, [padesc];\nld.param.u64 %%bdesc, [pbdesc];\nld.param.u32 %%n, [padd];");
    ptx_line(t, "setp.ne.u32 %%add, %%n, 0;\nmov.u32 %%t, %%tid.x;");
    ptx_line(t, "mul.wide.u32 %%o, %%t, 16;\nadd.s64 %%pa, %%pa, %%o;");
    ptx_line(t, "ld.global.v4.b32 {%%a0, %%a1, %%a2, %%a3}, [%%pa];");
    ptx_line(t, "mul.wide.u32 %%o, %%t, %u;\nadd.s64 %%pd, %%pd, %%o;", 4 * t->registers);
    for (uint32_t r = 0; r < t->registers; r++)
        ptx_line(t, "ld.global.b32 %%d%u, [%%pd+%u];", r, 4 * r);
    ptx_line(t, "shl.b32 %%i, %%t, 2;\nmov.u32 %%s, memory;\nadd.u32 %%s, %%s, %%i;");
    ptx_line(t, "mul.wide.u32 %%o, %%t, 4;\nadd.s64 %%pi, %%pi, %%o;");
    ptx_line(t, "fill:\nld.global.b32 %%v, [%%pi];\nst.shared.b32 [%%s], %%v;\nadd.s64 %%pi, %%pi, 512;");
    ptx_line(t, "add.u32 %%s, %%s, 512;\nadd.u32 %%i, %%i, 512;\nsetp.lt.u32 %%p, %%i, %d;\n@%%p bra fill;", PTX_IMAGE);
    ptx_line(t, "fence.proxy.async.shared::cta;\nbar.sync 0;");
}

static inline void ptx_end(struct ptx_wgmma *t)
{
    for (uint32_t r = 0; r < t->registers; r++)
        ptx_line(t, "st.global.b32 [%%pd+%u], %%d%u;", 4 * r, r);
    ptx_line(t, "ret;\n}");
}

/* Run what has been written. d comes back changed on success. */
static inline enum status ptx_run(struct ptx_wgmma *t, struct error *e)
{
    struct vm *v = NULL;
    uint64_t a, d, image;
    enum status s = vm_make("test.ptx", t->text, t->length, &v, e);
    if (s == STATUS_OK)
        s = vm_alloc(v, "a", sizeof t->a, &a, e);
    if (s == STATUS_OK)
        s = vm_alloc(v, "d", sizeof t->d, &d, e);
    if (s == STATUS_OK)
        s = vm_alloc(v, "image", sizeof t->image, &image, e);
    if (s == STATUS_OK) {
        struct {
            uint64_t a, d, image, a_descriptor, b_descriptor;
            uint32_t add;
        } parameters = {a, d, image, t->a_descriptor, t->b_descriptor, t->add};
        struct vm_launch launch = {.entry = "k",
                                   .grid = {t->blocks ? t->blocks : 1, 1, 1},
                                   .cluster = {t->blocks ? t->blocks : 1, 1, 1},
                                   .block = {t->threads ? t->threads : PTX_THREADS, 1, 1},
                                   .parameters = &parameters,
                                   .parameter_bytes = offsetof(__typeof__(parameters), add) + sizeof t->add,
                                   .order = t->order};
        memcpy(vm_bytes(v, a), t->a, sizeof t->a);
        memcpy(vm_bytes(v, d), t->d, sizeof t->d);
        memcpy(vm_bytes(v, image), t->image, sizeof t->image);
        v->see = t->see;
        v->see_self = t->see_self;
        s = vm_run(v, &launch, e);
        t->report = v->report;
        if (s == STATUS_OK)
            memcpy(t->d, vm_bytes(v, d), sizeof t->d);
    }
    if (v)
        vm_free(v);
    return s;
}

/* How often a kind of hazard was noted; text of the first to *text. */
static inline uint64_t ptx_hazards(const struct ptx_wgmma *t, const char *kind, const char **text)
{
    uint64_t count = 0;
    for (uint32_t n = 0; n < t->report.hazards; n++)
        if (strcmp(t->report.hazard[n].kind, kind) == 0) {
            if (count == 0 && text)
                *text = t->report.hazard[n].text;
            count += t->report.hazard[n].count;
        }
    return count;
}

#endif
