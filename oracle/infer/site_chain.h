/* site_chain: the wgmma that add into one accumulator, and what D they give, step by step. What the registers hold is
 * taken by the contract, as the hardware takes it. */
#ifndef FO_ORACLE_INFER_SITE_CHAIN_H
#define FO_ORACLE_INFER_SITE_CHAIN_H

#include "oracle/infer/site_bytes.h"
#include "oracle/infer/site_schedule.h"
#include "reference/tile_product.h"

enum { SITE_CHAIN_WHY = 200 };
/* One wgmma that adds into the accumulator. */
struct site_adder {
    struct site_case c; /* site and op of it */
    const struct tap_image_stream *a, *b, *scale;
    bool a_bytes;
    struct layout a_contract;
    const struct site_type *a_type;
    struct site_bytes a_tile, b_tile; /* shapes only */
};
struct site_chain {
    const struct site_case *c;
    const struct tap_image_stream *d;
    struct layout d_contract;
    const struct site_type *d_type;
    size_t adders, fed; /* the first `fed` add into other registers, which nothing reads: perhaps they are copied */
    struct site_adder *adder; /* in the order of the text; owned */
    uint32_t rows, columns, k;
    uint32_t *a, *b, *found, *before; /* one tile each: factors, D, the D before it; owned */
};
/* The sites that add into the accumulator of D; ahead of them those next to them in the text whose registers have no
 * result of their own: a compiler may give a loop other registers than what it begins with. `why` is filled when they
 * cannot be followed; then *out is zero or not, and to be freed all the same. errors: STATUS_NO_MEMORY. */
enum status site_chain_make(const struct site_case *c, const struct tap_image_stream *d, struct site_chain *out,
                            char why[SITE_CHAIN_WHY], struct error *e);
void site_chain_free(struct site_chain *h); /* safe on a zeroed one */

/* The part of a chain that ran in one warpgroup, and in which order. */
struct site_walk {
    struct site_chain *chain;
    uint32_t block, warpgroup;
    struct site_schedule schedule;
    size_t adder[SITE_SCHEDULE_MOST]; /* of each site of the schedule */
};
/* What comes of the steps `first` to `last` on C; NULL is zero. *known: a scale-d of 0 said what it starts from.
 * *missing: a record that it takes is not there; *out is a product otherwise. errors: STATUS_NO_MEMORY. */
enum status site_walk_follow(const struct site_walk *w, uint64_t first, uint64_t last, const uint32_t *c,
                             struct tile_product *out, bool *known, bool *missing, struct error *e);

#endif
