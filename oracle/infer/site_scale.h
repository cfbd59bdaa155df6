/* site_scale: values that are right but for one power of two for each 32 of a row: whose scale does each block use? */
#ifndef FO_ORACLE_INFER_SITE_SCALE_H
#define FO_ORACLE_INFER_SITE_SCALE_H

#include "oracle/infer/site_fault.h"

/* *known: every sample is its wanted value times a power of two that is one for its (row, block of 32 columns); then
 * *out, text and document say which rule explains the powers, if one does. errors: STATUS_NO_MEMORY. */
enum status site_scale_explain(const struct site_samples *s, struct site_fault *out, bool *known, struct text *text,
                               json_t *document, struct error *e);

#endif
