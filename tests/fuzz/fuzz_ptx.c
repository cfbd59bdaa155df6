/* Any bytes as a PTX module: it is refused with line and column, or what was found is sound. Sound is tried out: at
 * every point a statement that reads the names given there is inserted, and the text must still be read, with the
 * same sites. */
#include <stdio.h>
#include <stdlib.h>

#include "oracle/ptx/sites.h"
#include "tests/fuzz/fuzz.h"

struct insertion {
    size_t at;
    char *text;
};

struct insertions {
    struct insertion *list;
    size_t count, room;
};

static void add(struct insertions *i, size_t at, const char *const *names, int count)
{
    size_t size = 32;
    for (int n = 0; n < count; n++)
        size += strlen(names[n]) + 32;
    char *text = malloc(size), *end = text;
    assert(text);
    for (int n = 0; n < count; n++)
        end += sprintf(end, " st.global.b32 [0], %s;", names[n]);
    strcpy(end, count ? "\n" : " membar.gl;\n");
    if (i->count == i->room) {
        i->room = 2 * i->room + 16;
        i->list = realloc(i->list, i->room * sizeof *i->list);
        assert(i->list);
    }
    i->list[i->count++] = (struct insertion){at, text};
}

static int by_place(const void *a, const void *b)
{
    size_t x = ((const struct insertion *)a)->at, y = ((const struct insertion *)b)->at;
    return (x > y) - (x < y);
}

/* The text with everything inserted; frees the insertions. */
static char *insert_all(const char *text, size_t size, struct insertions *i, size_t *grown)
{
    size_t more = 0, at = 0;
    if (i->count)
        qsort(i->list, i->count, sizeof *i->list, by_place);
    for (size_t k = 0; k < i->count; k++)
        more += strlen(i->list[k].text);
    char *out = malloc(size + more + 1), *end = out;
    assert(out);
    for (size_t k = 0; k < i->count; k++) {
        assert(i->list[k].at <= size && i->list[k].at >= at);
        memcpy(end, text + at, i->list[k].at - at);
        end += i->list[k].at - at;
        at = i->list[k].at;
        end = stpcpy(end, i->list[k].text);
        free(i->list[k].text);
    }
    memcpy(end, text + at, size - at);
    *grown = size + more;
    free(i->list);
    return out;
}

static void check_site(const struct ptx_sites *s, const struct ptx_site *site, struct insertions *i)
{
    assert(site->line > 0 && site->column > 0 && site->function && site->scale_d);
    assert(site->accumulator < s->site_count);
    assert(memchr(site->why_not, '\0', PTX_WHY_SIZE) && memchr(site->op, '\0', WGMMA_NAME_SIZE));
    assert(site->d_registers > 0 && site->d_registers <= PTX_D_REGISTERS);
    if (site->why_not[0])
        return;
    const char *descriptors[3] = {site->b_descriptor, site->register_a ? site->b_descriptor : site->a_descriptor,
                                  site->scale_d};
    add(i, site->registers_at, site->a, site->register_a ? PTX_A_REGISTERS : 0);
    add(i, site->descriptors_at, descriptors, 3);
}

static void check_refusal(const struct error *e)
{
    assert(e->status == STATUS_BAD_INPUT && !strcmp(e->path, "input") && e->why[0]);
    assert(e->line > 0 && e->column > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ptx_sites s, again;
    struct error e;
    struct insertions i = {0};
    char *text = malloc(size + 1); /* so that a read behind the end is seen */
    assert(text);
    memcpy(text, bytes, size);
    text = realloc(text, size ? size : 1);
    enum status status = ptx_find_sites("input", text, size, &s, &e);
    if (status != STATUS_OK) {
        check_refusal(&e);
        free(text);
        return 0;
    }
    for (uint32_t k = 0; k < s.site_count; k++)
        check_site(&s, &s.site[k], &i);
    for (uint32_t k = 0; k < s.result_count; k++) {
        const struct ptx_result *r = &s.result[k];
        assert(r->site < s.site_count && r->accumulator == s.site[r->site].accumulator);
        assert(r->registers == s.site[r->site].d_registers && text[r->at - 1] == ';');
        add(&i, r->at, r->d, r->registers);
    }
    assert(s.globals_at <= size);
    size_t grown;
    char *tapped = insert_all(text, size, &i, &grown);
    status = ptx_find_sites("input", tapped, grown, &again, &e);
    assert(status == STATUS_OK && again.site_count == s.site_count && again.result_count >= s.result_count);
    for (uint32_t k = 0; k < s.site_count; k++)
        assert(!strcmp(again.site[k].op, s.site[k].op) && !again.site[k].why_not[0] == !s.site[k].why_not[0]);
    ptx_sites_free(&again);
    ptx_sites_free(&s);
    free(tapped);
    free(text);
    return 0;
}
