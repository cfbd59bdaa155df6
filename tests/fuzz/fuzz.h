/* fuzz: what the fuzz targets and their driver share. */
#ifndef FO_TESTS_FUZZ_FUZZ_H
#define FO_TESTS_FUZZ_FUZZ_H

#include <assert.h>
#include <string.h>

#include "reference/status.h"

/* One case. The name and the type are libFuzzer's. Returns 0; a fault ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A reader refused `size` bytes named "input": it says so in one line, with a byte offset inside the file. */
static inline void fuzz_check_error(const struct error *e, enum status s, size_t size)
{
    char line[1100];
    assert(s == STATUS_BAD_INPUT && e->status == s);
    assert(!strcmp(e->path, "input") && e->why[0]);
    assert(e->offset >= 0 && (uint64_t)e->offset <= size);
    error_line(e, line, sizeof line);
    for (const char *p = line; *p; p++)
        assert((unsigned char)*p >= ' ');
}

#endif
