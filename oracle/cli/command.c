#include "oracle/cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_JSON = 0x1000, KEY_OUT, KEY_BISECT };

static error_t common_parse(int key, char *argument, struct argp_state *state)
{
    struct common *c = state->input;
    switch (key) {
    case KEY_JSON:
        c->json = 1;
        return 0;
    case KEY_OUT:
        c->json = 1;
        c->json_out = argument;
        return 0;
    case KEY_BISECT:
        argp_err_exit_status = EXIT_BISECT_SKIP;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options_with_out[] = {
    {"json", KEY_JSON, NULL, 0, "Machine-readable answer on standard output; prose goes to standard error", 0},
    {"out", KEY_OUT, "FILE", 0, "Write the machine-readable answer to FILE", 0},
    {"bisect", KEY_BISECT, NULL, 0, "Exit with 125 where it would be 2 (git bisect skips)", 0},
    {0}};

static const struct argp_option options_without_out[] = {
    {"json", KEY_JSON, NULL, 0, "Machine-readable answer on standard output; prose goes to standard error", 0},
    {"bisect", KEY_BISECT, NULL, 0, "Exit with 125 where it would be 2 (git bisect skips)", 0},
    {0}};

const struct argp common_argp = {.options = options_with_out, .parser = common_parse};
const struct argp common_argp_no_out = {.options = options_without_out, .parser = common_parse};

void command_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    /* argp takes the program name for its messages from argv[0]. */
    static char name[64];
    snprintf(name, sizeof name, "fragoracle %s", argv[0]);
    argv[0] = name;
    int code = argp_parse(argp, argc, argv, 0, NULL, input);
    if (code == 0)
        return;
    fprintf(stderr, "%s: cannot read the options: %s\n", name, strerror(code));
    exit(argp_err_exit_status);
}

static int write_whole(const char *path, const char *text)
{
    struct fo_error error;
    if (fo_write_file(path, text, strlen(text), &error) == 0)
        return 0;
    fprintf(stderr, "fragoracle: %s\n", error.line);
    return 1;
}

int command_answer(const struct common *c, int failed, struct fo_answer *answer, const struct fo_error *error)
{
    if (failed) {
        fprintf(stderr, "fragoracle: %s\n", error->line);
        return argp_err_exit_status;
    }
    int lost = c->json_out && write_whole(c->json_out, answer->json);
    if (!lost)
        fputs(answer->text, c->json ? stderr : stdout);
    if (c->json && !c->json_out)
        fputs(answer->json, stdout);
    enum fo_verdict verdict = answer->verdict;
    fo_answer_free(answer);
    if (lost || verdict == FO_UNDECIDED)
        return argp_err_exit_status;
    return verdict == FO_DIFFERS ? EXIT_DIFFERS : EXIT_CONFORMS;
}

uint64_t command_number(struct argp_state *state, const char *option, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (end == text || *end || errno || text[0] == '-')
        argp_error(state, "%s '%s' is not a number", option, text);
    return value;
}

void command_shape(struct argp_state *state, const char *text, uint64_t shape[3])
{
    unsigned long long p, n, k;
    int used = 0;
    if (sscanf(text, "%llu,%llu,%llu%n", &p, &n, &k, &used) != 3 || text[used] || strchr(text, '-') || !p || !n || !k)
        argp_error(state, "--shape '%s' is not P,N,K (three positive numbers)", text);
    shape[0] = p, shape[1] = n, shape[2] = k;
}

void command_progress(void *context, const char *line)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", line);
}
