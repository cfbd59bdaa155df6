#include "oracle/exec/module_expression.h"

#include <stdbool.h>
#include <string.h>

enum { DEEPEST = 32 };

struct parser {
    const char *text, *at;
    const struct module_extents *extents; /* NULL: only syntax */
    int depth;
    struct error *e;
};

static enum status refuse(const struct parser *p, const char *at, const char *why)
{
    return error_set(p->e, STATUS_BAD_INPUT, "'%s': column %d: %s", p->text, (int)(at - p->text) + 1, why);
}

static void skip_blanks(struct parser *p)
{
    p->at += strspn(p->at, " ");
}

/* Is this the next character? Then it is taken. */
static bool take(struct parser *p, char c)
{
    skip_blanks(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

/* Without extents there are no values to be wrong about. */
static enum status apply(const struct parser *p, const char *at, char operation, uint64_t a, uint64_t b, uint64_t *out)
{
    uint64_t value = 0;
    bool bad = false;
    if (!p->extents) {
        *out = 0;
        return STATUS_OK;
    }
    switch (operation) {
    case '+':
        bad = __builtin_add_overflow(a, b, &value);
        break;
    case '-':
        bad = __builtin_sub_overflow(a, b, &value);
        break;
    case '*':
        bad = __builtin_mul_overflow(a, b, &value);
        break;
    case 'm':
        value = a < b ? a : b;
        break;
    case 'M':
        value = a > b ? a : b;
        break;
    default:
        if (b == 0)
            return refuse(p, at, "division by 0");
        value = operation == '%' ? a % b : a / b + (operation == 'c' && a % b != 0);
    }
    if (bad || value > INT64_MAX)
        return refuse(p, at, operation == '-' ? "below 0" : "above 2^63-1");
    *out = value;
    return STATUS_OK;
}

static enum status parse_sum(struct parser *p, uint64_t *out);

static enum status parse_number(struct parser *p, uint64_t *out)
{
    const char *begin = p->at;
    uint64_t value = 0;
    for (; *p->at >= '0' && *p->at <= '9'; p->at++) {
        uint64_t digit = (uint64_t)(*p->at - '0');
        if (value > (INT64_MAX - digit) / 10)
            return refuse(p, begin, "above 2^63-1");
        value = 10 * value + digit;
    }
    *out = value;
    return STATUS_OK;
}

/* (a, b) behind the name of a function. */
static enum status parse_call(struct parser *p, const char *begin, char operation, uint64_t *out)
{
    uint64_t a, b;
    if (!take(p, '('))
        return refuse(p, p->at, "wanted (");
    enum status s = parse_sum(p, &a);
    if (s == STATUS_OK && !take(p, ','))
        s = refuse(p, p->at, "wanted , and a second value");
    if (s == STATUS_OK)
        s = parse_sum(p, &b);
    if (s == STATUS_OK && !take(p, ')'))
        s = refuse(p, p->at, "wanted )");
    return s == STATUS_OK ? apply(p, begin, operation, a, b, out) : s;
}

static enum status parse_name(struct parser *p, uint64_t *out)
{
    static const struct {
        const char *name;
        char operation;
    } functions[] = {{"ceil", 'c'}, {"min", 'm'}, {"max", 'M'}};
    static const char letters[] = "PNKEA";
    const char *begin = p->at, *letter;
    size_t length = strspn(begin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    p->at += length;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].name) == length && strncmp(begin, functions[i].name, length) == 0)
            return parse_call(p, begin, functions[i].operation, out);
    if (length != 1 || !(letter = strchr(letters, *begin)))
        return refuse(p, begin, "wanted a number, P, N, K, E, A, ceil, min, max or (");
    if (p->extents) {
        const uint64_t values[] = {p->extents->P, p->extents->N, p->extents->K, p->extents->E, p->extents->A};
        *out = values[letter - letters];
    } else {
        *out = 0;
    }
    return STATUS_OK;
}

static enum status parse_operand(struct parser *p, uint64_t *out)
{
    enum status s;
    skip_blanks(p);
    if (*p->at >= '0' && *p->at <= '9')
        return parse_number(p, out);
    if (++p->depth > DEEPEST)
        return refuse(p, p->at, "too deep");
    if (take(p, '(')) {
        s = parse_sum(p, out);
        if (s == STATUS_OK && !take(p, ')'))
            s = refuse(p, p->at, "wanted )");
    } else {
        s = parse_name(p, out);
    }
    p->depth--;
    return s;
}

/* Operands joined by operators of one rank, from left to right. */
static enum status parse_chain(struct parser *p, const char *operators,
                               enum status (*operand)(struct parser *p, uint64_t *out), uint64_t *out)
{
    uint64_t value = 0, right;
    enum status s = operand(p, &value);
    while (s == STATUS_OK) {
        skip_blanks(p);
        const char *at = p->at;
        if (*at == '\0' || !strchr(operators, *at))
            break;
        p->at++;
        s = operand(p, &right);
        if (s == STATUS_OK)
            s = apply(p, at, *at, value, right, &value);
    }
    if (s == STATUS_OK)
        *out = value;
    return s;
}

static enum status parse_product(struct parser *p, uint64_t *out)
{
    return parse_chain(p, "*/%", parse_operand, out);
}

static enum status parse_sum(struct parser *p, uint64_t *out)
{
    return parse_chain(p, "+-", parse_product, out);
}

enum status module_expression_value(const char *text, const struct module_extents *extents, uint64_t *out,
                                    struct error *e)
{
    struct parser p = {.text = text, .at = text, .extents = extents, .e = e};
    uint64_t value;
    enum status s = parse_sum(&p, &value);
    skip_blanks(&p);
    if (s == STATUS_OK && *p.at != '\0')
        s = refuse(&p, p.at, "wanted + - * / % or the end");
    if (s == STATUS_OK && out)
        *out = value;
    return s;
}

enum status module_expression_check(const char *text, struct error *e)
{
    return module_expression_value(text, NULL, NULL, e);
}
