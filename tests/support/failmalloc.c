/* failmalloc: preloaded into a program (LD_PRELOAD), makes its FAIL_MALLOC_AT-th call of malloc, calloc or realloc
 * fail, counted over all of them from the moment this library starts. Later calls succeed again, so that the program
 * meets the failure and then has what it needs to report it. Unset or 0: no call fails. FAIL_MALLOC_COUNT=FILE: the
 * number of calls is written there when the program ends. Exports these three functions only. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* glibc's own names: dlsym would itself call calloc before it could be found. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static unsigned long fail_at; /* 0 until the environment can be read */
static atomic_ulong calls;

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("FAIL_MALLOC_AT");
    fail_at = text ? strtoul(text, NULL, 10) : 0;
}

__attribute__((destructor)) static void stop(void)
{
    const char *path = getenv("FAIL_MALLOC_COUNT");
    char text[24];
    int length = snprintf(text, sizeof text, "%lu\n", atomic_load(&calls));
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd >= 0 && (write(fd, text, (size_t)length) != length || close(fd)))
        abort();
}

static bool refused(void)
{
    if (atomic_fetch_add(&calls, 1) + 1 != fail_at)
        return false;
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t size)
{
    return refused() ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return refused() ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return refused() ? NULL : __libc_realloc(block, size);
}
