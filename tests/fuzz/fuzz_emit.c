/* Any bytes as the emit.json of a folder (and, after a NUL, as run.json): score refuses them, or scores the outputs. */
#include "oracle/fragoracle.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct fo_score_options o = {.in = folder_case(&folder_emit, bytes, size)};
    struct fo_answer answer = {0};
    struct fo_error error;
    int failed = fo_score(&o, &answer, &error);
    if (failed)
        folder_check_refusal(o.in, (enum status)failed, error.line);
    else
        assert(strstr(answer.json, "\"scores\"") && answer.verdict == FO_DIFFERS);
    fo_answer_free(&answer);
    return 0;
}
