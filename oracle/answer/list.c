#include "oracle/answer/probe.h"
#include "reference/mma.h"
#include "reference/wgmma.h"

static json_t *list_operations(struct text *text)
{
    json_t *operations = json_array();
    text_add(text, "operations (operands A, D)\n");
    for (size_t i = 0; i < wgmma_family_count(); i++) {
        const struct wgmma_family *f = wgmma_family_at(i);
        text_add(text, "  wgmma.m64nNk%d.%s.%s.%s.{rs,ss}   N = %d, %d, ..., %d", f->k, f->d, f->a, f->b, f->n_min,
                 f->n_min + f->n_step, f->n_fine);
        if (f->n_fine < f->n_max)
            text_add(text, ", %d, ..., %d", wgmma_next_n(f, f->n_fine), f->n_max);
        text_add(text, "\n");
        for (int n = wgmma_next_n(f, 0); n; n = wgmma_next_n(f, n))
            for (int source = WGMMA_RS; source <= WGMMA_SS; source++) {
                struct wgmma_op op = {f, n, (enum wgmma_source)source};
                char name[WGMMA_NAME_SIZE];
                json_array_append_new(operations, json_string(wgmma_format(&op, name)));
            }
    }
    return operations;
}

/* What `mma` computes besides; there are no fragment maps of them here. */
static json_t *list_mma(struct text *text)
{
    json_t *operations = json_array();
    text_add(text, "operations of the command mma alone\n");
    for (size_t i = 0; i < mma_op_count(); i++) {
        char name[MMA_NAME_SIZE];
        text_add(text, "  %s\n", mma_format(mma_op_at(i), name));
        json_array_append_new(operations, json_string(name));
    }
    return operations;
}

static json_t *list_faults(struct text *text)
{
    json_t *faults = json_array();
    text_add(text, "subjects\n  rs         the production kernel\n  rs+none    its clean twin\n"
                   "  rs+FAULT   a planted variant; faults that set different things combine (rs+F01+F07)\n"
                   "  plugin:PATH.so   a kernel of yours behind a C ABI, see oracle/SUBJECTS.md\n"
                   "  module:PATH.ptx  a compiled kernel, on a GPU or on the PTX machine, see oracle/MODULES.md\n"
                   "  files:FOLDER     outputs that a kernel anywhere gave, see oracle/FILES.md\nfaults\n");
    for (size_t i = 0; i < fault_count(); i++) {
        const struct fault_entry *f = fault_at(i);
        const char *class = fault_class_name(f->class), *carrier = fault_carrier_name(f->carrier);
        text_add(text, "  %s  %-17s  %-9s  %-26s %s%s\n", f->id, class, carrier, f->name, f->what,
                 f->hardware_only ? " (on a GPU only)" : "");
        json_array_append_new(faults,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", f->id, "name", f->name,
                                        "class", class, "carrier", carrier, "what", f->what, "looks_like",
                                        f->looks_like, "exactly", f->exactly, "hardware_only", f->hardware_only));
    }
    return faults;
}

static json_t *list_probes(struct text *text)
{
    json_t *probes = json_array();
    text_add(text, "probes\n");
    for (size_t i = 0; i < probe_kind_count(); i++) {
        text_add(text, "  %-10s %s\n", probe_kind_at(i)->name, probe_kind_at(i)->does);
        json_array_append_new(probes, json_string(probe_kind_at(i)->name));
    }
    return probes;
}

int fo_list(struct fo_answer *answer, struct fo_error *error)
{
    struct error e, absent;
    struct machine gpu;
    struct text text = {0};
    char line[512];
    json_t *operations = list_operations(&text), *mma = list_mma(&text), *faults = list_faults(&text),
           *probes = list_probes(&text);
    json_t *devices = json_array();
    text_add(&text, "devices\n  model      bit-exact model, always there\n");
    json_array_append_new(devices, json_pack("{s:s, s:s}", "name", "model", "fidelity", "bit-exact model"));
    if (machine_gpu(&gpu, &absent) == STATUS_OK) {
        text_add(&text, "  gpu        %s, driver %s, CUDA %s\n", gpu.device, gpu.driver, gpu.cuda);
        json_array_append_new(
            devices, json_pack("{s:s, s:s, s:s}", "name", "gpu", "fidelity", "hardware", "device", gpu.device));
    } else {
        text_add(&text, "  gpu        absent: %s\n", error_line(&absent, line, sizeof line));
    }
    json_t *j = json_pack("{s:s, s:o, s:o, s:[s,s], s:[s,s,s,s,s,s], s:o, s:o, s:o}", "schema", "fragoracle.list/1",
                          "operations", operations, "mma_operations", mma, "operands", "A", "D", "subjects", "rs",
                          "rs+none", "rs+FAULT[+FAULT]", "plugin:PATH.so", "module:PATH.ptx", "files:FOLDER", "probes",
                          probes, "faults", faults, "devices", devices);
    return answer_end(answer_make(FO_CONFORMS, j, &text, answer, &e), &e, error);
}
