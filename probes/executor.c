#include "probes/executor.h"

const char *fidelity_name(enum fidelity f)
{
    static const char *const name[] = {"hardware",    "hardware-instrumented", "bit-exact model",
                                       "approximate", "unsupported",           "unstated"};
    return (size_t)f < sizeof name / sizeof *name ? name[f] : "unknown fidelity";
}
