/* opcodes: which operands of an instruction are destinations. */
#ifndef FO_ORACLE_PTX_OPCODES_H
#define FO_ORACLE_PTX_OPCODES_H

#include <stddef.h>

/* Number of leading operands that an opcode such as "mov.b32" writes, or -1 for one that is not known. */
int opcode_destinations(const char *opcode, size_t length);

size_t opcode_count(void);
const char *opcode_at(size_t i);

#endif
