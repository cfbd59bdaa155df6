/* Any bytes through safetensors_parse: it refuses them and says where, or every tensor lies inside the file and
 * together they cover it. What parsed then goes through safetensors_weights, under every stem that it could have. */
#include <stdlib.h>

#include "oracle/io/safetensors.h"
#include "tests/fuzz/fuzz.h"

static unsigned sum(const uint8_t *bytes, size_t size)
{
    unsigned total = 0;
    for (size_t i = 0; i < size; i++)
        total += bytes[i];
    return total;
}

static void try_weights(const struct safetensors *s, const char *stem)
{
    struct weights w, untouched;
    struct error e;
    memset(&w, 0xa5, sizeof w);
    untouched = w;
    if (safetensors_weights(s, stem, &w, &e)) {
        assert(!memcmp(&w, &untouched, sizeof w));
        assert(e.status == STATUS_BAD_INPUT && !strcmp(e.path, "input") && e.why[0]);
        return;
    }
    assert(w.experts && w.N && w.K && w.K % 32 == 0);
    assert(w.experts * w.N * (w.K / 2) < s->file_bytes);
    volatile unsigned touched =
        sum(w.blocks, w.experts * w.N * (w.K / 2)) + sum(w.scales, w.experts * w.N * (w.K / 32));
    (void)touched;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct safetensors s, untouched;
    struct error e;
    uint8_t *own = malloc(size ? size : 1);
    assert(own);
    if (size)
        memcpy(own, bytes, size);
    memset(&s, 0xa5, sizeof s);
    untouched = s;
    enum status status = safetensors_parse("input", own, size, &s, &e);
    if (status) {
        assert(!memcmp(&s, &untouched, sizeof s));
        fuzz_check_error(&e, status, size);
        free(own);
        return 0;
    }
    size_t covered = 0;
    for (size_t i = 0; i < s.count; i++) {
        const struct safetensors_tensor *t = &s.tensor[i];
        volatile unsigned touched = sum(safetensors_data(&s, t), t->bytes);
        (void)touched;
        assert(t->offset == covered && safetensors_find(&s, t->name) == t);
        covered += t->bytes;
        try_weights(&s, t->name);
        char stem[64];
        size_t length = strlen(t->name);
        if (length > 7 && length < sizeof stem) {
            memcpy(stem, t->name, length - 7);
            stem[length - 7] = '\0';
            try_weights(&s, stem);
        }
    }
    assert(s.data_start + covered == size);
    try_weights(&s, "absent");
    safetensors_free(&s);
    return 0;
}
