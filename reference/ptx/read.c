#include "reference/ptx/read.h"

#include <string.h>

bool reader_next(struct reader *r)
{
    r->status = lex_next(&r->lexer, &r->token, r->error);
    return r->status == STATUS_OK;
}

bool reader_fail(struct reader *r, const char *what)
{
    r->status = lex_unexpected(&r->lexer, &r->token, r->error, what);
    return false;
}

bool reader_is(const struct reader *r, const char *text)
{
    return lex_is(&r->lexer, &r->token, text);
}

bool reader_skip(struct reader *r, const char *text, bool *was)
{
    *was = false;
    if (!reader_is(r, text))
        return true;
    *was = reader_next(r);
    return *was;
}

bool reader_expect(struct reader *r, const char *text)
{
    if (reader_is(r, text))
        return reader_next(r);
    r->status = r->token.kind == LEX_END
                    ? lex_fail(&r->lexer, r->token.line, r->token.column, r->error, "expected '%s', not the end", text)
                    : lex_fail(&r->lexer, r->token.line, r->token.column, r->error, "expected '%s', not '%.*s'", text,
                               r->token.length < 60 ? (int)r->token.length : 60, r->lexer.text + r->token.at);
    return false;
}

bool reader_integer(struct reader *r, uint32_t *value)
{
    if (!lex_integer(&r->lexer, &r->token, value))
        return reader_fail(r, "expected an integer below 2^32");
    return reader_next(r);
}

/* Behind `.section NAME`: braces with whatever they hold. */
static bool skip_braces(struct reader *r)
{
    uint32_t open = 0;
    do {
        if (r->token.kind == LEX_END)
            return reader_fail(r, "a section has no end");
        open += reader_is(r, "{");
        open -= reader_is(r, "}");
        if (!reader_next(r))
            return false;
    } while (open > 0);
    return true;
}

static bool skip_section(struct reader *r)
{
    if (r->token.kind != LEX_DOT && r->token.kind != LEX_NAME)
        return reader_fail(r, "expected the name of a section");
    if (!reader_next(r))
        return false;
    return reader_is(r, "{") ? skip_braces(r) : reader_expect(r, "{");
}

/* Behind `.loc`: FILE LINE COLUMN [, function_name LABEL [+ N], inlined_at FILE LINE COLUMN] */
static bool skip_location(struct reader *r)
{
    uint32_t number;
    bool more, plus;
    if (!reader_integer(r, &number) || !reader_integer(r, &number) || !reader_integer(r, &number) ||
        !reader_skip(r, ",", &more))
        return false;
    if (!more)
        return true;
    if (!reader_expect(r, "function_name") || !reader_token_name(r) || !reader_next(r) || !reader_skip(r, "+", &plus) ||
        (plus && !reader_integer(r, &number)))
        return false;
    return reader_expect(r, ",") && reader_expect(r, "inlined_at") && reader_integer(r, &number) &&
           reader_integer(r, &number) && reader_integer(r, &number);
}

static bool skip_string(struct reader *r)
{
    return r->token.kind == LEX_STRING ? reader_next(r) : reader_fail(r, "expected a string");
}

/* Behind `.file`: N "NAME" [, TIME, SIZE] */
static bool skip_file(struct reader *r)
{
    uint32_t number;
    bool more;
    if (!reader_integer(r, &number) || !skip_string(r) || !reader_skip(r, ",", &more))
        return false;
    return !more || (reader_integer(r, &number) && reader_expect(r, ",") && reader_integer(r, &number));
}

static bool skip_pragma(struct reader *r)
{
    bool more = true;
    while (more)
        if (!skip_string(r) || !reader_skip(r, ",", &more))
            return false;
    return reader_expect(r, ";");
}

bool reader_remark(struct reader *r, bool *was)
{
    static const struct {
        const char *word;
        bool (*skip)(struct reader *r);
    } remarks[] = {{".loc", skip_location}, {".file", skip_file}, {".pragma", skip_pragma}, {".section", skip_section}};
    *was = false;
    for (size_t i = 0; i < sizeof remarks / sizeof *remarks; i++)
        if (reader_is(r, remarks[i].word)) {
            *was = reader_next(r) && remarks[i].skip(r);
            return *was;
        }
    return true;
}

/* .version 9.0   .target sm_90a, ...   .address_size 64 */
static bool read_head(struct reader *r)
{
    bool more;
    if (!reader_is(r, ".version"))
        return reader_fail(r, "a module begins with .version");
    if (!reader_next(r))
        return false;
    if (r->token.kind != LEX_NUMBER)
        return reader_fail(r, "expected a version");
    if (!reader_next(r) || !reader_expect(r, ".target"))
        return false;
    do
        if (!reader_token_name(r) || !reader_next(r) || !reader_skip(r, ",", &more))
            return false;
    while (more);
    if (!reader_skip(r, ".address_size", &more))
        return false;
    if (more && !reader_is(r, "64"))
        return reader_fail(r, "only modules with 64-bit addresses are read");
    return !more || reader_next(r);
}

/* .alias NAME, OF; a declared function is one that has a body. */
static bool read_alias(struct reader *r)
{
    struct vm_function *f = r->program.function;
    struct read_binding *b[2];
    for (int i = 0; i < 2; i++) {
        struct read_name *name = reader_token_name(r);
        if (!name)
            return false;
        b[i] = name->top;
        if (!b[i] || b[i]->kind != READ_FUNCTION || (f[b[i]->index].instructions > 0) != (i == 1))
            return reader_fail(r, i == 0 ? "expected a function that is declared only"
                                         : "expected a function that has a body");
        if (!reader_next(r) || !reader_expect(r, i == 0 ? "," : ";"))
            return false;
    }
    const char *name = f[b[0]->index].name;
    f[b[0]->index] = f[b[1]->index];
    f[b[0]->index].name = name;
    return true;
}

static bool read_linkage(struct reader *r, bool *external)
{
    static const char *const words[] = {".extern", ".visible", ".weak", ".common"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (reader_is(r, words[i])) {
            *external = i == 0;
            return reader_next(r);
        }
    return true;
}

static bool read_item(struct reader *r)
{
    bool external = false, was;
    if (!reader_remark(r, &was) || was)
        return was;
    if (!reader_skip(r, ".alias", &was))
        return false;
    if (was)
        return read_alias(r);
    if (!read_linkage(r, &external) || !reader_skip(r, ".entry", &was))
        return false;
    if (was)
        return reader_function(r, true);
    if (!reader_skip(r, ".func", &was))
        return false;
    if (was)
        return reader_function(r, false);
    if (!reader_skip(r, ".reg", &was))
        return false;
    if (was)
        return reader_registers(r);
    if (!reader_declaration(r, external, &was))
        return false;
    return was || reader_fail(r, "expected a directive of a module");
}

static bool read_module(struct reader *r)
{
    if (!reader_next(r) || !read_head(r))
        return false;
    while (r->token.kind != LEX_END)
        if (!read_item(r))
            return false;
    return reader_prepare(r);
}

enum status vm_program_read(const char *path, const char *text, size_t size, struct vm_program *out, struct error *e)
{
    struct reader r = {.lexer = {.path = path, .text = text, .size = (uint32_t)size, .line = 1},
                       .error = e,
                       .function = VM_NONE,
                       .scopes = 1};
    if (size > INT32_MAX)
        return lex_fail(&r.lexer, 0, 0, e, "a module of 2 GiB and more is not read");
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    if (nul) {
        lex_fail(&r.lexer, 0, 0, e, "a byte is NUL");
        error_at_offset(e, nul - text);
        return STATUS_BAD_INPUT;
    }
    struct read_name *kept_path = reader_name(&r, path, strlen(path));
    if (kept_path && read_module(&r)) {
        r.program.path = kept_path->text;
        r.program.arena = r.kept.first;
        *out = r.program;
    } else {
        read_arena_free(&r.kept);
    }
    read_arena_free(&r.scratch);
    return r.status;
}

void vm_program_free(struct vm_program *p)
{
    struct read_arena kept = {.first = p->arena};
    read_arena_free(&kept);
    *p = (struct vm_program){0};
}

uint32_t vm_program_find(const struct vm_program *p, const char *name)
{
    for (uint32_t f = 0; f < p->functions; f++)
        if (p->function[f].instructions > 0 && strcmp(p->function[f].name, name) == 0)
            return f;
    return VM_NONE;
}
