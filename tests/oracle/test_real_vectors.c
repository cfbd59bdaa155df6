/* Real MXFP4 weights that nobody here made or packed, from the folder data of FRAGORACLE_VECTORS: every *.safetensors
 * there goes through the reader, the packing and the decode contract, and a GGUF copy of the same tensor must hold the
 * same values. Without the variable nothing is compared, and the program exits with 77. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/decode.h"
#include "oracle/io/file.h"
#include "oracle/io/safetensors.h"
#include "probes/identity.h"
#include "reference/mxfp4.h"

enum { SKIPPED = 77, GGUF_BLOCK = 17 };
static const char *vectors;

static void find(const char *pattern, glob_t *found)
{
    char path[4096];
    if (!vectors) {
        print_message("not run: FRAGORACLE_VECTORS names no folder of vectors\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/data/%s", vectors, pattern);
    assert_int_equal(glob(path, 0, NULL, found), 0);
    assert_true(found->gl_pathc > 0);
}

/* The only tensor of a file, by the stem of its first name that ends in _blocks. */
static void read_only_tensor(const char *path, struct safetensors *file, struct weights *w)
{
    struct error e;
    char stem[256] = "";
    assert_int_equal(safetensors_read(path, file, &e), STATUS_OK);
    for (size_t i = 0; i < file->count; i++) {
        const char *end = strstr(file->tensor[i].name, "_blocks");
        if (end && !stem[0])
            snprintf(stem, sizeof stem, "%.*s", (int)(end - file->tensor[i].name), file->tensor[i].name);
    }
    assert_int_equal(safetensors_weights(file, stem, w, &e), STATUS_OK);
}

static void decode_weights_of_real_files_conforms(void **state)
{
    glob_t found;
    struct machine model;
    (void)state;
    machine_model(&model);
    find("*.safetensors", &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct safetensors file;
        struct weights w;
        struct decode_result r;
        struct error e;
        read_only_tensor(found.gl_pathv[i], &file, &w);
        w.experts = 1;
        assert_int_equal(decode_weights(&model, &w, &r, &e), STATUS_OK);
        print_message("%s: %zu x %zu, %llu values\n", found.gl_pathv[i], w.N, w.K, (unsigned long long)r.values);
        assert_true(r.values >= w.N * w.K);
        assert_int_equal(r.differing, 0);
        safetensors_free(&file);
    }
    globfree(&found);
}

static void hopper_layout_of_real_files_comes_back(void **state)
{
    glob_t found;
    (void)state;
    find("*.safetensors", &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct safetensors file;
        struct weights w;
        struct hopper_layout l;
        struct error e;
        read_only_tensor(found.gl_pathv[i], &file, &w);
        assert_int_equal(hopper_layout_init(&l, w.experts, w.N, w.K, 64, 64, 8, &e), STATUS_OK);
        size_t blocks = w.experts * w.N * w.K / 2, scales = blocks / 16;
        uint8_t *values = malloc(hopper_layout_value_bytes(&l)), *packed = malloc(hopper_layout_scale_bytes(&l));
        uint8_t *back = malloc(blocks), *scales_back = malloc(scales);
        assert_true(values && packed && back && scales_back);
        hopper_layout_forward(&l, &w, values, packed);
        assert_int_equal(hopper_layout_inverse(&l, values, packed, back, scales_back, &e), STATUS_OK);
        assert_memory_equal(back, w.blocks, blocks);
        assert_memory_equal(scales_back, w.scales, scales);
        free(values);
        free(packed);
        free(back);
        free(scales_back);
        safetensors_free(&file);
    }
    globfree(&found);
}

/* GGUF stores a block as its scale and 16 bytes, byte j holding values j and j+16: another layout of the same values.
 */
static void mxfp4_decode_block_of_gguf_copy_equals_the_checkpoint(void **state)
{
    glob_t gguf, checkpoint;
    struct safetensors file;
    struct weights w;
    uint8_t *bytes;
    size_t size, compared = 0;
    (void)state;
    find("*.ggufmxfp4.bin", &gguf);
    find("gpt_oss*.safetensors", &checkpoint);
    read_only_tensor(checkpoint.gl_pathv[0], &file, &w);
    assert_int_equal(file_read(gguf.gl_pathv[0], 0, &bytes, &size, NULL), STATUS_OK);
    for (size_t block = 0; block < w.K / MXFP4_BLOCK && (block + 1) * GGUF_BLOCK <= size; block++) {
        const uint8_t *theirs = bytes + block * GGUF_BLOCK;
        struct bf16 ours[MXFP4_BLOCK];
        mxfp4_decode_block(w.blocks + block * MXFP4_BLOCK_BYTES, (struct e8m0){w.scales[block]}, ours);
        for (size_t j = 0; j < MXFP4_BLOCK; j++, compared++) {
            uint8_t byte = theirs[1 + j % 16];
            struct fp4 code = {j < 16 ? byte & 0xf : byte >> 4};
            struct bf16 value = mxfp4_decode(code, (struct e8m0){theirs[0]});
            /* Converters may strip the sign of zero, so zeros compare by value. */
            assert_true(bf16_decode(ours[j]) == bf16_decode(value));
        }
    }
    assert_int_equal(compared, w.K);
    free(bytes);
    safetensors_free(&file);
    globfree(&gguf);
    globfree(&checkpoint);
}

/* The historical case on real rows: wrong orders whose nearest-row scores look good, and which are wrong in every row.
 */
static void identity_run_on_real_weights_needs_exact_rows(void **state)
{
    static const char *const subjects[] = {"rs", "rs+F01", "rs+F02", "rs+F03", "rs+F04"};
    glob_t found;
    struct safetensors file;
    struct weights w;
    struct machine model;
    uint64_t nearest[5] = {0};
    (void)state;
    machine_model(&model);
    find("kimi*.safetensors", &found);
    read_only_tensor(found.gl_pathv[0], &file, &w);
    struct identity_options o = {.P = 32, .historical = 1, .pass = -1};
    w.experts = 1;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        struct subject subject;
        struct executor executor;
        struct identity_result r;
        struct error e;
        assert_int_equal(subject_parse(subjects[i], &subject, &e), STATUS_OK);
        assert_int_equal(model.subject(&subject, &executor, &e), STATUS_OK);
        assert_int_equal(identity_run(&executor, &w, &o, &r, &e), STATUS_OK);
        print_message("%s: %llu of 32 rows nearest to themselves, %llu exact\n", subjects[i],
                      (unsigned long long)r.total.row_identity.hits, (unsigned long long)r.total.row_exact.hits);
        assert_int_equal(identity_conforms(&r), i == 0);
        assert_int_equal(r.total.row_exact.hits, i == 0 ? 32 : 0);
        nearest[i] = r.total.row_identity.hits;
        identity_result_free(&r);
        executor.release(executor.self);
    }
    /* F04 has one slot more right than F01 and is as wrong in every row; its score is nearly perfect. */
    assert_true(nearest[4] > nearest[1] && nearest[4] >= 28);
    safetensors_free(&file);
    globfree(&found);
}

int main(void)
{
    vectors = getenv("FRAGORACLE_VECTORS");
    if (vectors && !*vectors)
        vectors = NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_weights_of_real_files_conforms),
        cmocka_unit_test(hopper_layout_of_real_files_comes_back),
        cmocka_unit_test(mxfp4_decode_block_of_gguf_copy_equals_the_checkpoint),
        cmocka_unit_test(identity_run_on_real_weights_needs_exact_rows),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed ? failed : vectors ? 0 : SKIPPED;
}
