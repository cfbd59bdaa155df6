#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/tap.h"

static_assert(sizeof(struct fo_capture_head) == 64, "a head is written as it lies in memory");
static_assert(sizeof(struct fo_capture_stream) == 232, "a stream is written as it lies in memory");

enum { TILE_M = 64, CHUNK_BITS = 128, SITE_STREAMS = 5 };

const char *tap_operand(enum fo_capture_kind kind)
{
    switch (kind) {
    case FO_KIND_A:
    case FO_KIND_A_DESCRIPTOR:
    case FO_KIND_A_BYTES:
        return "A";
    case FO_KIND_B_DESCRIPTOR:
    case FO_KIND_B_BYTES:
        return "B";
    case FO_KIND_SCALE_D:
        return "scale-d";
    default:
        return "D";
    }
}

uint32_t tap_chunks(const struct ptx_site *site, bool b)
{
    int bits = b ? site->b_bits : site->a_bits;
    return (uint32_t)((b ? site->n : TILE_M) * site->k * bits / CHUNK_BITS);
}

uint32_t tap_chunks_inner(const struct ptx_site *site, bool b)
{
    int bits = b ? site->b_bits : site->a_bits;
    int along = (b ? site->b_mn : site->a_mn) ? (b ? site->n : TILE_M) : site->k;
    return (uint32_t)(along * bits / CHUNK_BITS);
}

static uint32_t bytes_words(const struct ptx_site *site, bool b)
{
    return 4 * ((tap_chunks(site, b) + FO_CAPTURE_THREADS - 1) / FO_CAPTURE_THREADS);
}

static void add_stream(struct tap_plan *p, enum fo_capture_kind kind, uint32_t site, int64_t result, size_t at,
                       uint32_t words, bool fence)
{
    if (p->filter.no_bytes && (kind == FO_KIND_A_BYTES || kind == FO_KIND_B_BYTES))
        return;
    struct tap_stream *s = &p->stream[p->stream_count];
    *s = (struct tap_stream){.kind = kind,
                             .site = site,
                             .result = result,
                             .at = at,
                             .order = p->stream_count,
                             .fence = fence,
                             .words = words};
    p->stream_count++;
}

static void add_site(struct tap_plan *p, uint32_t i)
{
    const struct ptx_site *site = &p->sites->site[i];
    size_t at = site->descriptors_at;
    bool behind = at != site->registers_at;
    if (site->why_not[0])
        return;
    if (site->register_a)
        add_stream(p, FO_KIND_A, i, TAP_NONE, site->registers_at, PTX_A_REGISTERS, false);
    else {
        add_stream(p, FO_KIND_A_DESCRIPTOR, i, TAP_NONE, at, 2, behind);
        add_stream(p, FO_KIND_A_BYTES, i, TAP_NONE, at, bytes_words(site, false), behind);
    }
    add_stream(p, FO_KIND_B_DESCRIPTOR, i, TAP_NONE, at, 2, behind);
    add_stream(p, FO_KIND_SCALE_D, i, TAP_NONE, at, 1, behind);
    add_stream(p, FO_KIND_B_BYTES, i, TAP_NONE, at, bytes_words(site, true), behind);
}

/* D belongs to every wgmma that added to it. */
static bool result_chosen(const struct ptx_sites *sites, const bool *chosen, const struct ptx_result *r)
{
    for (uint32_t i = 0; i < sites->site_count; i++)
        if (chosen[i] && sites->site[i].accumulator == r->accumulator)
            return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    const struct tap_stream *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void group_points(struct tap_plan *p)
{
    for (uint32_t i = 0; i < p->stream_count; i++) {
        if (i == 0 || p->stream[i].at != p->stream[i - 1].at)
            p->point[p->point_count++] = (struct tap_point){.at = p->stream[i].at, .first = i};
        p->point[p->point_count - 1].count++;
        p->point[p->point_count - 1].fence |= p->stream[i].fence;
    }
}

/* Offsets of everything. The limits of the filter keep each product below 2^63. */
static enum status place(struct tap_plan *p, struct error *e)
{
    const struct tap_filter *f = &p->filter;
    uint64_t threads = (uint64_t)f->blocks * f->warpgroups * FO_CAPTURE_THREADS;
    uint64_t head = sizeof(struct fo_capture_head) + p->stream_count * sizeof(struct fo_capture_stream);
    p->head_bytes = (head + TAP_ALIGN - 1) / TAP_ALIGN * TAP_ALIGN;
    uint64_t at = p->head_bytes;
    double wanted = (double)at;
    for (uint32_t i = 0; i < p->point_count; i++) {
        p->point[i].counters = at;
        at += 4 * threads;
        wanted += 4.0 * (double)threads;
    }
    for (uint32_t i = 0; i < p->stream_count; i++) {
        uint64_t bytes = 4 * threads * f->iterations * p->stream[i].words;
        wanted += (double)bytes;
        p->stream[i].data = at;
        at = wanted > (double)TAP_IMAGE_MOST ? at : at + bytes;
    }
    p->bytes = at;
    if (wanted > (double)TAP_IMAGE_MOST)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "the capture would take %.0f MiB, more than %.0f: lower --blocks, --warpgroups or "
                         "--iterations, or choose with --sites or --function",
                         wanted / (1 << 20), (double)TAP_IMAGE_MOST / (1 << 20));
    return STATUS_OK;
}

/* Nothing can be recorded: say so with the reason of the first chosen site. */
static enum status nothing(const struct ptx_sites *sites, const bool *chosen, struct error *e)
{
    for (uint32_t i = 0; i < sites->site_count; i++)
        if (chosen[i] && sites->site[i].why_not[0])
            return error_set(e, STATUS_UNSUPPORTED, "none of the chosen wgmma can be read; site %u, line %u: %s", i,
                             sites->site[i].line, sites->site[i].why_not);
    return error_set(e, STATUS_UNSUPPORTED, "no wgmma is chosen");
}

enum status tap_plan_make(const struct ptx_sites *sites, const bool *chosen, const struct tap_filter *filter,
                          struct tap_plan *out, struct error *e)
{
    struct tap_plan p = {.sites = sites, .filter = *filter};
    size_t most = (size_t)sites->site_count * SITE_STREAMS + sites->result_count;
    enum status s = STATUS_OK;
    p.stream = calloc(most + 1, sizeof *p.stream);
    p.point = calloc(most + 1, sizeof *p.point);
    if (!p.stream || !p.point) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for %zu streams", most);
        goto cleanup;
    }
    for (uint32_t i = 0; i < sites->site_count; i++)
        if (chosen[i])
            add_site(&p, i);
    for (uint32_t i = 0; i < sites->result_count; i++)
        if (result_chosen(sites, chosen, &sites->result[i])) {
            const struct ptx_result *r = &sites->result[i];
            add_stream(&p, FO_KIND_D, r->site, i, r->at, (uint32_t)r->registers, true);
        }
    if (p.stream_count == 0) {
        s = nothing(sites, chosen, e);
        goto cleanup;
    }
    qsort(p.stream, p.stream_count, sizeof *p.stream, by_text);
    group_points(&p);
    s = place(&p, e);
    if (s != STATUS_OK)
        goto cleanup;
    *out = p;
    return STATUS_OK;

cleanup:
    tap_plan_free(&p);
    return s;
}

void tap_plan_free(struct tap_plan *p)
{
    free(p->stream);
    free(p->point);
    memset(p, 0, sizeof *p);
}

/* "file.cu:123"; of a long path the end, which tells more. */
static void describe_source(const struct ptx_site *site, char *out, size_t size)
{
    if (!site->source)
        return;
    char line[16];
    int digits = snprintf(line, sizeof line, ":%u", site->source_line);
    size_t room = size - 1 - (size_t)digits, length = strlen(site->source);
    snprintf(out, size, "%s%s", site->source + (length > room ? length - room : 0), line);
}

static void describe_stream(const struct tap_plan *p, const struct tap_stream *s, uint64_t counters,
                            struct fo_capture_stream *out)
{
    const struct ptx_site *site = &p->sites->site[s->site];
    snprintf(out->op, sizeof out->op, "%s", site->op);
    snprintf(out->operand, sizeof out->operand, "%s", tap_operand(s->kind));
    describe_source(site, out->source, sizeof out->source);
    out->kind = s->kind;
    out->site = s->site;
    out->accumulator = site->accumulator;
    out->words = s->words;
    out->flags = (site->a_mn ? FO_FLAG_A_MN : 0) | (site->b_mn ? FO_FLAG_B_MN : 0);
    out->counters = counters;
    out->data = s->data;
}

enum status tap_head_make(const struct tap_plan *p, uint8_t **head, struct error *e)
{
    const struct tap_filter *f = &p->filter;
    uint8_t *bytes = calloc(1, p->head_bytes);
    if (!bytes)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the head of the capture");
    struct fo_capture_head h = {
        .magic = FO_CAPTURE_MAGIC,
        .version = FO_CAPTURE_VERSION,
        .streams = p->stream_count,
        .first_block = f->first_block,
        .blocks = f->blocks,
        .first_warpgroup = f->first_warpgroup,
        .warpgroups = f->warpgroups,
        .first_iteration = f->first_iteration,
        .iterations = f->iterations,
        .keep_last = f->last,
        .bytes = p->bytes,
    };
    memcpy(bytes, &h, sizeof h);
    for (uint32_t i = 0; i < p->point_count; i++)
        for (uint32_t j = p->point[i].first; j < p->point[i].first + p->point[i].count; j++) {
            struct fo_capture_stream s = {.kind = FO_KIND_UNUSED};
            describe_stream(p, &p->stream[j], p->point[i].counters, &s);
            memcpy(bytes + sizeof h + j * sizeof s, &s, sizeof s);
        }
    *head = bytes;
    return STATUS_OK;
}
