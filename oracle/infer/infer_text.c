/* infer_text: the findings of all sites in as few lines as say all that differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/infer/infer.h"
#include "oracle/infer/site_schedule.h"

enum { TILES_SHOWN = 4, KERNEL = 64, NUMBERS = 64 };

/* What a wrong station is called. */
static const struct {
    const char *station, *what;
} places[] = {{"assert", "an assertion"},
              {"A", "the A fragment"},
              {"B", "B"},
              {"D", "the product"},
              {"epilogue", "the epilogue"}};

static const char *place_name(const struct site_finding *f)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].station, f->station) == 0)
            return places[i].what;
    return f->station;
}

const struct site_finding *infer_first_wrong(const struct infer_report *r, const struct infer_site **at)
{
    for (size_t i = 0; i < r->sites; i++)
        for (int k = 0; k < INFER_STATIONS; k++)
            if (r->site[i].finding[k].station && r->site[i].finding[k].verdict == FO_DIFFERS) {
                *at = &r->site[i];
                return &r->site[i].finding[k];
            }
    return NULL;
}

/* The last two components of a path. */
static const char *short_source(const char *source)
{
    const char *from = source + strlen(source);
    for (int slashes = 0; from > source; from--)
        if (from[-1] == '/' && ++slashes == 2)
            break;
    return from;
}

/* The nested name at the beginning of a mangled one: "cutlass::device_kernel<...>"; other names as they are, both cut
 * where they are long. */
static void short_kernel(const char *name, char text[KERNEL])
{
    const char *at = strncmp(name, "_ZN", 3) == 0 ? name + 3 : strncmp(name, "_Z", 2) == 0 ? name + 2 : name;
    size_t used = 0, length;
    int digits;
    for (; at > name && sscanf(at, "%2zu%n", &length, &digits) == 1 && strlen(at + digits) >= length;
         at += digits + (int)length)
        used += used < KERNEL
                    ? (size_t)snprintf(text + used, KERNEL - used, "%s%.*s", used ? "::" : "", (int)length, at + digits)
                    : 0;
    if (used)
        used += used < KERNEL && *at == 'I' ? (size_t)snprintf(text + used, KERNEL - used, "<...>") : 0;
    else
        used = (size_t)snprintf(text, KERNEL, "%s", name);
    if (used >= KERNEL)
        strcpy(text + KERNEL - 4, "...");
}

/* "block 3", "blocks 0-7" */
static void add_range(struct text *text, const char *before, const char *what, uint64_t first, uint64_t count)
{
    if (count == 1)
        text_add(text, "%s%s %llu", before, what, (unsigned long long)first);
    else
        text_add(text, "%s%ss %llu-%llu", before, what, (unsigned long long)first,
                 (unsigned long long)(first + count - 1));
}

/* The most that a thread came by anything. */
static uint32_t most_times(const struct tap_image *image)
{
    size_t counters = (size_t)image->filter.blocks * image->filter.warpgroups * FO_CAPTURE_THREADS;
    uint32_t most = 0;
    for (uint32_t s = 0; s < image->stream_count; s++)
        for (size_t i = 0; i < counters; i++)
            most = image->stream[s].counter[i] > most ? image->stream[s].counter[i] : most;
    return most;
}

/* What was read. */
static void add_head(const struct tap_image *image, struct text *text)
{
    const struct tap_image_filter *f = &image->filter;
    const struct tap_image_launch *l = &image->launch;
    char kernel[KERNEL];
    short_kernel(l->kernel, kernel);
    text_add(text, "capture: %s", *kernel ? kernel : "a kernel");
    if (*l->kernel)
        text_add(text, ", launch %llu", (unsigned long long)l->launch);
    text_add(text, "%s%s; ", *l->gpu ? " on " : "", l->gpu);
    add_range(text, "", "block", f->first_block, f->blocks);
    add_range(text, ", ", "warpgroup", f->first_warpgroup, f->warpgroups);
    if (f->keep_last)
        text_add(text, ", the last %u iterations", f->iterations);
    else
        add_range(text, ", ", "iteration", f->first_iteration, f->iterations);
    uint32_t most = most_times(image);
    if (most > f->first_iteration && most - (f->keep_last ? 0 : f->first_iteration) > f->iterations)
        text_add(text, " of %u", most);
    if (image->refused)
        text_add(text, "; the recorder had no room %u times: this is not whole\n", image->refused);
    else
        text_add(text, "; nothing refused\n");
}

/* Sites that are told together: those of the report from `first` to `end` - 1 that were reached. */
struct group {
    const struct infer_report *report;
    size_t first, end, count;
};

static bool told_together(const struct infer_site *a, const struct infer_site *b)
{
    return strcmp(a->op, b->op) == 0 && strcmp(a->source, b->source) == 0;
}

static struct group group_from(const struct infer_report *r, size_t first)
{
    struct group g = {r, first, first, 0};
    for (; g.end < r->sites; g.end++) {
        if (!r->site[g.end].reached)
            continue;
        if (!told_together(&r->site[first], &r->site[g.end]))
            break;
        g.count++;
    }
    return g;
}

static bool is_silent(const struct infer_site *s, int station)
{
    const struct site_finding *f = &s->finding[station];
    return !s->reached || !f->station || (f->verdict == FO_NOT_APPLICABLE && !*f->cause);
}

/* Do two findings of a station say the same, but for counts and places? */
static bool says_the_same(const struct site_finding *a, const struct site_finding *b)
{
    static const char *const members[] = {"leading", "stride", "base", "swizzle"};
    const json_t *x = json_object_get(a->document, "descriptor"), *y = json_object_get(b->document, "descriptor");
    const char *more = a->detail.data ? a->detail.data : "", *less = b->detail.data ? b->detail.data : "";
    bool same = a->verdict == b->verdict && strcmp(a->stage, b->stage) == 0 && strcmp(a->cause, b->cause) == 0 &&
                strcmp(a->fix, b->fix) == 0 && strcmp(more, less) == 0 && !x == !y;
    for (size_t i = 0; same && x && i < sizeof members / sizeof *members; i++)
        same = json_equal(json_object_get(x, members[i]), json_object_get(y, members[i]));
    return same;
}

/* Sites of a group whose station says the same as that of site `as`, into member. Returns how many. */
static size_t list_members(const struct group *g, size_t as, int station, size_t *member)
{
    size_t count = 0;
    for (size_t i = g->first; i < g->end; i++)
        if (!is_silent(&g->report->site[i], station) &&
            says_the_same(&g->report->site[as].finding[station], &g->report->site[i].finding[station]))
            member[count++] = i;
    return count;
}

/* "0-3, 7" of sites of a report */
static void member_numbers(const struct infer_report *r, const size_t *member, size_t count, char text[NUMBERS])
{
    uint32_t number[256];
    size_t most = count < 256 ? count : 256;
    for (size_t i = 0; i < most; i++)
        number[i] = r->site[member[i]].site;
    site_numbers_words(number, most, text, NUMBERS);
}

static const char *plural(size_t count)
{
    return count > 1 ? "s" : "";
}

/* The first few places where tiles stand. */
static void add_tiles(const struct infer_report *r, const size_t *member, size_t count, int station, struct text *text)
{
    const json_t *shown[TILES_SHOWN];
    size_t seen = 0;
    for (size_t i = 0; i < count && seen <= TILES_SHOWN; i++) {
        const json_t *tiles = json_object_get(r->site[member[i]].finding[station].document, "tiles");
        for (size_t n = 0; n < json_array_size(tiles) && seen <= TILES_SHOWN; n++) {
            const json_t *tile = json_array_get(tiles, n);
            bool known = false;
            for (size_t k = 0; k < seen && k < TILES_SHOWN; k++)
                known = known || json_equal(shown[k], tile);
            if (known)
                continue;
            if (seen < TILES_SHOWN) {
                shown[seen] = tile;
                text_add(text, "%s(%lld,%lld)", seen ? ", " : "    tiles at ",
                         (long long)json_integer_value(json_array_get(tile, 0)),
                         (long long)json_integer_value(json_array_get(tile, 1)));
            }
            seen++;
        }
    }
    if (seen)
        text_add(text, "%s\n", seen > TILES_SHOWN ? ", ..." : "");
}

static long long member_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* The descriptors of sites, which differ in where they start. */
static void add_descriptor(const struct infer_report *r, const size_t *member, size_t count, int station,
                           struct text *text)
{
    const json_t *d = json_object_get(r->site[member[0]].finding[station].document, "descriptor");
    long long least = member_of(d, "start"), most = least;
    if (!d)
        return;
    for (size_t i = 1; i < count; i++) {
        long long start =
            member_of(json_object_get(r->site[member[i]].finding[station].document, "descriptor"), "start");
        least = start < least ? start : least;
        most = start > most ? start : most;
    }
    text_add(text, "    descriptor: start 0x%llx", (unsigned long long)least);
    if (most > least)
        text_add(text, " to 0x%llx", (unsigned long long)most);
    text_add(text, ", leading byte offset %lld, stride byte offset %lld, base offset %lld, swizzle %lld bytes\n",
             member_of(d, "leading"), member_of(d, "stride"), member_of(d, "base"), member_of(d, "swizzle"));
}

/* Lines about one site, with its number where it is told together with others. */
static void add_note(const struct group *g, size_t member, int station, struct text *text)
{
    const struct infer_site *s = &g->report->site[member];
    const char *line = s->finding[station].note.data, *end;
    for (; line && (end = strchr(line, '\n')); line = end + 1) {
        text_add(text, "    ");
        if (g->count > 1)
            text_add(text, "site %u, ", s->site);
        text_add(text, "%.*s\n", (int)(end - line), line);
    }
}

/* What a station says at these sites; count: of the whole group. */
static void add_finding(const struct group *g, const size_t *member, size_t count, int station, struct text *text)
{
    const struct infer_report *r = g->report;
    const struct site_finding *first = &r->site[member[0]].finding[station];
    struct site_count sum = {0};
    char cause[SITE_FINDING_CAUSE], numbers[NUMBERS] = "";
    for (size_t i = 0; i < count; i++) {
        const struct site_count *c = &r->site[member[i]].finding[station].count;
        sum = (struct site_count){sum.right + c->right, sum.of + c->of,
                                  sum.good + c->good,   sum.records + c->records,
                                  sum.off + c->off,     c->worst > sum.worst ? c->worst : sum.worst};
    }
    site_cause_words(first->cause, &sum, cause);
    if (count < g->count)
        member_numbers(r, member, count, numbers);
    text_add(text, "  %s%s%s%s%s: %s: %s\n%s", first->station, *numbers ? " (site" : "",
             *numbers ? count > 1 ? "s " : " " : "", numbers, *numbers ? ")" : "", fo_verdict_name(first->verdict),
             cause, first->detail.data ? first->detail.data : "");
    for (size_t i = 0; i < count; i++)
        add_note(g, member[i], station, text);
    add_tiles(r, member, count, station, text);
    add_descriptor(r, member, count, station, text);
}

static void add_group(const struct group *g, size_t *member, struct text *text)
{
    const struct infer_report *r = g->report;
    const struct infer_site *first = &r->site[g->first];
    char numbers[NUMBERS];
    size_t count = 0;
    for (size_t i = g->first; i < g->end; i++)
        if (r->site[i].reached)
            member[count++] = i;
    member_numbers(r, member, count, numbers);
    if (r->image)
        text_add(text, "site%s %s%s%s: %s\n", plural(count), numbers, *first->source ? ", " : "",
                 short_source(first->source), first->op);
    else
        text_add(text, "%s: %s\n", first->where, first->op);
    for (int k = 0; k < INFER_STATIONS; k++)
        for (size_t i = g->first; i < g->end; i++) {
            if (is_silent(&r->site[i], k))
                continue;
            count = list_members(g, i, k, member);
            if (member[0] == i) /* else told before */
                add_finding(g, member, count, k, text);
        }
}

static void add_unreached(const struct infer_report *r, size_t *member, struct text *text)
{
    char numbers[NUMBERS];
    size_t count = 0;
    for (size_t i = 0; i < r->sites; i++)
        if (!r->site[i].reached)
            member[count++] = i;
    if (!count)
        return;
    member_numbers(r, member, count, numbers);
    text_add(text, "site%s %s: not reached by any thread of the capture\n", plural(count), numbers);
    if (count == r->sites)
        text_add(text, "No site was reached: tap more blocks, warpgroups or other sites, or another launch.\n");
}

static const char *fix_of(const struct infer_site *s)
{
    const char *fix = "";
    for (int k = 0; k < INFER_STATIONS && !*fix; k++)
        fix = s->finding[k].fix;
    return fix;
}

static bool differs(const struct infer_site *s)
{
    bool any = false;
    for (int k = 0; k < INFER_STATIONS; k++)
        any = any || (s->finding[k].station && s->finding[k].verdict == FO_DIFFERS);
    return any;
}

/* Sites with this fix, or (NULL) all that differ, into member. */
static size_t list_fixed(const struct infer_report *r, const char *fix, size_t *member)
{
    size_t count = 0;
    for (size_t i = 0; i < r->sites; i++)
        if (fix ? strcmp(fix_of(&r->site[i]), fix) == 0 : differs(&r->site[i]))
            member[count++] = i;
    return count;
}

/* What to change: each fix once, with its sites where it is not for all that differ. */
static void add_fixes(const struct infer_report *r, size_t *member, struct text *text)
{
    size_t all = list_fixed(r, NULL, member);
    for (size_t i = 0; i < r->sites; i++) {
        const char *fix = fix_of(&r->site[i]);
        char numbers[NUMBERS];
        if (!*fix)
            continue;
        size_t count = list_fixed(r, fix, member);
        if (member[0] != i)
            continue;
        member_numbers(r, member, count, numbers);
        if (count < all)
            text_add(text, "fix (site%s %s): %s\n", plural(count), numbers, fix);
        else
            text_add(text, "fix: %s\n", fix);
    }
}

static void add_verdict(const struct infer_report *r, enum fo_verdict verdict, size_t *member, struct text *text)
{
    const struct infer_site *site = NULL;
    const struct site_finding *f = infer_first_wrong(r, &site);
    char numbers[NUMBERS];
    if (!f) {
        text_add(text, "verdict: %s\n", fo_verdict_name(verdict));
    } else {
        struct group g = group_from(r, (size_t)(site - r->site));
        size_t count = list_members(&g, g.first, (int)(f - site->finding), member);
        member_numbers(r, member, count, numbers);
        text_add(text, "verdict: differs: %s of %s", *f->stage ? f->stage : "something", place_name(f));
        if (r->image)
            text_add(text, " (site%s %s%s%s)\n", plural(count), numbers, *site->source ? ", " : "",
                     short_source(site->source));
        else
            text_add(text, " (%s)\n", site->where);
        add_fixes(r, member, text);
    }
    if (r->image)
        text_add(text, "Recording changes when a kernel does what: it can hide a race (hardware-instrumented).\n");
}

void infer_text_make(const struct infer_report *r, enum fo_verdict verdict, struct text *text)
{
    size_t *member = malloc((r->sites + 1) * sizeof *member);
    if (!member) {
        text->failed = true;
        return;
    }
    if (r->image)
        add_head(r->image, text);
    for (size_t i = 0; i < r->sites;) {
        struct group g = {r, i, i + 1, 0};
        if (r->site[i].reached) {
            g = group_from(r, i);
            add_group(&g, member, text);
        }
        i = g.end;
    }
    add_unreached(r, member, text);
    add_verdict(r, verdict, member, text);
    free(member);
}
