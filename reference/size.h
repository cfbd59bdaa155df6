/* size: products and paddings of sizes that may overflow. false means that the result does not fit in size_t. */
#ifndef FO_REFERENCE_SIZE_H
#define FO_REFERENCE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

static inline bool size_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* The smallest multiple of step that is >= x. needs: step > 0. */
static inline bool size_round_up(size_t x, size_t step, size_t *rounded)
{
    size_t steps = x / step + (x % step != 0);
    return size_multiply(steps, step, rounded);
}

#endif
