#include "oracle/cli/command.h"

enum { KEY_SLOT = 0x2000, KEY_ELEMENT, KEY_FORMAT, KEY_PNG, KEY_AGAINST };

struct input {
    struct common common;
    struct fo_map_options options;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->common;
        return 0;
    case KEY_SLOT:
        in->options.slot = argument;
        return 0;
    case KEY_ELEMENT:
        in->options.element = argument;
        return 0;
    case KEY_FORMAT:
        in->options.format = argument;
        return 0;
    case KEY_PNG:
        in->options.png = argument;
        return 0;
    case KEY_AGAINST:
        in->options.against = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num >= 2)
            argp_error(state, "one operation and one operand; '%s' is too much", argument);
        *(state->arg_num == 0 ? &in->options.op : &in->options.operand) = argument;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            argp_error(state, "name an operation and an operand, as in wgmma.m64n64k16.f32.bf16.bf16.rs A");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"slot", KEY_SLOT, "THREAD.REG.PART", 0, "Which element is held there", 0},
    {"element", KEY_ELEMENT, "I,J", 0, "Which slot holds this element", 0},
    {"format", KEY_FORMAT, "FORMAT", 0, "The whole map as table (default), csv, markdown, cute or linear", 0},
    {"png", KEY_PNG, "FILE", 0, "Draw the map as a picture", 0},
    {"against", KEY_AGAINST, "DUMP.npy", 0,
     "Name the slots of a dump that hold a wrong element. The dump: registers of a kernel that loaded a matrix whose "
     "element (i,j) is the number i*columns+j; u4 [threads][registers], part 0 in the low bits, or u2 "
     "[threads][registers][parts]",
     0},
    {0}};

int command_map(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "OP OPERAND",
        .doc = "The fragment map of an operand (A or D), queried in both directions. Without a query: the whole map.",
        .children = children,
    };
    struct input in = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    return command_answer(&in.common, fo_map(&in.options, &answer, &error), &answer, &error);
}
