#include "oracle/io/tap_image.h"

#include <stdlib.h>
#include <string.h>

#include "reference/size.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are used as they lie in the image");
_Static_assert(sizeof(struct fo_capture_head) == 64 && sizeof(struct fo_capture_stream) == 232,
               "what lies in an image does not depend on the compiler");

enum { WORD = sizeof(uint32_t) };

static const char *const kind_name[] = {
    [FO_KIND_UNUSED] = "unused",
    [FO_KIND_A] = "A",
    [FO_KIND_D] = "D",
    [FO_KIND_B_DESCRIPTOR] = "B.descriptor",
    [FO_KIND_A_DESCRIPTOR] = "A.descriptor",
    [FO_KIND_B_BYTES] = "B.bytes",
    [FO_KIND_A_BYTES] = "A.bytes",
    [FO_KIND_SCALE_D] = "scale_d",
    [FO_KIND_ASSERT] = "assert",
};
enum { KINDS = sizeof kind_name / sizeof *kind_name };

const char *tap_image_kind_name(enum fo_capture_kind kind)
{
    return (size_t)kind < KINDS ? kind_name[kind] : kind_name[FO_KIND_UNUSED];
}

/* The image being read. */
struct view {
    const char *path;
    const uint8_t *bytes;
    size_t size;
    struct fo_capture_head head;
    size_t counters, times; /* bytes of the counters of a stream; times recorded: blocks x warpgroups x iterations */
    struct error *e;
};

static enum status refuse(const struct view *v, const char *field, size_t offset, const char *why)
{
    error_set(v->e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(v->e, v->path);
    error_at_field(v->e, field);
    error_at_offset(v->e, (int64_t)offset);
    return STATUS_BAD_INPUT;
}
#define REFUSE_HEAD(v, member, why) refuse(v, #member, offsetof(struct fo_capture_head, member), why)

static enum status read_head(struct view *v)
{
    if (v->size < sizeof v->head)
        return refuse(v, "", v->size, "ends inside the head of a capture");
    memcpy(&v->head, v->bytes, sizeof v->head);
    const struct fo_capture_head *h = &v->head;
    if (h->magic != FO_CAPTURE_MAGIC)
        return REFUSE_HEAD(v, magic, "not a capture");
    if (h->version != FO_CAPTURE_VERSION)
        return REFUSE_HEAD(v, version, "another version of the format");
    if (h->bytes != v->size)
        return REFUSE_HEAD(v, bytes, "says another size than the image has");
    if (h->streams > (v->size - sizeof v->head) / sizeof(struct fo_capture_stream))
        return REFUSE_HEAD(v, streams, "more streams than the image has room for");
    if (h->keep_last > 1)
        return REFUSE_HEAD(v, keep_last, "neither 0 nor 1");
    if (!h->blocks || !h->warpgroups || !h->iterations)
        return REFUSE_HEAD(v, blocks, "a window of the filter is empty");
    size_t groups;
    if (!size_multiply(h->blocks, h->warpgroups, &groups) ||
        !size_multiply(groups, FO_CAPTURE_THREADS * WORD, &v->counters) ||
        !size_multiply(groups, h->iterations, &v->times))
        return REFUSE_HEAD(v, blocks, "a window larger than memory");
    return STATUS_OK;
}

static size_t entry_offset(uint32_t index)
{
    return sizeof(struct fo_capture_head) + index * sizeof(struct fo_capture_stream);
}

static struct fo_capture_stream entry_at(const struct view *v, uint32_t index)
{
    struct fo_capture_stream entry;
    memcpy(&entry, v->bytes + entry_offset(index), sizeof entry);
    return entry;
}

static bool inside(const struct view *v, uint64_t offset, size_t bytes)
{
    return offset % WORD == 0 && offset <= v->size && bytes <= v->size - offset;
}

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/* An entry in use: everything that it names lies in the image. */
static enum status check_entry(const struct view *v, uint32_t index)
{
    struct fo_capture_stream s = entry_at(v, index);
    size_t at = entry_offset(index), times, bytes;
#define REFUSE_ENTRY(member, why) refuse(v, #member, at + offsetof(struct fo_capture_stream, member), why)
    if (s.kind >= KINDS)
        return REFUSE_ENTRY(kind, "no kind of words");
    if (!ends(s.op, sizeof s.op))
        return REFUSE_ENTRY(op, "a text without an end");
    if (!ends(s.operand, sizeof s.operand))
        return REFUSE_ENTRY(operand, "a text without an end");
    if (!ends(s.source, sizeof s.source))
        return REFUSE_ENTRY(source, "a text without an end");
    if (!inside(v, s.counters, v->counters))
        return REFUSE_ENTRY(counters, "not at a multiple of four, or outside of the image");
    if (!s.words || !size_multiply(v->times, FO_CAPTURE_THREADS * WORD, &times) ||
        !size_multiply(times, s.words, &bytes))
        return REFUSE_ENTRY(words, "none, or more than there is memory");
    if (!inside(v, s.data, bytes))
        return REFUSE_ENTRY(data, "not at a multiple of four, or outside of the image");
#undef REFUSE_ENTRY
    return STATUS_OK;
}

/* A place in the table, as streams are sorted. */
struct place {
    uint32_t site, kind, index;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->site != y->site)
        return x->site < y->site ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static struct tap_image_stream stream_view(const uint8_t *bytes, const struct fo_capture_stream *entry)
{
    struct tap_image_stream s = {
        .kind = (enum fo_capture_kind)entry->kind,
        .site = entry->site,
        .accumulator = entry->accumulator,
        .words = entry->words,
        .flags = entry->flags,
        .counter = (const uint32_t *)(const void *)(bytes + entry->counters),
        .data = (const uint32_t *)(const void *)(bytes + entry->data),
    };
    strcpy(s.op, entry->op);
    strcpy(s.operand, entry->operand);
    strcpy(s.source, entry->source);
    return s;
}

/* The streams in use, sorted. *places has room for every entry of the table, *streams likewise. */
static enum status read_streams(const struct view *v, struct place *places, struct tap_image_stream *streams,
                                uint32_t *count)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < v->head.streams; i++) {
        struct fo_capture_stream entry = entry_at(v, i);
        if (entry.kind == FO_KIND_UNUSED)
            continue;
        enum status s = check_entry(v, i);
        if (s != STATUS_OK)
            return s;
        places[used++] = (struct place){entry.site, entry.kind, i};
    }
    qsort(places, used, sizeof *places, compare_places);
    for (uint32_t i = 0; i < used; i++) {
        struct fo_capture_stream entry = entry_at(v, places[i].index);
        streams[i] = stream_view(v->bytes, &entry);
    }
    *count = used;
    return STATUS_OK;
}

enum status tap_image_take(const char *path, void *bytes, size_t size, struct tap_image *out, struct error *e)
{
    struct view v = {.path = path, .bytes = bytes, .size = size, .e = e};
    enum status s = read_head(&v);
    if (s != STATUS_OK)
        return s;
    const struct fo_capture_head *h = &v.head;
    struct tap_image image = {
        .filter = {h->first_block, h->blocks, h->first_warpgroup, h->warpgroups, h->first_iteration, h->iterations,
                   h->keep_last != 0},
        .refused = h->refused,
        .bytes = bytes,
    };
    struct place *places = calloc(h->streams + (size_t)1, sizeof *places);
    image.stream = calloc(h->streams + (size_t)1, sizeof *image.stream);
    if (!places || !image.stream) {
        error_set(e, STATUS_NO_MEMORY, "no memory for %u streams", h->streams);
        error_at_path(e, path);
        s = STATUS_NO_MEMORY;
    } else
        s = read_streams(&v, places, image.stream, &image.stream_count);
    free(places);
    if (s != STATUS_OK) {
        free(image.stream);
        return s;
    }
    *out = image;
    return STATUS_OK;
}

enum status tap_image_parse(const char *path, const uint8_t *bytes, size_t size, struct tap_image *out, struct error *e)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        error_set(e, STATUS_NO_MEMORY, "no memory for %zu bytes", size);
        return error_at_path(e, path), STATUS_NO_MEMORY;
    }
    if (size)
        memcpy(copy, bytes, size);
    enum status s = tap_image_take(path, copy, size, out, e);
    if (s != STATUS_OK)
        free(copy);
    return s;
}

void tap_image_free(struct tap_image *image)
{
    for (uint32_t i = 0; i < image->stream_count; i++) {
        free(image->stream[i].owned[0]);
        free(image->stream[i].owned[1]);
    }
    free(image->stream);
    free(image->bytes);
    memset(image, 0, sizeof *image);
}

const uint32_t *tap_image_words(const struct tap_image *image, const struct tap_image_stream *s, uint32_t block,
                                uint32_t warpgroup, uint32_t time, uint32_t thread)
{
    const struct tap_image_filter *f = &image->filter;
    if (block >= f->blocks || warpgroup >= f->warpgroups || thread >= FO_CAPTURE_THREADS)
        return NULL;
    size_t group = (size_t)block * f->warpgroups + warpgroup;
    uint32_t came = s->counter[group * FO_CAPTURE_THREADS + thread], iteration = time - f->first_iteration;
    if (time >= came)
        return NULL;
    if (f->keep_last) {
        if (came - time > f->iterations)
            return NULL;
        iteration = time % f->iterations;
    } else if (time < f->first_iteration || iteration >= f->iterations)
        return NULL;
    return s->data + ((group * f->iterations + iteration) * FO_CAPTURE_THREADS + thread) * s->words;
}

const struct tap_image_stream *tap_image_find(const struct tap_image *image, uint32_t site, enum fo_capture_kind kind,
                                              const char *operand)
{
    for (uint32_t i = 0; i < image->stream_count; i++) {
        const struct tap_image_stream *s = &image->stream[i];
        if (s->site == site && s->kind == kind && (!operand || strcmp(s->operand, operand) == 0))
            return s;
    }
    return NULL;
}
