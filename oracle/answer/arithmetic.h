/* arithmetic: hold the bit-exact model against what a tensor core computed, live or captured.
 *
 * The operation is wgmma.m64n8k16.f32.bf16.bf16.rs, one fused step, over every regime of probes/regimes.h. A capture is
 * a folder: capture.json (schema fragoracle.capture/1, provenance) and a.npy u2 [T,64,16], b.npy u2 [T,8,16] (n then
 * k), c.npy u4 [T,64,8], d.npy u4 [T,64,8]: bits; tile t belongs to the regime that stands at t % their number in the
 * list `regimes`. */
#ifndef FO_ORACLE_ANSWER_ARITHMETIC_H
#define FO_ORACLE_ANSWER_ARITHMETIC_H

#include "oracle/io/json.h"

#include "oracle/exec/machine.h"
#include "probes/regimes.h"

enum { ARITHMETIC_M = 64, ARITHMETIC_N = 8, ARITHMETIC_TILE = ARITHMETIC_M * ARITHMETIC_N };
enum { ARITHMETIC_BATCH = 256 * REGIME_COUNT }; /* tiles that a machine is given at once, 20 MB */

struct arithmetic_result {
    uint64_t outputs[REGIME_COUNT], mismatches[REGIME_COUNT];
    uint64_t outputs_all, mismatches_all;
    char first[320]; /* the first mismatch, bit patterns of all 16 products and C; "" if none */
};

/* Fresh tiles on machine `m`, compared with the model. outputs is rounded up to whole tiles of every regime. */
enum status arithmetic_compare(const struct machine *m, uint64_t outputs, uint64_t seed, struct arithmetic_result *r,
                               struct error *e);
/* The model against both forms of exact.h, on fresh tiles: mismatches of the second form of the rule, and results
 * outside the proven bound, count alike. */
enum status arithmetic_exact(uint64_t outputs, uint64_t seed, struct arithmetic_result *r, struct error *e);
/* Write a capture of `tiles` tiles a regime into a folder. */
enum status arithmetic_capture(const struct machine *m, size_t tiles, uint64_t seed, const char *folder,
                               struct error *e);
/* Replay one. *provenance (may be NULL) receives a new reference. errors: STATUS_IO, STATUS_BAD_INPUT. */
enum status arithmetic_replay(const char *folder, struct arithmetic_result *r, json_t **provenance, struct error *e);
json_t *json_of_arithmetic(const struct arithmetic_result *r);

#endif
