#include "oracle/exec/child.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/exec/child_process.h"
#include "oracle/exec/served.h"

enum { WHERE = 48 };

struct child {
    char *subject, on[16];
    struct child_process process;
    struct child_description description;
    struct child_memory memory[CHILD_SLOTS]; /* of this process; the other has it mapped */
    double seconds;
    uint64_t launches;
    size_t experts, N, K; /* of the weights that are loaded */
    bool loaded;
    char name[RUN_KERNEL_NAME]; /* of the executor */
    enum fidelity ran;          /* what it says of the runs so far */
    char note[CHILD_NOTE];
    char broke[320]; /* the sentence of the last failure */
};

static void child_stop(struct child *c, bool now)
{
    child_process_stop(&c->process, now);
    for (int i = 0; i < CHILD_SLOTS; i++)
        child_memory_free(&c->memory[i]);
    c->loaded = false;
}

/* The subject broke: complete the sentence, end the process. That of a module is whole. */
static enum status child_broke(struct child *c, const char *what, const char *where, struct error *e)
{
    if (strncmp(what, "the kernel ", 11) == 0)
        snprintf(c->broke, sizeof c->broke, "%.300s", what);
    else
        snprintf(c->broke, sizeof c->broke, "the subject %.200s %s", what, where);
    child_stop(c, true);
    return error_set(e, STATUS_SUBJECT, "%s", c->broke);
}

/* Where a fault pointed, if it says more than the signal. */
static void say_fault(const struct child *c, const struct child_reply *fault, char *text, size_t size)
{
    char says[CHILD_SAYS];
    if (fault->slot == CHILD_SLOTS || fault->offset >= c->memory[fault->slot].size)
        snprintf(text, size, " at address 0x%" PRIx64, fault->address);
    else
        snprintf(text, size, " writing %s, which is read-only,",
                 child_memory_place(&c->memory[fault->slot], child_array_names[fault->slot], fault->offset, says));
}

/* The answer to what was asked last. errors: STATUS_SUBJECT, and the status that it brings. */
static enum status child_answer(struct child *c, enum child_reply_kind wanted, const char *where,
                                struct child_reply *reply, struct error *e)
{
    char what[CHILD_SAYS + CHILD_DEATH], fault[CHILD_SAYS] = "";
    struct error ended = {0};
    enum status s = child_process_wait(&c->process, c->seconds, reply, &ended);
    if (s == STATUS_OK && reply->kind == CHILD_FAULT) {
        say_fault(c, reply, fault, sizeof fault);
        s = child_process_wait(&c->process, c->seconds, reply, &ended);
    }
    if (s == STATUS_OK && reply->kind == wanted && reply->status == STATUS_SUBJECT)
        return child_broke(c, reply->why, where, e);
    if (s == STATUS_OK && reply->kind == wanted && reply->status != STATUS_OK) {
        error_set(e, reply->status, "%s", reply->why);
        error_at_field(e, reply->field);
        return error_at_path(e, reply->path), reply->status;
    }
    if (s == STATUS_OK && reply->kind == wanted)
        return STATUS_OK;
    snprintf(what, sizeof what, "%.100s%s", s == STATUS_OK ? "answered what was not asked" : ended.why, fault);
    return child_broke(c, what, where, e);
}

static enum status child_start(struct child *c, struct error *e)
{
    struct child_reply hello;
    enum status s = child_process_start(c->subject, c->on, &c->process, e);
    if (s != STATUS_OK)
        return s;
    s = child_answer(c, CHILD_HELLO, "while it was opened", &hello, e);
    if (s == STATUS_OK)
        s = plugin_format_complete(&hello.description.format, e);
    if (s == STATUS_OK)
        c->description = hello.description;
    else
        child_stop(c, true);
    return s;
}

/* Memory of these sizes in both processes; what is there already serves again. */
static enum status child_share(struct child *c, enum child_slot slot, const size_t bytes[CHILD_ARRAYS], struct error *e)
{
    struct child_memory *m = &c->memory[slot];
    int fd = -1;
    if (m->base && memcmp(m->bytes, bytes, sizeof m->bytes) == 0)
        return STATUS_OK;
    child_memory_free(m);
    enum status s = child_memory_make(bytes, m, e);
    if (s == STATUS_OK && slot != CHILD_OUTPUTS)
        s = child_memory_reader(m, &fd, e);
    if (s != STATUS_OK) {
        child_memory_free(m);
        return s;
    }
    struct child_request r = {.kind = CHILD_MAP, .slot = slot, .seconds = c->seconds};
    memcpy(r.bytes, bytes, sizeof r.bytes);
    /* An end that is gone shows in the answer to the request that follows. */
    child_request_send(c->process.socket, &r, fd >= 0 ? fd : m->fd);
    if (fd >= 0)
        close(fd);
    return STATUS_OK;
}

static enum status check_multiple(const char *name, size_t extent, uint32_t multiple, struct error *e)
{
    if (multiple <= 1 || extent % multiple == 0)
        return STATUS_OK;
    return error_set(e, STATUS_BAD_ARGUMENT, "not applicable: the subject wants %s %% %" PRIu32 " == 0, not %s = %zu",
                     name, multiple, name, extent);
}

static enum status child_load(void *self, const struct weights *w, struct error *e)
{
    struct child *c = self;
    struct child_reply reply;
    size_t bytes[CHILD_ARRAYS] = {0};
    enum status s = check_multiple("N", w->N, c->description.limits.multiple_N, e);
    if (s == STATUS_OK)
        s = check_multiple("K", w->K, c->description.limits.multiple_K, e);
    if (s == STATUS_OK)
        s = plugin_weights_size(&c->description.format, w, &bytes[0], &bytes[1], e);
    if (s == STATUS_OK && c->process.pid == 0)
        s = child_start(c, e);
    if (s != STATUS_OK)
        return s;
    c->loaded = false;
    s = child_share(c, CHILD_WEIGHTS, bytes, e);
    if (s == STATUS_OK)
        s = plugin_weights_convert(&c->description.format, w, child_memory_array(&c->memory[CHILD_WEIGHTS], 0),
                                   child_memory_array(&c->memory[CHILD_WEIGHTS], 1), e);
    if (s == STATUS_OK) {
        struct child_request r = {
            .kind = CHILD_LOAD, .experts = w->experts, .N = w->N, .K = w->K, .seconds = c->seconds};
        child_request_send(c->process.socket, &r, -1);
        s = child_answer(c, CHILD_DONE, "while it loaded weights", &reply, e);
    }
    if (s == STATUS_OK) {
        c->experts = w->experts, c->N = w->N, c->K = w->K;
        c->loaded = true;
    }
    return s;
}

/* Everything of one launch into the memory that the subject sees. */
static enum status child_prepare(struct child *c, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                                 struct error *e)
{
    const size_t in[CHILD_ARRAYS] = {s->rows * c->K * sizeof *x, (s->active + 1) * sizeof *s->starts,
                                     s->active * sizeof *s->ids};
    const size_t out[CHILD_ARRAYS] = {s->rows * c->N * sizeof *x, sizeof(uint32_t), 0};
    enum status status = child_share(c, CHILD_INPUTS, in, e);
    if (status == STATUS_OK)
        status = child_share(c, CHILD_OUTPUTS, out, e);
    if (status != STATUS_OK)
        return status;
    memcpy(child_memory_array(&c->memory[CHILD_INPUTS], 0), x, in[0]);
    memcpy(child_memory_array(&c->memory[CHILD_INPUTS], 1), s->starts, in[1]);
    if (in[2])
        memcpy(child_memory_array(&c->memory[CHILD_INPUTS], 2), s->ids, in[2]);
    struct bf16 *poisoned = child_memory_array(&c->memory[CHILD_OUTPUTS], 0);
    for (size_t i = 0; i < s->rows * c->N; i++)
        poisoned[i] = poison;
    memset(child_memory_array(&c->memory[CHILD_OUTPUTS], 1), 0, sizeof(uint32_t));
    return STATUS_OK;
}

/* What the limits of the subject rule out. */
static enum status child_refuse(const struct child *c, const struct segments *s, struct error *e)
{
    const struct executor_limits *l = &c->description.limits;
    if (!c->loaded && c->broke[0])
        return error_set(e, STATUS_SUBJECT, "%s", c->broke);
    if (!c->loaded)
        return error_set(e, STATUS_BAD_ARGUMENT, "run before load");
    if (s->experts != c->experts)
        return error_set(e, STATUS_BAD_ARGUMENT, "%zu experts asked of weights with %zu", s->experts, c->experts);
    if (l->most_P && s->rows > l->most_P)
        return error_set(e, STATUS_BAD_ARGUMENT, "not applicable: %zu rows, and the subject takes %" PRIu64, s->rows,
                         l->most_P);
    if (l->no_segments && (s->experts != 1 || s->active != 1 || s->starts[0] != 0 || s->starts[1] != s->rows))
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "not applicable: the subject takes one expert and one segment of all rows");
    if (l->no_status && segments_status_word(s, NULL) != 0)
        return error_set(e, STATUS_BAD_ARGUMENT, "not applicable: the subject takes legal segments only");
    return STATUS_OK;
}

static enum status child_run(void *self, const struct bf16 *x, const struct segments *s, struct bf16 poison,
                             struct bf16 *out, struct run_report *report, struct error *e)
{
    struct child *c = self;
    struct child_reply reply;
    char where[WHERE], says[CHILD_SAYS];
    enum status status = child_refuse(c, s, e);
    if (status == STATUS_OK)
        status = child_prepare(c, x, s, poison, e);
    if (status != STATUS_OK)
        return status;
    snprintf(where, sizeof where, "in launch %" PRIu64, ++c->launches);
    struct child_request r = {.kind = CHILD_RUN,
                              .experts = s->experts,
                              .rows = s->rows,
                              .active = s->active,
                              .poison = poison,
                              .seconds = c->seconds};
    child_request_send(c->process.socket, &r, -1);
    status = child_answer(c, CHILD_DONE, where, &reply, e);
    if (status != STATUS_OK)
        return status;
    if (!child_memory_intact(&c->memory[CHILD_OUTPUTS], child_array_names[CHILD_OUTPUTS], says))
        return child_broke(c, says, where, e);
    memcpy(out, child_memory_array(&c->memory[CHILD_OUTPUTS], 0), s->rows * c->N * sizeof *out);
    memcpy(&reply.report.status_word, child_memory_array(&c->memory[CHILD_OUTPUTS], 1), sizeof(uint32_t));
    *report = reply.report;
    c->ran = reply.ran;
    memcpy(c->note, reply.note, sizeof c->note);
    return STATUS_OK;
}

static void child_release(void *self)
{
    struct child *c = self;
    child_stop(c, false);
    free(c->subject);
    free(c);
}

enum status child_open(const char *subject, const char *on, struct executor *out, struct error *e)
{
    struct child *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(e, STATUS_NO_MEMORY, "no memory for a subject");
    c->process = (struct child_process){0, -1};
    for (int i = 0; i < CHILD_SLOTS; i++)
        c->memory[i].fd = -1;
    c->subject = strdup(subject);
    snprintf(c->on, sizeof c->on, "%s", on);
    enum status s =
        c->subject ? child_process_limit(&c->seconds, e) : error_set(e, STATUS_NO_MEMORY, "no memory for a subject");
    if (s == STATUS_OK)
        s = child_start(c, e);
    if (s != STATUS_OK) {
        child_release(c);
        return s;
    }
    bool plugin = strncmp(subject, PLUGIN_PREFIX, strlen(PLUGIN_PREFIX)) == 0;
    c->ran = c->description.fidelity;
    snprintf(c->name, sizeof c->name, "%s", plugin ? "plugin" : c->description.name);
    *out = (struct executor){.name = c->name,
                             .subject = c->subject,
                             .fidelity = c->description.fidelity,
                             .self = c,
                             .load = child_load,
                             .run = child_run,
                             .release = child_release,
                             .limits = c->description.limits,
                             .note = c->note,
                             .ran = &c->ran};
    return STATUS_OK;
}
