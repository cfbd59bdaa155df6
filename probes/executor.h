/* executor: how a subject is reached. One interface for the GPU, the model, files, and later plug-ins and modules.
 *
 * A subject computes the grouped product of matmul.h: x bf16 [P,K] and MXFP4 weights in checkpoint layout -> bf16
 * [P,N]. Whatever layout it wants its weights in is its own business, done once in `load`. */
#ifndef FO_PROBES_EXECUTOR_H
#define FO_PROBES_EXECUTOR_H

#include <stdbool.h>

#include "reference/bf16.h"
#include "reference/hopper_layout.h"
#include "reference/segments.h"
#include "reference/status.h"

enum fidelity {
    FIDELITY_HARDWARE,
    FIDELITY_HARDWARE_INSTRUMENTED,
    FIDELITY_BIT_EXACT_MODEL,
    FIDELITY_APPROXIMATE,
    FIDELITY_UNSUPPORTED,
    FIDELITY_UNSTATED /* whoever ran the kernel did not say */
};
const char *fidelity_name(enum fidelity f); /* "hardware", "hardware-instrumented", "bit-exact model", ... */

enum { RUN_KERNEL_NAME = 96 };

/* What ran, as far as the subject can prove it; zeros where it cannot. Counted on the device (or by the model). */
struct run_report {
    char kernel[RUN_KERNEL_NAME]; /* name and tile, e.g. "rs m64n64k16 tile 64x64x128" */
    uint32_t tile[3];             /* features, tokens, K of one tile */
    uint64_t launches;
    uint64_t tiles;          /* tiles that computed a product */
    uint64_t wgmma;          /* wgmma instructions issued, counted */
    uint64_t wgmma_expected; /* what the tiles predict */
    bool wgmma_unpredicted;  /* counted, but nothing predicts how many */
    uint64_t steps;          /* instructions of warps, where a machine executed them */
    uint32_t a_checksum;     /* sum over all A registers as the tensor core read them, see kernels/rs_index.h */
    uint32_t status_word;    /* as segments.h says */
};

/* Do the wgmma counted say something else than the tiles? */
bool run_report_miscounts(const struct run_report *r);
/* Sums over launches: kernel and tile of the first, the first status word that is not 0. total: zeroed before. */
void run_report_add(struct run_report *total, const struct run_report *r);

/* What a subject cannot be asked; zeros where it takes everything that the types of this header can say. Probes adapt,
 * and say what is not applicable. */
struct executor_limits {
    uint32_t multiple_N, multiple_K; /* N and K must be multiples of these; 0 is 1 */
    uint64_t most_P;                 /* rows of one launch; 0: no limit */
    uint64_t only_P, only_N, only_K; /* the one extent that it was made for; 0: any */
    bool no_scales;                  /* weights of a type without block scales: every scale must be 2^0 */
    bool no_segments;                /* a dense product: one expert, one segment of all rows */
    bool no_status;                  /* bad segments are not reported: legal ones only */
    uint16_t no_codes;               /* bit c: its type has no value for FP4 code c (0.5 and 1.5 in integers) */
    bool f16;                        /* activations or outputs are f16: only values that it has are asked */
};

struct executor {
    const char *name;    /* "gpu", "model", "files" */
    const char *subject; /* "rs", "rs+F01", ... */
    enum fidelity fidelity;
    void *self;
    /* Take weights for the runs that follow; replaces earlier ones. The executor keeps what it needs. */
    enum status (*load)(void *self, const struct weights *w, struct error *e);
    /* One synchronous launch. Every element of out (bf16 [s->rows, N]) holds the pattern `poison` when the subject
     * starts. *report is filled on success. */
    enum status (*run)(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison, struct bf16 *out,
                       struct run_report *report, struct error *e);
    void (*release)(void *self); /* frees self */
    struct executor_limits limits;
    const char *note;         /* what to say of the runs that were asked; NULL or "": nothing. Read after them */
    const enum fidelity *ran; /* what they rested on, where only they could tell; NULL: fidelity. Read after them */
};

/* Of the runs that were asked, or, before any, what is promised. */
enum fidelity executor_fidelity(const struct executor *x);

#endif
