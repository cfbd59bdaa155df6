#include "oracle/cli/command.h"

typedef struct fo_unpack_options options_t;

static const struct command_option options[] = {
    {"in", "DIR", OPTION_TEXT, offsetof(options_t, in), 1, "A folder that pack wrote (needed)"},
    {"out", "FILE", OPTION_TEXT, offsetof(options_t, out), 1,
     "Write STEM_blocks and STEM_scales to this .safetensors file (needed)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_unpack(o, answer, error);
}

const struct command command_unpack = {
    .name = "unpack",
    .does = "and back",
    .doc = "Turns a folder of packed weights back into checkpoint tensors, bit for bit.",
    .options = options,
    .size = sizeof(options_t),
    .ask = ask,
};
