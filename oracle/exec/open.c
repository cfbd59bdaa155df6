#include "oracle/exec/open.h"

#include <string.h>

#include "oracle/exec/module.h"
#include "oracle/exec/replay.h"

enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    if (strncmp(name, FILES_SUBJECT, strlen(FILES_SUBJECT)) == 0)
        return files_subject_open(name + strlen(FILES_SUBJECT), out, e);
    if (strncmp(name, MODULE_SUBJECT, strlen(MODULE_SUBJECT)) == 0)
        return module_subject_open(name + strlen(MODULE_SUBJECT), out, e);
    enum status s = subject_parse(name, &subject, e);
    return s == STATUS_OK ? machine->subject(&subject, out, e) : s;
}
