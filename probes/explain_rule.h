/* explain_rule: a map between places as an index formula, read off what was found.
 *
 * A rule takes two coordinates (n and k of a weight, n and b of a scale, n and the token, k and the token, an expert
 * and its segment) to two coordinates of the same kind. Each of the two is of the first family below that fits every
 * sample; z is the coordinate itself, w the other one:
 *
 *     identity   z                          modulo     (z + a) % m
 *     add        z + a                      rotate     (z + a) % the extent of the place (rows of a segment)
 *     xor        z ^ c                      split      z / d * h + z % d * l
 *     mask       z & ~c                     affine     bits of z and w, each adding its image by exclusive or
 *     periodic   z + t[z % a][w % b]        table      the same with the whole domain as its period
 *
 * Nothing is searched but divisors, moduli and periods: constants are read off the samples, images of bits come out of
 * Gaussian elimination. A result beyond its extent is a zero: nothing is there to be read. */
#ifndef FO_PROBES_EXPLAIN_RULE_H
#define FO_PROBES_EXPLAIN_RULE_H

#include <stdbool.h>

#include "reference/status.h"

enum rule_family {
    RULE_IDENTITY,
    RULE_ADD,
    RULE_XOR,
    RULE_MODULO,
    RULE_ROTATE,
    RULE_MASK,
    RULE_SPLIT,
    RULE_AFFINE,
    RULE_PERIODIC,
    RULE_TABLE,
    RULE_FAMILIES
};
const char *rule_family_name(enum rule_family f);

enum { RULE_BITS = 24, RULE_TEXT = 256 };

struct rule_coordinate {
    enum rule_family family;
    int64_t add;                  /* add, modulo, rotate */
    uint32_t bits;                /* xor, mask, offset of affine */
    uint32_t modulus;             /* modulo; d of split */
    uint32_t high, low;           /* split */
    uint32_t image[2][RULE_BITS]; /* affine: what bits of z and of w add to z, beyond themselves */
    uint32_t period[2];           /* periodic, table: a, b */
    int32_t *step;                /* [a][b], owned: what is added to z */
};

struct source_rule {
    char name[2][8];
    uint32_t extent[2];
    struct rule_coordinate at[2];
};

/* The rule that changes nothing. */
struct source_rule source_rule_identity(const char *first, const char *second, const uint32_t extent[2]);
bool source_rule_is_identity(const struct source_rule *r);
void source_rule_free(struct source_rule *r); /* safe on a zeroed rule */

/* bound: extents at this place (rows of a segment or tile are fewer at its end), or NULL for those of the rule.
 * Returns false, and leaves out as it is, when the result is beyond them. */
bool source_rule_apply(const struct source_rule *r, const uint32_t in[2], const uint32_t bound[2], uint32_t out[2]);

/* One coordinate as a C expression of the names, or of a table t where it is too long to be written. Returns text. */
const char *source_rule_format(const struct source_rule *r, int coordinate, char text[RULE_TEXT]);

bool rule_coordinate_is_alone(const struct rule_coordinate *c); /* whatever the other coordinate is */
bool source_rule_is_one_to_one(const struct source_rule *r);    /* in the first coordinate, where the second is 0 */
/* Is the second coordinate moved by whole chunks, where the first is 0? *far: out of their block. */
bool source_rule_moves_chunks(const struct source_rule *r, uint32_t chunk, uint32_t block, bool *far);
/* The first coordinate as it is, the second inside its block? */
bool source_rule_stays_in_block(const struct source_rule *r, uint32_t block);

#define RULE_UNSEEN 0xffffffffu

/* What was found: y[c][x0 * extent[1] + x1] is coordinate c of where (x0, x1) came from, or RULE_UNSEEN. */
struct rule_samples {
    uint32_t extent[2];
    uint32_t *y[2];
};
/* errors: STATUS_NO_MEMORY. All unseen. */
enum status rule_samples_make(uint32_t first, uint32_t second, struct rule_samples *out, struct error *e);
void rule_samples_free(struct rule_samples *s); /* safe when zeroed */
/* Two answers for one place: false. */
bool rule_samples_add(struct rule_samples *s, const uint32_t in[2], const uint32_t found[2]);

/* The rule of the samples; every sample is what it says. A table is always one; its unseen places stay where they are.
 * *cost: parameters, roughly, to prefer one explanation over another; 0 for the identity.
 * errors: STATUS_NO_MEMORY. */
enum status source_rule_fit(const struct rule_samples *s, const char *first, const char *second,
                            struct source_rule *out, unsigned *cost, struct error *e);

#endif
