/* child: a subject in a process of its own, as an executor.
 *
 * Weights, inputs and outputs are shared memory with guards (child_memory.h), held against what they were after every
 * launch. A process that dies, ends, does not answer in time or writes where it must not is STATUS_SUBJECT with one
 * sentence that names what happened and in which launch: "the subject died of signal 11 (SIGSEGV) in launch 3". It is
 * then killed and reaped; the next load starts a fresh one. */
#ifndef FO_ORACLE_EXEC_CHILD_H
#define FO_ORACLE_EXEC_CHILD_H

#include "probes/executor.h"

/* subject: "plugin:PATH.so", or a name that machine `on` knows. executor->name is "plugin" or that machine's.
 * errors: STATUS_IO (no such file, no fragoracle-subject), STATUS_BAD_INPUT (no plug-in), STATUS_BAD_ARGUMENT,
 * STATUS_SUBJECT (it broke already), STATUS_NO_MEMORY. */
enum status child_open(const char *subject, const char *on, struct executor *out, struct error *e);

#endif
