#include "oracle/cli/command.h"

typedef struct fo_capture_options options_t;

static const options_t defaults = {.seed = 1};

static const struct command_option options[] = {
    {"method", "METHOD", OPTION_TEXT, offsetof(options_t, method), 0,
     "loader, onehot or all (default): the map; arithmetic: tiles of every regime, for replay"},
    COMMAND_ON(options_t),
    {"out", "PATH", OPTION_TEXT, offsetof(options_t, out), 0,
     "Write the contract to this file (arithmetic: the tiles to this folder)"},
    {"seed", "SEED", OPTION_NUMBER, offsetof(options_t, seed), 0, "Seed of arithmetic (default 1)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_capture(o, answer, error);
}

const struct command command_capture = {
    .name = "capture",
    .does = "measure the map, or tiles of arithmetic, and write what was measured",
    .doc = "Measures the fragment map of an operand, or tiles of arithmetic, and writes what was measured.",
    .options = options,
    .operands = {"OP", "OPERAND"},
    .operand_offset = {offsetof(options_t, op), offsetof(options_t, operand)},
    .operands_needed = 2,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
