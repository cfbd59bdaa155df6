#include "oracle/infer/site_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/map.h"

enum { THREAD, REG, PART };
enum { SHOWN = 8, LANE_VALUES = 8, BIT_NAMES = 3 };

/* Slot s holds what slot to[s] should hold. */
struct displacement {
    const struct layout *contract, *map;
    uint32_t threads, regs, parts, places; /* places: of one thread */
    uint32_t *to;                          /* [slots]; owned */
    bool separable;                        /* to = (thread_to, place_to), each of its own coordinate only */
    uint32_t *thread_to;                   /* [threads]; owned */
    uint32_t place_to[256];
};

static enum status displacement_make(const struct layout *contract, const struct layout *map, struct displacement *out,
                                     struct error *e)
{
    struct layout inverse;
    enum status s = layout_invert(contract, &inverse, e);
    if (s != STATUS_OK)
        return s;
    const uint32_t *x = contract->domain.extent;
    struct displacement d = {contract, map, x[THREAD], x[REG], x[PART], x[REG] * x[PART], NULL, true, NULL, {0}};
    size_t slots = box_size(&contract->domain);
    d.to = malloc(slots * sizeof *d.to);
    d.thread_to = malloc(d.threads * sizeof *d.thread_to);
    for (uint32_t i = 0; d.to && d.thread_to && i < slots; i++) {
        struct point slot = box_point(&contract->domain, i), at = layout_apply(map, &slot);
        struct point home = layout_apply(&inverse, &at);
        d.to[i] = box_code(&contract->domain, &home);
    }
    layout_free(&inverse);
    if (!d.to || !d.thread_to) {
        free(d.to);
        free(d.thread_to);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu slots", slots);
    }
    for (uint32_t t = 0; t < d.threads; t++)
        d.thread_to[t] = d.to[t * d.places] / d.places;
    for (uint32_t p = 0; p < d.places; p++)
        d.place_to[p] = d.to[p] % d.places;
    for (uint32_t i = 0; i < slots; i++)
        d.separable = d.separable && d.to[i] / d.places == d.thread_to[i / d.places] &&
                      d.to[i] % d.places == d.place_to[i % d.places];
    *out = d;
    return STATUS_OK;
}

/* The same displacement inside every thread that has any, none in the rest: *count such threads, *first and *last. */
static bool some_threads(struct displacement *d, uint32_t *count, uint32_t *first, uint32_t *last)
{
    *count = 0;
    for (uint32_t t = 0; t < d->threads; t++) {
        bool moved = false;
        for (uint32_t p = 0; p < d->places; p++) {
            if (d->to[t * d->places + p] / d->places != t)
                return false;
            moved = moved || d->to[t * d->places + p] % d->places != p;
        }
        if (!moved)
            continue;
        for (uint32_t p = 0; p < d->places; p++)
            if (*count && d->place_to[p] != d->to[t * d->places + p] % d->places)
                return false;
            else
                d->place_to[p] = d->to[t * d->places + p] % d->places;
        *first = *count ? *first : t;
        *last = t;
        ++*count;
    }
    return true;
}

static bool threads_stay(const struct displacement *d)
{
    for (uint32_t t = 0; t < d->threads; t++)
        if (d->thread_to[t] != t)
            return false;
    return true;
}

static bool places_stay(const struct displacement *d)
{
    for (uint32_t p = 0; p < d->places; p++)
        if (d->place_to[p] != p)
            return false;
    return true;
}

/* Whole registers move, their parts stay: *moved of them, the first two in a and b. */
static bool registers_move(const struct displacement *d, uint32_t *moved, uint32_t *a, uint32_t *b)
{
    *moved = 0;
    for (uint32_t p = 0; p < d->places; p++)
        if (d->place_to[p] % d->parts != p % d->parts ||
            d->place_to[p] / d->parts != d->place_to[p / d->parts * d->parts] / d->parts)
            return false;
    for (uint32_t r = 0; r < d->regs; r++)
        if (d->place_to[r * d->parts] / d->parts != r) {
            *(*moved ? b : a) = r;
            ++*moved;
        }
    return true;
}

/* Parts move within their registers, in every register that moves at all in the same way. */
static bool parts_move(const struct displacement *d)
{
    for (uint32_t p = 0; p < d->places; p++)
        if (d->place_to[p] / d->parts != p / d->parts)
            return false;
    return true;
}

/* What happens inside a thread. */
static void say_places(const struct displacement *d, char cause[SITE_CAUSE])
{
    uint32_t moved, a = 0, b = 0;
    size_t used = 0;
    if (registers_move(d, &moved, &a, &b)) {
        if (moved == 2 && d->place_to[a * d->parts] / d->parts == b && d->place_to[b * d->parts] / d->parts == a) {
            snprintf(cause, SITE_CAUSE, "registers R%u and R%u exchanged", a, b);
            return;
        }
        used = (size_t)snprintf(cause, SITE_CAUSE, "registers hold what others should:");
        for (uint32_t r = 0; r < d->regs && used < SITE_CAUSE; r++)
            if (d->place_to[r * d->parts] / d->parts != r)
                used += (size_t)snprintf(cause + used, SITE_CAUSE - used, " R%u that of R%u", r,
                                         d->place_to[r * d->parts] / d->parts);
        return;
    }
    if (parts_move(d)) {
        used = (size_t)snprintf(cause, SITE_CAUSE, "parts moved within registers");
        for (uint32_t r = 0; r < d->regs && used < SITE_CAUSE; r++)
            for (uint32_t h = 0; h < d->parts; h++)
                if (d->place_to[r * d->parts + h] != r * d->parts + h) {
                    used += (size_t)snprintf(cause + used, SITE_CAUSE - used, " R%u", r);
                    break;
                }
        return;
    }
    snprintf(cause, SITE_CAUSE, "the values of each thread are packed in another order");
}

/* Bits of the thread that are exchanged: threads move by a permutation of their seven bits. */
static bool bits_move(const struct displacement *d, char cause[SITE_CAUSE])
{
    uint32_t image[LAYOUT_BITS], bits = 0;
    for (; 1u << bits < d->threads; bits++) {
        image[bits] = d->thread_to[1u << bits];
        if (image[bits] & (image[bits] - 1) || !image[bits])
            return false;
    }
    for (uint32_t t = 0; t < d->threads; t++) {
        uint32_t to = 0;
        for (uint32_t b = 0; b < bits; b++)
            to |= t >> b & 1u ? image[b] : 0;
        if (to != d->thread_to[t])
            return false;
    }
    size_t used = (size_t)snprintf(cause, SITE_CAUSE, "bits of the thread moved:");
    for (uint32_t b = 0; b < bits && used < SITE_CAUSE; b++)
        if (image[b] != 1u << b)
            used += (size_t)snprintf(cause + used, SITE_CAUSE - used, " bit %u counts as bit %d", b,
                                     __builtin_ctz(image[b]));
    return true;
}

/* Which thread's values a thread holds. */
static void say_threads(const struct displacement *d, char cause[SITE_CAUSE])
{
    bool exclusive = true, sum = true;
    uint32_t first = d->thread_to[0], moved = 0;
    for (uint32_t t = 0; t < d->threads; t++) {
        exclusive = exclusive && (t ^ first) == d->thread_to[t];
        sum = sum && (t + first) % d->threads == d->thread_to[t];
        moved += d->thread_to[t] != t;
    }
    if (exclusive)
        snprintf(cause, SITE_CAUSE, "thread t holds what thread t ^ %u should hold", first);
    else if (sum)
        snprintf(cause, SITE_CAUSE, "thread t holds what thread (t + %u) %% %u should hold", first, d->threads);
    else if (!bits_move(d, cause))
        snprintf(cause, SITE_CAUSE, "%u of %u threads hold what other threads should hold", moved, d->threads);
}

/* Position of contract slot p in the names v00..v07: v = 4 * (row g + 8) + column, where register bit 0 is the row and
 * register bit 1 the second pair of columns.
 *
 *     p = r1 r0 h     v = r0 r1 h */
static uint32_t value_of_place(uint32_t p)
{
    return (p >> 1 & 1u) << 2 | (p >> 2 & 1u) << 1 | (p & 1u);
}

/* Does each place hold what one other should, so that another order mends it? */
static bool places_permuted(const struct displacement *d, uint32_t inverse[256])
{
    bool seen[256] = {false};
    for (uint32_t p = 0; p < d->places; p++) {
        if (seen[d->place_to[p]])
            return false;
        seen[d->place_to[p]] = true;
        inverse[d->place_to[p]] = p;
    }
    return true;
}

/* What puts the values of a thread where they belong. */
static void fix_places(const struct displacement *d, const char *where, char fix[SITE_FIX])
{
    uint32_t moved, a = 0, b = 0, inverse[256];
    if (!places_permuted(d, inverse))
        return;
    if (registers_move(d, &moved, &a, &b)) {
        size_t used = (size_t)snprintf(fix, SITE_FIX, "%sgive wgmma the registers in the order", where);
        for (uint32_t r = 0; r < d->regs && used < SITE_FIX; r++)
            used += (size_t)snprintf(fix + used, SITE_FIX - used, " R%u", inverse[r * d->parts] / d->parts);
    } else if (d->regs == 4 && d->parts == 2) {
        size_t used = (size_t)snprintf(fix, SITE_FIX, "%spack the values of a lane in the order", where);
        for (uint32_t p = 0; p < LANE_VALUES && used < SITE_FIX; p++)
            used += (size_t)snprintf(fix + used, SITE_FIX - used, " v%02u", value_of_place(p));
    }
}

/* What puts the values of threads where they belong. */
static void fix_threads(const struct displacement *d, char fix[SITE_FIX])
{
    bool exclusive = true, sum = true;
    uint32_t first = d->thread_to[0];
    for (uint32_t t = 0; t < d->threads; t++) {
        exclusive = exclusive && (t ^ first) == d->thread_to[t];
        sum = sum && (t + first) % d->threads == d->thread_to[t];
    }
    if (exclusive)
        snprintf(fix, SITE_FIX, "let thread t take what thread t ^ %u takes now", first);
    else if (sum)
        snprintf(fix, SITE_FIX, "let thread t take what thread (t + %u) %% %u takes now", d->threads - first,
                 d->threads);
}

static void say_pack_order(const struct displacement *d, struct text *text, json_t *document)
{
    char found[LANE_VALUES * 4 + 1] = "", wanted[LANE_VALUES * 4 + 1] = "";
    if (d->regs != 4 || d->parts != 2)
        return;
    for (uint32_t p = 0; p < LANE_VALUES; p++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%sv%02u", p ? " " : "",
                 value_of_place(d->place_to[p]));
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%sv%02u", p ? " " : "", value_of_place(p));
    }
    text_add(text, "    pack order found   %s\n    pack order wanted  %s\n", found, wanted);
    json_object_set_new(document, "pack_order", json_string(found));
    json_object_set_new(document, "pack_order_wanted", json_string(wanted));
}

/* Images of slot bits that differ from the contract. needs: an affine map. */
static void say_bits(const struct displacement *d, struct text *text)
{
    static const char *const names[BIT_NAMES] = {"thread", "register", "part"};
    const struct layout *m = d->map, *c = d->contract;
    if (m->offset.at[0] || m->offset.at[1])
        text_add(text, "    slot 0.0.0 holds (%u,%u)\n", m->offset.at[0], m->offset.at[1]);
    for (int dim = 0; dim < BIT_NAMES; dim++)
        for (int b = 0; 1u << b < m->domain.extent[dim]; b++) {
            const uint32_t *is = m->image[dim][b].at, *should = c->image[dim][b].at;
            if (is[0] != should[0] || is[1] != should[1])
                text_add(text, "    %s bit %d steps by (%u,%u) instead of (%u,%u)\n", names[dim], b, is[0], is[1],
                         should[0], should[1]);
        }
}

/* The first ones, and for each place of a thread how many of its threads are wrong. */
static void say_slots(const struct displacement *d, struct text *text, json_t *document)
{
    json_t *list = json_array(), *places = json_array();
    size_t wrong = 0, slots = (size_t)d->threads * d->places;
    for (uint32_t i = 0; i < slots; i++) {
        if (d->to[i] == i || ++wrong > SHOWN)
            continue;
        struct point slot = box_point(&d->contract->domain, i);
        struct point want = layout_apply(d->contract, &slot), have = layout_apply(d->map, &slot);
        text_add(text, "    slot %u.%u.%u: expected (%u,%u), found (%u,%u)\n", slot.at[THREAD], slot.at[REG],
                 slot.at[PART], want.at[0], want.at[1], have.at[0], have.at[1]);
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "slot", json_of_slot(&slot), "expected",
                                              json_of_element(&want), "found", json_of_element(&have)));
    }
    if (wrong > SHOWN)
        text_add(text, "    and %zu more slots\n", wrong - SHOWN);
    for (uint32_t place = 0; place < d->places; place++) {
        json_int_t threads = 0;
        for (uint32_t t = 0; t < d->threads; t++)
            threads += d->to[t * d->places + place] != t * d->places + place;
        json_array_append_new(places, json_integer(threads));
    }
    json_object_set_new(document, "wrong", list);
    json_object_set_new(document, "wrong_threads", places);
}

enum status site_words_order(const struct layout *contract, const struct layout *map, char cause[SITE_CAUSE],
                             char fix[SITE_FIX], struct text *text, json_t *document, struct error *e)
{
    struct displacement d;
    char inside[SITE_CAUSE] = "", across[SITE_CAUSE] = "";
    struct layout affine;
    enum status s = displacement_make(contract, map, &d, e);
    if (s != STATUS_OK)
        return s;
    *fix = '\0';
    bool straight = layout_to_affine(map, &affine), partly = false;
    uint32_t count, first = 0, last = 0;
    if (!d.separable && some_threads(&d, &count, &first, &last)) {
        partly = true;
        say_places(&d, inside);
        snprintf(cause, SITE_CAUSE, "%.120s, in %u of %u threads, %u to %u", inside, count, d.threads, first, last);
        snprintf(across, sizeof across, "in threads %u to %u: ", first, last);
        if (count == last - first + 1)
            fix_places(&d, across, fix);
    } else if (d.separable) {
        if (!threads_stay(&d))
            say_threads(&d, across);
        if (!places_stay(&d))
            say_places(&d, inside);
        snprintf(cause, SITE_CAUSE, "%.96s%s%.96s", inside, *inside && *across ? "; " : "", across);
        if (threads_stay(&d))
            fix_places(&d, "", fix);
        else if (places_stay(&d))
            fix_threads(&d, fix);
    } else if (straight) {
        snprintf(cause, SITE_CAUSE, "another affine map");
    } else {
        snprintf(cause, SITE_CAUSE, "a map that moves threads and registers together");
    }
    if ((d.separable || partly) && !places_stay(&d))
        say_pack_order(&d, text, document);
    if (!d.separable && !partly && straight) {
        d.map = &affine;
        say_bits(&d, text);
        d.map = map;
    }
    json_object_set_new(document, "cause", json_string(cause));
    say_slots(&d, text, document);
    free(d.to);
    free(d.thread_to);
    return STATUS_OK;
}
