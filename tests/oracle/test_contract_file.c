/* contract files: written and read back, and files that were tampered with in every member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle/answer/contract.h"
#include "oracle/io/json.h"
#include "tests/support/expect.h"
#include "tests/support/layouts.h"
#include "tests/support/scratch.h"

#define COMMITTED(operand) FO_SOURCE_DIR "/artifacts/contracts/wgmma.m64n64k16.f32.bf16.bf16.rs." operand ".json"
static const char op[] = "wgmma.m64n64k16.f32.bf16.bf16.rs";
enum { A_SLOTS = 1024 };

static json_t *document_of(const char *path)
{
    json_t *document;
    struct error e;
    if (json_read(path, NULL, &document, &e) != STATUS_OK)
        fail_msg("%s: %s", path, e.why);
    return document;
}

static enum status read_document(void *const *state, const json_t *document, struct contract *c, struct error *e)
{
    char path[SCRATCH_PATH];
    assert_int_equal(json_write(scratch_path(state, "contract.json", path), document, e), STATUS_OK);
    return contract_read(path, c, e);
}

/* ---- there and back --------------------------------------------------------------------------------------------- */

static void check_round_trip(void **state, struct contract *c)
{
    struct contract back;
    struct error e;
    json_t *document = contract_json(c), *again;
    assert_non_null(document);
    assert_int_equal(json_equal(json_object_get(document, "locked"), json_boolean(c->locked)), 1);
    if (read_document(state, document, &back, &e) != STATUS_OK)
        fail_msg("%s: %s", e.field, e.why);
    for (int s = 0; s < CONTRACT_SOURCES; s++) {
        assert_int_equal(back.present[s], c->present[s]);
        assert_int_equal(back.agree[s], c->agree[s]);
        if (c->present[s])
            assert_true(compared(&back.map[s], &c->map[s]).equal);
    }
    assert_string_equal(back.op, c->op);
    assert_string_equal(back.operand, c->operand);
    assert_string_equal(back.first, c->first);
    assert_true(back.locked == c->locked && back.conforms == c->conforms && back.slots == c->slots);
    assert_true(back.product_outputs == c->product_outputs && back.product_wrong == c->product_wrong);
    again = contract_json(&back);
    assert_true(json_equal(document, again));
    json_decref(document);
    json_decref(again);
    contract_free(&back);
    contract_free(c);
}

static void contract_read_what_was_written_comes_back(void **state)
{
    static const char *const operands[] = {"A", "A", "A", "D"}, *const methods[] = {"all", "onehot", "loader", "all"};
    struct machine m;
    machine_model(&m);
    m.fidelity = FIDELITY_HARDWARE;
    for (int i = 0; i < 4; i++) {
        struct contract c;
        assert_int_equal(contract_measure(&m, op, operands[i], methods[i], &c, NULL), STATUS_OK);
        assert_int_equal(c.locked, i == 0 || i == 3);
        check_round_trip(state, &c);
    }
    struct contract committed;
    assert_int_equal(contract_read(COMMITTED("A"), &committed, NULL), STATUS_OK);
    assert_true(committed.locked);
    check_round_trip(state, &committed);
}

/* A map that is not affine is written as a table. */
static void contract_read_table_comes_back_and_does_not_conform(void **state)
{
    struct contract c;
    struct error e;
    uint32_t codes[A_SLOTS];
    assert_int_equal(contract_read(COMMITTED("A"), &c, &e), STATUS_OK);
    for (uint32_t i = 0; i < A_SLOTS; i++) {
        struct point slot = box_point(&slots, i), at = layout_apply(&c.map[CONTRACT_SPEC], &slot);
        codes[i] = box_code(&elements, &at);
    }
    uint32_t keep = codes[3];
    codes[3] = codes[700];
    codes[700] = keep;
    layout_free(&c.map[CONTRACT_ONEHOT]);
    assert_int_equal(layout_from_table(&slots, &elements, codes, &c.map[CONTRACT_ONEHOT], &e), STATUS_OK);
    assert_int_equal(contract_judge(&c, &e), STATUS_OK);
    assert_int_equal(c.agree[CONTRACT_ONEHOT], A_SLOTS - 2);
    assert_false(c.conforms || c.locked);
    assert_non_null(strstr(c.first, "onehot: slot 0.1.1 holds"));
    json_t *document = contract_json(&c);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(json_object_get(document, "sources"), "onehot"), "kind")),
        "table");
    json_decref(document);
    check_round_trip(state, &c);
}

/* ---- tampered files --------------------------------------------------------------------------------------------- */

/* "a.b.0.c": the object or array that holds the last part, and that part. Returns the parent. */
static json_t *parent_of(json_t *document, const char *member, const char **last)
{
    char text[128];
    snprintf(text, sizeof text, "%s", member);
    json_t *at = document;
    char *part = text, *dot;
    for (; (dot = strchr(part, '.')); part = dot + 1) {
        *dot = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(part)) : json_object_get(at, part);
        if (!at)
            fail_msg("no member %s", member);
    }
    *last = member + (part - text);
    return at;
}

/* value NULL removes the member. Steals value. */
static void tamper(json_t *document, const char *member, json_t *value)
{
    const char *last;
    json_t *parent = parent_of(document, member, &last);
    if (!value)
        assert_int_equal(
            json_is_array(parent) ? json_array_remove(parent, (size_t)atoi(last)) : json_object_del(parent, last), 0);
    else if (json_is_array(parent))
        assert_int_equal(json_array_set_new(parent, (size_t)atoi(last), value), 0);
    else
        assert_int_equal(json_object_set_new(parent, last, value), 0);
}

enum wrong { ABSENT, NOTHING, NUMBER, TEXT, LIST, OBJECT, NEGATIVE, FRACTION, HUGE_NUMBER, WRONGS };

static json_t *wrong_value(enum wrong w)
{
    switch (w) {
    case NOTHING:
        return json_null();
    case NUMBER:
        return json_integer(3);
    case TEXT:
        return json_string("nonsense");
    case LIST:
        return json_array();
    case OBJECT:
        return json_object();
    case NEGATIVE:
        return json_integer(-1);
    case FRACTION:
        return json_real(0.5);
    case HUGE_NUMBER:
        return json_integer(1LL << 40);
    default:
        return NULL;
    }
}

#define BIT(w) (1u << (w))

static void contract_read_every_needed_member_wrong_is_refused(void **state)
{
    static const struct {
        const char *member, *field;
        unsigned legal; /* the wrong values that are right here */
    } members[] = {
        {"schema", "", 0},
        {"op", "op", 0},
        {"operand", "operand", 0},
        {"product", "product.outputs", 0},
        {"product.outputs", "product.outputs", BIT(NUMBER) | BIT(HUGE_NUMBER)},
        {"product.wrong", "product.wrong", BIT(NUMBER)},
        {"provenance", "provenance.fidelity", 0},
        {"provenance.fidelity", "provenance.fidelity", BIT(TEXT)},
        {"sources", "sources", BIT(OBJECT)},
        {"sources.loader", "loader", BIT(ABSENT)},
        {"sources.ldmatrix", "ldmatrix", BIT(ABSENT)},
        {"sources.onehot", "onehot", BIT(ABSENT)},
        {"sources.onehot.kind", "onehot", 0},
        {"sources.onehot.offset", "onehot", 0},
        {"sources.onehot.offset.0", "onehot", BIT(NUMBER)},
        {"sources.onehot.basis", "onehot", 0},
        {"sources.onehot.basis.thread", "onehot", 0},
        {"sources.onehot.basis.reg", "onehot", 0},
        {"sources.onehot.basis.part", "onehot", 0},
        {"sources.onehot.basis.reg.1", "onehot", 0},
        {"sources.onehot.basis.part.0.1", "onehot", BIT(NUMBER)},
    };
    char path[SCRATCH_PATH];
    size_t refused = 0;
    scratch_path(state, "contract.json", path);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        for (enum wrong w = ABSENT; w < WRONGS; w++) {
            struct contract untouched = {.slots = 77}, c = untouched;
            struct error e;
            if (members[i].legal & BIT(w))
                continue;
            json_t *document = document_of(COMMITTED("A"));
            tamper(document, members[i].member, wrong_value(w));
            enum status s = read_document(state, document, &c, &e);
            if (s == STATUS_OK)
                fail_msg("%s, wrong in way %d, was accepted", members[i].member, (int)w);
            expect_error(&e, STATUS_BAD_INPUT, path, members[i].field, -1, "");
            assert_true(e.why[0] != '\0');
            assert_memory_equal(&c, &untouched, sizeof c);
            json_decref(document);
            refused++;
        }
    assert_true(refused > 150);
}

/* Points outside the operand, in the affine and in the table form. */
static void contract_read_points_out_of_range_are_refused(void **state)
{
    static const int affine[][2] = {{64, 0}, {0, 16}, {1 << 30, 0}};
    static const int64_t table[] = {-1, A_SLOTS, UINT32_MAX, 1LL << 32, 1LL << 40};
    for (size_t i = 0; i < 3; i++) {
        json_t *document = document_of(COMMITTED("A"));
        struct contract c;
        struct error e;
        json_t *point = json_array();
        json_array_append_new(point, json_integer(affine[i][0]));
        json_array_append_new(point, json_integer(affine[i][1]));
        tamper(document, "sources.ldmatrix.basis.thread.6", point);
        assert_int_equal(read_document(state, document, &c, &e), STATUS_BAD_INPUT);
        assert_string_equal(e.field, "ldmatrix");
        json_decref(document);
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t length = A_SLOTS - 1; length <= A_SLOTS + 1; length++) {
            json_t *document = document_of(COMMITTED("A")), *codes = json_array();
            struct contract c;
            struct error e;
            for (size_t slot = 0; slot < length; slot++)
                json_array_append_new(codes, json_integer(slot == 9 && length == A_SLOTS ? table[i] : 0));
            tamper(document, "sources.ldmatrix.kind", json_string("table"));
            json_object_set_new(json_object_get(json_object_get(document, "sources"), "ldmatrix"), "codes", codes);
            assert_int_equal(read_document(state, document, &c, &e), STATUS_BAD_INPUT);
            assert_string_equal(e.field, "ldmatrix");
            json_decref(document);
        }
}

/* One image more than the box has bits. */
static void contract_read_surplus_images_are_refused(void **state)
{
    static const char *const dims[] = {"thread", "reg", "part"};
    for (int i = 0; i < 3; i++) {
        json_t *document = document_of(COMMITTED("A"));
        const char *last;
        char member[64];
        struct contract c;
        struct error e;
        snprintf(member, sizeof member, "sources.onehot.basis.%s.0", dims[i]);
        json_t *images = parent_of(document, member, &last);
        json_array_append(images, json_array_get(images, 0));
        assert_int_equal(read_document(state, document, &c, &e), STATUS_BAD_INPUT);
        assert_string_equal(e.field, "onehot");
        json_decref(document);
    }
}

/* What a file claims of itself is not believed. */
static void contract_read_claims_are_judged_again(void **state)
{
    static const struct {
        const char *member;
        json_t *(*value)(void);
        bool locked, conforms;
    } cases[] = {
        {"locked", json_false, true, true}, /* a true contract that says it is not */
        {"conforms", json_null, true, true},
        {"slots", json_null, true, true},
        {"elements", json_array, true, true},
        {"sources.spec", json_null, true, true},
        {"sources.onehot.agree", json_null, true, true},
        {"sources.onehot.slots", json_null, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *document = document_of(COMMITTED("A"));
        struct contract c;
        struct error e;
        tamper(document, cases[i].member, cases[i].value());
        if (read_document(state, document, &c, &e) != STATUS_OK)
            fail_msg("%s: %s", cases[i].member, e.why);
        assert_int_equal(c.locked, cases[i].locked);
        assert_int_equal(c.conforms, cases[i].conforms);
        contract_free(&c);
        json_decref(document);
    }
}

/* A file that says "locked" and 1024 of 1024, and is not. */
static void contract_read_lies_do_not_lock(void **state)
{
    static const char *const removed[] = {"sources.onehot", "sources.ldmatrix"};
    static const struct {
        const char *member;
        int value;
    } changed[] = {{"product.outputs", 0},
                   {"product.wrong", 1},
                   {"sources.onehot.basis.reg.0.0", 0},
                   {"sources.ldmatrix.basis.part.0.1", 3},
                   {"sources.loader.offset.0", 1}};
    size_t lies = 0;
    for (size_t i = 0; i < 2 + 5 + 1; i++, lies++) {
        json_t *document = document_of(COMMITTED("A"));
        struct contract c;
        struct error e;
        if (i < 2)
            tamper(document, removed[i], NULL);
        else if (i < 7)
            tamper(document, changed[i - 2].member, json_integer(changed[i - 2].value));
        else
            tamper(document, "provenance.fidelity", json_string("bit-exact model"));
        assert_true(json_is_true(json_object_get(document, "locked")));
        if (read_document(state, document, &c, &e) != STATUS_OK)
            fail_msg("lie %zu: %s: %s", i, e.field, e.why);
        assert_false(c.locked);
        assert_int_equal(c.conforms, i < 3 || i == 7);
        assert_int_equal(c.first[0] == '\0', c.conforms);
        contract_free(&c);
        json_decref(document);
    }
    assert_int_equal(lies, 8);
}

static void contract_read_what_is_no_contract_is_refused(void **state)
{
    char path[SCRATCH_PATH];
    struct contract c;
    struct error e;
    scratch_path(state, "absent.json", path);
    assert_int_equal(contract_read(path, &c, &e), STATUS_IO);
    assert_string_equal(e.path, path);
    FILE *f = fopen(scratch_path(state, "text.json", path), "w");
    assert_non_null(f);
    fputs("{\"schema\": \"fragoracle.contract/1\",\n  nonsense", f);
    fclose(f);
    assert_int_equal(contract_read(path, &c, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.path, path);
    assert_int_equal(e.line, 2);
    json_t *document = document_of(COMMITTED("A"));
    tamper(document, "op", json_string("wgmma.m64n64k16.f32.bf16.bf16.ss"));
    assert_int_equal(read_document(state, document, &c, &e), STATUS_BAD_INPUT);
    assert_string_equal(e.field, "operand");
    assert_non_null(strstr(e.why, "shared memory"));
    json_decref(document);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(contract_read_what_was_written_comes_back),
        IN_SCRATCH(contract_read_table_comes_back_and_does_not_conform),
        IN_SCRATCH(contract_read_every_needed_member_wrong_is_refused),
        IN_SCRATCH(contract_read_points_out_of_range_are_refused),
        IN_SCRATCH(contract_read_surplus_images_are_refused),
        IN_SCRATCH(contract_read_claims_are_judged_again),
        IN_SCRATCH(contract_read_lies_do_not_lock),
        IN_SCRATCH(contract_read_what_is_no_contract_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
