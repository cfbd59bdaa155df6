#include "oracle/cli/command.h"

struct arguments {
    struct common common;
    struct fo_decode_options options;
};

enum { KEY_ON = 1, KEY_WEIGHTS, KEY_TENSOR, KEY_EXPERT, KEY_SEED };

static const struct argp_option options[] = {
    {"on", KEY_ON, "MACHINE", 0, "auto (default: the GPU if there is one), gpu, model", 0},
    {"weights", KEY_WEIGHTS, "FILE", 0, "A .safetensors file; without it the contract is exhaustive", 0},
    {"tensor", KEY_TENSOR, "STEM", 0, "Name of the tensor without _blocks and _scales", 0},
    {"expert", KEY_EXPERT, "E", 0, "Expert of the tensor (default 0)", 0},
    {"seed", KEY_SEED, "SEED", 0, "Seed of the random backgrounds (default 1)", 0},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->common;
        return 0;
    case KEY_ON:
        a->options.on = argument;
        return 0;
    case KEY_WEIGHTS:
        a->options.weights = argument;
        return 0;
    case KEY_TENSOR:
        a->options.tensor = argument;
        return 0;
    case KEY_EXPERT:
        a->options.expert = command_number(state, "--expert", argument);
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

int command_decode(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "The decode contract: does the kernel's decode put every value into its slot of the A fragment?",
        .children = children,
    };
    struct arguments a = {.options.seed = 1};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &a);
    return command_answer(&a.common, fo_decode(&a.options, &answer, &error), &answer, &error);
}
