#include <inttypes.h>

#include "oracle/cli/command.h"
#include "oracle/cli/inputs.h"

enum { KEY_SUBJECT = 0x2000, KEY_PASS, KEY_ON, KEY_FOLDER };

struct input {
    struct common common;
    struct inputs inputs;
    struct fo_probe_options o;
};

static int64_t pass_number(struct argp_state *state, const char *text)
{
    uint64_t pass = command_number(state, "--pass", text);
    if (pass > INT64_MAX)
        argp_error(state, "--pass %s: there is no such pass", text);
    return (int64_t)pass;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct input *in = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &in->inputs;
        state->child_inputs[1] = &in->common;
        return 0;
    case KEY_SUBJECT:
        in->o.subject = argument;
        return 0;
    case KEY_PASS:
        in->o.pass = pass_number(state, argument);
        return 0;
    case KEY_ON:
        in->o.on = argument;
        return 0;
    case KEY_FOLDER:
        in->o.out = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (in->o.kind)
            argp_error(state, "one KIND only, not '%s' besides", argument);
        in->o.kind = argument;
        return 0;
    case ARGP_KEY_END:
        if (!in->o.kind)
            argp_error(state, "KIND is needed; legal: identity");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_probe(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"subject", KEY_SUBJECT, "S", 0,
         "rs (default), rs+none (its clean twin) or rs+FAULT[+FAULT]; `fragoracle list` names the faults", 0},
        {"pass", KEY_PASS, "S", 0, "Only this pass (default all)", 0},
        {"on", KEY_ON, "auto|gpu|model", 0, "Where (default auto: the GPU if there is one, else the bit-exact model)",
         0},
        {"out", KEY_FOLDER, "DIR", 0, "Write scores.json, rows.png, columns.png and errors.png there", 0},
        {0}};
    static const struct argp_child children[] = {{&inputs_argp, 0, NULL, 0}, {&common_argp_no_out, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "KIND",
        .doc = "Asks a kernel with inputs whose outputs name their source, and scores it. KIND is identity.",
        .children = children,
    };
    struct input in = {.o = {.pass = -1, .progress = command_progress}};
    struct fo_answer answer = {0};
    struct fo_error error;
    command_parse(&argp, argc, argv, &in);
    in.o.P = in.inputs.shape[0], in.o.N = in.inputs.shape[1], in.o.K = in.inputs.shape[2];
    in.o.weights = in.inputs.weights;
    in.o.historical = in.inputs.historical;
    return command_answer(&in.common, fo_probe(&in.o, &answer, &error), &answer, &error);
}
