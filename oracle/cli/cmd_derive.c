#include "oracle/cli/command.h"

typedef struct fo_derive_options options_t;

static const struct command_option options[] = {
    {"op", "OP", OPTION_TEXT, offsetof(options_t, op), 1, "The operation, with A in registers"},
    {"from", "LAYOUT", OPTION_TEXT, offsetof(options_t, from), 1,
     "How the weights are stored: mxfp4-hopper, mxfp4, int4, int4-offset8, fp8, bf16, or a JSON file that says it"},
    {"format", "FORMAT", OPTION_TEXT, offsetof(options_t, format), 0, "text (default), c, cute or linear"},
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 0, "Write load.c, layout.txt and derive.json there"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_derive(o, answer, error);
}

const struct command command_derive = {
    .name = "derive",
    .does = "the code that loads A from a layout of packed weights",
    .doc =
        "From the layout of packed weights to the registers of A: which bytes each thread loads and where their bits "
        "go, as C, as a CuTe layout and as a Triton linear layout; the widest load without a shuffle, or the "
        "preswizzle that allows one.",
    .options = options,
    .size = sizeof(options_t),
    .ask = ask,
};
