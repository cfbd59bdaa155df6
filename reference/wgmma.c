#include "reference/wgmma.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The sets of legal N that wgmma_ops.def names: n_min, n_max, n_step, n_fine, n_coarse. */
#define N_FLOAT   8, 256, 8, 256, 8
#define N_INTEGER 8, 256, 8, 32, 16

static const struct wgmma_family families[] = {
#define WGMMA_FAMILY(D, A, B, K, A_BITS, D_BITS, N) {D, A, B, K, A_BITS, D_BITS, N_##N},
#include "reference/wgmma_ops.def"
#undef WGMMA_FAMILY
};
enum { FAMILIES = sizeof families / sizeof *families };
enum { TYPES_SIZE = 256 }; /* of the list of families for people */

/* The dot-separated parts of a name, in order. */
enum part { PART_WGMMA, PART_SHAPE, PART_D, PART_A, PART_B, PART_SOURCE, PARTS };

static const char *const source_names[] = {[WGMMA_RS] = "rs", [WGMMA_SS] = "ss"};

size_t wgmma_family_count(void)
{
    return FAMILIES;
}

const struct wgmma_family *wgmma_family_at(size_t i)
{
    assert(i < FAMILIES);
    return &families[i];
}

int wgmma_next_n(const struct wgmma_family *f, int n)
{
    if (n < f->n_min)
        return f->n_min;
    int step = n < f->n_fine ? f->n_step : f->n_coarse, next = (n / step + 1) * step;
    return next <= f->n_max ? next : 0;
}

const char *wgmma_describe_n(const struct wgmma_family *f, char text[WGMMA_N_SIZE])
{
    int used = snprintf(text, WGMMA_N_SIZE, "a multiple of %d from %d to %d", f->n_step, f->n_min, f->n_fine);
    if (f->n_fine < f->n_max)
        used += snprintf(text + used, (size_t)(WGMMA_N_SIZE - used), " or of %d from %d to %d", f->n_coarse,
                         wgmma_next_n(f, f->n_fine), f->n_max);
    assert(used < WGMMA_N_SIZE);
    return text;
}

/* Cut text at its dots, in place. */
static bool split(char *text, const char *part[PARTS])
{
    int parts = 0;
    for (char *next = text; next; parts++) {
        if (parts == PARTS)
            return false;
        part[parts] = next;
        next = strchr(next, '.');
        if (next)
            *next++ = '\0';
    }
    return parts == PARTS;
}

/* A number of one to four digits without sign or leading zero, after the letter that announces it. Returns what
 * follows, NULL if there is none. */
static const char *read_extent(const char *text, char letter, int *value)
{
    if (!text || text[0] != letter || text[1] < '1' || text[1] > '9')
        return NULL;
    const char *digit = text + 1;
    int x = 0;
    for (; *digit >= '0' && *digit <= '9' && digit <= text + 4; digit++)
        x = 10 * x + (*digit - '0');
    *value = x;
    return digit;
}

/* The families as a list for people: "f32.bf16.bf16, f32.f16.f16". */
static const char *legal_types(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < FAMILIES && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s.%s.%s", i ? ", " : "", families[i].d, families[i].a,
                                 families[i].b);
    return text;
}

static const struct wgmma_family *find_family(const char *const part[PARTS])
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (strcmp(part[PART_D], families[i].d) == 0 && strcmp(part[PART_A], families[i].a) == 0 &&
            strcmp(part[PART_B], families[i].b) == 0)
            return &families[i];
    return NULL;
}

static enum status check_shape(const struct wgmma_family *f, const char *shape, int *n_out, struct error *e)
{
    int m, n, k;
    const char *rest = read_extent(read_extent(read_extent(shape, 'm', &m), 'n', &n), 'k', &k);
    if (!rest || *rest)
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%s\" is no shape; write m%dnNk%d", shape, WGMMA_M, f->k);
    if (m != WGMMA_M)
        return error_set(e, STATUS_BAD_ARGUMENT, "M = %d is not offered by wgmma; M is %d", m, WGMMA_M);
    if (k != f->k)
        return error_set(e, STATUS_BAD_ARGUMENT, "K = %d is wrong for A of type %s; K is %d", k, f->a, f->k);
    char legal[WGMMA_N_SIZE];
    if (n < 1 || wgmma_next_n(f, n - 1) != n)
        return error_set(e, STATUS_BAD_ARGUMENT, "N = %d is not legal; N is %s", n, wgmma_describe_n(f, legal));
    *n_out = n;
    return STATUS_OK;
}

enum status wgmma_parse(const char *name, struct wgmma_op *op, struct error *e)
{
    char text[WGMMA_NAME_SIZE], types[TYPES_SIZE];
    const char *part[PARTS];
    if (snprintf(text, sizeof text, "%s", name) >= (int)sizeof text || !split(text, part))
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%.100s\" is no operation; write wgmma.SHAPE.D.A.B.rs or .ss", name);
    if (strcmp(part[PART_WGMMA], "wgmma") != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%s\" is no known instruction; only wgmma is", part[PART_WGMMA]);

    struct wgmma_op made = {.family = find_family(part)};
    if (!made.family)
        return error_set(e, STATUS_BAD_ARGUMENT, "the types %s.%s.%s are not covered; use one of %s", part[PART_D],
                         part[PART_A], part[PART_B], legal_types(types, sizeof types));
    enum status s = check_shape(made.family, part[PART_SHAPE], &made.n, e);
    if (s != STATUS_OK)
        return s;
    if (strcmp(part[PART_SOURCE], source_names[WGMMA_RS]) == 0)
        made.source = WGMMA_RS;
    else if (strcmp(part[PART_SOURCE], source_names[WGMMA_SS]) == 0)
        made.source = WGMMA_SS;
    else
        return error_set(e, STATUS_BAD_ARGUMENT, "\"%s\" is no source of A; write rs (registers) or ss (shared memory)",
                         part[PART_SOURCE]);
    *op = made;
    return STATUS_OK;
}

const char *wgmma_format(const struct wgmma_op *op, char text[WGMMA_NAME_SIZE])
{
    const struct wgmma_family *f = op->family;
    int length = snprintf(text, WGMMA_NAME_SIZE, "wgmma.m%dn%dk%d.%s.%s.%s.%s", WGMMA_M, op->n, f->k, f->d, f->a, f->b,
                          source_names[op->source]);
    assert(length > 0 && length < WGMMA_NAME_SIZE);
    return text;
}
