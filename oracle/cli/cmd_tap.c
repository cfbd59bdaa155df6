#include "oracle/cli/command.h"

typedef struct fo_tap_options options_t;

static const struct command_option tap_options[] = {
    {"out", "OUT.ptx", OPTION_TEXT, offsetof(options_t, out), 1, "Write the rewritten module there (needed)"},
    {"block", "B", OPTION_NUMBER, offsetof(options_t, block), 0,
     "Linear index of the first block that records (default 0)"},
    {"blocks", "COUNT", OPTION_POSITIVE, offsetof(options_t, blocks), 0, "How many blocks record (default 1)"},
    {"warpgroup", "W", OPTION_NUMBER, offsetof(options_t, warpgroup), 0,
     "First warpgroup of a block that records (default 0)"},
    {"warpgroups", "COUNT", OPTION_POSITIVE, offsetof(options_t, warpgroups), 0,
     "How many warpgroups record (default 4)"},
    {"iteration", "I", OPTION_NUMBER, offsetof(options_t, iteration), 0,
     "First time a thread comes by that is kept (default 0)"},
    {"iterations", "COUNT", OPTION_POSITIVE, offsetof(options_t, iterations), 0, "How many times are kept (default 4)"},
    {"last", NULL, OPTION_FLAG, offsetof(options_t, last), 0, "Keep the last iterations instead of the first"},
    {"all", NULL, OPTION_FLAG, offsetof(options_t, all), 0, "Also tap wgmma with A in shared memory"},
    {"no-bytes", NULL, OPTION_FLAG, offsetof(options_t, no_bytes), 0,
     "Record descriptors without the bytes that they name, for a kernel that has no register to spare"},
    {"function", "TEXT", OPTION_TEXT, offsetof(options_t, function), 0,
     "Only sites of functions whose name contains TEXT (default all)"},
    {"sites", "LIST", OPTION_TEXT, offsetof(options_t, sites), 0, "Only these sites: 0,3,8-11 (default all)"},
    {"ptxas", "PATH", OPTION_TEXT, offsetof(options_t, ptxas), 0,
     "Assemble IN and OUT with this ptxas and hold registers, spills and (C75xx) lines against each other (default: "
     "the "
     "ptxas on PATH, if there is one); none: do not"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    options_t options = *(const options_t *)o;
    options.ptxas = command_ptxas(options.ptxas);
    return fo_tap(&options, answer, error);
}

const struct command command_tap = {
    .name = "tap",
    .does = "rewrite a PTX module so that it records what its wgmma multiply",
    .doc = "Rewrites a PTX module so that every wgmma with A in registers records A, its descriptors with the bytes "
           "that they name, and D.",
    .options = tap_options,
    .short_out = 'o',
    .operands = {"IN.ptx"},
    .operand_offset = {offsetof(options_t, in)},
    .operands_needed = 1,
    .size = sizeof(options_t),
    .ask = ask,
};
