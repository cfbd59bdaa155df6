/* ptx_run: executes the straight-line PTX that a tap inserts, for one thread at a time: the dozen instructions that it
 * is made of. Anything else fails the test. */
#ifndef FO_TESTS_ORACLE_PTX_RUN_H
#define FO_TESTS_ORACLE_PTX_RUN_H

#include <stdint.h>

enum { PTX_RUN_REGISTERS = 512, PTX_RUN_NAME = 32 };

struct ptx_run {
    uint32_t tid[3], ntid[3], ctaid[3], nctaid[3];
    uint8_t *global; /* what fragoracle_tap_data holds */
    uint64_t global_size;
    const uint8_t *shared;
    uint32_t shared_size;
    uint32_t count; /* registers that have a value */
    char name[PTX_RUN_REGISTERS][PTX_RUN_NAME];
    uint64_t value[PTX_RUN_REGISTERS];
    uint32_t executed; /* instructions, all runs together */
};

/* Give a register of the surrounding code a value. */
void ptx_run_set(struct ptx_run *r, const char *name, uint64_t value);
/* Run one thread through the text. */
void ptx_run_text(struct ptx_run *r, const char *text);

#endif
