/* points: where A and the descriptors of a wgmma can be read, and under which names. */
#ifndef FO_ORACLE_PTX_POINTS_H
#define FO_ORACLE_PTX_POINTS_H

#include "oracle/ptx/flow.h"
#include "oracle/ptx/mma.h"

/* Find registers_at and descriptors_at of a site, and turn the registers of mma into those to be named there.
 * Writes why_not where there is no such place. errors: STATUS_NO_MEMORY; STATUS_BAD_INPUT of module_spend. */
enum status points_find(struct ptx_module *m, const struct ptx_function *f, const struct flow *flow, struct mma *mma,
                        struct ptx_site *site, struct error *e);

#endif
