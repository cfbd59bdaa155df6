/* descriptor_kernel: what tests/agree/test_descriptor_gpu.c needs on the device. */
#ifndef FO_TESTS_AGREE_DESCRIPTOR_KERNEL_H
#define FO_TESTS_AGREE_DESCRIPTOR_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

enum { DESCRIPTOR_IMAGE = 1 << 16 }; /* bytes of shared memory a case */

#ifdef __cplusplus
extern "C" {
#endif

/* For each case: shared memory holds image [DESCRIPTOR_IMAGE], B is what the descriptor names there (its start counts
 * from the beginning of the image), A are registers [128][4]; out [128][32] is D = A B. Returns a cudaError_t. */
int descriptor_kernel_run(bool mn, uint32_t cases, const uint8_t *image, const uint64_t *descriptor,
                          const uint32_t *registers, float *out);

#ifdef __cplusplus
}
#endif
#endif
