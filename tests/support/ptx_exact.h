/* ptx_exact: IEEE 754 arithmetic of any format and rounding by MPFR, as the truth about the floats of the PTX machine.
 */
#ifndef FO_TESTS_SUPPORT_PTX_EXACT_H
#define FO_TESTS_SUPPORT_PTX_EXACT_H

#include <mpfr.h>
#include <stdint.h>

struct exact_format {
    mpfr_prec_t precision;
    mpfr_exp_t least, most; /* of MPFR, whose significands are below 1: 2^(least - 1) is the least subnormal */
};
static const struct exact_format exact_f16 = {11, -23, 16}, exact_bf16 = {8, -132, 128}, exact_f32 = {24, -148, 128},
                                 exact_f64 = {53, -1073, 1024};

enum exact_op { EXACT_ADD, EXACT_SUB, EXACT_MUL, EXACT_DIV, EXACT_FMA, EXACT_SQRT, EXACT_RCP, EXACT_SET };

/* Words of PTX in the order of this table are roundings of MPFR. */
static const struct {
    const char *word;
    mpfr_rnd_t rounding;
} exact_roundings[] = {{"rn", MPFR_RNDN}, {"rz", MPFR_RNDZ}, {"rm", MPFR_RNDD}, {"rp", MPFR_RNDU}};

/* The integer part of a result is one sum or product of exact inputs, rounded once; then its exponent is bounded. */
static inline double exact_compute(enum exact_op op, double a, double b, double c, const struct exact_format *f,
                                   mpfr_rnd_t r)
{
    mpfr_t x, y, z, d;
    mpfr_exp_t least = mpfr_get_emin(), most = mpfr_get_emax();
    mpfr_inits2(53, x, y, z, (mpfr_ptr)0);
    mpfr_init2(d, f->precision);
    mpfr_set_d(x, a, MPFR_RNDN);
    mpfr_set_d(y, b, MPFR_RNDN);
    mpfr_set_d(z, c, MPFR_RNDN);
    int t = op == EXACT_ADD    ? mpfr_add(d, x, y, r)
            : op == EXACT_SUB  ? mpfr_sub(d, x, y, r)
            : op == EXACT_MUL  ? mpfr_mul(d, x, y, r)
            : op == EXACT_DIV  ? mpfr_div(d, x, y, r)
            : op == EXACT_FMA  ? mpfr_fma(d, x, y, z, r)
            : op == EXACT_SQRT ? mpfr_sqrt(d, x, r)
            : op == EXACT_RCP  ? mpfr_ui_div(d, 1, x, r)
                               : mpfr_set(d, x, r);
    mpfr_set_emin(f->least);
    mpfr_set_emax(f->most);
    t = mpfr_check_range(d, t, r);
    mpfr_subnormalize(d, t, r);
    double result = mpfr_get_d(d, MPFR_RNDN);
    mpfr_set_emin(least);
    mpfr_set_emax(most);
    mpfr_clears(x, y, z, d, (mpfr_ptr)0);
    return result;
}

#endif
