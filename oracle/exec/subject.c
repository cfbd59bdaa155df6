#include "oracle/exec/subject.h"

#include <stdio.h>
#include <string.h>

static const struct fault_entry faults[] = {
#define RS_FAULT(id, name, what, looks_like, ...) {id, name, what, looks_like, __VA_ARGS__},
#include "kernels/faults.def"
#undef RS_FAULT
};

static const struct rs_fault neutral = RS_FAULT_NEUTRAL;

size_t fault_count(void)
{
    return sizeof faults / sizeof *faults;
}

const struct fault_entry *fault_at(size_t i)
{
    return &faults[i];
}

static const struct fault_entry *fault_find(const char *id, size_t length)
{
    for (size_t i = 0; i < fault_count(); i++)
        if (strlen(faults[i].id) == length && strncmp(faults[i].id, id, length) == 0)
            return &faults[i];
    return NULL;
}

static enum status fault_unknown(const char *id, size_t length, struct error *e)
{
    char known[128] = "";
    for (size_t i = 0; i < fault_count(); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? " " : "", faults[i].id);
    }
    return error_set(e, STATUS_BAD_ARGUMENT, "unknown fault '%.*s'; known: none %s", (int)length, id, known);
}

/* Take over what one fault sets. Every parameter is bytes, and what differs from neutral is set; two faults may not
 * disagree about a parameter, and two pack orders always do. */
static bool fault_merge(struct rs_fault *into, const struct rs_fault *from)
{
    bool order = memcmp(from->pack_order, neutral.pack_order, sizeof neutral.pack_order) != 0;
    if (order && memcmp(into->pack_order, neutral.pack_order, sizeof neutral.pack_order) != 0)
        return false;
    if ((into->scale_tile_relative && from->scale_tile_relative) || (into->odd_column_zero && from->odd_column_zero))
        return false;
    if (order)
        memcpy(into->pack_order, from->pack_order, sizeof neutral.pack_order);
    into->scale_tile_relative |= from->scale_tile_relative;
    into->odd_column_zero |= from->odd_column_zero;
    return true;
}

enum status subject_parse(const char *name, struct subject *out, struct error *e)
{
    struct subject s = {.fault = RS_FAULT_NEUTRAL};
    if (strncmp(name, "rs", 2) != 0 || (name[2] != '\0' && name[2] != '+') || strlen(name) >= sizeof s.name) {
        error_set(e, STATUS_BAD_ARGUMENT, "unknown subject '%s'; legal: rs, rs+none, rs+FAULT[+FAULT]", name);
        return error_at_field(e, "subject"), STATUS_BAD_ARGUMENT;
    }
    snprintf(s.name, sizeof s.name, "%s", name);
    for (const char *at = name + 2; *at == '+';) {
        size_t length = strcspn(++at, "+");
        s.planted = true;
        if (length != 4 || strncmp(at, "none", 4) != 0) {
            const struct fault_entry *f = fault_find(at, length);
            if (!f)
                return fault_unknown(at, length, e);
            if (!fault_merge(&s.fault, &f->fault))
                return error_set(e, STATUS_BAD_ARGUMENT, "%s: two faults that set the same thing cannot combine", name);
        }
        at += length;
    }
    *out = s;
    return STATUS_OK;
}
