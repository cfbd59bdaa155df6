/* mutants: kernels that nobody planned. Each is kernels/rs_index.h with one seeded change of its text (change.c), built
 * into a model executor of its own; the coded probe asks it, probes/explain.h says what it does, and both are held
 * against trace.c, which follows the mutant's addresses and asks nothing.
 *     mutants [COUNT [FIRST_SEED]]     default 12 from seed 1; from the root of the repository
 * Not counted: what does not compile, equals the right kernel, leaves an array, or writes an output twice and not
 * alike. Counted: the map is right when every observation is what the trace says; the stage is right when explain.h
 * finds the stage of the function that was changed (or names it as the other possibility). A change inside the decode
 * mixes bits, so that no address tells where a value came from: only its stage counts. Exit status: 0 when at least 95
 * of 100 are right in both; 1; 2 for trouble. */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/exec/model.h"
#include "probes/coded.h"
#include "probes/explain.h"
#include "probes/identity.h"
#include "tests/mutants/trace.h"

#ifndef FO_MUTANT_FLAGS
#error "the build says how to compile a mutant"
#endif

enum { LINE = 256, COMMAND = 4096 };

/* A function of rs_index.h, and the stages that its indices belong to. */
static const struct {
    const char *function;
    unsigned stages;
} homes[] = {
#define IS(stage) (1u << EXPLAIN_##stage)
    {"RS_PACK_ORDER", IS(FRAGMENT)},
    {"rs_value", IS(FRAGMENT)},
    {"rs_find_tile", IS(ROUTING)},
    {"rs_planted_rows", IS(ROUTING)},
    {"rs_feature", IS(FRAGMENT) | IS(EPILOGUE)}, /* of the load and of the result */
    {"rs_weight_feature", IS(FRAGMENT)},         /* value and scale move together */
    {"rs_value_byte", IS(VALUES)},
    {"rs_value_row", IS(VALUES)},
    {"rs_value_inside", IS(VALUES)},
    {"rs_scale_offset", IS(SCALES)},
    {"rs_scale_pair", IS(SCALES)},
    {"rs_scaled", IS(VALUES) | IS(SCALES)},
    {"rs_decode", IS(VALUES) | IS(SCALES)},
    {"rs_x_chunk", IS(DESCRIPTOR)},
    {"rs_x_offset", IS(DESCRIPTOR) | IS(ROUTING)},
    {"rs_smem_offset", IS(DESCRIPTOR)},
    {"rs_smem_step", IS(DESCRIPTOR)},
    {"rs_acc_feature", IS(EPILOGUE)},
    {"rs_acc_token", IS(EPILOGUE)},
    {"rs_out_offset", IS(EPILOGUE)},
    {"rs_result", IS(EPILOGUE)},
#undef IS
};

static unsigned home(const char *changed)
{
    size_t length = strcspn(changed, ":");
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++)
        if (strlen(homes[i].function) == length && strncmp(homes[i].function, changed, length) == 0)
            return homes[i].stages;
    return 0;
}

enum fate { FATE_BROKEN, FATE_EQUAL, FATE_OUTSIDE, FATE_RACE, FATE_COUNTED, FATES };
static const char *const fates[] = {"does not compile", "changes nothing", "leaves an array", "races", "counted"};

struct mutant {
    unsigned long seed;
    char change[LINE]; /* "rs_value:194: 1 -> 0" */
    enum fate fate;
    bool bits, map_right, stage_right, noticed;
    size_t disagree; /* observations */
    unsigned stages; /* that explain.h finds */
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
    char path[LINE];
    if (!shell("mkdir -p %s/kernels && %s kernels/rs_index.h %s/kernels/rs_index.h %lu > %s/change", folder,
               FO_MUTANT_CHANGE, folder, m->seed, folder))
        return false;
    snprintf(path, sizeof path, "%s/change", folder);
    FILE *f = fopen(path, "r");
    if (f && fgets(m->change, sizeof m->change, f))
        m->change[strcspn(m->change, "\n")] = '\0';
    if (f)
        fclose(f);
    return shell(
        "%s -I%s -I. %s -shared -Wl,-Bsymbolic -o %s/mutant.so tests/mutants/trace.c oracle/exec/model.c 2>/dev/null",
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
    struct explain_question q = {.map = &r->map,
                                 .pairs = {r->pair_planes, r->pair, coded_pair_code, coded_pair_scale, false},
                                 .dense_count = r->dense_count,
                                 .dense_differing = r->dense_differing,
                                 .changes = !r->repeats,
                                 .guard_wrong = (int64_t)r->guard.wrong,
                                 .tile = {r->report.tile[0], r->report.tile[1], r->report.tile[2]}};
    unsigned also = 0;
    if (explain_run(&q, &x, NULL) != STATUS_OK)
        return false;
    for (int s = 0; s < EXPLAIN_STAGES; s++)
        if (x.part[s].state == EXPLAIN_DIFFERS || x.part[s].state == EXPLAIN_UNDECIDED) {
            m->stages |= 1u << s;
            if (x.part[s].ambiguous >= 0)
                also |= 1u << x.part[s].ambiguous;
        }
    m->noticed = !coded_conforms(r);
    m->stage_right = ((m->stages | also) & home(m->change)) != 0;
    explanation_free(&x);
    return true;
}

/* Ask it, unless it cannot be asked. */
static bool ask(struct mutant *m, const struct executor *x, trace_function *trace)
{
    const struct coded_options o = {.P = 80, .N = 208, .K = 192, .experts = 4, .seed = m->seed};
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
    if (s != STATUS_OK)
        return false;
    m->bits = t.bits;
    m->fate = t.outside ? FATE_OUTSIDE : t.race ? FATE_RACE : FATE_COUNTED;
    if (m->fate == FATE_COUNTED) {
        done = coded_run(x, &o, &r, NULL) == STATUS_OK && explain(&r, m);
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
    char path[LINE];
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

int main(int argc, char **argv)
{
    unsigned long want = argc > 1 ? strtoul(argv[1], NULL, 10) : 12, seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    size_t fate[FATES] = {0}, traced = 0, map = 0, stage = 0, both = 0, noticed = 0;
    char folder[] = "/tmp/fragoracle-mutants-XXXXXX";
    if (!mkdtemp(folder))
        return 2;
    for (unsigned long end = seed + 40 * want; fate[FATE_COUNTED] < want && seed < end; seed++) {
        struct mutant m = {.seed = seed};
        if (getenv("FO_MUTANTS_SHOW"))
            fprintf(stderr, "%lu\n", seed);
        if (!run(&m, folder)) {
            fprintf(stderr, "mutants: seed %lu (%s) could not be asked\n", seed, m.change);
            shell("rm -rf %s", folder);
            return 2;
        }
        fate[m.fate]++;
        if (m.fate != FATE_COUNTED)
            continue;
        traced += !m.bits;
        map += m.map_right && !m.bits;
        stage += m.stage_right;
        noticed += m.noticed;
        both += m.stage_right && m.map_right;
        if (!m.stage_right || !m.map_right || !m.noticed) {
            printf("%lu %s: %s, %s, %zu observations differ from the trace; stages:", m.seed, m.change,
                   m.noticed ? "noticed" : "NOT NOTICED", m.stage_right ? "stage right" : "STAGE WRONG", m.disagree);
            say_stages(m.stages);
        }
    }
    shell("rm -rf %s", folder);
    for (int f = 0; f < FATES; f++)
        printf("%-16s %zu\n", fates[f], fate[f]);
    printf("noticed          %zu of %zu\nstage right      %zu of %zu\nmap right        %zu of %zu (the rest mix bits)\n"
           "both             %zu of %zu\n",
           noticed, fate[FATE_COUNTED], stage, fate[FATE_COUNTED], map, traced, both, fate[FATE_COUNTED]);
    return fate[FATE_COUNTED] < want ? 2 : both * 100 < fate[FATE_COUNTED] * 95;
}
