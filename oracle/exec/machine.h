/* machine: where questions are answered. The GPU runs the kernels of kernels/; the model computes the same answers from
 * reference/ and says so. Both offer the debug kernels and the subjects through one table of functions. */
#ifndef FO_ORACLE_EXEC_MACHINE_H
#define FO_ORACLE_EXEC_MACHINE_H

#include "oracle/exec/subject.h"
#include "probes/executor.h"
#include "reference/tile.h"

enum { MACHINE_TEXT = 256 };

struct machine {
    const char *name; /* "gpu", "model" */
    enum fidelity fidelity;
    char device[MACHINE_TEXT], driver[MACHINE_TEXT], cuda[MACHINE_TEXT]; /* "" where there is none */
    char code[65]; /* SHA-256 of the GPU code in this program (ELF section .nv_fatbin), "" where there is none */

    /* The debug kernels; shapes as in kernels/capture.h and kernels/rs_gemm.h, host memory, synchronous. */
    enum status (*loader)(bool ldmatrix, const uint16_t *matrix, uint32_t *registers, struct error *e);
    enum status (*product_ss)(size_t tiles, const uint16_t *a, const uint16_t *b, float *d, struct error *e);
    enum status (*product_rs)(size_t tiles, const uint32_t *a, const uint16_t *b, float *d, struct error *e);
    enum status (*arithmetic)(size_t tiles, const uint16_t *a, const uint16_t *b, const uint32_t *c, uint32_t *d,
                              struct error *e);
    enum status (*decode)(size_t n, const uint32_t *words, const uint32_t *scales, const uint32_t *steps,
                          uint32_t *registers, struct error *e);
    /* One tile of one operation: shapes, options and what is needed as in tile_mma. errors: STATUS_UNSUPPORTED where
     * this machine does not run the operation with these options. */
    enum status (*tile)(const struct tile_op *op, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                        const struct tile_options *o, uint32_t *d, struct error *e);
    /* An executor for a subject; freed with its own release. */
    enum status (*subject)(const struct subject *subject, struct executor *out, struct error *e);
};

/* Never fails. */
void machine_model(struct machine *out);
/* errors: STATUS_NO_DEVICE: built without CUDA, no driver, no GPU of compute capability 9.0; the reason is in the
 * error. */
enum status machine_gpu(struct machine *out, struct error *e);
/* on: "auto" takes the GPU if there is one, else the model; "gpu"; "model". errors: STATUS_BAD_ARGUMENT,
 * STATUS_NO_DEVICE. */
enum status machine_choose(const char *on, struct machine *out, struct error *e);

/* What the tiles of a launch predict, from host copies: tiles that compute a product. Used by both machines. */
uint64_t machine_expected_tiles(const struct rs_shape *shape, const uint32_t *starts, const int32_t *ids);
/* The report that a run starts from: kernel name, tile, expected wgmma. */
struct run_report machine_report(const struct subject *subject, const struct rs_shape *shape, const uint32_t *starts,
                                 const int32_t *ids);
/* Weights in the layout of the production kernel, N padded to 16 and K to 64; owned arrays. */
struct packed_weights {
    size_t experts, N, K; /* padded */
    uint8_t *values, *scales;
    size_t value_bytes, scale_bytes;
};
/* Any N, K % 32 == 0. errors: those of hopper_layout_init, STATUS_NO_MEMORY. */
enum status packed_weights_any(const struct weights *w, struct packed_weights *out, struct error *e);
/* What the kernel takes as it is; planted_weights.h has the same with faults. errors: also STATUS_BAD_ARGUMENT (N % 16,
 * K % 64). */
enum status packed_weights_make(const struct weights *w, struct packed_weights *out, struct error *e);
void packed_weights_free(struct packed_weights *p);

#endif
