/* infer: a capture, site by site and station by station. */
#include "oracle/infer/infer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reference/fragment.h"

static const struct {
    const char *name;
    site_station *check;
} stations[INFER_STATIONS] = {
    {"assert", site_assert_check},     {"A", site_a_check}, {"B", site_b_check}, {"D", site_d_check},
    {"epilogue", site_epilogue_check},
};
enum { STATION_A = 1, STATION_D = 3 };

static enum status finding_start(const char *station, struct site_finding *f, struct error *e)
{
    *f =
        (struct site_finding){.station = station, .verdict = FO_NOT_APPLICABLE, .stage = "", .document = json_object()};
    return f->document ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for a finding");
}

/* What one site is asked; why: what is wrong with its operation, where that is not known. */
static struct error make_case(struct infer_case *question, const struct tap_image *image, const struct infer_site *site,
                              struct site_case *c)
{
    struct error why = {0};
    *c = (struct site_case){.image = image,
                            .site = site->site,
                            .a = &question->a,
                            .b = &question->b,
                            .output = &question->output,
                            .output_type = question->output_type,
                            .asked = &question->asked};
    snprintf(c->op_name, sizeof c->op_name, "%s", site->op);
    c->op_known = wgmma_parse(site->op, &c->op, &why) == STATUS_OK;
    return why;
}

/* Everything that a site is asked. */
static enum status judge_site(struct infer_case *question, const struct tap_image *image, struct infer_site *site,
                              struct error *e)
{
    struct site_case c;
    struct error why = make_case(question, image, site, &c);
    enum status s = STATUS_OK;
    for (int i = 0; i < INFER_STATIONS && s == STATUS_OK; i++) {
        struct site_finding *f = &site->finding[i];
        s = finding_start(stations[i].name, f, e);
        if (s != STATUS_OK)
            break;
        if (c.op_known || i < STATION_A)
            s = stations[i].check(&c, f, e);
        else if (i == STATION_A)
            site_conclude(f, FO_UNDECIDED, "", "%.200s", why.why);
    }
    return s;
}

/* Sites of which the order of A stayed open: is it that of another site? */
static enum status judge_again(struct infer_case *question, const struct tap_image *image, struct infer_report *r,
                               struct error *e)
{
    struct site_asked *asked = &question->asked;
    enum status s = STATUS_OK;
    for (size_t i = 0; i < r->sites && asked->maps < SITE_MAPS; i++) {
        const struct site_finding *f = &r->site[i].finding[STATION_A];
        bool told = false;
        for (size_t k = 0; k < i; k++)
            told = told || (r->site[k].finding[STATION_A].map_known &&
                            strcmp(r->site[k].finding[STATION_A].cause, f->cause) == 0);
        if (f->map_known && !f->unexplained && !told)
            asked->map[asked->maps++] = (struct site_map){r->site[i].site, &f->map};
    }
    for (size_t i = 0; s == STATUS_OK && asked->maps && i < r->sites; i++) {
        struct site_case c;
        struct site_finding *f = &r->site[i].finding[STATION_A];
        if (!f->unexplained)
            continue;
        if (f->detail.failed || f->note.failed) /* lines were lost before they could be replaced */
            return error_set(e, STATUS_NO_MEMORY, "no memory for a finding");
        make_case(question, image, &r->site[i], &c);
        site_finding_free(f);
        s = finding_start(stations[STATION_A].name, f, e);
        if (s == STATUS_OK)
            s = site_a_check(&c, f, e);
    }
    return s;
}

/* Did any thread of the window come by any stream of it? */
static bool is_reached(const struct tap_image *image, const struct tap_image_stream *s)
{
    size_t counters = (size_t)image->filter.blocks * image->filter.warpgroups * FO_CAPTURE_THREADS;
    for (size_t i = 0; i < counters; i++)
        if (s->counter[i])
            return true;
    return false;
}

/* The sites of an image: its streams are sorted by them. */
static enum status list_sites(const struct tap_image *image, int64_t only, struct infer_report *r, struct error *e)
{
    r->site = calloc(image->stream_count ? image->stream_count : 1, sizeof *r->site);
    if (!r->site)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %u sites", image->stream_count);
    for (uint32_t i = 0; i < image->stream_count; i++) {
        const struct tap_image_stream *t = &image->stream[i];
        struct infer_site *last = r->sites ? &r->site[r->sites - 1] : NULL;
        if (only >= 0 && t->site != (uint64_t)only)
            continue;
        if (last && last->site == t->site) {
            last->reached = last->reached || is_reached(image, t);
            continue;
        }
        last = &r->site[r->sites++];
        last->site = t->site;
        last->reached = is_reached(image, t);
        snprintf(last->op, sizeof last->op, "%s", t->op);
        snprintf(last->source, sizeof last->source, "%s", t->source);
        if (*t->source)
            snprintf(last->where, sizeof last->where, "site %u, %.100s", t->site, t->source);
        else
            snprintf(last->where, sizeof last->where, "site %u", t->site);
    }
    if (r->sites)
        return STATUS_OK;
    if (only >= 0)
        error_set(e, STATUS_BAD_ARGUMENT, "the capture has no site %lld", (long long)only);
    else
        error_set(e, STATUS_BAD_INPUT, "the capture holds no stream");
    return error_at_path(e, r->path);
}

static enum status judge_capture(struct infer_case *question, struct fo_answer *answer, struct error *e)
{
    const struct fo_infer_options *o = question->options;
    struct tap_image image = {0};
    struct infer_report r = {.path = o->capture, .image = &image};
    r.compared = question->a.given || question->b.given || question->output.given;
    enum status s;
    if (o->op || o->operand)
        return error_set(e, STATUS_BAD_ARGUMENT,
                         "--op and --operand belong to an .npy of registers; a capture says its own");
    s = tap_image_read(o->capture, &image, e);
    if (s == STATUS_OK)
        s = list_sites(&image, o->site, &r, e);
    for (size_t i = 0; s == STATUS_OK && i < r.sites; i++)
        if (r.site[i].reached)
            s = judge_site(question, &image, &r.site[i], e);
    if (s == STATUS_OK)
        s = judge_again(question, &image, &r, e);
    if (s == STATUS_OK)
        s = infer_report_answer(&r, o->out, answer, e);
    for (size_t i = 0; i < r.sites; i++)
        for (int k = 0; k < INFER_STATIONS; k++)
            site_finding_free(&r.site[i].finding[k]);
    free(r.site);
    tap_image_free(&image);
    return s;
}

/* The registers of a dump: u4 [..., threads, regs], each leading index a record. */
static enum status dump_tile(const char *path, const struct layout *contract, const struct site_type *type,
                             struct site_tile *out, struct error *e)
{
    struct npy a = {0};
    const uint32_t threads = contract->domain.extent[0], regs = contract->domain.extent[1];
    enum status s = npy_read(path, &a, e);
    if (s != STATUS_OK)
        return s;
    if (a.type != NPY_U4 || a.rank < 2 || a.shape[a.rank - 2] != threads || a.shape[a.rank - 1] != regs) {
        error_set(e, STATUS_BAD_INPUT,
                  "registers are u4 [%u,%u], or that behind leading dimensions; this is %s of rank %d", threads, regs,
                  npy_type_name(a.type), a.rank);
        s = error_at_path(e, path);
    } else {
        s = site_tile_make(contract, type, npy_count(&a) / threads / regs, out, e);
    }
    if (s == STATUS_OK)
        for (size_t v = 0; v < out->views; v++) {
            out->view[v].time = (uint32_t)v;
            for (uint32_t t = 0; t < threads; t++)
                site_tile_put(out, v, t, (const uint32_t *)a.data + (v * threads + t) * regs);
        }
    npy_free(&a);
    return s;
}

static enum status judge_dump(struct infer_case *question, struct fo_answer *answer, struct error *e)
{
    const struct fo_infer_options *o = question->options;
    struct infer_site site = {.where = "registers", .reached = true};
    struct infer_report r = {.path = o->capture, .sites = 1, .site = &site};
    struct wgmma_op op;
    struct site_tile tile = {0};
    struct layout contract;
    enum fragment_operand operand;
    const struct site_matrix *m;
    if (!o->op || !o->operand || !question->a.given)
        return error_set(e, STATUS_BAD_ARGUMENT, "an .npy of registers wants --op, --operand and --matrix");
    if (o->site > 0 || o->b || o->output)
        return error_set(e, STATUS_BAD_ARGUMENT, "--site, --b and --output want a capture, not an .npy of registers");
    enum status s = wgmma_parse(o->op, &op, e);
    if (s == STATUS_OK)
        s = fragment_operand_parse(o->operand, &operand, e);
    if (s == STATUS_OK)
        s = fragment_map(&op, operand, &contract, e);
    if (s != STATUS_OK)
        return s;
    const struct site_type *type = site_type_find(operand == FRAGMENT_A ? op.family->a : op.family->d);
    struct site_finding *f = &site.finding[operand == FRAGMENT_A ? STATION_A : STATION_D];
    wgmma_format(&op, site.op);
    if (!type)
        return error_set(e, STATUS_UNSUPPORTED, "%s of %s: a type without numbers here", o->operand, o->op);
    s = finding_start(operand == FRAGMENT_A ? "A" : "D", f, e);
    if (s == STATUS_OK)
        s = dump_tile(o->capture, &contract, type, &tile, e);
    if (s == STATUS_OK)
        s = site_operand_matrix(&question->a, type, &m, e);
    if (s == STATUS_OK)
        s = site_registers_check(&tile, m, &question->asked, f, e);
    if (s == STATUS_OK)
        s = infer_report_answer(&r, o->out, answer, e);
    site_tile_free(&tile);
    site_finding_free(f);
    return s;
}

static bool is_npy(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npy") == 0;
}

int fo_infer(const struct fo_infer_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {0};
    struct infer_case question = {0};
    enum status s = infer_case_make(o, &question, &e);
    if (s == STATUS_OK)
        s = is_npy(o->capture) ? judge_dump(&question, answer, &e) : judge_capture(&question, answer, &e);
    infer_case_free(&question);
    return answer_end(s, &e, error);
}
