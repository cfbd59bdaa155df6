/* site_fault: the order is right and the values are wrong: which decode or scale fault explains every one of them? */
#ifndef FO_ORACLE_INFER_SITE_FAULT_H
#define FO_ORACLE_INFER_SITE_FAULT_H

#include "oracle/answer/answer.h"
#include "oracle/infer/site_tile.h"

/* One slot: what it holds, what it should hold, and where that comes from. */
struct site_sample {
    uint32_t row, column; /* of the matrix */
    uint32_t found, want; /* bits */
};
struct site_samples {
    const struct site_matrix *matrix;
    size_t count, wrong; /* wrong: found is not want */
    struct site_sample *sample;
};

enum { SITE_FAULT_CAUSE = 200 };
struct site_fault {
    const char *stage; /* "values", "decode", "scale" */
    bool known;        /* a diagnosis was made */
    char cause[SITE_FAULT_CAUSE];
};
/* Every diagnosis explains all samples exactly or is not made. Adds lines to `text` and members to `document`. Where
 * nothing explains them all, stage is "values" and the first samples are listed. errors: STATUS_NO_MEMORY. */
enum status site_fault_name(const struct site_samples *s, struct site_fault *out, struct text *text, json_t *document,
                            struct error *e);

#endif
