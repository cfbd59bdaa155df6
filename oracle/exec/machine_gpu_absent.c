/* machine_gpu_absent: built in place of machine_gpu.c where there is no CUDA toolkit. */
#include "oracle/exec/machine.h"

enum status machine_gpu(struct machine *out, struct error *e)
{
    (void)out;
    return error_set(e, STATUS_NO_DEVICE, "this program was built without CUDA; use --on model");
}
