/* corpus FOLDER: writes the small files from which the fuzz tests start, one for each shape of input that the readers
 * know. They are made, not kept: the writers are tested elsewhere, and a change of format cannot leave stale ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/answer/contract.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "oracle/io/safetensors.h"
#include "oracle/io/tap_image.h"
#include "reference/fragment.h"
#include "tests/fuzz/folder.h"

static const uint8_t data[1024]; /* what the readers carry, not what they read */

static enum status make_npy(const char *folder, struct error *e)
{
    static const struct {
        const char *name;
        enum npy_type type;
        int rank;
        size_t shape[NPY_RANK];
    } array[] = {{"scalar.npy", NPY_F4, 0, {0}},
                 {"vector.npy", NPY_U1, 1, {7}},
                 {"matrix.npy", NPY_U2, 2, {3, 5}},
                 {"empty.npy", NPY_U8, 3, {2, 0, 4}},
                 {"deep.npy", NPY_I4, 6, {1, 2, 1, 3, 1, 2}}};
    char path[4096];
    enum status s = STATUS_OK;
    for (size_t i = 0; !s && i < sizeof array / sizeof *array; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, array[i].name);
        s = npy_write(path, array[i].type, array[i].rank, array[i].shape, data, e);
    }
    if (s)
        return s;
    /* What other writers do: version 2.0, double quotes, another order of the keys, no comma at the end. */
    static const char second[] = "\x93NUMPY\x02\x00\x38\x00\x00\x00"
                                 "{\"shape\": (2,), \"descr\": \"<f4\", \"fortran_order\": False}\n"
                                 "\0\0\0\0\0\0\0";
    snprintf(path, sizeof path, "%s/second.npy", folder);
    return file_write(path, second, sizeof second, e);
}

static enum status make_safetensors(const char *folder, struct error *e)
{
    static const char *const metadata[] = {"origin", "made for a test", "quote \" and \\", "\xc3\xa9", NULL};
    static const struct safetensors_entry weights[] = {{"m.up_blocks", "U8", 4, {1, 2, 3, 16}, data},
                                                       {"m.up_scales", "U8", 3, {1, 2, 3}, data},
                                                       {"m.up_bias", "BF16", 2, {1, 2}, data},
                                                       {"m.down_blocks", "U8", 4, {1, 1, 1, 16}, data},
                                                       {"m.down_scales", "U8", 3, {1, 1, 1}, data}};
    static const struct safetensors_entry original[] = {
        {"block.0.mlp.mlp1_weight.blocks", "U8", 4, {1, 1, 1, 16}, data},
        {"block.0.mlp.mlp1_weight.scales", "U8", 3, {1, 1, 1}, data}};
    static const struct safetensors_entry odd[] = {
        {"scalar", "F32", 0, {0}, data},   {"empty", "I64", 2, {0, 3}, data},
        {"half", "F4", 1, {6}, data},      {"six bits", "F6_E2M3", 1, {4}, data},
        {"wide", "BF16", 2, {2, 2}, data}, {"\xc3\xa9\"\\", "C64", 1, {1}, data}};
    static const struct {
        const char *name;
        const struct safetensors_entry *entry;
        size_t count;
        const char *const *metadata;
    } file[] = {{"weights.safetensors", weights, sizeof weights / sizeof *weights, metadata},
                {"original.safetensors", original, sizeof original / sizeof *original, NULL},
                {"odd.safetensors", odd, sizeof odd / sizeof *odd, metadata},
                {"none.safetensors", NULL, 0, NULL}};
    char path[4096];
    enum status s = STATUS_OK;
    for (size_t i = 0; !s && i < sizeof file / sizeof *file; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, file[i].name);
        s = safetensors_write(path, file[i].entry, file[i].count, file[i].metadata, e);
    }
    return s;
}

/* A measured contract, and one whose loader exchanges two slots and so is no affine map. */
static enum status make_contracts(const char *folder, struct error *e)
{
    char path[4096];
    struct contract measured, table = {.op = "wgmma.m64n8k16.f32.bf16.bf16.rs", .operand = "D"};
    uint32_t code[64 * 8];
    struct wgmma_op op;
    struct layout *spec = &table.map[CONTRACT_SPEC], *loader = &table.map[CONTRACT_LOADER];
    snprintf(path, sizeof path, "%s/contracts/wgmma.m64n64k16.f32.bf16.bf16.rs.A.json", artifacts_folder());
    enum status s = contract_read(path, &measured, e);
    if (s != STATUS_OK)
        return s;
    json_t *document = contract_json(&measured);
    snprintf(path, sizeof path, "%s/measured.contract", folder);
    s = json_write(path, document, e);
    json_decref(document);
    if (s == STATUS_OK)
        s = wgmma_parse(table.op, &op, e);
    if (s == STATUS_OK)
        s = fragment_map(&op, FRAGMENT_D, spec, e);
    for (uint32_t i = 0; s == STATUS_OK && i < 64 * 8; i++) {
        struct point slot = box_point(&spec->domain, i < 2 ? 1 - i : i), element = layout_apply(spec, &slot);
        code[i] = box_code(&spec->codomain, &element);
    }
    if (s == STATUS_OK)
        s = layout_from_table(&spec->domain, &spec->codomain, code, loader, e);
    table.present[CONTRACT_SPEC] = table.present[CONTRACT_LOADER] = true;
    table.provenance = json_incref(measured.provenance);
    document = s == STATUS_OK ? contract_json(&table) : NULL;
    snprintf(path, sizeof path, "%s/table.contract", folder);
    if (s == STATUS_OK)
        s = json_write(path, document, e);
    json_decref(document);
    contract_free(&measured);
    contract_free(&table);
    return s;
}

/* A window of one warpgroup and two times that keeps the first or the last; streams of two kinds that share a counter.
 */
static enum status make_images(const char *folder, struct error *e)
{
    enum { STREAMS = 3, COUNTERS = 128 * 4, TIMES = 2, WORDS = 2 };
    static _Alignas(8) uint8_t image[sizeof(struct fo_capture_head) + STREAMS * sizeof(struct fo_capture_stream) +
                                     COUNTERS + 2 * TIMES * COUNTERS * WORDS];
    struct fo_capture_head h = {
        FO_CAPTURE_MAGIC, FO_CAPTURE_VERSION, STREAMS, 0, 1, 0, 1, 1, TIMES, 0, sizeof image, 0, 0, {0, 0}};
    uint64_t counters = sizeof h + STREAMS * sizeof(struct fo_capture_stream), words = counters + COUNTERS;
    enum status s = STATUS_OK;
    memset(image + counters, 2, COUNTERS);
    for (uint32_t keep_last = 0; s == STATUS_OK && keep_last < 2; keep_last++) {
        h.keep_last = keep_last;
        memcpy(image, &h, sizeof h);
        for (uint32_t i = 0; i < STREAMS - 1; i++) {
            struct fo_capture_stream stream = {.op = "wgmma.m64n8k16.f32.bf16.bf16.rs",
                                               .operand = "A",
                                               .source = "kernel.cu:1",
                                               .kind = i ? FO_KIND_SCALE_D : FO_KIND_A,
                                               .site = 1 - i,
                                               .words = WORDS - i,
                                               .counters = counters,
                                               .data = words + i * TIMES * COUNTERS * WORDS};
            memcpy(image + sizeof h + i * sizeof stream, &stream, sizeof stream);
        }
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.image", folder, keep_last ? "last" : "first");
        s = file_write(path, image, sizeof image, e);
    }
    return s;
}

/* The JSON file of a sound folder, alone and with its second file after a NUL. */
static enum status make_folder(const char *corpus, const struct folder *f, const char *format, struct error *e)
{
    char path[4096];
    uint8_t *json = NULL, *second = NULL, *both = NULL;
    size_t size, more;
    snprintf(path, sizeof path, "%s/%s", corpus, format);
    enum status s = file_make_folder(path, e);
    if (s == STATUS_OK)
        s = f->make(path, e);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, format, f->json);
    if (s == STATUS_OK)
        s = file_read(path, 0, &json, &size, e);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, format, f->second);
    if (s == STATUS_OK)
        s = file_read(path, 0, &second, &more, e);
    snprintf(path, sizeof path, "%s/one.%s", corpus, format);
    if (s == STATUS_OK)
        s = file_write(path, json, size, e);
    if (s == STATUS_OK && !(both = malloc(size + 1 + more)))
        s = error_set(e, STATUS_NO_MEMORY, "no memory");
    if (s == STATUS_OK) {
        memcpy(both, json, size);
        both[size] = 0;
        memcpy(both + size + 1, second, more);
        snprintf(path, sizeof path, "%s/both.%s", corpus, format);
        s = file_write(path, both, size + 1 + more, e);
    }
    free(json);
    free(second);
    free(both);
    return s;
}

/* The folder of one probe, called that of another. */
static enum status make_renamed(const char *folder, struct error *e)
{
    static const char was[] = "\"identity\"", is[] = "\"coded\"   ";
    char path[4096], *text = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/one.emit", folder);
    enum status s = file_read(path, 0, (uint8_t **)&text, &size, e);
    char *at = s == STATUS_OK ? memmem(text, size, was, sizeof was - 1) : NULL;
    if (s == STATUS_OK && !at)
        s = error_set(e, STATUS_BAD_INPUT, "names no probe");
    if (s == STATUS_OK) {
        memcpy(at, is, sizeof is - 1);
        snprintf(path, sizeof path, "%s/coded.emit", folder);
        s = file_write(path, text, size, e);
    }
    free(text);
    return s;
}

#define PTX_HEAD ".version 8.4\n.target sm_90a\n.address_size 64\n"
#define PTX_MMA  "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "

/* As nvcc, as Triton and as a pipelined loop write it. */
static enum status make_ptx(const char *folder, struct error *e)
{
    static const struct {
        const char *name, *text;
    } file[] = {{"nvcc", PTX_HEAD
                 ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 k_0)\n.maxntid 128, 1, 1\n{\n"
                 ".reg .pred %p<3>; .reg .b32 %r<20>; .reg .f32 %f<20>; .reg .b64 %rd<9>;\n.loc 1 3 4\n"
                 "ld.param.u64 %rd1, [k_0]; mov.u32 %r9, %tid.x; mov.f32 %f9, 0f00000000;\n"
                 "mov.f32 %f1, %f9; mov.f32 %f2, %f9;\n// begin inline asm\nwgmma.fence.sync.aligned;\n"
                 "mov.b64 %rd2, {%r9, %r8};\n{\n.reg .pred p;\nsetp.ne.b32 p, %r9, 0;\n" PTX_MMA
                 "{%f1, %f2, %f3, %f4}, {%r1, %r2, %r3, %r4}, %rd2, p, 1, 1, 1;\n}\n"
                 "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n"
                 "{ LAB: @%p1 bra LAB; }\nst.global.v4.f32 [%rd1+16], {%f1, %f2, %f3, %f4};\nret;\n}\n"
                 ".file 1 \"a.cu\"\n"},
                {"triton", PTX_HEAD
                 ".entry t() {\n.reg .pred %p<3>; .reg .b32 %r<40>; .reg .b64 %rd<9>;\n"
                 "wgmma.fence.sync.aligned;\nor.b64 %rd3, %rd2, 77; mov.pred %p1, -1; mov.b32 %r12, %r22;\n" PTX_MMA
                 "{%r1,%r2,%r3,%r4}, {%r11,%r12,%r13,%r14}, %rd3, %p1, 1, 1, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%r1,%r2,%r3,%r4}, %rd3, %rd2, 0, 1, 1;\n"
                 "wgmma.commit_group.sync.aligned;\nmov.b32 %r31, %r1;\nwgmma.wait_group.sync.aligned 0;\n"
                 "st.global.b32 [%rd1], %r31;\nret;\n}\n"},
                {"loop", PTX_HEAD
                 ".func (.reg .b32 %o) f(.reg .b32 %i) { .reg .pred %p<3>; .reg .b32 %r<20>; .reg .b64 %rd<3>;\n"
                 "T: .branchtargets L, E;\nbrx.idx %i, T;\nL:\nwgmma.fence.sync.aligned;\n"
                 "wgmma.mma_async.sync.aligned.m64n8k16.f16.f16.f16 {%r1,%r2}, %rd1, %rd2, %p1, 1, 1, 0, 1;\n"
                 "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 1;\n@%p1 bra L;\nE:\n"
                 "wgmma.wait_group.sync.aligned 0;\nadd.u32 %o, %r1, %r2;\n@!%p2 exit;\nret;\n}\n"}};
    /* For two targets: one reads, one rewrites. */
    static const char *const formats[] = {"ptx", "tap"};
    char path[4096];
    enum status s = STATUS_OK;
    for (size_t i = 0; !s && i < 2 * sizeof file / sizeof *file; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", folder, file[i / 2].name, formats[i % 2]);
        s = file_write(path, file[i / 2].text, strlen(file[i / 2].text), e);
    }
    return s;
}

/* Kernels that run, each of other families of instructions, and one as anybody might write it. */
static enum status make_kernels(const char *folder, struct error *e)
{
    static const char *const kernels[] = {"fuzz/kernels/alu",  "fuzz/kernels/copies", "fuzz/kernels/memory",
                                          "fuzz/kernels/warp", "fuzz/kernels/tensor", "oracle/module_product"};
    char path[4096];
    enum status s = STATUS_OK;
    for (size_t i = 0; !s && i < sizeof kernels / sizeof *kernels; i++) {
        uint8_t *text;
        size_t size;
        snprintf(path, sizeof path, "%s/tests/%s.ptx", FO_SOURCE_DIR, kernels[i]);
        s = file_read(path, 0, &text, &size, e);
        if (s)
            break;
        snprintf(path, sizeof path, "%s/%s.vm", folder, strrchr(kernels[i], '/') + 1);
        s = file_write(path, text, size, e);
        free(text);
    }
    return s;
}

int main(int argc, char **argv)
{
    struct error e;
    char line[1100];
    if (argc != 2) {
        fprintf(stderr, "usage: corpus FOLDER\n");
        return 2;
    }
    if (file_make_folder(argv[1], &e) || make_npy(argv[1], &e) || make_safetensors(argv[1], &e) ||
        make_contracts(argv[1], &e) || make_images(argv[1], &e) || make_folder(argv[1], &folder_layout, "layout", &e) ||
        make_folder(argv[1], &folder_emit, "emit", &e) || make_renamed(argv[1], &e) ||
        make_folder(argv[1], &folder_capture, "capture", &e) || make_ptx(argv[1], &e) || make_kernels(argv[1], &e)) {
        fprintf(stderr, "%s\n", error_line(&e, line, sizeof line));
        return 2;
    }
    return 0;
}
