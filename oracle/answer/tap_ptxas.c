#include "oracle/answer/tap_ptxas.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle/io/file.h"

extern char **environ;

enum { LINE_MOST = 64 << 10 };

/* The function of this name, made if there is none. NULL without memory. */
static struct tap_ptxas_function *named(struct tap_ptxas_report *r, const char *name, size_t length)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (strlen(r->function[i].name) == length && memcmp(r->function[i].name, name, length) == 0)
            return &r->function[i];
    struct tap_ptxas_function *all = realloc(r->function, (r->count + 1) * sizeof *all);
    if (!all)
        return NULL;
    r->function = all;
    char *copy = malloc(length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, name, length);
    copy[length] = '\0';
    all[r->count] = (struct tap_ptxas_function){.name = copy};
    return &all[r->count++];
}

/* The text between the last two quotes; length 0 where there are none. */
static const char *last_quoted(const char *line, size_t *length)
{
    const char *end = strrchr(line, '\'');
    *length = 0;
    for (const char *at = end; end && at > line;)
        if (*--at == '\'') {
            *length = (size_t)(end - at - 1);
            return at + 1;
        }
    return line;
}

/* A line "... (C7510) ...": count it for its function. */
static bool read_code(struct tap_ptxas_report *r, const char *line)
{
    const char *at = strstr(line, "(C75");
    if (!at || strlen(at) < 7 || at[6] != ')')
        return true;
    size_t length;
    const char *name = last_quoted(line, &length);
    struct tap_ptxas_function *f = named(r, name, length);
    if (!f)
        return false;
    uint32_t i = 0;
    while (i < f->code_count && memcmp(f->code[i].name, at + 1, 5) != 0)
        i++;
    if (i == TAP_PTXAS_CODES)
        i--;
    if (i == f->code_count) {
        memcpy(f->code[i].name, at + 1, 5);
        snprintf(f->code[i].line, sizeof f->code[i].line, "%s", at);
        f->code_count++;
    }
    f->code[i].lines++;
    return true;
}

/* The number that stands ahead of `words`; 0 where they do not occur. */
static uint64_t number_before(const char *line, const char *words)
{
    const char *at = strstr(line, words);
    if (!at)
        return 0;
    while (at > line && at[-1] >= '0' && at[-1] <= '9')
        at--;
    return strtoull(at, NULL, 10);
}

struct reader {
    struct tap_ptxas_report *report;
    int64_t entry, owner; /* functions that the next lines are about; -1: none yet */
};

static bool read_line(struct reader *r, const char *line)
{
    static const char properties[] = "Function properties for ";
    const char *at = strstr(line, properties);
    size_t length;
    if (strstr(line, "Compiling entry function '")) {
        const char *name = strchr(line, '\'') + 1, *end = strchr(name, '\'');
        struct tap_ptxas_function *f = end ? named(r->report, name, (size_t)(end - name)) : NULL;
        if (!f)
            return !end;
        r->entry = f - r->report->function;
        f->entry = true;
    } else if (at) {
        at += sizeof properties - 1;
        length = strcspn(at, " \r");
        struct tap_ptxas_function *f = named(r->report, at, length);
        if (!f)
            return false;
        r->owner = f - r->report->function;
    } else if (strstr(line, " bytes spill stores") && r->owner >= 0) {
        r->report->function[r->owner].spill_stores = number_before(line, " bytes spill stores");
        r->report->function[r->owner].spill_loads = number_before(line, " bytes spill loads");
    } else if (strstr(line, ": Used ") && r->entry >= 0)
        r->report->function[r->entry].registers = (uint32_t)number_before(line, " registers");
    return read_code(r->report, line);
}

enum status tap_ptxas_parse(const char *output, size_t size, struct tap_ptxas_report *out, struct error *e)
{
    struct tap_ptxas_report report = {0};
    struct reader reader = {&report, -1, -1};
    char *line = malloc(LINE_MOST);
    bool whole = line != NULL;
    for (size_t at = 0; whole && at < size;) {
        const char *end = memchr(output + at, '\n', size - at);
        size_t length = end ? (size_t)(end - output) - at : size - at;
        snprintf(line, LINE_MOST, "%.*s", (int)(length < LINE_MOST ? length : LINE_MOST - 1), output + at);
        whole = read_line(&reader, line);
        at += length + 1;
    }
    free(line);
    if (!whole) {
        tap_ptxas_free(&report);
        return error_set(e, STATUS_NO_MEMORY, "no memory for what ptxas said");
    }
    *out = report;
    return STATUS_OK;
}

void tap_ptxas_free(struct tap_ptxas_report *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        free(r->function[i].name);
    free(r->function);
    memset(r, 0, sizeof *r);
}

const struct tap_ptxas_function *tap_ptxas_find(const struct tap_ptxas_report *r, const char *name)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->function[i].name, name) == 0)
            return &r->function[i];
    return NULL;
}

static uint32_t lines_of(const struct tap_ptxas_function *f, const char *code)
{
    for (uint32_t i = 0; f && i < f->code_count; i++)
        if (strcmp(f->code[i].name, code) == 0)
            return f->code[i].lines;
    return 0;
}

bool tap_ptxas_new(const struct tap_ptxas_function *before, const struct tap_ptxas_function *after, char *text,
                   size_t size)
{
    for (uint32_t i = 0; i < after->code_count; i++)
        if (after->code[i].lines > lines_of(before, after->code[i].name)) {
            snprintf(text, size, "%s", after->code[i].line);
            return true;
        }
    uint64_t stores = before ? before->spill_stores : 0, loads = before ? before->spill_loads : 0;
    if (after->spill_stores > stores || after->spill_loads > loads) {
        snprintf(text, size, "%llu bytes spill stores, %llu bytes spill loads (before: %llu, %llu)",
                 (unsigned long long)after->spill_stores, (unsigned long long)after->spill_loads,
                 (unsigned long long)stores, (unsigned long long)loads);
        return true;
    }
    snprintf(text, size, "%s", "");
    return false;
}

/* One ptxas at work: its files in a temporary folder. */
struct work {
    char in[PATH_MAX], out[PATH_MAX], log[PATH_MAX];
    pid_t pid; /* 0: not started */
};

static enum status start(const char *ptxas, const struct tap_ptxas_module *m, struct work *w, struct error *e)
{
    char *const argv[] = {(char *)(uintptr_t)ptxas,
                          (char *)(uintptr_t) "-arch=sm_90a",
                          (char *)(uintptr_t) "-v",
                          (char *)(uintptr_t) "-o",
                          w->out,
                          w->in,
                          NULL};
    posix_spawn_file_actions_t actions;
    enum status s = file_write(w->in, m->text, m->size, e);
    if (s != STATUS_OK)
        return s;
    int code = posix_spawn_file_actions_init(&actions);
    if (code)
        return error_set(e, STATUS_NO_MEMORY, "no memory to start ptxas");
    code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, w->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (!code)
        code = posix_spawnp(&w->pid, ptxas, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (!code)
        return STATUS_OK;
    w->pid = 0;
    error_set(e, code == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO,
              "cannot run it: %s (--ptxas none leaves the comparison out)", strerror(code));
    return error_at_path(e, ptxas);
}

static enum status finish(const char *ptxas, const struct tap_ptxas_module *m, struct work *w,
                          struct tap_ptxas_report *out, struct error *e)
{
    int status;
    pid_t ended;
    do
        ended = waitpid(w->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    w->pid = 0;
    if (ended < 0) {
        error_set(e, STATUS_IO, "cannot wait for it: %s", strerror(errno));
        return error_at_path(e, ptxas);
    }
    uint8_t *output = NULL;
    size_t size = 0;
    enum status s = file_read(w->log, 0, &output, &size, e);
    if (s == STATUS_OK && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        size_t line = 0;
        while (line < size && output[line] != '\n')
            line++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && line == 0)
            s = error_set(e, STATUS_IO, "cannot run %s (--ptxas none leaves the comparison out)", ptxas);
        else
            s = error_set(e, STATUS_BAD_INPUT, "ptxas does not assemble it: %.*s", (int)(line < 240 ? line : 240),
                          (const char *)output);
        error_at_path(e, m->name);
    }
    if (s == STATUS_OK)
        s = tap_ptxas_parse((const char *)output, size, out, e);
    free(output);
    return s;
}

static void abandon(struct work *w)
{
    if (w->pid)
        waitpid(w->pid, NULL, 0);
    unlink(w->in);
    unlink(w->out);
    unlink(w->log);
}

/* Up to two modules, side by side. */
static enum status run(const char *ptxas, const struct tap_ptxas_module *module, int modules,
                       struct tap_ptxas_report *out, struct error *e)
{
    struct tap_ptxas_report report[2] = {{0}, {0}};
    struct work work[2] = {{.pid = 0}, {.pid = 0}};
    char folder[PATH_MAX - 32];
    const char *temp = getenv("TMPDIR");
    if (snprintf(folder, sizeof folder, "%s/fragoracle-tap-XXXXXX", temp && *temp ? temp : "/tmp") >=
        (int)sizeof folder)
        return error_set(e, STATUS_IO, "TMPDIR is too long");
    if (!mkdtemp(folder)) {
        error_set(e, STATUS_IO, "cannot make a temporary folder: %s", strerror(errno));
        return error_at_path(e, folder);
    }
    enum status s = STATUS_OK;
    for (int i = 0; i < modules; i++) {
        snprintf(work[i].in, PATH_MAX, "%s/%d.ptx", folder, i);
        snprintf(work[i].out, PATH_MAX, "%s/%d.cubin", folder, i);
        snprintf(work[i].log, PATH_MAX, "%s/%d.log", folder, i);
    }
    for (int i = 0; i < modules && s == STATUS_OK; i++)
        s = start(ptxas, &module[i], &work[i], e);
    for (int i = 0; i < modules && s == STATUS_OK; i++)
        s = finish(ptxas, &module[i], &work[i], &report[i], e);
    for (int i = 0; i < modules; i++)
        abandon(&work[i]);
    rmdir(folder);
    if (s != STATUS_OK) {
        tap_ptxas_free(&report[0]);
        tap_ptxas_free(&report[1]);
        return s;
    }
    for (int i = 0; i < modules; i++)
        out[i] = report[i];
    return STATUS_OK;
}

enum status tap_ptxas_run(const char *ptxas, const struct tap_ptxas_module module[2], struct tap_ptxas_report out[2],
                          struct error *e)
{
    return run(ptxas, module, 2, out, e);
}

enum status tap_ptxas_run_one(const char *ptxas, const struct tap_ptxas_module *module, struct tap_ptxas_report *out,
                              struct error *e)
{
    return run(ptxas, module, 1, out, e);
}
