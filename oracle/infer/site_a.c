/* site_a: the A fragment of a site against the matrix that it should come from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle/answer/map.h"
#include "oracle/infer/site.h"
#include "oracle/infer/site_fault.h"
#include "oracle/infer/site_words.h"
#include "oracle/infer/site_zero.h"
#include "reference/fragment.h"

enum { SEARCHED_MOST = 16, RECORDS_SHOWN = 4, ULPS_SUGGESTED = 4 };

/* "block 0, warpgroup 1, iteration 3" */
static void say_record(const struct site_view *v, char text[80])
{
    snprintf(text, 80, "block %u, warpgroup %u, iteration %u", v->block, v->warpgroup, v->time);
}

/* Where the records that conform stand. */
static void list_tiles(const struct site_order *o, struct site_finding *f)
{
    json_t *list = json_array();
    for (size_t v = 0; v < o->views; v++)
        if (o->place[v].found)
            json_array_append_new(list, json_pack("[I,I]", (json_int_t)o->place[v].i0, (json_int_t)o->place[v].j0));
    json_object_set_new(f->document, "tiles", list);
}

/* How sure the map is. */
static void say_unique(const struct site_order *o, struct site_finding *f, char *text, size_t size)
{
    const struct infer_answer *a = &o->answer;
    if (o->guess == GUESS_OTHER_SITE) {
        snprintf(text, size, "the map of site %u, not proved unique here", o->lender);
        return;
    }
    if (o->guess == GUESS_REGISTERS) {
        snprintf(text, size, "no other order of the registers fits; not proved unique");
        return;
    }
    if (!o->known || o->partial) {
        snprintf(text, size, "not proved unique");
        return;
    }
    json_object_set_new(f->document, "family", json_string(infer_family_name(a->family)));
    json_object_set_new(f->document, "maps_that_fit", json_number(a->fits));
    json_object_set_new(f->document, "unique", json_boolean(a->unique));
    if (a->unique) {
        snprintf(text, size, "proved unique among %s maps", infer_family_name(a->family));
        return;
    }
    snprintf(text, size, "%s%.17g %s maps fit", a->fits_is_lower_bound ? "at least " : "", a->fits,
             infer_family_name(a->family));
    text_add(&f->detail,
             "    not unique: give elements (%u,%u) and (%u,%u) different values; slot %u.%u.%u may hold either\n",
             a->element.at[0], a->element.at[1], a->other.at[0], a->other.at[1], a->slot.at[0], a->slot.at[1],
             a->slot.at[2]);
    json_object_set_new(f->document, "give_different_values",
                        json_pack("[o,o]", json_of_element(&a->element), json_of_element(&a->other)));
}

/* Every record has the order of the contract. */
static void conclude_conforming(const struct site_tile *t, const struct site_matrix *m, const struct site_order *o,
                                struct site_finding *f)
{
    struct site_count n = {t->views * t->slots, t->views * t->slots, t->views, t->views, 0, 0};
    for (size_t v = 0; v < o->views; v++) {
        n.off += o->place[v].off;
        n.worst = o->place[v].worst > n.worst ? o->place[v].worst : n.worst;
    }
    f->count = n;
    json_object_set_new(f->document, "slots_off", json_integer((json_int_t)n.off));
    json_object_set_new(f->document, "ulps_off", json_integer((json_int_t)n.worst));
    char unique[120];
    const struct site_form *form = &m->form[o->form];
    const struct infer_answer *a = &o->answer;
    say_unique(o, f, unique, sizeof unique);
    list_tiles(o, f);
    if (o->elsewhere)
        site_conclude(f, FO_DIFFERS, "origin",
                      "the fragment is in order, but the tile stands at (%zu,%zu), not where it should", o->place[0].i0,
                      o->place[0].j0);
    else if (o->known && !a->unique)
        site_conclude(f, FO_UNDECIDED, "", "the contract fits all %zu slots of %zu records, but so do others: %s",
                      t->slots, t->views, unique);
    else if (n.off)
        site_conclude(f, FO_PERMITTED, "",
                      SITE_RIGHT " of " SITE_OF " slots in " SITE_GOOD " of " SITE_RECORDS " records, " SITE_OFF
                                 " of them off by at most " SITE_WORST " units in the last place of %s; %s%s%s",
                      t->type->name, unique, *form->what ? "; the values are " : "", form->what);
    else
        site_conclude(f, form->verdict, "",
                      SITE_RIGHT " of " SITE_OF " slots in " SITE_GOOD " of " SITE_RECORDS " records; %s%s%s", unique,
                      *form->what ? "; the values are " : "", form->what);
}

/* All but a few slots are as a map wants them. */
static void say_few(const struct site_tile *t, const struct site_place *p, const char *map, struct text *text)
{
    text_add(text, "%s, but for %zu of %zu slots: %g expected, %g found", map, p->compared - p->right, p->compared,
             site_type_decode(t->type, p->want), site_type_decode(t->type, p->held));
}

/* Records that the found map explains, but not bit for bit, and those that are as the contract wants but for a few
 * slots. */
static void say_records(const struct site_tile *t, const struct site_order *o, struct site_finding *f)
{
    char record[80];
    size_t shown = 0;
    for (size_t v = 0; v < t->views && shown < RECORDS_SHOWN; v++) {
        const struct site_place *p = &o->found[v], *most = &o->most[v];
        if (o->place[v].found || (p->found ? p->right == p->compared && !p->off : !most->found))
            continue;
        shown++;
        say_record(&t->view[v], record);
        text_add(&f->note, "%s: ", record);
        if (!p->found)
            say_few(t, most, "the order of the contract", &f->note);
        else if (p->right < p->compared)
            say_few(t, p, "the same map", &f->note);
        else
            text_add(&f->note, "the same map, %zu of %zu slots off by at most %u units in the last place of %s", p->off,
                     p->compared, p->worst, t->type->name);
        text_add(&f->note, "\n");
    }
}

/* A map was found, and it is not the contract. */
static enum status conclude_order(const struct site_tile *t, const struct site_matrix *m, struct site_order *o,
                                  struct site_finding *f, struct error *e)
{
    char cause[SITE_CAUSE], unique[120], record[80], fix[SITE_FIX];
    size_t differing = t->views - o->conforming;
    const struct site_form *form = &m->form[o->form];
    say_record(&t->view[o->first], record);
    enum status s = site_words_order(&t->contract, &o->answer.map, cause, fix, &f->detail, f->document, e);
    if (s != STATUS_OK)
        return s;
    say_unique(o, f, unique, sizeof unique);
    json_object_set_new(f->document, "wrong_slots", json_integer((json_int_t)o->wrong));
    json_object_set_new(f->document, "same_map", json_integer((json_int_t)o->same));
    say_records(t, o, f);
    if (o->conforming)
        text_add(&f->detail, "    %zu of %zu records conform; the first that does not: %s\n", o->conforming, t->views,
                 record);
    site_conclude(f, FO_DIFFERS, "order",
                  "values right, order wrong: %s; %zu of %zu slots wrong; the same map in " SITE_GOOD
                  " of " SITE_RECORDS " records; %s%s%s",
                  cause, o->wrong, t->slots, unique, *form->what ? "; the values are " : "", form->what);
    f->count = (struct site_count){.good = o->same, .records = differing};
    /* One order for all, and no other fits. What a kernel does with D is its own affair. */
    if (strcmp(f->station, "A") == 0 && o->same == t->views && (o->partial || o->guess || o->answer.unique))
        snprintf(f->fix, sizeof f->fix, "%s", fix);
    f->map = o->answer.map;
    f->map_known = true;
    f->unexplained = o->guess == GUESS_REGISTERS;
    o->answer.map = (struct layout){0};
    return STATUS_OK;
}

/* Every slot of every record: those that conform say which rules cannot be, the others are placed where their digits
 * say, SEARCHED_MOST of them. *placed: of the others. */
static enum status gather(const struct site_tile *t, const struct site_matrix *m, const struct site_at *at,
                          const struct site_order *o, struct site_samples *out, size_t *placed, struct error *e)
{
    const struct site_at anywhere = {0};
    struct site_samples s = {.matrix = m};
    size_t searched = 0;
    *placed = 0;
    s.sample = malloc(t->views * t->slots * sizeof *s.sample);
    if (!s.sample)
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu slots", t->views * t->slots);
    for (size_t v = 0; v < t->views; v++) {
        struct site_place p = o->place[v];
        bool conforms = p.found;
        if (!conforms && searched++ == SEARCHED_MOST)
            break;
        if (o->most[v].found)
            p = o->most[v];
        enum status st = p.found ? STATUS_OK : site_place_near(t, v, m, v == 0 ? at : &anywhere, &p, e);
        if (st != STATUS_OK) {
            free(s.sample);
            return st;
        }
        /* Where a tile should be is known even where nothing of it is there. */
        if (!p.found && !(v == 0 && at->known))
            continue;
        if (!p.found) {
            p.i0 = at->i0;
            p.j0 = at->j0;
        }
        *placed += !conforms;
        for (size_t i = 0; i < t->slots; i++) {
            size_t row = p.i0 + t->row[i], column = p.j0 + t->column[i];
            if (row >= m->rows || column >= m->columns)
                continue;
            uint32_t want = m->form[0].value[row * m->columns + column], found = t->view[v].value[i];
            s.sample[s.count++] = (struct site_sample){(uint32_t)row, (uint32_t)column, found, want};
            s.wrong += found != want;
        }
    }
    *out = s;
    return STATUS_OK;
}

static bool all_zero(const struct site_tile *t, const struct site_order *o)
{
    for (size_t v = 0; v < t->views; v++)
        for (size_t i = 0; !o->place[v].found && i < t->slots; i++)
            if (site_type_decode(t->type, t->view[v].value[i]) != 0)
                return false;
    return true;
}

/* Would a tolerance permit them? */
static void say_ulps(const struct site_tile *t, const struct site_samples *s, struct site_finding *f)
{
    uint32_t worst = 0, distance;
    for (size_t i = 0; i < s->count; i++) {
        if (!site_type_within(t->type, s->sample[i].found, s->sample[i].want, ULPS_SUGGESTED, &distance))
            return;
        worst = distance > worst ? distance : worst;
    }
    text_add(&f->detail, "    no value is off by more than %u units in the last place of %s: --ulps %u permits that\n",
             worst, t->type->name, worst ? worst : 1);
}

/* The contract, but for a few slots of every record that does not conform. */
static void conclude_few(const struct site_tile *t, const struct site_order *o, size_t differing,
                         struct site_finding *f)
{
    struct text text = {0};
    say_few(t, &o->most[o->first], o->conforming ? "the same map as the other records" : "the order of the contract",
            &text);
    f->detail.failed = f->detail.failed || text.failed;
    site_conclude(f, FO_DIFFERS, "values", "order right, values wrong: %s (%zu of %zu records)",
                  text.data ? text.data : "", differing, t->views);
    text_free(&text);
}

/* No map fits by values. */
static enum status conclude_values(const struct site_tile *t, const struct site_matrix *m,
                                   const struct site_asked *asked, const struct site_order *o, struct site_finding *f,
                                   struct error *e)
{
    struct site_samples s = {0};
    struct site_fault fault;
    size_t placed, differing = t->views - o->conforming;
    char record[80];
    say_record(&t->view[o->first], record);
    if (all_zero(t, o)) {
        site_conclude(f, FO_DIFFERS, "values", "every slot holds zero in %zu of %zu records, the first: %s", differing,
                      t->views, record);
        return STATUS_OK;
    }
    enum status st = gather(t, m, &asked->at, o, &s, &placed, e);
    if (st != STATUS_OK)
        return st;
    f->unexplained = o->close < differing;
    if (!placed) {
        site_conclude(f, FO_DIFFERS, "values",
                      "the values stand nowhere in the matrix, in any order or scale that is known (%zu of %zu "
                      "records, the first: "
                      "%s); is it the right matrix? %zu of %zu slots hold a value that occurs where it was looked for",
                      differing, t->views, record, o->answer.explained, t->slots);
        goto cleanup;
    }
    if (o->asked && o->answer.found && !o->known)
        text_add(&f->detail,
                 "    every value occurs in the tile: an order that is no simple map is possible too; values that "
                 "occur once each would tell\n");
    st = site_fault_name(&s, &fault, &f->detail, f->document, e);
    if (st == STATUS_OK && !fault.known)
        say_ulps(t, &s, f);
    if (st == STATUS_OK && !fault.known && o->close == differing)
        conclude_few(t, o, differing, f);
    else if (st == STATUS_OK)
        site_conclude(f, FO_DIFFERS, fault.stage,
                      "order right, values wrong: %s; %zu of %zu slots wrong in %zu of %zu records", fault.cause,
                      s.wrong, s.count, placed, t->views);
cleanup:
    free(s.sample);
    return st;
}

/* Every record is right but for signs of zero. o: of the folded tiles. */
static void conclude_signs(const struct site_tile *t, const struct site_matrix *m, const struct site_order *o,
                           struct site_finding *f)
{
    char unique[120];
    f->count = (struct site_count){t->views * t->slots, t->views * t->slots, t->views, t->views, 0, 0};
    for (size_t v = 0; v < t->views; v++)
        f->count.off += site_zero_signs(t, v, m, o->form, o->place[v].i0, o->place[v].j0);
    json_object_set_new(f->document, "zeros_of_other_sign", json_integer((json_int_t)f->count.off));
    say_unique(o, f, unique, sizeof unique);
    list_tiles(o, f);
    site_conclude(f, FO_PERMITTED, "",
                  SITE_RIGHT " of " SITE_OF " slots in " SITE_GOOD " of " SITE_RECORDS " records, " SITE_OFF
                             " of them zeros of the other sign; %s%s%s",
                  unique, *m->form[o->form].what ? "; the values are " : "", m->form[o->form].what);
}

/* The verdict from what is known about the orders of these tiles. */
static enum status conclude(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                            struct site_order *o, struct site_finding *f, struct error *e)
{
    json_object_set_new(f->document, "records", json_integer((json_int_t)t->views));
    json_object_set_new(f->document, "conforming", json_integer((json_int_t)o->conforming));
    json_object_set_new(f->document, "slots", json_integer((json_int_t)t->slots));
    if (o->conforming == t->views) {
        conclude_conforming(t, m, o, f);
        return STATUS_OK;
    }
    return o->known ? conclude_order(t, m, o, f, e) : conclude_values(t, m, asked, o, f, e);
}

/* Something differs in tile and matrix as they are: is it less without the signs of zero? *told: f says so. */
static enum status check_folded(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                                const struct site_order *o, struct site_finding *f, bool *told, struct error *e)
{
    struct site_folded folded = {0};
    struct site_order without = {0};
    enum status s = site_zero_fold(t, m, &folded, e);
    if (s == STATUS_OK && folded.differs)
        s = site_order_infer(&folded.tile, &folded.matrix, asked, &without, e);
    if (s == STATUS_OK && folded.differs) {
        bool right = without.conforming == t->views && !without.elsewhere && (!without.known || without.answer.unique);
        *told = right || (without.known && !o->known && without.conforming < t->views);
        if (right)
            conclude_signs(t, m, &without, f);
        else if (*told) {
            text_add(&f->detail, "    zeros of either sign are taken for the same\n");
            s = conclude(&folded.tile, &folded.matrix, asked, &without, f, e);
        }
    }
    site_order_free(&without);
    site_zero_free(&folded);
    return s;
}

enum status site_registers_check(const struct site_tile *t, const struct site_matrix *m, const struct site_asked *asked,
                                 struct site_finding *f, struct error *e)
{
    struct site_order o = {0};
    bool told = false;
    if (!t->views) {
        site_conclude(f, FO_UNDECIDED, "", "no record is whole: widen the filter of the capture");
        return STATUS_OK;
    }
    enum status s = site_order_infer(t, m, asked, &o, e);
    if (s == STATUS_OK && o.conforming < t->views)
        s = check_folded(t, m, asked, &o, f, &told, e);
    if (s == STATUS_OK && !told)
        s = conclude(t, m, asked, &o, f, e);
    site_order_free(&o);
    return s;
}

enum status site_a_check(const struct site_case *c, struct site_finding *f, struct error *e)
{
    const struct tap_image_stream *s = tap_image_find(c->image, c->site, FO_KIND_A, NULL);
    const struct site_matrix *m;
    struct site_tile t = {0};
    struct layout contract;
    size_t broken;
    if (!s)
        return site_bytes_check(c, 'A', f, e);
    if (!c->a->given) {
        site_conclude(f, FO_NOT_APPLICABLE, "", "no matrix of A to compare with");
        return STATUS_OK;
    }
    const struct site_type *type = site_type_find(c->op.family->a);
    enum status st = fragment_map(&c->op, FRAGMENT_A, &contract, e);
    if (st != STATUS_OK || !type || s->words != contract.domain.extent[1]) {
        site_conclude(f, FO_UNDECIDED, "", "%u registers a thread were recorded, which is no A fragment of %s",
                      s->words, c->op_name);
        return STATUS_OK;
    }
    st = site_operand_matrix(c->a, type, &m, e);
    if (st == STATUS_OK)
        st = site_tile_of_stream(c->image, s, &contract, type, &t, &broken, e);
    if (st == STATUS_OK)
        st = site_registers_check(&t, m, c->asked, f, e);
    if (st == STATUS_OK && broken)
        text_add(&f->detail, "    %zu records are left out: not every thread of the warpgroup came by\n", broken);
    site_tile_free(&t);
    return st;
}
