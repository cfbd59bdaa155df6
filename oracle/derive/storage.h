/* storage: how weights lie in memory, as data. Where does each bit of the code of (n, k) stand?
 *
 * A matrix of codes is cut into blocks of R rows by C columns. Inside a block an affine map (reference/layout.h) takes
 * (n, k, bit of the code) to (row, position) of the stored matrix, position in bits, least significant bit of byte 0
 * first. Blocks follow each other without a gap: the next block in one direction begins `rows` stored rows further
 * down, the next in the other one `positions` bits to the right. Stored rows are `pitch` bytes apart, the one number
 * that depends on the shape:
 *
 *     rows along n:  row = n / R * rows + ...          position = k / C * positions + ...      pitch along K
 *     rows along k:  row = k / C * rows + ...          position = n / R * positions + ...      pitch along N
 *
 * Codes that several columns share (block scales) count columns in groups of `share`. A packing that scatters the bits
 * of a value inside a word is the map above followed by a permutation of the bits of every aligned word.
 * N and K are padded to whole blocks; what the padding holds does not matter. */
#ifndef FO_ORACLE_DERIVE_STORAGE_H
#define FO_ORACLE_DERIVE_STORAGE_H

#include <stdbool.h>

#include "reference/layout.h"

enum { STORAGE_N, STORAGE_K, STORAGE_BIT }; /* dimensions of block.domain */
enum { STORAGE_ROW, STORAGE_POSITION };     /* dimensions of block.codomain */
enum { STORAGE_WORD = 32, STORAGE_NAME = 24 };

struct storage {
    uint32_t bits;              /* of one code: 4, 8, 16 or 32 */
    uint32_t share;             /* columns that share a code; 1: none do */
    bool rows_along_k;          /* else along n */
    struct layout block;        /* affine, a bijection: (n, k, bit) -> (row, position) */
    uint32_t word_bits;         /* scattered: words of 8, 16 or 32 bits; 0: the map is all */
    uint8_t word[STORAGE_WORD]; /* bit i of such a word of the map stands at bit word[i] */
};

/* Weights: codes of a named type, with or without a power of two (e8m0) for each group of columns. */
struct packing {
    char code[STORAGE_NAME]; /* "e2m1", "int4", ...: convert.h has them */
    struct storage values;
    bool scaled;
    struct storage scales; /* only where scaled */
};

/* A place: row of the stored matrix, bit in that row. */
struct place {
    uint64_t row, bit;
};

/* Block of R x C codes, all boxes set, no images: for those who fill in the map. needs: powers of two. */
struct storage storage_block(uint32_t bits, uint32_t share, uint32_t R, uint32_t C, uint32_t rows, uint32_t positions);
/* Row-major codes, the lowest column in the lowest bits; C columns to a block. */
struct storage storage_row_major(uint32_t bits, uint32_t share, uint32_t C);
/* Is this a storage? Strided maps become affine. errors: STATUS_BAD_INPUT. */
enum status storage_check(struct storage *s, struct error *e);

/* Where the map alone puts a bit of the code of (n, k); and where a bit of a word really stands. */
struct place storage_place(const struct storage *s, uint64_t n, uint64_t k, uint32_t bit);
uint64_t storage_scatter(const struct storage *s, uint64_t bit);
/* Bytes of a stored row, and of a matrix. */
uint64_t storage_pitch(const struct storage *s, uint64_t N, uint64_t K);
uint64_t storage_bytes(const struct storage *s, uint64_t N, uint64_t K);

/* "mxfp4-hopper", "mxfp4", "int4", "int4-offset8", "fp8", "bf16", or the path of a JSON file (it contains a '.' or a
 * '/'). errors: STATUS_BAD_ARGUMENT for a name that is neither; those of packing_read. */
enum status packing_find(const char *from, struct packing *out, struct error *e);
/* A file as README.md describes it. errors: STATUS_IO, STATUS_BAD_INPUT, STATUS_NO_MEMORY, with path and field. */
enum status packing_read(const char *path, struct packing *out, struct error *e);

#endif
