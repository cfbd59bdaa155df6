/* hypothesis: the known ways for a grouped MXFP4 kernel to be wrong, each as what it does to a chain from an output
 * back to its sources.
 *
 * A chain is read backwards, as a question: which product element did this output take (restore, routing, epilogue)?
 * at which column did it meet the 1 of that row of x (descriptor)? and of which weight and which scale was the operand
 * made there (register, load, address, store, data, source)? A right kernel answers every step with "the same", so a
 * hypothesis states only the step that it changes. Steps are applied in the order of enum chain_depth; two of one depth
 * may stand either way round, and chain.h tries both.
 *
 * This table is written from what the faults do to numbers. It shares nothing with what plants them
 * (kernels/faults.def), so that a fault and its name are held against each other and not against themselves. */
#ifndef FO_ORACLE_DIAGNOSE_HYPOTHESIS_H
#define FO_ORACLE_DIAGNOSE_HYPOTHESIS_H

#include "probes/source_map.h"

/* The run that a row belongs to: a segment, or the rows between segments. */
struct row_run {
    int32_t segment; /* -1: none covers it */
    uint32_t first, rows;
};

/* What a launch does with a row of the output. */
enum site_state { SITE_COMPUTED, SITE_ZERO, SITE_UNWRITTEN };
struct row_place {
    enum site_state state;
    int32_t expert;                 /* needs: SITE_COMPUTED */
    uint32_t tile_first, tile_rows; /* rows of its token tile */
};

/* A launch, and the tile of the kernel that answered it. */
struct geometry {
    const struct source_map *map;
    uint32_t P, N, K, experts, active;
    uint32_t tile_features, tile_tokens, tile_K;
    struct row_run *run;     /* [P], owned */
    struct row_place *place; /* [P], owned: what a right launch does */
};

/* The ways in which a launch goes wrong. All zero: right. */
struct launch {
    bool by_expert;     /* the rows of a segment are looked up by its id */
    bool one_more;      /* one segment past the active ones is read: expert 0, up to P */
    bool clamps;        /* ids outside the experts are clamped, and not reported */
    bool skips;         /* ids that are not below the number of segments return */
    bool grid_by_rows;  /* no more token tiles than P rows of one segment have */
    bool zeros_return;  /* tiles of no expert return */
    bool overlaps;      /* the last tile of a segment writes all its rows, and last */
    uint32_t rows_most; /* of a segment that are computed; 0: all */
};

/* The product element that an output took. */
struct site {
    enum site_state state;
    uint32_t p, n;     /* row of the output; after the epilogue: row and feature of the product */
    uint32_t token;    /* p inside its tile */
    int32_t expert;    /* needs: SITE_COMPUTED */
    bool padding, lit; /* a row past the tile's own; some column of the operand meets the 1 of x */
    uint32_t k;        /* that column */
};

/* An element of the operand, followed to where it was stored. Expert and n may leave the arrays on the way. */
struct element {
    uint32_t expert, n, k; /* of a scale too: k is a column of its block */
    bool nothing;          /* masked, or padding: a code of 0, a scale byte of 0 */
};

struct decode {
    uint32_t code, scale; /* 0..15, 0..255 */
    uint32_t n, k;        /* the element as the registers hold it, before any address goes astray */
    bool zero_is_nothing; /* scale 0 is 0.0 */
    bool nan_is_infinity; /* scale 255 is Inf */
    bool folded;          /* 2^126 times the scale first */
};

enum chain_depth {
    DEPTH_RESTORE,
    DEPTH_ROUTING,
    DEPTH_EPILOGUE,
    DEPTH_DESCRIPTOR,
    DEPTH_REGISTER,
    DEPTH_LOAD,
    DEPTH_ADDRESS,
    DEPTH_STORE,
    DEPTH_DATA,
    DEPTH_SOURCE,
    DEPTH_DECODE
};

/* A hypothesis with its parameter. */
struct choice {
    const struct hypothesis *is;
    uint32_t parameter; /* 0 where there is none */
    uint8_t order[8];   /* pack orders: slot 2r+h holds v[order[2r+h]] */
};
enum { CHOICES = 8 };

struct hypothesis {
    const char *id, *name; /* "F07", "scale-tile-relative"; id NULL: an order that has no name */
    const char *stage;     /* "values", "scales", "fragment", "descriptor", "epilogue", "routing", "arithmetic" */
    enum chain_depth depth;
    void (*place)(const struct geometry *g, const struct choice *c, struct site *s);
    void (*launch)(const struct choice *c, struct launch *l);
    void (*value)(const struct geometry *g, const struct choice *c, struct element *e);
    void (*scale)(const struct geometry *g, const struct choice *c, struct element *e);
    void (*decode)(const struct choice *c, struct decode *d);
    bool launders; /* NaN to 0 and Inf to the largest finite value, on the way out */
    bool mixes;    /* bits of several weights make one: DEPTH_DATA */
    /* Parameters worth trying, at most CHOICES; NULL: it has none. */
    size_t (*choices)(const struct geometry *g, const struct hypothesis *h, struct choice *out);
    const char *parameter; /* printf format of one unsigned, or NULL */
    const char *what;      /* a sentence without an end */
    const char *found;     /* the formula as it is */
    const char *wanted;    /* and as the contract has it */
};

size_t hypothesis_count(void);
const struct hypothesis *hypothesis_at(size_t i);

/* tile: features, tokens and K of one tile; a zero stands for 64, 64, 128. errors: STATUS_NO_MEMORY. */
enum status geometry_make(const struct source_map *map, const uint32_t tile[3], struct geometry *out, struct error *e);
void geometry_free(struct geometry *g); /* safe on a zeroed geometry */

/* What a launch does with each row: place [P]. */
void launch_rows(const struct geometry *g, const struct launch *l, struct row_place *place);

/* The element that a slot of the fragment takes under a pack order: n and k change inside their 16 x 16. */
void order_apply(const uint8_t order[8], uint32_t *n, uint32_t *k);
extern const uint8_t order_wanted[8];

/* One table a file; hypothesis.c joins them. */
extern const struct hypothesis hypotheses_operand[], hypotheses_place[];
extern const size_t hypotheses_operand_count, hypotheses_place_count;

#endif
