/* wgmma: an operation, parsed from and printed as the one string that is used everywhere.
 *
 *     wgmma.m64n64k16.f32.bf16.bf16.rs
 *     name  shape     D   A    B    source of A: rs (registers) or ss (shared memory)
 *
 * The families and their legal N stand in wgmma_ops.def. */
#ifndef FO_REFERENCE_WGMMA_H
#define FO_REFERENCE_WGMMA_H

#include "reference/status.h"

enum { WGMMA_M = 64, WGMMA_THREADS = 128, WGMMA_NAME_SIZE = 64 };
enum wgmma_source { WGMMA_RS, WGMMA_SS };

struct wgmma_family {
    const char *d, *a, *b; /* type names */
    int k;                 /* elements of K in one step */
    int a_bits;            /* width of one A element */
    int n_min, n_max, n_step;
};

struct wgmma_op {
    const struct wgmma_family *family;
    int n;
    enum wgmma_source source;
};

size_t wgmma_family_count(void);
const struct wgmma_family *wgmma_family_at(size_t i);
/* errors: STATUS_BAD_ARGUMENT saying which part of the name is wrong and what would be legal. */
enum status wgmma_parse(const char *name, struct wgmma_op *op, struct error *e);
const char *wgmma_format(const struct wgmma_op *op, char text[WGMMA_NAME_SIZE]);

#endif
