#include "oracle/cli/command.h"

typedef struct fo_probe_options options_t;

static const options_t defaults = {.pass = -1, .progress = command_progress};

static const struct command_option options[] = {
    {"subject", "S", OPTION_TEXT, offsetof(options_t, subject), 0,
     "rs (default), rs+none (its clean twin), rs+FAULT[+FAULT], plugin:PATH.so, module:PATH.ptx or files:FOLDER; "
     "`fragoracle list` names the faults"},
    COMMAND_INPUTS(options_t),
    {"pass", "PASS", OPTION_INDEX, offsetof(options_t, pass), 0, "Only this pass (default all)"},
    COMMAND_ON(options_t),
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0,
     "Write scores.json there, and rows.png, columns.png and errors.png, or source_map.png and the source map as .npy"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_probe(o, answer, error);
}

const struct command command_probe = {
    .name = "probe",
    .does = "ask a subject with inputs whose outputs name their source",
    .doc =
        "Asks a kernel with inputs whose outputs name their source, and scores it. KIND is identity, or coded: which "
        "weight, scale and row each output really came from (default shape 128,208,256, weights of its own; --seed is "
        "that of a dense product). random: random activations, held against the exact sums, bit for bit in our order "
        "of "
        "summation and by a bound that holds for every order.",
    .options = options,
    .operands = {"KIND"},
    .operand_offset = {offsetof(options_t, kind)},
    .operands_needed = 1,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
