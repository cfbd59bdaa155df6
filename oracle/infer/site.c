#include "oracle/infer/site.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status site_operand_matrix(struct site_operand *o, const struct site_type *t, const struct site_matrix **out,
                                struct error *e)
{
    if (o->matrix.type != t) {
        struct site_matrix made;
        enum status s = site_matrix_make(&o->source, t, &made, e);
        if (s != STATUS_OK)
            return s;
        site_matrix_free(&o->matrix);
        o->matrix = made;
    }
    *out = &o->matrix;
    return STATUS_OK;
}

void site_operand_free(struct site_operand *o)
{
    site_matrix_free(&o->matrix);
    site_source_free(&o->source);
    memset(o, 0, sizeof *o);
}

void site_finding_free(struct site_finding *f)
{
    text_free(&f->detail);
    text_free(&f->note);
    json_decref(f->document);
    if (f->map_known)
        layout_free(&f->map);
    memset(f, 0, sizeof *f);
}

void site_conclude(struct site_finding *f, enum fo_verdict verdict, const char *stage, const char *cause, ...)
{
    va_list ap;
    f->verdict = verdict;
    f->stage = stage;
    va_start(ap, cause);
    vsnprintf(f->cause, sizeof f->cause, cause, ap);
    va_end(ap);
}

void site_cause_words(const char *cause, const struct site_count *count, char words[SITE_FINDING_CAUSE])
{
    const size_t value[] = {count->right, count->of, count->good, count->records, count->off, count->worst};
    size_t used = 0;
    for (; *cause && used + 1 < SITE_FINDING_CAUSE; cause++) {
        size_t mark = (size_t)(unsigned char)*cause - 1;
        if (mark < sizeof value / sizeof *value)
            used += (size_t)snprintf(words + used, SITE_FINDING_CAUSE - used, "%zu", value[mark]);
        else
            words[used++] = *cause;
    }
    words[used < SITE_FINDING_CAUSE ? used : SITE_FINDING_CAUSE - 1] = '\0';
}

/* What one warpgroup compared. */
static void add_asserts(const struct site_case *c, const struct tap_image_stream *s, uint32_t block, uint32_t warpgroup,
                        uint64_t *compared, uint64_t *wrong, struct site_finding *f)
{
    uint32_t time, end;
    for (site_times(c->image, s, block, warpgroup, &time, &end); time < end; time++)
        for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++) {
            const uint32_t *word = tap_image_words(c->image, s, block, warpgroup, time, t);
            if (!word)
                continue;
            *compared += word[FO_ASSERT_COMPARED];
            if (word[FO_ASSERT_WRONG] && !*wrong)
                site_conclude(f, FO_DIFFERS, "order",
                              "%s: first wrong: block %u, warpgroup %u, iteration %u, thread %u, register %u, part %u: "
                              "element (%u,%u) expected 0x%x, found 0x%x",
                              s->operand, block + c->image->filter.first_block,
                              warpgroup + c->image->filter.first_warpgroup, time, t, word[FO_ASSERT_REGISTER],
                              word[FO_ASSERT_PART], word[FO_ASSERT_ROW], word[FO_ASSERT_COLUMN],
                              word[FO_ASSERT_EXPECTED], word[FO_ASSERT_FOUND]);
            *wrong += word[FO_ASSERT_WRONG];
        }
}

enum status site_assert_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    uint64_t compared = 0, wrong = 0;
    const struct tap_image_filter *filter = &c->image->filter;
    (void)e;
    for (uint32_t i = 0; i < c->image->stream_count; i++) {
        const struct tap_image_stream *s = &c->image->stream[i];
        if (s->kind != FO_KIND_ASSERT || s->site != c->site || s->words < FO_ASSERT_WORDS)
            continue;
        for (uint32_t b = 0; b < filter->blocks; b++)
            for (uint32_t w = 0; w < filter->warpgroups; w++)
                add_asserts(c, s, b, w, &compared, &wrong, f);
    }
    f->count.right = compared;
    if (compared && !wrong)
        site_conclude(f, FO_CONFORMS, "", "all " SITE_RIGHT " slots that the kernel compared are right");
    json_object_set_new(f->document, "compared", json_integer((json_int_t)compared));
    json_object_set_new(f->document, "wrong", json_integer((json_int_t)wrong));
    return STATUS_OK;
}
