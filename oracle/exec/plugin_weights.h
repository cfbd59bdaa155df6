/* plugin_weights: MXFP4 weights in the type and layout that a plug-in declares, exactly or not at all. */
#ifndef FO_ORACLE_EXEC_PLUGIN_WEIGHTS_H
#define FO_ORACLE_EXEC_PLUGIN_WEIGHTS_H

#include "oracle/fragoracle.h"
#include "probes/executor.h"
#include "reference/number.h"

struct plugin_format {
    enum fo_weight_type type;
    enum fo_weight_layout layout;
    bool block_scales;
    uint32_t pad_rows, pad_bytes, warps; /* of FO_LAYOUT_HOPPER */
};

const char *plugin_type_name(enum fo_weight_type type); /* "bf16", "f16", "e4m3", ... */

/* Fill in what is implied: scales of MXFP4, the paddings of fo_pack. errors: STATUS_BAD_INPUT (no such type or layout,
 * a layout of another type). */
enum status plugin_format_complete(struct plugin_format *f, struct error *e);

/* What this format cannot say: no_scales and no_codes of the limits; the other fields are left alone. */
void plugin_format_limits(const struct plugin_format *f, struct executor_limits *limits);

/* One weight, as the bits of its type (the nibble of an int4). false: the type has no such value. The sign of a zero is
 * lost in integers: a zero product takes no part in a sum, whatever its sign. A value that is no finite bf16 is NaN or
 * Inf, as mxfp4.h says, and the type has it or has it not. */
bool plugin_weight_encode(const struct plugin_format *f, struct fp4 code, struct e8m0 scale, uint32_t *bits);

/* errors: STATUS_BAD_ARGUMENT (K % 32, a layout that does not take this shape, overflow). */
enum status plugin_weights_size(const struct plugin_format *f, const struct weights *w, size_t *value_bytes,
                                size_t *scale_bytes, struct error *e);
/* values, scales: caller-allocated, of those sizes. errors: STATUS_BAD_ARGUMENT "not applicable: ..." with the first
 * weight that the type cannot say; the arrays then hold anything. */
enum status plugin_weights_convert(const struct plugin_format *f, const struct weights *w, uint8_t *values,
                                   uint8_t *scales, struct error *e);

#endif
