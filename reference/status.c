#include "reference/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *e, enum status s, const char *why, ...)
{
    if (e) {
        memset(e, 0, sizeof *e);
        e->status = s;
        e->offset = -1;
        va_list ap;
        va_start(ap, why);
        vsnprintf(e->why, sizeof e->why, why, ap);
        va_end(ap);
    }
    return s;
}

static enum status error_text(struct error *e, char *field, size_t size, const char *text)
{
    if (!e)
        return STATUS_OK;
    if (text)
        snprintf(field, size, "%s", text);
    return e->status;
}

enum status error_at_path(struct error *e, const char *path)
{
    return error_text(e, e ? e->path : NULL, sizeof e->path, path);
}

enum status error_at_field(struct error *e, const char *field)
{
    return error_text(e, e ? e->field : NULL, sizeof e->field, field);
}

enum status error_at_offset(struct error *e, int64_t offset)
{
    if (!e)
        return STATUS_OK;
    e->offset = offset;
    return e->status;
}

const char *error_line(const struct error *e, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
#define APPEND(...)                                                                                                    \
    do {                                                                                                               \
        int n = used < size ? snprintf(text + used, size - used, __VA_ARGS__) : 0;                                     \
        used += n > 0 ? (size_t)n : 0;                                                                                 \
    } while (0)
    if (e->path[0])
        APPEND("%s: ", e->path);
    if (e->field[0])
        APPEND("%s: ", e->field);
    if (e->line > 0)
        APPEND("line %d, column %d: ", e->line, e->column);
    if (e->offset >= 0)
        APPEND("byte %" PRId64 ": ", e->offset);
    APPEND("%s", e->why);
#undef APPEND
    /* Names come from files and command lines: what they hold shall neither break the line nor reach a terminal. */
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return text;
}

const char *status_name(enum status s)
{
    static const char *const name[] = {
        "ok",          "bad argument", "bad input",    "input/output error", "out of memory",
        "unsupported", "no device",    "device error", "the subject broke"};
    return (size_t)s < sizeof name / sizeof *name ? name[s] : "unknown status";
}
