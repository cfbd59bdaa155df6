#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/rs_gemm.h"
#include "oracle/io/file.h"
#include "tests/agree/rs_ptx.h"
#include "tests/support/scratch.h"

enum { NAME = 200, STATUS_POISON = 0x5a };

struct rs_ptx {
    struct subject subject;
    struct vm *vm;
    enum vm_order order;
    char entry[NAME];
    size_t experts, N, K;
    uint64_t values, scales; /* 0: none */
};

char *rs_ptx_compile(void *const *scratch)
{
    char path[SCRATCH_PATH], line[3 * SCRATCH_PATH];
    uint8_t *text;
    size_t size;
    scratch_path(scratch, "rs_gemm.ptx", path);
    snprintf(line, sizeof line,
             "PATH=\"$PATH:/usr/local/cuda/bin\"; command -v nvcc >/dev/null || exit 77; nvcc -ptx -O3 -gencode "
             "arch=compute_90a,code=compute_90a -I'%s' '%s/kernels/rs_gemm.cu' -o '%s'",
             FO_SOURCE_DIR, FO_SOURCE_DIR, path);
    int code = system(line);
    if (code == 77 << 8)
        return NULL;
    assert_int_equal(code, 0);
    assert_int_equal(file_read(path, 0, &text, &size, NULL), STATUS_OK);
    text = realloc(text, size + 1);
    assert_non_null(text);
    text[size] = '\0';
    return (char *)text;
}

static uint64_t place(struct rs_ptx *r, const char *name, const void *data, size_t bytes)
{
    uint64_t at;
    assert_int_equal(vm_alloc(r->vm, name, bytes, &at, NULL), STATUS_OK);
    if (bytes)
        memcpy(vm_bytes(r->vm, at), data, bytes);
    return at;
}

static void drop_weights(struct rs_ptx *r)
{
    if (r->values) {
        vm_release(r->vm, r->values);
        vm_release(r->vm, r->scales);
    }
    r->values = r->scales = 0;
}

static enum status load(void *self, const struct weights *w, struct error *e)
{
    struct rs_ptx *r = self;
    struct packed_weights p;
    enum status s = planted_weights_make(w, &r->subject.data, &p, e);
    if (s != STATUS_OK)
        return s;
    drop_weights(r);
    r->values = place(r, "values", p.values, p.value_bytes);
    r->scales = place(r, "scales", p.scales, p.scale_bytes);
    r->experts = p.experts, r->N = p.N, r->K = p.K;
    packed_weights_free(&p);
    return STATUS_OK;
}

/* As rs_gemm_launch and rs_gemm_planted_launch do it. */
static enum status launch(struct rs_ptx *r, const struct rs_args *args, struct error *e)
{
    struct {
        struct rs_args args;
        struct rs_fault fault;
    } parameters;
    const struct rs_shape *s = &args->shape;
    memset(&parameters, 0, sizeof parameters);
    parameters.args = *args;
    parameters.fault = r->subject.fault;
    const struct vm_launch l = {.entry = r->entry,
                                .grid = {r->subject.planted ? rs_grid_tiles(s, &r->subject.fault) : rs_max_tiles(s),
                                         (s->N + RS_TILE_FEATURES - 1) / RS_TILE_FEATURES, 1},
                                .block = {RS_THREADS, 1, 1},
                                .parameters = &parameters,
                                .parameter_bytes = r->subject.planted ? sizeof parameters.args + sizeof parameters.fault
                                                                      : sizeof parameters.args,
                                .order = r->order};
    return vm_run(r->vm, &l, e);
}

/* An address of the machine as the kernel's argument. */
static void *pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static enum status run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison, struct bf16 *out,
                       struct run_report *report, struct error *e)
{
    struct rs_ptx *r = self;
    struct rs_args a = {
        .shape = {(uint32_t)s->rows, (uint32_t)r->N, (uint32_t)r->K, (uint32_t)s->experts, (uint32_t)s->active}};
    struct run_report made = machine_report(&r->subject, &a.shape, s->starts, s->ids);
    struct planted_segments given;
    struct rs_counters counters = {0};
    uint32_t word = STATUS_POISON;
    assert_true(r->values && s->experts == r->experts);
    assert_int_equal(planted_segments_make(s, &r->subject.launch, &given, e), STATUS_OK);
    for (size_t i = 0; i < s->rows * r->N; i++)
        out[i] = poison;
    a.shape.active = (uint32_t)given.s.active;
    const uint64_t at[] = {place(r, "x", x, s->rows * r->K * sizeof *x),
                           place(r, "starts", given.starts, (given.s.active + 1) * sizeof *given.starts),
                           place(r, "ids", given.ids, given.s.active * sizeof *given.ids),
                           place(r, "out", out, s->rows * r->N * sizeof *out),
                           place(r, "status", &word, sizeof word),
                           place(r, "counters", &counters, sizeof counters)};
    a.x = pointer(at[0]), a.values = pointer(r->values), a.scales = pointer(r->scales), a.starts = pointer(at[1]);
    a.ids = pointer(at[2]), a.out = pointer(at[3]), a.status = pointer(at[4]), a.counters = pointer(at[5]);
    enum status status = launch(r, &a, e);
    memcpy(out, vm_bytes(r->vm, at[3]), s->rows * r->N * sizeof *out);
    memcpy(&made.status_word, vm_bytes(r->vm, at[4]), sizeof made.status_word);
    memcpy(&counters, vm_bytes(r->vm, at[5]), sizeof counters);
    made.tiles = counters.tiles, made.wgmma = counters.wgmma, made.a_checksum = counters.a_checksum;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        vm_release(r->vm, at[i]);
    planted_segments_free(&given);
    if (status == STATUS_OK)
        status = planted_rows_restore(s, &r->subject.launch, r->N, out, e);
    if (status == STATUS_OK)
        *report = made;
    return status;
}

static void release(void *self)
{
    struct rs_ptx *r = self;
    vm_free(r->vm);
    free(r);
}

/* The kernel is C++: its name in the module is mangled. */
static void find_entry(struct rs_ptx *r)
{
    const struct vm_program *p = &r->vm->program;
    const char *wanted = r->subject.planted ? "rs_gemm_planted_kernel" : "rs_gemm_kernel";
    for (uint32_t f = 0; f < p->functions; f++)
        if (p->function[f].entry && strstr(p->function[f].name, wanted))
            snprintf(r->entry, sizeof r->entry, "%s", p->function[f].name);
    assert_true(r->entry[0] != '\0');
}

void rs_ptx_open(const char *text, const char *subject, enum vm_order order, struct executor *out)
{
    struct rs_ptx *r = calloc(1, sizeof *r);
    struct error e;
    assert_non_null(r);
    r->order = order;
    if (subject_parse(subject, &r->subject, &e) != STATUS_OK ||
        vm_make("rs_gemm.ptx", text, strlen(text), &r->vm, &e) != STATUS_OK)
        fail_msg("%s", e.why);
    find_entry(r);
    *out = (struct executor){.name = "ptx",
                             .subject = r->subject.name,
                             .fidelity = FIDELITY_BIT_EXACT_MODEL,
                             .self = r,
                             .load = load,
                             .run = run,
                             .release = release,
                             .limits = {.multiple_N = 16, .multiple_K = 64}};
}

const struct vm_report *rs_ptx_report(const struct executor *x)
{
    return &((const struct rs_ptx *)x->self)->vm->report;
}
