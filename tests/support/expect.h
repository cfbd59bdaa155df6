/* expect: what a test says about a reported failure. Include after cmocka.h. */
#ifndef FO_TESTS_SUPPORT_EXPECT_H
#define FO_TESTS_SUPPORT_EXPECT_H

#include <stdio.h>
#include <string.h>

#include "reference/status.h"

/* The failure is `s` at this path, field and offset, and its reason contains `why`. */
static inline void expect_error(const struct error *e, enum status s, const char *path, const char *field,
                                int64_t offset, const char *why)
{
    char line[1100];
    error_line(e, line, sizeof line);
    if (!strstr(e->why, why))
        fail_msg("\"%s\" does not say \"%s\"", line, why);
    if (e->status != s || strcmp(e->path, path) || strcmp(e->field, field) || e->offset != offset)
        fail_msg("\"%s\" (%s) is not about %s of %s at byte %lld", line, status_name(e->status), field, path,
                 (long long)offset);
}

#endif
