#include "oracle/infer/site_schedule.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void site_schedule_make(const uint32_t *came, size_t sites, uint32_t passes, struct site_schedule *out)
{
    assert(sites && sites <= SITE_SCHEDULE_MOST && passes);
    *out = (struct site_schedule){.sites = sites, .passes = passes};
    for (size_t i = 0; i < sites; i++) {
        uint32_t trips = came[i] / passes;
        struct site_run *last = out->runs ? &out->run[out->runs - 1] : NULL;
        assert(trips && came[i] % passes == 0);
        if (last && last->trips == trips)
            last->count++;
        else
            out->run[out->runs++] = (struct site_run){i, 1, trips, 0};
    }
    for (size_t r = 0; r < out->runs; r++) {
        out->run[r].begin = out->steps;
        out->steps += (uint64_t)out->run[r].count * out->run[r].trips;
    }
}

uint32_t site_schedule_passes(const uint32_t *came, size_t sites)
{
    uint32_t common = came[0];
    for (size_t i = 1; i < sites; i++)
        for (uint32_t b = came[i]; b;) {
            uint32_t rest = common % b;
            common = b;
            b = rest;
        }
    return common;
}

bool site_schedule_is_certain(const struct site_schedule *s, uint32_t results)
{
    return s->sites == 1 || (s->steps == s->sites && results == s->passes);
}

static const struct site_run *run_of(const struct site_schedule *s, size_t site)
{
    size_t r = s->runs - 1;
    while (s->run[r].first > site)
        r--;
    return &s->run[r];
}

uint32_t site_schedule_came(const struct site_schedule *s, size_t site)
{
    return s->passes * run_of(s, site)->trips;
}

struct site_step site_schedule_step(const struct site_schedule *s, uint64_t at)
{
    uint64_t inside = at % s->steps;
    size_t r = s->runs - 1;
    while (s->run[r].begin > inside)
        r--;
    const struct site_run *run = &s->run[r];
    inside -= run->begin;
    return (struct site_step){run->first + inside % run->count,
                              (uint32_t)(at / s->steps * run->trips + inside / run->count)};
}

uint64_t site_schedule_at(const struct site_schedule *s, struct site_step step)
{
    const struct site_run *run = run_of(s, step.site);
    return step.time / run->trips * s->steps + run->begin + (uint64_t)(step.time % run->trips) * run->count +
           (step.site - run->first);
}

/* "", " twice", " 3 times" */
static void times_words(uint32_t times, char text[24])
{
    text[0] = '\0';
    if (times == 2)
        snprintf(text, 24, " twice");
    else if (times > 2)
        snprintf(text, 24, " %u times", times);
}

void site_schedule_words(const struct site_schedule *s, const uint32_t *number, char words[SITE_SCHEDULE_WORDS])
{
    char times[24], some[48];
    size_t used = 0;
    if (s->runs == 1) {
        times_words(s->passes * s->run[0].trips, times);
        snprintf(words, SITE_SCHEDULE_WORDS, "%zu wgmma in turn%s%s", s->sites, *times ? "," : "", times);
        return;
    }
    used = (size_t)snprintf(words, SITE_SCHEDULE_WORDS, "sites ");
    for (size_t r = 0; r < s->runs && used < SITE_SCHEDULE_WORDS; r++) {
        site_numbers_words(number + s->run[r].first, s->run[r].count, some, sizeof some);
        times_words(s->run[r].trips, times);
        used += (size_t)snprintf(words + used, SITE_SCHEDULE_WORDS - used, "%s%s%s", r ? ", " : "", some, times);
    }
    if (s->passes > 1 && used < SITE_SCHEDULE_WORDS) {
        times_words(s->passes, times);
        snprintf(words + used, SITE_SCHEDULE_WORDS - used, ", all of it%s", times);
    }
}

void site_numbers_words(const uint32_t *number, size_t count, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0, end; i < count; i = end) {
        char range[28];
        for (end = i + 1; end < count && number[end] == number[end - 1] + 1;)
            end++;
        int length =
            snprintf(range, sizeof range, end - i > 1 ? "%s%u-%u" : "%s%u", i ? ", " : "", number[i], number[end - 1]);
        /* Room for the dots is kept. */
        if (used + (size_t)length + sizeof ", ..." > size) {
            snprintf(text + used, size - used, ", ...");
            return;
        }
        memcpy(text + used, range, (size_t)length + 1);
        used += (size_t)length;
    }
}
