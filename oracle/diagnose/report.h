/* report: a diagnosis in its two forms, and the pictures beside it. */
#ifndef FO_ORACLE_DIAGNOSE_REPORT_H
#define FO_ORACLE_DIAGNOSE_REPORT_H

#include "oracle/answer/answer.h"
#include "oracle/diagnose/diagnosis.h"
#include "oracle/diagnose/smallest.h"
#include "probes/explain.h"

#define DIAGNOSIS_SCHEMA "fragoracle.diagnosis/1"

/* What was asked, and all that came out. r, d, g: NULL for a subject that broke; d also where no names were asked for;
 * all strings borrowed. */
struct report {
    const char *subject, *executor, *fidelity, *repeat;
    struct coded_options asked;
    const char *broke;
    const struct coded_result *r;
    const struct diagnosis *d;
    const struct geometry *g;
    const struct explanation *stages; /* NULL for one that conforms, where names were asked for */
    const struct smallest *smallest;  /* NULL for one that conforms, and where they were not */
    const char *repeat_smallest;      /* NULL: it is what `repeat` asks */
    const struct executor_limits *limits;
    const json_t *machine;
    const char *note; /* of the executor: what it says of the runs; NULL or "": nothing */
};

enum fo_verdict report_verdict(const struct report *r);
/* What the subject could not be asked, in words: their number. */
enum { REPORT_NOT_ASKED = 5 };
size_t report_not_asked(const struct report *r, const char *what[REPORT_NOT_ASKED]);
void report_text(const struct report *r, struct text *t);
json_t *report_json(const struct report *r); /* a new reference, NULL without memory */
/* diagnosis.json, and unless the subject broke or conforms source_map.png, slots.png, and of the worst launch rows.png,
 * columns.png and errors.png. errors: STATUS_IO with the path, STATUS_NO_MEMORY. */
enum status report_write(const struct report *r, const char *folder, const json_t *document, struct error *e);

#endif
