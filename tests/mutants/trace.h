/* trace: what a mutated kernels/rs_index.h does, followed address by address. No value is computed and no probe is
 * asked: every address that the kernel would form is looked up in tables of what lies there, made from the layouts of
 * reference/. So it is another way to the source map than the coded probes. */
#ifndef FO_TESTS_MUTANTS_TRACE_H
#define FO_TESTS_MUTANTS_TRACE_H

#include "probes/source_map.h"

struct trace {
    bool outside; /* an address outside of its array: on a GPU this would be a fault or a corruption; nothing else is
                     said */
    bool race;    /* an output is written by two threads, and not alike */
    bool bits;    /* the decode mixes bits: where a value comes from is no question of addresses */
};

/* shape: as `like` says; `found` has its sizes and gets the codes. Exported by every mutant under this name. */
typedef enum status trace_function(const struct source_map *like, struct source_map *found, struct trace *out);
trace_function mutant_trace;

#endif
