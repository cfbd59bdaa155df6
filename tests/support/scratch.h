/* scratch: a folder of its own for one test. */
#ifndef FO_TESTS_SUPPORT_SCRATCH_H
#define FO_TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

enum { SCRATCH_PATH = 1024 };

/* cmocka setup and teardown: *state is the new folder's path; the teardown removes it and what is in it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);
/* "FOLDER/name" into path; returns path. */
const char *scratch_path(void *const *state, const char *name, char path[SCRATCH_PATH]);
/* How many things lie in the folder. */
size_t scratch_count(void *const *state);

#endif
