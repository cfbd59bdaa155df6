#include "probes/sampled_bound.h"

#include <assert.h>
#include <math.h>

#include "reference/number.h"

void sampled_factors(const struct bf16 *v, size_t n, struct sampled_factor *out)
{
    for (size_t i = 0; i < n; i++) {
        double value = (double)bf16_decode(v[i]), size = fabs(value);
        bool counts = isfinite(value) && size > 0;
        out[i] = (struct sampled_factor){value, counts ? fmax(size, 0x1p-126) : 0};
    }
}

struct sampled_bound sampled_bound_make(const struct sampled_factor *x, const struct sampled_factor *w, size_t K)
{
    double sum = 0, size = 0;
    assert(K >= 1 && K <= SAMPLED_MOST_K);
    for (size_t k = 0; k < K; k++) {
        sum += x[k].value * w[k].value;
        size += x[k].size * w[k].size;
    }
    /* With K at most 2^20 what is rounded exceeds A by less than an eighth. */
    bool may_overflow = size * 1.25 >= 0x1p128;
    if (!isfinite(sum))
        return (struct sampled_bound){.sum = sum, .open = may_overflow && !isnan(sum)};
    double relative = (double)(K - 1) * 0x1p-23;
    double reach = (relative / (1 - relative) * size + (double)K * 0x1p-144) * (1 + 0x1p-20);
    return (struct sampled_bound){.sum = sum, .reach = size > 0 ? reach : 0, .open = may_overflow};
}

static double value_of(int magnitude)
{
    return (double)bf16_decode((struct bf16){(uint16_t)magnitude});
}

/* The sums that round to `found`, which is not NaN: [*low, *high]. Those that round to an infinity, and all above the
 * largest value, may be said to be infinite: where S is so large the bound is open. */
static void preimage(struct bf16 found, double *low, double *high)
{
    int magnitude = found.bits & ~BF16_SIGN;
    double here = value_of(magnitude);
    double inner = magnitude ? (value_of(magnitude - 1) + here) / 2 : -0x1p-134;
    double outer = magnitude == BF16_EXPONENT ? here : (here + value_of(magnitude + 1)) / 2;
    bool negative = found.bits & BF16_SIGN;
    *low = negative ? -outer : inner;
    *high = negative ? -inner : outer;
}

double sampled_bound_ratio(const struct sampled_bound *b, struct bf16 found)
{
    double low, high;
    if (b->open)
        return 0;
    if (isnan(b->sum) || bf16_is_nan(found))
        return isnan(b->sum) && bf16_is_nan(found) ? 0 : (double)INFINITY;
    if (isinf(b->sum))
        return (double)bf16_decode(found) == b->sum ? 0 : (double)INFINITY;
    preimage(found, &low, &high);
    double least = fmax(0, fmax(low - b->sum, b->sum - high));
    return least > 0 ? least / b->reach : 0;
}

/* To bf16 by way of binary32, which must not round to a tie: toward `to` first. */
static struct bf16 encode_toward(double value, float to)
{
    float narrow = (float)value;
    if ((double)narrow != value && ((double)narrow < value) == (to > 0))
        narrow = nextafterf(narrow, to);
    return bf16_encode(narrow);
}

struct sampled_interval sampled_bound_interval(const struct sampled_bound *b)
{
    if (b->open)
        return (struct sampled_interval){{BF16_SIGN | BF16_EXPONENT}, {BF16_EXPONENT}};
    if (!isfinite(b->sum)) {
        struct bf16 only = bf16_encode((float)b->sum);
        return (struct sampled_interval){only, only};
    }
    return (struct sampled_interval){encode_toward(b->sum - b->reach, -INFINITY),
                                     encode_toward(b->sum + b->reach, INFINITY)};
}
