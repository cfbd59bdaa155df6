/* explain: what a kernel really does, stage by stage, from a source map. No list of known faults takes part: formulas
 * are read off the map (explain_rule.h), sets are described as products of conditions (explain_where.h), and what
 * neither says stays a map.
 *
 * An output out[p][n] of sweep s, where row p of x holds its 1 at column k, goes backwards through the stages:
 *
 *     epilogue    (n, t)      -> (n, t)      which accumulator was stored here; t: the token inside its tile
 *     routing     r           -> r           which row of the segment that was; and which expert it was given
 *     descriptor  (k, t % 8)  -> k           at which column of A's did the tensor core read the 1
 *     fragment    (n, k)      -> (n, k)      which decoded and scaled weight stood there: value and scale move together
 *     values      (n, k)      -> (n, k)      whose code that weight had
 *     scales      (n, b)      -> (n, b)      whose scale; b = k / 32
 *     arithmetic                             the sum
 *
 * Each code of the map is one equation about a chain of these. They come apart like this.
 *
 * - The row that was found says everything about rows; k means the column of that row's 1 from then on. A row that
 *   depends on n too comes out of the accumulators: epilogue, ambiguous with the descriptor unless n moves as well,
 *   because warps that have features of their own may load x, too. One that depends on p alone is epilogue when the
 *   same table of the place in the tile serves every tile, else routing. A shift or a rotation is routing.
 * - The expert that value and scale agree about is routing. Where only one of the two has another expert, its address
 *   is wrong, and its rule is about m = e * N + n.
 * - The rest is value(n, k, t) and scale(n, k, t). If they depend on the row, x stands wrong in shared memory. A column
 *   that changes with t % 8 and moves scale and value together is the descriptor; it is separated from a pack order,
 *   which moves them too, by asking which exclusive-or in each residue of t leaves the same order in all of them.
 * - If n alone moves, for both, the row index of A's load and the feature index of the epilogue cannot be told apart by
 *   outputs. Where A is known to be right or wrong that decides. Else: an epilogue stores every accumulator once, so a
 *   row that is lost or found twice points to the load, an exchange of rows to the epilogue; `ambiguous` names the
 *   other.
 * - If k alone moves, in whole chunks of eight that leave their block, both the descriptor and A's load can do it.
 * - If value and scale move differently, fragment, values and scales have several solutions; the one with fewest
 *   parameters is taken. A move inside one block of 32 leaves the scale right whoever did it: a pack order is then said
 *   of the fragment, anything else of the values, each ambiguous with the other.
 * - Zeros that no rule predicts (a rule predicts a zero where it leaves the matrix), and outputs that were never
 *   written, are described as a set: by rows alone it is routing, by the place in a tile epilogue (never written) or
 *   descriptor (zero), by n and k values.
 * - The pair planes are looked up through the sources that were found, so that what is only misplaced is right; what
 *   is wrong then is the decode: scales when it depends on the scale byte alone, epilogue when it depends on the result
 *   alone, else values.
 * - Everything right and yet special weights give other sums: scales when every one of them is Inf where NaN is wanted
 *   (a scale of 255), else values, ambiguous with scales.
 * - Observations that no rule accounts for count where they show. Two outputs of a tile that show the whole sum of each
 *   other are exchanged accumulators: epilogue. Where only n or only the row moved, for some columns, it could be an
 *   accumulator all the same, and `also` says so.
 * - A product with the wrong sign says nothing of who took it that way: values, ambiguous with all that has a sign.
 * - Everything right and yet the dense product differs, or not the same twice: arithmetic; ambiguous with the
 *   descriptor, because a sweep asks one column of a row of x. Where factors are wrong the sums of the dense product
 *   are held against those of the factors that were found: a check of the whole explanation
 *   on inputs that no code was read from.
 *
 * What is counted. An explanation predicts every code of the map. `wrong` of a stage: observations that the explanation
 * gets wrong once this stage is taken for right; `explained`: those of them that it gets right. An observation that no
 * stage accounts for is wrong in the stage where it shows and makes that stage undecided. Formulas must hold for every
 * code that was found: one exception and there is no formula. */
#ifndef FO_PROBES_EXPLAIN_H
#define FO_PROBES_EXPLAIN_H

#include "probes/explain_rule.h"
#include "probes/explain_where.h"
#include "probes/source_map.h"
#include "reference/bf16.h"

enum explain_stage {
    EXPLAIN_VALUES,
    EXPLAIN_SCALES,
    EXPLAIN_FRAGMENT,
    EXPLAIN_DESCRIPTOR,
    EXPLAIN_EPILOGUE,
    EXPLAIN_ROUTING,
    EXPLAIN_ARITHMETIC,
    EXPLAIN_STAGES
};
const char *explain_stage_name(enum explain_stage s); /* "values", ... */

enum explain_state { EXPLAIN_NOT_ASKED, EXPLAIN_CONFORMS, EXPLAIN_DIFFERS, EXPLAIN_UNDECIDED };
const char *explain_state_name(enum explain_state s); /* "not asked", ... */

/* What is known about the A registers from elsewhere (a checksum, a capture). */
enum explain_registers { EXPLAIN_A_UNKNOWN, EXPLAIN_A_RIGHT, EXPLAIN_A_WRONG };

/* The pair planes, as coded.h has them. planes 0: not asked. */
struct explain_pairs {
    size_t planes;
    const struct bf16 *out; /* [planes][sweeps][P][N] */
    uint32_t (*code)(const struct source_map *m, size_t plane, struct source_point value);
    uint32_t (*scale)(const struct source_map *m, size_t plane, struct source_point scale, bool no_scales);
    bool no_scales;
};

/* The dense product of coded.h: out [P][N], x [P][K], weights as codes of FP4 in checkpoint order under scales of 1.
 * Every partial sum is exact in every order. All NULL: not given. */
struct explain_dense {
    const struct bf16 *out, *x;
    const uint8_t *blocks;
};

struct explain_question {
    const struct source_map *map;
    struct explain_pairs pairs;
    size_t dense_count, dense_differing; /* 0: not asked */
    struct explain_dense dense;
    size_t special_count, special_differing, special_nan_is_infinite; /* as struct coded_special; 0: not asked */
    bool changes;                                                     /* the same launch gave other bits */
    int64_t guard_wrong; /* launches with bad ids or starts that went wrong, -1: not asked */
    uint32_t tile[3];    /* features, tokens, K of one tile; 0 where unknown: 64 tokens, then 128, 256 are tried */
    enum explain_registers registers;
};

/* What stands where something else should. */
enum explain_effect {
    EXPLAIN_IS_ZERO,
    EXPLAIN_IS_UNWRITTEN,
    EXPLAIN_IS_COMPUTED, /* a row that no segment covers */
    EXPLAIN_IS_INF,
    EXPLAIN_IS_NAN,
    EXPLAIN_IS_NEGATED,
    EXPLAIN_IS_POSITIVE, /* the sign is lost */
    EXPLAIN_IS_LARGEST,  /* the largest finite bf16, sign kept */
    EXPLAIN_IS_SCALED,   /* times 2^`exponent` */
    EXPLAIN_IS_CONSTANT, /* a weight under no scale of any block: times 2^`exponent`, EXPLAIN_NO_EXPONENT if unknown */
    EXPLAIN_IS_HIDDEN,   /* no weight: not finite, or the same whatever the weights are */
    EXPLAIN_EFFECTS
};
const char *explain_effect_name(enum explain_effect x);

enum { EXPLAIN_NO_EXPONENT = INT16_MIN };
struct explain_set {
    enum explain_effect effect;
    int exponent;
    struct where where;
};

enum { EXPLAIN_SETS = 6, EXPLAIN_TEXT = 640, EXPLAIN_SLOTS = 16 };

struct explain_part {
    enum explain_state state;
    size_t observations, wrong, explained;
    char what[EXPLAIN_TEXT];                        /* one sentence; empty when it conforms */
    char found[EXPLAIN_TEXT], wanted[EXPLAIN_TEXT]; /* index formulas; empty when there is none */
    struct source_rule rule;                        /* the identity unless it differs by a formula or a table */
    /* routing: the rows of a segment (r, or p where the rule is about the launch) are in `rule`, experts in this one,
     * of (e, a): a is the number of the segment. */
    struct source_rule expert;
    unsigned pack_slots;               /* 0: no pack order; slots of one thread: 8, or 16 for 8-bit types */
    uint8_t pack_order[EXPLAIN_SLOTS]; /* slot s holds v[pack_order[s]] */
    uint8_t pack_wanted[EXPLAIN_SLOTS];
    int sets;
    struct explain_set set[EXPLAIN_SETS];
    int ambiguous; /* the stage that could as well be it, or -1 */
    unsigned also; /* bit s: so could stage s, beside that one */
};

struct explanation {
    struct explain_part part[EXPLAIN_STAGES];
    size_t observations, wrong, explained; /* of the map: wrong in any code; predicted in all */
    /* Outputs of the dense product that the explanation says something of; those that are what it says. 0: not asked,
     * or the codes are not all explained, or only by a table. */
    size_t sums_asked, sums_predicted;
};

/* errors: STATUS_NO_MEMORY. */
enum status explain_run(const struct explain_question *q, struct explanation *out, struct error *e);
void explanation_free(struct explanation *x); /* safe when zeroed */

#endif
