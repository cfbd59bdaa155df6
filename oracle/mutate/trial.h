/* trial: one run of the user's command on one file. */
#ifndef FO_ORACLE_MUTATE_TRIAL_H
#define FO_ORACLE_MUTATE_TRIAL_H

#include "reference/status.h"

enum trial_end {
    TRIAL_PASSED,  /* exit status 0 */
    TRIAL_FAILED,  /* another exit status: code */
    TRIAL_SIGNAL,  /* ended by a signal: code */
    TRIAL_TOO_LONG /* ended by us */
};

struct trial {
    enum trial_end end;
    int code;
    double seconds;
};

/* The variable of the command's environment that names the file. */
#define TRIAL_VARIABLE "FRAGORACLE_MUTANT"

/* Run `command` with sh, {} in it replaced by the path, TRIAL_VARIABLE set to it, standard input empty, what it says
 * in the file `log`. It is a process group of its own, of which nothing is left running afterwards.
 * units: limit in seconds. errors: STATUS_IO (no sh, no log), STATUS_NO_MEMORY. */
enum status trial_run(const char *command, const char *path, const char *log, double limit, struct trial *out,
                      struct error *e);

#endif
