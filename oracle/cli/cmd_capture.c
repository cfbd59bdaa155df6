#include "oracle/cli/command.h"

struct arguments {
    struct common common;
    struct fo_capture_options options;
};

enum { KEY_METHOD = 1, KEY_ON, KEY_OUT, KEY_SEED };

static const struct argp_option options[] = {
    {"method", KEY_METHOD, "METHOD", 0,
     "loader, onehot or all (default): the map; arithmetic: tiles of every regime, for replay", 0},
    {"on", KEY_ON, "MACHINE", 0, "auto (default: the GPU if there is one), gpu, model", 0},
    {"out", KEY_OUT, "PATH", 0, "Write the contract to this file (arithmetic: to this folder)", 0},
    {"seed", KEY_SEED, "SEED", 0, "Seed of arithmetic (default 1)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case KEY_METHOD:
        a->options.method = argument;
        return 0;
    case KEY_ON:
        a->options.on = argument;
        return 0;
    case KEY_OUT:
        a->options.out = argument;
        return 0;
    case KEY_SEED:
        a->options.seed = command_number(state, "--seed", argument);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            a->options.op = argument;
        else if (state->arg_num == 1)
            a->options.operand = argument;
        else
            argp_error(state, "too many arguments; wanted OP OPERAND");
        return 0;
    case ARGP_KEY_END:
        if (!a->options.operand)
            argp_error(state, "wanted OP OPERAND, for example wgmma.m64n64k16.f32.bf16.bf16.rs A");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_capture(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "OP OPERAND",
        .doc = "Measures the fragment map of an operand, or tiles of arithmetic, and writes what was measured.",
        .children = children,
    };
    struct arguments a = {.options.seed = 1};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &a);
    return command_answer(&a.common, fo_capture(&a.options, &answer, &error), &answer, &error);
}
