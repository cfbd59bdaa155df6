/* child_memory: arrays that two processes see, with a guard ahead of each and after it.
 *
 *     offset 0      guard     CHILD_GUARD bytes of a pattern
 *                   array 0   from a page boundary
 *                   guard     to the next page boundary, and CHILD_GUARD bytes
 *                   array 1 ...
 *
 * The memory is a file without a name. The owner can write; a reader maps the same file, opened read-only, so that the
 * kernel under test has no way to change its inputs, and guards round them are there for the reads that go astray: the
 * pattern is a NaN of bf16, and no legal row or expert. */
#ifndef FO_ORACLE_EXEC_CHILD_MEMORY_H
#define FO_ORACLE_EXEC_CHILD_MEMORY_H

#include <stdbool.h>

#include "reference/status.h"

enum { CHILD_ARRAYS = 3, CHILD_GUARD = 1 << 16, CHILD_SAYS = 160 };

struct child_memory {
    uint8_t *base; /* mapped; NULL: none */
    size_t size;
    size_t bytes[CHILD_ARRAYS], offset[CHILD_ARRAYS];
    int fd; /* of the owner, read and write; -1 in the other process */
};

/* Guards are filled, arrays are zero. errors: STATUS_NO_MEMORY, STATUS_IO. */
enum status child_memory_make(const size_t bytes[CHILD_ARRAYS], struct child_memory *out, struct error *e);
/* A descriptor for the other process, which it may only read through; to be closed by the caller. */
enum status child_memory_reader(const struct child_memory *m, int *fd, struct error *e);
/* Map what the other process made; the descriptor stays open. errors: STATUS_IO. */
enum status child_memory_map(int fd, bool writable, const size_t bytes[CHILD_ARRAYS], struct child_memory *out,
                             struct error *e);
void child_memory_free(struct child_memory *m); /* safe on {.fd = -1} */

void *child_memory_array(const struct child_memory *m, int array);

/* Is every guard what it was? If not: "wrote 16 bytes past the end of out", with the names of the arrays. */
bool child_memory_intact(const struct child_memory *m, const char *const names[CHILD_ARRAYS], char says[CHILD_SAYS]);
/* Where a write to an offset goes: "to x", "past the end of x", "ahead of x". needs: offset < size. */
const char *child_memory_place(const struct child_memory *m, const char *const names[CHILD_ARRAYS], size_t offset,
                               char says[CHILD_SAYS]);

#endif
