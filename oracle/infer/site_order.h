/* site_order: does every record of a tile hold the matrix in the order of the contract, and if not, in which order? */
#ifndef FO_ORACLE_INFER_SITE_ORDER_H
#define FO_ORACLE_INFER_SITE_ORDER_H

#include "oracle/infer/site_place.h"
#include "probes/infer.h"

/* A map that was found at another site of the capture. */
struct site_map {
    uint32_t site;
    const struct layout *map;
};
enum { SITE_MAPS = 4 };
/* What is asked, beyond the matrix. */
struct site_asked {
    struct site_at at;
    uint32_t ulps; /* values this far apart, in units in the last place, count as equal */
    size_t maps;   /* to try where the site has none of its own */
    struct site_map map[SITE_MAPS];
};

/* Where a map comes from that was not found but tried. */
enum site_guess { GUESS_NONE, GUESS_OTHER_SITE, GUESS_REGISTERS };

struct site_order {
    size_t views;
    struct site_place *place; /* [views]; found: the contract fits every slot there; owned */
    struct site_place *most;  /* [views]; found: all but a few slots, of those that it does not fit; owned */
    size_t conforming;        /* records that the contract fits */
    size_t close;             /* records that it fits but for a few slots */
    bool elsewhere;           /* it fits, but the first record not at the place that was asked for */
    int form;                 /* of the matrix that fits most of the records that fit at all */
    /* What the engine says of the records that do not conform, or of all when all do. */
    bool asked;
    struct infer_answer answer;
    /* A map that says something: of a tile, and no table that is one of many (where values are few, almost any table
     * fits, also when the values are wrong). */
    bool known;
    bool partial;          /* answer.map is that of site_partial: right but for some threads */
    enum site_guess guess; /* answer.map explains all but a few slots of a record, where the engine found none */
    uint32_t lender;       /* GUESS_OTHER_SITE: this one */
    struct site_place
        *found;     /* [views], where the map is known: where it fits, or (not found) all but a few slots; owned */
    size_t same;    /* records that do not conform and that answer.map explains, but for a few slots */
    size_t exactly; /* of these, those that it explains whole */
    size_t first;   /* the first record that does not conform; 0 when all do */
    size_t wrong;   /* slots of it that do not hold what the contract wants, where answer.map is known */
};
/* errors: STATUS_NO_MEMORY. Freed with site_order_free. */
enum status site_order_infer(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                             struct site_order *out, struct error *e);
void site_order_free(struct site_order *o); /* safe on a zeroed one */

#endif
