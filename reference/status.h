/* status: how every fallible function of the project reports trouble.
 *
 * A function that can fail returns `enum status`, leaves its out-parameters untouched on failure, and fills an optional
 * caller-owned `struct error` with what went wrong, where, and why. Libraries never print and never exit. */
#ifndef FO_REFERENCE_STATUS_H
#define FO_REFERENCE_STATUS_H

#include <stddef.h>
#include <stdint.h>

enum status {
    STATUS_OK = 0,
    STATUS_BAD_ARGUMENT, /* the caller asked for something that cannot be: wrong shape, unknown name */
    STATUS_BAD_INPUT,    /* a file or an array does not hold what it should */
    STATUS_IO,           /* the operating system refused to read or to write */
    STATUS_NO_MEMORY,
    STATUS_UNSUPPORTED, /* legal, but not offered (yet) */
    STATUS_NO_DEVICE,   /* no GPU that can do this */
    STATUS_DEVICE,      /* the GPU or its driver reported an error */
    STATUS_SUBJECT      /* the kernel under test broke: it crashed, hung or wrote where it must not. An answer about
                           it, not trouble of ours: whoever asks turns it into the verdict `differs` and its sentence */
};

struct error {
    enum status status;
    char path[512];   /* file, "" if none */
    char field[160];  /* tensor, JSON member, option; "" if none */
    int64_t offset;   /* byte offset in `path`, -1 if none */
    int line, column; /* text position in `path`, 0 if none */
    char why[320];
};

#if defined(__GNUC__)
#define STATUS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define STATUS_PRINTF(f, a)
#endif

/* Record a failure and return its status. Clears path, field, offset, line and column.
 * e: may be NULL. s: not STATUS_OK. why: printf format, one sentence without a newline. */
enum status error_set(struct error *e, enum status s, const char *why, ...) STATUS_PRINTF(3, 4);

/* Add a place to a recorded failure; NULL e and NULL text are ignored. Return e->status (STATUS_OK for a NULL e). */
enum status error_at_path(struct error *e, const char *path);
enum status error_at_field(struct error *e, const char *field);
enum status error_at_offset(struct error *e, int64_t offset);

/* Write the one-line form "PATH: FIELD: byte N: why" into text (always terminated), control characters as ?; returns
 * text. */
const char *error_line(const struct error *e, char *text, size_t size);

/* Short lower-case name of a status: "ok", "bad argument", ... Never NULL. */
const char *status_name(enum status s);

#endif
