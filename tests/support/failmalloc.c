/* failmalloc: preloaded into a program (LD_PRELOAD), makes its FAIL_MALLOC_AT-th call of malloc, calloc or realloc
 * fail, counted over all of them from the moment this library starts. Later calls succeed again, so that the program
 * meets the failure and then has what it needs to report it. Unset or 0: no call fails. Exports these three functions
 * only. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

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

static bool refused(void)
{
    if (fail_at == 0 || atomic_fetch_add(&calls, 1) + 1 != fail_at)
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
