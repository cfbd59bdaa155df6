/* evidence: what was observed, held against what a chain predicts. */
#ifndef FO_ORACLE_DIAGNOSE_EVIDENCE_H
#define FO_ORACLE_DIAGNOSE_EVIDENCE_H

#include "oracle/diagnose/diagnosis.h"
#include "oracle/diagnose/outputs.h"

enum { EVIDENCE_SAMPLE = 1024, EVIDENCE_FEW = 128 };

/* Some observations of one kind, as many that differ from a right kernel as that do not, where there are. */
struct sample {
    size_t count, at[2 * EVIDENCE_SAMPLE];
};

struct evidence {
    const struct coded_result *r;
    const struct geometry *g;
    struct geometry guard;         /* of the guard launch; nothing in it where it was not asked */
    struct row_place *guard_place; /* [P]: of the chain that is asked about */
    struct source_map guard_map;   /* its segments */
    uint32_t guard_starts[4];
    int32_t guard_ids[3];
    struct outputs outputs;
    uint8_t *wrong;                                      /* [observations]: bits of value, scale, row that differ */
    uint8_t *wrong_pair;                                 /* [pair planes][observations] */
    struct sample map, pair;                             /* EVIDENCE_SAMPLE of each sort */
    struct sample few_map, few_pair;                     /* EVIDENCE_FEW: enough to rank by */
    struct explained right_map, right_pair, right_guard; /* of a right kernel: only `differing` says something */
};

/* errors: STATUS_NO_MEMORY. */
enum status evidence_make(const struct coded_result *r, const struct geometry *g, struct evidence *out,
                          struct error *e);
void evidence_free(struct evidence *v); /* safe on zeroed evidence */

/* strict: stop at the first thing that the chain does not give. s NULL: all observations. */
struct explained evidence_map(const struct evidence *v, const struct chain *c, const struct sample *s, bool strict);
/* Forget the rows of the chain before (outputs_forget). */
struct explained evidence_pair(struct evidence *v, const struct chain *c, const struct sample *s, bool strict);
struct explained evidence_guard(const struct evidence *v, const struct chain *c);
/* Everything that differs is explained, and nothing spoiled. */
bool explained_exactly(const struct explained *x);

#endif
