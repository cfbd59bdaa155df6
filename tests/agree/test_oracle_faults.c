/* Faults of an oracle: what judges a subject must notice whatever is wrong with it, however little. The production
 * kernel on the model is spoilt in one way at a time, as a wrapper around its executor, and every judge that meets it
 * has to say so; unspoilt, none may. tests/README.md lists which fault of an oracle is held where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/stages.h"
#include "probes/identity.h"
#include "probes/weights.h"
#include "reference/number.h"

enum spoil {
    NOTHING,
    ONE_ULP,     /* of one output of one launch */
    ONE_NAN,     /* one output that should be finite */
    NAN_TO_ZERO, /* one output that should be NaN is 0: what a check for finite numbers takes for right */
    WGMMA_LESS,  /* another kernel ran, or this one did not do its work */
    WGMMA_MORE,
    SPOILS
};
static const char *const spoils[SPOILS] = {"nothing",     "one ulp",         "one NaN",
                                           "NaN to zero", "a wgmma too few", "a wgmma too many"};

static struct {
    enum spoil spoil;
    uint64_t launch; /* which launch is spoilt, counted over all subjects */
    uint64_t launches;
    bool done;
    struct machine model;
} world;

struct wrapper {
    struct executor inner;
    size_t N;
};

static enum status wrapper_load(void *self, const struct weights *w, struct error *e)
{
    struct wrapper *s = self;
    s->N = w->N;
    return s->inner.load(s->inner.self, w, e);
}

static bool spoil_one(struct bf16 *out)
{
    bool nan = bf16_is_nan(*out), finite = !nan && (out->bits & 0x7f80) != 0x7f80;
    if (world.spoil == ONE_ULP && finite)
        out->bits ^= 1;
    else if (world.spoil == ONE_NAN && finite)
        out->bits = BF16_NAN;
    else if (world.spoil == NAN_TO_ZERO && nan)
        out->bits = 0;
    else
        return false;
    return true;
}

static enum status wrapper_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                               struct bf16 *out, struct run_report *report, struct error *e)
{
    struct wrapper *w = self;
    enum status status = w->inner.run(w->inner.self, x, s, poison, out, report, e);
    if (world.launches++ != world.launch || status != STATUS_OK)
        return status;
    report->wgmma -= world.spoil == WGMMA_LESS;
    report->wgmma += world.spoil == WGMMA_MORE;
    world.done = world.spoil == WGMMA_LESS || world.spoil == WGMMA_MORE;
    /* From the end: the corner that a tail would lose. */
    for (size_t i = s->rows * w->N; i-- > 0 && !world.done;)
        world.done = spoil_one(&out[i]);
    return status;
}

static void wrapper_release(void *self)
{
    struct wrapper *w = self;
    w->inner.release(w->inner.self);
    free(w);
}

static enum status spoilt_subject(const struct subject *subject, struct executor *out, struct error *e)
{
    struct wrapper *w = calloc(1, sizeof *w);
    assert_non_null(w);
    enum status s = world.model.subject(subject, &w->inner, e);
    assert_int_equal(s, STATUS_OK);
    *out = w->inner;
    out->self = w;
    out->load = wrapper_load;
    out->run = wrapper_run;
    out->release = wrapper_release;
    return s;
}

static void spoil(enum spoil what, uint64_t launch)
{
    world.spoil = what;
    world.launch = launch;
    world.launches = 0;
    world.done = false;
    machine_model(&world.model);
}

static struct stage_result run_stage(size_t index, const char *subject)
{
    struct fo_check_options options = {.seed = 1};
    struct check c = {.options = &options, .seed = 1};
    struct stage_result r = {.detail = ""};
    struct error e;
    c.machine = world.model;
    c.machine.subject = spoilt_subject;
    c.subject = subject;
    if (check_stages[index].run(&c, &r, &e) != STATUS_OK)
        fail_msg("%s: %s", check_stages[index].name, e.why);
    return r;
}

static size_t stage_named(const char *name)
{
    for (size_t i = 0; i < STAGE_COUNT; i++)
        if (strcmp(check_stages[i].name, name) == 0)
            return i;
    fail_msg("no stage %s", name);
    return 0;
}

/* O2, O3, O4: in every launch of the stages that compare with the independent product. */
static void stages_find_whatever_is_wrong_in_any_launch(void **state)
{
    static const char *const names[] = {"routing", "product"};
    uint32_t found = 0;
    (void)state;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t index = stage_named(names[n]);
        spoil(NOTHING, 0);
        assert_int_equal(run_stage(index, "rs").verdict, FO_CONFORMS);
        uint64_t launches = world.launches;
        assert_true(launches >= 4);
        for (int what = ONE_ULP; what < SPOILS; what++)
            for (uint64_t launch = 0; launch < launches; launch++) {
                /* a run of the product stage costs seconds; no NaN is due in either */
                bool product = strcmp(names[n], "product") == 0;
                bool asked = what == ONE_ULP ? launch + 1 == launches : what == WGMMA_LESS && launch == 0;
                if (what == NAN_TO_ZERO || (product && !asked))
                    continue;
                spoil((enum spoil)what, launch);
                struct stage_result r = run_stage(index, "rs");
                if (!world.done)
                    fail_msg("%s: launch %d cannot be spoilt by %s", names[n], (int)launch, spoils[what]);
                if (r.verdict != FO_DIFFERS || r.detail[0] == '\0')
                    fail_msg("%s: launch %d with %s passes", names[n], (int)launch, spoils[what]);
                found++;
            }
    }
    assert_true(found > 30);
}

/* O2, O3, O4: in every launch of the probe, that of NaN and Inf included. */
static void identity_finds_whatever_is_wrong_in_any_launch(void **state)
{
    struct identity_options o = {.P = 20, .pass = -1, .seed = 3};
    struct weights_set w;
    struct identity_result result;
    struct subject rs;
    struct executor x;
    struct error e;
    uint32_t found[SPOILS] = {0};
    (void)state;
    assert_int_equal(weights_make(WEIGHTS_ADVERSARIAL, 7, 16, 64, 1, &w, &e), STATUS_OK);
    assert_int_equal(subject_parse("rs", &rs, &e), STATUS_OK);
    uint64_t launches = 1;
    for (int what = NOTHING; what < SPOILS; what++)
        for (uint64_t launch = 0; launch < (what == NOTHING ? 1 : launches); launch++) {
            spoil((enum spoil)what, launch);
            assert_int_equal(spoilt_subject(&rs, &x, &e), STATUS_OK);
            assert_int_equal(identity_run(&x, &w.w, &o, &result, &e), STATUS_OK);
            launches = world.launches;
            if (identity_conforms(&result) == world.done)
                fail_msg("launch %d with %s %s", (int)launch, spoils[what], world.done ? "passes" : "is blamed");
            found[what] += world.done;
            identity_result_free(&result);
            x.release(x.self);
        }
    weights_free(&w);
    assert_true(launches > 10);
    for (int what = ONE_ULP; what < SPOILS; what++)
        if (what == NAN_TO_ZERO ? found[what] == 0 : found[what] != launches)
            fail_msg("%s was planted in %d of %d launches", spoils[what], (int)found[what], (int)launches);
}

/* O1: no judge is content with one K tile, whatever the weights. */
static void every_weights_kind_and_stage_finds_scales_relative_to_the_tile(void **state)
{
    static const char *const kinds[] = {"sample", "random", "adversarial"};
    static const char *const stages[] = {"identity", "routing", "product"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct fo_probe_options o = {
            .kind = "identity", .subject = "rs+F07", .weights.kind = kinds[i], .pass = -1, .on = "model"};
        struct fo_answer answer;
        struct fo_error error;
        assert_int_equal(fo_probe(&o, &answer, &error), 0);
        if (answer.verdict != FO_DIFFERS)
            fail_msg("%s weights: F07 is not found", kinds[i]);
        fo_answer_free(&answer);
    }
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        spoil(NOTHING, 0);
        struct stage_result r = run_stage(stage_named(stages[i]), "rs+F07");
        if (r.verdict != FO_DIFFERS)
            fail_msg("stage %s: F07 is not found", stages[i]);
    }
}

/* O2: the report names the kernel that ran: that of production only where it is the one. */
static void report_names_the_kernel_that_ran(void **state)
{
    static const struct {
        const char *subject, *kernel;
    } cases[] = {{"rs", "rs_gemm_kernel "}, {"rs+none", "rs_gemm_planted_kernel "}, {"rs+F02", "rs_gemm_planted_k"}};
    const uint32_t starts[] = {0};
    const int32_t ids[] = {0};
    const struct rs_shape shape = {.P = 1, .N = 64, .K = 64, .experts = 1, .active = 0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct subject s;
        struct error e;
        assert_int_equal(subject_parse(cases[i].subject, &s, &e), STATUS_OK);
        struct run_report r = machine_report(&s, &shape, starts, ids);
        assert_memory_equal(r.kernel, cases[i].kernel, strlen(cases[i].kernel));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_find_whatever_is_wrong_in_any_launch),
        cmocka_unit_test(identity_finds_whatever_is_wrong_in_any_launch),
        cmocka_unit_test(every_weights_kind_and_stage_finds_scales_relative_to_the_tile),
        cmocka_unit_test(report_names_the_kernel_that_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
