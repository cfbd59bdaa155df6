#include "oracle/answer/arithmetic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "oracle/io/npy.h"
#include "reference/accumulate.h"
#include "reference/exact.h"
#include "reference/number.h"

enum { A_TILE = ARITHMETIC_M * REGIME_TERMS, B_TILE = ARITHMETIC_N * REGIME_TERMS, BATCH = ARITHMETIC_BATCH };

/* Tiles in the form that every machine takes. Tile t belongs to regime[t % regimes]. */
struct tiles {
    size_t count;
    uint16_t *a, *b;
    uint32_t *c, *d;
    int regime[REGIME_COUNT];
    size_t regimes;
};

static void tiles_free(struct tiles *t)
{
    free(t->a);
    free(t->b);
    free(t->c);
    free(t->d);
}

static enum status tiles_make(size_t count, struct tiles *t, struct error *e)
{
    *t = (struct tiles){.count = count, .regimes = REGIME_COUNT};
    for (int i = 0; i < REGIME_COUNT; i++)
        t->regime[i] = i;
    t->a = malloc(count * A_TILE * 2);
    t->b = malloc(count * B_TILE * 2);
    t->c = malloc(count * ARITHMETIC_TILE * 4);
    t->d = malloc(count * ARITHMETIC_TILE * 4);
    if (t->a && t->b && t->c && t->d)
        return STATUS_OK;
    tiles_free(t);
    return error_set(e, STATUS_NO_MEMORY, "no memory for %zu tiles", count);
}

/* Every tile has a seed of its own, so that tile t is the same in a batch of any size. */
static void tiles_fill(struct tiles *t, size_t first, uint64_t seed)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < t->count; i++) {
        struct random r = {seed + (first + i) * 0x9e3779b97f4a7c15u};
        regime_tile(t->regime[(first + i) % t->regimes], &r, ARITHMETIC_M, ARITHMETIC_N,
                    (struct bf16 *)(t->a + i * A_TILE), (struct bf16 *)(t->b + i * B_TILE), t->c + i * ARITHMETIC_TILE);
    }
}

/* One output of one tile. */
struct output {
    const struct bf16 *a, *b;
    float c, found;
    int regime;
};

static struct output tiles_output(const struct tiles *t, size_t first, size_t i)
{
    size_t tile = i / ARITHMETIC_TILE, row = i % ARITHMETIC_TILE / ARITHMETIC_N, column = i % ARITHMETIC_N;
    return (struct output){(const struct bf16 *)(t->a + tile * A_TILE + row * REGIME_TERMS),
                           (const struct bf16 *)(t->b + tile * B_TILE + column * REGIME_TERMS), f32_from_bits(t->c[i]),
                           f32_from_bits(t->d[i]), t->regime[(first + tile) % t->regimes]};
}

static void describe_first(struct arithmetic_result *r, const struct output *o, float want)
{
    int used = snprintf(r->first, sizeof r->first, "%s: expected %08x, found %08x, C %08x, A*B", regime_name(o->regime),
                        f32_bits(want), f32_bits(o->found), f32_bits(o->c));
    for (int k = 0; k < REGIME_TERMS && used > 0 && (size_t)used < sizeof r->first; k++)
        used += snprintf(r->first + used, sizeof r->first - (size_t)used, " %04x*%04x", o->a[k].bits, o->b[k].bits);
}

static bool within_bound(const struct output *o)
{
    const struct accumulate_profile *p = &accumulate_hopper_bf16;
    struct exact sum;
    if (!isfinite(o->found) || !exact_sum(o->a, o->b, REGIME_TERMS, o->c, &sum))
        return true;
    return exact_within_step(o->a, o->b, REGIME_TERMS, o->c, o->found, p->fraction_bits, p->floor_exponent);
}

/* Compare d with the model, or with exact.h. */
static void tiles_compare(const struct tiles *t, size_t first, bool exact, struct arithmetic_result *r)
{
    const struct accumulate_profile *p = &accumulate_hopper_bf16;
    uint64_t outputs[REGIME_COUNT] = {0}, wrong[REGIME_COUNT] = {0};
    size_t lowest = SIZE_MAX;
#pragma omp parallel for schedule(static) reduction(+ : outputs, wrong) reduction(min : lowest)
    for (size_t i = 0; i < t->count * ARITHMETIC_TILE; i++) {
        struct output o = tiles_output(t, first, i);
        float want = exact ? exact_step(o.a, o.b, REGIME_TERMS, o.c, p->fraction_bits, p->floor_exponent)
                           : accumulate_bf16(p, o.a, o.b, o.c);
        bool bad = f32_bits(want) != f32_bits(o.found) || (exact && !within_bound(&o));
        outputs[o.regime]++;
        wrong[o.regime] += bad;
        if (bad && i < lowest)
            lowest = i;
    }
    if (lowest != SIZE_MAX && r->first[0] == '\0') {
        struct output o = tiles_output(t, first, lowest);
        describe_first(r, &o,
                       exact ? exact_step(o.a, o.b, REGIME_TERMS, o.c, p->fraction_bits, p->floor_exponent)
                             : accumulate_bf16(p, o.a, o.b, o.c));
    }
    for (int regime = 0; regime < REGIME_COUNT; regime++) {
        r->outputs[regime] += outputs[regime];
        r->outputs_all += outputs[regime];
        r->mismatches[regime] += wrong[regime];
        r->mismatches_all += wrong[regime];
    }
}

static enum status compare_batches(const struct machine *m, bool exact, uint64_t outputs, uint64_t seed,
                                   struct arithmetic_result *r, struct error *e)
{
    struct arithmetic_result result = {.first = ""};
    const uint64_t round = ARITHMETIC_TILE * REGIME_COUNT;
    size_t rounds = (size_t)(outputs / round + (outputs % round != 0));
    size_t total = rounds * REGIME_COUNT;
    enum status s = STATUS_OK;
    for (size_t first = 0; s == STATUS_OK && first < total; first += BATCH) {
        struct tiles t;
        s = tiles_make(total - first < BATCH ? total - first : BATCH, &t, e);
        if (s != STATUS_OK)
            break;
        tiles_fill(&t, first, seed);
        s = m->arithmetic(t.count, t.a, t.b, t.c, t.d, e);
        if (s == STATUS_OK)
            tiles_compare(&t, first, exact, &result);
        tiles_free(&t);
    }
    if (s == STATUS_OK)
        *r = result;
    return s;
}

enum status arithmetic_compare(const struct machine *m, uint64_t outputs, uint64_t seed, struct arithmetic_result *r,
                               struct error *e)
{
    return compare_batches(m, false, outputs, seed, r, e);
}

enum status arithmetic_exact(uint64_t outputs, uint64_t seed, struct arithmetic_result *r, struct error *e)
{
    struct machine model;
    machine_model(&model);
    return compare_batches(&model, true, outputs, seed, r, e);
}

/* ---- captures --------------------------------------------------------------------------------------------------- */

struct part {
    const char *name;
    enum npy_type type;
    size_t shape[3];
};
static const struct part parts[] = {{"a.npy", NPY_U2, {0, ARITHMETIC_M, REGIME_TERMS}},
                                    {"b.npy", NPY_U2, {0, ARITHMETIC_N, REGIME_TERMS}},
                                    {"c.npy", NPY_U4, {0, ARITHMETIC_M, ARITHMETIC_N}},
                                    {"d.npy", NPY_U4, {0, ARITHMETIC_M, ARITHMETIC_N}}};
enum { PARTS = sizeof parts / sizeof *parts };
static const char operation[] = "wgmma.m64n8k16.f32.bf16.bf16.rs";

static enum status capture_write(const struct machine *m, const struct tiles *t, uint64_t seed, const char *folder,
                                 struct error *e)
{
    const void *data[PARTS] = {t->a, t->b, t->c, t->d};
    char path[PATH_MAX];
    enum status s = file_make_folder(folder, e);
    for (size_t i = 0; s == STATUS_OK && i < PARTS; i++) {
        size_t shape[3] = {t->count, parts[i].shape[1], parts[i].shape[2]};
        s = file_path(folder, parts[i].name, path, e);
        if (s == STATUS_OK)
            s = npy_write(path, parts[i].type, 3, shape, data[i], e);
    }
    if (s == STATUS_OK)
        s = file_path(folder, "capture.json", path, e);
    if (s != STATUS_OK)
        return s;
    json_t *regimes = json_array();
    for (int i = 0; i < REGIME_COUNT; i++)
        json_array_append_new(regimes, json_string(regime_name(i)));
    json_t *j =
        json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "schema", "fragoracle.capture/1", "op", operation, "tiles",
                  (json_int_t)t->count, "seed", (json_int_t)seed, "regimes", regimes, "provenance", json_of_machine(m));
    s = json_write(path, j, e);
    json_decref(j);
    return s;
}

enum status arithmetic_capture(const struct machine *m, size_t tiles, uint64_t seed, const char *folder,
                               struct error *e)
{
    struct tiles t;
    enum status s = tiles_make(tiles * REGIME_COUNT, &t, e);
    if (s != STATUS_OK)
        return s;
    tiles_fill(&t, 0, seed);
    s = m->arithmetic(t.count, t.a, t.b, t.c, t.d, e);
    if (s == STATUS_OK)
        s = capture_write(m, &t, seed, folder, e);
    tiles_free(&t);
    return s;
}

/* The regimes that a capture names; one that was made before a regime was added stays readable. */
static enum status capture_regimes(const json_t *document, struct tiles *t, struct error *e)
{
    const json_t *names = json_object_get(document, "regimes");
    t->regimes = json_array_size(names);
    bool known = t->regimes > 0 && t->regimes <= REGIME_COUNT;
    for (size_t i = 0; known && i < t->regimes; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int regime = 0;
        while (name && regime < REGIME_COUNT && strcmp(name, regime_name(regime)) != 0)
            regime++;
        known = name && regime < REGIME_COUNT;
        t->regime[i] = regime;
    }
    if (known)
        return STATUS_OK;
    error_set(e, STATUS_BAD_INPUT, "is not a list of regimes that this program knows");
    return error_at_field(e, "regimes"), STATUS_BAD_INPUT;
}

/* A capture of something else would be judged by the wrong rule. */
static enum status capture_describes(const json_t *document, struct tiles *t, struct error *e)
{
    const char *op = json_string_value(json_object_get(document, "op"));
    const json_t *count = json_object_get(document, "tiles");
    if (!op || strcmp(op, operation) != 0) {
        error_set(e, STATUS_BAD_INPUT, "\"%.60s\" is not %s", op ? op : "", operation);
        return error_at_field(e, "op"), STATUS_BAD_INPUT;
    }
    if (!json_is_integer(count) || json_integer_value(count) != (json_int_t)t->count || t->count == 0) {
        error_set(e, STATUS_BAD_INPUT, "says something else than the %zu tiles of the arrays", t->count);
        return error_at_field(e, "tiles"), STATUS_BAD_INPUT;
    }
    return capture_regimes(document, t, e);
}

enum status arithmetic_replay(const char *folder, struct arithmetic_result *r, json_t **provenance, struct error *e)
{
    struct arithmetic_result result = {.first = ""};
    struct npy array[PARTS] = {{0}};
    struct tiles t = {0};
    json_t *document = NULL;
    char path[PATH_MAX];
    size_t count = 0;
    enum status s = file_path(folder, "capture.json", path, e);
    if (s == STATUS_OK)
        s = json_read(path, "fragoracle.capture/1", &document, e);
    for (size_t i = 0; s == STATUS_OK && i < PARTS; i++) {
        size_t shape[3] = {count, parts[i].shape[1], parts[i].shape[2]};
        s = file_path(folder, parts[i].name, path, e);
        if (s == STATUS_OK)
            s = npy_read(path, &array[i], e);
        if (s == STATUS_OK)
            s = npy_expect(&array[i], path, parts[i].type, 3, shape, e);
        if (s == STATUS_OK)
            count = array[i].shape[0];
    }
    if (s == STATUS_OK) {
        t.count = count;
        t.a = array[0].data, t.b = array[1].data, t.c = array[2].data, t.d = array[3].data;
        s = capture_describes(document, &t, e);
        if (s != STATUS_OK) {
            file_path(folder, "capture.json", path, NULL);
            error_at_path(e, path);
        }
    }
    if (s == STATUS_OK) {
        tiles_compare(&t, 0, false, &result);
        *r = result;
        if (provenance)
            *provenance = json_incref(json_object_get(document, "provenance"));
    }
    for (size_t i = 0; i < PARTS; i++)
        npy_free(&array[i]);
    json_decref(document);
    return s;
}

json_t *json_of_arithmetic(const struct arithmetic_result *r)
{
    json_t *regimes = json_object();
    for (int i = 0; i < REGIME_COUNT; i++)
        json_object_set_new(
            regimes, regime_name(i),
            json_pack("{s:I, s:I}", "outputs", (json_int_t)r->outputs[i], "mismatches", (json_int_t)r->mismatches[i]));
    return json_pack("{s:I, s:I, s:o, s:s}", "outputs", (json_int_t)r->outputs_all, "mismatches",
                     (json_int_t)r->mismatches_all, "regimes", regimes, "first", r->first);
}
