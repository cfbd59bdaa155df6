#include "oracle/cli/command.h"

typedef struct fo_emit_options options_t;

static const struct command_option options[] = {
    COMMAND_INPUTS(options_t),
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 1,
     "Write emit.json, which names everything else, and the arrays there (needed)"},
    {"dense", NULL, OPTION_FLAG, offsetof(options_t, dense), 0,
     "One expert, one segment: for a kernel that is not grouped"},
    {"no-scales", NULL, OPTION_FLAG, offsetof(options_t, no_scales), 0,
     "Every scale is 2^0: for weights of a type without scales"},
    {"weights-as", "FORM", OPTION_TEXT, offsetof(options_t, weights_as), 0,
     "Write the weights also as bf16 (decoded, w) or hopper (swizzled and packed, hopper_values and hopper_scales); "
     "default mxfp4, as checkpoints store them"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_emit(o, answer, error);
}

const struct command command_emit = {
    .name = "emit",
    .does = "write the inputs of a probe to files, for a kernel in any language",
    .doc = "Writes the inputs of a probe to files, for a kernel in any language; `fragoracle score` reads the outputs "
           "that the kernel leaves beside them. KIND is identity (default), coded or "
           "random.",
    .options = options,
    .operands = {"KIND"},
    .operand_offset = {offsetof(options_t, kind)},
    .size = sizeof(options_t),
    .ask = ask,
};
