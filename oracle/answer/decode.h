/* decode: the decode contract. Does the kernel's decode put the right value into every slot of the A fragment?
 *
 * What the registers should hold comes from reference/ alone: the fragment map says which element a slot is, the value
 * and scale swizzles say which byte and nibble of a word it is packed in, mxfp4_decode says what it is worth. */
#ifndef FO_ORACLE_ANSWER_DECODE_H
#define FO_ORACLE_ANSWER_DECODE_H

#include "oracle/io/json.h"

#include "oracle/exec/machine.h"
#include "reference/hopper_layout.h"

struct decode_result {
    uint64_t words, values, differing;
    char first[240]; /* the first difference, field by field; "" if none */
};

/* 4 k16 steps x 4 byte positions x 256 bytes x 256 scales x 4 backgrounds (00, FF, two random ones from the seed); the
 * other scale of the word is drawn too. 4,194,304 words, eight values each. */
enum status decode_exhaustive(const struct machine *m, uint64_t seed, struct decode_result *out, struct error *e);
/* Every word of one expert through the kernel's own addresses. needs: w->experts == 1; K % 32 == 0, any N. Padding is
 * compared too: it must decode to +0. */
enum status decode_weights(const struct machine *m, const struct weights *w, struct decode_result *out,
                           struct error *e);
json_t *json_of_decode(const struct decode_result *r);

#endif
