/* map: the parts of fo_map. A fragment map asked about, written in every notation, and held against a dump. */
#ifndef FO_ORACLE_ANSWER_MAP_H
#define FO_ORACLE_ANSWER_MAP_H

#include "oracle/answer/answer.h"
#include "reference/fragment.h"

/* An operand of an operation: slots (thread, reg, part) to elements (i, j), as the specification says. */
struct map {
    char op[WGMMA_NAME_SIZE];
    const char *operand;   /* "A" or "D" */
    struct layout forward; /* affine, offset 0 */
    struct layout inverse; /* elements to slots; freed with map_free */
};
/* errors: those of wgmma_parse, fragment_operand_parse and fragment_map. */
enum status map_make(const char *op, const char *operand, struct map *out, struct error *e);
void map_free(struct map *m);

/* "5.2.1" and "1,11": decimal, nothing else around them. errors: STATUS_BAD_ARGUMENT: malformed or outside the map,
 * saying what it should be. */
enum status map_parse_slot(const struct map *m, const char *text, struct point *slot, struct error *e);
enum status map_parse_element(const struct map *m, const char *text, struct point *element, struct error *e);

/* The whole map as text. format: "table", "csv", "markdown", "cute", "linear"; NULL is "table". errors:
 * STATUS_BAD_ARGUMENT: another format (lists them); STATUS_UNSUPPORTED: a map that this notation cannot say. */
enum status map_format(const struct map *m, const char *format, struct text *out, struct error *e);

/* JSON forms; new references, NULL without memory. */
json_t *json_of_slot(const struct point *slot);
json_t *json_of_element(const struct point *element);
/* {"thread": 128, "reg": 4, "part": 2}: the extents of a box. */
json_t *json_of_box(const struct box *b);
/* {"thread": [[0, 2], ...], "reg": ..., "part": ...}: the images of the bits, lowest first. needs: affine. */
json_t *json_of_basis(const struct layout *l);

/* Hold a dump against the map: what the registers of a kernel held after it loaded a matrix whose element (i, j) was
 * the number i * columns + j, columns being those of the operand. The file is u4 [threads][registers], the registers as
 * they are (two 16-bit numbers, part 0 in the low half, or one of 32 bits), or u2 [threads][registers][parts], or the
 * same bytes as u2 [threads][registers * parts]. Parts of 8 bits hold no such number: their dump is u2, made of two
 * loads, number = byte of a load of (i * columns + j) % 256 + 256 * byte of a load of (i * columns + j) / 256.
 * Adds its findings to `document` and `text`. errors: those of npy_read; STATUS_BAD_INPUT: another type or shape. */
enum status map_against(const struct map *m, const char *path, json_t *document, struct text *text,
                        enum fo_verdict *verdict, struct error *e);

#endif
