#include "oracle/exec/subject.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The words of faults.def. */
#define IN_ORDER(...)  .fault = {.pack_order = {__VA_ARGS__}}
#define IN_KERNEL(...) .fault = {.pack_order = RS_PACK_ORDER, __VA_ARGS__}
#define IN_DATA(...)   .fault = RS_FAULT_NEUTRAL, .data = {__VA_ARGS__}
#define IN_LAUNCH(...) .fault = RS_FAULT_NEUTRAL, .launch = {__VA_ARGS__}
#define HARDWARE_ONLY  .hardware_only = true
static const struct fault_entry faults[] = {
#define RS_FAULT(id, name, class, carrier, what, looks_like, exactly, ...)                                             \
    {id, name, class, FAULT_##carrier, what, looks_like, exactly, __VA_ARGS__},
#include "kernels/faults.def"
#undef RS_FAULT
};

size_t fault_count(void)
{
    return sizeof faults / sizeof *faults;
}

const struct fault_entry *fault_at(size_t i)
{
    return &faults[i];
}

const char *fault_class_name(char class)
{
    static const char *const names[] = {"fragment", "values", "scales", "routing", "pipeline", "around the kernel"};
    assert(class >= 'A' && class <= 'F');
    return names[class - 'A'];
}

const char *fault_carrier_name(enum fault_carrier c)
{
    static const char *const names[] = {"kernel", "data path", "launch"};
    return names[c];
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
    char known[sizeof e->why] = "";
    for (size_t i = 0; i < fault_count(); i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, " %s", faults[i].id);
    }
    return error_set(e, STATUS_BAD_ARGUMENT, "unknown fault '%.*s'; known: none%.260s",
                     (int)(length < 20 ? length : 20), id, known);
}

/* Take over the bytes that `from` sets; false where one is set already. A parameter of several bytes is whole or not at
 * all: `whole` says how many stand at the beginning. */
static bool bytes_merge(void *into, const void *from, const void *neutral, size_t n, size_t whole)
{
    uint8_t *to = into;
    const uint8_t *set = from, *right = neutral;
    for (size_t i = 0; i < n;) {
        size_t bytes = i < whole ? whole : 1;
        if (memcmp(set + i, right + i, bytes) != 0) {
            if (memcmp(to + i, right + i, bytes) != 0)
                return false;
            memcpy(to + i, set + i, bytes);
        }
        i += bytes;
    }
    return true;
}

static bool fault_merge(struct subject *into, const struct fault_entry *from)
{
    static const struct rs_fault fault = RS_FAULT_NEUTRAL;
    static const struct planted_data data;
    static const struct planted_launch launch;
    into->hardware_only |= from->hardware_only;
    return bytes_merge(&into->fault, &from->fault, &fault, sizeof fault, sizeof fault.pack_order) &&
           bytes_merge(&into->data, &from->data, &data, sizeof data, 0) &&
           bytes_merge(&into->launch, &from->launch, &launch, sizeof launch, 0);
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
            if (!fault_merge(&s, f))
                return error_set(e, STATUS_BAD_ARGUMENT, "%s: two faults that set the same thing cannot combine", name);
        }
        at += length;
    }
    *out = s;
    return STATUS_OK;
}
