#include "oracle/mutate/operators.h"

#include <string.h>

typedef void operate(const struct view *v, uint32_t which, struct mutants *l);

static operate *const table[] = {
#define OPERATOR(name, function, does) function,
#include "oracle/mutate/operators.def"
#undef OPERATOR
};
_Static_assert(sizeof table / sizeof *table == MUTANTS_OPERATORS, "MUTANTS_OPERATORS counts operators.def");

enum status operators_list(const char *path, const char *text, size_t size, struct mutants *out, struct error *e)
{
    struct view v;
    struct mutants l = {.status = STATUS_OK};
    enum status s = view_make(path, text, size, &v, e);
    if (s != STATUS_OK)
        return s;
    if (memmem(text, size, OPERATORS_NAME, strlen(OPERATORS_NAME)))
        s = error_set(e, STATUS_BAD_INPUT, "it holds '%s': it is a mutant already", OPERATORS_NAME);
    else if (v.sites.site_count == 0)
        s = error_set(e, STATUS_UNSUPPORTED, "no wgmma in it");
    for (uint32_t o = 0; s == STATUS_OK && o < MUTANTS_OPERATORS; o++) {
        table[o](&v, o, &l);
        if (l.status != STATUS_OK)
            s = error_set(e, l.status, "no memory for the mutants");
    }
    view_free(&v);
    if (s != STATUS_OK) {
        mutants_free(&l);
        error_at_path(e, path);
        return s;
    }
    *out = l;
    return STATUS_OK;
}
