/* layout: a map from the points of one box to the points of another, as data.
 *
 * A box is a list of named dimensions with extents: a slot lives in (thread 128, reg 4, part 2), an element in
 * (i 64, j 16). A layout takes a point of its domain box to a point of its codomain box and comes in three kinds:
 *
 *   affine   every bit of every input coordinate carries an image point; the result is the exclusive or of the images
 *            of the bits that are set, and of an offset. This is what hardware does: the fragment maps are affine over
 *            GF(2), and a handful of basis images says all of 1024 slots. An extent that is no power of two restricts
 *            the map to a box (N = 24 uses 12 of 16 register codes).
 *   strided  a sum of (coordinate / divisor % extent) * stride, as CuTe writes layouts.
 *   table    anything: what a wrong kernel does is often neither affine nor a bijection.
 *
 * Every operation takes all three. Two affine maps are compared by proof: every bit 2^b below an extent is itself a
 * point of the box, so two restrictions agree everywhere exactly when offset and all such images agree. Everything else
 * is compared exhaustively, and the result says which it was.
 *
 * A malformed layout (rank, names, extents, modes, codes) is STATUS_BAD_INPUT for layout_check and STATUS_BAD_ARGUMENT
 * for every other operation that returns a status; so is a point that leaves the codomain, except to layout_compare,
 * which only compares. What needs memory may fail with STATUS_NO_MEMORY.
 *
 * The idea is that of linear layouts (F2 matrices) and of CuTe's strided layouts, put side by side. */
#ifndef FO_REFERENCE_LAYOUT_H
#define FO_REFERENCE_LAYOUT_H

#include <stdbool.h>

#include "reference/status.h"

enum { LAYOUT_DIMS = 4, LAYOUT_BITS = 16, LAYOUT_MODES = 16 };
enum { LAYOUT_POINTS = 1 << 30 }; /* in one box, at most */

struct box {
    int rank;
    const char *name[LAYOUT_DIMS]; /* static strings */
    uint32_t extent[LAYOUT_DIMS];
};

struct point {
    uint32_t at[LAYOUT_DIMS]; /* entries past the rank are 0 */
};

enum layout_kind { LAYOUT_AFFINE, LAYOUT_STRIDED, LAYOUT_TABLE };

struct layout_mode {
    int dim; /* of the domain */
    uint32_t divisor, extent;
    struct point stride; /* in the codomain */
};

struct layout {
    enum layout_kind kind;
    struct box domain, codomain;
    struct point offset;                          /* affine (xor), strided (sum) */
    struct point image[LAYOUT_DIMS][LAYOUT_BITS]; /* affine: [domain dimension][bit] */
    int modes;                                    /* strided */
    struct layout_mode mode[LAYOUT_MODES];
    uint32_t *table; /* table: owned; linear codomain code of each linear domain code, row-major, last dim fastest */
};

enum layout_evidence { LAYOUT_PROVED, LAYOUT_EXHAUSTIVE };

struct layout_difference {
    bool equal;
    enum layout_evidence evidence;
    size_t compared;  /* points, or basis images when proved */
    size_t differing; /* points of the domain where the two differ (0 when equal) */
    struct point at;  /* the first one */
    struct point a, b;
};

size_t box_size(const struct box *b);
/* Row-major code of a point, last dimension fastest; and back. needs: inside the box. */
uint32_t box_code(const struct box *b, const struct point *p);
struct point box_point(const struct box *b, uint32_t code);
bool box_contains(const struct box *b, const struct point *p);
bool box_equal(const struct box *a, const struct box *b); /* ranks, extents and names */

/* A table layout from `n` = box_size(domain) codes (copied). errors: STATUS_BAD_ARGUMENT for a code outside the
 * codomain. */
enum status layout_from_table(const struct box *domain, const struct box *codomain, const uint32_t *codes,
                              struct layout *out, struct error *e);
void layout_free(struct layout *l); /* safe on a zeroed layout; frees the table */

/* needs: p inside the domain. The result is inside the codomain for a well-formed layout (layout_check says). */
struct point layout_apply(const struct layout *l, const struct point *p);

/* Does every point of the domain land inside the codomain, and is the map one-to-one and onto?
 * errors: STATUS_BAD_INPUT naming the first point out of range; otherwise *bijective is set. */
enum status layout_check(const struct layout *l, bool *bijective, struct error *e);

/* Element to slot. Affine bijections between boxes of powers of two stay affine (Gaussian elimination); the rest become
 * tables. errors: STATUS_BAD_ARGUMENT when l is not a bijection. *out is freed with layout_free. */
enum status layout_invert(const struct layout *l, struct layout *out, struct error *e);

/* x -> second(first(x)). Affine after affine stays affine. errors: STATUS_BAD_ARGUMENT when first's codomain is not
 * second's domain. */
enum status layout_compose(const struct layout *second, const struct layout *first, struct layout *out,
                           struct error *e);

/* errors: STATUS_BAD_ARGUMENT when the boxes differ. */
enum status layout_compare(const struct layout *a, const struct layout *b, struct layout_difference *d,
                           struct error *e);

/* Is this map affine? If so *out is its affine form (any kind in; the answer is exhaustive). */
bool layout_to_affine(const struct layout *l, struct layout *out);

const char *layout_kind_name(enum layout_kind k); /* "affine", "strided", "table" */

#endif
