#include "oracle/cli/command.h"

enum { KEY_IN = 0x2000, KEY_FILE };

struct input {
    struct common common;
    struct fo_unpack_options o;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case KEY_IN:
        in->o.in = argument;
        return 0;
    case KEY_FILE:
        in->o.out = argument;
        return 0;
    case ARGP_KEY_END:
        if (!in->o.in || !in->o.out)
            argp_error(state, "--in and --out are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_unpack(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"in", KEY_IN, "DIR", 0, "A folder that pack wrote (needed)", 0},
        {"out", KEY_FILE, "FILE", 0, "Write STEM_blocks and STEM_scales to this .safetensors file (needed)", 0},
        {0}};
    static const struct argp_child children[] = {{&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Turns a folder of packed weights back into checkpoint tensors, bit for bit.",
        .children = children,
    };
    struct input in = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    return command_answer(&in.common, fo_unpack(&in.o, &answer, &error), &answer, &error);
}
