/* Any bytes through tap_image_parse: it refuses them and says where, or every word of every stream can be read. */
#include "oracle/io/tap_image.h"
#include "tests/fuzz/fuzz.h"

static uint32_t read_all(const struct tap_image *image, const struct tap_image_stream *s)
{
    const struct tap_image_filter *f = &image->filter;
    uint32_t sum = 0;
    for (uint32_t block = 0; block < f->blocks; block++)
        for (uint32_t group = 0; group < f->warpgroups; group++)
            for (uint32_t thread = 0; thread < FO_CAPTURE_THREADS; thread++) {
                for (uint32_t i = 0; i < f->iterations; i++) {
                    uint32_t time = f->keep_last ? i : f->first_iteration + i;
                    const uint32_t *words = tap_image_words(image, s, block, group, time, thread);
                    for (uint32_t w = 0; words && w < s->words; w++)
                        sum += words[w];
                }
                assert(!tap_image_words(image, s, block, group, UINT32_MAX, thread));
            }
    size_t group = (size_t)f->blocks * f->warpgroups * FO_CAPTURE_THREADS;
    return sum + s->counter[group - 1] + s->data[group * f->iterations * s->words - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct tap_image image, untouched;
    struct error e;
    memset(&image, 0xa5, sizeof image);
    untouched = image;
    enum status s = tap_image_parse("input", bytes, size, &image, &e);
    if (s != STATUS_OK) {
        assert(!memcmp(&image, &untouched, sizeof image));
        fuzz_check_error(&e, s, size);
        return 0;
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < image.stream_count; i++) {
        const struct tap_image_stream *stream = &image.stream[i];
        assert(stream->kind > FO_KIND_UNUSED && stream->kind <= FO_KIND_ASSERT && stream->words > 0);
        assert(i == 0 || image.stream[i - 1].site <= stream->site);
        assert(strlen(stream->op) < 64 && strlen(stream->operand) < 16 && strlen(stream->source) < 112);
        assert(tap_image_find(&image, stream->site, stream->kind, stream->operand));
        sum += read_all(&image, stream);
    }
    static volatile uint32_t kept;
    kept = sum;
    (void)kept;
    tap_image_free(&image);
    return 0;
}
