#include "oracle/cli/command.h"

typedef struct fo_emit_options options_t;

static const struct command_option options[] = {
    COMMAND_INPUTS(options_t),
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, out), 1,
     "Write emit.json, which names everything else, and the arrays there (needed)"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_emit(o, answer, error);
}

const struct command command_emit = {
    .name = "emit",
    .does = "write the inputs of a probe to files, for a kernel in any language",
    .doc = "Writes the inputs of a probe to files, for a kernel in any language; `fragoracle score` reads the outputs "
           "that the kernel leaves beside them. KIND is identity (default).",
    .options = options,
    .operands = {"KIND"},
    .operand_offset = {offsetof(options_t, kind)},
    .size = sizeof(options_t),
    .ask = ask,
};
