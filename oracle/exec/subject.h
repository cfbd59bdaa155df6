/* subject: the name of a kernel under test, taken apart. "rs", "rs+none" (the clean twin), "rs+F01", "rs+F01+F07". */
#ifndef FO_ORACLE_EXEC_SUBJECT_H
#define FO_ORACLE_EXEC_SUBJECT_H

#include <stdbool.h>

#include "kernels/rs_index.h"
#include "reference/status.h"

enum { SUBJECT_NAME = 64 };

struct subject {
    char name[SUBJECT_NAME];
    bool planted; /* runs the planted build, whose parameters are read at run time */
    struct rs_fault fault;
};

struct fault_entry {
    const char *id, *name, *what, *looks_like;
    struct rs_fault fault;
};

size_t fault_count(void);
const struct fault_entry *fault_at(size_t i);

/* errors: STATUS_BAD_ARGUMENT: not "rs", an unknown fault (lists the known ones), two faults that set the same thing.
 */
enum status subject_parse(const char *name, struct subject *out, struct error *e);

#endif
