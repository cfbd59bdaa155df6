/* answer: what every question shares: building the two forms of an answer, and turning an internal error into a line.
 */
#ifndef FO_ORACLE_ANSWER_ANSWER_H
#define FO_ORACLE_ANSWER_ANSWER_H

#include "oracle/io/json.h"

#include "oracle/exec/machine.h"
#include "oracle/fragoracle.h"
#include "probes/score.h"
#include "reference/status.h"

/* A growing text. A failed allocation is remembered and reported by answer_make. */
struct text {
    char *data;
    size_t used, size;
    bool failed;
};
void text_add(struct text *t, const char *format, ...) STATUS_PRINTF(2, 3);
void text_free(struct text *t);

/* Take over document (a reference is stolen, also on failure; NULL means that building it ran out of memory) and the
 * text. errors: STATUS_NO_MEMORY. */
enum status answer_make(enum fo_verdict verdict, json_t *document, struct text *text, struct fo_answer *answer,
                        struct error *e);

/* The end of a public function: 0 on STATUS_OK, else fills *error with the line of *e and returns the status. */
int answer_end(enum status s, const struct error *e, struct fo_error *error);

/* JSON forms; new references, NULL without memory. */
json_t *json_of_score(const struct score *s);
json_t *json_of_report(const struct run_report *r);
/* ", wgmma 3 of 3 expected", ", 1200 steps": what was counted; nothing where nothing was. */
void text_of_counted(struct text *t, const struct run_report *r);
enum { ANSWER_NOTE = 1024 };
/* What was given up, and what the executor says of the runs. Returns room. */
const char *answer_note(const char *asked, const struct executor *x, char room[ANSWER_NOTE]);
json_t *json_of_machine(const struct machine *m); /* device, driver, cuda, code hash, date */

/* The folder that holds the committed artifacts: $FRAGORACLE_ARTIFACTS, else ./artifacts where it exists, else the one
 * of the source tree this was built from. */
const char *artifacts_folder(void);

/* Weights as fo_weights_options asks, cropped to N and K (0 = all there is). *what says in a few words what they are.
 * Owned arrays in set. */
struct chosen_weights {
    struct weights w;
    uint8_t *blocks, *scales; /* owned */
    char what[160];
};
enum status chosen_weights_make(const struct fo_weights_options *o, size_t N, size_t K, struct chosen_weights *out,
                                struct error *e);
void chosen_weights_free(struct chosen_weights *c);

#endif
