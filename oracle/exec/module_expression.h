/* module_expression: the small integer expressions of a sidecar, such as "ceil(N, 128) * E".
 *
 *     sum      product { (+|-) product }
 *     product  operand { (*|/|%) operand }
 *     operand  number | P | N | K | E | A | ( sum ) | ceil(a, b) | min(a, b) | max(a, b)
 *
 * Values are 0 .. 2^63-1; / rounds down, ceil(a, b) is a / b rounded up. Anything else is an error that names the
 * column (from 1) at which it shows. */
#ifndef FO_ORACLE_EXEC_MODULE_EXPRESSION_H
#define FO_ORACLE_EXEC_MODULE_EXPRESSION_H

#include "reference/status.h"

enum { MODULE_EXPRESSION = 128 }; /* bytes of text, with its end */

struct module_extents {
    uint64_t P, N, K, E, A;
};

/* errors: STATUS_BAD_INPUT: syntax, a name that is not one of the five, a value below 0 or above 2^63-1, division by 0.
 */
enum status module_expression_value(const char *text, const struct module_extents *extents, uint64_t *out,
                                    struct error *e);
/* Syntax and names only. */
enum status module_expression_check(const char *text, struct error *e);

#endif
