/* What explain says of observations that are no formula, by what moved together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/probes/explain_cases.h"

enum { P = 128, N = 48, K = 64 }; /* two tiles: what one of them alone does is no formula */
static const uint32_t starts[] = {0, P};
static const int32_t ids[] = {0};
static const struct segments single = {P, 1, 1, starts, ids};

/* Output (p, n) shows what (p1, n1) should; columns from `from` on. */
static void show(struct source_map *m, uint32_t p, uint32_t n, uint32_t p1, uint32_t n1, uint32_t from)
{
    for (size_t s = 0; s < m->sweeps; s++) {
        size_t i = source_map_at(m, s, p, n);
        if (m->column[s * m->P + p1] < from)
            continue;
        m->value[i] = source_wanted_value(m, s, p1, n1);
        m->scale[i] = source_wanted_scale(m, s, p1, n1);
        m->row[i] = source_wanted_row(m, s, p1, n1);
    }
}

struct outputs_case {
    const char *name;
    uint32_t at[2], to[2]; /* outputs */
    bool both;             /* each shows the other */
    uint32_t from;         /* column */
    enum explain_registers a;
    enum explain_stage stage;
    int ambiguous;
    unsigned also;
};

static unsigned named(const struct explanation *x)
{
    unsigned stages = 0;
    for (int g = 0; g < EXPLAIN_STAGES; g++)
        stages |= (unsigned)(x->part[g].wrong > 0) << g;
    return stages;
}

static void explain_run_output_of_another_stage_by_what_moved(void **state)
{
    (void)state;
#define IS(stage) (1u << EXPLAIN_##stage)
    static const struct outputs_case cases[] = {
        {"exchanged features",
         {5, 3},
         {5, 11},
         true,
         0,
         EXPLAIN_A_UNKNOWN,
         EXPLAIN_EPILOGUE,
         EXPLAIN_FRAGMENT,
         IS(FRAGMENT)},
        {"exchanged features, A right", {5, 3}, {5, 11}, true, 0, EXPLAIN_A_RIGHT, EXPLAIN_EPILOGUE, -1, 0},
        {"exchanged features, A wrong", {5, 3}, {5, 11}, true, 0, EXPLAIN_A_WRONG, EXPLAIN_FRAGMENT, -1, 0},
        {"exchanged rows",
         {5, 3},
         {13, 3},
         true,
         0,
         EXPLAIN_A_UNKNOWN,
         EXPLAIN_EPILOGUE,
         EXPLAIN_DESCRIPTOR,
         IS(DESCRIPTOR) | IS(ROUTING)},
        {"found twice", {5, 3}, {5, 11}, false, 0, EXPLAIN_A_UNKNOWN, EXPLAIN_FRAGMENT, EXPLAIN_EPILOGUE, IS(EPILOGUE)},
        {"for some columns",
         {5, 3},
         {5, 11},
         true,
         32,
         EXPLAIN_A_UNKNOWN,
         EXPLAIN_FRAGMENT,
         EXPLAIN_EPILOGUE,
         IS(EPILOGUE)},
    };
    size_t ran = 0;
    for (; ran < sizeof cases / sizeof *cases; ran++) {
        const struct outputs_case *c = &cases[ran];
        struct source_map m;
        struct explanation x;
        case_make(&(struct synthetic_kernel){0}, &single, N, K, &m);
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t p = 16 * i * (1 + i), n = 17 * i;
            show(&m, c->at[0] + p, c->at[1] + n, c->to[0] + p, c->to[1] + n, c->from);
            if (c->both)
                show(&m, c->to[0] + p, c->to[1] + n, c->at[0] + p, c->at[1] + n, c->from);
        }
        struct explain_question q = case_question(&m);
        q.registers = c->a;
        assert_int_equal(explain_run(&q, &x, NULL), STATUS_OK);
        const struct explain_part *p = &x.part[c->stage];
        if (named(&x) != 1u << c->stage || p->state != EXPLAIN_UNDECIDED || p->ambiguous != c->ambiguous ||
            p->also != c->also) {
            case_print(c->name, &x);
            fail_msg("%s: ambiguous %d, also %x", c->name, p->ambiguous, p->also);
        }
        assert_int_equal(x.wrong, case_wrong(&m));
        assert_int_equal(p->wrong, x.wrong);
        explanation_free(&x);
        source_map_free(&m);
    }
    assert_true(ran > 0);
#undef IS
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_run_output_of_another_stage_by_what_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
