/* Any bytes through npy_parse: it refuses them and says where, or what it gives out is sound to the last byte. */
#include <assert.h>
#include <string.h>

#include "oracle/io/npy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct npy a, untouched;
    struct error e;
    memset(&a, 0xa5, sizeof a);
    untouched = a;
    enum status s = npy_parse("input", bytes, size, &a, &e);
    if (s) {
        assert(!memcmp(&a, &untouched, sizeof a));
        fuzz_check_error(&e, s, size);
        return 0;
    }
    size_t need = npy_count(&a) * npy_item_size(a.type);
    assert(a.rank >= 0 && a.rank <= NPY_RANK && need <= size);
    assert(!memcmp(a.data, bytes + size - need, need));
    assert(npy_expect(&a, "input", a.type, a.rank, a.shape, &e) == STATUS_OK);
    size_t wrong[NPY_RANK] = {0};
    wrong[0] = a.rank ? a.shape[0] + 1 : 0;
    s = npy_expect(&a, "input", a.type == NPY_U1 ? NPY_F4 : NPY_U1, a.rank, wrong, &e);
    assert(s == STATUS_BAD_INPUT && strstr(e.why, "found"));
    npy_free(&a);
    return 0;
}
