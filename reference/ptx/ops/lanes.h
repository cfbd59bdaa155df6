/* lanes: what the arithmetic families share: operands read as rows, and operations that are a line of a table.
 *
 * A line names an operation, the words that make the form and the types it takes; its kernel is one loop over 32 lanes
 * of 64-bit values. Sources are used by their low bits, as PTX lets a register be wider than the type; those that are
 * `extended` are sign- or zero-extended from the type first, so that one kernel serves every width. */
#ifndef FO_REFERENCE_PTX_OPS_LANES_H
#define FO_REFERENCE_PTX_OPS_LANES_H

#include "reference/ptx/ops.h"
#include "reference/ptx/warp.h"

enum { LANES_SOURCES = 4, LANES_MODES = 3 };

struct lanes {
    const uint64_t *s[LANES_SOURCES]; /* those behind the last one are the first again: readable */
    uint64_t room[LANES_SOURCES][VM_LANES];
    uint64_t d[VM_LANES];
    unsigned bits; /* of the type */
};
typedef void lanes_kernel(struct lanes *x);

/* How wide the result is. */
enum lanes_result { LANES_SAME, LANES_DOUBLE, LANES_32 };

struct lanes_op {
    const char *name, *mode[LANES_MODES]; /* all words but the type, in any order */
    uint64_t types;                       /* LANES_TYPE of each; 0: the words hold the type */
    uint8_t sources, extended;            /* number; how many of the first are extended */
    uint8_t width;                        /* from which they are extended; 0: of the type */
    enum lanes_result result;
    lanes_kernel *kernel;
    bool divides; /* note lanes whose second source is 0 */
};
#define LANES_TYPE(t) (UINT64_C(1) << (t))

/* x is uint64_t, sx int64_t; y, z, e the other sources. */
#define LANES_KERNEL(name, expression)                                                                                 \
    static void name(struct lanes *lanes)                                                                              \
    {                                                                                                                  \
        uint64_t *restrict d = lanes->d;                                                                               \
        const uint64_t *a = lanes->s[0], *b = lanes->s[1], *c = lanes->s[2], *g = lanes->s[3];                         \
        const unsigned bits = lanes->bits;                                                                             \
        (void)bits;                                                                                                    \
        for (unsigned l = 0; l < VM_LANES; l++) {                                                                      \
            const uint64_t x = a[l], y = b[l], z = c[l], e = g[l];                                                     \
            const int64_t sx = (int64_t)x, sy = (int64_t)y, sz = (int64_t)z;                                           \
            (void)y, (void)z, (void)e, (void)sx, (void)sy, (void)sz;                                                   \
            d[l] = (uint64_t)(expression);                                                                             \
        }                                                                                                              \
    }

/* Take the form of an operation: the first line of the table (it ends with a NULL name) of its name, type and words.
 * returns NULL, vm_op_other where no line of that name takes the type, or why the form is not modelled. */
const char *lanes_prepare(const struct vm_program *p, struct vm_instruction *i, const struct lanes_op *table);

/* Are there `sources` readable operands behind the destination (and is that a register or a sink)? NULL or why not. */
const char *lanes_sources(const struct vm_program *p, const struct vm_instruction *i, uint32_t sources);
const char *lanes_operands(const struct vm_program *p, const struct vm_instruction *i, uint32_t sources);
/* Take all of these words (NULL ends them, at most LANES_MODES) if no other word is left; else take nothing. */
bool lanes_take_all(struct vm_instruction *i, const char *const *words);
extern const char lanes_no_form[]; /* why: the words make no form that is modelled */
extern const char lanes_no_operands[];

/* The sources of an instruction, from its second operand on. */
void lanes_read(const struct vm_warp *w, const struct vm_instruction *i, struct lanes *x, unsigned sources);
enum vm_step lanes_write(struct vm_warp *w, const struct vm_instruction *i, const uint64_t d[VM_LANES], uint32_t lanes);
/* Sign- or zero-extend source n from its low bits. */
void lanes_extend(struct lanes *x, unsigned n, unsigned bits, bool is_signed);

static inline uint64_t lanes_mask(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

#endif
