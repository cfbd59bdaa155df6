/* fragoracle_device.h: capture what a kernel really holds. One header, no dependency.
 *
 * The first part is the format of a capture, in plain C: what the macros below, the code that `fragoracle tap` inserts
 * into PTX, the injected library and the reader share.
 *
 * A capture is one image, addressed by byte offsets from its beginning, little endian:
 *     struct fo_capture_head
 *     struct fo_capture_stream [streams]
 *     counters, data
 * A stream is what one place of the code records: `words` 32-bit words of each thread each time it comes by. Times are
 * counted for each thread; only those in the window of the filter are kept:
 *     block      = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z) - first_block      < blocks
 *     warpgroup  = linear thread of the block / 128 - first_warpgroup                                < warpgroups
 *     iteration  = times the thread came by before - first_iteration                                 < iterations
 *                  (keep_last: times % iterations, so that the last ones stay)
 *     counter at   counters + 4 * ((block * warpgroups + warpgroup) * 128 + thread % 128)
 *     word w at    data + 4 * ((((block * warpgroups + warpgroup) * iterations + iteration) * 128 + thread % 128)
 *                              * words + w)
 * Streams of one place share their counter. A counter beyond the window tells how many came by unrecorded. */
#ifndef FRAGORACLE_DEVICE_H
#define FRAGORACLE_DEVICE_H

#include <stdint.h>

#define FO_CAPTURE_MAGIC   0x50415446u /* "FTAP" */
#define FO_CAPTURE_VERSION 1u
#define FO_CAPTURE_THREADS 128u /* of a warpgroup */

struct fo_capture_head {
    uint32_t magic, version;
    uint32_t streams;
    uint32_t first_block, blocks;
    uint32_t first_warpgroup, warpgroups;
    uint32_t first_iteration, iterations;
    uint32_t keep_last; /* 0 or 1 */
    uint64_t bytes;     /* of the whole image */
    uint32_t refused;   /* times that a thread found no stream left, or more words than its stream has room for */
    uint32_t reserved[3];
};

/* What the words of a stream are. */
enum fo_capture_kind {
    FO_KIND_UNUSED = 0,
    FO_KIND_A,            /* registers of the A fragment */
    FO_KIND_D,            /* registers of the D fragment, after the wait */
    FO_KIND_B_DESCRIPTOR, /* 2 words: the shared-memory matrix descriptor, low word first */
    FO_KIND_A_DESCRIPTOR,
    FO_KIND_B_BYTES, /* the bytes that the descriptor names, 16 at a time: chunk c = thread + 128 * i in words 4i..4i+3;
                      * chunk c = outer * (K-bytes / 16) + inner for a K-major tile (outer = row of N or M), and
                      * outer = k, inner = 16 bytes along N or M for an MN-major one */
    FO_KIND_A_BYTES,
    FO_KIND_SCALE_D, /* 1 word: 0 or 1 */
    FO_KIND_ASSERT   /* FO_ASSERT_WORDS words, see below */
};

struct fo_capture_stream {
    char op[64];          /* "wgmma.m64n64k16.f32.bf16.bf16.rs" */
    char operand[16];     /* "A", "B", "D", or what FO_TAP was given */
    char source[112];     /* "file.cu:123" or "" */
    uint32_t kind;        /* enum fo_capture_kind */
    uint32_t site;        /* number of the wgmma */
    uint32_t accumulator; /* streams of wgmma that add into the same registers share it */
    uint32_t words;
    uint32_t flags; /* FO_FLAG_* */
    uint32_t reserved;
    uint64_t counters, data; /* byte offsets */
};
#define FO_FLAG_A_MN 1u /* the A tile is MN-major in shared memory */
#define FO_FLAG_B_MN 2u

/* Words of FO_KIND_ASSERT, of each thread: the slots that differ (0: none), then the first of them. */
enum {
    FO_ASSERT_WRONG,
    FO_ASSERT_COMPARED,
    FO_ASSERT_REGISTER,
    FO_ASSERT_PART,
    FO_ASSERT_ROW,
    FO_ASSERT_COLUMN,
    FO_ASSERT_EXPECTED,
    FO_ASSERT_FOUND,
    FO_ASSERT_WORDS
};

#endif
