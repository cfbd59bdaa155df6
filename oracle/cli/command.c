#include "oracle/cli/command.h"

#include <argp.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_OPTION = 0x1000,
    KEY_JSON = 0x2000,
    KEY_JSON_OUT,
    KEY_BISECT,
    OPTIONS_MOST = 20,
    OPTIONS_OWN = 5,
    OPTIONS_SIZE = 320
};

/* What one run of a command is told. */
struct invocation {
    const struct command *command;
    char *options; /* the option struct */
    int json;
    const char *json_out;
    unsigned given; /* bit i: option i was given */
};

static uint64_t parse_number(struct argp_state *state, const char *option, const char *text, uint64_t least,
                             uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (end == text || *end || errno || strchr(text, '-'))
        argp_error(state, "--%s '%s' is not a number", option, text);
    if (value < least)
        argp_error(state, "--%s %s: must be at least %" PRIu64, option, text, least);
    if (value > most)
        argp_error(state, "--%s %s: must be at most %" PRIu64, option, text, most);
    return value;
}

static void parse_shape(struct argp_state *state, const char *text, uint64_t shape[3])
{
    int used = 0;
    if (sscanf(text, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 "%n", &shape[0], &shape[1], &shape[2], &used) != 3 ||
        text[used] || strchr(text, '-') || !shape[0] || !shape[1] || !shape[2])
        argp_error(state, "--shape '%s' is not P,N,K (three positive numbers)", text);
}

static void parse_option(struct argp_state *state, const struct command_option *o, char *text, char *member)
{
    uint64_t number;
    int small;
    switch (o->kind) {
    case OPTION_TEXT:
        memcpy(member, &text, sizeof text);
        break;
    case OPTION_NUMBER:
    case OPTION_INDEX:
    case OPTION_POSITIVE:
        number = parse_number(state, o->name, text, o->kind == OPTION_POSITIVE,
                              o->kind == OPTION_INDEX ? INT64_MAX : UINT64_MAX);
        memcpy(member, &number, sizeof number);
        break;
    case OPTION_INT:
        small = (int)parse_number(state, o->name, text, 1, INT32_MAX);
        memcpy(member, &small, sizeof small);
        break;
    case OPTION_FLAG:
        small = 1;
        memcpy(member, &small, sizeof small);
        break;
    case OPTION_SHAPE:
        parse_shape(state, text, (uint64_t *)(void *)member);
        break;
    }
}

static void parse_operand(struct argp_state *state, struct invocation *in, char *text)
{
    const struct command *c = in->command;
    if (state->arg_num >= COMMAND_OPERANDS || !c->operands[state->arg_num])
        argp_error(state, "'%s' is one argument too many", text);
    else
        memcpy(in->options + c->operand_offset[state->arg_num], &text, sizeof text);
}

/* Everything that must be there. */
static void parse_end(struct argp_state *state, const struct invocation *in)
{
    const struct command *c = in->command;
    if ((int)state->arg_num < c->operands_needed)
        argp_error(state, "%s is needed", c->operands[state->arg_num]);
    for (int i = 0; c->options && c->options[i].name; i++)
        if (c->options[i].needed && !(in->given >> i & 1u))
            argp_error(state, "--%s %s is needed", c->options[i].name, c->options[i].argument);
}

/* Index of an option that the command has. */
static int option_named(const struct command *c, const char *name)
{
    int i = 0;
    while (strcmp(c->options[i].name, name) != 0)
        i++;
    return i;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct invocation *in = state->input;
    if (in->command->short_out && key == in->command->short_out)
        key = KEY_OPTION + option_named(in->command, "out");
    if (key >= KEY_OPTION && key < KEY_OPTION + OPTIONS_MOST) {
        const struct command_option *o = &in->command->options[key - KEY_OPTION];
        parse_option(state, o, argument, in->options + o->offset);
        in->given |= 1u << (key - KEY_OPTION);
        return 0;
    }
    switch (key) {
    case KEY_JSON_OUT:
        in->json_out = argument;
        in->json = 1;
        return 0;
    case KEY_JSON:
        in->json = 1;
        return 0;
    case KEY_BISECT:
        return 0; /* main has seen it */
    case ARGP_KEY_ARG:
        parse_operand(state, in, argument);
        return 0;
    case ARGP_KEY_END:
        parse_end(state, in);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The table of a command, and what every command has, as argp wants it. */
static void argp_options(const struct command *c, struct argp_option out[OPTIONS_MOST + OPTIONS_OWN])
{
    int n = 0;
    for (int i = 0; c->options && c->options[i].name; i++) {
        assert(i < OPTIONS_MOST);
        out[n++] = (struct argp_option){.name = c->options[i].name,
                                        .key = KEY_OPTION + i,
                                        .arg = c->options[i].argument,
                                        .doc = c->options[i].help};
        if (c->short_out && strcmp(c->options[i].name, "out") == 0)
            out[n++] = (struct argp_option){.key = c->short_out, .flags = OPTION_ALIAS};
    }
    out[n++] = (struct argp_option){.name = "json",
                                    .key = KEY_JSON,
                                    .doc = "Machine-readable answer on standard output; prose goes to standard error"};
    if (c->json_out)
        out[n++] = (struct argp_option){
            .name = "out", .key = KEY_JSON_OUT, .arg = "FILE", .doc = "Write the machine-readable answer to FILE"};
    out[n++] = (struct argp_option){
        .name = "bisect", .key = KEY_BISECT, .doc = "Exit with 125 where it would be 2 (git bisect skips)"};
    out[n] = (struct argp_option){0};
}

static int json_lost(const char *path, const char *text)
{
    struct fo_error error;
    if (fo_write_file(path, text, strlen(text), &error) == 0)
        return 0;
    fprintf(stderr, "fragoracle: %s\n", error.line);
    return 1;
}

/* Text to stdout, or JSON to stdout or a file and text to stderr. main sees whether stdout took it. */
static int print_answer(const struct invocation *in, const struct fo_answer *answer)
{
    if (in->json_out && json_lost(in->json_out, answer->json))
        return argp_err_exit_status;
    fputs(answer->text, in->json ? stderr : stdout);
    if (in->json && !in->json_out)
        fputs(answer->json, stdout);
    if (answer->verdict == FO_UNDECIDED)
        return argp_err_exit_status;
    return answer->verdict == FO_DIFFERS ? EXIT_DIFFERS : EXIT_CONFORMS;
}

int command_run(const struct command *c, int argc, char **argv)
{
    union {
        char bytes[OPTIONS_SIZE];
        uint64_t align;
    } options = {{0}};
    struct argp_option table[OPTIONS_MOST + OPTIONS_OWN];
    char name[64], operands[64] = "";
    struct invocation in = {.command = c, .options = options.bytes};
    assert(c->size <= sizeof options);
    if (c->defaults)
        memcpy(options.bytes, c->defaults, c->size);
    argp_options(c, table);
    for (int i = 0; i < COMMAND_OPERANDS && c->operands[i]; i++) {
        size_t used = strlen(operands);
        snprintf(operands + used, sizeof operands - used, i < c->operands_needed ? "%s%s" : "%s[%s]", i ? " " : "",
                 c->operands[i]);
    }
    const struct argp argp = {.options = table, .parser = parse, .args_doc = operands, .doc = c->doc};
    /* argp takes the program name for its messages from argv[0]. */
    snprintf(name, sizeof name, "fragoracle %s", c->name);
    argv[0] = name;
    int code = argp_parse(&argp, argc, argv, 0, NULL, &in);
    if (code != 0) {
        fprintf(stderr, "%s: cannot read the options: %s\n", name, strerror(code));
        return argp_err_exit_status;
    }

    struct fo_answer answer = {0};
    struct fo_error error;
    if (c->ask(options.bytes, &answer, &error) != 0) {
        fprintf(stderr, "fragoracle: %s\n", error.line);
        return argp_err_exit_status;
    }
    int status = print_answer(&in, &answer);
    fo_answer_free(&answer);
    return status;
}

/* Is there an executable `name` on PATH? */
static int on_path(const char *name)
{
    const char *path = getenv("PATH");
    char file[4096];
    while (path && *path) {
        size_t length = strcspn(path, ":");
        if (snprintf(file, sizeof file, "%.*s/%s", (int)length, length ? path : ".", name) < (int)sizeof file &&
            access(file, X_OK) == 0)
            return 1;
        path += length + (path[length] == ':');
    }
    return 0;
}

const char *command_ptxas(const char *given)
{
    if (!given)
        return on_path("ptxas") ? "ptxas" : NULL;
    return strcmp(given, "none") == 0 ? NULL : given;
}

void command_progress(void *context, const char *line)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", line);
}
