#include "tests/mutants/ptx_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probes/weights.h"
#include "reference/number.h"
#include "reference/mxfp4.h"

/* Few planes tell a wrong source by the number of observations; a mixture has to be told from all sources by itself:
 * of 2^25 sources and rows none is met by chance in 12 planes of about 5 bits. */
enum { FEW = 4, MANY = 12 };
static const struct bf16 poison = {0x7fb3};

struct session {
    const struct executor *subject;
    const struct source_map *m;
    size_t planes, elements, scales, outputs;
    struct weights w;
    uint8_t *blocks, *scale_bytes; /* of one plane */
    float *code, *scale, *factor;  /* [planes][...] */
    struct bf16 *x, *out;          /* [P][K]; [planes][sweeps][P][N] */
    uint32_t *table;               /* of elements, by what they are in all planes; element + 1 */
    size_t mask;
};

static enum status session_make(struct session *s, struct error *e)
{
    const struct source_map *m = s->m;
    size_t table = 1;
    s->scales = m->experts * m->N * m->blocks;
    s->elements = s->scales * MXFP4_BLOCK;
    s->outputs = source_map_observations(m);
    while (table < 2 * s->elements)
        table *= 2;
    s->mask = table - 1;
    s->blocks = malloc(s->scales * MXFP4_BLOCK_BYTES);
    s->scale_bytes = malloc(s->scales);
    s->code = malloc(s->planes * s->elements * sizeof *s->code);
    s->scale = malloc(s->planes * s->scales * sizeof *s->scale);
    s->factor = malloc(s->planes * m->P * sizeof *s->factor);
    s->x = calloc(m->P * m->K, sizeof *s->x);
    s->out = malloc(s->planes * s->outputs * sizeof *s->out);
    s->table = calloc(table, sizeof *s->table);
    s->w = (struct weights){m->experts, m->N, m->K, s->blocks, s->scale_bytes};
    return s->blocks && s->scale_bytes && s->code && s->scale && s->factor && s->x && s->out && s->table
               ? STATUS_OK
               : error_set(e, STATUS_NO_MEMORY, "no memory for random planes");
}

static void session_free(struct session *s)
{
    free(s->blocks);
    free(s->scale_bytes);
    free(s->code);
    free(s->scale);
    free(s->factor);
    free(s->x);
    free(s->out);
    free(s->table);
}

static uint8_t random_code(const struct executor *subject, struct random *r)
{
    uint32_t code;
    do
        code = random_below(r, 16);
    while (subject->limits.no_codes >> code & 1);
    return (uint8_t)code;
}

/* Products of these have six significant bits: exact in every type. */
static void fill(struct session *s, size_t plane, struct random *r)
{
    float *code = s->code + plane * s->elements, *scale = s->scale + plane * s->scales;
    for (size_t i = 0; i < s->elements; i++) {
        struct fp4 c = {random_code(s->subject, r)};
        code[i] = fp4_decode(c);
        s->blocks[i / 2] = (uint8_t)(i % 2 ? s->blocks[i / 2] | c.bits << 4 : c.bits);
    }
    for (size_t i = 0; i < s->scales; i++) {
        int exponent = s->subject->limits.no_scales ? 0 : (int)random_below(r, 17) - 8;
        scale[i] = ldexpf(1, exponent);
        s->scale_bytes[i] = (uint8_t)(E8M0_BIAS + exponent);
    }
    for (size_t p = 0; p < s->m->P; p++)
        s->factor[plane * s->m->P + p] =
            ldexpf((float)(1 + random_below(r, 15)), (int)random_below(r, 4) - 2) * (random_below(r, 2) ? 1 : -1);
}

static enum status launch(struct session *s, size_t plane, size_t sweep, struct error *e)
{
    const struct source_map *m = s->m;
    struct run_report report;
    struct bf16 *out = s->out + plane * s->outputs + sweep * m->P * m->N;
    for (size_t p = 0; p < m->P; p++)
        s->x[p * m->K + m->column[sweep * m->P + p]] = bf16_encode(s->factor[plane * m->P + p]);
    for (size_t i = 0; i < m->P * m->N; i++)
        out[i] = poison;
    enum status status = s->subject->run(s->subject->self, s->x, &m->segments, poison, out, &report, e);
    for (size_t p = 0; p < m->P; p++)
        s->x[p * m->K + m->column[sweep * m->P + p]] = (struct bf16){0};
    return status;
}

static float weight(const struct session *s, size_t plane, size_t element)
{
    return s->code[plane * s->elements + element] * s->scale[plane * s->scales + element / MXFP4_BLOCK];
}

static float output(const struct session *s, size_t plane, size_t i)
{
    return bf16_decode(s->out[plane * s->outputs + i]);
}

static size_t hash(const struct session *s, const float *value)
{
    uint64_t h = 0;
    for (size_t plane = 0; plane < s->planes; plane++) {
        float v = value[plane] + 0.0f; /* no -0 */
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        h = (h ^ bits) * 0x9e3779b97f4a7c15u;
        h ^= h >> 31;
    }
    return (size_t)h & s->mask;
}

static void make_table(struct session *s)
{
    for (size_t i = 0; i < s->elements; i++) {
        float value[MANY];
        for (size_t plane = 0; plane < s->planes; plane++)
            value[plane] = weight(s, plane, i);
        size_t at = hash(s, value);
        while (s->table[at])
            at = (at + 1) & s->mask;
        s->table[at] = (uint32_t)i + 1;
    }
}

/* Is there an element with these values? */
static bool in_table(const struct session *s, const float *value)
{
    for (size_t at = hash(s, value); s->table[at]; at = (at + 1) & s->mask) {
        bool same = true;
        for (size_t plane = 0; same && plane < s->planes; plane++)
            same = weight(s, plane, s->table[at] - 1) == value[plane];
        if (same)
            return true;
    }
    return false;
}

/* Does one weight, under its own scale, times one row give an observation in all planes? */
static bool is_single(const struct session *s, size_t i)
{
    for (size_t p = 0; p < s->m->P; p++) {
        float value[MANY];
        bool possible = true;
        for (size_t plane = 0; possible && plane < s->planes; plane++) {
            float out = output(s, plane, i), factor = s->factor[plane * s->m->P + p];
            value[plane] = out / factor;
            possible = isfinite(out) && value[plane] * factor == out;
        }
        if (possible && in_table(s, value))
            return true;
    }
    return false;
}

static bool all_zero(const struct session *s, size_t i)
{
    for (size_t plane = 0; plane < s->planes; plane++)
        if (output(s, plane, i) != 0)
            return false;
    return true;
}

static bool all_poison(const struct session *s, size_t i)
{
    for (size_t plane = 0; plane < s->planes; plane++)
        if (s->out[plane * s->outputs + i].bits != poison.bits)
            return false;
    return true;
}

/* One weight, one scale (no_scale: none of ours) and one row, perhaps times the same power of two in all planes. */
static bool as_predicted(const struct session *s, size_t i, bool no_scale, struct ptx_random *r)
{
    const struct source_map *m = s->m;
    float ratio = 0;
    int exponent;
    for (size_t plane = 0; plane < s->planes; plane++) {
        float wanted = s->code[plane * s->elements + m->value[i]] * s->factor[plane * m->P + m->row[i]];
        if (!no_scale)
            wanted *= s->scale[plane * s->scales + m->scale[i]];
        float found = output(s, plane, i);
        if (wanted == 0 && found == 0)
            continue;
        if (wanted == 0 || !isfinite(found))
            return false;
        if (ratio == 0)
            ratio = found / wanted;
        if (ratio * wanted != found)
            return false;
    }
    r->blank += ratio == 0;
    r->scaled += ratio != 0 && ratio != 1;
    return ratio == 0 || fabsf(frexpf(ratio, &exponent)) == 0.5f;
}

static void judge(const struct session *s, struct ptx_random *r)
{
    const struct source_map *m = s->m;
    for (size_t i = 0; i < s->outputs; i++) {
        bool no_scale = s->subject->limits.no_scales || m->scale[i] == SOURCE_UNKNOWN, right;
        bool single =
            m->value[i] < SOURCE_CODES && m->row[i] < SOURCE_CODES && (no_scale || m->scale[i] < SOURCE_CODES);
        if (m->value[i] == SOURCE_ZERO)
            right = all_zero(s, i);
        else if (m->value[i] == SOURCE_UNWRITTEN)
            right = all_poison(s, i);
        else if (single)
            right = as_predicted(s, i, no_scale, r);
        else {
            r->mixtures++;
            r->single += is_single(s, i);
            continue;
        }
        r->observations++;
        if (!right && r->wrong++ == 0)
            r->first_wrong = i;
    }
}

static bool has_mixtures(const struct source_map *m)
{
    for (size_t i = 0; i < source_map_observations(m); i++)
        if (m->value[i] == SOURCE_MIXTURE || m->value[i] == SOURCE_UNKNOWN || m->scale[i] == SOURCE_MIXTURE)
            return true;
    return false;
}

enum status ptx_random_check(const struct executor *subject, const struct source_map *m, uint64_t seed,
                             struct ptx_random *out, struct error *e)
{
    struct session s = {.subject = subject, .m = m, .planes = has_mixtures(m) ? MANY : FEW};
    struct random r = {seed};
    enum status status = session_make(&s, e);
    for (size_t plane = 0; status == STATUS_OK && plane < s.planes; plane++) {
        fill(&s, plane, &r);
        status = subject->load(subject->self, &s.w, e);
        for (size_t sweep = 0; status == STATUS_OK && sweep < m->sweeps; sweep++)
            status = launch(&s, plane, sweep, e);
    }
    if (status == STATUS_OK) {
        make_table(&s);
        *out = (struct ptx_random){0};
        judge(&s, out);
    }
    session_free(&s);
    return status;
}
