/* wgmma: an operation, parsed from and printed as the one string that is used everywhere.
 *
 *     wgmma.m64n64k16.f32.bf16.bf16.rs
 *     name  shape     D   A    B    source of A: rs (registers) or ss (shared memory)
 *
 * The families and their legal N stand in wgmma_ops.def. */
#ifndef FO_REFERENCE_WGMMA_H
#define FO_REFERENCE_WGMMA_H

#include "reference/status.h"

enum { WGMMA_M = 64, WGMMA_THREADS = 128, WGMMA_NAME_SIZE = 64, WGMMA_N_SIZE = 64 };
enum wgmma_source { WGMMA_RS, WGMMA_SS };

struct wgmma_family {
    const char *d, *a, *b; /* type names */
    int k;                 /* elements of K in one step */
    int a_bits, d_bits;    /* width of one element of A (and of B), and of D */
    /* Legal N: multiples of n_step from n_min to n_fine, then multiples of n_coarse up to n_max; wgmma_next_n has them
     * all. Every one is a multiple of n_step. */
    int n_min, n_max, n_step;
    int n_fine, n_coarse;
};

struct wgmma_op {
    const struct wgmma_family *family;
    int n;
    enum wgmma_source source;
};

size_t wgmma_family_count(void);
const struct wgmma_family *wgmma_family_at(size_t i);
/* The smallest legal N above n, 0 if there is none:  for (int n = wgmma_next_n(f, 0); n; n = wgmma_next_n(f, n)) */
int wgmma_next_n(const struct wgmma_family *f, int n);
/* The legal N for people: "a multiple of 8 from 8 to 256". Returns text. */
const char *wgmma_describe_n(const struct wgmma_family *f, char text[WGMMA_N_SIZE]);
/* errors: STATUS_BAD_ARGUMENT saying which part of the name is wrong and what would be legal. */
enum status wgmma_parse(const char *name, struct wgmma_op *op, struct error *e);
const char *wgmma_format(const struct wgmma_op *op, char text[WGMMA_NAME_SIZE]);

#endif
