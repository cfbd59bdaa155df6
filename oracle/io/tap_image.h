/* tap_image: a capture of a kernel at work (kernels/fragoracle_device.h), as a host reads and keeps it.
 *
 * An image is what the device wrote. A folder is the same for everybody else: tap.json (schema
 * fragoracle.tap-capture/1) and, for each stream, siteN.WHAT.npy u4 [blocks, warpgroups, iterations, 128, words] and
 * siteN.WHAT.count.npy u4 [blocks, warpgroups, 128]. WHAT is the operand of FO_KIND_A and FO_KIND_D, else the kind; an
 * assertion has both ("A.assert"), and a second stream of one name gets ".2". Unused entries of the table are left out
 * of both. */
#ifndef FO_ORACLE_IO_TAP_IMAGE_H
#define FO_ORACLE_IO_TAP_IMAGE_H

#include <stdbool.h>

#include "kernels/fragoracle_device.h"
#include "reference/status.h"

#define TAP_IMAGE_SCHEMA "fragoracle.tap-capture/1"
#define TAP_IMAGE_JSON   "tap.json"
enum { TAP_IMAGE_TEXT = 256 };

/* Which times are kept; see kernels/fragoracle_device.h. */
struct tap_image_filter {
    uint32_t first_block, blocks;
    uint32_t first_warpgroup, warpgroups;
    uint32_t first_iteration, iterations;
    bool keep_last;
};

struct tap_image_stream {
    char op[64];      /* as recorded: may name an operation that wgmma_parse does not know */
    char operand[16]; /* "A", "B", "D", or what FO_TAP was given */
    char source[112]; /* "file.cu:123" or "" */
    enum fo_capture_kind kind;
    uint32_t site, accumulator, words, flags;
    const uint32_t *counter; /* [blocks][warpgroups][128] times each thread came by */
    const uint32_t *data;    /* [blocks][warpgroups][iterations][128][words]; 0 where nobody came by */
    void *owned[2];          /* what of these two is freed with the stream; NULL for a view of `bytes` */
};

/* What is known of the launch; "" and 0 where it is not. */
struct tap_image_launch {
    char kernel[TAP_IMAGE_TEXT]; /* name, perhaps mangled */
    uint64_t launch;             /* number among the tapped launches of its process */
    uint32_t grid[3], block[3];
    char gpu[TAP_IMAGE_TEXT], driver[TAP_IMAGE_TEXT], date[TAP_IMAGE_TEXT];
};

struct tap_image {
    struct tap_image_filter filter;
    struct tap_image_launch launch; /* zero after tap_image_parse and tap_image_take: an image does not say */
    uint32_t refused;               /* times that a thread found no room for a stream or for its words */
    uint32_t stream_count;
    struct tap_image_stream *stream; /* those in use, by site, then kind, then place in the table */
    void *bytes;                     /* the image, where the streams point into one */
};

/* Read an image in memory; `path` is for messages. The bytes are copied. errors: STATUS_BAD_INPUT with path and byte
 * offset: magic, version, sizes that overflow, a stream whose counters or words leave the image or lie at no multiple
 * of four, a kind that is not one, a text that does not end; STATUS_NO_MEMORY. */
enum status tap_image_parse(const char *path, const uint8_t *bytes, size_t size, struct tap_image *out,
                            struct error *e);
/* The same for bytes from malloc, which belong to *out on success and to the caller on failure. */
enum status tap_image_take(const char *path, void *bytes, size_t size, struct tap_image *out, struct error *e);
/* A folder with tap.json, or a file that is an image. errors: also STATUS_IO. */
enum status tap_image_read(const char *path, struct tap_image *out, struct error *e);
/* Into an existing folder; tap.json comes last. inverse: tap_image_read of the folder. errors: STATUS_IO,
 * STATUS_NO_MEMORY, STATUS_BAD_ARGUMENT (a path too long). */
enum status tap_image_write(const char *folder, const struct tap_image *image, struct error *e);
void tap_image_free(struct tap_image *image); /* safe on a zeroed one */

/* Where one thread's words of one time lie, NULL when they were not recorded. block, warpgroup: from 0 in the window of
 * the filter; time: times that the thread came by before (with keep_last the last `iterations` of them are there). */
const uint32_t *tap_image_words(const struct tap_image *image, const struct tap_image_stream *s, uint32_t block,
                                uint32_t warpgroup, uint32_t time, uint32_t thread);
/* The first stream of a site, a kind and an operand (NULL: any), or NULL. A site may have several results D. */
const struct tap_image_stream *tap_image_find(const struct tap_image *image, uint32_t site, enum fo_capture_kind kind,
                                              const char *operand);
/* "A", "D", "B.descriptor", ..., "assert"; "unused" for FO_KIND_UNUSED. */
const char *tap_image_kind_name(enum fo_capture_kind kind);

#endif
