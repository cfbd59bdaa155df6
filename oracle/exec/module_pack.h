/* module_pack: what one launch hands over: extents, and the parameter buffer with every value in its place. */
#ifndef FO_ORACLE_EXEC_MODULE_PACK_H
#define FO_ORACLE_EXEC_MODULE_PACK_H

#include "oracle/exec/module_device.h"

/* errors: STATUS_BAD_INPUT with path and field: an expression that gives no such number. */
enum status module_pack_shape(const struct module_sidecar *m, const struct module_extents *extents,
                              struct module_launch *out, struct error *e);
/* Bytes of a scratch buffer. */
enum status module_pack_scratch(const struct module_sidecar *m, const struct module_extents *extents, uint32_t scratch,
                                size_t *bytes, struct error *e);
/* The parameter buffer. needs: the buffers that the sidecar uses are set. errors: also those of device->tensor_map. */
enum status module_pack_parameters(const struct module_sidecar *m, const struct module_extents *extents,
                                   const struct module_device *device, struct module_launch *out, struct error *e);

#endif
