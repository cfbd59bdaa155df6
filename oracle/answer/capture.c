/* capture: the public question behind `fragoracle capture`. */
#include <string.h>

#include "oracle/answer/answer.h"
#include "oracle/answer/arithmetic.h"
#include "oracle/answer/contract.h"
#include "oracle/io/json.h"

enum { CAPTURE_TILES = 12 }; /* of each regime: 73,728 outputs, 923 KB */

static enum status capture_arithmetic(const struct fo_capture_options *o, const struct machine *m,
                                      struct fo_answer *answer, struct error *e)
{
    struct arithmetic_result r;
    struct text text = {0};
    if (!o->out)
        return error_set(e, STATUS_BAD_ARGUMENT, "--method arithmetic needs --out FOLDER");
    enum status s = arithmetic_capture(m, CAPTURE_TILES, o->seed, o->out, e);
    if (s == STATUS_OK)
        s = arithmetic_replay(o->out, &r, NULL, e);
    if (s != STATUS_OK)
        return s;
    enum fo_verdict verdict = r.mismatches_all ? FO_DIFFERS : FO_CONFORMS;
    text_add(&text, "%s: %llu outputs captured on %s (%s); the model differs on %llu\n", o->out,
             (unsigned long long)r.outputs_all, m->name, m->device, (unsigned long long)r.mismatches_all);
    if (r.mismatches_all)
        text_add(&text, "first: %s\n", r.first);
    text_add(&text, "verdict: %s\n", fo_verdict_name(verdict));
    json_t *j =
        json_pack("{s:s, s:o, s:o, s:s, s:o}", "schema", "fragoracle.arithmetic/1", "folder", json_name(o->out),
                  "result", json_of_arithmetic(&r), "verdict", fo_verdict_name(verdict), "machine", json_of_machine(m));
    return answer_make(verdict, j, &text, answer, e);
}

static void contract_text(const struct contract *c, const struct machine *m, struct text *text)
{
    text_add(text, "%s %s, measured on %s: %s\n", c->op, c->operand, m->name, m->device);
    for (int s = CONTRACT_LOADER; s < CONTRACT_SOURCES; s++)
        if (c->present[s])
            text_add(text, "  %-9s %zu of %zu slots as the formula says\n",
                     contract_source_name((enum contract_source)s), c->agree[s], c->slots);
    if (c->product_outputs)
        text_add(text, "  product   %zu of %zu outputs exact\n", c->product_outputs - c->product_wrong,
                 c->product_outputs);
    if (c->first[0])
        text_add(text, "  first     %s\n", c->first);
    if (c->locked)
        text_add(text, "contract: locked\n");
    else
        text_add(text, "contract: not locked%s\n",
                 c->fidelity != FIDELITY_HARDWARE ? " (only a GPU can be evidence)" : "");
}

static enum status capture_contract(const struct fo_capture_options *o, const struct machine *m,
                                    struct fo_answer *answer, struct error *e)
{
    struct contract c;
    struct text text = {0};
    enum status s = contract_measure(m, o->op, o->operand, o->method ? o->method : "all", &c, e);
    if (s != STATUS_OK)
        return s;
    json_t *j = contract_json(&c);
    enum fo_verdict verdict = c.conforms ? FO_CONFORMS : FO_DIFFERS;
    contract_text(&c, m, &text);
    text_add(&text, "verdict: %s\n", fo_verdict_name(verdict));
    contract_free(&c);
    if (o->out && j)
        s = json_write(o->out, j, e);
    if (s == STATUS_OK)
        return answer_make(verdict, j, &text, answer, e);
    json_decref(j);
    text_free(&text);
    return s;
}

int fo_capture(const struct fo_capture_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e;
    struct machine m;
    enum status s = machine_choose(o->on ? o->on : "auto", &m, &e);
    if (s == STATUS_OK)
        s = o->method && strcmp(o->method, "arithmetic") == 0 ? capture_arithmetic(o, &m, answer, &e)
                                                              : capture_contract(o, &m, answer, &e);
    return answer_end(s, &e, error);
}
