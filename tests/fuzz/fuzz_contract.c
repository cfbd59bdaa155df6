/* Any bytes through contract_parse: it refuses them, or what it gives out is judged by the formula, not by the file,
 * and comes back from its own JSON the same. */
#include <stdlib.h>

#include "oracle/answer/contract.h"
#include "tests/fuzz/fuzz.h"

static void check_refusal(const struct error *e, enum status s)
{
    char line[1100];
    assert(s == STATUS_BAD_INPUT && e->status == s && !strcmp(e->path, "input") && e->why[0]);
    error_line(e, line, sizeof line);
    for (const char *p = line; *p; p++)
        assert((unsigned char)*p >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct contract c, untouched, again;
    struct error e;
    memset(&c, 0xa5, sizeof c);
    untouched = c;
    enum status s = contract_parse("input", bytes, size, &c, &e);
    if (s != STATUS_OK) {
        assert(!memcmp(&c, &untouched, sizeof c));
        check_refusal(&e, s);
        return 0;
    }
    assert(c.present[CONTRACT_SPEC] && c.agree[CONTRACT_SPEC] == c.slots && c.product_wrong <= c.product_outputs);
    json_t *document = contract_json(&c);
    char *text = json_text(document);
    assert(text && contract_parse("input", text, strlen(text), &again, &e) == STATUS_OK);
    assert(!memcmp(c.agree, again.agree, sizeof c.agree) && !strcmp(c.op, again.op));
    assert(c.locked == again.locked && c.conforms == again.conforms && c.slots == again.slots);
    free(text);
    json_decref(document);
    contract_free(&c);
    contract_free(&again);
    return 0;
}
