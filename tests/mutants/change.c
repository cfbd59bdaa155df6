/* change: one seeded mutation of kernels/rs_index.h, made from its text alone: nothing here knows a fault by name.
 *     change IN OUT SEED        prints "FUNCTION:LINE: BEFORE -> AFTER"
 * A seed picks a function, then one place in its body, then one way to change it: a number, an operator, a named
 * constant, or a lane, index or address in which a bit is flipped or to which a power of two is added; or it exchanges
 * two entries of the pack order. Exit status: 0, or 2 with a line. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/splitmix.h"

enum { PLACES = 4096, TEXT = 96, FUNCTIONS = 64 };

/* A token that can be changed: its place in the text, and the function it stands in. */
struct place {
    size_t at, length;
    int function, line;
};

struct source {
    char *text;
    size_t size;
    struct place place[PLACES];
    size_t places;
    char function[FUNCTIONS][TEXT];
    size_t first[FUNCTIONS + 1]; /* places of function f: first[f] .. first[f+1]-1 */
    int functions;
};

/* Indices: in these a bit may flip. */
static const char *const indices[] = {"thread", "feature", "k",    "i",     "token", "row",
                                      "step",   "c",       "byte", "chunk", "half",  "expert"};
/* Not asked: what only counts or only rounds is no index and no decode. */
static const char *const left_out[] = {"rs_checksum",   "rs_mul2",   "rs_round",        "rs_max_tiles",
                                       "rs_grid_tiles", "rs_status", "rs_tile_returns", "rs_result"};

static const struct {
    const char *from;
    const char *to[3];
} operators[] = {{"+", {"-", "^"}}, {"-", {"+"}},      {"*", {"/", "+"}},   {"/", {"%", "*"}},
                 {"%", {"/"}},      {"^", {"+", "|"}}, {"|", {"^", "&"}},   {"&", {"|"}},
                 {"<<", {">>"}},    {">>", {"<<"}},    {"<", {"<=", ">="}}, {"==", {"!="}}};

static bool listed(const char *word, size_t length, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == length && strncmp(list[i], word, length) == 0)
            return true;
    return false;
}
#define LISTED(word, length, list) listed(word, length, list, sizeof(list) / sizeof *(list))

static int operator_at(const char *at)
{
    int best = -1;
    if (strncmp(at, "->", 2) == 0 || strncmp(at, "++", 2) == 0 || strncmp(at, "+=", 2) == 0 ||
        strncmp(at, "|=", 2) == 0 || strncmp(at, "-=", 2) == 0 || strncmp(at, "&&", 2) == 0 ||
        strncmp(at, "||", 2) == 0 || strncmp(at, ">=", 2) == 0)
        return -1;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t n = strlen(operators[i].from);
        if (strncmp(at, operators[i].from, n) == 0 && (best < 0 || n > strlen(operators[best].from)))
            best = (int)i;
    }
    return best;
}

static bool changeable(const char *at, size_t length)
{
    if (isdigit((unsigned char)*at))
        return true;
    if (isalpha((unsigned char)*at))
        return (length > 3 && strncmp(at, "RS_", 3) == 0) || LISTED(at, length, indices);
    return operator_at(at) >= 0;
}

/* Length of the token at `at`: a word or number, or an operator. */
static size_t token(const char *at)
{
    size_t n = 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_')
        n++;
    if (n > 0)
        return n;
    int op = operator_at(at);
    return op >= 0 ? strlen(operators[op].from) : strchr("-+|&><=!", *at) && at[1] && strchr("-+|&><=", at[1]) ? 2 : 1;
}

/* Take the places of one body, from its { on. A member, a declared name and a line of assembly are left as they are.
 * Returns where it ends. */
static size_t take_body(struct source *s, size_t at)
{
    int depth = 0;
    do {
        const char *c = s->text + at;
        if (strncmp(c, "/*", 2) == 0) {
            at = (size_t)(strstr(c, "*/") + 2 - s->text);
            continue;
        }
        if (*c == '#' || *c == '"') { /* a line of the preprocessor, a string */
            at += 1 + strcspn(c + 1, *c == '#' ? "\n" : "\"");
            at++;
            continue;
        }
        depth += (*c == '{') - (*c == '}');
        size_t length = token(c), line_begin = at;
        while (line_begin > 0 && s->text[line_begin - 1] != '\n')
            line_begin--;
        size_t line_length = strcspn(s->text + line_begin, "\n");
        bool assembly = false;
        for (size_t i = 0; i + 4 < line_length; i++)
            assembly = assembly || strncmp(s->text + line_begin + i, "asm(", 4) == 0;
        bool member = at >= 2 && (s->text[at - 1] == '.' || strncmp(c - 2, "->", 2) == 0);
        bool declares =
            at >= 2 && isalpha((unsigned char)*c) && (strncmp(c - 2, "t ", 2) == 0 || c[-1] == '*') && c[-2] == 't';
        if (!assembly && !member && !declares && c[-1] != '&' && changeable(c, length) && s->places < PLACES) {
            int line = 1;
            for (size_t i = 0; i < at; i++)
                line += s->text[i] == '\n';
            s->place[s->places++] = (struct place){at, length, s->functions, line};
        }
        at += length;
    } while (depth > 0 && s->text[at]);
    return at;
}

static void take_functions(struct source *s)
{
    size_t at = 0;
    for (char *next; (next = strstr(s->text + at, "\nRS_"));) {
        if (strncmp(next, "\nRS_FN ", 7) != 0 && strncmp(next, "\nRS_FAULT_FN ", 13) != 0) {
            at = (size_t)(next + 1 - s->text);
            continue;
        }
        char *open = strchr(next, '('), *name = open;
        while (isalnum((unsigned char)name[-1]) || name[-1] == '_')
            name--;
        char *body = strstr(open, "\n{");
        at = (size_t)(body + 1 - s->text);
        if (LISTED(name, (size_t)(open - name), left_out) || s->functions == FUNCTIONS - 1)
            continue;
        snprintf(s->function[s->functions], TEXT, "%.*s", (int)(open - name), name);
        s->first[s->functions] = s->places;
        at = take_body(s, at);
        s->functions++;
        s->first[s->functions] = s->places;
    }
}

/* The text that takes the place of a token. */
static void change(struct splitmix *r, const char *token_text, size_t length, char *out)
{
    static const char *const ways[] = {"(%.*s ^ %u)", "(%.*s + %u)"};
    int n = (int)length, op = operator_at(token_text);
    if (isdigit((unsigned char)*token_text)) {
        unsigned long v = strtoul(token_text, NULL, 0);
        unsigned long to[] = {v + 1, v ? v - 1 : v + 2, v * 2 + (v == 0), v > 1 ? v / 2 : v + 3, v ^ 8};
        snprintf(out, TEXT, v > 0xffff ? "0x%lxu" : "%lu", to[splitmix_below(r, 5)] & 0xffffffffu);
    } else if (op >= 0 && !isalpha((unsigned char)*token_text)) {
        int most = 1 + (operators[op].to[1] != NULL);
        snprintf(out, TEXT, "%s", operators[op].to[splitmix_below(r, (uint64_t)most)]);
    } else if (strncmp(token_text, "RS_", 3) == 0) {
        snprintf(out, TEXT, splitmix_below(r, 2) ? "(%.*s * 2)" : "(%.*s / 2)", n, token_text);
    } else {
        snprintf(out, TEXT, ways[splitmix_below(r, 2)], n, token_text, 1u << splitmix_below(r, 7));
    }
}

/* Exchange two entries of the neutral pack order: its eight digits stand behind RS_PACK_ORDER. */
static bool change_order(struct source *s, struct splitmix *r)
{
    size_t digit[8], found = 0;
    char *at = strstr(s->text, "#define RS_PACK_ORDER");
    for (at = at ? strchr(at, '{') : NULL; at && *at && found < 8; at++)
        if (isdigit((unsigned char)*at))
            digit[found++] = (size_t)(at - s->text);
    if (found < 8)
        return false;
    uint64_t a = splitmix_below(r, 8), b = (a + 1 + splitmix_below(r, 7)) % 8;
    char *x = s->text + digit[a], *y = s->text + digit[b], held = *x;
    *x = *y;
    *y = held;
    printf("RS_PACK_ORDER:0: slot %u <-> slot %u\n", (unsigned)a, (unsigned)b);
    return true;
}

static char *read_all(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? calloc(1, 1 << 20) : NULL;
    *size = text ? fread(text, 1, (1 << 20) - 1, f) : 0;
    if (f)
        fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    static struct source s;
    struct splitmix r = {argc == 4 ? strtoull(argv[3], NULL, 0) * 0x9e3779b97f4a7c15u : 0};
    FILE *to = NULL;
    if (argc == 4 && (s.text = read_all(argv[1], &s.size)) && s.size > 0)
        take_functions(&s);
    if (s.functions > 0)
        to = fopen(argv[2], "wb");
    if (!to) {
        fprintf(stderr, "usage: change IN OUT SEED: nothing to change, or not to be written\n");
        return 2;
    }
    uint64_t f = splitmix_below(&r, (uint64_t)s.functions + 1);
    if (f == (uint64_t)s.functions) {
        if (!change_order(&s, &r))
            return 2;
        fputs(s.text, to);
    } else {
        size_t count = s.first[f + 1] - s.first[f];
        if (count == 0)
            return 2;
        const struct place *p = &s.place[s.first[f] + splitmix_below(&r, count)];
        char after[TEXT];
        change(&r, s.text + p->at, p->length, after);
        printf("%s:%d: %.*s -> %s\n", s.function[f], p->line, (int)p->length, s.text + p->at, after);
        fprintf(to, "%.*s%s%s", (int)p->at, s.text, after, s.text + p->at + p->length);
    }
    free(s.text);
    return fclose(to) == 0 ? 0 : 2;
}
