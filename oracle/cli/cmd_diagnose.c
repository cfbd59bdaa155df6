#include "oracle/cli/command.h"

typedef struct fo_diagnose_options options_t;

static const options_t defaults = {.progress = command_progress};

static const struct command_option options[] = {
    {"subject", "S", OPTION_TEXT, offsetof(options_t, subject), 0,
     "rs (default), rs+none (its clean twin), rs+FAULT[+FAULT], plugin:PATH.so, module:PATH.ptx or files:FOLDER; "
     "`fragoracle list` names the faults"},
    {"shape", "P,N,K", OPTION_SHAPE, offsetof(options_t, P), 0, "Tokens, features, reduction (default 128,208,256)"},
    {"seed", "S", OPTION_NUMBER, offsetof(options_t, seed), 0, "Of the dense product (default 0)"},
    COMMAND_ON(options_t),
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0,
     "Write diagnosis.json there, and where something is wrong source_map.png, slots.png, rows.png, columns.png and "
     "errors.png"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_diagnose(o, answer, error);
}

const struct command command_diagnose = {
    .name = "diagnose",
    .does = "say what is wrong with a kernel, and what to write instead",
    .doc =
        "Asks a kernel where its outputs come from, and names the fault, or the two, that explain all of it. What no "
        "known fault explains exactly is called unknown.",
    .options = options,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
