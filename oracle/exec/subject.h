/* subject: the name of a kernel under test, taken apart. "rs", "rs+none" (the clean twin), "rs+F01", "rs+F01+F07". */
#ifndef FO_ORACLE_EXEC_SUBJECT_H
#define FO_ORACLE_EXEC_SUBJECT_H

#include <stdbool.h>

#include "kernels/rs_index.h"
#include "oracle/exec/planted_launch.h"
#include "oracle/exec/planted_weights.h"

enum { SUBJECT_NAME = 64 };

struct subject {
    char name[SUBJECT_NAME];
    bool planted;       /* runs the planted build, whose parameters are read at run time */
    bool hardware_only; /* one of its faults shows on a GPU alone */
    struct rs_fault fault;
    struct planted_data data;
    struct planted_launch launch;
};

enum fault_carrier { FAULT_KERNEL, FAULT_DATA, FAULT_LAUNCH };

struct fault_entry {
    const char *id, *name;
    char class; /* 'A' .. 'F' */
    enum fault_carrier carrier;
    const char *what, *looks_like;
    const char *exactly; /* the formula */
    struct rs_fault fault;
    struct planted_data data;
    struct planted_launch launch;
    bool hardware_only; /* a model has no such thing: refused there */
};

size_t fault_count(void);
const struct fault_entry *fault_at(size_t i);
const char *fault_class_name(char class);             /* "fragment", "values", ... */
const char *fault_carrier_name(enum fault_carrier c); /* "kernel", "data path", "launch" */

/* errors: STATUS_BAD_ARGUMENT: not "rs", an unknown fault (lists the known ones), two faults that set the same thing.
 */
enum status subject_parse(const char *name, struct subject *out, struct error *e);

#endif
