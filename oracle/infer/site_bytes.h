/* site_bytes: the tiles that descriptors name, as elements (row, k). */
#ifndef FO_ORACLE_INFER_SITE_BYTES_H
#define FO_ORACLE_INFER_SITE_BYTES_H

#include "oracle/infer/site.h"

struct site_bytes {
    uint32_t rows, columns; /* N or M, and K of one step */
    uint32_t chunk;         /* elements in 16 bytes */
    bool mn;                /* MN-major in shared memory */
    bool leads;             /* MN-major without a swizzle: the leading byte offset goes from 8 k to the next 8 */
    struct site_tile tile;  /* slots (row, k); the contract takes them to (k, n) of B, (m, k) of A */
};
/* operand: 'A' or 'B'. *recorded: there is a stream of its bytes that fits the operation. errors: STATUS_NO_MEMORY. */
enum status site_bytes_read(const struct site_case *c, char operand, struct site_bytes *out, bool *recorded,
                            struct error *e);
/* The same without its records: tile.views is 0. */
enum status site_bytes_shape(const struct site_case *c, char operand, struct site_bytes *out, bool *recorded,
                             struct error *e);
void site_bytes_free(struct site_bytes *b); /* safe on a zeroed one */
/* One record into value[rows * columns], bits of the type. false: not every thread came by. */
bool site_bytes_take(const struct site_case *c, const struct tap_image_stream *s, const struct site_bytes *b,
                     uint32_t block, uint32_t warpgroup, uint32_t time, uint32_t *value);

#endif
