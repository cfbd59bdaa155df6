/* A launch: is it legal, and all its clusters until they have ended.
 *
 * Clusters go on in turns, many of them at a time, so that one that waits for another's word in global memory gets it.
 * A turn ends after the same number of rounds whatever other clusters do, so that the outcome of a kernel without races
 * depends neither on the number of threads nor on their speed. */
#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "reference/ptx/schedule.h"

enum {
    RESIDENT = 132, /* clusters that have begun and not ended: one for each multiprocessor */
    PATIENCE = 8,   /* times that all have a turn and none ends, until more may begin */
    THREADS_MOST = 1024,
    CLUSTER_MOST = 16,
    LOCAL_MOST = 512 << 10 /* bytes. source: CUDA C++ Programming Guide, technical specifications */
};

struct place {
    uint64_t index;
    struct vm_cluster *cluster; /* NULL: has not begun */
    enum vm_going going;
};

struct waves {
    struct vm *v;
    struct place *place;
    size_t count, room;
    uint64_t next, total; /* clusters */
    uint64_t approximate_cluster;
    const char *approximate;
};

static const uint32_t grid_most[3] = {INT32_MAX, 65535, 65535}, block_most[3] = {1024, 1024, 64};

static enum status check_extents(const struct vm_launch *l, const struct vm_function *f, struct error *e)
{
    uint64_t threads = 1, cluster = 1;
    for (unsigned axis = 0; axis < 3; axis++) {
        uint32_t extent = l->cluster[axis] ? l->cluster[axis] : 1;
        if (l->grid[axis] == 0 || l->grid[axis] > grid_most[axis] || l->block[axis] == 0 ||
            l->block[axis] > block_most[axis])
            return error_set(e, STATUS_BAD_ARGUMENT, "a grid of %ux%ux%u blocks of %ux%ux%u threads is out of bounds",
                             l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1], l->block[2]);
        if (l->grid[axis] % extent)
            return error_set(e, STATUS_BAD_ARGUMENT, "a grid of %ux%ux%u blocks has no clusters of %ux%ux%u",
                             l->grid[0], l->grid[1], l->grid[2], l->cluster[0], l->cluster[1], l->cluster[2]);
        if (f->cluster[axis] && f->cluster[axis] != extent)
            return error_set(e, STATUS_BAD_ARGUMENT, "`%s` wants clusters of %ux%ux%u", f->name, f->cluster[0],
                             f->cluster[1], f->cluster[2]);
        if (f->exact_ntid && f->maxntid[axis] != l->block[axis])
            return error_set(e, STATUS_BAD_ARGUMENT, "`%s` wants blocks of %ux%ux%u threads", f->name, f->maxntid[0],
                             f->maxntid[1], f->maxntid[2]);
        threads *= l->block[axis];
        cluster *= extent;
    }
    uint64_t most = THREADS_MOST;
    if (f->maxntid[0])
        most = (uint64_t)f->maxntid[0] * (f->maxntid[1] ? f->maxntid[1] : 1) * (f->maxntid[2] ? f->maxntid[2] : 1);
    if (threads > most)
        return error_set(e, STATUS_BAD_ARGUMENT, "%" PRIu64 " threads in a block; `%s` takes %" PRIu64, threads,
                         f->name, most);
    if (cluster > CLUSTER_MOST)
        return error_set(e, STATUS_BAD_ARGUMENT, "a cluster of %" PRIu64 " blocks; %d is the most", cluster,
                         CLUSTER_MOST);
    return STATUS_OK;
}

static enum status check_parameters(const struct vm_program *p, const struct vm_launch *l, const struct vm_function *f,
                                    struct error *e)
{
    uint64_t bytes = 0;
    for (uint32_t n = 0; n < f->parameters; n++) {
        const struct vm_variable *one = &p->variable[f->parameter + n];
        bytes = one->at + one->bytes > bytes ? one->at + one->bytes : bytes;
    }
    if (l->parameter_bytes != bytes || (bytes && !l->parameters))
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu bytes of parameters; `%s` takes %" PRIu64, l->parameter_bytes,
                         f->name, bytes);
    return STATUS_OK;
}

/* Local memory of all functions of the module together, since each has its own place. */
static enum status check_local(const struct vm_program *p, struct error *e)
{
    if (p->local_bytes <= LOCAL_MOST)
        return STATUS_OK;
    return error_set(e, STATUS_BAD_ARGUMENT, "%" PRIu64 " bytes of local memory a thread; %d is the most",
                     p->local_bytes, LOCAL_MOST);
}

/* Bytes of shared memory from offset 0 on: dynamic memory begins where its variable does. */
static enum status size_shared(struct vm *v, const struct vm_launch *l, struct error *e)
{
    const struct vm_program *p = &v->program;
    uint64_t from = VM_SHARED_START + p->shared_bytes;
    for (uint32_t n = 0; n < p->variables; n++)
        if (p->variable[n].space == VM_SHARED && p->variable[n].bytes == 0 && p->variable[n].at > from)
            from = p->variable[n].at;
    uint64_t bytes = from - VM_SHARED_START + l->dynamic_shared;
    if (bytes > VM_SHARED_MOST)
        return error_set(e, STATUS_BAD_ARGUMENT, "%" PRIu64 " bytes of shared memory; %d is the most", bytes,
                         VM_SHARED_MOST);
    v->shared_bytes = (uint32_t)(VM_SHARED_START + bytes);
    return STATUS_OK;
}

static void use_row(struct vm *v, uint32_t row)
{
    if (row < v->program.rows)
        v->row_used[row] = 1;
}

/* Rows of other entries are never read: they stay as they are. */
static void find_used_rows(struct vm *v)
{
    const struct vm_program *p = &v->program;
    memset(v->row_used, 0, p->rows);
    for (uint32_t f = 0; f < p->functions; f++) {
        if (p->function[f].entry && f != v->entry)
            continue;
        for (uint32_t n = 0; n < p->function[f].instructions; n++) {
            const struct vm_instruction *i = &p->instruction[p->function[f].first + n];
            use_row(v, i->guard);
            for (uint32_t k = 0; k < i->operands; k++) {
                const struct vm_operand *o = &p->operand[i->operand + k];
                use_row(v, o->reg);
                for (uint32_t m = 0; m < o->count && o->kind != VM_TARGETS; m++)
                    use_row(v, p->element[o->first + m].reg);
            }
        }
    }
}

static enum status begin_launch(struct vm *v, const struct vm_launch *launch, struct error *e)
{
    uint32_t entry = vm_program_find(&v->program, launch->entry);
    if (entry == VM_NONE || !v->program.function[entry].entry)
        return error_set(e, STATUS_BAD_ARGUMENT, "the module has no entry `%s`", launch->entry);
    const struct vm_function *f = &v->program.function[entry];
    struct vm_launch l = *launch;
    for (unsigned axis = 0; axis < 3; axis++)
        if (launch->cluster[0] == 0)
            l.cluster[axis] = f->cluster[axis];
    enum status s = check_extents(&l, f, e);
    s = s != STATUS_OK ? s : check_parameters(&v->program, &l, f, e);
    s = s != STATUS_OK ? s : check_local(&v->program, e);
    s = s != STATUS_OK ? s : size_shared(v, &l, e);
    if (s != STATUS_OK)
        return s;
    v->launch = l;
    v->entry = entry;
    v->error = (struct error){0};
    memset(v->hazard_cluster, 0, sizeof v->hazard_cluster);
    find_used_rows(v);
    return STATUS_OK;
}

/* What has no memory is a fault of its cluster. */
static bool begin_cluster(struct vm *v, struct place *at)
{
    struct error e = {0};
    if (vm_cluster_make(v, at->index, &at->cluster, &e) == STATUS_OK)
        return true;
    pthread_mutex_lock(&v->notes);
    if (v->error.status == STATUS_OK || at->index < v->error_cluster) {
        v->error = e;
        v->error_cluster = at->index;
    }
    pthread_mutex_unlock(&v->notes);
    return false;
}

static void end_cluster(struct waves *w, struct place *at)
{
    struct vm_report *r = &w->v->report;
    const struct vm_cluster *c = at->cluster;
    pthread_mutex_lock(&w->v->notes);
    for (uint32_t n = 0; n < c->blocks; n++)
        r->steps += c->block[n].steps;
    r->blocks += c->blocks;
    r->wgmma += c->wgmma;
    r->mma += c->mma;
    if (c->approximate && (!w->approximate || c->index < w->approximate_cluster)) {
        w->approximate = c->approximate;
        w->approximate_cluster = c->index;
    }
    pthread_mutex_unlock(&w->v->notes);
    vm_cluster_free(at->cluster);
    at->cluster = NULL;
}

static void go_cluster(struct waves *w, struct place *at)
{
    struct vm *v = w->v;
    pthread_mutex_lock(&v->notes);
    bool late = v->error.status != STATUS_OK && v->error_cluster < at->index;
    pthread_mutex_unlock(&v->notes);
    if (late)
        return;
    at->going = VM_BROKEN;
    if (at->cluster || begin_cluster(v, at))
        at->going = vm_cluster_go(at->cluster);
    if (at->going != VM_GOING && at->cluster)
        end_cluster(w, at);
}

/* One turn of every cluster that has begun, and of as many more as there is room for. returns how many ended. */
static size_t go_wave(struct waves *w)
{
    size_t ended = 0, left = 0;
    while (w->count < w->room && w->next < w->total)
        w->place[w->count++] = (struct place){.index = w->next++};
    int threads = w->v->see || w->count == 1 ? 1 : omp_get_max_threads();
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (size_t n = 0; n < w->count; n++)
        go_cluster(w, &w->place[n]);
    for (size_t n = 0; n < w->count; n++)
        if (w->place[n].going == VM_GOING)
            w->place[left++] = w->place[n];
        else
            ended++;
    w->count = left;
    return ended;
}

static enum status go_all(struct waves *w, struct error *e)
{
    struct vm *v = w->v;
    unsigned fruitless = 0;
    while (v->error.status == STATUS_OK && (w->count > 0 || w->next < w->total)) {
        if (w->count == w->room && fruitless >= PATIENCE) {
            struct place *grown = realloc(w->place, 2 * w->room * sizeof *grown);
            if (!grown)
                return error_set(e, STATUS_NO_MEMORY, "no memory for more clusters at a time");
            w->place = grown;
            w->room *= 2;
        }
        fruitless = go_wave(w) ? 0 : fruitless + 1;
    }
    if (v->error.status != STATUS_OK && e)
        *e = v->error;
    return v->error.status;
}

static int compare_hazards(const void *a, const void *b)
{
    const struct vm_hazard *x = a, *y = b;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line) : strcmp(x->kind, y->kind);
}

enum status vm_run(struct vm *v, const struct vm_launch *launch, struct error *e)
{
    enum status s = begin_launch(v, launch, e);
    if (s != STATUS_OK)
        return s;
    struct waves w = {.v = v, .room = RESIDENT, .total = 1};
    for (unsigned axis = 0; axis < 3; axis++)
        w.total *= v->launch.grid[axis] / (v->launch.cluster[axis] ? v->launch.cluster[axis] : 1);
    w.place = malloc(w.room * sizeof *w.place);
    if (!w.place)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a launch");
    s = go_all(&w, e);
    for (size_t n = 0; n < w.count; n++)
        vm_cluster_free(w.place[n].cluster);
    free(w.place);
    if (!v->report.approximate)
        v->report.approximate = w.approximate;
    qsort(v->report.hazard, v->report.hazards, sizeof *v->report.hazard, compare_hazards);
    return s;
}
