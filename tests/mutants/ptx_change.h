/* ptx_change: one seeded change of a PTX module, out of what oracle/mutate offers to users: an operator first, then
 * what it does and where; or everywhere in one accumulator, as one rule in the generator of a kernel would do it. */
#ifndef FO_TESTS_MUTANTS_PTX_CHANGE_H
#define FO_TESTS_MUTANTS_PTX_CHANGE_H

#include "oracle/mutate/mutants.h"
#include "oracle/mutate/view.h"

enum { PTX_CHANGE_TEXT = 200 };

struct ptx_changes {
    struct view view;
    struct mutants mutants;
    char *text;
    size_t size;
    bool *asked;                    /* of each mutant: is it about the kernel? */
    uint32_t of[MUTANTS_OPERATORS]; /* of these: of each operator */
};

struct ptx_change {
    uint32_t which; /* operator */
    uint32_t places;
    char what[PTX_CHANGE_TEXT]; /* "a-halves:3 line 40: the halves of A register 3 change places" */
};

/* All changes of a kernel of the module at a path. errors: those of file_read, of view_make and of operators_list;
 * STATUS_UNSUPPORTED where the kernel has nothing to change. */
enum status ptx_changes_make(const char *path, const char *entry, struct ptx_changes *out, struct error *e);
void ptx_changes_free(struct ptx_changes *c); /* safe on a zeroed one */
/* The one of a seed, and the module with it; the text is the caller's. errors: STATUS_NO_MEMORY. */
enum status ptx_change_pick(const struct ptx_changes *c, uint64_t seed, struct ptx_change *what, struct text *out,
                            struct error *e);

#endif
