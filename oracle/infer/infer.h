/* infer: the parts of fo_infer. What was asked, and the answer put together from the findings of all sites. */
#ifndef FO_ORACLE_INFER_INFER_H
#define FO_ORACLE_INFER_INFER_H

#include "oracle/infer/site.h"

/* The matrices of a question, read and held against each other. */
struct infer_case {
    const struct fo_infer_options *options;
    struct site_operand a, b, output;
    const struct site_type *output_type;
    struct site_asked asked;
};
/* errors: STATUS_BAD_ARGUMENT: options that contradict each other or cannot be read; those of site_source_read;
 * STATUS_BAD_INPUT: matrices whose shapes do not belong together (and whether one must be transposed). */
enum status infer_case_make(const struct fo_infer_options *o, struct infer_case *out, struct error *e);
void infer_case_free(struct infer_case *c);

enum { INFER_STATIONS = 5 };
/* What was found at one site. */
struct infer_site {
    uint32_t site;
    char op[64], source[112], where[128]; /* where: site and source */
    bool reached;                         /* some thread of the window came by */
    struct site_finding finding[INFER_STATIONS];
};
/* All of it. */
struct infer_report {
    const char *path;              /* of the capture */
    const struct tap_image *image; /* NULL for a dump of registers */
    bool compared;                 /* there is a matrix to compare with: then nothing judged is nothing decided */
    size_t sites;
    struct infer_site *site;
};
/* Put the answer together, write it to `out` (a folder, NULL for none). errors: STATUS_NO_MEMORY, STATUS_IO. */
enum status infer_report_answer(const struct infer_report *r, const char *out, struct fo_answer *answer,
                                struct error *e);

/* The text of it. Neighbours with the same operation and source are told together, and what their stations say once;
 * verdict: of all. */
void infer_text_make(const struct infer_report *r, enum fo_verdict verdict, struct text *text);
/* The first station that differs, in the order of sites and stations, and its site; NULL for none. */
const struct site_finding *infer_first_wrong(const struct infer_report *r, const struct infer_site **at);

/* The found map of A beside the contract, wrong slots marked. */
enum status infer_picture(const char *path, const struct layout *contract, const struct layout *found,
                          const char *title, struct error *e);

#endif
