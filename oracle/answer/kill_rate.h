/* kill_rate: how many of the planted faults are found, and how many get their name. Faults are planted by
 * kernels/faults.def and named by oracle/diagnose/, which share nothing.
 *
 * Found: the identity probe, the routing cases or the coded probe see it. Named: the diagnosis explains every
 * observation exactly, and what was planted is one of its exact explanations. A fault is judged at every shape, alone;
 * pairs are drawn with a seed, both in one kernel. A pair that another explanation with fewer faults gives exactly (one
 * of the two hides the other) is no pair: it is counted as hidden, and another is drawn.
 *
 * Faults that only hardware shows are races: they are run many times, and how often they were seen is told, not judged.
 */
#ifndef FO_ORACLE_ANSWER_KILL_RATE_H
#define FO_ORACLE_ANSWER_KILL_RATE_H

#include "oracle/answer/answer.h"
#include "oracle/exec/machine.h"

enum { KILL_CLASSES = 6, KILL_TEXT = 600 };

struct kill_count {
    size_t planted, detected, named;
    size_t alone; /* named, and no other explanation gives the same outputs */
};

/* A race. runs 0: not asked, for want of hardware. */
struct kill_race {
    const char *id, *name;
    size_t runs, seen;
};

enum { KILL_RACES = 8 };

struct kill_rate {
    struct kill_count by_class[KILL_CLASSES]; /* 'A' .. 'F'; a fault counts once at every shape */
    struct kill_count all, pairs;
    size_t shapes, hidden, races;
    struct kill_race race[KILL_RACES];
    char missed[KILL_TEXT]; /* "F12 at 96,80,192: unknown; rs+F03+F21: F03", as far as there is room */
};

struct kill_verdict {
    bool detected;
    bool named;     /* what its name says was planted */
    bool alone;     /* and nothing else of as many faults gives the same */
    bool hidden;    /* something with fewer faults gives the same, or nothing differs */
    char found[64]; /* the ids of the diagnosis, "unknown", "nothing" */
};
/* Name one subject at one shape: "rs+F01+F07". errors: those of subject_open and coded_run, STATUS_NO_MEMORY. */
enum status kill_ask(const char *subject, const struct machine *machine, const uint64_t shape[3], uint64_t seed,
                     struct kill_verdict *out, struct error *e);

/* All faults but those that only hardware shows, alone at every one of `shapes` [count][3], adds to *out. */
enum status kill_singles(const struct machine *machine, const uint64_t (*shapes)[3], size_t count, uint64_t seed,
                         struct kill_rate *out, struct error *e);
/* `count` pairs at one shape. */
enum status kill_pairs(const struct machine *machine, const uint64_t shape[3], size_t count, uint64_t seed,
                       struct kill_rate *out, struct error *e);
/* Every fault that only hardware shows, each `runs` times with another seed; none of them on a model. */
enum status kill_races(const struct machine *machine, const uint64_t shape[3], size_t runs, uint64_t seed,
                       struct kill_rate *out, struct error *e);

json_t *kill_json(const struct kill_rate *k); /* a new reference, NULL without memory */
void kill_text(const struct kill_rate *k, struct text *t);

#endif
