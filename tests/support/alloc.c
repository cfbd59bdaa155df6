#include "tests/support/alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

static size_t countdown; /* the allocation that makes it 0 fails; 0: none does */
static bool tripped;
static long live;

static bool refused(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    tripped = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *block)
{
    live += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (refused())
        return NULL;
    void *moved = __real_realloc(block, size);
    return block ? moved : counted(moved);
}

char *__wrap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = __wrap_malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}

long alloc_live(void)
{
    return live;
}

size_t alloc_check(enum status (*run)(void *context, struct error *e), void (*failed)(void *context), void *context)
{
    for (size_t n = 1;; n++) {
        struct error e = {0};
        long before = live;
        tripped = false;
        countdown = n;
        enum status s = run(context, &e);
        countdown = 0;
        if (!tripped) {
            assert_int_equal(s, STATUS_OK);
            assert_true(n > 1);
            return n - 1;
        }
        assert_int_equal(s, STATUS_NO_MEMORY);
        assert_int_equal(e.status, STATUS_NO_MEMORY);
        assert_true(e.why[0] != '\0');
        assert_int_equal(live, before);
        if (failed)
            failed(context);
    }
}
