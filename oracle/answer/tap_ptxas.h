/* tap_ptxas: run ptxas on a module, and read what it says of each function.
 *
 * ptxas serialises wgmma, or injects an arrive or a wait, and says so in lines (C75xx) of class info, with exit status
 * 0; spills it reports under -v. source: output of ptxas 13.0. */
#ifndef FO_ORACLE_ANSWER_TAP_PTXAS_H
#define FO_ORACLE_ANSWER_TAP_PTXAS_H

#include <stdbool.h>

#include "reference/status.h"

enum { TAP_PTXAS_CODES = 8 };

struct tap_ptxas_code {
    char name[8];   /* "C7510" */
    uint32_t lines; /* how many of this function */
    char line[320]; /* the first of them */
};

struct tap_ptxas_function {
    char *name; /* owned */
    bool entry; /* .entry: registers is known */
    uint32_t registers;
    uint64_t spill_stores, spill_loads; /* bytes */
    uint32_t code_count;
    struct tap_ptxas_code code[TAP_PTXAS_CODES];
};

struct tap_ptxas_report {
    uint32_t count;
    struct tap_ptxas_function *function;
};

/* Read the output of ptxas -v. A (C75xx) line that names no function belongs to the function "".
 * errors: STATUS_NO_MEMORY. */
enum status tap_ptxas_parse(const char *output, size_t size, struct tap_ptxas_report *out, struct error *e);
void tap_ptxas_free(struct tap_ptxas_report *r);
/* NULL without one of this name. */
const struct tap_ptxas_function *tap_ptxas_find(const struct tap_ptxas_report *r, const char *name);
/* What the function of `after` has that its namesake of `before` (NULL: none) lacks: the (C75xx) line or a word on
 * spills, into text; "" for nothing new. Returns whether there is something. */
bool tap_ptxas_new(const struct tap_ptxas_function *before, const struct tap_ptxas_function *after, char *text,
                   size_t size);

/* Assemble both modules for sm_90a, side by side, and read what it says. name: of the module in errors.
 * errors: STATUS_IO (no such program, no room for temporary files), STATUS_BAD_INPUT with the name of the module that
 * does not assemble and the first line of ptxas; STATUS_NO_MEMORY. */
struct tap_ptxas_module {
    const char *name, *text;
    size_t size;
};
enum status tap_ptxas_run(const char *ptxas, const struct tap_ptxas_module module[2], struct tap_ptxas_report out[2],
                          struct error *e);
/* The same for one module. */
enum status tap_ptxas_run_one(const char *ptxas, const struct tap_ptxas_module *module, struct tap_ptxas_report *out,
                              struct error *e);

#endif
