/* problems: seeded random grouped products, the same for every executor and for the independent product. Include
 * cmocka.h before; what cannot be made fails the test. */
#ifndef FO_TESTS_SUPPORT_PROBLEMS_H
#define FO_TESTS_SUPPORT_PROBLEMS_H

#include "oracle/exec/machine.h"
#include "probes/weights.h"

/* P 1..200, N a multiple of 16 up to 336, K a multiple of 64 up to 384, 1..9 experts; segments legal in about half of
 * the problems; weights of every kind of weights.h; x dense, sparse, hostile (zeros of both signs, subnormals, extreme
 * exponents), with a few Inf and NaN, or subnormal throughout. */
struct problem {
    uint64_t seed;
    struct weights_set weights;
    struct segments segments; /* points into starts and ids, which are as long as they may be read */
    uint32_t *starts;
    int32_t *ids;
    struct bf16 *x;
};
void problem_make(uint64_t seed, struct problem *p);
/* The same with the shape given, one segment an expert, and dense x. */
void problem_make_dense(uint64_t seed, size_t P, size_t N, size_t K, size_t experts, struct problem *p);
void problem_free(struct problem *p);
size_t problem_outputs(const struct problem *p);
/* What the grouped product is by matmul.h; owned. */
struct bf16 *problem_expected(const struct problem *p, uint32_t *status_word);
/* wgmma that tiles of 64 x 64 x 128 need, counted from the rows of segments.h and not from the tiles. */
uint64_t problem_wgmma(const struct problem *p);

/* One launch of a subject on a machine, from a fresh executor. out: [problem_outputs]. */
void problem_run(const struct machine *m, const char *subject, const struct problem *p, struct bf16 poison,
                 struct bf16 *out, struct run_report *report);

/* Number of elements that are neither equal bit for bit nor both NaN; *first the lowest. */
size_t outputs_differing(const struct bf16 *a, const struct bf16 *b, size_t n, size_t *first);

/* The sanitisers slow the arithmetic down by an order of magnitude: there fewer cases run, and the tests say so. */
#if defined(__SANITIZE_ADDRESS__)
#define PROBLEMS_OF(cases) ((cases) / 8)
#else
#define PROBLEMS_OF(cases) (cases)
#endif

#endif
