/* mutants: kernels that nobody planned. Each is kernels/rs_index.h with one seeded change of its text (change.c), built
 * into a model executor of its own; the coded probe asks it, probes/explain.h says what it does, and both are held
 * against trace.c, which follows the mutant's addresses and asks nothing.
 *     mutants [COUNT [FIRST_SEED]]     default 12 from seed 1; from the root of the repository
 * Not counted: what does not compile, breaks its process (divides by zero), equals the right kernel, leaves an array,
 * or writes an output twice and not alike. Counted: the map is right when every observation is what the trace says; the
 * stage is right when explain.h finds the stage of the function that was changed (or names it as the other
 * possibility). A change inside the decode mixes bits, so that no address tells where a value came from: only its stage
 * counts. Exit status: 0 when at least 95 of 100 are right in both; 1; 2 for trouble. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <omp.h>

#include "oracle/exec/model.h"
#include "probes/explain_coded.h"
#include "probes/identity.h"
#include "tests/mutants/trace.h"
#include "tests/support/scratch.h"

#ifndef FO_MUTANT_FLAGS
#error "the build says how to compile a mutant"
#endif

enum { LINE = 256, PATH = SCRATCH_PATH + 16, COMMAND = 4096, AT_ONCE = 2 };

/* Where a change is at home: a function of rs_index.h, or those of its lines that hold a text, and the stages that can
 * tell of it. First match. Several stages only where neither outputs nor the A registers can tell. */
static const struct {
    const char *function, *line;
    unsigned stages;
} homes[] = {
#define IS(stage) (1u << EXPLAIN_##stage)
    {"RS_PACK_ORDER", NULL, IS(FRAGMENT)},
    {"rs_value", NULL, IS(FRAGMENT) | IS(VALUES)}, /* a half that is shifted wrongly holds other bits */
    {"rs_find_tile", NULL, IS(ROUTING)},
    {"rs_feature", NULL, IS(FRAGMENT) | IS(EPILOGUE)}, /* of the load and of the result */
    {"rs_weight_feature", NULL, IS(FRAGMENT)},         /* value and scale move together */
    {"rs_value_byte", NULL, IS(VALUES)},
    {"rs_value_row", NULL, IS(VALUES)},
    {"rs_value_inside", NULL, IS(VALUES)},
    {"rs_scale_offset", NULL, IS(SCALES)},
    {"rs_scale_pair", NULL, IS(SCALES)},
    {"rs_scaled", NULL, IS(VALUES) | IS(SCALES)},
    {"rs_decode", "fault->pack_order", IS(FRAGMENT)},
    {"rs_decode", "uint32_t block", IS(SCALES)},
    {"rs_decode", "rs_scale_pair", IS(SCALES)},
    {"rs_decode", "rs_scaled(y", IS(VALUES) | IS(SCALES) | IS(FRAGMENT)}, /* a register, and which goes there */
    {"rs_decode", "y[", IS(VALUES) | IS(FRAGMENT)},
    {"rs_decode", NULL, IS(VALUES)},
    {"rs_x_chunk", NULL, IS(DESCRIPTOR)},
    {"rs_x_offset", NULL, IS(DESCRIPTOR) | IS(ROUTING)}, /* a row, read here and written there */
    {"rs_smem_offset", NULL, IS(DESCRIPTOR)},
    {"rs_smem_step", NULL, IS(DESCRIPTOR)},
    {"rs_acc_feature", NULL, IS(EPILOGUE)},
    {"rs_acc_token", NULL, IS(EPILOGUE)},
    {"rs_out_offset", NULL, IS(EPILOGUE) | IS(ROUTING)},
#undef IS
};

/* changed: "rs_value:194: 1 -> 0" */
static unsigned home(const char *changed)
{
    size_t length = strcspn(changed, ":");
    unsigned long number = strtoul(changed + length + 1, NULL, 10);
    char line[LINE] = "";
    FILE *f = fopen("kernels/rs_index.h", "r");
    while (f && number-- > 0 && fgets(line, sizeof line, f))
        ;
    if (f)
        fclose(f);
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++)
        if (strlen(homes[i].function) == length && strncmp(homes[i].function, changed, length) == 0 &&
            (!homes[i].line || strstr(line, homes[i].line)))
            return homes[i].stages;
    return 0;
}

enum fate { FATE_BROKEN, FATE_BREAKS, FATE_EQUAL, FATE_OUTSIDE, FATE_RACE, FATE_COUNTED, FATES };
static const char *const fates[] = {"does not compile", "breaks", "changes nothing",
                                    "leaves an array",  "races",  "counted"};

struct mutant {
    unsigned long seed;
    char change[LINE]; /* "rs_value:194: 1 -> 0" */
    enum fate fate;
    bool bits, map_right, stage_right, noticed;
    bool alone;      /* no other stage is named */
    size_t disagree; /* observations */
    unsigned stages; /* that explain.h finds */
    enum explain_registers registers;
};

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool shell(const char *format, ...)
{
    char command[COMMAND];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    return n > 0 && (size_t)n < sizeof command && system(command) == 0;
}

/* FOLDER/kernels/rs_index.h changed, FOLDER/mutant.so built on it. */
static bool build(struct mutant *m, const char *folder)
{
    char path[PATH];
    if (!shell("mkdir -p '%s/kernels' && '%s' kernels/rs_index.h '%s/kernels/rs_index.h' %lu > '%s/change'", folder,
               FO_MUTANT_CHANGE, folder, m->seed, folder))
        return false;
    snprintf(path, sizeof path, "%s/change", folder);
    FILE *f = fopen(path, "r");
    if (f && fgets(m->change, sizeof m->change, f))
        m->change[strcspn(m->change, "\n")] = '\0';
    if (f)
        fclose(f);
    return shell(
        "'%s' '-I%s' -I. %s -shared -Wl,-Bsymbolic -o '%s/mutant.so' tests/mutants/trace.c oracle/exec/model.c "
        "2>/dev/null",
        FO_MUTANT_COMPILER, folder, FO_MUTANT_FLAGS, folder);
}

/* Does the map say what the trace says? A scale from padding has no name. */
static size_t disagreement(const struct source_map *map, const struct source_map *truth)
{
    size_t count = 0;
    for (size_t i = 0; i < source_map_observations(map); i++) {
        bool padding = truth->scale[i] == SOURCE_UNKNOWN && truth->value[i] < SOURCE_CODES;
        bool scale = padding ? map->scale[i] >= SOURCE_CODES : map->scale[i] == truth->scale[i];
        count += map->value[i] != truth->value[i] || map->row[i] != truth->row[i] || !scale;
    }
    return count;
}

static bool explain(const struct coded_result *r, struct mutant *m)
{
    struct explanation x;
    struct explain_question q = explain_coded_question(r, false, m->registers);
    unsigned also = 0;
    if (explain_run(&q, &x, NULL) != STATUS_OK)
        return false;
    for (int s = 0; s < EXPLAIN_STAGES; s++)
        if (x.part[s].state == EXPLAIN_DIFFERS || x.part[s].state == EXPLAIN_UNDECIDED) {
            if (s != EXPLAIN_ARITHMETIC || x.part[s].state == EXPLAIN_DIFFERS)
                m->stages |= 1u << s;
            also |= x.part[s].also;
            if (x.part[s].ambiguous >= 0)
                also |= 1u << x.part[s].ambiguous;
        }
    m->noticed = !coded_conforms(r);
    unsigned right = home(m->change);
    m->stage_right = ((m->stages | also) & right) != 0;
    m->alone = m->stages && !(m->stages & ~right);
    explanation_free(&x);
    return true;
}

/* The A registers beside those of a clean model, on the same launches. */
static bool ask_registers(struct mutant *m, const struct executor *x, const struct source_map *like)
{
    struct executor right;
    struct subject subject;
    if (subject_parse("rs", &subject, NULL) != STATUS_OK || model_subject(&subject, &right, NULL) != STATUS_OK)
        return false;
    enum status s = explain_coded_registers(x, &right, like, m->seed, &m->registers, NULL);
    right.release(right.self);
    return s == STATUS_OK;
}

/* Is any launch of the probe one that leaves an array? The segments with bad experts are coded.h's guard. */
static enum status trace_guard(const struct source_map *truth, trace_function *trace, struct trace *t)
{
    struct source_map m;
    struct trace guard;
    uint32_t third = (uint32_t)truth->P / 3;
    uint32_t starts[] = {0, third, third + (uint32_t)(truth->P + 2) / 3, (uint32_t)truth->P};
    int32_t ids[] = {(int32_t)truth->experts - 1, (int32_t)truth->experts, -1};
    const struct segments bad = {truth->P, truth->experts, 3, starts, ids};
    enum status s = source_map_make(&bad, truth->N, truth->K, &m, NULL);
    if (s != STATUS_OK)
        return s;
    s = trace(&m, &m, &guard);
    t->outside = t->outside || (s == STATUS_OK && guard.outside);
    source_map_free(&m);
    return s;
}

/* Ask it, unless it cannot be asked. */
static bool ask(struct mutant *m, const struct executor *x, trace_function *trace)
{
    const struct coded_options o = {.P = 132, .N = 144, .K = 192, .experts = 4, .seed = m->seed};
    struct coded_result r;
    struct source_map truth = {0};
    struct trace t;
    bool done = false;
    enum status s;
    struct identity_segments segments;
    if (identity_segments_make(o.P, o.experts, 0, &segments, NULL) != STATUS_OK)
        return false;
    s = source_map_make(&segments.s, o.N, o.K, &truth, NULL);
    identity_segments_free(&segments);
    if (s == STATUS_OK)
        s = trace(&truth, &truth, &t);
    if (s == STATUS_OK)
        s = trace_guard(&truth, trace, &t);
    if (s != STATUS_OK)
        return false;
    m->bits = t.bits;
    m->fate = t.outside ? FATE_OUTSIDE : t.race ? FATE_RACE : FATE_COUNTED;
    if (m->fate == FATE_COUNTED) {
        done = ask_registers(m, x, &truth) && coded_run(x, &o, &r, NULL) == STATUS_OK && explain(&r, m);
        if (done) {
            m->disagree = m->bits ? 0 : disagreement(&r.map, &truth);
            m->map_right = m->disagree == 0;
            struct source_counts c = source_map_count(&truth);
            size_t all = source_map_observations(&truth);
            bool right = !m->bits && c.value.right == all && c.scale.right == all && c.row.right == all;
            if (right || (m->bits && !m->noticed))
                m->fate = FATE_EQUAL;
        }
        coded_result_free(&r);
    } else {
        done = true;
    }
    source_map_free(&truth);
    return done;
}

static bool run(struct mutant *m, const char *folder)
{
    char path[PATH];
    struct executor x = {0};
    struct subject subject;
    bool done = false;
    m->fate = FATE_BROKEN;
    if (!build(m, folder))
        return true;
    snprintf(path, sizeof path, "%s/mutant.so", folder);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "mutants: %s\n", dlerror());
        return false;
    }
    trace_function *trace;
    enum status (*model)(const struct subject *, struct executor *, struct error *);
    *(void **)&trace = dlsym(library, "mutant_trace");
    *(void **)&model = dlsym(library, "model_subject");
    /* The mutated header has its own neutral fault: the executor is asked for `rs` of that header. */
    const struct rs_fault *neutral = dlsym(library, "mutant_neutral");
    if (trace && model && neutral && subject_parse("rs", &subject, NULL) == STATUS_OK) {
        subject.fault = *neutral;
        if (model(&subject, &x, NULL) == STATUS_OK) {
            done = ask(m, &x, trace);
            x.release(x.self);
        }
    }
    dlclose(library);
    return done;
}

static void say_stages(unsigned stages)
{
    for (int s = 0; s < EXPLAIN_STAGES; s++)
        if (stages >> s & 1u)
            printf(" %s", explain_stage_name((enum explain_stage)s));
    printf("%s\n", stages ? "" : " none");
}

struct tally {
    size_t fate[FATES], traced, map, stage, alone, both, noticed;
};

static void add(struct tally *t, const struct mutant *m)
{
    t->fate[m->fate]++;
    if (m->fate != FATE_COUNTED)
        return;
    t->traced += !m->bits;
    t->map += m->map_right && !m->bits;
    t->stage += m->stage_right;
    t->noticed += m->noticed;
    t->alone += m->alone;
    t->both += m->stage_right && m->map_right;
    if (m->stage_right && m->map_right && m->noticed)
        return;
    printf("%lu %s: %s, %s, %zu observations differ from the trace; A %s; stages:", m->seed, m->change,
           m->noticed ? "noticed" : "NOT NOTICED", m->stage_right ? "stage right" : "STAGE WRONG", m->disagree,
           m->registers == EXPLAIN_A_RIGHT   ? "right"
           : m->registers == EXPLAIN_A_WRONG ? "wrong"
                                             : "unknown");
    say_stages(m->stages);
}

/* So many mutants side by side, each in a process of its own: one that breaks takes nothing with it. */
static bool run_some(unsigned long seed, const char *folder, struct mutant some[AT_ONCE])
{
    pid_t child[AT_ONCE];
    bool good = true;
    fflush(stdout);
    for (int i = 0; i < AT_ONCE; i++) {
        some[i] = (struct mutant){.seed = seed + (unsigned long)i};
        child[i] = fork();
        if (child[i] == 0) {
            char own[LINE];
            snprintf(own, sizeof own, "%s/%d", folder, i);
            _exit(run(&some[i], own) ? 0 : 1);
        }
    }
    for (int i = 0; i < AT_ONCE; i++) {
        int status = 0;
        bool done = child[i] > 0 && waitpid(child[i], &status, 0) == child[i];
        if (done && WIFSIGNALED(status))
            some[i].fate = FATE_BREAKS;
        else
            done = done && status == 0;
        if (!done)
            fprintf(stderr, "mutants: seed %lu (%s) could not be asked\n", some[i].seed, some[i].change);
        good = good && done;
    }
    return good;
}

int main(int argc, char **argv)
{
    unsigned long want = argc > 1 ? strtoul(argv[1], NULL, 10) : 12, seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    struct tally t = {0};
    void *folder = NULL;
    struct mutant *some = mmap(NULL, AT_ONCE * sizeof *some, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool made = scratch_setup(&folder) == 0, good = made && some != MAP_FAILED;
    omp_set_num_threads(1); /* a process that forks may have no threads */
    for (unsigned long end = seed + 40 * want; good && t.fate[FATE_COUNTED] < want && seed < end; seed += AT_ONCE) {
        good = run_some(seed, folder, some);
        for (int i = 0; i < AT_ONCE && good && t.fate[FATE_COUNTED] < want; i++)
            add(&t, &some[i]);
    }
    if (made && scratch_teardown(&folder) != 0)
        good = false;
    if (!good)
        return 2;
    for (int f = 0; f < FATES; f++)
        printf("%-16s %zu\n", fates[f], t.fate[f]);
    size_t counted = t.fate[FATE_COUNTED];
    printf("noticed          %zu of %zu\nstage right      %zu of %zu (%zu: it alone, and first)\nmap right        %zu "
           "of %zu (the rest mix bits)\n"
           "both             %zu of %zu\n",
           t.noticed, counted, t.stage, counted, t.alone, t.map, t.traced, t.both, counted);
    return counted < want ? 2 : t.both * 100 < counted * 95;
}
