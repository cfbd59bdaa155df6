/* mma: what the answer says of special values, of what is not read and of where it was computed; that a failure leaves
 * nothing. That D is right is asked of tile.h and, through the program, in tests/cli/test_mma.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "reference/exact.h"
#include "reference/number.h"
#include "tests/support/alloc.h"
#include "tests/support/scratch.h"
#include "tests/support/splitmix.h"

enum { MOST = 64 * 64 };

/* Three matrices of one operation, zero but for what a test sets, and the question that they are asked. */
struct asked {
    struct tile_op op;
    enum npy_type type[3];
    uint32_t a[MOST], b[MOST], c[MOST];
    char path[4][SCRATCH_PATH];
    struct fo_mma_options o;
};

static void begin(void **state, const char *op, enum npy_type a, enum npy_type b, enum npy_type c, struct asked *q)
{
    static const char *const names[] = {"a.npy", "b.npy", "c.npy", "d.npy"};
    memset(q, 0, sizeof *q);
    assert_int_equal(tile_op_parse(op, &q->op, NULL), STATUS_OK);
    q->type[0] = a, q->type[1] = b, q->type[2] = c;
    for (int i = 0; i < 4; i++)
        scratch_path(state, names[i], q->path[i]);
    q->o = (struct fo_mma_options){.op = op, .a = q->path[0], .b = q->path[1], .c = q->path[2], .out = q->path[3]};
}

static void write_matrix(const char *path, enum npy_type type, size_t rows, size_t columns, const uint32_t *bits)
{
    const size_t size = npy_item_size(type);
    static char data[MOST * 8];
    for (size_t i = 0; i < rows * columns; i++)
        memcpy(data + i * size, &bits[i], size < 4 ? size : 4);
    assert_int_equal(npy_write(path, type, 2, (size_t[]){rows, columns}, data, NULL), STATUS_OK);
}

static void write_all(const struct asked *q)
{
    write_matrix(q->path[0], q->type[0], q->op.m, q->op.k, q->a);
    write_matrix(q->path[1], q->type[1], q->op.k, q->op.n, q->b);
    write_matrix(q->path[2], q->type[2], q->op.m, q->op.n, q->c);
}

/* The answer as a document, its text into *answer, D as it lies in the file. All are the caller's. */
static json_t *ask(const struct asked *q, struct fo_answer *answer, struct npy *d)
{
    struct fo_error error;
    json_t *document;
    write_all(q);
    if (fo_mma(&q->o, answer, &error) != 0)
        fail_msg("%s", error.line);
    assert_int_equal(answer->verdict, FO_NOT_APPLICABLE);
    assert_int_equal(json_parse("answer", answer->json, strlen(answer->json), "fragoracle.mma/1", &document, NULL),
                     STATUS_OK);
    assert_int_equal(npy_read(q->path[3], d, NULL), STATUS_OK);
    assert_int_equal(npy_expect(d, q->path[3], q->type[2], 2, (size_t[]){q->op.m, q->op.n}, NULL), STATUS_OK);
    return document;
}

static json_int_t counted(const json_t *document, const char *matrix, const char *what)
{
    return json_integer_value(json_object_get(json_object_get(document, matrix), what));
}

static const char *note_at(const json_t *document, size_t i)
{
    const char *text = json_string_value(json_array_get(json_object_get(document, "notes"), i));
    return text ? text : "";
}

static void fo_mma_counts_special_values_and_notes_nan(void **state)
{
    static struct asked q;
    struct fo_answer answer;
    struct npy d;
    char hash[65];
    begin(state, "wgmma.m64n8k16.f16.f16.f16.rs", NPY_U2, NPY_U2, NPY_U2, &q);
    q.a[0] = 0x7c01;                            /* NaN in row 0 */
    q.a[16] = 0x7c00, q.a[32] = 0xfc00;         /* Inf and -Inf in rows 1 and 2 */
    q.b[0] = q.b[1] = q.b[2] = q.b[3] = 0x3c00; /* k = 0: 1 in columns 0 to 3, Inf * 0 = NaN beyond */
    q.c[63 * 8 + 7] = 0xfc00;
    json_t *j = ask(&q, &answer, &d);
    assert_int_equal(counted(j, "a", "nan"), 1);
    assert_int_equal(counted(j, "a", "inf"), 2);
    assert_int_equal(counted(j, "b", "nan"), 0);
    assert_int_equal(counted(j, "c", "inf"), 1);
    assert_int_equal(counted(j, "d", "nan"), 8 + 4 + 4);
    assert_int_equal(counted(j, "d", "inf"), 4 + 4 + 1);
    const uint16_t *bits = d.data;
    assert_int_equal(bits[0], 0x7fff);
    assert_int_equal(bits[8], 0x7c00);
    assert_int_equal(bits[16], 0xfc00);
    assert_int_equal(bits[63 * 8 + 7], 0xfc00);
    assert_int_equal(bits[63 * 8], 0);
    assert_string_equal(note_at(j, 0), "1 elements of A, B and C are NaN; a NaN of D is 7fff, whatever their payload");
    assert_string_equal(note_at(j, 1), "");
    assert_non_null(strstr(answer.text, "NaN 16, Inf 9, SHA-256 "));
    assert_non_null(strstr(answer.text, "  note: 1 elements of A, B and C are NaN"));
    file_sha256(d.data, 64 * 8 * 2, hash);
    assert_string_equal(json_string_value(json_object_get(j, "d_sha256")), hash);
    assert_string_equal(json_string_value(json_object_get(j, "fidelity")), "approximate");
    assert_string_equal(json_string_value(json_object_get(j, "reason")),
                        "tensor-core arithmetic of f16 is read, not measured");
    json_decref(j);
    npy_free(&d);
    fo_answer_free(&answer);
}

/* A NaN of TF32 of which only bits beyond the tenth say so is read as Inf. */
static void fo_mma_of_tf32_notes_the_bits_that_are_not_read(void **state)
{
    static struct asked q;
    struct fo_answer answer;
    struct npy d;
    begin(state, "mma.m16n8k8.f32.tf32.tf32", NPY_F4, NPY_F4, NPY_F4, &q);
    q.a[0] = 0x7f800001, q.a[8] = 0x3f801fff, q.a[16] = 0x7f802000;
    q.b[0] = 0x40000001;
    q.c[0] = 0x3f800001;
    json_t *j = ask(&q, &answer, &d);
    const uint32_t *bits = d.data;
    assert_int_equal(bits[0], 0x7f800000);
    assert_int_equal(bits[8], 0x40000000);
    assert_int_equal(bits[16], 0x7fffffff);
    assert_int_equal(counted(j, "a", "nan"), 1);
    assert_int_equal(counted(j, "a", "inf"), 1);
    assert_string_equal(note_at(j, 0),
                        "3 elements of A and B have bits beyond the 10 of the mantissa of TF32; they are "
                        "not read, and a NaN of only such bits is Inf");
    assert_string_equal(note_at(j, 1),
                        "1 elements of A, B and C are NaN; a NaN of D is 7fffffff, whatever their payload");
    json_decref(j);
    npy_free(&d);
    fo_answer_free(&answer);
}

static void fo_mma_of_bytes_knows_their_special_values(void **state)
{
    static struct asked q;
    struct fo_answer answer;
    struct npy d;
    begin(state, "mma.m16n8k16.f32.e4m3.e5m2", NPY_U1, NPY_U1, NPY_F4, &q);
    q.a[0] = 0x7f, q.a[1] = 0xff, q.a[2] = 0x7e;
    q.c[5] = 0x7f800001;
    q.b[0] = 0x7c, q.b[1] = 0xfc, q.b[2] = 0x7d, q.b[3] = 0x7b;
    json_t *j = ask(&q, &answer, &d);
    assert_int_equal(counted(j, "a", "nan"), 2);
    assert_int_equal(counted(j, "a", "inf"), 0);
    assert_int_equal(counted(j, "b", "nan"), 1);
    assert_int_equal(counted(j, "b", "inf"), 2);
    assert_int_equal(counted(j, "c", "nan"), 1);
    assert_non_null(strstr(note_at(j, 0), "4 elements of A, B and C are NaN"));
    json_decref(j);
    npy_free(&d);
    fo_answer_free(&answer);
}

static void fo_mma_of_bf16_is_the_rule_and_says_where_it_was_measured(void **state)
{
    static const char *const ops[] = {"wgmma.m64n8k16.f32.bf16.bf16.rs", "mma.m16n8k16.f32.bf16.bf16"};
    static struct asked q;
    struct splitmix r = {splitmix_seed()};
    size_t compared = 0;
    for (int i = 0; i < 2; i++) {
        struct fo_answer answer;
        struct npy d;
        begin(state, ops[i], NPY_U2, NPY_U2, NPY_F4, &q);
        for (size_t e = 0; e < MOST; e++) {
            q.a[e] = (uint32_t)splitmix_next(&r) & 0x83ff;
            q.b[e] = (uint32_t)splitmix_next(&r) & 0xffff;
            q.c[e] = (uint32_t)splitmix_next(&r);
        }
        json_t *j = ask(&q, &answer, &d);
        for (size_t e = 0; e < q.op.m * q.op.n; e++, compared++) {
            struct bf16 x[16], y[16];
            for (size_t k = 0; k < 16; k++) {
                x[k].bits = (uint16_t)q.a[e / q.op.n * 16 + k];
                y[k].bits = (uint16_t)q.b[k * q.op.n + e % q.op.n];
            }
            assert_int_equal(((const uint32_t *)d.data)[e],
                             f32_bits(exact_step(x, y, 16, f32_from_bits(q.c[e]), 25, -133)));
        }
        assert_string_equal(json_string_value(json_object_get(j, "fidelity")),
                            i == 0 ? "bit-exact model" : "approximate");
        if (i == 0)
            assert_true(json_is_null(json_object_get(j, "reason")));
        else
            assert_string_equal(json_string_value(json_object_get(j, "reason")),
                                "tensor-core arithmetic of bf16 was measured on wgmma only, not on mma.sync");
        json_decref(j);
        npy_free(&d);
        fo_answer_free(&answer);
    }
    assert_int_equal(compared, 64 * 8 + 16 * 8);
}

static void fo_mma_without_scale_d_takes_no_c(void **state)
{
    static struct asked q;
    struct fo_answer answer;
    struct npy d;
    begin(state, "wgmma.m64n8k32.s32.u8.s8.ss", NPY_U1, NPY_I1, NPY_I4, &q);
    q.o.scale_d = "0";
    q.a[0] = 255, q.b[0] = 0x80, q.c[0] = 5, q.c[1] = 6;
    json_t *j = ask(&q, &answer, &d);
    assert_int_equal(((const int32_t *)d.data)[0], -255 * 128);
    assert_int_equal(((const int32_t *)d.data)[1], 0);
    assert_string_equal(note_at(j, 0), "scale-d is 0: C takes no part");
    assert_string_equal(note_at(j, 1), "");
    json_decref(j);
    npy_free(&d);
    fo_answer_free(&answer);
}

/* The one array that fits each matrix is taken; every other type is refused, and so is every other shape. */
static void fo_mma_refuses_arrays_of_other_types_and_shapes(void **state)
{
    static const struct {
        const char *op;
        enum npy_type type[3];
    } rows[] = {
        {"mma.m16n8k16.f32.bf16.bf16", {NPY_U2, NPY_U2, NPY_F4}},
        {"mma.m16n8k8.f16.f16.f16", {NPY_U2, NPY_U2, NPY_U2}},
        {"mma.m16n8k4.f32.tf32.tf32", {NPY_F4, NPY_F4, NPY_F4}},
        {"mma.m16n8k32.f16.e4m3.e5m2", {NPY_U1, NPY_U1, NPY_U2}},
        {"mma.m16n8k32.s32.s8.u8", {NPY_I1, NPY_U1, NPY_I4}},
    };
    static struct asked q;
    size_t refused = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int which = 0; which < 3; which++)
            for (int type = NPY_U1; type <= NPY_F4 + 2; type++) {
                struct fo_answer answer;
                struct fo_error error;
                char field[8];
                begin(state, rows[i].op, rows[i].type[0], rows[i].type[1], rows[i].type[2], &q);
                /* Beyond the types: the right one, with a row or a column too many. */
                const bool right_type = type > NPY_F4;
                const enum npy_type given = right_type ? rows[i].type[which] : (enum npy_type)type;
                const size_t shape[3][2] = {{q.op.m, q.op.k}, {q.op.k, q.op.n}, {q.op.m, q.op.n}};
                if (!right_type && rows[i].type[which] == given)
                    continue;
                write_all(&q);
                write_matrix(q.path[which], given, shape[which][0] + (type == NPY_F4 + 1),
                             shape[which][1] + (type == NPY_F4 + 2), q.a);
                if (fo_mma(&q.o, &answer, &error) == 0)
                    fail_msg("%s: %s is taken as %s", q.op.name, npy_type_name(given), q.path[which]);
                snprintf(field, sizeof field, ": %c: ", "ABC"[which]);
                assert_non_null(strstr(error.line, field));
                assert_memory_equal(error.line, q.path[which], strlen(q.path[which]));
                assert_int_equal(scratch_count(state), 3);
                refused++;
            }
    assert_int_equal(refused, 5 * 3 * (6 + 2));
}

static void fo_mma_without_what_it_needs_says_so(void **state)
{
    static struct asked q;
    struct fo_answer answer;
    struct fo_error error;
    begin(state, "mma.m16n8k16.f32.bf16.bf16", NPY_U2, NPY_U2, NPY_F4, &q);
    write_all(&q);
    const char **needed[] = {&q.o.op, &q.o.a, &q.o.b, &q.o.out};
    for (size_t i = 0; i < 4; i++) {
        const char *was = *needed[i];
        *needed[i] = NULL;
        assert_int_not_equal(fo_mma(&q.o, &answer, &error), 0);
        assert_string_equal(error.line, "mma wants OP, --a A.npy, --b B.npy and --out D.npy");
        *needed[i] = was;
    }
    q.o.out = "/nowhere/at/all.npy";
    assert_int_not_equal(fo_mma(&q.o, &answer, &error), 0);
    assert_non_null(strstr(error.line, "/nowhere/at/all.npy"));
    assert_int_equal(scratch_count(state), 3);
}

static enum status ask_once(void *context, struct error *e)
{
    const struct asked *q = context;
    struct fo_answer answer;
    struct fo_error error;
    int failed = fo_mma(&q->o, &answer, &error);
    if (failed)
        return error_set(e, (enum status)failed, "%s", error.line);
    fo_answer_free(&answer);
    return STATUS_OK;
}

static void **scratch;

static void nothing_written(void *context)
{
    (void)context;
    assert_int_equal(scratch_count(scratch), 3);
}

static void fo_mma_any_allocation_fails_without_a_trace(void **state)
{
    static struct asked q;
    begin(state, "mma.m16n8k16.f32.bf16.bf16", NPY_U2, NPY_U2, NPY_F4, &q);
    q.a[0] = 0x7fff;
    write_all(&q);
    scratch = state;
    assert_true(alloc_check(ask_once, nothing_written, &q) > 20);
    assert_int_equal(scratch_count(state), 4);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fo_mma_counts_special_values_and_notes_nan),
        TEST(fo_mma_of_tf32_notes_the_bits_that_are_not_read),
        TEST(fo_mma_of_bytes_knows_their_special_values),
        TEST(fo_mma_of_bf16_is_the_rule_and_says_where_it_was_measured),
        TEST(fo_mma_without_scale_d_takes_no_c),
        TEST(fo_mma_refuses_arrays_of_other_types_and_shapes),
        TEST(fo_mma_without_what_it_needs_says_so),
        TEST(fo_mma_any_allocation_fails_without_a_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
