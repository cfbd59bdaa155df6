/* site_chunks: where the 16-byte chunks of a captured tile stand in the matrix.
 *
 * A line is what is contiguous in shared memory: a row of N (or M) of a K-major tile, one k of an MN-major one. A
 * chunk is so many elements along a line; chunks of the matrix are counted from its beginning. */
#ifndef FO_ORACLE_INFER_SITE_CHUNKS_H
#define FO_ORACLE_INFER_SITE_CHUNKS_H

#include "oracle/answer/answer.h"
#include "oracle/infer/site_source.h"

struct site_chunk_tile {
    uint32_t lines, along; /* chunks: lines x along */
    uint32_t elements;     /* of a chunk */
    bool leads;            /* the leading byte offset, not the stride, takes 8 lines to the next 8 */
    const uint32_t *value; /* [lines][along][elements] */
};

/* One chunk: where it stands. */
struct site_chunk {
    enum { CHUNK_NOWHERE, CHUNK_ONCE, CHUNK_OFTEN } stands;
    uint32_t line, at; /* of the matrix; where CHUNK_ONCE, or the first place */
};
struct site_chunks {
    size_t count, once, often, nowhere;
    struct site_chunk *chunk; /* [lines][along]; owned */
    bool placed;              /* most chunks that stand once agree on where the tile begins */
    uint32_t line, at;        /* there */
    size_t agree;             /* chunks that stand where they should */
};
/* lines_are_columns: a line of the tile is a column of the matrix. errors: STATUS_NO_MEMORY. */
enum status site_chunks_find(const struct site_chunk_tile *t, const struct site_matrix *m, int form,
                             bool lines_are_columns, struct site_chunks *out, struct error *e);
void site_chunks_free(struct site_chunks *c);

/* What the places say, in words: lines that hold other lines, chunks exclusive-or'ed. needs: placed. line_name: "row"
 * or "k". */
enum { SITE_CHUNK_CAUSE = 240 };
void site_chunks_words(const struct site_chunk_tile *t, const struct site_chunks *c, const char *line_name,
                       char cause[SITE_CHUNK_CAUSE]);

#endif
