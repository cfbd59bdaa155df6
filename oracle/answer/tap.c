#include "oracle/answer/tap.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/tap_answer.h"
#include "oracle/io/file.h"

enum { TEXT_MOST = 256 << 20, NAMES_SIZE = 160 };
enum { DEFAULT_BLOCKS = 1, DEFAULT_WARPGROUPS = 4, DEFAULT_ITERATIONS = 4 };

static enum status within(const char *option, uint64_t value, uint64_t most, struct error *e)
{
    if (value <= most)
        return STATUS_OK;
    error_set(e, STATUS_BAD_ARGUMENT, "%" PRIu64 " is more than %" PRIu64, value, most);
    return error_at_field(e, option);
}

static enum status make_filter(const struct fo_tap_options *o, struct tap_filter *out, struct error *e)
{
    uint64_t blocks = o->blocks ? o->blocks : DEFAULT_BLOCKS;
    uint64_t warpgroups = o->warpgroups ? o->warpgroups : DEFAULT_WARPGROUPS;
    uint64_t iterations = o->iterations ? o->iterations : DEFAULT_ITERATIONS;
    enum status s = within("--block", o->block, UINT32_MAX, e);
    if (s == STATUS_OK)
        s = within("--blocks", blocks, TAP_WINDOW_MOST, e);
    if (s == STATUS_OK)
        s = within("--warpgroup", o->warpgroup, TAP_WARPGROUPS_MOST - 1, e);
    if (s == STATUS_OK)
        s = within("--warpgroups", warpgroups, TAP_WARPGROUPS_MOST, e);
    if (s == STATUS_OK)
        s = within("--iteration", o->iteration, UINT32_MAX, e);
    if (s == STATUS_OK)
        s = within("--iterations", iterations, TAP_WINDOW_MOST, e);
    if (s == STATUS_OK && o->last && o->iteration)
        s = error_set(e, STATUS_BAD_ARGUMENT, "--last keeps the last iterations: leave --iteration out");
    if (s != STATUS_OK)
        return s;
    *out =
        (struct tap_filter){(uint32_t)o->block,     (uint32_t)blocks,     (uint32_t)o->warpgroup, (uint32_t)warpgroups,
                            (uint32_t)o->iteration, (uint32_t)iterations, o->last != 0,           o->no_bytes != 0};
    return STATUS_OK;
}

static enum status bad_list(const char *text, struct error *e)
{
    error_set(e, STATUS_BAD_ARGUMENT, "'%.40s' is no list of numbers such as 0,3,8-11", text);
    return error_at_field(e, "--sites");
}

/* A decimal number at *at, which moves behind it. */
static bool read_number(const char **at, uint32_t *out)
{
    const char *digit = *at;
    uint64_t value = 0;
    for (; isdigit((unsigned char)*digit) && value <= UINT32_MAX; digit++)
        value = 10 * value + (uint64_t)(*digit - '0');
    bool good = digit > *at && value <= UINT32_MAX;
    *at = digit;
    *out = (uint32_t)value;
    return good;
}

/* Clear chosen[i] for every number that the list does not name. */
static enum status choose_numbers(const char *list, const struct ptx_sites *sites, bool *chosen, struct error *e)
{
    enum status s = STATUS_OK;
    bool *named = calloc(sites->site_count, sizeof *named);
    if (!named)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %u sites", sites->site_count);
    for (const char *at = list; s == STATUS_OK; at++) {
        uint32_t first, last;
        bool good = read_number(&at, &first);
        last = first;
        if (good && *at == '-') {
            at++;
            good = read_number(&at, &last) && last >= first;
        }
        if (!good || (*at && *at != ','))
            s = bad_list(list, e);
        else if (last >= sites->site_count) {
            error_set(e, STATUS_BAD_ARGUMENT, "there is no site %u, only 0 to %u", last, sites->site_count - 1);
            s = error_at_field(e, "--sites");
        }
        for (uint32_t i = first; s == STATUS_OK && i <= last; i++)
            named[i] = true;
        if (!*at)
            break;
    }
    for (uint32_t i = 0; i < sites->site_count; i++)
        chosen[i] = chosen[i] && named[i];
    free(named);
    return s;
}

static uint32_t count_chosen(const struct ptx_sites *sites, const bool *chosen)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sites->site_count; i++)
        count += chosen[i];
    return count;
}

/* The functions that hold a wgmma, as far as they fit. */
static void list_functions(const struct ptx_sites *sites, char names[NAMES_SIZE])
{
    size_t used = 0;
    names[0] = '\0';
    for (uint32_t i = 0; i < sites->site_count && used < NAMES_SIZE; i++)
        if (i == 0 || strcmp(sites->site[i].function, sites->site[i - 1].function) != 0)
            used +=
                (size_t)snprintf(names + used, NAMES_SIZE - used, "%s%s", used ? ", " : "", sites->site[i].function);
}

static enum status choose(const struct fo_tap_options *o, const struct ptx_sites *sites, bool *chosen, struct error *e)
{
    for (uint32_t i = 0; i < sites->site_count; i++)
        chosen[i] = o->all || sites->site[i].register_a;
    if (sites->site_count == 0)
        return error_set(e, STATUS_UNSUPPORTED, "no wgmma in it");
    if (count_chosen(sites, chosen) == 0)
        return error_set(e, STATUS_UNSUPPORTED,
                         "no wgmma with A in registers (%u with A in shared memory; --all taps those)",
                         sites->site_count);
    for (uint32_t i = 0; o->function && i < sites->site_count; i++)
        chosen[i] = chosen[i] && strstr(sites->site[i].function, o->function);
    if (count_chosen(sites, chosen) == 0) {
        char names[NAMES_SIZE];
        list_functions(sites, names);
        error_set(e, STATUS_UNSUPPORTED, "no function '%.60s' with %s; wgmma are in %s", o->function,
                  o->all ? "wgmma" : "wgmma with A in registers", names);
        return error_at_field(e, "--function"), STATUS_UNSUPPORTED;
    }
    enum status s = o->sites ? choose_numbers(o->sites, sites, chosen, e) : STATUS_OK;
    if (s == STATUS_OK && count_chosen(sites, chosen) == 0) {
        error_set(e, STATUS_UNSUPPORTED, "none of the sites %.60s has A in registers%s%s", o->sites,
                  o->function ? " in such a function" : "", o->all ? "" : "; --all taps those with A in shared memory");
        return error_at_field(e, "--sites"), STATUS_UNSUPPORTED;
    }
    return s;
}

/* Everything between a module that was read and one that is written. */
static enum status rewrite(const struct fo_tap_options *o, const struct tap_filter *filter, const char *text,
                           size_t size, struct fo_answer *answer, struct error *e)
{
    struct ptx_sites sites = {0};
    struct tap_answer a = {.options = o, .text = text, .size = size};
    struct text rewritten = {0};
    struct fo_answer made = {0};
    bool *chosen = NULL;
    enum status s = ptx_find_sites(o->in, text, size, &sites, e);
    if (s != STATUS_OK)
        return s;
    chosen = calloc(sites.site_count + 1, sizeof *chosen);
    s = chosen ? choose(o, &sites, chosen, e) : error_set(e, STATUS_NO_MEMORY, "no memory for the choice of sites");
    if (s == STATUS_OK)
        s = tap_plan_make(&sites, chosen, filter, &a.plan, e);
    if (s == STATUS_OK)
        s = tap_emit(&a.plan, text, size, &rewritten, e);
    if (s != STATUS_OK) {
        error_at_path(e, o->in);
        goto cleanup;
    }
    const struct tap_ptxas_module module[2] = {{o->in, text, size}, {o->out, rewritten.data, rewritten.used}};
    if (o->ptxas) {
        s = tap_ptxas_run(o->ptxas, module, a.report, e);
        a.compared = s == STATUS_OK;
    }
    if (s == STATUS_OK)
        s = tap_answer_make(&a, chosen, &made, e);
    if (s == STATUS_OK)
        s = file_write(o->out, rewritten.data, rewritten.used, e);
    if (s == STATUS_OK) {
        *answer = made;
        made = (struct fo_answer){0};
    }

cleanup:
    fo_answer_free(&made);
    tap_ptxas_free(&a.report[0]);
    tap_ptxas_free(&a.report[1]);
    text_free(&rewritten);
    tap_plan_free(&a.plan);
    ptx_sites_free(&sites);
    free(chosen);
    return s;
}

/* A module that was tapped before, or that has names of its own like those of the recorders. */
static enum status refuse_names(const char *path, const char *text, size_t size, struct error *e)
{
    static const char *const names[] = {"fragoracle_tap_", "fotap_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (memmem(text, size, names[i], strlen(names[i]))) {
            error_set(e, STATUS_BAD_INPUT, "it holds '%s': it is tapped already", names[i]);
            return error_at_path(e, path);
        }
    return STATUS_OK;
}

int fo_tap(const struct fo_tap_options *o, struct fo_answer *answer, struct fo_error *error)
{
    struct error e = {.status = STATUS_OK};
    struct tap_filter filter;
    uint8_t *text = NULL;
    size_t size = 0;
    enum status s = make_filter(o, &filter, &e);
    if (s == STATUS_OK && (!o->in || !o->out))
        s = error_set(&e, STATUS_BAD_ARGUMENT, "a tap needs the module to read and the file to write");
    if (s == STATUS_OK)
        s = file_read(o->in, TEXT_MOST, &text, &size, &e);
    if (s == STATUS_OK)
        s = refuse_names(o->in, (const char *)text, size, &e);
    if (s == STATUS_OK)
        s = rewrite(o, &filter, (const char *)text, size, answer, &e);
    free(text);
    int code = answer_end(s, &e, error);
    return s == STATUS_UNSUPPORTED ? FO_TAP_NOTHING : code;
}
