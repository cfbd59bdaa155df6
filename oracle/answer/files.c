/* files: the identity probe for a kernel in any language. oracle/exec/files.h says what lies in the folder. */
#include "oracle/exec/files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oracle/answer/identity_case.h"
#include "oracle/answer/scores.h"
#include "oracle/io/file.h"
#include "oracle/io/json.h"
#include "probes/weights.h"
#include "reference/mxfp4.h"

static enum status write_array(const char *folder, const char *name, enum npy_type type, int rank, const size_t *shape,
                               const void *data, struct error *e)
{
    char path[PATH_MAX];
    enum status s = file_path(folder, name, path, e);
    return s == STATUS_OK ? npy_write(path, type, rank, shape, data, e) : s;
}

static enum status write_weights(const char *folder, const char *blocks, const char *scales, const struct weights *w,
                                 struct error *e)
{
    const size_t shape[] = {w->experts, w->N, w->K / MXFP4_BLOCK, MXFP4_BLOCK_BYTES};
    enum status s = write_array(folder, blocks, NPY_U1, 4, shape, w->blocks, e);
    return s == STATUS_OK ? write_array(folder, scales, NPY_U1, 3, shape, w->scales, e) : s;
}

static enum status write_segments(const char *folder, const struct segments *g, struct error *e)
{
    const size_t starts[] = {g->active + 1}, ids[] = {g->active};
    enum status s = write_array(folder, "starts.npy", NPY_U4, 1, starts, g->starts, e);
    return s == STATUS_OK ? write_array(folder, "ids.npy", NPY_I4, 1, ids, g->ids, e) : s;
}

static enum status write_poison(const char *folder, const char *name, uint16_t bits, size_t P, size_t N,
                                struct error *e)
{
    const size_t shape[] = {P, N};
    uint16_t *filled = malloc(P * N * sizeof *filled);
    if (!filled)
        return error_set(e, STATUS_NO_MEMORY, "no memory for an output of %zu x %zu", P, N);
    for (size_t i = 0; i < P * N; i++)
        filled[i] = bits;
    enum status s = write_array(folder, name, NPY_U2, 2, shape, filled, e);
    free(filled);
    return s;
}

/* The inputs of every pass; the special pass brings weights of its own. */
static enum status write_passes(const char *folder, const struct identity_case *c, struct error *e)
{
    const struct weights *w = &c->weights.w;
    const size_t shape[] = {c->options.P, w->K};
    struct bf16 *x = malloc(c->options.P * w->K * sizeof *x);
    if (!x)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu x %zu activations", c->options.P, w->K);
    enum status s = STATUS_OK;
    for (size_t pass = 0; s == STATUS_OK && pass < identity_passes(&c->options, w->K); pass++) {
        char path[PATH_MAX];
        identity_activations(&c->options, w->K, pass, x);
        s = files_pass_path(folder, "x", pass, "", path, e);
        if (s == STATUS_OK)
            s = npy_write(path, NPY_U2, 2, shape, x, e);
        if (s == STATUS_OK && identity_pass_is_special(&c->options, w->K, pass)) {
            struct weights_set special;
            s = weights_make(WEIGHTS_SPECIAL, w->experts, w->N, w->K, c->options.seed, &special, e);
            if (s == STATUS_OK) {
                s = write_weights(folder, "special_blocks.npy", "special_scales.npy", &special.w, e);
                weights_free(&special);
            }
        }
    }
    free(x);
    return s;
}

/* Outputs that lie there belong to other inputs; scored against these they would be an accusation. */
static enum status refuse_old_outputs(const char *folder, size_t passes, struct error *e)
{
    for (size_t i = 0; i < 2 * passes; i++) {
        char path[PATH_MAX];
        enum status s = files_pass_path(folder, "out", i / 2, i % 2 ? "_b" : "", path, e);
        if (s != STATUS_OK)
            return s;
        if (access(path, F_OK) == 0) {
            error_set(e, STATUS_BAD_ARGUMENT, "an output of an earlier run lies there: remove it, or emit elsewhere");
            return error_at_path(e, path), STATUS_BAD_ARGUMENT;
        }
    }
    return STATUS_OK;
}

static json_t *json_of_emitted_passes(const struct identity_case *c)
{
    size_t K = c->weights.w.K, passes = identity_passes(&c->options, K);
    json_t *list = json_array();
    for (size_t pass = 0; list && pass < passes; pass++) {
        int special = identity_pass_is_special(&c->options, K, pass);
        char x[64], a[64], b[64];
        snprintf(x, sizeof x, "x_%zu.npy", pass);
        snprintf(a, sizeof a, "out_%zu.npy", pass);
        snprintf(b, sizeof b, "out_%zu_b.npy", pass);
        json_t *entry = json_pack("{s:I, s:b, s:s, s:s, s:s, s:[s, s]}", "pass", (json_int_t)pass, "special", special,
                                  "x", x, "blocks", special ? "special_blocks.npy" : "blocks.npy", "scales",
                                  special ? "special_scales.npy" : "scales.npy", "out", a, b);
        if (json_array_append_new(list, entry) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static json_t *json_of_emit(const struct identity_case *c, const struct segments *g)
{
    const struct weights *w = &c->weights.w;
    json_t *protocol = json_pack(
        "[s, s, s, s]",
        "out[p][n] = bf16(sum over k of x[p][k] * W[n][k]), W the weights of the expert whose segment holds row p; "
        "zero where no segment does; a sum of zero is +0, and any NaN stands for NaN",
        "segment a is rows starts[a] .. starts[a+1]-1 with expert ids[a]; x is bf16 bits; byte j of a block holds "
        "element 2j in its low nibble; scale s is 2^(s-127), 255 is NaN",
        "for every pass: start from the first poison, run, write out[0]; start from the second poison, run again, "
        "write out[1] (optional: without it `unwritten` rests on one run)",
        "outputs are [P,N]: <u2 bf16 bits, or <f4, which score rounds to bf16; in <f4 a poison is its 16 bits followed "
        "by 16 zero bits");
    return json_pack(
        "{s:s, s:s, s:{s:I,s:I,s:I,s:I,s:I}, s:b, s:I, s:o, s:{s:s,s:s}, s:[{s:I,s:s},{s:I,s:s}], s:o, s:o}", "schema",
        FILES_SCHEMA, "probe", "identity", "shape", "P", (json_int_t)c->options.P, "N", (json_int_t)w->N, "K",
        (json_int_t)w->K, "experts", (json_int_t)w->experts, "segments", (json_int_t)g->active, "historical",
        c->options.historical, "seed", (json_int_t)c->options.seed, "weights", json_name(c->weights.what), "segments",
        "starts", "starts.npy", "ids", "ids.npy", "poison", "bits", FILES_POISON_A, "file", "poison_a.npy", "bits",
        FILES_POISON_B, "file", "poison_b.npy", "passes", json_of_emitted_passes(c), "protocol", protocol);
}

/* emit.json goes first and comes last: while it is there, the folder is whole. */
static enum status emit_folder(const char *folder, const struct identity_case *c, const json_t *document,
                               const struct segments *g, struct error *e)
{
    char path[PATH_MAX];
    size_t P = c->options.P, N = c->weights.w.N;
    enum status s = file_path(folder, "emit.json", path, e);
    if (s == STATUS_OK)
        s = file_make_folder(folder, e);
    if (s == STATUS_OK)
        s = refuse_old_outputs(folder, identity_passes(&c->options, c->weights.w.K), e);
    if (s == STATUS_OK && unlink(path) != 0 && errno != ENOENT) {
        s = error_set(e, STATUS_IO, "cannot remove the old one: %s", strerror(errno));
        return error_at_path(e, path), s;
    }
    if (s == STATUS_OK)
        s = write_weights(folder, "blocks.npy", "scales.npy", &c->weights.w, e);
    if (s == STATUS_OK)
        s = write_segments(folder, g, e);
    if (s == STATUS_OK)
        s = write_poison(folder, "poison_a.npy", FILES_POISON_A, P, N, e);
    if (s == STATUS_OK)
        s = write_poison(folder, "poison_b.npy", FILES_POISON_B, P, N, e);
    if (s == STATUS_OK)
        s = write_passes(folder, c, e);
    return s == STATUS_OK ? json_write(path, document, e) : s;
}

int fo_emit(const struct fo_emit_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct identity_case c = {0};
    struct identity_segments g = {0};
    struct text text = {0};
    json_t *document = NULL;
    enum status s = STATUS_OK;
    if (!o->out)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "emit wants --out DIR");
    else if (o->kind && strcmp(o->kind, "identity") != 0)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "unknown probe '%s'; legal: identity", o->kind);
    if (s == STATUS_OK)
        s = identity_case_make(o->P, o->N, o->K, &o->weights, o->historical, -1, &c, &e);
    if (s == STATUS_OK)
        s = identity_segments_make(c.options.P, c.weights.w.experts, o->historical, &g, &e);
    if (s != STATUS_OK)
        goto cleanup;
    document = json_of_emit(&c, &g.s);
    if (!document) {
        s = error_set(&e, STATUS_NO_MEMORY, "no memory for emit.json");
        goto cleanup;
    }
    s = emit_folder(o->out, &c, document, &g.s, &e);
    if (s != STATUS_OK)
        goto cleanup;
    text_add(&text, "%s: identity probe, P,N,K = %zu,%zu,%zu, %zu experts, %zu segments, %zu passes\n", o->out,
             c.options.P, c.weights.w.N, c.weights.w.K, c.weights.w.experts, g.s.active,
             identity_passes(&c.options, c.weights.w.K));
    text_add(&text, "  weights  %s\n  next     write the outputs that emit.json names, then: fragoracle score --in ",
             c.weights.what);
    text_add_word(&text, o->out);
    text_add(&text, "\n");
    s = answer_make(FO_NOT_APPLICABLE, json_incref(document), &text, answer, &e);

cleanup:
    json_decref(document);
    text_free(&text);
    identity_segments_free(&g);
    identity_case_free(&c);
    return answer_end(s, &e, error);
}

static json_t *json_of_files(const struct files *f)
{
    struct machine m = {.name = "files", .fidelity = FIDELITY_UNSUPPORTED};
    snprintf(m.device, sizeof m.device, "%s", f->device);
    json_t *described = json_of_machine(&m);
    if (json_object_set_new(described, "fidelity", json_string(f->fidelity)) != 0) {
        json_decref(described);
        return NULL;
    }
    return described;
}

static enum status score_answer(const struct files *f, const struct identity_result *r, const char *out,
                                struct fo_answer *answer, struct error *e)
{
    struct text subject = {0}, repeat = {0}, note = {0};
    json_t *described = json_of_files(f);
    enum status s = STATUS_OK;
    text_add(&subject, "files:%s", f->folder);
    text_add(&repeat, "fragoracle score --in ");
    text_add_word(&repeat, f->folder);
    text_add(&note, "%s", "");
    if (f->single)
        text_add(&note, "unwritten rests on one output in %zu of %zu passes: there is no out_S_b.npy", f->single,
                 r->passes);
    if (!described || subject.failed || repeat.failed || note.failed) {
        s = error_set(e, STATUS_NO_MEMORY, "no memory for the answer");
    } else {
        struct scores_case c = {.subject = subject.data,
                                .executor = "files",
                                .fidelity = f->fidelity,
                                .weights = f->weights,
                                .P = f->P,
                                .N = f->N,
                                .K = f->K,
                                .experts = f->experts,
                                .segments = f->active,
                                .seed = f->seed,
                                .note = note.data,
                                .repeat = repeat.data,
                                .machine = described};
        s = scores_answer(&c, r, out, answer, e);
    }
    json_decref(described);
    text_free(&subject);
    text_free(&repeat);
    text_free(&note);
    return s;
}

int fo_score(const struct fo_score_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct files *f = calloc(1, sizeof *f);
    struct executor executor;
    struct identity_result result = {0};
    enum status s = STATUS_OK;
    if (!f)
        s = error_set(&e, STATUS_NO_MEMORY, "no memory for a folder");
    else if (!o->in)
        s = error_set(&e, STATUS_BAD_ARGUMENT, "score wants --in DIR, a folder that emit wrote");
    if (s == STATUS_OK)
        s = files_open(o->in, f, &e);
    if (s != STATUS_OK)
        goto cleanup;
    struct weights w = files_weights(f);
    struct identity_options options = {.P = f->P, .historical = f->historical, .pass = -1, .seed = f->seed};
    if (identity_passes(&options, f->K) != f->passes) {
        s = error_set(&e, STATUS_BAD_INPUT, "emit.json lists %zu passes, this program asks %zu: emit again", f->passes,
                      identity_passes(&options, f->K));
        error_at_path(&e, o->in);
        goto cleanup;
    }
    files_executor(f, &executor);
    s = identity_run(&executor, &w, &options, &result, &e);
    if (s == STATUS_OK)
        s = score_answer(f, &result, o->out, answer, &e);

cleanup:
    identity_result_free(&result);
    if (f)
        files_close(f);
    free(f);
    return answer_end(s, &e, error);
}
