#include "oracle/ptx/opcodes.h"

#include <string.h>

#define OPCODE(name, destinations) {name, destinations},
static const struct opcode {
    const char *name;
    int destinations;
} opcodes[] = {
#include "oracle/ptx/opcodes.def"
};
#undef OPCODE

enum { OPCODES = sizeof opcodes / sizeof *opcodes, COMPONENTS = 3 };

size_t opcode_count(void)
{
    return OPCODES;
}

const char *opcode_at(size_t i)
{
    return opcodes[i].name;
}

static int compare(const char *text, size_t length, const char *name)
{
    int order = strncmp(text, name, length);
    return order ? order : -(name[length] != '\0');
}

static const struct opcode *find(const char *text, size_t length)
{
    size_t low = 0, high = OPCODES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(text, length, opcodes[middle].name);
        if (order == 0)
            return &opcodes[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

int opcode_destinations(const char *opcode, size_t length)
{
    size_t end[COMPONENTS]; /* of the first, the first two, ... components */
    int components = 0;
    for (size_t at = 1; at <= length && components < COMPONENTS; at++)
        if (at == length || opcode[at] == '.')
            end[components++] = at;
    while (components-- > 0) {
        const struct opcode *found = find(opcode, end[components]);
        if (found)
            return found->destinations;
    }
    return -1;
}
