#include "oracle/exec/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "fragoracle-subject"

extern char **environ;

/* How long a process may take to end once its socket is closed, and between two looks. */
static const double patience = 5.0;
enum { LOOK_NANOSECONDS = 1000000 };

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum status child_process_limit(double *seconds, struct error *e)
{
    enum { DEFAULT = 60, MOST = 1000000 };
    const char *text = getenv("FRAGORACLE_TIMEOUT");
    char *end;
    if (!text || !*text)
        return *seconds = DEFAULT, STATUS_OK;
    double value = strtod(text, &end);
    if (*end || !(value > 0) || value > MOST)
        return error_set(e, STATUS_BAD_ARGUMENT, "FRAGORACLE_TIMEOUT is '%s': wanted seconds, above 0 and at most %d",
                         text, MOST);
    return *seconds = value, STATUS_OK;
}

/* A name without a slash is looked for on PATH by who starts it. */
static const char *program_path(char path[PATH_MAX])
{
    const char *named = getenv("FRAGORACLE_SUBJECT");
    if (named && *named)
        return named;
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - sizeof PROGRAM);
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length <= 0)
        return PROGRAM;
    memcpy(path + length, PROGRAM, sizeof PROGRAM);
    return access(path, X_OK) == 0 ? path : PROGRAM;
}

/* Standard output is the answer of who asks, so the child's goes to standard error; nothing else of ours is open in it.
 * A group of its own, so that what it starts ends with it. */
static int spawn(const char *path, const char *subject, const char *on, int socket, pid_t *pid)
{
    char *const arguments[] = {(char *)PROGRAM, (char *)subject, (char *)on, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    sigemptyset(&none);
    sigfillset(&usual);
    failed = posix_spawn_file_actions_adddup2(&actions, socket, CHILD_SOCKET);
    failed = failed ? failed : posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    failed = failed ? failed : posix_spawn_file_actions_addclosefrom_np(&actions, CHILD_SOCKET + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    failed = failed ? failed : posix_spawnp(pid, path, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

enum status child_process_start(const char *subject, const char *on, struct child_process *out, struct error *e)
{
    char beside[PATH_MAX];
    const char *path = program_path(beside);
    int end[2];
    pid_t pid;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) != 0)
        return error_set(e, STATUS_IO, "no socket: %s", strerror(errno));
    /* dup2 onto itself would leave it to be closed by exec. */
    int theirs = end[1] == CHILD_SOCKET ? fcntl(end[1], F_DUPFD_CLOEXEC, CHILD_SOCKET + 1) : end[1];
    int failed = theirs < 0 ? errno : spawn(path, subject, on, theirs, &pid);
    if (theirs != end[1] && theirs >= 0)
        close(theirs);
    close(end[1]);
    if (failed) {
        close(end[0]);
        error_set(e, STATUS_IO, "cannot be started (%s), and a subject runs in it; $FRAGORACLE_SUBJECT may name it",
                  strerror(failed));
        return error_at_path(e, path), STATUS_IO;
    }
    *out = (struct child_process){pid, end[0]};
    return STATUS_OK;
}

/* Has it ended by `deadline`? Then it is reaped. */
static bool ended(pid_t pid, double deadline, int *how)
{
    for (;;) {
        pid_t got = waitpid(pid, how, WNOHANG);
        if (got == pid)
            return true;
        if (got < 0 && errno != EINTR)
            return *how = 0, true; /* who called this library ignores SIGCHLD: it reaped itself */
        if (now_seconds() >= deadline)
            return false;
        nanosleep(&(struct timespec){0, LOOK_NANOSECONDS}, NULL);
    }
}

void child_process_stop(struct child_process *p, bool now)
{
    int how;
    if (p->socket >= 0)
        close(p->socket);
    if (p->pid > 0) {
        bool gone = !now && ended(p->pid, now_seconds() + patience, &how);
        /* The number of the group is not given anew while one of it lives, nor before its leader is reaped. */
        if (!gone) {
            kill(-p->pid, SIGKILL);
            kill(p->pid, SIGKILL);
            while (waitpid(p->pid, &how, 0) < 0 && errno == EINTR)
                ;
        }
    }
    *p = (struct child_process){0, -1};
}

/* The other end was closed: say how the process ended. */
static enum status lost(struct child_process *p, double seconds, struct error *e)
{
    int how;
    bool gone = ended(p->pid, now_seconds() + (seconds < patience ? seconds : patience), &how);
    pid_t group = p->pid;
    if (gone) {
        kill(-group, SIGKILL); /* what it left behind */
        p->pid = 0;
    }
    child_process_stop(p, true);
    if (!gone)
        return error_set(e, STATUS_SUBJECT, "closed its connection");
    if (!WIFSIGNALED(how))
        return error_set(e, STATUS_SUBJECT, "ended its process (exit status %d)", WEXITSTATUS(how));
    const char *name = sigabbrev_np(WTERMSIG(how));
    return error_set(e, STATUS_SUBJECT, "died of signal %d (SIG%s)", WTERMSIG(how), name ? name : "?");
}

enum status child_process_wait(struct child_process *p, double seconds, struct child_reply *reply, struct error *e)
{
    double deadline = now_seconds() + seconds;
    for (;;) {
        struct pollfd ready = {.fd = p->socket, .events = POLLIN};
        double left = deadline - now_seconds();
        int wait = left <= 0 ? 0 : left > INT_MAX / 1000 ? INT_MAX : (int)ceil(left * 1000);
        int got = poll(&ready, 1, wait);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 && left > 0)
            continue;
        if (got == 0) {
            child_process_stop(p, true);
            return error_set(e, STATUS_SUBJECT, "did not answer within %g s", seconds);
        }
        return child_reply_receive(p->socket, reply) ? STATUS_OK : lost(p, seconds, e);
    }
}
