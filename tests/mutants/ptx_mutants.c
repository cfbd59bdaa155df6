/* ptx_mutants: a compiled kernel of anybody, changed in seeded ways (ptx_change.h) and run on the PTX machine. The
 * coded probe and probes/explain.h say what each mutant does; ptx_random.h and ptx_watch.h say it another way.
 *     ptx_mutants SIDECAR.json [COUNT [FIRST_SEED [P,N,K[,experts]]]]     default 12 from seed 1 at the smallest shape
 * prints every mutant that was not understood, then sums by operator. Counted are those that put out other bits than
 * the kernel itself. Right: the map foretells launches of random weights, the sums that the explanation foretells are
 * there, and a stage that it names is one that the operands of the tensor cores leave possible.
 * Exit status: 0 when at least 95 of 100 are right; 1; 2 for trouble. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <omp.h>

#include "oracle/exec/module_sidecar.h"
#include "oracle/io/file.h"
#include "probes/explain.h"
#include "tests/mutants/ptx_ask.h"
#include "tests/mutants/ptx_change.h"
#include "tests/support/scratch.h"

enum { SECONDS = 240, SIDECAR_SECONDS = 60, LEAST = 64, TRIES = 20 };

static const char *const fates[] = {"not read", "breaks", "hangs", "equal", "counted", "trouble"};

struct tally {
    size_t fate[PTX_FATES], noted, noticed, map, faint, complete, sums, stage, open, alone, both;
    size_t named;             /* mutants that are not open with a right stage named, not only as another possibility */
    size_t names, names_also; /* stages, summed over these mutants */
};

static size_t up(size_t x, size_t multiple)
{
    return (x + multiple - 1) / multiple * multiple;
}

static struct coded_options smallest(const struct executor_limits *l)
{
    size_t n = l->multiple_N ? l->multiple_N : 1, k = l->multiple_K ? l->multiple_K : 1;
    while (k % 32)
        k *= 2;
    return (struct coded_options){.P = l->most_P ? l->most_P : LEAST,
                                  .N = up(LEAST, n),
                                  .K = up(LEAST, k),
                                  .experts = l->no_segments ? 1 : 4,
                                  .seed = 1};
}

static bool read_shape(const char *text, struct coded_options *o)
{
    int got = text ? sscanf(text, "%zu,%zu,%zu,%zu", &o->P, &o->N, &o->K, &o->experts) : 3;
    return got >= 3;
}

/* The sidecar of a mutant: as the kernel's, with the module beside it. */
static enum status write_sidecar(const char *from, void *const *folder, char path[SCRATCH_PATH], struct error *e)
{
    json_t *document = NULL;
    enum status s = json_read(from, MODULE_SCHEMA, &document, e);
    if (s == STATUS_OK && (json_object_set_new(document, "module", json_string("mutant.ptx")) != 0 ||
                           json_object_set_new(document, "seconds", json_integer(SIDECAR_SECONDS)) != 0))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for a sidecar");
    if (s == STATUS_OK)
        s = json_write(scratch_path(folder, "mutant.json", path), document, e);
    json_decref(document);
    return s;
}

/* In a process of its own, for so long. */
static bool ask(const char *path, const struct ptx_base *base, struct ptx_asked *out)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        ptx_ask_mutant(path, base, out);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        out->fate = WTERMSIG(status) == SIGALRM ? PTX_HANGS : PTX_TROUBLE;
    return true;
}

static void say_stages(const char *name, unsigned stages)
{
    printf("; %s", name);
    for (int s = 0; s < EXPLAIN_STAGES; s++)
        if (stages >> s & 1u)
            printf(" %s", explain_stage_name((enum explain_stage)s));
}

static bool stage_right(const struct ptx_asked *a)
{
    return ((a->stages | a->also) & a->truth.stages) != 0;
}

static bool sums_right(const struct ptx_asked *a)
{
    return a->sums_predicted == a->sums_asked;
}

static bool right(const struct ptx_asked *a)
{
    return a->noticed && a->map_right && stage_right(a);
}

static void say(uint64_t seed, const struct ptx_change *c, const struct ptx_asked *a)
{
    if (!getenv("PTX_MUTANTS_TELL") && (a->fate == PTX_EQUAL || (a->fate == PTX_COUNTED && right(a))))
        return;
    printf("%llu %s: ", (unsigned long long)seed, c->what);
    if (a->fate != PTX_COUNTED) {
        printf("%s: %s\n", fates[a->fate], a->why);
        return;
    }
    printf("%s, map %s (%zu of %zu wrong, first %zu; %zu of %zu mixtures single; %zu scaled, %zu faint), explains %zu "
           "of %zu, "
           "sums %zu of %zu, stage %s",
           a->noticed ? "noticed" : "NOT NOTICED", a->map_right ? "right" : "WRONG", a->map.wrong, a->map.observations,
           a->map.first_wrong, a->map.single, a->map.mixtures, a->map.scaled, a->map.faint, a->explained, a->wrong,
           a->sums_predicted, a->sums_asked, stage_right(a) ? "right" : "WRONG");
    say_stages("named", a->stages);
    say_stages("or", a->also & ~a->stages);
    say_stages("truth", a->truth.stages);
    printf("\n");
}

static void add(struct tally *t, const struct ptx_asked *a)
{
    bool complete = a->sums_asked > 0;
    t->fate[a->fate]++;
    t->noted += a->noted && a->fate == PTX_EQUAL;
    if (a->fate != PTX_COUNTED)
        return;
    t->noticed += a->noticed;
    t->map += a->map_right;
    t->faint += a->map_right && a->map.faint > 0;
    t->complete += complete;
    t->sums += complete && sums_right(a);
    t->stage += stage_right(a);
    t->open += a->truth.open;
    t->named += !a->truth.open && (a->stages & a->truth.stages);
    t->names += a->truth.open ? 0 : (size_t)__builtin_popcount(a->stages);
    t->names_also += a->truth.open ? 0 : (size_t)__builtin_popcount(a->stages | a->also);
    t->alone += stage_right(a) && !(a->stages & ~a->truth.stages);
    t->both += right(a);
}

static void print_tally(const char *name, const struct tally *t)
{
    printf("%-21s %8zu %7zu %5zu %6zu (%zu) %7zu %7zu %5zu (%zu) %5zu %4zu/%zu %6zu (%zu) %5zu\n", name,
           t->fate[PTX_UNREAD] + t->fate[PTX_TROUBLE], t->fate[PTX_BREAKS], t->fate[PTX_HANGS], t->fate[PTX_EQUAL],
           t->noted, t->fate[PTX_COUNTED], t->noticed, t->map, t->faint, t->stage, t->sums, t->complete, t->alone,
           t->open, t->both);
}

static void print(const struct tally tally[MUTANTS_OPERATORS + 1])
{
    printf("%-21s %8s %7s %5s %6s (%s) %7s %7s %5s (%s) %5s %s %6s (%s) %5s\n", "operator", "not read", "breaks",
           "hangs", "equal", "noted", "counted", "noticed", "map", "faint", "stage", "sums/complete", "alone", "open",
           "both");
    for (int o = 0; o < MUTANTS_OPERATORS; o++) {
        size_t asked = 0;
        for (int f = 0; f < PTX_FATES; f++)
            asked += tally[o].fate[f];
        if (asked > 0)
            print_tally(mutants_operators[o].name, &tally[o]);
    }
    const struct tally *all = &tally[MUTANTS_OPERATORS];
    size_t closed = all->fate[PTX_COUNTED] - all->open;
    print_tally("all", all);
    if (closed > 0)
        printf("not open: a right stage is named in %zu of %zu, else given as what outputs cannot tell from it; %.1f "
               "of %d "
               "named in the mean, %.1f with those\n",
               all->named, closed, (double)all->names / (double)closed, EXPLAIN_STAGES,
               (double)all->names_also / (double)closed);
}

/* A run in progress. */
struct session {
    struct ptx_changes changes;
    struct ptx_base base;
    void *folder;
    char sidecar[SCRATCH_PATH], module[SCRATCH_PATH];
    struct ptx_asked *asked; /* shared with the processes of mutants */
    uint64_t *seen;          /* mutants that were asked, by their text */
    size_t seens;
    struct tally tally[MUTANTS_OPERATORS + 1];
};

static bool is_new(struct session *s, const struct text *text)
{
    uint64_t h = 0;
    for (size_t i = 0; i < text->used; i++)
        h = (h ^ (uint8_t)text->data[i]) * 0x100000001b3u;
    for (size_t i = 0; i < s->seens; i++)
        if (s->seen[i] == h)
            return false;
    s->seen[s->seens++] = h;
    return true;
}

static enum status run_seed(struct session *s, uint64_t seed, struct error *e)
{
    struct ptx_change what;
    struct text text;
    enum status status = ptx_change_pick(&s->changes, seed, &what, &text, e);
    if (status != STATUS_OK)
        return status;
    bool is = is_new(s, &text);
    if (is)
        status = file_write(s->module, text.data, text.used, e);
    text_free(&text);
    if (status != STATUS_OK || !is)
        return status;
    *s->asked = (struct ptx_asked){.fate = PTX_TROUBLE};
    if (!ask(s->sidecar, &s->base, s->asked))
        return error_set(e, STATUS_IO, "no process for a mutant");
    add(&s->tally[what.which], s->asked);
    add(&s->tally[MUTANTS_OPERATORS], s->asked);
    say(seed, &what, s->asked);
    return STATUS_OK;
}

static enum status begin(struct session *s, const char *path, const char *shape, uint64_t tries, struct error *e)
{
    struct module_sidecar *m = malloc(sizeof *m);
    s->asked = mmap(NULL, sizeof *s->asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s->seen = calloc(tries, sizeof *s->seen);
    enum status status =
        m && s->seen && s->asked != MAP_FAILED ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory");
    if (status == STATUS_OK)
        status = module_sidecar_read(path, m, e);
    if (status == STATUS_OK) {
        s->base.shape = smallest(&m->limits);
        if (!read_shape(shape, &s->base.shape))
            status = error_set(e, STATUS_BAD_ARGUMENT, "wanted P,N,K or P,N,K,EXPERTS, not '%s'", shape);
    }
    if (status == STATUS_OK)
        status = ptx_ask_base(path, &s->base, e);
    if (status == STATUS_OK)
        status = ptx_changes_make(m->module, m->entry, &s->changes, e);
    if (status == STATUS_OK)
        status = write_sidecar(path, &s->folder, s->sidecar, e);
    scratch_path(&s->folder, "mutant.ptx", s->module);
    free(m);
    return status;
}

int main(int argc, char **argv)
{
    static struct session s;
    struct error e = {0};
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 12, seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    const struct tally *all = &s.tally[MUTANTS_OPERATORS];
    omp_set_num_threads(1); /* a process that forks may have no threads */
    if (argc < 2 || scratch_setup(&s.folder) != 0) {
        fprintf(stderr, "usage: ptx_mutants SIDECAR.json [COUNT [FIRST_SEED [P,N,K[,EXPERTS]]]]\n");
        return 2;
    }
    enum status status = begin(&s, argv[1], argc > 4 ? argv[4] : NULL, TRIES * count, &e);
    for (uint64_t end = seed + TRIES * count; status == STATUS_OK && all->fate[PTX_COUNTED] < count && seed < end;)
        status = run_seed(&s, seed++, &e);
    if (status == STATUS_OK)
        print(s.tally);
    else
        fprintf(stderr, "ptx_mutants: %s: %s\n", argv[1], e.why);
    ptx_changes_free(&s.changes);
    free(s.seen);
    if (scratch_teardown(&s.folder) != 0 || status != STATUS_OK || all->fate[PTX_TROUBLE] > 0 ||
        all->fate[PTX_COUNTED] == 0)
        return 2;
    return all->both * 100 < all->fate[PTX_COUNTED] * 95;
}
