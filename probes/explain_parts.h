/* explain_parts: what the files of explain share; nothing for others. */
#ifndef FO_PROBES_EXPLAIN_PARTS_H
#define FO_PROBES_EXPLAIN_PARTS_H

#include "probes/explain.h"

#define NO_ROW 0xffffffffu
enum { BLOCK = 32, TOKEN_GROUP = 8 };

/* A row of the launch. */
struct explain_row {
    int32_t expert;           /* -1: no segment covers it */
    uint32_t segment;         /* `active` when none does */
    uint32_t first, rows;     /* of the segment */
    uint32_t tile, tile_rows; /* first row of the token tile, rows in it */
};

enum row_space { ROWS_OF_SEGMENT, ROWS_OF_LAUNCH };

/* The explanation in the form that predicts. Sets by stage stand in the parts. */
struct explain_model {
    struct source_rule epilogue, routing, expert, descriptor, fragment, values, scales;
    enum row_space row_space;      /* of routing */
    bool values_flat, scales_flat; /* their n is e * N + n */
    bool expert_of_output;         /* the expert is that of the row that is written, not of the row that is read */
    int32_t extra_expert;          /* of rows that no segment covers, where they are computed */
};

/* A pack order: slot s holds what slot order[s] of the same thread should. */
struct explain_pack {
    unsigned slots, columns; /* 8 slots in steps of 16 columns, 16 in steps of 32 */
    uint8_t order[EXPLAIN_SLOTS];
};
struct explain_pack_map { /* rows 0..15 of a fragment and one step of columns */
    unsigned slots, columns;
    uint8_t slot[16][32], thread[16][32];
    uint8_t row[32][EXPLAIN_SLOTS], column[32][EXPLAIN_SLOTS]; /* [thread][slot] */
};

struct explain_session {
    struct explain_pack_map pack[2]; /* 16-bit and 8-bit types */
    const struct explain_question *q;
    const struct source_map *m;
    uint32_t tokens;         /* of one tile */
    struct explain_row *row; /* [P] */
    bool asked, scales_asked;
    bool rows_change; /* the row behind some output changes with the column that is asked */
    uint32_t *shows;  /* [P][N]: the output p' * N + n' whose sum stands here in every sweep; RULE_UNSEEN: of no one */
    uint32_t *experts_of; /* [P]: what experts value and scale agree about, or RULE_UNSEEN */
    struct explain_model model;
    struct explanation x;
};

/* One observation: place, and the row that it really came from as far as that is known. */
struct explain_place {
    size_t at;
    uint32_t s, p, n;
    uint32_t p1;    /* row of x, NO_ROW where nothing says it */
    uint32_t n1;    /* feature of the accumulator, by the epilogue rule */
    uint32_t k, t1; /* column of the 1 of row p1; its token in the tile */
};
/* By the codes that were found, where they say it, and by the rules. false: the rules say that it is a zero. */
bool explain_place(const struct explain_session *x, size_t s, size_t p, size_t n, struct explain_place *out);

enum status explain_rows(struct explain_session *x, struct error *e);
enum status explain_experts(struct explain_session *x, struct error *e);
/* Whole sums at the places of others: fills x->shows. errors: STATUS_NO_MEMORY. */
enum status explain_outputs(struct explain_session *x, struct error *e);
enum status explain_places(struct explain_session *x, struct error *e);
enum status explain_holes(struct explain_session *x, struct error *e);
enum status explain_pair_planes(struct explain_session *x, struct error *e);

void explain_pack_maps(struct explain_pack_map map[2]);
/* The pack order of samples of (n, k); false: there is none, or it changes nothing. */
bool explain_pack_find(const struct explain_pack_map *map, const struct rule_samples *s, struct explain_pack *out);
enum status explain_pack_rule(const struct explain_pack_map *map, const struct explain_pack *pack,
                              const uint32_t extent[2], struct source_rule *out, struct error *e);
/* Orders as the words of the code: slot s holds v[order[s]]. */
void explain_pack_words(const struct explain_pack *pack, uint8_t found[EXPLAIN_SLOTS], uint8_t wanted[EXPLAIN_SLOTS]);

struct explain_code {
    uint32_t value, scale, row;
};
/* What the explanation predicts; `without`: a stage to be taken for right, or EXPLAIN_STAGES. column [P]: where each
 * row of x holds its 1, as explain_columns gives it for a sweep. */
struct explain_code explain_predict(const struct explain_session *x, enum explain_stage without, const uint32_t *column,
                                    size_t p, size_t n);
static inline const uint32_t *explain_columns(const struct explain_session *x, size_t sweep)
{
    return x->m->column + sweep * x->m->P;
}
/* Does a prediction agree with what was found? What was not found out agrees with anything. */
bool explain_agrees(const struct explain_session *x, struct explain_code c, size_t at);

/* The sentences of a stage, once its state is known. */
void explain_say(struct explain_part *p, enum explain_stage g);

/* Features of an observation, for the sets of zeros. */
enum { HOLE_FEATURES = 11 };
void explain_features(const struct explain_session *x, struct where_feature f[HOLE_FEATURES]);
void explain_feature_values(const struct explain_session *x, const uint32_t *column, size_t p, size_t n,
                            uint32_t value[WHERE_FEATURES]);

/* Hold the dense product against the sums that the explanation predicts; fills sums_asked and sums_predicted of
 * x->x. errors: STATUS_NO_MEMORY. */
enum status explain_sums(struct explain_session *x, struct error *e);

#endif
