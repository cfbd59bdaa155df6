/* fragoracle_device.h: capture what a kernel really holds. One header, no dependency.
 *
 *     #define FRAGORACLE_TAP                                        or -DFRAGORACLE_TAP; without it every macro is
 * nothing #include "fragoracle_device.h"
 *     ...                                                           in the kernel, ahead of wgmma.fence:
 *     FO_TAP(0, "wgmma.m64n64k16.f32.bf16.bf16.rs", "A", a0, a1, a2, a3);
 *     FO_ASSERT_A(0, "wgmma.m64n64k16.f32.bf16.bf16.rs", a0, a1, a2, a3, w, K, m0, k0);
 *     ...                                                           behind the wait:
 *     FO_TAP(0, "wgmma.m64n64k16.f32.bf16.bf16.rs", "D", d);
 *     ...                                                           on the host, in the same file:
 *     fo_capture_begin(NULL, 16, 64);  kernel<<<...>>>(...);  fo_capture_save("capture.ftap");  fo_capture_end();
 *
 * The second half of this file says what each does. The first is the format of a capture, in plain C: what the macros,
 * the code that `fragoracle tap` inserts into PTX, the injected library and the reader share.
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
    uint32_t room;      /* words that a stream has room for, where streams are taken at run time (FO_TAP), else 0 */
    uint32_t reserved[2];
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
    uint32_t flags;          /* FO_FLAG_* */
    uint32_t reserved;       /* FO_TAP: what the stream was taken for; 0 while it is free */
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

/* Which times are kept. NULL in its place: block 0, warpgroups 0..3, the first 4 iterations. */
struct fo_capture_filter {
    uint32_t first_block, blocks;
    uint32_t first_warpgroup, warpgroups;
    uint32_t first_iteration, iterations;
    uint32_t keep_last;
};

/* The functions at the end, for callers in other files and in C; each returns a cudaError_t. */
struct fo_capture_calls {
    int (*begin)(const struct fo_capture_filter *filter, uint32_t streams, uint32_t words);
    int (*save)(const char *path);
    int (*end)(void);
};

/* ---- where things lie ------------------------------------------------------------------------------------------- */

#ifdef __CUDACC__
#define FO_FORMULA static __host__ __device__ __forceinline__
#else
#define FO_FORMULA static inline
#endif

/* The A fragment of wgmma.m64nNkK, four registers of 32 / bits parts: element (m, k) of part `part` of register `reg`
 * of thread 0..127. bits: 16, 32 (tf32), 8. source: PTX ISA, "Register Fragments for wgmma.mma_async". */
FO_FORMULA uint32_t fo_a_row(uint32_t thread, uint32_t reg)
{
    return thread / 32 * 16 + thread % 32 / 4 + reg % 2 * 8;
}
FO_FORMULA uint32_t fo_a_column(uint32_t thread, uint32_t reg, uint32_t part, uint32_t bits)
{
    return (thread % 4 + reg / 2 * 4) * (32 / bits) + part;
}

/* The D fragment: element (m, n) of value i of a thread: register i for 32 bits, half i % 2 of register i / 2 for 16.
 */
FO_FORMULA uint32_t fo_d_row(uint32_t thread, uint32_t i)
{
    return thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8;
}
FO_FORMULA uint32_t fo_d_column(uint32_t thread, uint32_t i)
{
    return i / 4 * 8 + thread % 4 * 2 + i % 2;
}

/* The shared-memory address of 16 bytes of the tile that a matrix descriptor names. K-major (mn = 0): outer is the row
 * of N or M, inner counts 16 bytes along K; MN-major: outer is k, inner counts 16 bytes along N or M.
 *
 *     bits  0..13 start/16   16..29 leading/16   32..45 stride/16   49..51 base   62..63 swizzle: none, 128, 64, 32
 * bytes address  ... l l l | c c c | b b b b       the line l of the pattern is exclusive-or'ed into the chunk c
 * source: PTX ISA, "Matrix Descriptor Format", "Strides", "Shared Memory Matrix Layout". */
FO_FORMULA uint32_t fo_smem_chunk(uint64_t descriptor, int mn, uint32_t outer, uint32_t inner)
{
    uint32_t start = (uint32_t)(descriptor & 0x3fff) << 4, leading = (uint32_t)(descriptor >> 16 & 0x3fff) << 4;
    uint32_t stride = (uint32_t)(descriptor >> 32 & 0x3fff) << 4, base = (uint32_t)(descriptor >> 49 & 7);
    uint32_t code = (uint32_t)(descriptor >> 62), chunks = code ? 16u >> code : 1; /* in a line */
    uint32_t offset = outer % 8 * chunks * 16, address;
    if (code == 0)
        offset += mn ? outer / 8 * leading + inner * stride : outer / 8 * stride + inner * leading;
    else
        offset += outer / 8 * stride + (mn ? inner % chunks * 16 + inner / chunks * leading : inner * 16);
    address = (start + offset) & 0x3ffff;
    return address ^ (((address >> 7) - base) & (chunks - 1)) << 4;
}

/* ---- the macros ------------------------------------------------------------------------------------------------- */

/* A stream belongs to a site (a number of your choice, the same for A and D of one wgmma), an operand (a literal of at
 * most 15 characters) and what is recorded; the first thread that comes by takes one. Every macro is for all 128
 * threads of a warpgroup at once; it may stand where a warp has diverged, but then not beside a wgmma.
 *
 * FO_TAP: registers (uint32_t, int, float, or anything else of 4 bytes), or arrays of them. Operand "A": FO_KIND_A; "D"
 * and "C": FO_KIND_D; any other is kept as registers of the A kind. FO_REGS(pointer, count) makes an array of what a
 * pointer shows to. FO_TAP_INTO says in addition which accumulator the wgmma adds to, by a number; FO_TAP takes the
 * site for that.
 *
 * FO_ASSERT_*: compare, and record FO_ASSERT_WORDS a thread. ptr: the logical matrix in device memory, row-major, ld
 * elements from row to row; NULL records nothing. FO_ASSERT_A: four registers against the tile [64][K] at (m0, k0) of
 * elements of 16, 32 (tf32: the low 13 bits are ignored) or 8 bits. FO_ASSERT_D: an array of N/2 values of 32 bits, or
 * of N/4 registers of two halves when the elements of the matrix have 16, against the tile [64][N], bit for bit.
 * FO_ASSERT_SMEM: the bytes that the matrix descriptor names against the tile [rows = N, or 64 for A][32 bytes of K] at
 * (row0, k0); FO_ASSERT_SMEM_MN the same where the tile lies MN-major in shared memory, the matrix as before. There the
 * register is the number of the 16-byte chunk and the part the element in it. The caller keeps tiles inside of the
 * matrix; with _BOUNDED the matrix ends at (rows, columns): beyond it A and shared memory should hold zero, and D is
 * not compared. */
#if defined(FRAGORACLE_TAP) && defined(__CUDACC__)
#define FO_TAP(site, op, operand, ...) FO_TAP_INTO(site, site, op, operand, __VA_ARGS__)
#define FO_TAP_INTO(site, accumulator, op, operand, ...)                                                               \
    fo_tap(fo_place_of<fo_hash(operand, 2166136261u), fo_kind(operand)>(site, accumulator, op, operand, FO_SOURCE),    \
           __VA_ARGS__)
#define FO_REGS(pointer, count) (*reinterpret_cast<const uint32_t(*)[count]>(pointer))
#define FO_ASSERT_A(site, op, r0, r1, r2, r3, ptr, ld, m0, k0)                                                         \
    FO_ASSERT_A_BOUNDED(site, op, r0, r1, r2, r3, ptr, ld, m0, k0, FO_UNBOUNDED, FO_UNBOUNDED)
#define FO_ASSERT_A_BOUNDED(site, op, r0, r1, r2, r3, ptr, ld, m0, k0, rows, columns)                                  \
    fo_assert_a(fo_place_of<fo_hash("A", 1), FO_KIND_ASSERT>(site, site, op, "A", FO_SOURCE), fo_bits(r0),             \
                fo_bits(r1), fo_bits(r2), fo_bits(r3), fo_matrix_of(ptr, ld, m0, k0, rows, columns))
#define FO_ASSERT_D(site, op, d, ptr, ld, m0, n0)                                                                      \
    FO_ASSERT_D_BOUNDED(site, op, d, ptr, ld, m0, n0, FO_UNBOUNDED, FO_UNBOUNDED)
#define FO_ASSERT_D_BOUNDED(site, op, d, ptr, ld, m0, n0, rows, columns)                                               \
    fo_assert_d(fo_place_of<fo_hash("D", 1), FO_KIND_ASSERT>(site, site, op, "D", FO_SOURCE), d,                       \
                fo_matrix_of(ptr, ld, m0, n0, rows, columns))
#define FO_ASSERT_SMEM(site, op, descriptor, rows, ptr, ld, row0, k0)                                                  \
    FO_ASSERT_SMEM_BOUNDED(site, op, descriptor, rows, ptr, ld, row0, k0, FO_UNBOUNDED, FO_UNBOUNDED)
#define FO_ASSERT_SMEM_BOUNDED(site, op, descriptor, rows, ptr, ld, row0, k0, matrix_rows, matrix_columns)             \
    fo_assert_smem(fo_place_of<fo_hash("smem", 1), FO_KIND_ASSERT>(site, site, op, "smem", FO_SOURCE), descriptor, 0,  \
                   rows, fo_matrix_of(ptr, ld, row0, k0, matrix_rows, matrix_columns))
#define FO_ASSERT_SMEM_MN(site, op, descriptor, rows, ptr, ld, row0, k0)                                               \
    fo_assert_smem(fo_place_of<fo_hash("smem", 2), FO_KIND_ASSERT>(site, site, op, "smem", FO_SOURCE), descriptor, 1,  \
                   rows, fo_matrix_of(ptr, ld, row0, k0, FO_UNBOUNDED, FO_UNBOUNDED))
/* At file scope, without a semicolon: `const struct fo_capture_calls NAME_capture`, for callers in other files. */
#define FO_CAPTURE_EXPORT(name)                                                                                        \
    extern "C" const struct fo_capture_calls name##_capture = {                                                        \
        [](const struct fo_capture_filter *f, uint32_t s, uint32_t w) { return (int)fo_capture_begin(f, s, w); },      \
        [](const char *path) { return (int)fo_capture_save(path); }, []() { return (int)fo_capture_end(); }};
#else
#define FO_TAP(...)                 ((void)0)
#define FO_TAP_INTO(...)            ((void)0)
#define FO_ASSERT_A(...)            ((void)0)
#define FO_ASSERT_A_BOUNDED(...)    ((void)0)
#define FO_ASSERT_D(...)            ((void)0)
#define FO_ASSERT_D_BOUNDED(...)    ((void)0)
#define FO_ASSERT_SMEM(...)         ((void)0)
#define FO_ASSERT_SMEM_BOUNDED(...) ((void)0)
#define FO_ASSERT_SMEM_MN(...)      ((void)0)
#define FO_CAPTURE_EXPORT(name)
#endif

#if defined(FRAGORACLE_TAP) && defined(__CUDACC__)
#define FO_TEXT_OF(x)   #x
#define FO_TEXT(x)      FO_TEXT_OF(x)
#define FO_SOURCE       (__FILE__ ":" FO_TEXT(__LINE__))
#define FO_UNBOUNDED    0xffffffffffffffffull
#define FO_TF32_IGNORED 0x1fffu
#define FO_DEVICE       static __device__ __forceinline__

/* The image, NULL while nothing is recorded. One for each file that includes this: begin, save and end are called in
 * the file of the kernel (or through FO_CAPTURE_EXPORT). */
static __device__ unsigned char *fo_capture_image;

static __host__ __device__ constexpr uint32_t fo_hash(const char *text, uint32_t seed)
{
    return *text ? fo_hash(text + 1, (seed ^ (unsigned char)*text) * 16777619u) : seed;
}

static __host__ __device__ constexpr uint32_t fo_kind(const char *operand)
{
    return (*operand == 'D' || *operand == 'C') && !operand[1] ? (uint32_t)FO_KIND_D : (uint32_t)FO_KIND_A;
}

/* What a stream is for. */
struct fo_place {
    uint32_t site, accumulator, kind, key;
    const char *op, *operand, *source;
};

template <uint32_t HASH, uint32_t KIND>
FO_DEVICE fo_place fo_place_of(uint32_t site, uint32_t accumulator, const char *op, const char *operand,
                               const char *source)
{
    return {site, accumulator, KIND, (HASH ^ KIND) + site * 0x9e3779b1u, op, operand, source};
}

FO_DEVICE void fo_copy_text(char *to, uint32_t size, const char *text)
{
    uint32_t length = 0;
    while (text[length])
        length++;
    /* Of a long path the end says more. */
    for (uint32_t skip = length < size ? 0 : length - size + 1, i = 0; text[skip + i]; i++)
        to[i] = text[skip + i];
}

/* Of the block: 128 of them are a warpgroup. */
FO_DEVICE uint32_t fo_thread()
{
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

/* The stream of this place; NULL when none is left. Whoever takes it writes down what for. */
FO_DEVICE fo_capture_stream *fo_find_stream(fo_capture_head *head, const fo_place &place, uint32_t words)
{
    fo_capture_stream *table = (fo_capture_stream *)(head + 1);
    uint32_t key = place.key + words * 0x85ebca6bu;
    key += key == 0;
    if (words <= head->room)
        for (uint32_t i = 0; i < head->streams; i++) {
            uint32_t owner = *(volatile uint32_t *)&table[i].reserved;
            if (owner == 0)
                owner = atomicCAS(&table[i].reserved, 0u, key);
            if (owner == 0) {
                fo_copy_text(table[i].op, sizeof table[i].op, place.op);
                fo_copy_text(table[i].operand, sizeof table[i].operand, place.operand);
                fo_copy_text(table[i].source, sizeof table[i].source, place.source);
                table[i].kind = place.kind;
                table[i].site = place.site;
                table[i].accumulator = place.accumulator;
                table[i].words = words;
                owner = key;
            }
            if (owner == key)
                return &table[i];
        }
    atomicAdd(&head->refused, 1u);
    return 0;
}

/* Where the words of this thread go this time; NULL when they are not recorded. Counts the time. */
FO_DEVICE uint32_t *fo_find_place(const fo_place &place, uint32_t words)
{
    unsigned char *image = fo_capture_image;
    if (!image)
        return 0;
    fo_capture_head *head = (fo_capture_head *)image;
    uint32_t block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z) - head->first_block;
    uint32_t thread = fo_thread(), warpgroup = thread / FO_CAPTURE_THREADS - head->first_warpgroup;
    if (block >= head->blocks || warpgroup >= head->warpgroups)
        return 0;
    fo_capture_stream *stream = fo_find_stream(head, place, words);
    if (!stream)
        return 0;
    uint64_t group = (uint64_t)block * head->warpgroups + warpgroup, lane = thread % FO_CAPTURE_THREADS;
    uint32_t *counter = (uint32_t *)(image + stream->counters) + group * FO_CAPTURE_THREADS + lane;
    uint32_t times = *counter, iteration = times - head->first_iteration;
    *counter = times + 1;
    if (head->keep_last)
        iteration = times % head->iterations;
    if (iteration >= head->iterations)
        return 0;
    return (uint32_t *)(image + stream->data) +
           ((group * head->iterations + iteration) * FO_CAPTURE_THREADS + lane) * words;
}

/* Words in registers and arrays of them. */
template <class... T> struct fo_words {
    enum { count = 0 };
};
template <class T, class... REST> struct fo_words<T, REST...> {
    enum { count = (int)(sizeof(T) / 4) + (int)fo_words<REST...>::count };
};

template <class T> FO_DEVICE uint32_t fo_bits(const T &x)
{
    static_assert(sizeof(T) == 4, "a register has 4 bytes");
    return *reinterpret_cast<const uint32_t *>(&x);
}

template <class T> FO_DEVICE uint32_t *fo_put(uint32_t *to, const T &x)
{
    *to = fo_bits(x);
    return to + 1;
}
template <class T, decltype(sizeof(0)) N> FO_DEVICE uint32_t *fo_put(uint32_t *to, const T (&x)[N])
{
#pragma unroll
    for (uint32_t i = 0; i < N; i++)
        to = fo_put(to, x[i]);
    return to;
}
FO_DEVICE void fo_put_all(uint32_t *)
{
}
template <class T, class... REST> FO_DEVICE void fo_put_all(uint32_t *to, const T &x, const REST &...rest)
{
    fo_put_all(fo_put(to, x), rest...);
}

/* Afterwards the threads that came together go on together: a wgmma that follows wants all of them. */
template <class... T> FO_DEVICE void fo_tap(const fo_place &place, const T &...registers)
{
    unsigned together = __activemask();
    uint32_t *to = fo_find_place(place, fo_words<T...>::count);
    if (to)
        fo_put_all(to, registers...);
    __syncwarp(together);
}

/* The matrix of an assertion, from the tile's first element on. */
template <class T> struct fo_matrix {
    const T *at;
    uint64_t ld, row0, column0, rows, columns;
};
template <class T>
FO_DEVICE fo_matrix<T> fo_matrix_of(const T *ptr, uint64_t ld, uint64_t row0, uint64_t column0, uint64_t rows,
                                    uint64_t columns)
{
    return {ptr, ld, row0, column0, rows, columns};
}
template <class T> FO_DEVICE bool fo_inside(const fo_matrix<T> &m, uint32_t row, uint32_t column)
{
    return m.row0 + row < m.rows && m.column0 + column < m.columns;
}
/* The bits of an element, zero beyond the end. */
template <class T> FO_DEVICE uint32_t fo_element(const fo_matrix<T> &m, uint32_t row, uint32_t column)
{
    static_assert(sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4, "elements have 8, 16 or 32 bits");
    if (!fo_inside(m, row, column))
        return 0;
    const void *at = m.at + (m.row0 + row) * m.ld + m.column0 + column;
    return sizeof(T) == 1 ? *(const uint8_t *)at : sizeof(T) == 2 ? *(const uint16_t *)at : *(const uint32_t *)at;
}
template <class T> FO_DEVICE uint32_t fo_part(uint32_t word, uint32_t part)
{
    return sizeof(T) == 4 ? word : word >> part * 8 * sizeof(T) & ((1u << 8 * (sizeof(T) % 4)) - 1);
}

FO_DEVICE void fo_compare(uint32_t (&word)[FO_ASSERT_WORDS], uint32_t reg, uint32_t part, uint64_t row, uint64_t column,
                          uint32_t expected, uint32_t found)
{
    word[FO_ASSERT_COMPARED]++;
    if (expected != found && word[FO_ASSERT_WRONG]++ == 0) {
        word[FO_ASSERT_REGISTER] = reg;
        word[FO_ASSERT_PART] = part;
        word[FO_ASSERT_ROW] = (uint32_t)row;
        word[FO_ASSERT_COLUMN] = (uint32_t)column;
        word[FO_ASSERT_EXPECTED] = expected;
        word[FO_ASSERT_FOUND] = found;
    }
}
template <class T>
FO_DEVICE void fo_assert_a(const fo_place &place, uint32_t r0, uint32_t r1, uint32_t r2, uint32_t r3,
                           const fo_matrix<T> &m)
{
    unsigned together = __activemask();
    uint32_t *to = m.at ? fo_find_place(place, FO_ASSERT_WORDS) : 0;
    if (to) {
        const uint32_t reg[4] = {r0, r1, r2, r3}, kept = sizeof(T) == 4 ? ~FO_TF32_IGNORED : ~0u;
        const uint32_t thread = fo_thread() % FO_CAPTURE_THREADS;
        uint32_t t[FO_ASSERT_WORDS] = {};
#pragma unroll
        for (uint32_t i = 0; i < 4; i++)
#pragma unroll
            for (uint32_t part = 0; part < 4 / sizeof(T); part++) {
                uint32_t row = fo_a_row(thread, i), column = fo_a_column(thread, i, part, 8 * sizeof(T));
                fo_compare(t, i, part, m.row0 + row, m.column0 + column, fo_element(m, row, column) & kept,
                           fo_part<T>(reg[i], part) & kept);
            }
        fo_put(to, t);
    }
    __syncwarp(together);
}

template <class R, decltype(sizeof(0)) N, class T>
FO_DEVICE void fo_assert_d(const fo_place &place, const R (&d)[N], const fo_matrix<T> &m)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 2, "results have 32 or 16 bits");
    const uint32_t parts = 4 / sizeof(T), thread = fo_thread() % FO_CAPTURE_THREADS;
    unsigned together = __activemask();
    uint32_t *to = m.at ? fo_find_place(place, FO_ASSERT_WORDS) : 0;
    if (to) {
        uint32_t t[FO_ASSERT_WORDS] = {};
#pragma unroll
        for (uint32_t i = 0; i < N * parts; i++) {
            uint32_t row = fo_d_row(thread, i), column = fo_d_column(thread, i);
            if (fo_inside(m, row, column))
                fo_compare(t, i / parts, i % parts, m.row0 + row, m.column0 + column, fo_element(m, row, column),
                           fo_part<T>(fo_bits(d[i / parts]), i % parts));
        }
        fo_put(to, t);
    }
    __syncwarp(together);
}

template <class T>
FO_DEVICE void fo_assert_smem(const fo_place &place, uint64_t descriptor, int mn, uint32_t rows, const fo_matrix<T> &m)
{
    const uint32_t side = 32 / sizeof(T), in_chunk = 16 / sizeof(T); /* elements along K, in 16 bytes */
    unsigned together = __activemask();
    uint32_t *to = m.at ? fo_find_place(place, FO_ASSERT_WORDS) : 0;
    if (to) {
        uint32_t t[FO_ASSERT_WORDS] = {};
        uint32_t inner = mn ? rows / in_chunk : 2;
        for (uint32_t c = fo_thread() % FO_CAPTURE_THREADS; c < (mn ? side : rows) * inner; c += FO_CAPTURE_THREADS) {
            uint32_t word[4], address = fo_smem_chunk(descriptor, mn, c / inner, c % inner);
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
                         : "r"(address)
                         : "memory");
#pragma unroll
            for (uint32_t i = 0; i < in_chunk; i++) {
                uint32_t along = c % inner * in_chunk + i, row = mn ? along : c / inner, k = mn ? c / inner : along;
                fo_compare(t, c, i, m.row0 + row, m.column0 + k, fo_element(m, row, k),
                           fo_part<T>(word[i * sizeof(T) / 4], i % (4 / sizeof(T))));
            }
        }
        fo_put(to, t);
    }
    __syncwarp(together);
}

/* ---- the host --------------------------------------------------------------------------------------------------- */
#ifndef __CUDACC_RTC__
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *fo_capture_device; /* the image, as the host knows it */
static uint64_t fo_capture_bytes;

/* Stop recording and free the image. */
static inline cudaError_t fo_capture_end(void)
{
    unsigned char *none = NULL;
    if (!fo_capture_device)
        return cudaSuccess;
    cudaError_t error = cudaMemcpyToSymbol(fo_capture_image, &none, sizeof none), freed = cudaFree(fo_capture_device);
    fo_capture_device = NULL;
    return error != cudaSuccess ? error : freed;
}

/* The head and the table as they are before anything was recorded; owned by the caller, NULL without memory or for a
 * size that overflows. */
static inline unsigned char *fo_capture_make_head(const struct fo_capture_filter *f, uint32_t streams, uint32_t words,
                                                  uint64_t *head_bytes, uint64_t *bytes)
{
    uint64_t counters = 4 * FO_CAPTURE_THREADS;
    const uint64_t factor[] = {f->blocks, f->warpgroups, f->iterations, words, streams};
    double product = counters;
    for (uint64_t x : factor)
        product *= (double)x;
    if (product > 1e15) /* far beyond the memory of any device, and far from an overflow */
        return NULL;
    counters *= (uint64_t)f->blocks * f->warpgroups;
    const uint64_t each = counters + counters * f->iterations * words;
    *head_bytes = sizeof(struct fo_capture_head) + (uint64_t)streams * sizeof(struct fo_capture_stream);
    *bytes = *head_bytes + each * streams;
    unsigned char *made = (unsigned char *)calloc(1, *head_bytes);
    if (!made)
        return NULL;
    struct fo_capture_head head = {};
    head.magic = FO_CAPTURE_MAGIC, head.version = FO_CAPTURE_VERSION, head.streams = streams;
    head.first_block = f->first_block, head.blocks = f->blocks;
    head.first_warpgroup = f->first_warpgroup, head.warpgroups = f->warpgroups;
    head.first_iteration = f->first_iteration, head.iterations = f->iterations;
    head.keep_last = f->keep_last != 0, head.room = words, head.bytes = *bytes;
    memcpy(made, &head, sizeof head);
    for (uint32_t i = 0; i < streams; i++) {
        struct fo_capture_stream s = {};
        s.counters = *head_bytes + i * each;
        s.data = s.counters + counters;
        memcpy(made + sizeof head + (uint64_t)i * sizeof s, &s, sizeof s);
    }
    return made;
}

/* From now on kernels of this file record: at most `streams` places, of at most `words` words a thread and time each.
 * errors: cudaErrorInvalidValue (nothing to record, a size that overflows), cudaErrorMemoryAllocation, and those of the
 * runtime. A capture that was begun before is lost. */
static inline cudaError_t fo_capture_begin(const struct fo_capture_filter *filter, uint32_t streams, uint32_t words)
{
    const struct fo_capture_filter usual = {0, 1, 0, 4, 0, 4, 0}, *f = filter ? filter : &usual;
    unsigned char *device = NULL;
    uint64_t head_bytes = 0, bytes = 0;
    cudaError_t error = fo_capture_end();
    if (error != cudaSuccess)
        return error;
    if (!f->blocks || !f->warpgroups || !f->iterations || !streams || !words)
        return cudaErrorInvalidValue;
    unsigned char *head = fo_capture_make_head(f, streams, words, &head_bytes, &bytes);
    if (!head)
        return cudaErrorInvalidValue;
    error = cudaMalloc((void **)&device, bytes);
    if (error == cudaSuccess)
        error = cudaMemset(device, 0, bytes);
    if (error == cudaSuccess)
        error = cudaMemcpy(device, head, head_bytes, cudaMemcpyHostToDevice);
    if (error == cudaSuccess)
        error = cudaMemcpyToSymbol(fo_capture_image, &device, sizeof device);
    free(head);
    if (error != cudaSuccess) {
        cudaFree(device);
        return error;
    }
    fo_capture_device = device;
    fo_capture_bytes = bytes;
    return cudaSuccess;
}

/* Wait for the device and write what was recorded so far to a file, which the fragoracle program reads. errors:
 * cudaErrorInvalidValue before fo_capture_begin, cudaErrorOperatingSystem when the file cannot be written (what is
 * there then is refused by who reads it). */
static inline cudaError_t fo_capture_save(const char *path)
{
    if (!fo_capture_device)
        return cudaErrorInvalidValue;
    unsigned char *image = (unsigned char *)malloc(fo_capture_bytes);
    if (!image)
        return cudaErrorMemoryAllocation;
    cudaError_t error = cudaDeviceSynchronize();
    if (error == cudaSuccess)
        error = cudaMemcpy(image, fo_capture_device, fo_capture_bytes, cudaMemcpyDeviceToHost);
    if (error == cudaSuccess) {
        FILE *file = fopen(path, "wb");
        bool whole = file && fwrite(image, 1, fo_capture_bytes, file) == fo_capture_bytes;
        if (file && fclose(file) != 0)
            whole = false;
        error = whole ? cudaSuccess : cudaErrorOperatingSystem;
    }
    free(image);
    return error;
}
#endif
#endif

#endif
