#include "oracle/mutate/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oracle/answer/answer.h"

extern char **environ;

enum { NAP_FIRST = 500000, NAP_MOST = 20000000 }; /* nanoseconds between two looks */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The environment with the variable; owned, the strings are not. NULL without memory. */
static char **make_environment(char *variable)
{
    static const char name[] = TRIAL_VARIABLE "=";
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **made = malloc((count + 2) * sizeof *made);
    for (size_t i = 0; made && i < count; i++)
        if (strncmp(environ[i], name, sizeof name - 1) != 0)
            made[kept++] = environ[i];
    if (made) {
        made[kept++] = variable;
        made[kept] = NULL;
    }
    return made;
}

static void fill_in(const char *command, const char *path, struct text *out)
{
    for (const char *braces; (braces = strstr(command, "{}")); command = braces + 2)
        text_add(out, "%.*s%s", (int)(braces - command), command, path);
    text_add(out, "%s", command);
}

static enum status start(char *command, char *const *environment, const char *log, pid_t *pid, struct error *e)
{
    char sh[] = "sh", c[] = "-c";
    char *const argv[] = {sh, c, command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions))
        return error_set(e, STATUS_NO_MEMORY, "no memory to run the command");
    if (posix_spawnattr_init(&attributes)) {
        posix_spawn_file_actions_destroy(&actions);
        return error_set(e, STATUS_NO_MEMORY, "no memory to run the command");
    }
    int code = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (!code)
        code = posix_spawnattr_setpgroup(&attributes, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (!code)
        code = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (!code)
        return STATUS_OK;
    return error_set(e, code == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO, "cannot run the command: %s", strerror(code));
}

/* Wait for it to end, no longer than the limit, and leave nothing of its group behind. It is not reaped before the
 * group is killed: until then nobody else can have its number. */
static enum status finish(pid_t pid, double limit, struct trial *out, struct error *e)
{
    struct trial t = {.end = TRIAL_TOO_LONG};
    struct timespec nap = {0, NAP_FIRST};
    siginfo_t info = {.si_pid = 0};
    double from = now();
    int code;
    do {
        code = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        t.seconds = now() - from;
        if (code == 0 && info.si_pid == 0 && t.seconds < limit) {
            nanosleep(&nap, NULL);
            nap.tv_nsec = 2 * nap.tv_nsec < NAP_MOST ? 2 * nap.tv_nsec : NAP_MOST;
        }
    } while ((code != 0 && errno == EINTR) || (code == 0 && info.si_pid == 0 && t.seconds < limit));
    if (code == 0 && info.si_pid != 0) {
        t.end = info.si_code != CLD_EXITED ? TRIAL_SIGNAL : info.si_status == 0 ? TRIAL_PASSED : TRIAL_FAILED;
        t.code = info.si_status;
    }
    int why = errno;
    kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (code != 0)
        return error_set(e, STATUS_IO, "cannot wait for the command: %s", strerror(why));
    *out = t;
    return STATUS_OK;
}

enum status trial_run(const char *command, const char *path, const char *log, double limit, struct trial *out,
                      struct error *e)
{
    struct text filled = {0}, variable = {0};
    char **environment = NULL;
    pid_t pid;
    enum status s;
    fill_in(command, path, &filled);
    text_add(&variable, TRIAL_VARIABLE "=%s", path);
    if (!filled.failed && !variable.failed)
        environment = make_environment(variable.data);
    if (environment) {
        s = start(filled.data, environment, log, &pid, e);
        if (s == STATUS_OK)
            s = finish(pid, limit, out, e);
    } else {
        s = error_set(e, STATUS_NO_MEMORY, "no memory to run the command");
    }
    free(environment);
    text_free(&filled);
    text_free(&variable);
    return s;
}
