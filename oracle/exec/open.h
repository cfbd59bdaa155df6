/* open: a subject by its name, as an executor: "rs", "rs+none", "rs+FAULT[+FAULT]" on a machine, "plugin:PATH.so". */
#ifndef FO_ORACLE_EXEC_OPEN_H
#define FO_ORACLE_EXEC_OPEN_H

#include <stdbool.h>

#include "oracle/exec/machine.h"

/* Plug-ins, and what may leave a GPU in error, run in a process of their own (child.h); FRAGORACLE_ISOLATE=1 sends
 * every subject there, FRAGORACLE_ISOLATE=0 only plug-ins.
 * A plug-in that breaks as it is opened is open all the same, and breaks at its first load.
 * errors: those of subject_parse, of machine->subject and of child_open. *out is freed with its own release;
 * out->subject lives as long. */
enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e);

/* The same in this process; no plug-ins. */
enum status subject_open_here(const char *name, const struct machine *machine, struct executor *out, struct error *e);

/* Is this the name of a plug-in? */
bool subject_is_plugin(const char *name);

/* Is this a name at all? Says nothing about whether the file of a plug-in is there. errors: STATUS_BAD_ARGUMENT. */
enum status subject_name_check(const char *name, struct error *e);

#endif
