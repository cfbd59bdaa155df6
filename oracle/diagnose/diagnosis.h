/* diagnosis: which known faults explain a source map, all of it, exactly.
 *
 * A name is given only where the prediction of the named faults agrees with every observation: every value, scale and
 * row of the map, every output of the pair planes, and every row of the guard launch with its bad ids. Two faults are
 * tried only where no single one does. Whatever else it is, is unknown, with the nearest names as a ranking. */
#ifndef FO_ORACLE_DIAGNOSE_DIAGNOSIS_H
#define FO_ORACLE_DIAGNOSE_DIAGNOSIS_H

#include "oracle/diagnose/chain.h"
#include "probes/coded.h"

enum diagnosis_state {
    DIAGNOSIS_CONFORMS,  /* nothing differs */
    DIAGNOSIS_EXPLAINED, /* exactly, by one or two; finding_has_names says whether the catalogue knows them */
    DIAGNOSIS_UNKNOWN
};

/* Of observations: how many differ from a right kernel, how many of those the prediction gives, and how many right ones
 * it would spoil. */
struct explained {
    size_t differing, explained, spoiled;
};

struct finding {
    size_t count;                      /* faults: 1 or 2 */
    struct choice fault[CHAIN_MOST];   /* in the order in which they apply */
    struct explained map, pair, guard; /* values, scales and rows; outputs of pair planes; rows of the guard */
};

enum { DIAGNOSIS_EXACT = 8, DIAGNOSIS_NEAREST = 5 };

struct diagnosis {
    enum diagnosis_state state;
    struct explained right;                  /* what a right kernel explains: only `differing` says something */
    size_t compared;                         /* observations of all kinds */
    size_t exact;                            /* explanations with the fewest faults, all of the same outputs */
    struct finding finding[DIAGNOSIS_EXACT]; /* the first of them, as the table has them */
    size_t nearest;                          /* where nothing is exact: single faults, best first */
    struct finding near[DIAGNOSIS_NEAREST];
    size_t tried; /* singles and pairs */
};

/* g: of r->map; the caller's, as long as the diagnosis is used. What the dense product, counters and repeats say is not
 * looked at. errors: STATUS_NO_MEMORY. */
enum status diagnosis_make(const struct coded_result *r, const struct geometry *g, struct diagnosis *out,
                           struct error *e);

/* "F07 scale-tile-relative (128 columns)" into text; returns text. */
const char *choice_text(const struct choice *c, char *text, size_t size);
/* Is it one of the catalogue, or an order without a name? */
bool finding_has_names(const struct finding *x);

#endif
