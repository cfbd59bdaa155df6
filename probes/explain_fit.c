/* The families of explain_rule.h, fitted to samples. */
#include "probes/explain_rule.h"

#include <stdlib.h>
#include <string.h>

enum status rule_samples_make(uint32_t first, uint32_t second, struct rule_samples *out, struct error *e)
{
    size_t places = (size_t)first * second;
    struct rule_samples s = {.extent = {first, second}};
    for (int c = 0; c < 2; c++)
        s.y[c] = malloc(places * sizeof *s.y[c]);
    if (!s.y[0] || !s.y[1]) {
        rule_samples_free(&s);
        return error_set(e, STATUS_NO_MEMORY, "no memory for samples of %u x %u places", first, second);
    }
    for (int c = 0; c < 2; c++)
        memset(s.y[c], 0xff, places * sizeof *s.y[c]);
    *out = s;
    return STATUS_OK;
}

void rule_samples_free(struct rule_samples *s)
{
    free(s->y[0]);
    free(s->y[1]);
    *s = (struct rule_samples){0};
}

bool rule_samples_add(struct rule_samples *s, const uint32_t in[2], const uint32_t found[2])
{
    size_t at = (size_t)in[0] * s->extent[1] + in[1];
    if (s->y[0][at] == RULE_UNSEEN) {
        s->y[0][at] = found[0];
        s->y[1][at] = found[1];
    }
    return s->y[0][at] == found[0] && s->y[1][at] == found[1];
}

struct sample {
    uint32_t z, w, y;
};
struct fit {
    uint32_t extent[2]; /* of z, of w */
    size_t count;
    struct sample *sample;
    int32_t *scratch; /* steps of a table that is tried */
    bool no_memory;
    struct rule_coordinate found;
    unsigned cost;
};

static bool fit_identity(struct fit *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->sample[i].y != f->sample[i].z)
            return false;
    f->found.family = RULE_IDENTITY;
    return true;
}

static bool fit_add(struct fit *f)
{
    int64_t add = (int64_t)f->sample[0].y - f->sample[0].z;
    for (size_t i = 1; i < f->count; i++)
        if ((int64_t)f->sample[i].y - f->sample[i].z != add)
            return false;
    f->found.family = RULE_ADD;
    f->found.add = add;
    f->cost = 2;
    return true;
}

static bool fit_xor(struct fit *f)
{
    uint32_t bits = f->sample[0].y ^ f->sample[0].z;
    for (size_t i = 1; i < f->count; i++)
        if ((f->sample[i].y ^ f->sample[i].z) != bits)
            return false;
    f->found.family = RULE_XOR;
    f->found.bits = bits;
    f->cost = 2;
    return true;
}

static bool fit_mask(struct fit *f)
{
    uint32_t lost = 0;
    for (size_t i = 0; i < f->count; i++)
        lost |= f->sample[i].z & ~f->sample[i].y;
    for (size_t i = 0; i < f->count; i++)
        if (f->sample[i].y != (f->sample[i].z & ~lost))
            return false;
    f->found.family = RULE_MASK;
    f->found.bits = lost;
    f->cost = 2;
    return true;
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* (z + a) % m: all differences z - y are alike modulo m, and every y is below it. */
static bool fit_modulo(struct fit *f)
{
    int64_t first = (int64_t)f->sample[0].z - f->sample[0].y;
    uint64_t m = 0;
    uint32_t most = 0;
    for (size_t i = 0; i < f->count; i++) {
        int64_t d = (int64_t)f->sample[i].z - f->sample[i].y - first;
        m = greatest_common_divisor(m, (uint64_t)(d < 0 ? -d : d));
        most = f->sample[i].y > most ? f->sample[i].y : most;
        if (m != 0 && m <= most)
            return false;
    }
    if (m == 0 || m > UINT32_MAX)
        return false;
    f->found.family = RULE_MODULO;
    f->found.modulus = (uint32_t)m;
    f->found.add = (int64_t)m - (first % (int64_t)m + (int64_t)m) % (int64_t)m;
    f->found.add = f->found.add == (int64_t)m ? 0 : f->found.add;
    f->cost = f->found.add ? 3 : 2;
    return true;
}

static bool split_fits(const struct fit *f, uint32_t d, uint32_t high, uint32_t low)
{
    for (size_t i = 0; i < f->count; i++)
        if ((uint64_t)(f->sample[i].z / d) * high + (uint64_t)(f->sample[i].z % d) * low != f->sample[i].y)
            return false;
    return true;
}

/* z / d * h + z % d * l, with h and l where the samples show them: at z = d and at z = 1. */
static bool fit_split(struct fit *f)
{
    int32_t *at = f->scratch;
    memset(at, 0xff, (f->extent[0] + 2) * sizeof *at);
    for (size_t i = 0; i < f->count; i++)
        at[f->sample[i].z] = (int32_t)f->sample[i].y;
    for (uint32_t d = 2; d < f->extent[0]; d++)
        if (at[1] >= 0 && at[d] >= 0 && split_fits(f, d, (uint32_t)at[d], (uint32_t)at[1])) {
            f->found.family = RULE_SPLIT;
            f->found.modulus = d;
            f->found.high = (uint32_t)at[d];
            f->found.low = (uint32_t)at[1];
            f->cost = 4;
            return true;
        }
    return false;
}

/* Elimination over GF(2). A row is the bits of a place, bit 0 being the constant, and what is added there to z. Rows
 * are kept by their highest bit. */
enum { ROWS = 1 + 2 * RULE_BITS };
struct elimination {
    uint64_t row[ROWS];
    uint32_t sum[ROWS];
};

static bool eliminate(struct elimination *m, uint64_t row, uint32_t sum)
{
    while (row) {
        int top = 63 - __builtin_clzll(row);
        if (!m->row[top]) {
            m->row[top] = row;
            m->sum[top] = sum;
            return true;
        }
        row ^= m->row[top];
        sum ^= m->sum[top];
    }
    return sum == 0;
}

static bool fit_affine(struct fit *f)
{
    struct elimination m = {0};
    uint32_t image[ROWS] = {0};
    unsigned rank = 0;
    if (f->extent[0] >> RULE_BITS || f->extent[1] >> RULE_BITS)
        return false;
    for (size_t i = 0; i < f->count; i++) {
        const struct sample *s = &f->sample[i];
        if (!eliminate(&m, 1 | (uint64_t)s->z << 1 | (uint64_t)s->w << (1 + RULE_BITS), s->y ^ s->z))
            return false;
    }
    f->cost = 3;
    for (int top = 0; top < ROWS; top++) {
        if (!m.row[top])
            continue;
        rank++;
        image[top] = m.sum[top];
        for (int i = 0; i < top; i++)
            if (m.row[top] >> i & 1)
                image[top] ^= image[i];
        f->cost += image[top] != 0;
    }
    if (f->count < 2 * (size_t)rank) /* as many unknowns as equations explain nothing */
        return false;
    f->found.family = RULE_AFFINE;
    f->found.bits = image[0];
    for (int i = 0; i < RULE_BITS; i++) {
        f->found.image[0][i] = image[1 + i];
        f->found.image[1][i] = image[1 + RULE_BITS + i];
    }
    return true;
}

enum { NO_STEP = INT32_MIN };

static bool period_fits(const struct fit *f, uint32_t a, uint32_t b, int32_t *step)
{
    for (size_t i = 0; i < (size_t)a * b; i++)
        step[i] = NO_STEP;
    for (size_t i = 0; i < f->count; i++) {
        const struct sample *s = &f->sample[i];
        int32_t *at = &step[(size_t)(s->z % a) * b + s->w % b], found = (int32_t)s->y - (int32_t)s->z;
        if (*at == NO_STEP)
            *at = found;
        if (*at != found)
            return false;
    }
    for (size_t i = 0; i < (size_t)a * b; i++)
        if (step[i] == NO_STEP)
            step[i] = 0;
    return true;
}

static bool fit_period(struct fit *f, uint32_t a, uint32_t b, enum rule_family family)
{
    size_t bytes = (size_t)a * b * sizeof(int32_t);
    if (!period_fits(f, a, b, f->scratch))
        return false;
    int32_t *step = malloc(bytes);
    if (!step) {
        f->no_memory = true;
        return false;
    }
    memcpy(step, f->scratch, bytes);
    f->found = (struct rule_coordinate){.family = family, .period = {a, b}, .step = step};
    f->cost = 6 + a * b;
    return true;
}

/* The smallest period first. One of a alone may be anything; one of both comes in powers of two. A table with as many
 * entries as there are samples explains nothing, so a period is seen at least twice. */
enum { MOST_PERIOD = 128 };
static bool fit_periodic(struct fit *f)
{
    for (uint32_t entries = 2; entries <= MOST_PERIOD * MOST_PERIOD; entries++) {
        bool power = (entries & (entries - 1)) == 0;
        if (2 * (size_t)entries > f->count)
            return false;
        if (entries <= MOST_PERIOD && entries < f->extent[0] && fit_period(f, entries, 1, RULE_PERIODIC))
            return true;
        for (uint32_t b = 2; power && b <= entries && b <= MOST_PERIOD; b *= 2)
            if (b <= f->extent[1] && entries / b <= f->extent[0] && entries / b <= MOST_PERIOD &&
                fit_period(f, entries / b, b, RULE_PERIODIC))
                return true;
    }
    return false;
}

static bool fit_table(struct fit *f)
{
    return fit_period(f, f->extent[0], 1, RULE_TABLE) || fit_period(f, 1, f->extent[1], RULE_TABLE) ||
           fit_period(f, f->extent[0], f->extent[1], RULE_TABLE);
}

static enum status fit_coordinate(const struct rule_samples *s, int c, struct rule_coordinate *out, unsigned *cost,
                                  struct error *e)
{
    static bool (*const families[])(struct fit *) = {fit_identity, fit_add,   fit_xor,    fit_mask,
                                                     fit_modulo,   fit_split, fit_affine, fit_periodic,
                                                     fit_table};
    size_t places = (size_t)s->extent[0] * s->extent[1];
    size_t steps = places + MOST_PERIOD * MOST_PERIOD;
    struct fit f = {.extent = {s->extent[c], s->extent[1 - c]}};
    f.sample = malloc((places + 1) * sizeof *f.sample);
    f.scratch = malloc(steps * sizeof *f.scratch);
    if (!f.sample || !f.scratch) {
        free(f.sample);
        free(f.scratch);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu samples", places);
    }
    for (uint32_t x0 = 0; x0 < s->extent[0]; x0++)
        for (uint32_t x1 = 0; x1 < s->extent[1]; x1++) {
            uint32_t y = s->y[c][(size_t)x0 * s->extent[1] + x1];
            if (y != RULE_UNSEEN)
                f.sample[f.count++] = (struct sample){c == 0 ? x0 : x1, c == 0 ? x1 : x0, y};
        }
    bool found = f.count == 0;
    for (size_t i = 0; i < sizeof families / sizeof *families && !found && !f.no_memory; i++) {
        f.found = (struct rule_coordinate){0};
        f.cost = 0;
        found = families[i](&f);
    }
    free(f.sample);
    free(f.scratch);
    if (!found) /* a table fits whatever else does not */
        return error_set(e, STATUS_NO_MEMORY, "no memory for a table of %zu places", places);
    *out = f.found;
    *cost += f.cost;
    return STATUS_OK;
}

enum status source_rule_fit(const struct rule_samples *s, const char *first, const char *second,
                            struct source_rule *out, unsigned *cost, struct error *e)
{
    struct source_rule r = source_rule_identity(first, second, s->extent);
    unsigned sum = 0;
    enum status status = fit_coordinate(s, 0, &r.at[0], &sum, e);
    if (status == STATUS_OK)
        status = fit_coordinate(s, 1, &r.at[1], &sum, e);
    if (status != STATUS_OK) {
        source_rule_free(&r);
        return status;
    }
    *out = r;
    *cost = sum;
    return STATUS_OK;
}
