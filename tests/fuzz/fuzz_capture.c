/* Any bytes as the capture.json of a folder (and, after a NUL, as d.npy): the replay refuses them, or counts every
 * output that there is. */
#include "oracle/answer/arithmetic.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = folder_case(&folder_capture, bytes, size);
    struct arithmetic_result r;
    struct error e;
    json_t *provenance = NULL;
    char line[1100];
    enum status s = arithmetic_replay(path, &r, &provenance, &e);
    if (s != STATUS_OK)
        folder_check_refusal(path, s, error_line(&e, line, sizeof line));
    else
        assert(r.outputs_all == ARITHMETIC_TILE && r.mismatches_all <= r.outputs_all);
    json_decref(provenance);
    return 0;
}
