/* Any bytes as the layout.json of packed weights (and, after a NUL, as scales.npy): unpack refuses them, or
 * gives weights. */
#include "oracle/fragoracle.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fo_unpack_options o = {.in = folder_case(&folder_layout, bytes, size), .out = "/dev/null"};
    struct fo_answer answer = {0};
    struct fo_error error;
    int failed = fo_unpack(&o, &answer, &error);
    if (failed)
        folder_check_refusal(o.in, (enum status)failed, error.line);
    else
        assert(strstr(answer.json, "\"fragoracle.unpack/1\"") && answer.verdict == FO_NOT_APPLICABLE);
    fo_answer_free(&answer);
    return 0;
}
