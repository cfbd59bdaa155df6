#include "reference/ptx/lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$';
}

/* The byte at an offset, NUL behind the end: a text with a NUL is refused before it is read. */
static char peek(const struct lexer *l, uint32_t at)
{
    return at < l->size ? l->text[at] : '\0';
}

enum status lex_fail(const struct lexer *l, uint32_t line, uint32_t column, struct error *e, const char *why, ...)
{
    char text[sizeof e->why];
    va_list arguments;
    va_start(arguments, why);
    vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    error_set(e, STATUS_BAD_INPUT, "%s", text);
    error_at_path(e, l->path);
    if (e) {
        e->line = (int)line;
        e->column = (int)column;
    }
    return STATUS_BAD_INPUT;
}

enum status lex_unexpected(const struct lexer *l, const struct lex_token *t, struct error *e, const char *what)
{
    if (t->kind == LEX_END)
        return lex_fail(l, t->line, t->column, e, "%s at the end of the text", what);
    int shown = t->length < 60 ? (int)t->length : 60;
    return lex_fail(l, t->line, t->column, e, "%s near '%.*s'", what, shown, l->text + t->at);
}

bool lex_is(const struct lexer *l, const struct lex_token *t, const char *text)
{
    return t->length == strlen(text) && memcmp(l->text + t->at, text, t->length) == 0;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool lex_integer(const struct lexer *l, const struct lex_token *t, uint32_t *value)
{
    const char *at = l->text + t->at, *end = at + t->length;
    uint64_t v = 0;
    int base = 10;
    if (t->kind != LEX_NUMBER)
        return false;
    if (t->length > 2 && at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    if (end[-1] == 'U' && end - at > 1)
        end--;
    for (; at < end; at++) {
        int digit = digit_value(*at);
        if (digit >= base)
            return false;
        v = v * (uint64_t)base + (uint64_t)digit;
        if (v > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)v;
    return true;
}

static void new_line(struct lexer *l)
{
    l->line++;
    l->line_at = l->at;
}

/* Past a comment of either kind. */
static enum status skip_comment(struct lexer *l, struct error *e)
{
    uint32_t line = l->line, column = l->at - l->line_at + 1;
    if (peek(l, l->at + 1) == '/') {
        while (l->at < l->size && l->text[l->at] != '\n')
            l->at++;
        return STATUS_OK;
    }
    for (l->at += 2; l->at < l->size; l->at++) {
        if (l->text[l->at] == '*' && peek(l, l->at + 1) == '/') {
            l->at += 2;
            return STATUS_OK;
        }
        if (l->text[l->at] == '\n') {
            l->at++;
            new_line(l);
            l->at--;
        }
    }
    return lex_fail(l, line, column, e, "a comment has no end");
}

static enum status skip_blanks(struct lexer *l, struct error *e)
{
    while (l->at < l->size) {
        char c = l->text[l->at];
        if (c == '\n') {
            l->at++;
            new_line(l);
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
            l->at++;
        } else if (c == '/' && (peek(l, l->at + 1) == '/' || peek(l, l->at + 1) == '*')) {
            enum status s = skip_comment(l, e);
            if (s != STATUS_OK)
                return s;
        } else {
            break;
        }
    }
    return STATUS_OK;
}

/* 12, 0x1F, 12U, 0f3F800000, 0d..., 1.5, 1.5e-3: what follows the first digit. */
static uint32_t number_end(const struct lexer *l, uint32_t at)
{
    bool hexadecimal = l->text[at] == '0' && (peek(l, at + 1) | 0x20) == 'x';
    while (is_word(peek(l, at)))
        at++;
    if (hexadecimal)
        return at;
    if (peek(l, at) == '.' && is_digit(peek(l, at + 1)))
        for (at++; is_word(peek(l, at));)
            at++;
    if ((l->text[at - 1] | 0x20) == 'e' && (peek(l, at) == '-' || peek(l, at) == '+') && is_digit(peek(l, at + 1)))
        for (at++; is_digit(peek(l, at));)
            at++;
    return at;
}

static uint32_t modifier_end(const struct lexer *l, uint32_t at)
{
    for (at++;; at += 2) {
        while (is_word(peek(l, at)))
            at++;
        if (peek(l, at) != ':' || peek(l, at + 1) != ':')
            return at;
    }
}

static enum status string_end(const struct lexer *l, uint32_t *end, struct error *e)
{
    uint32_t at = l->at + 1;
    while (at < l->size && l->text[at] != '"' && l->text[at] != '\n')
        at += l->text[at] == '\\' && peek(l, at + 1) != '\n' ? 2 : 1;
    if (peek(l, at) != '"')
        return lex_fail(l, l->line, l->at - l->line_at + 1, e, "a string has no end");
    *end = at + 1;
    return STATUS_OK;
}

enum status lex_next(struct lexer *l, struct lex_token *t, struct error *e)
{
    enum status s = skip_blanks(l, e);
    if (s != STATUS_OK)
        return s;
    struct lex_token token = {.at = l->at, .line = l->line, .column = l->at - l->line_at + 1};
    char c = peek(l, l->at);
    uint32_t end = l->at + 1;
    if (l->at == l->size) {
        token.kind = LEX_END;
        end = l->at;
    } else if (is_digit(c)) {
        token.kind = LEX_NUMBER;
        end = number_end(l, l->at);
    } else if (is_word(c) || (c == '%' && is_word(peek(l, l->at + 1)))) {
        token.kind = LEX_NAME;
        while (is_word(peek(l, end)))
            end++;
    } else if (c == '.') {
        token.kind = LEX_DOT;
        end = modifier_end(l, l->at);
    } else if (c == '"') {
        token.kind = LEX_STRING;
        s = string_end(l, &end, e);
        if (s != STATUS_OK)
            return s;
    } else if (strchr("{}[]()<>,;:+-*/%|!@=&^~?", c)) {
        token.kind = LEX_PUNCTUATION;
    } else {
        return lex_fail(l, token.line, token.column, e, "byte 0x%02x starts nothing in PTX", (unsigned char)c);
    }
    token.length = end - l->at;
    l->at = end;
    *t = token;
    return STATUS_OK;
}
