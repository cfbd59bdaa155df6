/* files: a kernel in any language, reached through a folder. `emit` runs a probe on an executor that writes down what
 * it is asked (record.h), `score` runs the same probe on one that reads what the kernel left (replay.h). This is the
 * folder itself. All arrays are .npy, little endian, C order; bf16 travels as its bits in u2.
 *
 *     emit.json                  the probe, the shape, the passes with the names of their files, the protocol in words
 *     blocks_I.npy scales_I.npy  u1 [E,N,K/32,16], u1 [E,N,K/32]: MXFP4 weights in checkpoint layout
 *     w_I.npy ...                the same weights in another form, where emit was asked for it (weights_form.h)
 *     starts_I.npy ids_I.npy     u4 [A+1], i4 [A]: segment a is rows starts[a] .. starts[a+1]-1, with expert ids[a]
 *     x_I.npy                    u2 [P,K]: activations
 *     poison_a.npy poison_b.npy  u2 [P,N]: what the output holds before the kernel writes to it
 *     out_S.npy out_S_b.npy      from the kernel, for pass S: u2 [P,N] bf16 bits, or f4 [P,N], rounded to bf16 here
 *     run.json                   from the user, optional: {"kernel": NAME, "device": NAME, "fidelity": "hardware",
 *                                "inputs": as emit.json has it}
 *
 * A pass is one set of inputs and runs once or twice: on outputs that hold poison a, then poison b. An element that
 * holds its poison both times was never written. With out_S.npy alone the first run stands for both. Equal inputs are
 * one file. `inputs` is a hash of all of them: a kernel that hands it on in run.json cannot be scored against others.
 */
#ifndef FO_ORACLE_EXEC_FILES_H
#define FO_ORACLE_EXEC_FILES_H

#include <limits.h>

#include "oracle/exec/weights_form.h"
#include "probes/executor.h"

#define FILES_SCHEMA "fragoracle.emit/1"

/* NaNs that no arithmetic makes, quiet, so that they outlive a conversion to f4 and back. */
enum { FILES_POISON_A = 0x7fe5, FILES_POISON_B = 0xffd3 };

enum { FILES_TEXT = 160, FILES_NAME = 64, FILES_RUNS = 2, FILES_HASH = 65 };

/* Names of files. */
struct files_pass {
    char blocks[FILES_NAME], scales[FILES_NAME], x[FILES_NAME], starts[FILES_NAME], ids[FILES_NAME];
    char out[FILES_RUNS][FILES_NAME];
    size_t outs;
};

struct files {
    char folder[PATH_MAX];
    char probe[FILES_NAME];
    size_t P, N, K, experts, active; /* active: of the first pass */
    size_t passes, runs;
    struct files_pass *pass; /* [passes], owned */
    int historical;
    uint64_t seed;
    struct executor_limits limits;
    char inputs[FILES_HASH];                          /* "" where emit.json has none */
    char weights[FILES_TEXT];                         /* what they are */
    char note[FILES_TEXT];                            /* what emit left out of the question */
    char kernel[RUN_KERNEL_NAME], device[FILES_TEXT]; /* "unstated", "" without a word in run.json */
    enum fidelity fidelity;                           /* as run.json states it */
    struct bf16 poison[FILES_RUNS];
    struct npy blocks, scales; /* of the first pass, owned */
};

/* Read emit.json, run.json, and the weights of the first pass. errors: STATUS_IO, STATUS_BAD_INPUT with path and field,
 * STATUS_NO_MEMORY. */
enum status files_open(const char *folder, struct files *out, struct error *e);
void files_close(struct files *f); /* safe on a zeroed struct */
struct weights files_weights(const struct files *f);
/* FOLDER/name as an array of this type and shape (0: any extent). errors: those of npy_read and npy_expect. */
enum status files_read_array(const struct files *f, const char *name, enum npy_type type, int rank, const size_t *shape,
                             struct npy *out, struct error *e);
#endif
