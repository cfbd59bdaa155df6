/* child_process: fragoracle-subject, started, talked to and brought to its end. The one place where processes begin and
 * are waited for: exec, never a fork that goes on, because neither OpenMP nor CUDA survives one. */
#ifndef FO_ORACLE_EXEC_CHILD_PROCESS_H
#define FO_ORACLE_EXEC_CHILD_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "oracle/exec/child_wire.h"

/* The end of the socket in fragoracle-subject. */
enum { CHILD_SOCKET = 3 };

struct child_process {
    pid_t pid;  /* 0: none */
    int socket; /* -1: none */
};

enum { CHILD_DEATH = 120 };

/* Seconds that an answer may take: $FRAGORACLE_TIMEOUT, else 60. errors: STATUS_BAD_ARGUMENT (no number above 0). */
enum status child_process_limit(double *seconds, struct error *e);

/* The program is $FRAGORACLE_SUBJECT, else the one beside this program, else the one on PATH. What it prints goes to
 * standard error. errors: STATUS_IO (none found, or it cannot be started). */
enum status child_process_start(const char *subject, const char *on, struct child_process *out, struct error *e);

/* Wait for a message. errors: STATUS_SUBJECT, with a sentence about what became of the process; it is then gone. The
 * sentence lacks its subject and its place: "died of signal 11 (SIGSEGV)". */
enum status child_process_wait(struct child_process *p, double seconds, struct child_reply *reply, struct error *e);

/* Close, wait a moment for it to end by itself unless `now`, kill what is left of it, reap. Safe on {0, -1}. */
void child_process_stop(struct child_process *p, bool now);

#endif
