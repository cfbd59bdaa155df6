/* ptx_ask: everything that is asked of one module on the PTX machine, and what became of it. */
#ifndef FO_TESTS_MUTANTS_PTX_ASK_H
#define FO_TESTS_MUTANTS_PTX_ASK_H

#include <stdbool.h>

#include "probes/coded.h"
#include "tests/mutants/ptx_random.h"
#include "tests/mutants/ptx_watch.h"

enum ptx_fate {
    PTX_UNREAD,  /* the machine cannot take it */
    PTX_BREAKS,  /* it faults: detected without any probe */
    PTX_HANGS,   /* it does not end */
    PTX_EQUAL,   /* nothing that was asked came out in other bits */
    PTX_COUNTED, /* the probes have something to find */
    PTX_TROUBLE, /* the question failed */
    PTX_FATES
};

enum { PTX_SAID = 320 };

/* What the unmutated kernel is. */
struct ptx_base {
    struct coded_options shape;
    uint64_t outputs; /* hash of every output of the coded probe and of one random product */
    struct ptx_watch watch;
    struct ptx_roles roles;
    char note[PTX_SAID]; /* what the machine says of it */
};

struct ptx_asked {
    enum ptx_fate fate;
    char why[PTX_SAID]; /* unread, breaks: what the machine says */
    bool noted;         /* it says more than of the unmutated kernel: another hazard, another order */
    bool noticed;       /* the coded probe does not conform */
    struct ptx_random map;
    bool map_right;
    size_t wrong, explained, sums_asked, sums_predicted;
    unsigned stages, also; /* that explain.h names; as other possibilities */
    struct ptx_truth truth;
};

/* path: a sidecar. base: filled for a kernel that conforms. errors: STATUS_SUBJECT where it does not; others. */
enum status ptx_ask_base(const char *path, struct ptx_base *base, struct error *e);
/* The same of a mutant. Never fails: its fate says so. */
void ptx_ask_mutant(const char *path, const struct ptx_base *base, struct ptx_asked *out);

#endif
