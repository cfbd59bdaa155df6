/* model: the production kernel without a GPU, bit for bit. See model.c. */
#ifndef FO_ORACLE_EXEC_MODEL_H
#define FO_ORACLE_EXEC_MODEL_H

#include "oracle/exec/machine.h"

/* An executor that runs `subject` on the model. */
enum status model_subject(const struct subject *subject, struct executor *out, struct error *e);

#endif
