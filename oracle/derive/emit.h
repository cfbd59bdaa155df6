/* emit: what was derived, as C and as layouts of CuTe and Triton. */
#ifndef FO_ORACLE_DERIVE_EMIT_H
#define FO_ORACLE_DERIVE_EMIT_H

#include "oracle/answer/answer.h"
#include "oracle/derive/convert.h"
#include "oracle/derive/plan.h"

/* One way to load A: from the layout as it is, or from a preswizzled one. */
struct loader {
    struct packing packing;
    struct plan values, scales; /* scales: only where packing.scaled */
    uint32_t n_multiple, k_multiple;
};

struct derived {
    struct tile tile;
    char op[WGMMA_NAME_SIZE];
    char from[160]; /* the layout as it was named */
    struct conversion conversion;
    struct loader direct;
    bool preswizzled; /* the load is narrow, and this one is wide */
    struct loader wide;
};

/* Both in one file of C: no dependency but the C library, host C17 and CUDA C alike. */
void emit_c(const struct derived *d, struct text *out);
/* The functions of one storage; kind "value" or "scale". emit_c is made of these. bits: also the place of every bit. */
void emit_address(const struct storage *s, const struct plan *p, const char *prefix, const char *kind, bool bits,
                  struct text *out);
/* "N % 16 == 0, K % 2 == 0" between two texts; nothing where every N and K will do. */
void emit_needs(const struct loader *l, const char *before, const char *after, struct text *out);
/* One dimension of the image of a linear map as a C expression, "(n << 6 & 0x40u) | ...", less its lowest `drop` bits.
 * names: of the coordinates; those without a name are 0. */
void emit_terms(const struct layout *map, int dim, uint32_t drop, const char *const names[], struct text *out);

/* Slots of a window to (row, code of the row), whatever the tile and the window: what is added to the place where these
 * begin. Domain (thread, reg, part), register 4 * step + r. errors: STATUS_UNSUPPORTED when it is not linear. */
enum status emit_window(const struct storage *s, const struct tile *t, uint32_t steps, struct layout *out,
                        struct error *e);
/* (thread,(part,reg)) -> row@0, code@1. errors: STATUS_UNSUPPORTED when it is no sum of strides. */
enum status emit_cute(const struct layout *window, struct text *out, struct error *e);
void emit_linear(const struct layout *window, struct text *out);

#endif
