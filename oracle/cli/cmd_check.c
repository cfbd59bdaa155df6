#include "oracle/cli/command.h"

typedef struct fo_check_options options_t;

static const options_t defaults = {.seed = 1, .progress = command_progress};

static const struct command_option options[] = {
    {"subject", "S", OPTION_TEXT, offsetof(options_t, subject), 0, "rs (default), rs+none, rs+FAULT[+FAULT]"},
    COMMAND_ON(options_t),
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0,
     "Write check.json, contracts, scores and pictures here (default: nowhere)"},
    {"junit", "FILE", OPTION_TEXT, offsetof(options_t, junit), 0, "Write a JUnit report"},
    {"outputs", "N", OPTION_POSITIVE, offsetof(options_t, outputs), 0,
     "Arithmetic outputs to compare with a GPU, where there is one (default 1000000)"},
    {"pairs", "N", OPTION_POSITIVE, offsetof(options_t, pairs), 0,
     "Pairs of planted faults to draw and to name (default 12, thorough 200)"},
    {"thorough", NULL, OPTION_FLAG, offsetof(options_t, thorough), 0,
     "Name every planted fault at three shapes instead of one"},
    {"seed", "SEED", OPTION_NUMBER, offsetof(options_t, seed), 0, "Seed of everything that is drawn (default 1)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_check(o, answer, error);
}

const struct command command_check = {
    .name = "check",
    .does = "everything, in trust order; one table, one exit status",
    .doc = "Everything, in trust order: formats, layouts, arithmetic, captures, decode, fragment, identity, routing, "
           "planted faults, and the whole product. One table, one verdict, one exit status.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
