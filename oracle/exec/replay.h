/* replay: the executor behind `score`. The probe that `emit` recorded (record.h) asks again, in the same order, and
 * gets what the kernel left in the folder. Nothing is believed: inputs that are not those that lie there are refused,
 * since the outputs would belong to other inputs. */
#ifndef FO_ORACLE_EXEC_REPLAY_H
#define FO_ORACLE_EXEC_REPLAY_H

#include "oracle/exec/files.h"

#define FILES_SUBJECT "files:" /* and a folder */

struct replay {
    const struct files *files; /* borrowed */
    size_t pass, which;        /* the run that comes next */
    size_t runs;               /* so far */
    size_t single;             /* passes of two runs with one output only */
    char loaded[FILES_NAME];   /* the blocks that were loaded last */
    char note[FILES_TEXT];     /* of the executor: what rests on one output */
    char name[PATH_MAX + sizeof FILES_SUBJECT];
};

/* r is borrowed and outlives the executor, whose release does nothing.
 * errors of load and run: STATUS_IO (a missing output, with its path and what is expected), STATUS_BAD_INPUT (inputs
 * that were not emitted, outputs of another type or shape). */
void replay_executor(struct replay *r, const struct files *f, struct executor *out);
/* Was everything asked that was emitted? errors: STATUS_BAD_INPUT. */
enum status replay_end(const struct replay *r, struct error *e);

/* The subject files:FOLDER, for who opens subjects by name: the same with a folder of its own, freed by release.
 * errors: those of files_open. */
enum status files_subject_open(const char *folder, struct executor *out, struct error *e);

#endif
