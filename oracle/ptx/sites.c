#include "oracle/ptx/sites.h"

#include <stdlib.h>
#include <string.h>

#include "oracle/ptx/points.h"
#include "oracle/ptx/results.h"

enum { LARGEST_TEXT = 1 << 30 };

/* Names as C strings: those of all registers, functions and files, in one block. */
struct names {
    char *text;
    size_t *of_register, *of_file;
    size_t at;
};

struct finding {
    struct ptx_module m;
    struct names names;
    struct ptx_sites out;
    uint32_t site_room, result_room, accumulators;
};

/* One function while it is looked at. */
struct inside {
    const struct ptx_function *f;
    const char *name;
    uint32_t first_site, sites;
    struct mma *mma;
    struct flow flow;
    struct live live;
    struct results results;
};

static size_t add_name(struct finding *g, uint32_t at, uint32_t length)
{
    size_t start = g->names.at;
    memcpy(g->names.text + start, g->m.lexer.text + at, length);
    g->names.text[start + length] = '\0';
    g->names.at += length + (size_t)1;
    return start;
}

/* Room for every name; those of registers and files are written at once. The two immediates of scale-d stand first. */
static enum status make_names(struct finding *g, struct error *e)
{
    static const char immediates[] = "0\0001";
    const struct ptx_module *m = &g->m;
    size_t size = sizeof immediates;
    for (uint32_t r = 0; r < m->symbols.registers; r++)
        size += module_register(m, r)->length + (size_t)1;
    for (uint32_t i = 0; i < m->functions; i++)
        size += m->function[i].name_length + (size_t)1;
    for (uint32_t i = 0; i < m->files; i++)
        size += m->file[i].length + (size_t)1;
    g->names.text = malloc(size);
    g->names.of_register = malloc((m->symbols.registers + (size_t)1) * sizeof *g->names.of_register);
    g->names.of_file = malloc((m->files + (size_t)1) * sizeof *g->names.of_file);
    if (!g->names.text || !g->names.of_register || !g->names.of_file)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the names of a PTX module");
    memcpy(g->names.text, immediates, sizeof immediates);
    g->names.at = sizeof immediates;
    for (uint32_t r = 0; r < m->symbols.registers; r++)
        g->names.of_register[r] = add_name(g, module_register(m, r)->at, module_register(m, r)->length);
    for (uint32_t i = 0; i < m->files; i++)
        g->names.of_file[i] = add_name(g, m->file[i].at, m->file[i].length);
    return STATUS_OK;
}

static const char *register_name(const struct finding *g, uint32_t reg)
{
    return reg == SYMBOL_NONE ? NULL : g->names.text + g->names.of_register[reg];
}

static void name_site(const struct finding *g, const struct mma *mma, struct ptx_site *site)
{
    for (int i = 0; site->register_a && i < PTX_A_REGISTERS; i++)
        site->a[i] = register_name(g, mma->a[i]);
    site->a_descriptor = register_name(g, mma->a_descriptor);
    site->b_descriptor = register_name(g, mma->b_descriptor);
    site->scale_d = register_name(g, mma->scale_d);
    if (!site->scale_d)
        site->scale_d = g->names.text + (mma->scale_value ? 2 : 0);
}

/* The source line of a site by the .loc in force. */
static void place_site(const struct finding *g, uint32_t loc, struct ptx_site *site)
{
    const struct ptx_file *file = loc ? module_file(&g->m, g->m.loc[loc - 1].file) : NULL;
    if (!file)
        return;
    site->source = g->names.text + g->names.of_file[file - g->m.file];
    site->source_line = g->m.loc[loc - 1].line;
}

/* Read every wgmma of a function. */
static enum status read_sites(struct finding *g, struct inside *in, struct error *e)
{
    const struct ptx_function *f = in->f;
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->statements; i++)
        count += g->m.statement[f->statement + i].kind == PTX_MMA;
    in->first_site = g->out.site_count;
    in->sites = count;
    if (count == 0)
        return STATUS_OK;
    in->mma = malloc(count * sizeof *in->mma);
    if (!in->mma)
        return error_set(e, STATUS_NO_MEMORY, "no memory for the sites of a PTX function");
    in->name = g->names.text + add_name(g, f->name_at, f->name_length);
    uint32_t k = 0;
    for (uint32_t i = f->statement; i < f->statement + f->statements; i++) {
        if (g->m.statement[i].kind != PTX_MMA)
            continue;
        struct ptx_site site;
        enum status s = mma_read(&g->m, i, &in->mma[k++], &site, e);
        if (s == STATUS_OK)
            s = module_reserve((void **)&g->out.site, g->out.site_count, &g->site_room, sizeof site, e);
        if (s != STATUS_OK)
            return s;
        site.function = in->name;
        place_site(g, g->m.statement[i].loc, &site);
        g->out.site[g->out.site_count++] = site;
    }
    return STATUS_OK;
}

/* Take over what was found of a function: names of the sites, accumulators, results. */
static enum status keep_function(struct finding *g, const struct inside *in, struct error *e)
{
    struct ptx_site *site = g->out.site + in->first_site;
    for (uint32_t i = 0; i < in->sites; i++) {
        uint32_t first = in->results.accumulator[i];
        site[i].accumulator = first == i ? g->accumulators++ : site[first].accumulator;
        name_site(g, &in->mma[i], &site[i]);
    }
    for (uint32_t i = 0; i < in->results.count; i++) {
        const struct results_found *found = &in->results.found[i];
        const struct ptx_statement *wait = &g->m.statement[found->wait];
        const struct ptx_site *of = &site[found->site];
        struct ptx_result result = {.site = in->first_site + found->site,
                                    .accumulator = of->accumulator,
                                    .line = wait->line,
                                    .at = wait->end,
                                    .registers = of->d_registers,
                                    .packed_half = of->d_registers < of->n / 2};
        for (int d = 0; d < of->d_registers; d++)
            result.d[d] = register_name(g, found->d[d]);
        enum status s = module_reserve((void **)&g->out.result, g->out.result_count, &g->result_room, sizeof result, e);
        if (s != STATUS_OK)
            return s;
        g->out.result[g->out.result_count++] = result;
    }
    return STATUS_OK;
}

static enum status find_in_function(struct finding *g, const struct ptx_function *f, struct error *e)
{
    struct inside in = {.f = f};
    struct ptx_module *m = &g->m;
    enum status s = read_sites(g, &in, e);
    if (s != STATUS_OK || in.sites == 0)
        goto done;
    s = flow_make(m, f, &in.flow, e);
    for (uint32_t i = 0; s == STATUS_OK && i < in.sites; i++)
        s = points_find(m, f, &in.flow, &in.mma[i], &g->out.site[in.first_site + i], e);
    if (s == STATUS_OK)
        s = live_make(m, f, &in.flow, in.mma, in.sites, g->out.site + in.first_site, &in.live, e);
    if (s == STATUS_OK)
        s = results_make(m, f, &in.flow, &in.live, in.mma, g->out.site + in.first_site, in.sites, &in.results, e);
    if (s == STATUS_OK)
        s = keep_function(g, &in, e);
done:
    free(in.mma);
    flow_free(&in.flow);
    live_free(&in.live);
    results_free(&in.results);
    return s;
}

/* NUL bytes and texts that offsets of 32 bits do not reach are refused before anything is read. */
static enum status check_text(const char *path, const char *text, size_t size, struct error *e)
{
    struct lexer l = {.path = path};
    if (size > LARGEST_TEXT)
        return lex_fail(&l, 1, 1, e, "a PTX text of more than %d bytes", LARGEST_TEXT);
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    if (!nul)
        return STATUS_OK;
    uint32_t line = 1;
    const char *start = text;
    for (const char *at; (at = memchr(start, '\n', (size_t)(nul - start))); start = at + 1)
        line++;
    return lex_fail(&l, line, (uint32_t)(nul - start) + 1, e, "a NUL byte in the text");
}

static enum status check_target(const struct ptx_module *m, struct error *e)
{
    static const char wanted[] = "sm_90a";
    if (m->target_length == 0)
        return lex_fail(&m->lexer, 1, 1, e, "no .target in the text");
    if (m->target_length == sizeof wanted - 1 && memcmp(m->lexer.text + m->target_at, wanted, sizeof wanted - 1) == 0)
        return STATUS_OK;
    return lex_fail(&m->lexer, m->target_line, m->target_column, e, "target '%.*s' where sm_90a is wanted",
                    m->target_length < 40 ? (int)m->target_length : 40, m->lexer.text + m->target_at);
}

enum status ptx_find_sites(const char *path, const char *text, size_t size, struct ptx_sites *out, struct error *e)
{
    struct finding g = {0};
    enum status s = check_text(path, text, size, e);
    if (s != STATUS_OK)
        return s;
    s = module_parse(path, text, (uint32_t)size, &g.m, e);
    if (s != STATUS_OK)
        return s;
    s = check_target(&g.m, e);
    if (s == STATUS_OK)
        s = make_names(&g, e);
    for (g.m.current = 0; s == STATUS_OK && g.m.current < g.m.functions; g.m.current++)
        s = find_in_function(&g, &g.m.function[g.m.current], e);
    g.out.globals_at = g.m.head_end;
    strcpy(g.out.target, "sm_90a");
    g.out.names = g.names.text;
    if (s == STATUS_OK)
        *out = g.out;
    else
        ptx_sites_free(&g.out);
    free(g.names.of_register);
    free(g.names.of_file);
    module_free(&g.m);
    return s;
}

void ptx_sites_free(struct ptx_sites *s)
{
    free(s->site);
    free(s->result);
    free(s->names);
    *s = (struct ptx_sites){0};
}
