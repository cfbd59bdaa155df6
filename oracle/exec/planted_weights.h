/* planted_weights: faults of the data path. What the host packs for the kernel, made wrong on the way; the same bytes
 * for the GPU and for the model. */
#ifndef FO_ORACLE_EXEC_PLANTED_WEIGHTS_H
#define FO_ORACLE_EXEC_PLANTED_WEIGHTS_H

#include "reference/hopper_layout.h"

/* One order of the codes at most. */
enum planted_order {
    PLANTED_IN_ORDER,
    PLANTED_UNSHUFFLED_TWICE,
    PLANTED_NEIGHBOURS,
    PLANTED_SPLIT_HALVES,
    PLANTED_NIBBLES,
    PLANTED_BYTES_REVERSED,
    PLANTED_ORDERS
};

/* Bytes, as struct rs_fault: 0 is right. kernels/faults.def says exactly what each does. */
struct planted_data {
    uint8_t order;          /* enum planted_order */
    uint8_t packbits_first; /* before the permutation of the bytes instead of after it */
    uint8_t gate_up_split;  /* rows of the two halves, interleaved */
    uint8_t expert_missing; /* the codes of the highest expert are 0 */
    uint8_t value_columns;  /* columns that pad each row of the values; the kernel knows nothing of them */
    uint8_t value_rows;     /* to which the rows of the values are padded; 0 for what the kernel wants */
    uint8_t scale_warps;    /* for which the scales are packed; 0 for what the kernel wants */
};

struct packed_weights;
/* As packed_weights_make (machine.h), with the faults of d. */
enum status planted_weights_make(const struct weights *w, const struct planted_data *d, struct packed_weights *out,
                                 struct error *e);

#endif
