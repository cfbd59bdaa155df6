/* rs_ptx: the production kernel as nvcc makes PTX of it, on the functional machine (reference/ptx/vm.h): an executor
 * beside those of the GPU and of the model. Include cmocka.h before; what cannot be made fails the test. */
#ifndef FO_TESTS_AGREE_RS_PTX_H
#define FO_TESTS_AGREE_RS_PTX_H

#include "oracle/exec/machine.h"
#include "reference/ptx/vm.h"

/* A text for rs_ptx_open; freed with free. NULL where there is no nvcc. scratch: a folder, as scratch_path takes it. */
char *rs_ptx_compile(void *const *scratch);

/* What runs `subject` in that text, with everything asynchronous done in this order. */
void rs_ptx_open(const char *text, const char *subject, enum vm_order order, struct executor *out);
/* The sums over its launches so far. */
const struct vm_report *rs_ptx_report(const struct executor *x);

#endif
