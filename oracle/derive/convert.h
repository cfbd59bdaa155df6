/* convert: how a stored code becomes an element of A, two halves (or four bytes) of a register at a time.
 *
 * First every bit of the code is moved to a fixed bit of the element; shifts and masks do that for all parts of a
 * register at once, and loads decide which. Then a few instructions finish the register; they are C text, compiled into
 * what is printed. Every conversion is exact, but for products with a scale that leave the range: these are Inf. */
#ifndef FO_ORACLE_DERIVE_CONVERT_H
#define FO_ORACLE_DERIVE_CONVERT_H

#include <stdbool.h>

#include "reference/status.h"

struct conversion {
    uint32_t part_bits;    /* of an element of A */
    uint32_t bits;         /* of a code */
    uint8_t to[32];        /* bit b of the code goes to bit to[b] of the element */
    const char *finish;    /* statements on the register y; "" for none */
    bool multiplies, adds; /* they use fo_mul2, fo_add2 */
    bool scaled;           /* a scale is multiplied afterwards */
    bool upper;            /* only the upper half counts (tf32 out of bf16 arithmetic) */
};

/* code: a type name, "e2m1", "int4", "int4-offset8", "e4m3", ...; a: type of A. bits: of the code as stored.
 * errors: STATUS_UNSUPPORTED when there is no exact conversion; STATUS_BAD_INPUT for another number of bits. */
enum status convert_find(const char *code, uint32_t bits, bool scaled, const char *a, uint32_t a_bits,
                         struct conversion *out, struct error *e);

#endif
