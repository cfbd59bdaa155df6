/* tap: rewrite a PTX module so that it records what its wgmma multiply. The form of a capture is that of
 * kernels/fragoracle_device.h; the image lies in two variables of the module:
 *
 *     fragoracle_tap_head    struct fo_capture_head and the streams, initialised; padded to 128 bytes
 *     fragoracle_tap_data    counters and data, zero at first
 *
 * Offsets count from the beginning of the head, as if the data followed it.
 *
 * What is inserted must not change what ptxas does elsewhere: straight-line code in a scope of its own, no branch,
 * every access predicated, few values alive at a time. Streams of one point share the counter and what it costs. */
#ifndef FO_ORACLE_ANSWER_TAP_H
#define FO_ORACLE_ANSWER_TAP_H

#include "kernels/fragoracle_device.h"
#include "oracle/answer/answer.h"
#include "oracle/ptx/sites.h"

#define TAP_HEAD_NAME "fragoracle_tap_head"
#define TAP_DATA_NAME "fragoracle_tap_data"

enum { TAP_ALIGN = 128, TAP_WARPGROUPS_MOST = 8, TAP_NONE = -1 };
#define TAP_IMAGE_MOST  ((uint64_t)512 << 20)
#define TAP_WINDOW_MOST ((uint64_t)1 << 20) /* blocks, and iterations */

struct tap_filter {
    uint32_t first_block, blocks;
    uint32_t first_warpgroup, warpgroups;
    uint32_t first_iteration, iterations;
    bool last;
    bool no_bytes; /* descriptors without the bytes that they name */
};

struct tap_stream {
    enum fo_capture_kind kind;
    uint32_t site;
    int64_t result; /* of FO_KIND_D: index of the ptx_result; else TAP_NONE */
    size_t at;      /* the point */
    uint32_t order; /* of streams at one point */
    bool fence;     /* of the point */
    uint32_t words;
    uint64_t data; /* byte offset in the image */
};

/* A place of the text where code is inserted: streams first .. first + count - 1. */
struct tap_point {
    size_t at;
    uint32_t first, count;
    uint64_t counters; /* byte offset in the image */
    /* The point lies, or may lie, between a wgmma.fence and a wgmma: ptxas would inject an arrive (C7519) for the
     * registers that a recorder uses, so the recorder ends with a wgmma.fence of its own. Both places are next to an
     * aligned wgmma instruction, so that all threads come by. source: output of ptxas 13.0. */
    bool fence;
};

struct tap_plan {
    const struct ptx_sites *sites;
    struct tap_filter filter;
    uint32_t stream_count, point_count;
    struct tap_stream *stream; /* in the order of the text */
    struct tap_point *point;
    uint64_t head_bytes, bytes; /* of fragoracle_tap_head, of the image */
};

/* Which streams the chosen sites have, and where everything lies. chosen: [sites->site_count]. The plan keeps `sites`.
 * errors: STATUS_BAD_ARGUMENT where the image is too large (the line names the options to lower); STATUS_UNSUPPORTED
 * where nothing of what was chosen can be recorded (the line says why); STATUS_NO_MEMORY. */
enum status tap_plan_make(const struct ptx_sites *sites, const bool *chosen, const struct tap_filter *filter,
                          struct tap_plan *out, struct error *e);
void tap_plan_free(struct tap_plan *p);
/* The bytes of fragoracle_tap_head; owned by the caller. errors: STATUS_NO_MEMORY. */
enum status tap_head_make(const struct tap_plan *p, uint8_t **head, struct error *e);

/* "A", "B", "D" or "scale-d". */
const char *tap_operand(enum fo_capture_kind kind);
/* 16-byte chunks of the tile of B (or A) that the instruction of the site reads, and how many lie side by side for one
 * `outer` of descriptor_chunk. */
uint32_t tap_chunks(const struct ptx_site *site, bool b);
uint32_t tap_chunks_inner(const struct ptx_site *site, bool b);

/* The module with the recorders. text: what the sites of the plan were found in. errors: STATUS_NO_MEMORY. */
enum status tap_emit(const struct tap_plan *p, const char *text, size_t size, struct text *out, struct error *e);
/* One recorder, as it stands in the module. */
void tap_emit_point(const struct tap_plan *p, const struct tap_point *point, struct text *out);
/* The part of it that copies the tile of B (or A) to stream s. */
void tap_emit_bytes(const struct tap_plan *p, const struct tap_stream *s, struct text *out);

#endif
