/* site_source: the logical matrices that captured operands are held against.
 *
 * A source is a file as it was given; a matrix is what it says in the type of one operation. Where the source is coded
 * (mxfp4, int4) the codes are kept: a wrong decode is named by them. A matrix has forms: besides what was asked for,
 * what a kernel may hold instead and apply the rest of later (codes without scales, an offset not taken off). */
#ifndef FO_ORACLE_INFER_SITE_SOURCE_H
#define FO_ORACLE_INFER_SITE_SOURCE_H

#include "oracle/infer/site_type.h"
#include "oracle/fragoracle.h"
#include "oracle/io/npy.h"

enum { SITE_FORMS = 3, SITE_BLOCK = 32, SITE_CODES = 16 };
enum site_coding { SITE_PLAIN, SITE_INT4, SITE_INT4_OFFSET8, SITE_MXFP4 };

struct site_source {
    enum site_coding coding;
    const char *path;
    size_t rows, columns;
    struct npy plain; /* SITE_PLAIN; owned */
    uint8_t *code;    /* coded: [rows][columns], 0..15; owned */
    uint8_t *scale;   /* SITE_MXFP4: [rows][columns / 32]; owned */
};

/* errors: those of npy_read and safetensors_read; STATUS_BAD_INPUT with path: type, rank, extents;
 * STATUS_BAD_ARGUMENT: an unknown coding, scales missing or too many. */
enum status site_source_read(const char *path, const char *coding, const char *scales, struct site_source *out,
                             struct error *e);
/* Expert of a tensor of a .safetensors file, mxfp4. */
enum status site_source_weights(const char *path, const char *tensor, uint64_t expert, struct site_source *out,
                                struct error *e);
void site_source_free(struct site_source *s); /* safe on a zeroed source */

/* What the values may be instead of what was asked for. */
struct site_form {
    const char *what; /* "" for the matrix itself; "the matrix without its block scales" */
    enum fo_verdict verdict;
    uint32_t *value; /* [rows][columns], bits of the type under its mask; owned */
};
struct site_matrix {
    const struct site_source *source;
    const struct site_type *type;
    size_t rows, columns;
    int forms;
    struct site_form form[SITE_FORMS];
};
/* errors: STATUS_BAD_INPUT: a file of this item size cannot hold the type; STATUS_NO_MEMORY. */
enum status site_matrix_make(const struct site_source *s, const struct site_type *t, struct site_matrix *out,
                             struct error *e);
void site_matrix_free(struct site_matrix *m);
/* The number that a code stands for, without its scale. */
double site_code_value(enum site_coding coding, unsigned code);

#endif
