#include "probes/executor.h"

#include <string.h>

const char *fidelity_name(enum fidelity f)
{
    static const char *const name[] = {"hardware",    "hardware-instrumented", "bit-exact model",
                                       "approximate", "unsupported",           "unstated"};
    return (size_t)f < sizeof name / sizeof *name ? name[f] : "unknown fidelity";
}

enum fidelity executor_fidelity(const struct executor *x)
{
    return x->ran ? *x->ran : x->fidelity;
}

bool run_report_miscounts(const struct run_report *r)
{
    return !r->wgmma_unpredicted && r->wgmma != r->wgmma_expected;
}

void run_report_add(struct run_report *total, const struct run_report *r)
{
    if (total->launches == 0) {
        memcpy(total->kernel, r->kernel, sizeof total->kernel);
        memcpy(total->tile, r->tile, sizeof total->tile);
    }
    total->launches += r->launches;
    total->tiles += r->tiles;
    total->wgmma += r->wgmma;
    total->wgmma_expected += r->wgmma_expected;
    total->wgmma_unpredicted = total->wgmma_unpredicted || r->wgmma_unpredicted;
    total->steps += r->steps;
    total->a_checksum += r->a_checksum;
    if (total->status_word == 0)
        total->status_word = r->status_word;
}
