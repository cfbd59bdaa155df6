#include "oracle/exec/child_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reference/size.h"

enum { PAGE = 4096 };

/* A NaN of bf16, a negative expert, a row beyond any P, and a scale that is NaN. */
static const uint8_t pattern[2] = {0xd9, 0xff};

static enum status place(const size_t bytes[CHILD_ARRAYS], struct child_memory *m, struct error *e)
{
    size_t at = 0;
    for (int i = 0; i < CHILD_ARRAYS; i++) {
        m->bytes[i] = bytes[i];
        m->offset[i] = at += CHILD_GUARD;
        if (bytes[i] > SIZE_MAX / 4 || !size_round_up(at + bytes[i], PAGE, &at) || at > SIZE_MAX / 4)
            return error_set(e, STATUS_NO_MEMORY, "no memory for an array of %zu bytes", bytes[i]);
    }
    m->size = at + CHILD_GUARD;
    return STATUS_OK;
}

/* The guard ahead of array i, or after the last one. */
static void guard_of(const struct child_memory *m, int i, size_t *begin, size_t *end)
{
    *begin = i == 0 ? 0 : m->offset[i - 1] + m->bytes[i - 1];
    *end = i == CHILD_ARRAYS ? m->size : m->offset[i];
}

static enum status map(struct child_memory *m, int fd, bool writable, struct error *e)
{
    void *base = mmap(NULL, m->size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return error_set(e, errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO,
                         "no memory for %zu bytes that two processes share: %s", m->size, strerror(errno));
    m->base = base;
    return STATUS_OK;
}

enum status child_memory_make(const size_t bytes[CHILD_ARRAYS], struct child_memory *out, struct error *e)
{
    struct child_memory m = {.fd = -1};
    enum status s = place(bytes, &m, e);
    if (s != STATUS_OK)
        return s;
    m.fd = memfd_create("fragoracle", MFD_CLOEXEC);
    if (m.fd < 0)
        return error_set(e, STATUS_IO, "no shared memory: %s", strerror(errno));
    /* Not reserved ahead: posix_fallocate of what is not there calls the OOM killer instead of failing. */
    if (ftruncate(m.fd, (off_t)m.size) != 0)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes that two processes share: %s", m.size,
                      strerror(errno));
    else
        s = map(&m, m.fd, true, e);
    if (s != STATUS_OK) {
        close(m.fd);
        return s;
    }
    for (int i = 0; i <= CHILD_ARRAYS; i++) {
        size_t begin, end;
        guard_of(&m, i, &begin, &end);
        for (size_t at = begin; at < end; at++)
            m.base[at] = pattern[at % 2];
    }
    *out = m;
    return STATUS_OK;
}

enum status child_memory_reader(const struct child_memory *m, int *fd, struct error *e)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", m->fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0)
        return error_set(e, STATUS_IO, "no shared memory: %s: %s", path, strerror(errno));
    *fd = reader;
    return STATUS_OK;
}

enum status child_memory_map(int fd, bool writable, const size_t bytes[CHILD_ARRAYS], struct child_memory *out,
                             struct error *e)
{
    struct child_memory m = {.fd = -1};
    enum status s = place(bytes, &m, e);
    if (s == STATUS_OK)
        s = map(&m, fd, writable, e);
    if (s == STATUS_OK)
        *out = m;
    return s;
}

void child_memory_free(struct child_memory *m)
{
    if (m->base)
        munmap(m->base, m->size);
    if (m->fd >= 0)
        close(m->fd);
    *m = (struct child_memory){.fd = -1};
}

void *child_memory_array(const struct child_memory *m, int array)
{
    return m->base + m->offset[array];
}

/* Bytes first .. last of the guard ahead of array i changed. They are told from the array that is nearer. */
static void say_written(const struct child_memory *m, const char *const names[CHILD_ARRAYS], int i, size_t first,
                        size_t last, char says[CHILD_SAYS])
{
    size_t begin, end, bytes = last - first + 1;
    guard_of(m, i, &begin, &end);
    bool after = i == CHILD_ARRAYS || (i > 0 && first - begin <= end - 1 - last);
    size_t gap = after ? first - begin : end - 1 - last;
    int used = snprintf(says, CHILD_SAYS, "wrote %zu byte%s %s of %s", bytes, bytes == 1 ? "" : "s",
                        after ? "past the end" : "ahead of the start", names[after ? i - 1 : i]);
    if (gap > 0)
        snprintf(says + used, CHILD_SAYS - (size_t)used, ", %zu byte%s away from it", gap, gap == 1 ? "" : "s");
}

bool child_memory_intact(const struct child_memory *m, const char *const names[CHILD_ARRAYS], char says[CHILD_SAYS])
{
    for (int i = 0; i <= CHILD_ARRAYS; i++) {
        size_t begin, end, first = SIZE_MAX, last = 0;
        guard_of(m, i, &begin, &end);
        for (size_t at = begin; at < end; at++)
            if (m->base[at] != pattern[at % 2]) {
                first = first == SIZE_MAX ? at : first;
                last = at;
            }
        if (first != SIZE_MAX)
            return say_written(m, names, i, first, last, says), false;
    }
    return true;
}

const char *child_memory_place(const struct child_memory *m, const char *const names[CHILD_ARRAYS], size_t offset,
                               char says[CHILD_SAYS])
{
    for (int i = 0; i <= CHILD_ARRAYS; i++) {
        size_t begin, end;
        guard_of(m, i, &begin, &end);
        if (offset >= end)
            continue;
        if (offset < begin)
            snprintf(says, CHILD_SAYS, "to %s", names[i - 1]);
        else if (i == 0 || (i < CHILD_ARRAYS && end - offset < offset - begin))
            snprintf(says, CHILD_SAYS, "ahead of %s", names[i]);
        else
            snprintf(says, CHILD_SAYS, "past the end of %s", names[i - 1]);
        break;
    }
    return says;
}
