#include "oracle/answer/broke.h"

#include <limits.h>

#include "oracle/io/file.h"

static json_t *json_of_broke(const struct scores_case *c, const char *why)
{
    json_t *shape = json_pack("{s:I, s:I, s:I, s:I, s:I}", "P", (json_int_t)c->P, "N", (json_int_t)c->N, "K",
                              (json_int_t)c->K, "experts", (json_int_t)c->experts, "segments", (json_int_t)c->segments);
    json_t *notes = *c->note ? json_pack("[s]", c->note) : json_array();
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:o, s:s, s:o, s:o, s:o, s:O}", "schema", SCORES_SCHEMA,
                     "probe", "identity", "subject", json_name(c->subject), "executor", c->executor, "fidelity",
                     c->fidelity, "shape", shape, "seed", (json_int_t)c->seed, "weights", json_name(c->weights),
                     "verdict", fo_verdict_name(FO_DIFFERS), "broke", json_name(why), "repeat", json_name(c->repeat),
                     "notes", notes, "machine", c->machine);
}

static enum status write_folder(const char *out, const json_t *document, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_path(out, "scores.json", path, e);
    if (s == STATUS_OK)
        s = file_make_folder(out, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

enum status broke_answer(const struct scores_case *c, const struct error *why, const char *out,
                         struct fo_answer *answer, struct error *e)
{
    struct text text = {0};
    json_t *document = json_of_broke(c, why->why);
    enum status s = STATUS_OK;
    if (!document)
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    else if (out)
        s = write_folder(out, document, e);
    if (s != STATUS_OK) {
        json_decref(document);
        return s;
    }
    text_add(&text, "identity probe of %s on %s (%s), P,N,K = %zu,%zu,%zu, experts %zu, segments %zu\n", c->subject,
             c->executor, c->fidelity, c->P, c->N, c->K, c->experts, c->segments);
    text_add(&text, "  broke         %s\n  weights       %s\n", why->why, c->weights);
    if (*c->note)
        text_add(&text, "  note          %s\n", c->note);
    text_add(&text, "verdict: %s\nrepeat:  %s\n", fo_verdict_name(FO_DIFFERS), c->repeat);
    return answer_make(FO_DIFFERS, document, &text, answer, e);
}
