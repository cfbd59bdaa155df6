/* site_b: the bytes that a shared-memory descriptor names against the matrix that they should come from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/infer/site.h"
#include "oracle/infer/site_bytes.h"
#include "oracle/infer/site_chunks.h"
#include "reference/descriptor.h"

/* Every thread of every record names the same tile? *words of the first record that was read. false: concluded. */
static bool check_uniform(const struct site_case *c, const struct tap_image_stream *s, struct site_finding *f,
                          uint64_t *bits)
{
    const struct tap_image_filter *w = &c->image->filter;
    bool any = false;
    for (uint32_t g = 0; g < w->blocks * w->warpgroups; g++) {
        uint32_t block = g / w->warpgroups, group = g % w->warpgroups, time, end;
        for (site_times(c->image, s, block, group, &time, &end); time < end; time++) {
            uint64_t first = 0;
            for (uint32_t t = 0, seen = 0; t < FO_CAPTURE_THREADS; t++) {
                const uint32_t *word = tap_image_words(c->image, s, block, group, time, t);
                if (!word)
                    continue;
                uint64_t this = word[0] | (uint64_t)word[1] << 32;
                if (seen++ == 0)
                    first = this;
                if (!any)
                    *bits = this;
                any = true;
                if (this == first)
                    continue;
                site_conclude(f, FO_DIFFERS, "descriptor",
                              "the descriptor is not uniform: block %u, warpgroup %u, iteration %u: thread %u has "
                              "0x%016llx, the first 0x%016llx",
                              block + w->first_block, group + w->first_warpgroup, time, t, (unsigned long long)this,
                              (unsigned long long)first);
                return false;
            }
        }
    }
    return true;
}

static void keep_descriptor(struct site_finding *f, uint64_t bits)
{
    struct descriptor d = descriptor_decode(bits);
    json_object_set_new(f->document, "descriptor",
                        json_pack("{s:I, s:i, s:i, s:i, s:i}", "start", (json_int_t)d.start, "leading", (int)d.leading,
                                  "stride", (int)d.stride, "base", (int)d.base, "swizzle", (int)d.swizzle));
}

/* A tile of (row, k) elements as chunks along its lines. */
static enum status chunk_values(const struct site_bytes *b, size_t view, uint32_t **out, struct error *e)
{
    const uint32_t *value = b->tile.view[view].value;
    uint32_t *chunks = malloc(b->tile.slots * sizeof *chunks);
    if (!chunks)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a tile of %zu elements", b->tile.slots);
    for (uint32_t row = 0; row < b->rows; row++)
        for (uint32_t k = 0; k < b->columns; k++)
            chunks[b->mn ? k * b->rows + row : row * b->columns + k] = value[row * b->columns + k];
    *out = chunks;
    return STATUS_OK;
}

/* The first record that does not stand in the matrix: what does it hold? */
static enum status conclude_wrong(const struct site_bytes *b, const struct site_matrix *m, char operand, size_t view,
                                  size_t differing, struct site_finding *f, struct error *e)
{
    uint32_t lines = b->mn ? b->columns : b->rows, length = b->mn ? b->rows : b->columns;
    struct site_chunk_tile t = {lines, length / b->chunk, b->chunk, b->leads, NULL};
    struct site_chunks c = {0};
    uint32_t *value = NULL;
    char cause[SITE_CHUNK_CAUSE];
    const struct site_view *v = &b->tile.view[view];
    /* Rows of B are columns of the matrix [K,N]; those of A are its rows [M,K]. */
    bool lines_are_columns = (operand == 'B') != b->mn;
    enum status s = chunk_values(b, view, &value, e);
    if (s != STATUS_OK)
        return s;
    t.value = value;
    s = site_chunks_find(&t, m, 0, lines_are_columns, &c, e);
    free(value);
    if (s != STATUS_OK)
        return s;
    json_object_set_new(f->document, "chunks",
                        json_pack("{s:I, s:I, s:I}", "once", (json_int_t)c.once, "often", (json_int_t)c.often,
                                  "nowhere", (json_int_t)c.nowhere));
    if (!c.placed || c.nowhere * 2 > c.count) {
        site_conclude(
            f, FO_DIFFERS, "values",
            "%zu of %zu chunks of 16 bytes stand nowhere in the matrix of %c (%zu of %zu records, the first: block %u, "
            "warpgroup %u, iteration %u); is it the right matrix?",
            c.nowhere, c.count, operand, differing, b->tile.views, v->block, v->warpgroup, v->time);
    } else {
        site_chunks_words(&t, &c, b->mn ? "k" : "row", cause);
        if (c.nowhere)
            text_add(&f->detail, "    %zu of %zu chunks stand nowhere in the matrix\n", c.nowhere, c.count);
        text_add(&f->detail,
                 "    the tile begins at (%u,%u); what the descriptor names may also have been stored wrong\n",
                 lines_are_columns ? c.at * b->chunk : c.line, lines_are_columns ? c.line : c.at * b->chunk);
        site_conclude(f, FO_DIFFERS, "descriptor",
                      "%s (%zu of %zu records, the first: block %u, warpgroup %u, iteration %u)", cause, differing,
                      b->tile.views, v->block, v->warpgroup, v->time);
    }
    site_chunks_free(&c);
    return STATUS_OK;
}

/* Would an exchange of chunks show? Equal chunks of a record that conforms. */
static enum status count_equal(const struct site_bytes *b, const struct site_matrix *m, char operand, size_t *equal,
                               struct error *e)
{
    uint32_t lines = b->mn ? b->columns : b->rows, length = b->mn ? b->rows : b->columns;
    struct site_chunk_tile t = {lines, length / b->chunk, b->chunk, b->leads, NULL};
    struct site_chunks c = {0};
    uint32_t *value = NULL;
    enum status s = chunk_values(b, 0, &value, e);
    if (s != STATUS_OK)
        return s;
    t.value = value;
    s = site_chunks_find(&t, m, 0, (operand == 'B') != b->mn, &c, e);
    free(value);
    *equal = c.often;
    site_chunks_free(&c);
    return s;
}

static enum status judge(const struct site_bytes *b, const struct site_matrix *m, char operand,
                         const struct site_at *at, struct site_finding *f, struct error *e)
{
    const struct site_at anywhere = {0};
    size_t conforming = 0, first = 0, equal = 0;
    json_t *tiles = json_array();
    for (size_t v = 0; v < b->tile.views; v++) {
        struct site_place p = site_place_exact(&b->tile, v, m, 0, operand == 'A' && v == 0 ? at : &anywhere);
        if (!p.found && conforming == v)
            first = v;
        if (p.found)
            json_array_append_new(tiles, json_pack("[I,I]", (json_int_t)p.i0, (json_int_t)p.j0));
        conforming += p.found;
    }
    json_object_set_new(f->document, "tiles", tiles);
    json_object_set_new(f->document, "records", json_integer((json_int_t)b->tile.views));
    json_object_set_new(f->document, "conforming", json_integer((json_int_t)conforming));
    if (conforming < b->tile.views)
        return conclude_wrong(b, m, operand, first, b->tile.views - conforming, f, e);
    enum status s = count_equal(b, m, operand, &equal, e);
    size_t chunks = b->tile.slots / b->chunk;
    if (s != STATUS_OK)
        return s;
    if (equal == chunks)
        site_conclude(
            f, FO_UNDECIDED, "",
            "every byte is right, but every chunk of 16 bytes stands at several places of the matrix: a wrong "
            "descriptor would look the same; give them different values");
    else
        site_conclude(f, FO_CONFORMS, "",
                      SITE_RIGHT " of " SITE_OF " elements in " SITE_GOOD " of " SITE_RECORDS
                                 " records; %zu of %zu chunks stand at one place only",
                      chunks - equal, chunks);
    f->count = (struct site_count){.right = b->tile.views * b->tile.slots,
                                   .of = b->tile.views * b->tile.slots,
                                   .good = b->tile.views,
                                   .records = b->tile.views};
    return STATUS_OK;
}

enum status site_bytes_check(const struct site_case *c, char operand, struct site_finding *f, struct error *e)
{
    bool is_a = operand == 'A';
    const struct tap_image_stream *d =
        tap_image_find(c->image, c->site, is_a ? FO_KIND_A_DESCRIPTOR : FO_KIND_B_DESCRIPTOR, NULL);
    struct site_operand *given = is_a ? c->a : c->b;
    struct site_bytes b = {0};
    const struct site_matrix *m;
    uint64_t bits = 0;
    bool recorded;
    if (d && d->words >= 2) {
        if (!check_uniform(c, d, f, &bits))
            return STATUS_OK;
        keep_descriptor(f, bits);
    }
    enum status s = site_bytes_read(c, operand, &b, &recorded, e);
    if (s != STATUS_OK)
        return s;
    if (!recorded || !given->given || !b.tile.views) {
        if (recorded && given->given)
            site_conclude(f, FO_UNDECIDED, "", "no record is whole: widen the filter of the capture");
        else if (given->given)
            site_conclude(f, d ? FO_UNDECIDED : FO_NOT_APPLICABLE, "", "%c was not recorded", operand);
        else if (recorded || d)
            site_conclude(f, FO_NOT_APPLICABLE, "", "no matrix of %c to compare with", operand);
        goto cleanup;
    }
    b.leads = b.mn && d && descriptor_decode(bits).swizzle == 0;
    s = site_operand_matrix(given, b.tile.type, &m, e);
    if (s == STATUS_OK)
        s = judge(&b, m, operand, &c->asked->at, f, e);
cleanup:
    site_bytes_free(&b);
    return s;
}

enum status site_b_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    return site_bytes_check(c, 'B', f, e);
}
