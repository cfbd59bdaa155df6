/* splitmix: the random numbers of the tests. One seed, printed by every failing random case together with the way to
 * repeat it: FO_TEST_SEED=<seed> in the environment. */
#ifndef FO_TESTS_SUPPORT_SPLITMIX_H
#define FO_TESTS_SUPPORT_SPLITMIX_H

#include <stdint.h>
#include <stdlib.h>

struct splitmix {
    uint64_t state;
};

static inline uint64_t splitmix_seed(void)
{
    const char *text = getenv("FO_TEST_SEED");
    return text ? strtoull(text, NULL, 0) : 20240607u;
}

/* source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static inline uint64_t splitmix_next(struct splitmix *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. n-1. needs: n > 0, small against 2^64. */
static inline uint64_t splitmix_below(struct splitmix *r, uint64_t n)
{
    return splitmix_next(r) % n;
}

/* low .. high, both included. */
static inline int splitmix_between(struct splitmix *r, int low, int high)
{
    return low + (int)splitmix_below(r, (uint64_t)(high - low) + 1);
}

#endif
