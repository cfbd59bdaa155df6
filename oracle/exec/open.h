/* open: a subject by its name, as an executor on a machine. "rs", "rs+none", "rs+FAULT[+FAULT]"; or one that
 * brings its own: "files:FOLDER", "module:PATH.ptx". */
#ifndef FO_ORACLE_EXEC_OPEN_H
#define FO_ORACLE_EXEC_OPEN_H

#include "oracle/exec/machine.h"

/* errors: those of subject_parse and of machine->subject, of replay.h, of module.h. *out is freed with its own release;
 * out->subject lives as long.
 */
enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e);

#endif
