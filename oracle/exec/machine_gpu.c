/* machine_gpu: the debug kernels and the subjects on a Hopper GPU. The one home of the CUDA runtime.
 *
 * Every call copies in, launches, synchronises, checks, and copies out. Speed is not the point here. */
#include <cuda_runtime_api.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/capture.h"
#include "kernels/rs_gemm.h"
#include "oracle/exec/machine.h"
#include "oracle/io/file.h"

static enum status gpu_check(int code, const char *doing, struct error *e)
{
    if (code == cudaSuccess)
        return STATUS_OK;
    return error_set(e, STATUS_DEVICE, "%s: %s (%s)", doing, cudaGetErrorString((cudaError_t)code),
                     cudaGetErrorName((cudaError_t)code));
}

/* One array of a call: its device copy, and where it comes from or goes to. A step that follows a failure does nothing.
 */
struct buffer {
    void *device;
    size_t bytes;
};

static enum status buffer_make(struct buffer *b, const void *host, size_t bytes, struct error *e)
{
    b->bytes = bytes;
    enum status s = gpu_check(cudaMalloc(&b->device, bytes ? bytes : 16), "cudaMalloc", e);
    if (s == STATUS_OK && host && bytes)
        s = gpu_check(cudaMemcpy(b->device, host, bytes, cudaMemcpyHostToDevice), "copy to the GPU", e);
    return s;
}

static enum status buffer_read(const struct buffer *b, void *host, struct error *e)
{
    return gpu_check(cudaMemcpy(host, b->device, b->bytes, cudaMemcpyDeviceToHost), "copy from the GPU", e);
}

static enum status gpu_finish(int launched, const char *kernel, struct error *e)
{
    enum status s = gpu_check(launched, kernel, e);
    return s == STATUS_OK ? gpu_check(cudaDeviceSynchronize(), kernel, e) : s;
}

enum { IN_MOST = 3 };

/* The shape that all debug kernels share: up to three arrays in, one out. launch gets the device pointers. */
struct call {
    const void *in[IN_MOST];
    size_t in_bytes[IN_MOST];
    void *out;
    size_t out_bytes;
    size_t count;
    int (*launch)(size_t count, void *const in[IN_MOST], void *out);
    const char *kernel;
};

static enum status gpu_call(const struct call *c, struct error *e)
{
    struct buffer in[IN_MOST] = {{0}}, out = {0};
    enum status s = STATUS_OK;
    for (int i = 0; s == STATUS_OK && i < IN_MOST; i++)
        if (c->in[i])
            s = buffer_make(&in[i], c->in[i], c->in_bytes[i], e);
    if (s == STATUS_OK)
        s = buffer_make(&out, NULL, c->out_bytes, e);
    /* All ones: a NaN or an impossible code wherever the kernel fails to write. */
    if (s == STATUS_OK)
        s = gpu_check(cudaMemset(out.device, 0xff, c->out_bytes), "cudaMemset", e);
    if (s == STATUS_OK) {
        void *const device[IN_MOST] = {in[0].device, in[1].device, in[2].device};
        s = gpu_finish(c->launch(c->count, device, out.device), c->kernel, e);
    }
    if (s == STATUS_OK)
        s = buffer_read(&out, c->out, e);
    for (int i = 0; i < IN_MOST; i++)
        cudaFree(in[i].device);
    cudaFree(out.device);
    return s;
}

static int launch_plain(size_t count, void *const in[IN_MOST], void *out)
{
    (void)count;
    return capture_loader_plain(in[0], out, NULL);
}

static int launch_ldmatrix(size_t count, void *const in[IN_MOST], void *out)
{
    (void)count;
    return capture_loader_ldmatrix(in[0], out, NULL);
}

static int launch_ss(size_t count, void *const in[IN_MOST], void *out)
{
    return capture_product_ss(count, in[0], in[1], out, NULL);
}

static int launch_rs(size_t count, void *const in[IN_MOST], void *out)
{
    return capture_product_rs(count, in[0], in[1], out, NULL);
}

static int launch_arithmetic(size_t count, void *const in[IN_MOST], void *out)
{
    return capture_arithmetic(count, in[0], in[1], in[2], out, NULL);
}

static int launch_decode(size_t count, void *const in[IN_MOST], void *out)
{
    return rs_decode_launch(in[0], in[1], in[2], count, out, NULL);
}

static enum status gpu_loader(bool ldmatrix, const uint16_t *matrix, uint32_t *registers, struct error *e)
{
    struct call c = {{matrix},
                     {CAPTURE_M * CAPTURE_K * 2},
                     registers,
                     CAPTURE_THREADS * CAPTURE_A_REGISTERS * 4,
                     1,
                     ldmatrix ? launch_ldmatrix : launch_plain,
                     ldmatrix ? "loader_ldmatrix_kernel" : "loader_plain_kernel"};
    return gpu_call(&c, e);
}

static enum status gpu_product_ss(size_t tiles, const uint16_t *a, const uint16_t *b, float *d, struct error *e)
{
    struct call c = {{a, b},
                     {tiles * CAPTURE_M * CAPTURE_K * 2, tiles * CAPTURE_N * CAPTURE_K * 2},
                     d,
                     tiles * CAPTURE_THREADS * CAPTURE_D_REGISTERS * 4,
                     tiles,
                     launch_ss,
                     "product_ss_kernel"};
    return gpu_call(&c, e);
}

static enum status gpu_product_rs(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, struct error *e)
{
    struct call c = {{a, b},
                     {tiles * CAPTURE_THREADS * CAPTURE_A_REGISTERS * 4, CAPTURE_N * CAPTURE_K * 2},
                     d,
                     tiles * CAPTURE_THREADS * CAPTURE_D_REGISTERS * 4,
                     tiles,
                     launch_rs,
                     "product_rs_kernel"};
    return gpu_call(&c, e);
}

static enum status gpu_arithmetic(size_t tiles, const uint16_t *a, const uint16_t *b, const uint32_t *c, uint32_t *d,
                                  struct error *e)
{
    size_t outputs = tiles * CAPTURE_M * CAPTURE_SMALL_N;
    struct call call = {{a, b, c},
                        {tiles * CAPTURE_M * CAPTURE_K * 2, tiles * CAPTURE_SMALL_N * CAPTURE_K * 2, outputs * 4},
                        d,
                        outputs * 4,
                        tiles,
                        launch_arithmetic,
                        "arithmetic_kernel"};
    return gpu_call(&call, e);
}

/* The operation of capture_arithmetic, without options: the one that has a kernel for a tile of the user's. */
static enum status gpu_tile(const struct tile_op *op, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                            const struct tile_options *o, uint32_t *d, struct error *e)
{
    static const char only[] = "wgmma.m64n8k16.f32.bf16.bf16.rs";
    uint16_t a_bits[CAPTURE_M * CAPTURE_K], b_bits[CAPTURE_SMALL_N * CAPTURE_K];
    uint32_t zero[CAPTURE_M * CAPTURE_SMALL_N] = {0};
    if (strcmp(op->name, only) != 0 || o->without_c || o->negate_a || o->negate_b || o->transpose_b || o->saturate)
        return error_set(e, STATUS_UNSUPPORTED, "on the GPU only %s runs, without options; use --on model", only);
    for (size_t i = 0; i < sizeof a_bits / sizeof *a_bits; i++)
        a_bits[i] = (uint16_t)a[i];
    for (size_t i = 0; i < sizeof b_bits / sizeof *b_bits; i++)
        b_bits[i] = (uint16_t)b[i];
    return gpu_arithmetic(1, a_bits, b_bits, c ? c : zero, d, e);
}

static enum status gpu_decode(size_t n, const uint32_t *words, const uint32_t *scales, const uint32_t *steps,
                              uint32_t *registers, struct error *e)
{
    struct call c = {{words, scales, steps}, {n * 4, n * 4, n * 4}, registers, n * 16, n,
                     launch_decode,          "rs_decode_kernel"};
    return gpu_call(&c, e);
}

struct gpu_subject {
    struct subject subject;
    size_t experts, N, K;
    struct buffer values, scales;
};

static void gpu_subject_drop(struct gpu_subject *g)
{
    cudaFree(g->values.device);
    cudaFree(g->scales.device);
    memset(&g->values, 0, sizeof g->values);
    memset(&g->scales, 0, sizeof g->scales);
}

static enum status gpu_load(void *self, const struct weights *w, struct error *e)
{
    struct gpu_subject *g = self;
    struct packed_weights p;
    enum status s = planted_weights_make(w, &g->subject.data, &p, e);
    if (s != STATUS_OK)
        return s;
    gpu_subject_drop(g);
    s = buffer_make(&g->values, p.values, p.value_bytes, e);
    if (s == STATUS_OK)
        s = buffer_make(&g->scales, p.scales, p.scale_bytes, e);
    g->experts = p.experts, g->N = p.N, g->K = p.K;
    packed_weights_free(&p);
    return s;
}

/* Launch with everything in place and read back what happened. */
static enum status gpu_launch(const struct gpu_subject *g, struct rs_args *args, struct run_report *report,
                              struct error *e)
{
    struct rs_counters counters = {0};
    struct buffer counted = {0}, status = {0};
    uint32_t status_poison = 0xffffffffu;
    enum status s = buffer_make(&counted, &counters, sizeof counters, e);
    if (s == STATUS_OK)
        s = buffer_make(&status, &status_poison, sizeof status_poison, e);
    if (s == STATUS_OK) {
        args->counters = counted.device;
        args->status = status.device;
        s = gpu_finish(g->subject.planted ? rs_gemm_planted_launch(args, &g->subject.fault, NULL)
                                          : rs_gemm_launch(args, NULL),
                       report->kernel, e);
    }
    if (s == STATUS_OK)
        s = buffer_read(&counted, &counters, e);
    if (s == STATUS_OK)
        s = buffer_read(&status, &report->status_word, e);
    report->tiles = counters.tiles;
    report->wgmma = counters.wgmma;
    report->a_checksum = counters.a_checksum;
    cudaFree(counted.device);
    cudaFree(status.device);
    return s;
}

static enum status gpu_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                           struct bf16 *out, struct run_report *report, struct error *e)
{
    struct gpu_subject *g = self;
    if (!g->values.device)
        return error_set(e, STATUS_BAD_ARGUMENT, "run before load");
    if (s->experts != g->experts)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts asked of weights with %zu", s->experts, g->experts);
    struct rs_args args = {
        .shape = {(uint32_t)s->rows, (uint32_t)g->N, (uint32_t)g->K, (uint32_t)s->experts, (uint32_t)s->active}};
    struct run_report r = machine_report(&g->subject, &args.shape, s->starts, s->ids);
    struct buffer bx = {0}, bstarts = {0}, bids = {0}, bout = {0};
    struct planted_segments given;
    enum status status = planted_segments_make(s, &g->subject.launch, &given, e);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < s->rows * g->N; i++)
        out[i] = poison;
    args.shape.active = (uint32_t)given.s.active;
    status = buffer_make(&bx, x, s->rows * g->K * sizeof *x, e);
    if (status == STATUS_OK)
        status = buffer_make(&bstarts, given.starts, (given.s.active + 1) * sizeof *given.starts, e);
    if (status == STATUS_OK)
        status = buffer_make(&bids, given.ids, given.s.active * sizeof *given.ids, e);
    if (status == STATUS_OK)
        status = buffer_make(&bout, out, s->rows * g->N * sizeof *out, e);
    if (status == STATUS_OK) {
        args.x = bx.device, args.values = g->values.device, args.scales = g->scales.device;
        args.starts = bstarts.device, args.ids = bids.device, args.out = bout.device;
        status = gpu_launch(g, &args, &r, e);
    }
    if (status == STATUS_OK)
        status = buffer_read(&bout, out, e);
    if (status == STATUS_OK)
        status = planted_rows_restore(s, &g->subject.launch, g->N, out, e);
    if (status == STATUS_OK)
        *report = r;
    planted_segments_free(&given);
    cudaFree(bx.device);
    cudaFree(bstarts.device);
    cudaFree(bids.device);
    cudaFree(bout.device);
    return status;
}

static void gpu_release(void *self)
{
    gpu_subject_drop(self);
    free(self);
}

static enum status gpu_subject(const struct subject *subject, struct executor *out, struct error *e)
{
    struct gpu_subject *g = calloc(1, sizeof *g);
    if (!g)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an executor");
    g->subject = *subject;
    *out = (struct executor){.name = "gpu",
                             .subject = g->subject.name,
                             .fidelity = FIDELITY_HARDWARE,
                             .self = g,
                             .load = gpu_load,
                             .run = gpu_run,
                             .release = gpu_release,
                             .limits = {.multiple_N = 16, .multiple_K = 64}};
    return STATUS_OK;
}

/* Hash of the section .nv_fatbin of this program: all GPU code that it can run. Left empty when it cannot be read. */
static void code_hash(char hash[65])
{
    uint8_t *file = NULL;
    size_t size = 0;
    hash[0] = '\0';
    if (file_read("/proc/self/exe", 0, &file, &size, NULL) != STATUS_OK || size < sizeof(Elf64_Ehdr))
        goto done;
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file;
    if (elf->e_shoff > size || (size - elf->e_shoff) / sizeof(Elf64_Shdr) < elf->e_shnum ||
        elf->e_shstrndx >= elf->e_shnum)
        goto done;
    const Elf64_Shdr *section = (const Elf64_Shdr *)(file + elf->e_shoff), *names = section + elf->e_shstrndx;
    for (int i = 0; i < elf->e_shnum; i++) {
        uint64_t name = names->sh_offset + section[i].sh_name;
        if (name + 11 < size && strcmp((const char *)file + name, ".nv_fatbin") == 0 && section[i].sh_offset <= size &&
            section[i].sh_size <= size - section[i].sh_offset)
            file_sha256(file + section[i].sh_offset, section[i].sh_size, hash);
    }
done:
    free(file);
}

enum status machine_gpu(struct machine *out, struct error *e)
{
    int count = 0, driver = 0, runtime = 0;
    struct cudaDeviceProp properties;
    int code = cudaGetDeviceCount(&count);
    if (code != cudaSuccess || count == 0)
        return error_set(e, STATUS_NO_DEVICE, "no GPU: %s; use --on model", cudaGetErrorString((cudaError_t)code));
    code = cudaGetDeviceProperties(&properties, 0);
    if (code != cudaSuccess)
        return error_set(e, STATUS_NO_DEVICE, "no GPU: %s; use --on model", cudaGetErrorString((cudaError_t)code));
    if (properties.major != 9 || properties.minor != 0)
        return error_set(e, STATUS_NO_DEVICE, "%s has compute capability %d.%d; wgmma needs 9.0; use --on model",
                         properties.name, properties.major, properties.minor);
    struct machine m = {.name = "gpu",
                        .fidelity = FIDELITY_HARDWARE,
                        .loader = gpu_loader,
                        .product_ss = gpu_product_ss,
                        .product_rs = gpu_product_rs,
                        .arithmetic = gpu_arithmetic,
                        .decode = gpu_decode,
                        .tile = gpu_tile,
                        .subject = gpu_subject};
    snprintf(m.device, sizeof m.device, "%s", properties.name);
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    snprintf(m.cuda, sizeof m.cuda, "runtime %d.%d, driver API %d.%d", runtime / 1000, runtime % 1000 / 10,
             driver / 1000, driver % 1000 / 10);
    FILE *version = fopen("/proc/driver/nvidia/version", "r");
    if (version) {
        /* "NVRM version: NVIDIA UNIX ... Kernel Module  580.159.04  Release Build": the first word with two dots */
        char word[MACHINE_TEXT];
        while (m.driver[0] == '\0' && fscanf(version, "%127s", word) == 1)
            if (word[0] >= '0' && word[0] <= '9' && strchr(word, '.'))
                snprintf(m.driver, sizeof m.driver, "%s", word);
        fclose(version);
    }
    code_hash(m.code);
    *out = m;
    return STATUS_OK;
}
