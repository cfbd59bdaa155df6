/* The driver that is not there, in a process of its own: what a launch does is what its entry is called. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "reference/matmul.h"
#include "tests/oracle/mock/module_driver.h"

static void *pointer_of(const struct mock_launch *l, int i)
{
    void *p;
    memcpy(&p, l->parameters[i], sizeof p);
    return p;
}

static uint32_t number_of(const struct mock_launch *l, int i)
{
    uint32_t n;
    memcpy(&n, l->parameters[i], sizeof n);
    return n;
}

static int is(const char *entry)
{
    return strcmp(module_mock.entry, entry) == 0;
}

/* x, blocks, scales, starts, ids, out, P, N, K, E, A and, where the sidecar has it, status. */
static void product(const struct mock_launch *l)
{
    struct weights w = {number_of(l, 9), number_of(l, 7), number_of(l, 8), pointer_of(l, 1), pointer_of(l, 2)};
    struct segments s = {number_of(l, 6), w.experts, number_of(l, 10), pointer_of(l, 3), pointer_of(l, 4)};
    uint32_t untold, *status = is("tells") ? pointer_of(l, 11) : &untold;
    struct bf16 *out = pointer_of(l, 5);
    if (matmul_grouped(pointer_of(l, 0), &s, &w, out, status, NULL) != STATUS_OK)
        abort();
    if (is("past_out"))
        out[s.rows * w.N].bits = 0;
    if (is("hangs"))
        module_mock.not_ready = INT32_MAX;
    if (is("faults"))
        module_mock.query = 700;
    if (is("crashes"))
        raise(SIGSEGV);
}

__attribute__((constructor)) static void begin(void)
{
    module_mock.kernel = product;
}
