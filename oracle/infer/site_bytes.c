#include "oracle/infer/site_bytes.h"

enum { CHUNK_BYTES = 16, CHUNK_WORDS = 4, BYTE_BITS = 8, WORD_BITS = 32 };

/* Slots (row, k) to elements of the matrix as it is given. */
static struct layout contract_of(char operand, uint32_t rows, uint32_t columns)
{
    bool a = operand == 'A';
    return (struct layout){.kind = LAYOUT_STRIDED,
                           .domain = {2, {"row", "k"}, {rows, columns}},
                           .codomain = {2, {"i", "j"}, {a ? rows : columns, a ? columns : rows}},
                           .modes = 2,
                           .mode = {{0, 1, rows, {{a, !a}}}, {1, 1, columns, {{!a, a}}}}};
}

bool site_bytes_take(const struct site_case *c, const struct tap_image_stream *s, const struct site_bytes *b,
                     uint32_t block, uint32_t warpgroup, uint32_t time, uint32_t *value)
{
    uint32_t along = (b->mn ? b->rows : b->columns) / b->chunk;
    uint32_t bits = (uint32_t)b->tile.type->bits, per_word = WORD_BITS / bits;
    for (uint32_t t = 0; t < FO_CAPTURE_THREADS; t++)
        if (!tap_image_words(c->image, s, block, warpgroup, time, t))
            return false;
    for (uint32_t i = 0; i < b->rows * b->columns; i++) {
        /* chunk i / b->chunk lies with thread chunk % 128, in its words 4 * (chunk / 128) and on */
        uint32_t chunk = i / b->chunk, inside = i % b->chunk, outer = chunk / along, inner = chunk % along;
        const uint32_t *words = tap_image_words(c->image, s, block, warpgroup, time, chunk % FO_CAPTURE_THREADS) +
                                (size_t)CHUNK_WORDS * (chunk / FO_CAPTURE_THREADS);
        uint32_t row = b->mn ? inner * b->chunk + inside : outer, k = b->mn ? outer : inner * b->chunk + inside;
        value[row * b->columns + k] = words[inside / per_word] >> inside % per_word * bits & b->tile.type->mask;
    }
    return true;
}

static size_t walk(const struct site_case *c, const struct tap_image_stream *s, struct site_bytes *b, bool keep)
{
    const struct tap_image_filter *f = &c->image->filter;
    size_t views = 0;
    for (uint32_t block = 0; block < f->blocks; block++)
        for (uint32_t w = 0; w < f->warpgroups; w++) {
            uint32_t time, end;
            for (site_times(c->image, s, block, w, &time, &end); time < end; time++) {
                if (!keep) {
                    views++;
                    continue;
                }
                if (!site_bytes_take(c, s, b, block, w, time, site_tile_values(&b->tile, views)))
                    continue;
                b->tile.view[views].block = f->first_block + block;
                b->tile.view[views].warpgroup = f->first_warpgroup + w;
                b->tile.view[views].time = time;
                views++;
            }
        }
    return views;
}

/* The shape of a tile with room for the records that `views` counts. */
static enum status shape(const struct site_case *c, char operand, bool records, struct site_bytes *out, bool *recorded,
                         struct error *e)
{
    bool is_a = operand == 'A';
    const struct tap_image_stream *s =
        tap_image_find(c->image, c->site, is_a ? FO_KIND_A_BYTES : FO_KIND_B_BYTES, NULL);
    const struct site_type *type = site_type_find(is_a ? c->op.family->a : c->op.family->b);
    *recorded = false;
    if (!s || !type)
        return STATUS_OK;
    struct site_bytes b = {.rows = is_a ? WGMMA_M : (uint32_t)c->op.n,
                           .columns = (uint32_t)c->op.family->k,
                           .chunk = CHUNK_BYTES * BYTE_BITS / (uint32_t)type->bits,
                           .mn = (s->flags & (is_a ? FO_FLAG_A_MN : FO_FLAG_B_MN)) != 0};
    struct layout contract = contract_of(operand, b.rows, b.columns);
    uint32_t chunks = b.rows * b.columns / b.chunk;
    /* An MN-major tile of 8 rows of one byte is no whole chunk. */
    if ((b.mn ? b.rows : b.columns) % b.chunk || s->words / CHUNK_WORDS * (uint64_t)FO_CAPTURE_THREADS < chunks)
        return STATUS_OK;
    enum status st = site_tile_make(&contract, type, records ? walk(c, s, NULL, false) : 0, &b.tile, e);
    if (st != STATUS_OK)
        return st;
    if (records)
        b.tile.views = walk(c, s, &b, true);
    *recorded = true;
    *out = b;
    return STATUS_OK;
}

enum status site_bytes_read(const struct site_case *c, char operand, struct site_bytes *out, bool *recorded,
                            struct error *e)
{
    return shape(c, operand, true, out, recorded, e);
}

enum status site_bytes_shape(const struct site_case *c, char operand, struct site_bytes *out, bool *recorded,
                             struct error *e)
{
    return shape(c, operand, false, out, recorded, e);
}

void site_bytes_free(struct site_bytes *b)
{
    site_tile_free(&b->tile);
}
