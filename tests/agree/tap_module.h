/* tap_module: the production kernel as `fragoracle tap` rewrote it, loaded beside the program. Linked first, it takes
 * the place of the launches of kernels/rs_gemm.h. Everything returns a cudaError_t. */
#ifndef FO_TESTS_AGREE_TAP_MODULE_H
#define FO_TESTS_AGREE_TAP_MODULE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int tap_module_open(const char *cubin);
/* Planted launches use this pack order from now on; NULL: the one of their fault. */
void tap_module_order(const uint8_t pack_order[8]);
int tap_module_clear(void);
/* The capture since; owned. */
int tap_module_image(void **image, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
