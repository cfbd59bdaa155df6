/* pack and unpack: the folder holds what hopper_layout computes, and every bit comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "oracle/io/safetensors.h"
#include "probes/weights.h"
#include "tests/support/scratch.h"

enum { SEED = 4 };

struct shape {
    size_t experts, N, K, pad_m, pad_k;
    int warps;
};

/* N of 1, one that no tile divides, K of one block and of an odd number of blocks, both numbers of warps. */
static const struct shape shapes[] = {
    {1, 1, 32, 0, 0, 0},      {3, 17, 96, 0, 0, 0},     {2, 16, 64, 64, 0, 8},
    {2, 100, 160, 48, 96, 4}, {1, 300, 2880, 0, 64, 8}, {5, 31, 128, 256, 32, 4},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* A checkpoint of every byte value, as FOLDER/w.safetensors with tensor "layer.w". */
static struct weights_set write_checkpoint(void **state, const struct shape *s, char path[SCRATCH_PATH])
{
    struct weights_set set;
    assert_int_equal(weights_make(WEIGHTS_RANDOM, s->experts, s->N, s->K, SEED, &set, NULL), STATUS_OK);
    for (size_t i = 0; i < s->experts * s->N * s->K / 32; i++)
        set.scales[i] = (uint8_t)(i * 37 + 1);
    const struct safetensors_entry entry[] = {
        {"layer.w_blocks", "U8", 4, {s->experts, s->N, s->K / 32, 16}, set.blocks},
        {"layer.w_scales", "U8", 3, {s->experts, s->N, s->K / 32}, set.scales}};
    scratch_path(state, "w.safetensors", path);
    assert_int_equal(safetensors_write(path, entry, 2, NULL, NULL), STATUS_OK);
    return set;
}

static void pack(const char *weights, const char *out, const struct shape *s)
{
    const struct fo_pack_options o = {weights, "layer.w", out, s->pad_m, s->pad_k, s->warps};
    struct fo_answer answer;
    struct fo_error error;
    if (fo_pack(&o, &answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer.verdict, FO_NOT_APPLICABLE);
    fo_answer_free(&answer);
}

static struct npy read_array(void **state, const char *name, const size_t shape[3])
{
    char path[SCRATCH_PATH];
    struct npy a;
    struct error e;
    if (npy_read(scratch_path(state, name, path), &a, &e) != STATUS_OK ||
        npy_expect(&a, path, NPY_U1, 3, shape, &e) != STATUS_OK)
        fail_msg("%s: %s", e.path, e.why);
    return a;
}

static void assert_integers(const json_t *document, const char *name, const char *member, const size_t want[3])
{
    const json_t *list = json_object_get(json_object_get(document, name), member);
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(json_integer_value(json_array_get(list, i)), want[i]);
}

static void pack_writes_what_hopper_layout_computes(void **state)
{
    char path[SCRATCH_PATH], json[SCRATCH_PATH];
    size_t checked = 0;
    for (; checked < SHAPES; checked++) {
        const struct shape *s = &shapes[checked];
        struct weights_set set = write_checkpoint(state, s, path);
        struct hopper_layout l;
        assert_int_equal(hopper_layout_init(&l, s->experts, s->N, s->K, s->pad_m ? s->pad_m : 16,
                                            s->pad_k ? s->pad_k : 32, s->warps ? s->warps : 4, NULL),
                         STATUS_OK);
        uint8_t *values = malloc(hopper_layout_value_bytes(&l)), *scales = malloc(hopper_layout_scale_bytes(&l));
        hopper_layout_forward(&l, &set.w, values, scales);
        pack(path, *state, s);

        const size_t value_shape[] = {s->experts, l.values.padded_rows / 4, 4 * l.values.padded_row_bytes};
        const size_t scale_shape[] = {s->experts, l.scales.padded_rows / 32, 32 * l.scales.padded_blocks};
        struct npy v = read_array(state, "values.npy", value_shape), c = read_array(state, "scales.npy", scale_shape);
        assert_memory_equal(v.data, values, npy_count(&v));
        assert_memory_equal(c.data, scales, npy_count(&c));

        json_t *document;
        assert_int_equal(json_read(scratch_path(state, "layout.json", json), "fragoracle.layout/1", &document, NULL),
                         STATUS_OK);
        assert_string_equal(json_string_value(json_object_get(document, "tensor")), "layer.w");
        assert_integers(document, "values", "shape", value_shape);
        assert_integers(document, "scales", "shape", scale_shape);
        assert_integers(document, "values", "strides",
                        (const size_t[]){value_shape[1] * value_shape[2], value_shape[2], 1});
        assert_integers(document, "scales", "strides",
                        (const size_t[]){scale_shape[1] * scale_shape[2], scale_shape[2], 1});
        json_decref(document);
        npy_free(&v);
        npy_free(&c);
        free(values);
        free(scales);
        weights_free(&set);
    }
    assert_int_equal(checked, SHAPES);
}

static void unpack_after_pack_gives_every_bit_back(void **state)
{
    char path[SCRATCH_PATH], back[SCRATCH_PATH];
    scratch_path(state, "back.safetensors", back);
    size_t checked = 0;
    for (; checked < SHAPES; checked++) {
        const struct shape *s = &shapes[checked];
        struct weights_set set = write_checkpoint(state, s, path);
        const struct fo_unpack_options o = {*state, back};
        struct fo_answer answer;
        struct fo_error error;
        pack(path, *state, s);
        if (fo_unpack(&o, &answer, &error) != 0)
            fail_msg("%s", error.line);
        fo_answer_free(&answer);

        struct safetensors file;
        struct weights w;
        assert_int_equal(safetensors_read(back, &file, NULL), STATUS_OK);
        assert_int_equal(file.count, 2);
        assert_int_equal(safetensors_weights(&file, "layer.w", &w, NULL), STATUS_OK);
        assert_int_equal(w.experts, s->experts);
        assert_int_equal(w.N, s->N);
        assert_int_equal(w.K, s->K);
        assert_memory_equal(w.blocks, set.blocks, s->experts * s->N * s->K / 2);
        assert_memory_equal(w.scales, set.scales, s->experts * s->N * s->K / 32);
        safetensors_free(&file);
        weights_free(&set);
    }
    assert_int_equal(checked, SHAPES);
}

static void assert_unpack_refuses(void **state, const char *why)
{
    char back[SCRATCH_PATH];
    const struct fo_unpack_options o = {*state, scratch_path(state, "back.safetensors", back)};
    struct fo_answer answer = {.json = (char *)"untouched"};
    struct fo_error error;
    if (fo_unpack(&o, &answer, &error) == 0)
        fail_msg("not refused: %s", why);
    assert_string_equal(answer.json, "untouched");
    if (!strstr(error.line, why))
        fail_msg("\"%s\" does not say \"%s\"", error.line, why);
    struct safetensors file;
    assert_int_equal(safetensors_read(back, &file, NULL), STATUS_IO);
}

/* Replace one member of layout.json (of an object in it when `in` is not NULL); value is stolen. */
static void change_layout(void **state, const char *in, const char *member, json_t *value)
{
    char path[SCRATCH_PATH];
    json_t *document;
    assert_int_equal(json_read(scratch_path(state, "layout.json", path), NULL, &document, NULL), STATUS_OK);
    json_t *object = in ? json_object_get(document, in) : document;
    assert_int_equal(value ? json_object_set_new(object, member, value) : json_object_del(object, member), 0);
    assert_int_equal(json_write(path, document, NULL), STATUS_OK);
    json_decref(document);
}

static void unpack_refuses_a_layout_that_does_not_hold(void **state)
{
    char path[SCRATCH_PATH];
    const struct shape *s = &shapes[3];
    struct weights_set set = write_checkpoint(state, s, path);
    const struct {
        const char *in, *member;
        json_t *value; /* NULL: removed */
        const char *why;
    } changes[] = {
        {NULL, "schema", json_string("fragoracle.layout/2"), "layout.json: schema is 'fragoracle.layout/2'"},
        {NULL, "tensor", NULL, "layout.json: Object item not found: tensor"},
        {NULL, "num_warps", json_string("4"), "layout.json: Expected integer"},
        {NULL, "num_warps", json_integer(8), "layout.json: scales: the shape is not the one"},
        {NULL, "num_warps", json_integer(5), "layout.json: "},
        {NULL, "pad_m", json_integer(64), "layout.json: values: the shape is not the one"},
        {NULL, "pad_m", json_integer(0), "layout.json: shape: extents and paddings are positive"},
        {NULL, "pad_k", json_integer(-32), "layout.json: shape: extents and paddings are positive"},
        {NULL, "pad_k", json_integer(33), "layout.json: "},
        {"shape", "N", json_integer(-1), "layout.json: shape: extents and paddings are positive"},
        {"shape", "K", json_integer(161), "layout.json: K = 161 is not a multiple of 32"},
        {"shape", "experts", json_integer(INT64_MAX), "layout.json: "},
        {"values", "strides", json_pack("[I, I, I]", (json_int_t)1, (json_int_t)1, (json_int_t)1),
         "layout.json: values: the strides are not"},
        {"values", "strides", json_pack("[I, I]", (json_int_t)1, (json_int_t)1), "layout.json: values: "},
        {"scales", "shape", json_pack("[I, I, I, I]", (json_int_t)2, (json_int_t)8, (json_int_t)192, (json_int_t)1),
         "layout.json: scales: "},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        pack(path, *state, s);
        change_layout(state, changes[i].in, changes[i].member, changes[i].value);
        assert_unpack_refuses(state, changes[i].why);
    }
    weights_free(&set);
}

static void unpack_refuses_arrays_of_another_shape(void **state)
{
    static const uint8_t bytes[64];
    char weights[SCRATCH_PATH], path[SCRATCH_PATH];
    struct weights_set set = write_checkpoint(state, &shapes[0], weights);
    pack(weights, *state, &shapes[0]);
    scratch_path(state, "values.npy", path);
    assert_int_equal(npy_write(path, NPY_U1, 3, (const size_t[]){1, 2, 32}, bytes, NULL), STATUS_OK);
    assert_unpack_refuses(state, "values.npy: wanted |u1 (1, 4, 128), found |u1 (1, 2, 32)");
    pack(weights, *state, &shapes[0]);
    scratch_path(state, "scales.npy", path);
    assert_int_equal(npy_write(path, NPY_U2, 1, (const size_t[]){4}, bytes, NULL), STATUS_OK);
    assert_unpack_refuses(state, "scales.npy: wanted |u1 ");
    weights_free(&set);
}

static void assert_pack_refuses(const struct fo_pack_options *o, const char *why)
{
    struct fo_answer answer;
    struct fo_error error;
    assert_int_not_equal(fo_pack(o, &answer, &error), 0);
    if (!strstr(error.line, why))
        fail_msg("\"%s\" does not say \"%s\"", error.line, why);
    assert_int_not_equal(fo_pack(o, &answer, NULL), 0);
}

static void pack_refuses_what_cannot_be(void **state)
{
    char path[SCRATCH_PATH], out[SCRATCH_PATH];
    struct weights_set set = write_checkpoint(state, &shapes[1], path);
    scratch_path(state, "out", out);
    assert_pack_refuses(&(struct fo_pack_options){NULL, "layer.w", out, 0, 0, 0}, "pack wants --weights");
    assert_pack_refuses(&(struct fo_pack_options){path, NULL, out, 0, 0, 0}, "pack wants --weights");
    assert_pack_refuses(&(struct fo_pack_options){path, "layer.w", NULL, 0, 0, 0}, "pack wants --weights");
    assert_pack_refuses(&(struct fo_pack_options){path, "layer.v", out, 0, 0, 0}, path);
    assert_pack_refuses(&(struct fo_pack_options){path, "layer.w", out, 24, 0, 0}, "24");
    assert_pack_refuses(&(struct fo_pack_options){path, "layer.w", out, 0, 48, 0}, "48");
    assert_pack_refuses(&(struct fo_pack_options){path, "layer.w", out, 0, 0, 6}, "6");
    assert_pack_refuses(&(struct fo_pack_options){out, "layer.w", out, 0, 0, 0}, out);
    assert_int_equal(scratch_count(state), 1); /* the checkpoint, and no folder */
    weights_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pack_writes_what_hopper_layout_computes, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(unpack_after_pack_gives_every_bit_back, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(unpack_refuses_a_layout_that_does_not_hold, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(unpack_refuses_arrays_of_another_shape, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(pack_refuses_what_cannot_be, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
