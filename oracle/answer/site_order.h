/* site_order: does every record of a tile hold the matrix in the order of the contract, and if not, in which order? */
#ifndef FO_ORACLE_ANSWER_SITE_ORDER_H
#define FO_ORACLE_ANSWER_SITE_ORDER_H

#include "oracle/answer/site_place.h"
#include "probes/infer.h"

struct site_order {
    size_t views;
    struct site_place *place; /* [views]; found: the contract fits every slot there; owned */
    size_t conforming;        /* records that the contract fits */
    bool elsewhere;           /* it fits, but the first record not at the place that was asked for */
    int form;                 /* of the matrix that fits most of the records that fit at all */
    /* What the engine says of the records that do not conform, or of all when all do. */
    bool asked;
    struct infer_answer answer;
    /* A map that says something: of a tile, and no table that is one of many (where values are few, almost any table
     * fits, also when the values are wrong). */
    bool known;
    bool partial;       /* answer.map is that of site_partial: right but for some threads */
    size_t asked_views; /* records in the question */
    size_t same;        /* records that do not conform and that answer.map explains */
    size_t first;       /* the first record that does not conform; 0 when all do */
    size_t wrong;       /* slots of it that do not hold what the contract wants, where answer.map is known */
};
/* errors: STATUS_NO_MEMORY. Freed with site_order_free. */
enum status site_order_infer(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                             struct site_order *out, struct error *e);
void site_order_free(struct site_order *o); /* safe on a zeroed one */

#endif
