#include "oracle/cli/command.h"

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int command_list(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .parser = parse,
        .doc = "Lists operations, operands, subjects, probes, faults and devices.",
        .children = children,
    };
    struct common common = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &common);
    return command_answer(&common, fo_list(&answer, &error), &answer, &error);
}
