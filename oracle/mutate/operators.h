/* operators: what adds the mutants of a module to a list, one function a line of operators.def. */
#ifndef FO_ORACLE_MUTATE_OPERATORS_H
#define FO_ORACLE_MUTATE_OPERATORS_H

#include "oracle/mutate/mutants.h"
#include "oracle/mutate/view.h"

/* The register of their own that some mutants have. No module that has the name already is mutated. */
#define OPERATORS_NAME "fomutate"

#define OPERATOR(name, function, does) void function(const struct view *v, uint32_t which, struct mutants *l);
#include "oracle/mutate/operators.def"
#undef OPERATOR

/* All mutants of a module. errors: as ptx_find_sites; STATUS_BAD_INPUT where the module has OPERATORS_NAME;
 * STATUS_UNSUPPORTED without wgmma. */
enum status operators_list(const char *path, const char *text, size_t size, struct mutants *out, struct error *e);

#endif
