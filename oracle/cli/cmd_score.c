#include "oracle/cli/command.h"

typedef struct fo_score_options options_t;

static const struct command_option options[] = {
    {"in", "DIR", OPTION_TEXT, offsetof(options_t, in), 1,
     "A folder that emit wrote, with the outputs that emit.json names and, if you like, run.json: {\"kernel\": NAME, "
     "\"device\": NAME, \"fidelity\": \"hardware\"} (needed)"},
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0,
     "Write scores.json, rows.png, columns.png and errors.png there"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_score(o, answer, error);
}

const struct command command_score = {
    .name = "score",
    .does = "score the outputs that such a kernel left",
    .doc = "Scores the outputs that a kernel in any language left for the inputs of `fragoracle emit`.",
    .options = options,
    .size = sizeof(options_t),
    .ask = ask,
};
