#include "oracle/exec/open.h"

enum status subject_open(const char *name, const struct machine *machine, struct executor *out, struct error *e)
{
    struct subject subject;
    enum status s = subject_parse(name, &subject, e);
    return s == STATUS_OK ? machine->subject(&subject, out, e) : s;
}
