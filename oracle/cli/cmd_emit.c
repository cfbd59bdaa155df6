#include <string.h>

#include "oracle/cli/command.h"
#include "oracle/cli/inputs.h"

enum { KEY_FOLDER = 0x2000 };

struct input {
    struct common common;
    struct inputs inputs;
    struct fo_emit_options o;
    const char *kind;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->inputs;
        state->child_inputs[1] = &in->common;
        return 0;
    case KEY_FOLDER:
        in->o.out = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (in->kind || strcmp(argument, "identity") != 0)
            argp_error(state, "unknown probe '%s'; legal: identity", argument);
        in->kind = argument;
        return 0;
    case ARGP_KEY_END:
        if (!in->o.out)
            argp_error(state, "--out DIR is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_emit(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"out", KEY_FOLDER, "DIR", 0, "Write emit.json, which names everything else, and the arrays there (needed)", 0},
        {0}};
    static const struct argp_child children[] = {{&inputs_argp, 0, NULL, 0}, {&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[identity]",
        .doc =
            "Writes the inputs of the identity probe to files, for a kernel in any language; `fragoracle score` reads "
            "the outputs that the kernel leaves beside them.",
        .children = children,
    };
    struct input in = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    in.o.P = in.inputs.shape[0], in.o.N = in.inputs.shape[1], in.o.K = in.inputs.shape[2];
    in.o.weights = in.inputs.weights;
    in.o.historical = in.inputs.historical;
    return command_answer(&in.common, fo_emit(&in.o, &answer, &error), &answer, &error);
}
