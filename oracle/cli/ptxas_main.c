/* ptxas_main: fragoracle-ptxas, a stand-in for ptxas that taps or mutates what it is given and then runs the real one.
 *
 *     FRAGORACLE_TAP        options of `fragoracle tap` ("" for the defaults); without it the real ptxas runs as it is
 *     FRAGORACLE_TAP_LOG    a folder that keeps of each module what came in, what went on, and the sites
 *     FRAGORACLE_MUTATE     "OPERATOR:INDEX", a mutant as `fragoracle mutate` lists them, instead of a tap
 *     FRAGORACLE_PTXAS      the real ptxas; else the first on PATH that is not this one, else that of the CUDA
 *                           installation
 *
 * A compilation does not fail because of the tap: what cannot be tapped goes on as it came, with a line on stderr where
 * somebody might have expected it to be. A mutant that does not assemble does fail it: nobody shall take the original
 * for a mutant that was not noticed. */
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle/fragoracle.h"

enum { TROUBLE = 2, WORDS_MOST = 32, WORDS_SIZE = 1024, BY_SIGNAL = 128 };

extern char **environ;

static void say(const char *what, const char *about)
{
    fprintf(stderr, "fragoracle-ptxas: %s%s%s\n", about, *about ? ": " : "", what);
}

/* Links and hard links to this program are this program. */
static int is_self(const char *path)
{
    struct stat self, other;
    return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 && self.st_dev == other.st_dev &&
           self.st_ino == other.st_ino;
}

static int runs(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0 && !is_self(path);
}

static int beside(const char *folder, char path[PATH_MAX])
{
    return folder && *folder && snprintf(path, PATH_MAX, "%s/bin/ptxas", folder) < PATH_MAX && runs(path);
}

/* The real ptxas; says why there is none. */
static int find_real(char path[PATH_MAX])
{
    const char *named = getenv("FRAGORACLE_PTXAS"), *list = getenv("PATH");
    if (named && *named) {
        if (snprintf(path, PATH_MAX, "%s", named) < PATH_MAX && runs(path))
            return 1;
        say(is_self(named) ? "FRAGORACLE_PTXAS must name the real ptxas, and this is the stand-in"
                           : "FRAGORACLE_PTXAS names nothing that can be run",
            named);
        return 0;
    }
    while (list && *list) {
        size_t length = strcspn(list, ":");
        if (snprintf(path, PATH_MAX, "%.*s/ptxas", (int)length, length ? list : ".") < PATH_MAX && runs(path))
            return 1;
        list += length + (list[length] == ':');
    }
    if (beside(getenv("CUDA_HOME"), path) || beside(getenv("CUDA_PATH"), path) || beside("/usr/local/cuda", path))
        return 1;
    say("no ptxas on PATH or in CUDA_HOME: name it with FRAGORACLE_PTXAS", "");
    return 0;
}

static int run_untouched(const char *real, char **argv)
{
    execv(real, argv);
    say(strerror(errno), real);
    return TROUBLE;
}

/* Does the file hold this text? 0 also where it cannot be read: ptxas will say so. */
static int holds(const char *path, const char *text)
{
    struct stat st;
    int found = 0;
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    size_t size = f ? (size_t)st.st_size : 0;
    char *data = size ? malloc(size) : NULL;
    if (data)
        found = memmem(data, fread(data, 1, size, f), text, strlen(text)) != NULL;
    free(data);
    if (f)
        fclose(f);
    return found;
}

/* Index of the argument that is a module with wgmma; 0 for none. */
static int find_module(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int output = strcmp(argv[i - 1], "-o") == 0 || strcmp(argv[i - 1], "--output-file") == 0;
        if (argv[i][0] != '-' && !output && holds(argv[i], "wgmma.mma_async"))
            return i;
    }
    return 0;
}

static int options_file(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (argv[i][0] == '@' || strncmp(argv[i], "--options-file", 14) == 0 || strncmp(argv[i], "-optf", 5) == 0)
            return 1;
    return 0;
}

struct named_number {
    const char *name;
    uint64_t *value;
    int positive;
};

static int parse_number(const struct named_number *n, const char *text)
{
    char *end;
    errno = 0;
    *n->value = strtoull(text, &end, 0);
    return end != text && !*end && !errno && !strchr(text, '-') && (*n->value > 0 || !n->positive);
}

/* One option of FRAGORACLE_TAP; *used says whether it took `value`. 0 for one that it does not know. */
static int parse_word(struct fo_tap_options *o, const char *name, const char *value, int *used)
{
    const struct named_number numbers[] = {{"--block", &o->block, 0},         {"--blocks", &o->blocks, 1},
                                           {"--warpgroup", &o->warpgroup, 0}, {"--warpgroups", &o->warpgroups, 1},
                                           {"--iteration", &o->iteration, 0}, {"--iterations", &o->iterations, 1}};
    *used = 0;
    if (strcmp(name, "--last") == 0)
        return o->last = 1;
    if (strcmp(name, "--all") == 0)
        return o->all = 1;
    if (strcmp(name, "--no-bytes") == 0)
        return o->no_bytes = 1;
    *used = 1;
    if (!value)
        return 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(name, numbers[i].name) == 0)
            return parse_number(&numbers[i], value);
    if (strcmp(name, "--function") == 0)
        o->function = value;
    else if (strcmp(name, "--sites") == 0)
        o->sites = value;
    else
        return 0;
    return 1;
}

/* Options as words between blanks, --name VALUE or --name=VALUE. words: holds them. 0, and a line, for a bad one. */
static int parse_options(const char *text, char words[WORDS_SIZE], struct fo_tap_options *o)
{
    char *word[WORDS_MOST + 1] = {NULL}, *state = NULL;
    int count = 0, used;
    if (strlen(text) >= WORDS_SIZE) {
        say("FRAGORACLE_TAP is too long", "not tapped");
        return 0;
    }
    strcpy(words, text);
    for (char *w = strtok_r(words, " \t\n", &state); w && count < WORDS_MOST; w = strtok_r(NULL, " \t\n", &state))
        word[count++] = w;
    for (int i = 0; i < count; i++) {
        char *equals = strchr(word[i], '=');
        if (equals)
            *equals = '\0';
        if (!parse_word(o, word[i], equals ? equals + 1 : word[i + 1], &used) || (equals && !used)) {
            fprintf(stderr,
                    "fragoracle-ptxas: not tapped: FRAGORACLE_TAP: '%s' is no option of `fragoracle tap`, or its value "
                    "cannot be\n",
                    word[i]);
            return 0;
        }
        i += used && !equals;
    }
    return 1;
}

/* Where the files of one module go: a temporary folder, or the log. */
struct places {
    char folder[PATH_MAX];
    char in[PATH_MAX], out[PATH_MAX], sites[PATH_MAX];
    int keep;
};

static int name_place(char path[PATH_MAX], const struct places *p, int stem, const char *base, const char *kind)
{
    return snprintf(path, PATH_MAX, "%s/%.*s.%ld.%s", p->folder, stem, base, (long)getpid(), kind) < PATH_MAX;
}

/* log: a folder, or NULL. otherwise: what to say where there is no such place. */
static int make_places(const char *module, const char *log, const char *otherwise, struct places *p)
{
    const char *temp = getenv("TMPDIR"), *base = strrchr(module, '/');
    base = base ? base + 1 : module;
    int stem = (int)strcspn(base, ".");
    p->keep = log && *log;
    int n = p->keep ? snprintf(p->folder, PATH_MAX, "%s", log)
                    : snprintf(p->folder, PATH_MAX, "%s/fragoracle-ptxas-XXXXXX", temp && *temp ? temp : "/tmp");
    if (n >= PATH_MAX - NAME_MAX)
        errno = ENAMETOOLONG;
    else if (p->keep ? mkdir(p->folder, 0777) == 0 || errno == EEXIST : mkdtemp(p->folder) != NULL) {
        return name_place(p->in, p, stem, base, "ptx") && name_place(p->out, p, stem, base, "tap.ptx") &&
               name_place(p->sites, p, stem, base, "sites.json");
    }
    fprintf(stderr, "fragoracle-ptxas: %s: %s: %s\n", otherwise, p->folder, strerror(errno));
    return 0;
}

static void clear_places(const struct places *p)
{
    if (p->keep)
        return;
    unlink(p->out);
    rmdir(p->folder);
}

/* A copy of the module and the list of its sites into the log. A log that cannot be written is no reason to stop. */
static void write_log(const struct places *p, const char *module, const char *json)
{
    struct fo_error error;
    struct stat st;
    FILE *f = stat(module, &st) == 0 ? fopen(module, "rb") : NULL;
    char *data = f ? malloc((size_t)st.st_size + 1) : NULL;
    size_t size = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
    if (!data || fo_write_file(p->in, data, size, &error) != 0 ||
        fo_write_file(p->sites, json, strlen(json), &error) != 0)
        say(data ? error.line : "cannot copy the module", "the log is not whole");
    free(data);
    if (f)
        fclose(f);
}

/* Tap `module` to p->out. 0 where it goes on as it came. */
static int tap(const char *module, struct fo_tap_options *o, const struct places *p)
{
    struct fo_answer answer = {0};
    struct fo_error error;
    o->in = module;
    o->out = p->out;
    int code = fo_tap(o, &answer, &error);
    if (code != 0) {
        if (code != FO_TAP_NOTHING)
            say(error.line, "not tapped");
        return 0;
    }
    if (p->keep)
        write_log(p, module, answer.json);
    fo_answer_free(&answer);
    return 1;
}

/* Write a mutant of `module` to p->out. 0 where it has none. */
static int mutate(const char *module, const char *mutant, const struct places *p)
{
    struct fo_mutate_options o = {.in = module, .only = mutant, .keep = p->folder};
    struct fo_answer answer = {0};
    struct fo_error error;
    char made[PATH_MAX];
    int length = snprintf(made, sizeof made, "%s/%s.ptx", p->folder, mutant);
    char *colon = strrchr(made, ':');
    if (length >= PATH_MAX || !colon || strchr(mutant, '/')) {
        say("FRAGORACLE_MUTATE is no OPERATOR:INDEX", "not mutated");
        return 0;
    }
    *colon = '-';
    if (fo_mutate(&o, &answer, &error) != 0) {
        say(error.line, "not mutated");
        return 0;
    }
    fo_answer_free(&answer);
    if (rename(made, p->out) != 0) {
        say(strerror(errno), "not mutated");
        unlink(made);
        return 0;
    }
    say(mutant, module);
    return 1;
}

/* Exit status of the real ptxas. */
static int run(const char *real, char **argv)
{
    pid_t pid;
    int status, code = posix_spawn(&pid, real, NULL, NULL, argv, environ);
    if (code) {
        say(strerror(code), real);
        return TROUBLE;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return TROUBLE;
    return WIFEXITED(status) ? WEXITSTATUS(status) : BY_SIGNAL + WTERMSIG(status);
}

static int run_mutated(const char *real, char **argv, int module, const char *mutant)
{
    struct places places;
    if (!make_places(argv[module], NULL, "not mutated", &places))
        return TROUBLE;
    int made = mutate(argv[module], mutant, &places), status = 0;
    if (made) {
        argv[module] = places.out;
        status = run(real, argv);
    }
    clear_places(&places);
    return made ? status : run_untouched(real, argv);
}

static int run_tapped(const char *real, char **argv, int module, struct fo_tap_options *options)
{
    struct places places;
    if (!make_places(argv[module], getenv("FRAGORACLE_TAP_LOG"), "not tapped", &places))
        return run_untouched(real, argv);
    char *original = argv[module];
    if (tap(original, options, &places)) {
        argv[module] = places.out;
        int status = run(real, argv);
        argv[module] = original;
        clear_places(&places);
        if (status == 0)
            return 0;
        say("does not assemble when tapped: goes on as it is", original);
    } else
        clear_places(&places);
    return run_untouched(real, argv);
}

int main(int argc, char **argv)
{
    char real[PATH_MAX], words[WORDS_SIZE];
    const char *wanted = getenv("FRAGORACLE_TAP"), *mutant = getenv("FRAGORACLE_MUTATE");
    struct fo_tap_options options = {0};
    if (!find_real(real))
        return TROUBLE;
    /* A copy of this program elsewhere on PATH shall recognise itself instead of calling back. */
    setenv("FRAGORACLE_PTXAS", real, 1);
    argv[0] = real;
    if (mutant && !*mutant)
        mutant = NULL;
    if (!wanted && !mutant)
        return run_untouched(real, argv);
    if (options_file(argc, argv)) {
        say("arguments in a file are not looked into", mutant ? "not mutated" : "not tapped");
        return run_untouched(real, argv);
    }
    int module = find_module(argc, argv);
    if (!module)
        return run_untouched(real, argv);
    if (mutant)
        return run_mutated(real, argv, module, mutant);
    return parse_options(wanted, words, &options) ? run_tapped(real, argv, module, &options)
                                                  : run_untouched(real, argv);
}
