/* site_schedule: in which order did the wgmma of one accumulator run, when all that is known is how often each came by?
 *
 * The order is that of the text, `passes` times over. In a pass, neighbours that came by equally often and more than
 * once are the body of a loop: they take turns. That is a hypothesis, not a fact: two loops of equally many trips may
 * follow one another. A product that comes out right bit for bit confirms it, one that does not refutes nothing. */
#ifndef FO_ORACLE_INFER_SITE_SCHEDULE_H
#define FO_ORACLE_INFER_SITE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SITE_SCHEDULE_MOST = 256 };
/* Neighbours that take turns. */
struct site_run {
    size_t first, count; /* sites */
    uint32_t trips;
    uint64_t begin; /* steps of the pass before it */
};
struct site_schedule {
    size_t sites, runs;
    uint32_t passes;
    uint64_t steps; /* of one pass */
    struct site_run run[SITE_SCHEDULE_MOST];
};
struct site_step {
    size_t site;   /* index into what the schedule was made of */
    uint32_t time; /* times that it came by before */
};

/* came: of each site, in the order of the text; none of them 0. needs: passes divides all of them, at most
 * SITE_SCHEDULE_MOST sites. */
void site_schedule_make(const uint32_t *came, size_t sites, uint32_t passes, struct site_schedule *out);
/* The largest number of passes there can be. needs: sites. */
uint32_t site_schedule_passes(const uint32_t *came, size_t sites);
/* Is there no other order that keeps that of the text, between one pass and the next? */
bool site_schedule_is_certain(const struct site_schedule *s, uint32_t results);
/* What it was made of, for one site. */
uint32_t site_schedule_came(const struct site_schedule *s, size_t site);
/* Step `at` of all passes, and back. */
struct site_step site_schedule_step(const struct site_schedule *s, uint64_t at);
uint64_t site_schedule_at(const struct site_schedule *s, struct site_step step);

/* "sites 8-11, 12-15 twice, 16-19"; where all take turns "8 wgmma in turn, twice". number: of each site. */
enum { SITE_SCHEDULE_WORDS = 160 };
void site_schedule_words(const struct site_schedule *s, const uint32_t *number, char words[SITE_SCHEDULE_WORDS]);

/* "0-3, 7, 9-11" into text[size]; what does not fit ends in "...". needs: numbers ascending, size at least 16. */
void site_numbers_words(const uint32_t *number, size_t count, char *text, size_t size);

#endif
