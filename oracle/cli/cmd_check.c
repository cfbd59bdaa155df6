#include "oracle/cli/command.h"

struct arguments {
    struct common common;
    struct fo_check_options options;
};

enum { KEY_SUBJECT = 1, KEY_ON, KEY_OUT, KEY_JUNIT, KEY_OUTPUTS, KEY_SEED };

static const struct argp_option options[] = {
    {"subject", KEY_SUBJECT, "S", 0, "rs (default), rs+none, rs+FAULT[+FAULT]", 0},
    {"on", KEY_ON, "MACHINE", 0, "auto (default: the GPU if there is one), gpu, model", 0},
    {"out", KEY_OUT, "FOLDER", 0, "Write check.json, contracts, scores and pictures here (default: nowhere)", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "Write a JUnit report", 0},
    {"outputs", KEY_OUTPUTS, "N", 0, "Arithmetic outputs to compare with a GPU, where there is one (default 1000000)",
     0},
    {"seed", KEY_SEED, "SEED", 0, "Seed of everything that is drawn (default 1)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case KEY_SUBJECT:
        a->options.subject = argument;
        return 0;
    case KEY_ON:
        a->options.on = argument;
        return 0;
    case KEY_OUT:
        a->options.out = argument;
        return 0;
    case KEY_JUNIT:
        a->options.junit = argument;
        return 0;
    case KEY_OUTPUTS:
        a->options.outputs = command_number(state, "--outputs", argument);
        return 0;
    case KEY_SEED:
        a->options.seed = command_number(state, "--seed", argument);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_check(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Everything, in trust order: formats, layouts, arithmetic, captures, decode, fragment, identity, routing, "
            "planted faults, and the whole product. One table, one verdict, one exit status.",
        .children = children,
    };
    struct arguments a = {.options = {.seed = 1, .progress = command_progress}};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &a);
    return command_answer(&a.common, fo_check(&a.options, &answer, &error), &answer, &error);
}
