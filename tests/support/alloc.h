/* alloc: makes the n-th allocation of the code under test fail, for every n.
 *
 * A test that uses it links fo_test_alloc, whose link options route malloc, calloc, realloc, strdup and free of every
 * object and static library of the program through here. Shared libraries keep their own and are tested
 * from outside, with failmalloc; jansson allocates through oracle/io/json.c, and so through here. */
#ifndef FO_TESTS_SUPPORT_ALLOC_H
#define FO_TESTS_SUPPORT_ALLOC_H

#include "reference/status.h"

/* Run `run` with its first allocation failing, its second, ... until a run meets no failure and returns STATUS_OK.
 * Every other run must return STATUS_NO_MEMORY, fill the error and free what it allocated; `failed`, unless NULL, then
 * checks that nothing else changed. What the last run gave out is left to the caller. Fails the cmocka test otherwise.
 * Returns the number of failed runs, at least 1. */
size_t alloc_check(enum status (*run)(void *context, struct error *e), void (*failed)(void *context), void *context);

/* Blocks allocated and not yet freed. */
long alloc_live(void);

#endif
