/* weights_form: MXFP4 weights as kernels of different kinds want them. One list of words, arrays and shapes for all who
 * hand weights to a kernel of somebody else: files and modules. */
#ifndef FO_ORACLE_EXEC_WEIGHTS_FORM_H
#define FO_ORACLE_EXEC_WEIGHTS_FORM_H

#include <stdbool.h>

#include "oracle/io/npy.h"
#include "probes/executor.h"
#include "reference/hopper_layout.h"

enum weights_form {
    FORM_MXFP4,   /* "mxfp4": blocks u1 [E,N,K/32,16], scales u1 [E,N,K/32], as checkpoints store them */
    FORM_BF16,    /* "bf16": w u2 [E,N,K], decoded; exact, see mxfp4_decode */
    FORM_HOPPER,  /* "hopper": hopper_values u1 [E,Mp/4,4Kb], hopper_scales u1 [E,Np/32,32Kp], as `pack` writes them by
                     default: the values of N rows padded to 16 and K/2 bytes padded to 32, the scales for 4 warps */
    FORM_F16,     /* "f16": w u2 [E,N,K], decoded; weights that f16 has not are refused */
    FORM_BF16_KN, /* "bf16_kn": w u2 [E,K,N] */
    FORM_F16_KN,  /* "f16_kn": w u2 [E,K,N] */
    FORMS
};
enum { FORM_ARRAYS = 2, FORM_RANK = 4 };

struct formed_array {
    const char *name;
    enum npy_type type;
    int rank;
    size_t shape[FORM_RANK];
    void *data; /* owned */
};

struct formed_weights {
    size_t arrays;
    struct formed_array array[FORM_ARRAYS];
};

const char *weights_form_name(enum weights_form f);
/* errors: STATUS_BAD_ARGUMENT with the legal words. */
enum status weights_form_parse(const char *word, enum weights_form *out, struct error *e);
/* The names of the arrays of a form; NULL past the last. */
const char *weights_form_array(enum weights_form f, size_t i);
/* What this form cannot say: no_scales and no_codes of the limits; the other fields are left alone. */
void weights_form_limits(enum weights_form f, struct executor_limits *limits);
/* needs: K % 32 == 0. errors: STATUS_BAD_ARGUMENT ("not applicable: ..." with the first weight that f16 has not),
 * STATUS_NO_MEMORY. */
enum status weights_form_make(enum weights_form f, const struct weights *w, struct formed_weights *out,
                              struct error *e);
size_t formed_array_bytes(const struct formed_array *a);
void formed_weights_free(struct formed_weights *f); /* safe on a zeroed struct */

#endif
