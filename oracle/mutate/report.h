/* report: what became of the mutants, as JSON fragoracle.mutate/1 and as a table by operator. */
#ifndef FO_ORACLE_MUTATE_REPORT_H
#define FO_ORACLE_MUTATE_REPORT_H

#include "oracle/mutate/mutants.h"
#include "oracle/mutate/trial.h"

enum fate {
    FATE_NONE,      /* not chosen */
    FATE_LISTED,    /* chosen, but there is no test */
    FATE_KILLED,    /* the test failed */
    FATE_HUNG,      /* the test did not end: killed, too */
    FATE_SURVIVED,  /* the test passed */
    FATE_UNDECIDED, /* the test passed and its output was the same: nothing was there to notice */
    FATE_REFUSED,   /* ptxas does not assemble it */
    FATES
};

enum { REPORT_NOTE = 200 };

struct outcome {
    enum fate fate;
    struct trial trial;
    char note[REPORT_NOTE]; /* what ptxas says that it did not say of the original, or why it refuses; "" */
};

struct report {
    const struct fo_mutate_options *options;
    const struct mutants *mutants;
    const struct outcome *outcome; /* of each mutant */
    const struct trial *original;  /* NULL without a test */
};

enum status report_make(const struct report *r, struct fo_answer *answer, struct error *e);

#endif
