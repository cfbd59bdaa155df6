/* planted_launch: faults of whoever launches the kernel. The segments that the kernel is given, and what is done with
 * its rows afterwards; the same for the GPU and for the model. */
#ifndef FO_ORACLE_EXEC_PLANTED_LAUNCH_H
#define FO_ORACLE_EXEC_PLANTED_LAUNCH_H

#include "reference/bf16.h"
#include "reference/segments.h"

/* Bytes, as struct rs_fault: 0 is right. kernels/faults.def says exactly what each does. */
struct planted_launch {
    uint8_t read_past_active; /* one more segment: expert 0 for the rows past the last one */
    uint8_t ids_clamped;      /* bad ids become the nearest good one */
    uint8_t rows_scattered;   /* the inverse permutation of the rows is applied as the permutation */
};

/* The segments that the kernel gets; `s` borrows the arrays. */
struct planted_segments {
    struct segments s;
    uint32_t *starts; /* [active+1] */
    int32_t *ids;     /* [active] */
};
/* errors: STATUS_NO_MEMORY. */
enum status planted_segments_make(const struct segments *s, const struct planted_launch *launch,
                                  struct planted_segments *out, struct error *e);
void planted_segments_free(struct planted_segments *s); /* safe on a zeroed one */

/* What becomes of out [rows, N] after the kernel. s: as they were asked. errors: STATUS_NO_MEMORY, and out is then
 * worth nothing. */
enum status planted_rows_restore(const struct segments *s, const struct planted_launch *launch, size_t N,
                                 struct bf16 *out, struct error *e);

#endif
