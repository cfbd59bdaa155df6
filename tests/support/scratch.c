#include "tests/support/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int scratch_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = malloc(SCRATCH_PATH);
    if (!folder)
        return -1;
    snprintf(folder, SCRATCH_PATH, "%s/fragoracle-test-XXXXXX", base && *base ? base : P_tmpdir);
    *state = folder;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

int scratch_teardown(void **state)
{
    int rc = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return rc;
}

const char *scratch_path(void *const *state, const char *name, char path[SCRATCH_PATH])
{
    snprintf(path, SCRATCH_PATH, "%s/%s", (const char *)*state, name);
    return path;
}

size_t scratch_count(void *const *state)
{
    size_t count = 0;
    DIR *folder = opendir(*state);
    if (!folder)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(folder);
    return count;
}
