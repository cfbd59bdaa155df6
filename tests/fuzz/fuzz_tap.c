/* Any bytes as a PTX module that is tapped: what the reader takes is rewritten whole, with every recorder in its place,
 * can be read again with the same sites, and holds a capture that its reader takes. */
#include <stdio.h>
#include <stdlib.h>

#include "oracle/answer/tap.h"
#include "oracle/io/tap_image.h"
#include "tests/fuzz/fuzz.h"

/* The image as it is before a launch. */
static void check_head(const struct tap_plan *p)
{
    struct error e;
    struct tap_image image;
    uint8_t *head;
    assert(tap_head_make(p, &head, &e) == STATUS_OK);
    assert(p->head_bytes % TAP_ALIGN == 0 && p->bytes > p->head_bytes && p->bytes <= TAP_IMAGE_MOST);
    if (p->bytes < (uint64_t)64 << 20) {
        uint8_t *bytes = calloc(1, p->bytes);
        assert(bytes);
        memcpy(bytes, head, p->head_bytes);
        assert(tap_image_take("head", bytes, p->bytes, &image, &e) == STATUS_OK);
        assert(image.stream_count == p->stream_count);
        tap_image_free(&image);
    }
    free(head);
}

static size_t count_of(const char *text, const char *words)
{
    size_t found = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words))
        found++;
    return found;
}

static void check_rewritten(const struct ptx_sites *s, const struct tap_plan *p, const struct text *out)
{
    struct ptx_sites again;
    struct error e;
    assert(!out->failed && strlen(out->data) == out->used);
    assert(count_of(out->data, ".reg .pred %fotap_keep") == p->point_count);
    assert(ptx_find_sites("output", out->data, out->used, &again, &e) == STATUS_OK);
    assert(again.site_count == s->site_count && again.result_count >= s->result_count);
    for (uint32_t i = 0; i < s->site_count; i++)
        assert(!strcmp(again.site[i].op, s->site[i].op));
    ptx_sites_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ptx_sites s;
    struct tap_plan plan;
    struct error e;
    char *text = malloc(size + 1);
    assert(text);
    memcpy(text, bytes, size);
    text[size] = '\0';
    /* Names of its own kind are refused before; a NUL ends the comparison of texts. */
    bool ours = strlen(text) != size || strstr(text, "fragoracle_tap_") || strstr(text, "fotap_");
    if (ours || ptx_find_sites("input", text, size, &s, &e) != STATUS_OK) {
        free(text);
        return 0;
    }
    const struct tap_filter filter = {size % 5, 1 + size % 3, size % 2,      2,
                                      size % 4, 1 + size % 2, size % 7 == 0, size % 11 == 0};
    bool *chosen = calloc(s.site_count + 1, sizeof *chosen);
    assert(chosen);
    for (uint32_t i = 0; i < s.site_count; i++)
        chosen[i] = s.site[i].register_a || size % 2;
    enum status made = tap_plan_make(&s, chosen, &filter, &plan, &e);
    if (made == STATUS_OK) {
        struct text out = {0};
        check_head(&plan);
        assert(tap_emit(&plan, text, size, &out, &e) == STATUS_OK);
        check_rewritten(&s, &plan, &out);
        text_free(&out);
        tap_plan_free(&plan);
    } else
        assert((made == STATUS_UNSUPPORTED || made == STATUS_BAD_ARGUMENT) && e.why[0]);
    ptx_sites_free(&s);
    free(chosen);
    free(text);
    return 0;
}
