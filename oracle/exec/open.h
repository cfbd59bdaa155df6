/* open: a subject by its name, as an executor: "rs", "rs+none", "rs+FAULT[+FAULT]" on a machine; or one that brings its
 * own: "plugin:PATH.so", "module:PATH.ptx", "files:FOLDER". */
#ifndef FO_ORACLE_EXEC_OPEN_H
#define FO_ORACLE_EXEC_OPEN_H

#include <stdbool.h>

#include "oracle/exec/machine.h"

/* The machine that `on` names for a subject. As machine_choose, but a module needs nothing of our GPU kernels: any GPU
 * of the CUDA driver will do, in a program that was built without CUDA too. errors: those of machine_choose. */
enum status subject_machine(const char *name, const char *on, struct machine *out, struct error *e);

/* Plug-ins, modules, and what may leave a GPU in error run in a process of their own (child.h); FRAGORACLE_ISOLATE=1
 * sends every subject there but files, FRAGORACLE_ISOLATE=0 only plug-ins.
 * A foreign subject that breaks as it is opened is open all the same, and breaks at its first load.
 * errors: those of subject_parse, of machine->subject, of child.h, replay.h and module.h. *out is freed with its own
 * release; out->subject lives as long. */
enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e);

/* The same in this process; no plug-ins. */
enum status subject_open_here(const char *name, const struct machine *machine, struct executor *out, struct error *e);

/* Is it a kernel that is not ours? Nothing is known then of the order in which it sums. */
bool subject_is_foreign(const char *name);

/* Is this a name at all? Says nothing about whether the file of a plug-in is there. errors: STATUS_BAD_ARGUMENT. */
enum status subject_name_check(const char *name, struct error *e);

#endif
