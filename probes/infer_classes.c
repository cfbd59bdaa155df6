#include "probes/infer_classes.h"

#include <stdlib.h>
#include <string.h>

enum { BUDGET = 1 << 26 }; /* infer.h states it */

/* A slot or an element, while its class is made. */
struct item {
    uint64_t key; /* class so far, then the value of the view at hand */
    uint32_t at;  /* slots first, then elements */
};

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->key, y = ((const struct item *)b)->key;
    return (x > y) - (x < y);
}

/* Split the classes by the values of one more view. `class_of`: of slots, then of elements. Returns their number. */
static size_t refine(const struct infer_tile *t, const struct infer_classes *c, struct item *item, int32_t *class_of)
{
    size_t elements = c->rows * c->columns, items = c->slots + elements;
    for (size_t n = 0; n < items; n++) {
        size_t p = n - c->slots;
        uint32_t value = n < c->slots ? t->slot[n] : t->value[p / c->columns * t->pitch + p % c->columns];
        item[n] = (struct item){(uint64_t)class_of[n] << 32 | value, (uint32_t)n};
    }
    qsort(item, items, sizeof *item, by_key);
    int32_t class_now = 0;
    for (size_t n = 0; n < items; n++) {
        class_now += n > 0 && item[n].key != item[n - 1].key;
        class_of[item[n].at] = class_now;
    }
    return (size_t)class_now + 1;
}

/* Number the classes that elements have, densely; slots of any other have none. */
static void renumber(struct infer_classes *c, int32_t *class_of, size_t classes, int32_t *number)
{
    size_t elements = c->rows * c->columns;
    for (size_t n = 0; n < classes; n++)
        number[n] = INFER_CLASS_NONE;
    for (size_t p = 0; p < elements; p++) {
        int32_t *of = &number[class_of[c->slots + p]];
        if (*of == INFER_CLASS_NONE)
            *of = (int32_t)c->classes++;
        c->element[p] = *of;
    }
    for (size_t s = 0; s < c->slots; s++) {
        c->slot[s] = number[class_of[s]];
        c->explained += c->slot[s] != INFER_CLASS_NONE;
    }
}

enum status infer_classes_make(const struct infer_tile *tile, size_t tiles, size_t slots, size_t rows, size_t columns,
                               struct infer_classes *out, struct error *e)
{
    enum status s = STATUS_OK;
    size_t elements = rows * columns, items = slots + elements, classes = 0;
    struct infer_classes made = {.slots = slots, .rows = rows, .columns = columns};
    struct item *item = malloc(items * sizeof *item);
    int32_t *class_of = calloc(items, sizeof *class_of), *number = malloc(items * sizeof *number);
    made.slot = malloc(slots * sizeof *made.slot);
    made.element = malloc(elements * sizeof *made.element);
    if (!item || !class_of || !number || !made.slot || !made.element) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the values of %zu slots and %zu elements", slots, elements);
        goto done;
    }
    for (size_t t = 0; t < tiles; t++)
        classes = refine(&tile[t], &made, item, class_of);
    renumber(&made, class_of, classes, number);
    *out = made;
    made = (struct infer_classes){0};
done:
    infer_classes_free(&made);
    free(item);
    free(class_of);
    free(number);
    return s;
}

void infer_classes_free(struct infer_classes *c)
{
    free(c->slot);
    free(c->element);
    *c = (struct infer_classes){0};
}

static size_t power_of_two(size_t n)
{
    size_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

enum status infer_space_make(const struct infer_classes *c, bool exclusive, struct infer_space *out, struct error *e)
{
    struct infer_space s = {.exclusive = exclusive, .rows = c->rows, .columns = c->columns};
    s.pitch = exclusive ? power_of_two(c->columns) : 2 * c->columns;
    s.places = s.pitch * (exclusive ? power_of_two(c->rows) : 3 * c->rows);
    s.origin = exclusive ? 0 : (uint32_t)(c->rows * s.pitch);
    s.class_of = malloc(s.places * sizeof *s.class_of);
    s.begin = calloc(c->classes + 2, sizeof *s.begin);
    s.member = malloc(c->rows * c->columns * sizeof *s.member);
    if (!s.class_of || !s.begin || !s.member) {
        infer_space_free(&s);
        return error_set(e, STATUS_NO_MEMORY, "no memory to search a tile of %zu x %zu", c->rows, c->columns);
    }
    for (size_t p = 0; p < s.places; p++)
        s.class_of[p] = INFER_CLASS_NONE;
    /* Counted two entries ahead, summed, filled one entry ahead: begin[] ends where it should. */
    for (size_t n = 0; n < c->rows * c->columns; n++)
        s.begin[c->element[n] + 2]++;
    for (size_t n = 2; n < c->classes + 2; n++)
        s.begin[n] += s.begin[n - 1];
    for (size_t n = 0; n < c->rows * c->columns; n++) {
        size_t place = s.origin + n / c->columns * s.pitch + n % c->columns;
        s.class_of[place] = c->element[n];
        s.member[s.begin[c->element[n] + 1]++] = (uint32_t)place;
    }
    *out = s;
    return STATUS_OK;
}

void infer_space_free(struct infer_space *s)
{
    free(s->class_of);
    free(s->begin);
    free(s->member);
    *s = (struct infer_space){0};
}

uint32_t infer_space_element(const struct infer_space *s, uint32_t place)
{
    size_t n = place - s->origin;
    return (uint32_t)(n / s->pitch * s->columns + n % s->pitch);
}

enum status infer_fits_make(size_t slots, struct infer_fits *out, struct error *e)
{
    struct infer_fits f = {.slots = slots};
    uint32_t *both = malloc(2 * slots * sizeof *both);
    if (!both)
        return error_set(e, STATUS_NO_MEMORY, "no memory for two maps of %zu slots", slots);
    f.map[0] = both;
    f.map[1] = both + slots;
    infer_fits_clear(&f);
    *out = f;
    return STATUS_OK;
}

void infer_fits_free(struct infer_fits *f)
{
    free(f->map[0]);
    *f = (struct infer_fits){0};
}

void infer_fits_clear(struct infer_fits *f)
{
    f->count = 0;
    f->exhausted = false;
    f->steps = BUDGET;
    f->maps = 0;
}

void infer_fits_keep(struct infer_fits *f, const uint32_t *map)
{
    size_t bytes = f->slots * sizeof *map;
    if (f->maps == 2 || (f->maps == 1 && memcmp(f->map[0], map, bytes) == 0))
        return;
    memcpy(f->map[f->maps++], map, bytes);
}
