#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "oracle/io/file.h"
#include "oracle/ptx/sites.h"
#include "tests/support/scratch.h"

static uint8_t *text;
static size_t text_size;
static struct ptx_sites found;

/* Run a program; its exit status, 127 where it is not there. */
static int run(const char *const *arguments, const char *log)
{
    char command[4 * SCRATCH_PATH] = "";
    size_t length = 0;
    for (; *arguments; arguments++)
        length += (size_t)snprintf(command + length, sizeof command - length, "'%s' ", *arguments);
    snprintf(command + length, sizeof command - length, ">'%s' 2>&1", log);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Compile the production kernel to PTX and find its sites; skips without nvcc. */
static int setup(void **state)
{
    struct error e;
    char ptx[SCRATCH_PATH], log[SCRATCH_PATH];
    if (scratch_setup(state) != 0)
        return -1;
    scratch_path(state, "k.ptx", ptx);
    const char *const nvcc[] = {
        "nvcc", "-ptx", "-arch=sm_90a", "-lineinfo", "-I", FO_SOURCE_DIR, FO_SOURCE_DIR "/kernels/rs_gemm.cu", "-o",
        ptx,    NULL};
    if (run((const char *const[]){"nvcc", "--version", NULL}, scratch_path(state, "log", log)) != 0)
        return 0;
    if (run(nvcc, log) != 0)
        return -1;
    if (file_read(ptx, 0, &text, &text_size, &e) != STATUS_OK)
        return -1;
    return ptx_find_sites(ptx, (const char *)text, text_size, &found, &e) == STATUS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    ptx_sites_free(&found);
    free(text);
    return scratch_teardown(state);
}

static void find_sites_of_the_production_kernel_have_points_and_results(void **state)
{
    uint32_t results = 0;
    (void)state;
    if (!text)
        skip();
    assert_true(found.site_count > 0);
    for (uint32_t i = 0; i < found.site_count; i++) {
        const struct ptx_site *s = &found.site[i];
        bool last = false;
        assert_string_equal(s->why_not, "");
        assert_true(s->register_a && s->n > 0 && s->k == 16);
        assert_non_null(s->source);
        assert_true(strstr(s->source, "kernels/") && s->source_line > 0);
        assert_memory_equal(text + s->registers_at, "wgmma.fence", strlen("wgmma.fence"));
        for (uint32_t r = 0; r < found.result_count; r++)
            last = last || found.result[r].accumulator == s->accumulator;
        assert_true(last);
        results += last;
    }
    assert_int_equal(results, found.site_count);
}

/* A statement that reads every name given, at every point: ptxas takes the text and serialises nothing. */
static void find_sites_of_the_production_kernel_can_be_read_there(void **state)
{
    char ptx[SCRATCH_PATH], cubin[SCRATCH_PATH], log[SCRATCH_PATH];
    FILE *f = text ? fopen(scratch_path(state, "tapped.ptx", ptx), "wb") : NULL;
    if (!f)
        skip();
    static const char store[] = "st.global.b32 [fo_test], %s;\n";
    for (size_t at = 0; at < text_size; at++) {
        if (at == found.globals_at)
            fputs(".visible .global .align 8 .b8 fo_test[8];\n", f);
        for (uint32_t i = 0; i < found.site_count; i++) {
            for (int a = 0; found.site[i].registers_at == at && a < PTX_A_REGISTERS; a++)
                fprintf(f, store, found.site[i].a[a]);
            if (found.site[i].descriptors_at == at)
                fprintf(f, "st.global.b64 [fo_test], %s;\n", found.site[i].b_descriptor);
        }
        for (uint32_t r = 0; r < found.result_count; r++)
            for (int d = 0; found.result[r].at == at && d < found.result[r].registers; d++)
                fprintf(f, store, found.result[r].d[d]);
        putc(text[at], f);
    }
    assert_int_equal(fclose(f), 0);
    scratch_path(state, "k.cubin", cubin);
    const char *const ptxas[] = {"ptxas", "-arch=sm_90a", "-v", ptx, "-o", cubin, NULL};
    uint8_t *said;
    size_t size;
    struct error e;
    assert_int_equal(run(ptxas, scratch_path(state, "log", log)), 0);
    assert_int_equal(file_read(log, 0, &said, &size, &e), STATUS_OK);
    assert_null(memmem(said, size, "(C75", 4));
    assert_non_null(memmem(said, size, "registers", 9));
    free(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_sites_of_the_production_kernel_have_points_and_results),
        cmocka_unit_test(find_sites_of_the_production_kernel_can_be_read_there),
    };
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    return failed ? failed : text_size ? 0 : 77;
}
