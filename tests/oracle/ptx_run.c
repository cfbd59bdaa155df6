#include "tests/oracle/ptx_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/tap.h"

/* Addresses of the two variables, far from anything else. */
#define DATA_AT 0x7f0000000000u
#define HEAD_AT 0x7e0000000000u

enum { OPERANDS = 8, WORD = 64 };

struct instruction {
    char guard[WORD], opcode[WORD], operand[OPERANDS][WORD];
    int operands;
};

static int find(const struct ptx_run *r, const char *name)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (strcmp(r->name[i], name) == 0)
            return (int)i;
    return -1;
}

void ptx_run_set(struct ptx_run *r, const char *name, uint64_t value)
{
    int i = find(r, name);
    if (i < 0) {
        assert_true(r->count < PTX_RUN_REGISTERS && strlen(name) < PTX_RUN_NAME);
        i = (int)r->count++;
        strcpy(r->name[i], name);
    }
    r->value[i] = value;
}

static bool special(const struct ptx_run *r, const char *name, uint64_t *value)
{
    static const char *const names[] = {"%tid", "%ntid", "%ctaid", "%nctaid"};
    const uint32_t *const array[] = {r->tid, r->ntid, r->ctaid, r->nctaid};
    for (int i = 0; i < 4; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(name, names[i], length) == 0 && name[length] == '.') {
            *value = array[i][name[length + 1] - 'x'];
            return true;
        }
    }
    return false;
}

static uint64_t get(const struct ptx_run *r, const char *name)
{
    uint64_t value;
    if (special(r, name, &value))
        return value;
    if (strcmp(name, TAP_DATA_NAME) == 0)
        return DATA_AT;
    if (name[0] != '%') {
        char *end;
        value = strtoull(name, &end, 10);
        if (end == name || *end)
            fail_msg("'%s' is no value", name);
        return value;
    }
    int i = find(r, name);
    if (i < 0)
        fail_msg("%s is read and was never written", name);
    return r->value[i];
}

/* "[%register+offset]" or "[symbol+offset]" */
static uint64_t address(const struct ptx_run *r, const char *operand)
{
    char base[WORD];
    uint64_t offset = 0;
    assert_true(operand[0] == '[');
    assert_true(sscanf(operand + 1, "%63[^]+]+%lu", base, &offset) >= 1);
    assert_true(offset < (uint64_t)1 << 31);
    if (strcmp(base, TAP_HEAD_NAME) == 0)
        return HEAD_AT + offset;
    return get(r, base) + offset;
}

/* Operands between blanks, commas and braces. */
static void parse(const char *line, size_t length, struct instruction *in)
{
    memset(in, 0, sizeof *in);
    for (size_t at = 0; at < length;) {
        size_t n = strspn(line + at, " \t\n,{}");
        at += n;
        n = strcspn(line + at, " \t\n,{};");
        if (at >= length || n == 0)
            break;
        assert_true(n < WORD);
        char *to = line[at] == '@' ? in->guard : !in->opcode[0] ? in->opcode : in->operand[in->operands++];
        assert_true(in->operands < OPERANDS);
        memcpy(to, line + at, n);
        to[n] = '\0';
        at += n;
    }
}

/* Loads and stores; `words` of 4 bytes. */
static void memory(struct ptx_run *r, const struct instruction *in)
{
    int words = strstr(in->opcode, ".v4") ? 4 : strstr(in->opcode, ".v2") ? 2 : 1;
    bool load = in->opcode[0] == 'l';
    uint64_t at = address(r, in->operand[load ? words : 0]);
    assert_int_equal(at % (4 * (uint64_t)words), 0);
    for (int w = 0; w < words; w++, at += 4) {
        uint32_t value;
        if (strstr(in->opcode, ".shared")) {
            assert_true(load && at + 4 <= r->shared_size);
            memcpy(&value, r->shared + at, 4);
        } else if (at >= HEAD_AT && at < HEAD_AT + sizeof(struct fo_capture_head)) {
            assert_true(load && at - HEAD_AT >= offsetof(struct fo_capture_head, reserved));
            value = 0;
        } else {
            assert_true(at >= DATA_AT && at + 4 <= DATA_AT + r->global_size);
            if (load)
                memcpy(&value, r->global + (at - DATA_AT), 4);
            else {
                value = (uint32_t)get(r, in->operand[1 + w]);
                memcpy(r->global + (at - DATA_AT), &value, 4);
            }
        }
        if (load)
            ptx_run_set(r, in->operand[w], value);
    }
}

static uint64_t compute(const char *op, uint64_t a, uint64_t b, uint64_t c, bool *known)
{
    uint32_t x = (uint32_t)a, y = (uint32_t)b, z = (uint32_t)c;
    *known = true;
    if (!strcmp(op, "mov.u32"))
        return x;
    if (!strcmp(op, "mov.u64"))
        return a;
    if (!strcmp(op, "add.u32"))
        return (uint32_t)(x + y);
    if (!strcmp(op, "sub.u32"))
        return (uint32_t)(x - y);
    if (!strcmp(op, "mad.lo.u32"))
        return (uint32_t)(x * y + z);
    if (!strcmp(op, "mad.wide.u32"))
        return (uint64_t)x * y + c;
    if (!strcmp(op, "and.b32"))
        return x & y;
    if (!strcmp(op, "xor.b32"))
        return x ^ y;
    if (!strcmp(op, "shl.b32"))
        return y > 31 ? 0 : (uint32_t)(x << y);
    if (!strcmp(op, "shr.u32"))
        return y > 31 ? 0 : x >> y;
    if (!strcmp(op, "bfe.u32"))
        return x >> y & ((1u << z) - 1);
    if (!strcmp(op, "div.u32"))
        return x / y;
    if (!strcmp(op, "rem.u32"))
        return x % y;
    if (!strcmp(op, "setp.lt.u32"))
        return x < y;
    if (!strcmp(op, "setp.eq.u32"))
        return x == y;
    if (!strcmp(op, "setp.lt.and.u32"))
        return x < y && c;
    if (!strncmp(op, "selp.", 5))
        return c ? x : y;
    *known = false;
    return 0;
}

static void execute(struct ptx_run *r, const struct instruction *in)
{
    bool known;
    r->executed++;
    if (!strcmp(in->opcode, "wgmma.fence.sync.aligned"))
        return;
    if (in->guard[0] && !get(r, in->guard + 1))
        return;
    if (!strncmp(in->opcode, "ld.", 3) || !strncmp(in->opcode, "st.", 3)) {
        memory(r, in);
        return;
    }
    if (!strcmp(in->opcode, "mov.b64") && in->operands == 3) {
        uint64_t value = get(r, in->operand[2]);
        ptx_run_set(r, in->operand[0], (uint32_t)value);
        ptx_run_set(r, in->operand[1], value >> 32);
        return;
    }
    uint64_t v[3] = {0};
    for (int i = 1; i < in->operands; i++)
        v[i - 1] = get(r, in->operand[i]);
    uint64_t result = compute(in->opcode, v[0], v[1], v[2], &known);
    if (!known)
        fail_msg("unexpected instruction %s", in->opcode);
    ptx_run_set(r, in->operand[0], result);
}

void ptx_run_text(struct ptx_run *r, const char *text)
{
    struct instruction in;
    while (*(text += strspn(text, " \t\n"))) {
        size_t line = strcspn(text, "\n"), length = strcspn(text, ";");
        if (*text == '{' || *text == '}' || *text == '.' || *text == '/') { /* scope, declaration, comment */
            text += line;
            continue;
        }
        assert_true(text[length] == ';');
        parse(text, length, &in);
        execute(r, &in);
        text += length + 1;
    }
}
