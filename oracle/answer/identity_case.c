#include "oracle/answer/identity_case.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t default_shape[] = {80, 208, 192}, historical_shape[] = {32, 128, 128};

static enum status check_pass(const struct identity_options *o, size_t K, struct error *e)
{
    size_t passes = identity_passes(o, K);
    if (o->pass < -1 || (o->pass >= 0 && (uint64_t)o->pass >= passes))
        return error_set(e, STATUS_BAD_ARGUMENT, "there is no pass %" PRId64 ", only 0 to %zu", o->pass, passes - 1);
    return STATUS_OK;
}

void identity_case_shape(int historical, uint64_t *P, uint64_t *N, uint64_t *K)
{
    const uint64_t *shape = historical ? historical_shape : default_shape;
    if (!*P && !*N && !*K)
        *P = shape[0], *N = shape[1], *K = shape[2];
}

enum status identity_case_make(uint64_t P, uint64_t N, uint64_t K, const struct fo_weights_options *weights,
                               int historical, int64_t pass, struct identity_case *out, struct error *e)
{
    identity_case_shape(historical, &P, &N, &K);
    /* The contract holds row numbers in u32 and expert ids in i32. */
    if (!P || !N || !K || P > INT32_MAX || N > INT32_MAX || K > INT32_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "shape %" PRIu64 ",%" PRIu64 ",%" PRIu64 ": wanted 1 to %d each", P, N,
                         K, INT32_MAX);
    if (historical && P > K)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "the historical case has x[p][p] = 1: P = %" PRIu64 " may not exceed K = %" PRIu64, P, K);
    if (weights->seed > INT64_MAX)
        return error_set(e, STATUS_BAD_ARGUMENT, "seed %" PRIu64 ": JSON holds numbers to 2^63 - 1", weights->seed);
    struct identity_case c = {.asked = *weights,
                              .options = {.P = P, .historical = historical, .pass = pass, .seed = weights->seed}};
    enum status s = check_pass(&c.options, K, e);
    if (s == STATUS_OK)
        s = chosen_weights_make(weights, N, K, &c.weights, e);
    if (s != STATUS_OK)
        return s;
    if (historical)
        c.weights.w.experts = 1;
    *out = c;
    return STATUS_OK;
}

void identity_case_free(struct identity_case *c)
{
    chosen_weights_free(&c->weights);
    memset(c, 0, sizeof *c);
}

bool identity_case_no_special(const struct executor_limits *limits)
{
    return limits->no_scales || limits->no_codes;
}

void identity_case_adapt(struct identity_case *c, const struct executor_limits *limits, char note[ADAPT_NOTE])
{
    c->options.no_special = identity_case_no_special(limits);
    adapt_weights(limits, &c->weights.w, c->weights.blocks, c->weights.scales, note);
    if (c->options.no_special && !c->options.historical)
        snprintf(note + strlen(note), ADAPT_NOTE - strlen(note), "; the special pass");
}

void text_add_word(struct text *t, const char *word)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./,:@%";
    if (*word && word[strspn(word, safe)] == '\0') {
        text_add(t, "%s", word);
        return;
    }
    text_add(t, "'");
    for (; *word; word++)
        text_add(t, *word == '\'' ? "'\\''" : "%c", *word);
    text_add(t, "'");
}

void identity_case_options(const struct identity_case *c, struct text *t)
{
    text_add(t, " --shape %zu,%zu,%zu --weights ", c->options.P, c->weights.w.N, c->weights.w.K);
    text_add_word(t, c->asked.kind ? c->asked.kind : "sample");
    if (c->asked.tensor) {
        text_add(t, " --tensor ");
        text_add_word(t, c->asked.tensor);
    }
    if (c->asked.expert)
        text_add(t, " --expert %" PRIu64, c->asked.expert);
    text_add(t, " --seed %" PRIu64, c->asked.seed);
    if (c->options.historical)
        text_add(t, " --historical");
}
