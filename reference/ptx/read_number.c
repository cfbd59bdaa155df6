#include "reference/ptx/read.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT = 64 };

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 36;
}

static bool digits_value(const char *at, const char *end, unsigned base, uint64_t *value)
{
    uint64_t v = 0;
    if (at == end)
        return false;
    for (; at < end; at++) {
        unsigned digit = (unsigned)digit_value(*at);
        if (digit >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) || __builtin_add_overflow(v, digit, &v))
            return false;
    }
    *value = v;
    return true;
}

/* 0x1F, 0b101, 017, 12; with U behind. source: PTX ISA, "Integer Constants". */
static bool integer_value(const char *text, size_t length, uint64_t *value)
{
    const char *end = text + length;
    char second = (char)(length > 1 ? text[1] | 0x20 : 0);
    if (end[-1] == 'U' && length > 1)
        end--;
    if (text[0] != '0' || end - text == 1)
        return digits_value(text, end, 10, value);
    if (second == 'x')
        return digits_value(text + 2, end, 16, value);
    if (second == 'b')
        return digits_value(text + 2, end, 2, value);
    return digits_value(text + 1, end, 8, value);
}

/* 0f and 8 hexadecimal digits, 0d and 16, or decimal with a point or an exponent, which has 64 bits.
 * source: PTX ISA, "Floating-Point Constants". */
static bool float_value(const char *text, size_t length, struct vm_operand *o)
{
    char room[NUMBER_TEXT], *end;
    char second = (char)(length > 1 ? text[1] | 0x20 : 0);
    if (text[0] == '0' && (second == 'f' || second == 'd')) {
        o->float_bits = second == 'f' ? 32 : 64;
        return length == 2 + o->float_bits / 4u && digits_value(text + 2, text + length, 16, &o->value);
    }
    if (second == 'x' || length >= sizeof room ||
        !(memchr(text, '.', length) || memchr(text, 'e', length) || memchr(text, 'E', length)))
        return false;
    memcpy(room, text, length);
    room[length] = '\0';
    double v = strtod(room, &end);
    memcpy(&o->value, &v, sizeof v);
    o->float_bits = 64;
    return *end == '\0';
}

bool reader_number(struct reader *r, bool negative, struct vm_operand *o)
{
    const char *text = r->lexer.text + r->token.at;
    if (r->token.kind != LEX_NUMBER)
        return reader_fail(r, "expected a number");
    *o = (struct vm_operand){.kind = VM_IMMEDIATE, .reg = VM_NONE, .variable = VM_NONE};
    if (integer_value(text, r->token.length, &o->value))
        o->value = negative ? 0 - o->value : o->value;
    else if (float_value(text, r->token.length, o))
        o->value ^= negative ? UINT64_C(1) << (o->float_bits - 1) : 0;
    else
        return reader_fail(r, "no number of PTX");
    return reader_next(r);
}
