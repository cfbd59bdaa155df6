/* infer_classes: which elements may a slot hold? The part of infer that looks at values; the searches see classes only.
 *
 * A class is a tuple of values, one of each view. A slot may hold an element when both are of one class, so that
 * several captures of the same map are one question with more classes. */
#ifndef FO_PROBES_INFER_CLASSES_H
#define FO_PROBES_INFER_CLASSES_H

#include <stdbool.h>

#include "reference/status.h"

enum { INFER_CLASS_NONE = -1 }; /* of a slot whose values no element has, and of a place outside the tile */

/* One capture and where its tile begins in the matrix. */
struct infer_tile {
    const uint32_t *slot;
    const uint32_t *value;
    size_t pitch; /* elements from row to row */
};

struct infer_classes {
    size_t slots, rows, columns, classes;
    size_t explained; /* slots with a class */
    int32_t *slot;    /* [slots] */
    int32_t *element; /* [rows*columns] */
};

/* errors: STATUS_NO_MEMORY. needs: tiles > 0. Freed with infer_classes_free. */
enum status infer_classes_make(const struct infer_tile *tile, size_t tiles, size_t slots, size_t rows, size_t columns,
                               struct infer_classes *out, struct error *e);
void infer_classes_free(struct infer_classes *c); /* safe on a zeroed one */

/* The tile as a search walks it: places from which a step is one operation, with a margin that belongs to no class, so
 * that leaving the tile needs no test of its own.
 *     exclusive: place = i * 2^b + j, a step is an exclusive or; both extents rounded up to powers of two
 *     sum:       place = (rows + i) * 2 columns + j, a step is an addition of less than a tile in i and in j */
struct infer_space {
    bool exclusive;
    size_t rows, columns, pitch, places;
    uint32_t origin;   /* place of element (0, 0) */
    int32_t *class_of; /* [places] */
    uint32_t *begin;   /* [classes + 1] into member */
    uint32_t *member;  /* places by class, ascending */
};
enum status infer_space_make(const struct infer_classes *c, bool exclusive, struct infer_space *out, struct error *e);
void infer_space_free(struct infer_space *s);
uint32_t infer_space_element(const struct infer_space *s, uint32_t place); /* row-major code in the tile */

static inline uint32_t infer_space_count(const struct infer_space *s, int32_t c)
{
    return s->begin[c + 1] - s->begin[c];
}

/* What a search of one family found. */
struct infer_fits {
    size_t slots;
    double count;     /* maps that fit; exact below 2^53, infinite beyond the largest double */
    bool exhausted;   /* the budget ended first: the count is a lower bound */
    int64_t steps;    /* of the budget that are left: comparisons of a slot with an element */
    int maps;         /* 0 to 2 */
    uint32_t *map[2]; /* [slots] codes of elements, different from each other */
};
enum status infer_fits_make(size_t slots, struct infer_fits *out, struct error *e);
void infer_fits_free(struct infer_fits *f);
void infer_fits_clear(struct infer_fits *f);                     /* nothing found, a whole budget */
void infer_fits_keep(struct infer_fits *f, const uint32_t *map); /* one of two, unless it is already there */

#endif
