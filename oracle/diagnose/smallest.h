/* smallest: the smallest launch that still goes wrong, and one output of it. */
#ifndef FO_ORACLE_DIAGNOSE_SMALLEST_H
#define FO_ORACLE_DIAGNOSE_SMALLEST_H

#include "oracle/diagnose/hypothesis.h"
#include "probes/coded.h"

enum { SMALLEST_TEXT = 200 };

struct smallest {
    struct coded_options asked; /* of the smallest shape that was found to fail */
    size_t launches;            /* it took to find it */
    bool output;                /* the members below hold something */
    uint32_t p, n, k;           /* out[p][n], where row p of x holds a single 1 at k */
    bool numbers;               /* the two below hold something */
    struct bf16 expected, found;
    bool unwritten;                                  /* found nothing: the poison is still there */
    char took[SMALLEST_TEXT], wanted[SMALLEST_TEXT]; /* sources in words */
    char what[SMALLEST_TEXT];                        /* where no single output is wrong: what is */
};

/* subject NULL: nothing more can be asked, and one output of what is there is taken. Otherwise shrink N, then K, then
 * P, each to the smallest of a few sizes at which the coded probe of `subject` still does not conform. r: what it gave
 * at o. errors: as coded_run, except that a smaller launch that breaks is passed over; STATUS_NO_MEMORY. */
enum status smallest_find(const struct executor *subject, const struct coded_options *o, const struct coded_result *r,
                          struct smallest *out, struct error *e);

#endif
