#include "oracle/cli/command.h"

typedef struct fo_map_options options_t;

static const struct command_option options[] = {
    {"slot", "THREAD.REG.PART", OPTION_TEXT, offsetof(options_t, slot), 0, "Which element is held there"},
    {"element", "I,J", OPTION_TEXT, offsetof(options_t, element), 0, "Which slot holds this element"},
    {"format", "FORMAT", OPTION_TEXT, offsetof(options_t, format), 0,
     "The whole map as table (default), csv, markdown, cute or linear"},
    {"png", "FILE", OPTION_TEXT, offsetof(options_t, png), 0, "Draw the map as a picture"},
    {"against", "DUMP.npy", OPTION_TEXT, offsetof(options_t, against), 0,
     "Name the slots of a dump that hold a wrong element. The dump: registers of a kernel that loaded a matrix whose "
     "element (i,j) is the number i*columns+j; u4 [threads][registers], part 0 in the low bits, or u2 "
     "[threads][registers][parts]"},
    {0}};

static int ask(const void *o, struct fo_answer *answer, struct fo_error *error)
{
    return fo_map(o, answer, error);
}

const struct command command_map = {
    .name = "map",
    .does = "the fragment map of an operand, queried in both directions",
    .doc = "The fragment map of an operand (A or D), queried in both directions. Without a query: the whole map.",
    .options = options,
    .operands = {"OP", "OPERAND"},
    .operand_offset = {offsetof(options_t, op), offsetof(options_t, operand)},
    .operands_needed = 2,
    .json_out = 1,
    .size = sizeof(options_t),
    .ask = ask,
};
