/* site: the verdicts about one wgmma of a capture, station by station.
 *
 * A station asks one thing of what was recorded at a site. What it needs and does not find makes it not-applicable
 * (nothing to compare with) or undecided (something is missing), with the reason. Stations are in the order in which a
 * wrong answer arises: the first that differs places the fault. */
#ifndef FO_ORACLE_INFER_SITE_H
#define FO_ORACLE_INFER_SITE_H

#include "oracle/answer/answer.h"
#include "oracle/infer/site_order.h"
#include "reference/wgmma.h"

/* A matrix of the question, in the types that sites asked for so far. */
struct site_operand {
    bool given;
    struct site_source source;
    struct site_matrix matrix; /* of the last type asked for; type NULL: none yet */
};
/* errors: those of site_matrix_make. */
enum status site_operand_matrix(struct site_operand *o, const struct site_type *t, const struct site_matrix **out,
                                struct error *e);
void site_operand_free(struct site_operand *o);

/* What is asked about one site. */
struct site_case {
    const struct tap_image *image;
    uint32_t site;
    char op_name[64];
    bool op_known;      /* wgmma_parse took it; */
    struct wgmma_op op; /* then this is it */
    struct site_operand *a, *b, *output;
    const struct site_type *output_type; /* NULL: what fits */
    const struct site_asked *asked;
};

/* Findings of neighbours that differ in nothing but counts are told as one. So a cause holds marks in place of these
 * counts, and they are added up. */
struct site_count {
    size_t right, of; /* slots, elements or values, over all records */
    size_t good, records;
    size_t off;   /* right ones that are so within --ulps only */
    size_t worst; /* units in the last place; the largest is taken, not the sum */
};
#define SITE_RIGHT   "\1"
#define SITE_OF      "\2"
#define SITE_GOOD    "\3"
#define SITE_RECORDS "\4"
#define SITE_OFF     "\5"
#define SITE_WORST   "\6"

enum { SITE_FINDING_CAUSE = 400, SITE_FIX = 160 };
struct site_finding {
    const char *station; /* "assert", "A", "B", "D", "epilogue" */
    enum fo_verdict verdict;
    const char *stage; /* of a difference: "order", "origin", "values", "decode", "scale", "descriptor", "arithmetic",
                        * "output index"; "" otherwise */
    char cause[SITE_FINDING_CAUSE]; /* one line: the evidence, with marks */
    struct site_count count;        /* of the marks */
    char fix[SITE_FIX];             /* what to change, where that was inferred; else "" */
    struct text detail;             /* more lines, indented */
    struct text note;               /* lines about this site alone, not indented */
    /* Members beyond these; owned. "tiles" [[i,j]..] and "descriptor" {start, leading, stride, base, swizzle} are told
     * in the text too. */
    json_t *document;
    struct layout map; /* A and D of registers: what was found; freed with site_finding_free */
    bool map_known;
    bool unexplained; /* no map of its own was found, and another site's may be it */
};
void site_finding_free(struct site_finding *f);

/* A finding that starts as not-applicable. errors: STATUS_NO_MEMORY for all of them and for every station. */
typedef enum status site_station(const struct site_case *c, struct site_finding *f, struct error *e);
site_station site_a_check, site_b_check, site_d_check, site_epilogue_check, site_assert_check;

/* Judge one tile of registers; the part of site_a_check that a dump without a capture shares. */
enum status site_registers_check(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                                 struct site_finding *f, struct error *e);
/* Judge the bytes of a descriptor. operand: 'A' or 'B'. */
enum status site_bytes_check(const struct site_case *c, char operand, struct site_finding *f, struct error *e);

/* Write a cause with these counts in place of its marks. */
void site_cause_words(const char *cause, const struct site_count *count, char words[SITE_FINDING_CAUSE]);
void site_conclude(struct site_finding *f, enum fo_verdict verdict, const char *stage, const char *cause, ...)
    STATUS_PRINTF(4, 5);

#endif
