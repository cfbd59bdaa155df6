#include "oracle/cli/command.h"

enum { KEY_IN = 0x2000, KEY_FOLDER };

struct input {
    struct common common;
    struct fo_score_options o;
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
    case KEY_FOLDER:
        in->o.out = argument;
        return 0;
    case ARGP_KEY_END:
        if (!in->o.in)
            argp_error(state, "--in DIR is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_score(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"in", KEY_IN, "DIR", 0,
         "A folder that emit wrote, with the outputs that emit.json names and, if you like, run.json: {\"kernel\": "
         "NAME, "
         "\"device\": NAME, \"fidelity\": \"hardware\"} (needed)",
         0},
        {"out", KEY_FOLDER, "DIR", 0, "Write scores.json, rows.png, columns.png and errors.png there", 0},
        {0}};
    static const struct argp_child children[] = {{&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Scores the outputs that a kernel in any language left for the inputs of `fragoracle emit`.",
        .children = children,
    };
    struct input in = {0};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    return command_answer(&in.common, fo_score(&in.o, &answer, &error), &answer, &error);
}
