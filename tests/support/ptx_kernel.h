/* ptx_kernel: a kernel of a few lines of PTX, run from its beginning to its end. Include after cmocka.h.
 *
 * The lines find %r0 the thread of the block, %r1 the rank in the cluster, %r2 a shared buffer of BUFFER bytes at a
 * multiple of 1024, %r3 eight shared mbarriers, %r4 the warp, %r5 the lane, %p0 "this is thread 0", %d0 the output,
 * %d1 the input, %d2 the tensor map (a generic address), %d3 where the thread's own word of the output lies; they may
 * use %p1..15, %r8..63, %d8..31. */
#ifndef FO_TESTS_SUPPORT_PTX_KERNEL_H
#define FO_TESTS_SUPPORT_PTX_KERNEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/tensor_map.h"
#include "reference/ptx/vm.h"

enum { PTX_KERNEL_BUFFER = 32768 };

struct ptx_kernel {
    const char *body;
    uint32_t blocks, cluster, threads; /* cluster 0: 1 */
    enum vm_order order;
    const void *in;
    size_t in_bytes, out_bytes;
    const struct vm_tensor_map *map; /* its address is made that of the input, or of the output */
    bool map_of_out;
    uint64_t most_steps;
};

struct ptx_done {
    enum status status;
    struct error error;
    struct vm_report report;
    uint8_t *out; /* freed with ptx_done_free */
};

static const char ptx_kernel_head[] =
    ".version 8.6\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 out, .param .u64 in, "
    ".param .align 64 .b8 map[128])\n{\n"
    ".reg .pred %p<16>; .reg .b32 %r<64>; .reg .b64 %d<32>; .reg .b16 %h<8>;\n"
    ".shared .align 1024 .b8 buf[32768]; .shared .align 8 .b64 bar[8];\n"
    "mov.u32 %r0, %tid.x; mov.u32 %r1, %cluster_ctarank; mov.u32 %r2, buf; mov.u32 %r3, bar; mov.u32 %r4, %warpid; "
    "mov.u32 %r5, %laneid; setp.eq.u32 %p0, %r0, 0; ld.param.u64 %d0, [out]; ld.param.u64 %d1, [in]; "
    "mov.u64 %d2, map; cvta.param.u64 %d2, %d2;\n"
    "mov.u32 %r6, %ctaid.x; mov.u32 %r7, %ntid.x; mad.lo.s32 %r6, %r6, %r7, %r0; mul.wide.u32 %d3, %r6, 4; "
    "add.s64 %d3, %d3, %d0;\n";
enum { PTX_KERNEL_LINE = 11 }; /* of the first line of a body, counted from 1 */

static inline void ptx_done_free(struct ptx_done *d)
{
    free(d->out);
    d->out = NULL;
}

/* A module that cannot be read fails the test; what the run says is the caller's to judge. */
static inline struct ptx_done ptx_kernel_run(const struct ptx_kernel *k)
{
    struct ptx_done d = {0};
    struct {
        uint64_t out, in;
        uint8_t gap[48], map[VM_TENSOR_BYTES];
    } given = {0};
    char *text = malloc(sizeof ptx_kernel_head + strlen(k->body) + 16);
    assert_non_null(text);
    sprintf(text, "%s\n%s\nret;\n}\n", ptx_kernel_head, k->body);
    struct vm *v;
    if (vm_make("kernel.ptx", text, strlen(text), &v, &d.error) != STATUS_OK)
        fail_msg("%s, line %d, in\n%s", d.error.why, d.error.line, text);
    free(text);
    assert_int_equal(vm_alloc(v, "out", k->out_bytes ? k->out_bytes : 16, &given.out, &d.error), STATUS_OK);
    assert_int_equal(vm_alloc(v, "in", k->in_bytes ? k->in_bytes : 16, &given.in, &d.error), STATUS_OK);
    if (k->out_bytes)
        memset(vm_bytes(v, given.out), 0, k->out_bytes);
    if (k->in_bytes)
        memcpy(vm_bytes(v, given.in), k->in, k->in_bytes);
    if (k->map) {
        struct vm_tensor_map map = *k->map;
        map.address = k->map_of_out ? given.out : given.in;
        if (vm_tensor_map_encode(&map, given.map, &d.error) != STATUS_OK)
            fail_msg("%s", d.error.why);
    }
    struct vm_launch l = {.entry = "k",
                          .grid = {k->blocks, 1, 1},
                          .block = {k->threads, 1, 1},
                          .cluster = {k->cluster ? k->cluster : 1, 1, 1},
                          .parameters = &given,
                          .parameter_bytes = sizeof given,
                          .order = k->order,
                          .most_steps = k->most_steps ? k->most_steps : 1000000};
    d.status = vm_run(v, &l, &d.error);
    d.report = v->report;
    d.out = malloc(k->out_bytes + 1);
    assert_non_null(d.out);
    if (k->out_bytes)
        memcpy(d.out, vm_bytes(v, given.out), k->out_bytes);
    vm_free(v);
    return d;
}

/* The run goes well and says nothing of hazards. */
static inline struct ptx_done ptx_kernel_good(const struct ptx_kernel *k)
{
    struct ptx_done d = ptx_kernel_run(k);
    if (d.status != STATUS_OK)
        fail_msg("%s, line %d of the body: %s", d.error.why, d.error.line - PTX_KERNEL_LINE + 1, k->body);
    if (d.report.hazards)
        fail_msg("%s, line %u: %s", d.report.hazard[0].kind, d.report.hazard[0].line - PTX_KERNEL_LINE + 1,
                 d.report.hazard[0].text);
    return d;
}

/* The run fails in a line of the body (from 1; 0: in any), with words in its reason. */
static inline void ptx_kernel_bad(const struct ptx_kernel *k, enum status s, int line, const char *words)
{
    struct ptx_done d = ptx_kernel_run(k);
    if (d.status != s || !strstr(d.error.why, words) || (line && d.error.line - PTX_KERNEL_LINE + 1 != line))
        fail_msg("%s: %s in line %d, wanted %s in line %d: %s\n%s", status_name(d.status), d.error.why,
                 d.error.line - PTX_KERNEL_LINE + 1, status_name(s), line, words, k->body);
    ptx_done_free(&d);
}

#endif
