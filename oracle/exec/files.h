/* files: a kernel in any language, reached through a folder. `emit` writes what it is to compute, `score` reads what it
 * computed. All arrays are .npy, little endian, C order; bf16 travels as its bits in u2.
 *
 *     emit.json                 the shape, the passes with the names of their files, the poisons, the protocol in words
 *     blocks.npy scales.npy     u1 [E,N,K/32,16], u1 [E,N,K/32]: MXFP4 weights in checkpoint layout
 *     special_blocks.npy ...    the same for the special pass, where there is one
 *     starts.npy ids.npy        u4 [A+1], i4 [A]: segment a is rows starts[a] .. starts[a+1]-1, with expert ids[a]
 *     x_S.npy                   u2 [P,K]: activations of pass S
 *     poison_a.npy poison_b.npy u2 [P,N]: what the output holds before the kernel writes to it
 *     out_S.npy out_S_b.npy     from the kernel: u2 [P,N] bf16 bits, or f4 [P,N], which are rounded to bf16 here
 *     run.json                  from the user, optional: {"kernel": NAME, "device": NAME, "fidelity": "hardware"}
 *
 * Each pass runs twice, on outputs that hold poison a, then poison b: an element that holds its poison both times was
 * never written. With out_S.npy alone the first run stands for both. */
#ifndef FO_ORACLE_EXEC_FILES_H
#define FO_ORACLE_EXEC_FILES_H

#include <limits.h>

#include "oracle/io/npy.h"
#include "probes/executor.h"

#define FILES_SCHEMA "fragoracle.emit/1"

/* NaNs that no arithmetic makes: an output that is added to, not written, shows too. */
enum { FILES_POISON_A = 0x7fe5, FILES_POISON_B = 0xffd3 };

enum { FILES_TEXT = 160 };

struct files {
    char folder[PATH_MAX];
    size_t P, N, K, experts, active, passes;
    int historical;
    uint64_t seed;
    char weights[FILES_TEXT];                         /* what they are */
    char kernel[RUN_KERNEL_NAME], device[FILES_TEXT]; /* "unstated", "" without a word in run.json */
    char fidelity[32];                                /* as run.json states it, or "unstated" */
    struct bf16 poison[2];
    struct npy blocks, scales, starts, ids; /* owned */
    size_t runs;                            /* of the executor so far: pass = runs / 2 */
    size_t single;                          /* passes with one output only */
};

/* FOLDER/NAME of a pass: prefix "x", "out"; suffix "" or "_b". errors: STATUS_BAD_ARGUMENT (too long). */
enum status files_pass_path(const char *folder, const char *prefix, size_t pass, const char *suffix,
                            char path[PATH_MAX], struct error *e);

/* Read emit.json, run.json and the weights and segments. errors: STATUS_IO, STATUS_BAD_INPUT with path and field,
 * STATUS_NO_MEMORY. */
enum status files_open(const char *folder, struct files *out, struct error *e);
void files_close(struct files *f); /* safe on a zeroed struct */
struct weights files_weights(const struct files *f);

/* An executor over the folder, for one identity_run that asks every pass; f is borrowed and outlives it.
 * Inputs that are not those that lie in the folder are refused: the outputs would belong to other inputs.
 * errors of run: STATUS_IO (a missing output, with its path and what is expected), STATUS_BAD_INPUT. */
void files_executor(struct files *f, struct executor *out);

#endif
