/* stages: what `check` asks, in the order in which one answer rests on another. stages.c asks of the reference,
 * stages_inference.c of what recovers layouts, stages_subject.c of the subject. */
#ifndef FO_ORACLE_ANSWER_STAGES_H
#define FO_ORACLE_ANSWER_STAGES_H

#include "oracle/answer/answer.h"

struct check {
    const struct fo_check_options *options;
    struct machine machine;
    const char *subject; /* its name */
    uint64_t seed;
};

struct stage_result {
    enum fo_verdict verdict;
    char evidence[48]; /* "proved", "exhaustive", "sampled", "measured", "replayed" */
    char counted[200]; /* what was counted */
    char detail[480];  /* the first thing that is wrong, and the line that repeats it; "" if nothing is */
    double seconds;
    json_t *table; /* more of what was counted, NULL for nothing; owned */
    struct text table_text;
};

enum { STAGE_COUNT = 11 };

struct stage {
    const char *name, *question;
    unsigned rests_on; /* bit i: stage i */
    enum status (*run)(const struct check *c, struct stage_result *r, struct error *e);
};

extern const struct stage check_stages[STAGE_COUNT];

/* The stages of stages_inference.c and stages_subject.c. */
enum status stage_inference(const struct check *c, struct stage_result *r, struct error *e);
enum status stage_identity(const struct check *c, struct stage_result *r, struct error *e);
enum status stage_routing(const struct check *c, struct stage_result *r, struct error *e);
enum status stage_planted(const struct check *c, struct stage_result *r, struct error *e);
enum status stage_product(const struct check *c, struct stage_result *r, struct error *e);

#endif
