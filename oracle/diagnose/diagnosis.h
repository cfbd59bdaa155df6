/* diagnosis: which known faults explain a source map, all of it, exactly.
 *
 * A name is given only where the prediction of the named faults agrees with every observation: every value, scale and
 * row of the map, every output of the pair planes, and the guard launch with its bad ids. Two faults are tried only
 * where no single one does. Whatever else it is, is unknown, with the nearest names as a ranking. */
#ifndef FO_ORACLE_DIAGNOSE_DIAGNOSIS_H
#define FO_ORACLE_DIAGNOSE_DIAGNOSIS_H

#include "oracle/diagnose/chain.h"
#include "oracle/diagnose/guard.h"
#include "probes/coded.h"

enum diagnosis_state {
    DIAGNOSIS_CONFORMS, /* nothing differs */
    DIAGNOSIS_NAMED,    /* explained exactly, by one or two */
    DIAGNOSIS_UNKNOWN
};

/* Of observations: how many differ from a right kernel, how many of those the prediction gives, and how many right ones
 * it would spoil. */
struct explained {
    size_t differing, explained, spoiled;
};

struct explanation {
    size_t count;                      /* faults: 1 or 2 */
    struct choice fault[CHAIN_MOST];   /* in the order in which they apply */
    bool exact;                        /* whole: everything was compared */
    struct explained map, pair, guard; /* values, scales and rows; outputs of pair planes; of the guard launch */
};

enum { DIAGNOSIS_EXACT = 8, DIAGNOSIS_NEAREST = 5 };

struct diagnosis {
    enum diagnosis_state state;
    size_t differing, compared; /* observations of all kinds */
    size_t exact;               /* explanations with the fewest faults that give the same outputs */
    struct explanation explanation[DIAGNOSIS_EXACT]; /* the first of them, as the table has them */
    size_t nearest;                                  /* where nothing is exact: best first */
    struct explanation near[DIAGNOSIS_NEAREST];
    bool steady;  /* the same launch gave the same bits */
    size_t tried; /* singles and pairs */
};

/* guard may be NULL (not asked). The geometry, which fault parameters refer to, is the caller's and lives as long.
 * errors: STATUS_NO_MEMORY. */
enum status diagnosis_make(const struct coded_result *r, const struct guard *guard, const struct geometry *g,
                           struct diagnosis *out, struct error *e);

/* "F07 scale-tile-relative (128 columns)" into text; returns text. */
const char *choice_text(const struct choice *c, char *text, size_t size);
/* Is it one of the catalogue, or an order without a name? */
bool explanation_has_names(const struct explanation *x);

#endif
