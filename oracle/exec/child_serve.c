/* child_serve: the inside of fragoracle-subject. One subject, one socket, one request after the other. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "oracle/answer/answer.h"
#include "oracle/exec/child_process.h"
#include "oracle/exec/open.h"
#include "oracle/exec/served.h"

/* Handlers of signals know nothing but globals. */
static struct {
    int socket;
    struct child_memory memory[CHILD_SLOTS];
} wire = {-1, {{.fd = -1}, {.fd = -1}, {.fd = -1}}};

/* Say where, then die of the same signal. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    struct child_reply r = {.kind = CHILD_FAULT, .slot = CHILD_SLOTS, .address = (uint64_t)(uintptr_t)info->si_addr};
    (void)context;
    for (int i = 0; i < CHILD_SLOTS; i++) {
        uintptr_t base = (uintptr_t)wire.memory[i].base;
        if (base && r.address >= base && r.address - base < wire.memory[i].size) {
            r.slot = (enum child_slot)i;
            r.offset = r.address - base;
        }
    }
    if (info->si_code > 0) /* not sent by a process */
        child_reply_send(wire.socket, &r);
    raise(number); /* blocked until this returns; the handler is that of the system again */
}

/* A core of every subject that dies would fill a disk; whoever wants one runs the plug-in alone. */
static void prepare(int socket)
{
    static _Alignas(16) char stack[1 << 16];
    static const int faults[] = {SIGSEGV, SIGBUS};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    wire.socket = socket;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigaction(faults[i], &action, NULL);
}

static enum status open_served(const char *subject, const char *on, struct served *out, struct error *e)
{
    struct machine machine;
    struct executor executor;
    if (strncmp(subject, PLUGIN_PREFIX, strlen(PLUGIN_PREFIX)) == 0)
        return plugin_open(subject + strlen(PLUGIN_PREFIX), out, e);
    enum status s = subject_machine(subject, on, &machine, e);
    if (s == STATUS_OK)
        s = subject_open_here(subject, &machine, &executor, e);
    if (s != STATUS_OK)
        return s;
    s = served_executor(&executor, out, e);
    if (s != STATUS_OK)
        executor.release(executor.self);
    return s;
}

static struct child_reply reply_of(enum child_reply_kind kind, enum status s, const struct error *e)
{
    struct child_reply r = {.kind = kind, .status = s, .slot = CHILD_SLOTS};
    if (s != STATUS_OK) {
        snprintf(r.why, sizeof r.why, "%s", e->why);
        snprintf(r.path, sizeof r.path, "%s", e->path);
        snprintf(r.field, sizeof r.field, "%s", e->field);
    }
    return r;
}

static bool serve_map(const struct child_request *r, int fd)
{
    struct child_memory *m = &wire.memory[r->slot];
    child_memory_free(m);
    return fd >= 0 && child_memory_map(fd, r->slot == CHILD_OUTPUTS, r->bytes, m, NULL) == STATUS_OK;
}

static bool serve_load(const struct served *s, const struct child_request *r)
{
    struct error e;
    const struct child_memory *m = &wire.memory[CHILD_WEIGHTS];
    const struct fo_plugin_weights w = {.experts = r->experts,
                                        .N = r->N,
                                        .K = r->K,
                                        .values = child_memory_array(m, 0),
                                        .scales = m->bytes[1] ? child_memory_array(m, 1) : NULL,
                                        .value_bytes = m->bytes[0],
                                        .scale_bytes = m->bytes[1]};
    struct child_reply reply = reply_of(CHILD_DONE, s->load(s->self, &w, &e), &e);
    return child_reply_send(wire.socket, &reply);
}

static bool serve_run(const struct served *s, const struct child_request *r)
{
    struct error e;
    const struct child_memory *in = &wire.memory[CHILD_INPUTS], *out = &wire.memory[CHILD_OUTPUTS];
    const struct fo_plugin_launch l = {.rows = r->rows,
                                       .active = r->active,
                                       .x = child_memory_array(in, 0),
                                       .starts = child_memory_array(in, 1),
                                       .ids = child_memory_array(in, 2),
                                       .out = child_memory_array(out, 0),
                                       .status = child_memory_array(out, 1)};
    struct run_report report = {.launches = 1};
    snprintf(report.kernel, sizeof report.kernel, "%s", s->description.name);
    struct child_reply reply = reply_of(CHILD_DONE, s->run(s->self, &l, r->poison, &report, &e), &e);
    reply.report = report;
    reply.ran = s->ran ? *s->ran : s->description.fidelity;
    snprintf(reply.note, sizeof reply.note, "%s", s->note ? s->note : "");
    fflush(stdout); /* what the subject printed comes in its place */
    return child_reply_send(wire.socket, &reply);
}

/* If who asks is gone, nobody is left to end a subject that hangs. */
static void limit(double seconds)
{
    enum { MOST = 1 << 30, SPARE = 10 };
    alarm(seconds < MOST ? (unsigned)seconds + SPARE : MOST);
}

static bool serve_one(const struct served *s, const struct child_request *r, int fd)
{
    bool served = false;
    limit(r->seconds);
    if (r->kind == CHILD_MAP && (unsigned)r->slot < CHILD_SLOTS)
        served = serve_map(r, fd);
    else if (r->kind == CHILD_LOAD && wire.memory[CHILD_WEIGHTS].base)
        served = serve_load(s, r);
    else if (r->kind == CHILD_RUN && wire.memory[CHILD_INPUTS].base && wire.memory[CHILD_OUTPUTS].base)
        served = serve_run(s, r);
    alarm(0);
    if (fd >= 0)
        close(fd); /* a mapping needs none, and the subject finds none */
    return served;
}

int fo_subject_serve(int socket, const char *subject, const char *on, struct fo_error *error)
{
    struct error e = {0};
    struct served s;
    struct child_request request;
    double seconds;
    int fd;
    enum status status = child_process_limit(&seconds, &e);
    if (status == STATUS_OK) {
        prepare(socket);
        limit(seconds);
        status = open_served(subject, on, &s, &e);
        alarm(0);
    }
    struct child_reply hello = reply_of(CHILD_HELLO, status, &e);
    if (status == STATUS_OK)
        hello.description = s.description;
    fflush(stdout);
    bool heard = child_reply_send(socket, &hello);
    if (status != STATUS_OK)
        return heard ? 0 : answer_end(status, &e, error);
    if (!heard)
        status = error_set(&e, STATUS_IO, "nobody listens: this program is started by fragoracle");
    bool served = heard;
    while (served && child_request_receive(socket, &request, &fd))
        served = serve_one(&s, &request, fd);
    limit(seconds);
    s.release(s.self);
    for (int i = 0; i < CHILD_SLOTS; i++)
        child_memory_free(&wire.memory[i]);
    return answer_end(status, &e, error);
}
