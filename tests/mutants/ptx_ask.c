#include "tests/mutants/ptx_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/module.h"
#include "probes/explain_coded.h"
#include "probes/weights.h"
#include "reference/number.h"

/* An executor that remembers all that came out of another one. */
struct listener {
    struct executor of;
    size_t N;
    uint64_t outputs;
};

static enum status listener_load(void *self, const struct weights *w, struct error *e)
{
    struct listener *l = self;
    l->N = w->N;
    return l->of.load(l->of.self, w, e);
}

static enum status listener_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                                struct bf16 *out, struct run_report *report, struct error *e)
{
    struct listener *l = self;
    enum status status = l->of.run(l->of.self, x, s, poison, out, report, e);
    for (size_t i = 0; status == STATUS_OK && i < s->rows * l->N; i++) {
        l->outputs = (l->outputs ^ out[i].bits) * 0x9e3779b97f4a7c15u;
        l->outputs ^= l->outputs >> 32;
    }
    return status;
}

static struct executor listen(struct listener *l)
{
    struct executor x = l->of;
    x.self = l;
    x.load = listener_load;
    x.run = listener_run;
    return x;
}

/* One product of weights and activations that no code was made for. */
static enum status random_product(const struct executor *x, const struct source_map *m, struct error *e)
{
    const struct bf16 poison = {0x7fa5};
    struct weights_set w = {0};
    struct run_report report;
    struct random r = {77};
    struct bf16 *in = malloc(m->P * m->K * sizeof *in), *out = malloc(m->P * m->N * sizeof *out);
    enum status s = in && out ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for a product");
    if (s == STATUS_OK)
        s = weights_make(WEIGHTS_RANDOM, m->experts, m->N, m->K, 78, &w, e);
    for (size_t i = 0; s == STATUS_OK && i < m->P * m->K; i++)
        in[i] = bf16_encode((float)(random_unit(&r) * 2 - 1));
    for (size_t i = 0; s == STATUS_OK && i < m->P * m->K; i++)
        in[i].bits &= 0xffe0; /* f16 has it, too */
    for (size_t i = 0; s == STATUS_OK && x->limits.no_scales && i < m->experts * m->N * m->blocks; i++)
        w.scales[i] = 127;
    if (s == STATUS_OK)
        s = x->load(x->self, &w.w, e);
    if (s == STATUS_OK)
        s = x->run(x->self, in, &m->segments, poison, out, &report, e);
    weights_free(&w);
    free(in);
    free(out);
    return s;
}

/* The codes and the random product; l->outputs is what came out. */
static enum status ask_outputs(struct listener *l, const struct coded_options *shape, struct coded_result *r,
                               struct error *e)
{
    struct executor x = listen(l);
    enum status s = coded_run(&x, shape, r, e);
    if (s != STATUS_OK)
        return s;
    s = random_product(&x, &r->map, e);
    if (s != STATUS_OK)
        coded_result_free(r);
    return s;
}

enum status ptx_ask_base(const char *path, struct ptx_base *base, struct error *e)
{
    struct listener l = {0};
    struct coded_result r;
    enum status s = module_subject_open(path, true, &l.of, e);
    if (s != STATUS_OK)
        return s;
    s = ask_outputs(&l, &base->shape, &r, e);
    if (s == STATUS_OK) {
        if (!coded_conforms(&r))
            s = error_set(e, STATUS_SUBJECT, "the kernel itself does not conform at this shape");
        if (s == STATUS_OK)
            s = ptx_watch_launch(&l.of, &r.map, 1, &base->watch, e);
        if (s == STATUS_OK)
            s = ptx_watch_roles(&l.of, &r.map, 1, &base->roles, e);
        base->outputs = l.outputs;
        snprintf(base->note, sizeof base->note, "%s", l.of.note);
        coded_result_free(&r);
    }
    l.of.release(l.of.self);
    return s;
}

static void explain(const struct coded_result *r, bool no_scales, struct ptx_asked *out)
{
    struct explanation x;
    struct explain_question q = explain_coded_question(r, no_scales, EXPLAIN_A_UNKNOWN);
    if (explain_run(&q, &x, NULL) != STATUS_OK) {
        out->fate = PTX_TROUBLE;
        return;
    }
    out->wrong = x.wrong, out->explained = x.explained;
    out->sums_asked = x.sums_asked, out->sums_predicted = x.sums_predicted;
    for (int s = 0; s < EXPLAIN_STAGES; s++) {
        const struct explain_part *p = &x.part[s];
        if (p->state != EXPLAIN_DIFFERS && p->state != EXPLAIN_UNDECIDED)
            continue;
        /* Sums are undecided as soon as factors are wrong: that names nothing. */
        if (s == EXPLAIN_ARITHMETIC && p->state == EXPLAIN_UNDECIDED && x.sums_asked == 0)
            continue;
        out->stages |= 1u << s;
        out->also |= p->also;
        if (p->ambiguous >= 0)
            out->also |= 1u << p->ambiguous;
    }
    if (getenv("PTX_MUTANTS_TELL"))
        for (int s = 0; s < EXPLAIN_STAGES; s++)
            fprintf(stderr, "  %-10s %s wrong %zu explained %zu ambiguous %d also %x: %s; found %s; wanted %s\n",
                    explain_stage_name((enum explain_stage)s), explain_state_name(x.part[s].state), x.part[s].wrong,
                    x.part[s].explained, x.part[s].ambiguous, x.part[s].also, x.part[s].what, x.part[s].found,
                    x.part[s].wanted);
    explanation_free(&x);
}

/* A scale of the map that is known and yet a factor: then factors are not only those that were counted. */
static bool factors_agree(const struct coded_result *r, const struct ptx_random *found)
{
    for (size_t i = 0; i < source_map_observations(&r->map); i++)
        if (r->map.value[i] < SOURCE_CODES && (r->map.row[i] >= SOURCE_CODES || r->map.scale[i] >= SOURCE_CODES))
            return true;
    return found->scaled <= r->scaled && r->scaled <= found->scaled + found->blank;
}

static void judge(const struct listener *l, const struct coded_result *r, const struct ptx_base *base,
                  struct ptx_asked *out)
{
    struct ptx_watch watch;
    out->fate = PTX_COUNTED;
    out->noticed = !coded_conforms(r);
    explain(r, l->of.limits.no_scales, out);
    if (ptx_random_check(&l->of, &r->map, base->shape.seed + 1, &out->map, NULL) != STATUS_OK ||
        ptx_watch_launch(&l->of, &r->map, 1, &watch, NULL) != STATUS_OK) {
        out->fate = PTX_TROUBLE;
        return;
    }
    out->map_right = out->map.wrong == 0 && out->map.single == 0 && factors_agree(r, &out->map);
    out->truth = ptx_watch_truth(&base->watch, &watch, &base->roles);
}

static enum ptx_fate fate_of(enum status s, const char *why)
{
    if (s == STATUS_SUBJECT)
        return strstr(why, " steps") ? PTX_HANGS : PTX_BREAKS;
    return s == STATUS_UNSUPPORTED || s == STATUS_BAD_INPUT ? PTX_UNREAD : PTX_TROUBLE;
}

void ptx_ask_mutant(const char *path, const struct ptx_base *base, struct ptx_asked *out)
{
    struct listener l = {0};
    struct coded_result r;
    struct error e = {0};
    enum status s = module_subject_open(path, true, &l.of, &e);
    *out = (struct ptx_asked){.fate = PTX_TROUBLE};
    if (s != STATUS_OK) {
        out->fate = fate_of(s, e.why);
        snprintf(out->why, sizeof out->why, "%s", e.why);
        return;
    }
    s = ask_outputs(&l, &base->shape, &r, &e);
    out->noted = strcmp(l.of.note, base->note) != 0;
    if (s != STATUS_OK) {
        out->fate = fate_of(s, e.why);
        snprintf(out->why, sizeof out->why, "%s", e.why);
    } else {
        if (l.outputs == base->outputs)
            out->fate = PTX_EQUAL;
        else
            judge(&l, &r, base, out);
        coded_result_free(&r);
    }
    l.of.release(l.of.self);
}
