#include <stdio.h>
#include <string.h>

#include "oracle/cli/command.h"

/* A capture, or a subject that is asked. */
typedef struct {
    struct fo_infer_options capture;
    struct fo_diagnose_options subject;
} options_t;

static const options_t defaults = {.capture.site = -1, .subject = {.unnamed = 1, .progress = command_progress}};

static const struct command_option options[] = {
    {"capture", "FILE", OPTION_TEXT, offsetof(options_t, capture.capture), 0,
     "A folder with tap.json, an image, or an .npy of registers: u4 [threads][registers], or that behind leading "
     "dimensions"},
    {"matrix", "A.npy", OPTION_TEXT, offsetof(options_t, capture.matrix), 0,
     "What A should hold, [M,K]: u1, u2 or u4 bits of its type, or f4, which is rounded to it"},
    {"source", "CODING", OPTION_TEXT, offsetof(options_t, capture.source), 0,
     "How the matrix is coded: plain (default), mxfp4 (u1 [M,K/2], even k in the low nibble), int4, int4-offset8"},
    {"scales", "S.npy", OPTION_TEXT, offsetof(options_t, capture.scales), 0, "Block scales of mxfp4, u1 [M,K/32]"},
    {"weights", "FILE", OPTION_TEXT, offsetof(options_t, capture.weights), 0,
     "Instead of a matrix: a .safetensors file"},
    {"tensor", "STEM", OPTION_TEXT, offsetof(options_t, capture.tensor), 0, "Its tensor, without _blocks, _scales"},
    {"expert", "E", OPTION_NUMBER, offsetof(options_t, capture.expert), 0, "Expert of that tensor (default 0)"},
    {"b", "B.npy", OPTION_TEXT, offsetof(options_t, capture.b), 0, "What B should hold, [K,N]"},
    {"output", "O.npy", OPTION_TEXT, offsetof(options_t, capture.output), 0,
     "What the kernel wrote, [M,N]: u2 (bf16 or f16 bits) or f4"},
    {"at", "M,K", OPTION_TEXT, offsetof(options_t, capture.at), 0,
     "Element of A at which the tile of the first record begins (default: searched)"},
    {"ulps", "N", OPTION_NUMBER, offsetof(options_t, capture.ulps), 0,
     "Values of A at most N units in the last place from what they should be count as right: for operands that were "
     "approximated (default 0: bit for bit)"},
    {"site", "N", OPTION_INDEX, offsetof(options_t, capture.site), 0, "Only this site (default all)"},
    {"op", "OP", OPTION_TEXT, offsetof(options_t, capture.op), 0, "Operation of an .npy of registers"},
    {"operand", "A|D", OPTION_TEXT, offsetof(options_t, capture.operand), 0, "Its operand"},
    {"subject", "S", OPTION_TEXT, offsetof(options_t, subject.subject), 0,
     "Instead of a capture: a kernel that is asked, as diagnose takes them"},
    {"shape", "P,N,K", OPTION_SHAPE, offsetof(options_t, subject.P), 0, "Of that kernel (default 128,208,256)"},
    {"seed", "S", OPTION_NUMBER, offsetof(options_t, subject.seed), 0, "Of its dense product (default 0)"},
    {"on", "auto|gpu|model", OPTION_TEXT, offsetof(options_t, subject.on), 0, "Where it runs (default auto)"},
    {"out", "DIR", OPTION_TEXT, offsetof(options_t, capture.out), 0,
     "Write infer.json and pictures of wrong maps there (of a subject diagnosis.json and its pictures)"},
    {0}};

static int refuse(struct fo_error *error, const char *why)
{
    snprintf(error->line, sizeof error->line, "%s", why);
    return 1;
}

static int ask(const void *given, struct fo_answer *answer, struct fo_error *error)
{
    const options_t *o = given;
    struct fo_diagnose_options subject = o->subject, untouched = defaults.subject;
    struct fo_infer_options alone = defaults.capture;
    if (subject.subject) {
        subject.out = alone.out = o->capture.out;
        if (memcmp(&alone, &o->capture, sizeof alone) != 0)
            return refuse(error, "--subject goes with --shape, --seed, --on and --out alone");
        return fo_diagnose(&subject, answer, error);
    }
    if (!o->capture.capture)
        return refuse(error, "--capture FILE or --subject S is needed");
    if (memcmp(&untouched, &o->subject, sizeof untouched) != 0)
        return refuse(error, "--shape, --seed and --on belong to --subject");
    return fo_infer(&o->capture, answer, error);
}

const struct command command_infer = {
    .name = "infer",
    .does = "recover a layout, from a capture or from the outputs of a kernel that is asked",
    .doc = "Judges a capture of a running kernel, site by site: A, the descriptors, the product, the output. Or asks a "
           "kernel where its outputs come from, and says stage by stage which layout it implements; no list of known "
           "faults takes part (diagnose has one).",
    .options = options,
    .defaults = &defaults,
    .size = sizeof(options_t),
    .ask = ask,
};
