/* module_named: modules and sidecars in a scratch folder, opened with the driver that is not there. Include after
 * cmocka.h. */
#ifndef FO_TESTS_ORACLE_MODULE_NAMED_H
#define FO_TESTS_ORACLE_MODULE_NAMED_H

#include <string.h>

#include "oracle/exec/module.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "tests/oracle/mock/module_driver.h"
#include "tests/support/scratch.h"

static inline void put(void **state, const char *name, const char *text)
{
    char path[SCRATCH_PATH];
    assert_int_equal(file_write(scratch_path(state, name, path), text, strlen(text), NULL), STATUS_OK);
}

static inline enum status open_named(void **state, const char *name, struct executor *out, struct error *e)
{
    char path[SCRATCH_PATH];
    enum status s = module_subject_open(scratch_path(state, name, path), false, out, e);
    json_forget();
    return s;
}

static inline void open_or_fail(void **state, const char *sidecar, struct executor *out)
{
    struct error e;
    put(state, "k.json", sidecar);
    put(state, "k.ptx", ".version 8.0");
    if (open_named(state, "k.ptx", out, &e) != STATUS_OK)
        fail_msg("%s: %s: %s", e.path, e.field, e.why);
}

static inline void assert_nothing_lives(void)
{
    assert_int_equal(module_mock.buffers, 0);
    assert_int_equal(module_mock.modules, 0);
    assert_int_equal(module_mock.contexts, 0);
}

#endif
