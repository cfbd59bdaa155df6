/* mma: one tile of one operation through files, and what is known of the way it was computed. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/npy.h"
#include "reference/number.h"

/* ---- types ------------------------------------------------------------------------------------------------------- */

static double value_of_bf16(uint32_t bits)
{
    return (double)bf16_decode((struct bf16){(uint16_t)bits});
}
static double value_of_f16(uint32_t bits)
{
    return (double)f16_decode((struct f16){(uint16_t)bits});
}
static double value_of_tf32(uint32_t bits)
{
    return (double)tf32_decode((struct tf32){bits});
}
static double value_of_e4m3(uint32_t bits)
{
    return (double)e4m3_decode((struct e4m3){(uint8_t)bits});
}
static double value_of_e5m2(uint32_t bits)
{
    return (double)e5m2_decode((struct e5m2){(uint8_t)bits});
}
static double value_of_f32(uint32_t bits)
{
    return (double)f32_from_bits(bits);
}

/* An element type: how an array holds it, what its bits are worth (integers: not asked), which of them are not read. */
struct type {
    const char *name;
    enum npy_type array;
    double (*value)(uint32_t bits);
    uint32_t unread;
};
static const struct type types[] = {
    {"bf16", NPY_U2, value_of_bf16, 0},
    {"f16", NPY_U2, value_of_f16, 0},
    {"e4m3", NPY_U1, value_of_e4m3, 0},
    {"e5m2", NPY_U1, value_of_e5m2, 0},
    {"f32", NPY_F4, value_of_f32, 0},
    {"tf32", NPY_F4, value_of_tf32, ~TF32_READ},
    {"s8", NPY_I1, NULL, 0},
    {"u8", NPY_U1, NULL, 0},
    {"s32", NPY_I4, NULL, 0},
};

static const struct type *type_of(const char *name)
{
    size_t i = 0;
    while (strcmp(types[i].name, name) != 0) {
        i++;
        assert(i < sizeof types / sizeof *types); /* every type of an operation stands above */
    }
    return &types[i];
}

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

enum matrix_name { A, B, C, D, MATRICES };
static const char *const names[MATRICES] = {"A", "B", "C", "D"};

struct matrix {
    const char *path; /* NULL: there is no such file */
    const struct type *type;
    size_t shape[2];               /* of the file */
    uint32_t *bits;                /* owned; C order, B transposed: [N][K] */
    size_t nan, infinite, ignored; /* elements; ignored: with bits that are not read */
};

struct tile {
    struct tile_op op;
    struct tile_options options;
    struct machine machine;
    enum fidelity fidelity;
    const char *approximate; /* NULL, or why */
    struct matrix matrix[MATRICES];
    char hash[65]; /* SHA-256 of D's elements */
};

static size_t count_of(const struct matrix *x)
{
    return x->shape[0] * x->shape[1];
}

/* Element i of an array, and back. */
static uint32_t load(const void *data, size_t size, size_t i)
{
    uint32_t bits = 0;
    memcpy(&bits, (const char *)data + i * size, size);
    return bits;
}

static void count_special(struct matrix *x)
{
    for (size_t i = 0; x->type->value && i < count_of(x); i++) {
        double value = x->type->value(x->bits[i]);
        x->nan += isnan(value) != 0;
        x->infinite += isinf(value) != 0;
        x->ignored += (x->bits[i] & x->type->unread) != 0;
    }
}

static enum status matrix_make(struct matrix *x, struct error *e)
{
    x->bits = calloc(count_of(x), sizeof *x->bits);
    return x->bits ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for a matrix");
}

static enum status matrix_read(struct matrix *x, enum matrix_name name, struct error *e)
{
    struct npy file;
    const size_t rows = x->shape[0], columns = x->shape[1], size = npy_item_size(x->type->array);
    enum status s = npy_read(x->path, &file, e);
    if (s != STATUS_OK)
        return s;
    s = npy_expect(&file, x->path, x->type->array, 2, x->shape, e);
    if (s != STATUS_OK)
        error_at_field(e, names[name]);
    if (s == STATUS_OK)
        s = matrix_make(x, e);
    for (size_t i = 0; s == STATUS_OK && i < rows * columns; i++)
        x->bits[name == B ? i % columns * rows + i / columns : i] = load(file.data, size, i);
    if (s == STATUS_OK)
        count_special(x);
    npy_free(&file);
    return s;
}

/* D as the file has it; owned, NULL without memory. */
static void *elements_of(const struct matrix *d)
{
    const size_t size = npy_item_size(d->type->array);
    char *data = malloc(count_of(d) * size);
    for (size_t i = 0; data && i < count_of(d); i++)
        memcpy(data + i * size, &d->bits[i], size);
    return data;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

static json_t *json_of_matrix(const struct matrix *x)
{
    if (!x->path)
        return json_null();
    return json_pack("{s:o, s:s, s:s, s:[I,I], s:I, s:I}", "file", json_name(x->path), "type", x->type->name, "array",
                     npy_type_name(x->type->array), "shape", (json_int_t)x->shape[0], (json_int_t)x->shape[1], "nan",
                     (json_int_t)x->nan, "inf", (json_int_t)x->infinite);
}

/* What a reader of D may wonder about. */
static json_t *notes_of(const struct tile *t)
{
    const struct matrix *x = t->matrix;
    json_t *notes = json_array();
    if (x[A].ignored + x[B].ignored)
        json_array_append_new(notes, json_sprintf("%zu elements of A and B have bits beyond the 10 of the mantissa of "
                                                  "TF32; they are not read, and a NaN of only such bits is Inf",
                                                  x[A].ignored + x[B].ignored));
    if (x[A].nan + x[B].nan + x[C].nan)
        json_array_append_new(
            notes, json_sprintf("%zu elements of A, B and C are NaN; a NaN of D is %s, whatever their payload",
                                x[A].nan + x[B].nan + x[C].nan, t->op.d_bits == 16 ? "7fff" : "7fffffff"));
    if (x[C].path && t->options.without_c)
        json_array_append_new(notes, json_string("scale-d is 0: C takes no part"));
    return notes;
}

static json_t *json_of_tile(const struct tile *t)
{
    const struct tile_op *op = &t->op;
    const struct tile_options *o = &t->options;
    json_t *shape =
        json_pack("{s:I, s:I, s:I}", "M", (json_int_t)op->m, "N", (json_int_t)op->n, "K", (json_int_t)op->k);
    json_t *options = json_pack("{s:i, s:b, s:b, s:b, s:b}", "scale_d", !o->without_c, "neg_a", o->negate_a, "neg_b",
                                o->negate_b, "trans_b", o->transpose_b, "sat", o->saturate);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:s}", "schema",
                     "fragoracle.mma/1", "op", op->name, "executor", t->machine.name, "fidelity",
                     fidelity_name(t->fidelity), "reason", t->approximate ? json_string(t->approximate) : json_null(),
                     "shape", shape, "options", options, "a", json_of_matrix(&t->matrix[A]), "b",
                     json_of_matrix(&t->matrix[B]), "c", json_of_matrix(&t->matrix[C]), "d",
                     json_of_matrix(&t->matrix[D]), "d_sha256", t->hash, "notes", notes_of(t), "verdict",
                     fo_verdict_name(FO_NOT_APPLICABLE));
}

static void text_of_tile(const struct tile *t, const json_t *document, struct text *text)
{
    const struct tile_op *op = &t->op;
    const struct tile_options *o = &t->options;
    const struct matrix *d = &t->matrix[D];
    const json_t *notes = json_object_get(document, "notes");
    text_add(text, "%s on %s: %s%s%s\n", op->name, t->machine.name, fidelity_name(t->fidelity),
             t->approximate ? ", " : "", t->approximate ? t->approximate : "");
    text_add(text, "  A %zux%zu %s, B %zux%zu %s, C %s, scale-d %d%s%s%s%s\n", op->m, op->k, op->a, op->k, op->n, op->b,
             t->matrix[C].path ? op->d : "zeros", !o->without_c, o->negate_a ? ", neg-a" : "",
             o->negate_b ? ", neg-b" : "", o->transpose_b ? ", trans-b" : "", o->saturate ? ", sat" : "");
    text_add(text, "  D %zux%zu %s, NaN %zu, Inf %zu, SHA-256 %s\n  %s\n", op->m, op->n, op->d, d->nan, d->infinite,
             t->hash, d->path);
    for (size_t i = 0; i < json_array_size(notes); i++)
        text_add(text, "  note: %s\n", json_string_value(json_array_get(notes, i)));
}

/* ---- the question ------------------------------------------------------------------------------------------------ */

static enum status take_options(const struct fo_mma_options *o, struct tile *t, struct error *e)
{
    if (!o->op || !o->a || !o->b || !o->out)
        return error_set(e, STATUS_BAD_ARGUMENT, "mma wants OP, --a A.npy, --b B.npy and --out D.npy");
    const char *scale_d = o->scale_d ? o->scale_d : "1", *on = o->on ? o->on : "model";
    enum status s = tile_op_parse(o->op, &t->op, e);
    if (s != STATUS_OK)
        return s;
    if (strcmp(scale_d, "0") != 0 && strcmp(scale_d, "1") != 0) {
        error_set(e, STATUS_BAD_ARGUMENT, "'%s' is neither 0 nor 1", scale_d);
        error_at_field(e, "scale-d");
        return STATUS_BAD_ARGUMENT;
    }
    t->options = (struct tile_options){.without_c = strcmp(scale_d, "0") == 0,
                                       .negate_a = o->neg_a,
                                       .negate_b = o->neg_b,
                                       .transpose_b = o->trans_b,
                                       .saturate = o->sat};
    s = tile_check_options(&t->op, &t->options, e);
    if (s != STATUS_OK)
        return s;
    if (strcmp(on, "model") != 0 && strcmp(on, "gpu") != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "--on %s: legal are model and gpu", on);
    return machine_choose(on, &t->machine, e);
}

static enum status compute(struct tile *t, struct error *e)
{
    struct matrix *x = t->matrix;
    const struct tile_op *op = &t->op;
    enum status s = STATUS_OK;
    x[A].type = type_of(op->a), x[A].shape[0] = op->m, x[A].shape[1] = op->k;
    x[B].type = type_of(op->b), x[B].shape[0] = op->k, x[B].shape[1] = op->n;
    for (int i = C; i < MATRICES; i++)
        x[i].type = type_of(op->d), x[i].shape[0] = op->m, x[i].shape[1] = op->n;
    for (int i = A; s == STATUS_OK && i <= C; i++)
        if (x[i].path)
            s = matrix_read(&x[i], (enum matrix_name)i, e);
    if (s == STATUS_OK)
        s = matrix_make(&x[D], e);
    if (s == STATUS_OK)
        s = t->machine.tile(op, x[A].bits, x[B].bits, x[C].bits, &t->options, x[D].bits, e);
    if (s == STATUS_OK)
        count_special(&x[D]);
    const bool model = t->machine.fidelity == FIDELITY_BIT_EXACT_MODEL;
    t->approximate = model ? tile_approximate(op) : NULL;
    t->fidelity = t->approximate ? FIDELITY_APPROXIMATE : t->machine.fidelity;
    return s;
}

/* The answer is ready before the file is written, so that a failure leaves neither. */
static enum status finish(struct tile *t, struct fo_answer *answer, struct error *e)
{
    struct fo_answer made = {0};
    struct text text = {0};
    const struct matrix *d = &t->matrix[D];
    void *elements = elements_of(d);
    if (!elements)
        return error_set(e, STATUS_NO_MEMORY, "no memory for D");
    file_sha256(elements, count_of(d) * npy_item_size(d->type->array), t->hash);
    json_t *document = json_of_tile(t);
    text_of_tile(t, document, &text);
    enum status s = answer_make(FO_NOT_APPLICABLE, document, &text, &made, e);
    if (s == STATUS_OK)
        s = npy_write(d->path, d->type->array, 2, d->shape, elements, e);
    if (s == STATUS_OK)
        *answer = made;
    else
        fo_answer_free(&made);
    free(elements);
    return s;
}

int fo_mma(const struct fo_mma_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct tile t = {.matrix = {[A].path = o->a, [B].path = o->b, [C].path = o->c, [D].path = o->out}};
    enum status s = take_options(o, &t, &e);
    if (s == STATUS_OK)
        s = compute(&t, &e);
    if (s == STATUS_OK)
        s = finish(&t, answer, &e);
    for (int i = A; i < MATRICES; i++)
        free(t.matrix[i].bits);
    return answer_end(s, &e, error);
}
