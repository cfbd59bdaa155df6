/* vectors: the packed layouts byte for byte against arrays that an independent implementation made.
 *
 * The folder golden of FRAGORACLE_VECTORS holds files s<seed>_E<experts>_N<rows>_K<columns>.<array>.npy. Without it
 * nothing is compared: every test says so and the program exits with SKIPPED, never with success. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/io/npy.h"
#include "reference/hopper_layout.h"

enum { SKIPPED = 77, STEMS = 256 };

struct stem {
    char name[96];
    size_t experts, N, K;
};

static const char *folder; /* NULL when the variable is unset or empty */
static struct stem stems[STEMS];
static size_t stem_count;

/* The part of a file name before the array's name, if it is one of ours. */
static bool stem_parse(const char *file, struct stem *out)
{
    unsigned seed;
    int end = 0;
    if (sscanf(file, "s%u_E%zu_N%zu_K%zu%n", &seed, &out->experts, &out->N, &out->K, &end) != 4 || file[end] != '.' ||
        !strstr(file + end, ".npy"))
        return false;
    return snprintf(out->name, sizeof out->name, "%.*s", end, file) < (int)sizeof out->name;
}

static int stem_order(const void *a, const void *b)
{
    return strcmp(((const struct stem *)a)->name, ((const struct stem *)b)->name);
}

/* Every stem counts that any file carries, so that a set with a missing file fails instead of vanishing. */
static int find_stems(void **state)
{
    (void)state;
    if (!folder)
        return 0;
    DIR *dir = opendir(folder);
    if (!dir) {
        print_error("FRAGORACLE_VECTORS: the folder cannot be read\n");
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stem s;
        if (!stem_parse(entry->d_name, &s))
            continue;
        size_t i = 0;
        while (i < stem_count && strcmp(stems[i].name, s.name) != 0)
            i++;
        if (i == STEMS) {
            print_error("FRAGORACLE_VECTORS: more than %d sets of vectors\n", STEMS);
            closedir(dir);
            return -1;
        }
        stems[i] = s;
        stem_count += i == stem_count;
    }
    closedir(dir);
    qsort(stems, stem_count, sizeof *stems, stem_order);
    return 0;
}

/* Read one array, which must be bytes and as large as expected. */
static uint8_t *load(const struct stem *s, const char *array, size_t bytes)
{
    char path[4096];
    struct npy a;
    struct error e;
    char line[1024];
    snprintf(path, sizeof path, "%s/%s.%s.npy", folder, s->name, array);
    if (npy_read(path, &a, &e) != STATUS_OK)
        fail_msg("%s", error_line(&e, line, sizeof line));
    size_t count = 1;
    for (int i = 0; i < a.rank; i++)
        count *= a.shape[i];
    if (a.type != NPY_U1 || count != bytes)
        fail_msg("%s: %zu elements where %zu bytes were expected", path, count, bytes);
    return a.data;
}

/* One packed form of one set: forward gives the vectors, inverse gives the checkpoint. */
static void check_form(const struct stem *s, const char *values, size_t pad_rows, size_t pad_bytes, const char *scales,
                       int warps)
{
    struct hopper_layout l;
    struct error e;
    if (hopper_layout_init(&l, s->experts, s->N, s->K, pad_rows, pad_bytes, warps, &e) != STATUS_OK)
        fail_msg("%s: %s", s->name, e.why);
    size_t nv = hopper_layout_value_bytes(&l), ns = hopper_layout_scale_bytes(&l);
    size_t raw_v = s->experts * s->N * s->K / 2, raw_s = s->experts * s->N * s->K / 32;
    uint8_t *blocks = load(s, "raw_values", raw_v), *block_scales = load(s, "raw_scales", raw_s);
    uint8_t *want_v = load(s, values, nv), *want_s = load(s, scales, ns);
    uint8_t *v = malloc(nv), *sc = malloc(ns), *blocks_back = malloc(raw_v), *scales_back = malloc(raw_s);
    assert_true(v && sc && blocks_back && scales_back);

    hopper_layout_forward(&l, &(struct weights){s->experts, s->N, s->K, blocks, block_scales}, v, sc);
    assert_memory_equal(v, want_v, nv);
    assert_memory_equal(sc, want_s, ns);
    assert_int_equal(hopper_layout_inverse(&l, want_v, want_s, blocks_back, scales_back, &e), STATUS_OK);
    assert_memory_equal(blocks_back, blocks, raw_v);
    assert_memory_equal(scales_back, block_scales, raw_s);

    uint8_t *all[] = {blocks, block_scales, want_v, want_s, v, sc, blocks_back, scales_back};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void check_all(const char *values, size_t pad_rows, size_t pad_bytes, const char *scales, int warps)
{
    if (!folder) {
        print_message("not run: FRAGORACLE_VECTORS names no folder of vectors\n");
        skip();
    }
    assert_true(stem_count > 0);
    for (size_t i = 0; i < stem_count; i++)
        check_form(&stems[i], values, pad_rows, pad_bytes, scales, warps);
    print_message("%zu sets: %s and %s, forward and inverse, %zu comparisons\n", stem_count, values, scales,
                  4 * stem_count);
}

static void hopper_layout_forward_padded_to_64_and_4_warps_matches_vectors(void **state)
{
    (void)state;
    check_all("val", 64, 64, "scale_w4", 4);
}

static void hopper_layout_forward_padded_to_16_and_8_warps_matches_vectors(void **state)
{
    (void)state;
    check_all("val_min", 16, 32, "scale_w8", 8);
}

int main(void)
{
    static char golden[4096];
    const char *vectors = getenv("FRAGORACLE_VECTORS");
    if (vectors && *vectors) {
        snprintf(golden, sizeof golden, "%s/golden", vectors);
        folder = golden;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hopper_layout_forward_padded_to_64_and_4_warps_matches_vectors),
        cmocka_unit_test(hopper_layout_forward_padded_to_16_and_8_warps_matches_vectors),
    };
    int failed = cmocka_run_group_tests(tests, find_stems, NULL);
    return failed ? failed : folder ? 0 : SKIPPED;
}
