/* files: probes through a folder, as answers. */
#ifndef FO_ORACLE_ANSWER_FILES_H
#define FO_ORACLE_ANSWER_FILES_H

#include "oracle/exec/replay.h"
#include "oracle/fragoracle.h"

/* fo_probe of the subject files:FOLDER: fo_score, where that folder was emitted for this kind of probe. The shape, the
 * weights and the seed are those of the folder. */
int files_probe(const struct fo_probe_options *o, struct fo_answer *answer, struct fo_error *error);

#endif
