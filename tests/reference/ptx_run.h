/* ptx_run: a module in a test, made and launched. */
#ifndef FO_TESTS_REFERENCE_PTX_RUN_H
#define FO_TESTS_REFERENCE_PTX_RUN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/vm.h"

#define PTX_HEAD ".version 8.5\n.target sm_90a\n.address_size 64\n"

static inline struct vm *ptx_make(const char *text)
{
    struct vm *v = NULL;
    struct error e = {0};
    char line[1200];
    if (vm_make("k.ptx", text, strlen(text), &v, &e) != STATUS_OK)
        fail_msg("%s", error_line(&e, line, sizeof line));
    return v;
}

static inline uint64_t ptx_alloc(struct vm *v, const char *name, size_t bytes)
{
    uint64_t address = 0;
    assert_int_equal(vm_alloc(v, name, bytes, &address, NULL), STATUS_OK);
    memset(vm_bytes(v, address), 0, bytes);
    return address;
}

/* A launch of `k` in one dimension. */
static inline struct vm_launch ptx_launch(uint32_t blocks, uint32_t threads, const void *parameters, size_t bytes)
{
    return (struct vm_launch){.entry = "k",
                              .grid = {blocks, 1, 1},
                              .block = {threads, 1, 1},
                              .parameters = parameters,
                              .parameter_bytes = bytes};
}

static inline void ptx_expect(struct vm *v, const struct vm_launch *l)
{
    struct error e = {0};
    char line[1200];
    if (vm_run(v, l, &e) != STATUS_OK)
        fail_msg("%s", error_line(&e, line, sizeof line));
}

/* The launch fails with this status, its line holding `text`. */
static inline void ptx_expect_fault(struct vm *v, const struct vm_launch *l, enum status s, const char *text)
{
    struct error e = {0};
    char line[1200];
    enum status got = vm_run(v, l, &e);
    error_line(&e, line, sizeof line);
    if (got != s || e.status != s || !strstr(line, text))
        fail_msg("wanted %s with \"%s\", got %s: %s", status_name(s), text, status_name(got), line);
}

#endif
