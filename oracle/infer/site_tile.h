/* site_tile: the records of one operand at one site, as tiles of values.
 *
 * A view is one record: what the slots of the domain held when one warpgroup of one block came by for the n-th time.
 * The contract takes a slot to the element that it should hold; it is kept as two coordinates a slot. */
#ifndef FO_ORACLE_INFER_SITE_TILE_H
#define FO_ORACLE_INFER_SITE_TILE_H

#include "oracle/infer/site_source.h"
#include "oracle/io/tap_image.h"
#include "reference/layout.h"

struct site_view {
    uint32_t block, warpgroup, time; /* in the launch; time: times that the warpgroup came by before */
    const uint32_t *value;           /* [slots], masked; in the order of box_code of the domain */
};
struct site_tile {
    const struct site_type *type;
    struct layout contract; /* affine; tile.contract.domain are the slots, .codomain is the tile */
    size_t slots;
    uint32_t rows, columns; /* of the tile */
    uint32_t *row, *column; /* [slots]; what the contract wants; owned */
    size_t views;
    struct site_view *view; /* owned */
    uint32_t *values;       /* [views][slots]; owned */
};
/* Room for `views` views, their values zero. errors: STATUS_NO_MEMORY. */
enum status site_tile_make(const struct layout *contract, const struct site_type *type, size_t views,
                           struct site_tile *out, struct error *e);
void site_tile_free(struct site_tile *t); /* safe on a zeroed tile */
uint32_t *site_tile_values(struct site_tile *t, size_t view);

/* Take the registers of one thread apart into its slots of a view. needs: a domain (thread, reg, part). */
void site_tile_put(struct site_tile *t, size_t view, uint32_t thread, const uint32_t *words);

/* One record of a fragment as a tile: value[row][column], bits of the type. false: not every thread came by. */
bool site_fragment_take(const struct tap_image *image, const struct tap_image_stream *s, const struct layout *contract,
                        const struct site_type *type, uint32_t block, uint32_t warpgroup, uint32_t time,
                        uint32_t *value);

/* The times of a warpgroup that may have been recorded: *begin to *end - 1. */
void site_times(const struct tap_image *image, const struct tap_image_stream *s, uint32_t block, uint32_t warpgroup,
                uint32_t *begin, uint32_t *end);
/* All records of a stream of registers that are whole: every thread came by. errors: STATUS_NO_MEMORY.
 * *broken counts the records in which some threads came by and others did not. */
enum status site_tile_of_stream(const struct tap_image *image, const struct tap_image_stream *s,
                                const struct layout *contract, const struct site_type *type, struct site_tile *out,
                                size_t *broken, struct error *e);

#endif
