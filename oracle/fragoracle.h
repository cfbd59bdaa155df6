/* fragoracle: the public header. What a program can ask, and what it gets back.
 *
 * Every question is a struct of options (zero or NULL means the stated default) and a function
 *     int fo_QUESTION(const struct fo_QUESTION_options *o, struct fo_answer *answer, struct fo_error *error)
 * which returns 0 and fills *answer, or returns non-zero, fills *error with one line that says what to do, and leaves
 * *answer untouched. A difference is an answer, never an error. Files named by options are written whole or not at all.
 * Nothing is printed. Not thread-safe with respect to the current working directory; otherwise calls are independent.
 *
 * Words: design of the project, README.md. Shapes: x [P,K], weights [N,K] per expert, out [P,N]; P tokens (rows), N
 * features (columns), K the reduction. */
#ifndef FRAGORACLE_H
#define FRAGORACLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fo_verdict {
    FO_CONFORMS,
    FO_PERMITTED,      /* differs only where the specification leaves freedom */
    FO_NOT_APPLICABLE, /* nothing to compare with */
    FO_DIFFERS,
    FO_UNDECIDED /* something it rests on failed */
};
const char *fo_verdict_name(enum fo_verdict v); /* "conforms", "permitted", "not-applicable", "differs", "undecided" */

struct fo_error {
    char line[1024];
};

struct fo_answer {
    enum fo_verdict verdict;
    char *json; /* one JSON object with a member `schema`; owned */
    char *text; /* the same for people: a table or a few lines; owned */
};
void fo_answer_free(struct fo_answer *a); /* safe on a zeroed answer */

/* Write aside, then rename: the whole file or nothing. For callers that keep an answer. */
int fo_write_file(const char *path, const void *data, uint64_t bytes, struct fo_error *error);

/* The guard rail for those who launch a grouped kernel: are the host arrays legal? rows = P; starts [active+1], ids
 * [active]. Returns 0, or non-zero with a line that names the lowest bad segment: an id outside 0..experts-1, or a
 * start that decreases or ends beyond P. Empty segments, repeated and unsorted ids, and rows that no segment covers are
 * legal. */
int fo_validate_segments(uint64_t rows, uint64_t experts, uint64_t active, const uint32_t *starts, const int32_t *ids,
                         struct fo_error *error);

/* Called now and then during long work with a line to show; may be NULL. */
typedef void fo_progress(void *context, const char *line);

/* Operations, operands, subjects, probes, faults, devices. */
int fo_list(struct fo_answer *answer, struct fo_error *error);

/* The fragment map, queried in both directions. One of slot and element, or neither for the whole map. */
struct fo_map_options {
    const char *op, *operand; /* needed: "wgmma.m64n64k16.f32.bf16.bf16.rs", "A" or "D" */
    const char *slot;         /* "THREAD.REG.PART" */
    const char *element;      /* "I,J" */
    const char *format;       /* "table" (default), "csv", "markdown", "cute", "linear" */
    const char *png;          /* write the picture here */
    const char *against; /* .npy u2 or u4 dump [threads][registers] of element codes i*columns+j: names wrong slots */
};
int fo_map(const struct fo_map_options *o, struct fo_answer *answer, struct fo_error *error);

/* Measure the map of A of m64n64k16 and write a contract. */
struct fo_capture_options {
    const char *op, *operand; /* needed */
    const char *method;       /* "loader", "onehot", "all" (default); "arithmetic": tiles of every regime, for replay */
    const char *on;           /* "auto" (default), "gpu", "model" */
    const char *out;          /* file to write (folder for arithmetic); NULL writes nothing */
    uint64_t seed;            /* of arithmetic */
};
int fo_capture(const struct fo_capture_options *o, struct fo_answer *answer, struct fo_error *error);

/* The decode contract: exhaustive, or over every word of one expert of a tensor. */
struct fo_decode_options {
    const char *on;
    const char *weights, *tensor; /* a .safetensors file and a STEM; NULL for exhaustive */
    uint64_t expert;
    uint64_t seed; /* of the random backgrounds */
};
int fo_decode(const struct fo_decode_options *o, struct fo_answer *answer, struct fo_error *error);

/* One tile of one operation of the tensor core, D = C + A*B, on logical matrices in .npy files: A [M,K], B [K,N], C and
 * D [M,N]. 8- and 16-bit float types are their bits, u1 and u2; f32 and TF32 f4; s8, u8 and s32 i1, u1 and i4. */
struct fo_mma_options {
    const char *op;      /* needed: "wgmma.m64n64k16.f32.bf16.bf16.rs", "mma.m16n8k16.f32.f16.f16" */
    const char *a, *b;   /* needed */
    const char *c;       /* NULL: zeros */
    const char *out;     /* needed: D is written here */
    const char *on;      /* "model" (default), "gpu" */
    const char *scale_d; /* "1" (default), "0": C takes no part */
    int neg_a, neg_b;    /* wgmma of floats: the operand is negated */
    int trans_b;         /* wgmma of 16-bit types: the instruction reads B MN-major; the matrices stay what they are */
    int sat;             /* integers saturate instead of wrapping */
};
int fo_mma(const struct fo_mma_options *o, struct fo_answer *answer, struct fo_error *error);

/* Checkpoint tensors to the kernel's layout: values.npy u8 [E,Mp/4,4Kb], scales.npy u8 [E,Np/32,32Kp], layout.json. */
struct fo_pack_options {
    const char *weights, *tensor, *out; /* needed; out is a folder */
    uint64_t pad_m, pad_k;              /* 16 rows, 32 bytes */
    int num_warps;                      /* 4 or 8; default 4 */
};
int fo_pack(const struct fo_pack_options *o, struct fo_answer *answer, struct fo_error *error);
struct fo_unpack_options {
    const char *in, *out; /* needed: a folder as fo_pack wrote it, a .safetensors file */
};
int fo_unpack(const struct fo_unpack_options *o, struct fo_answer *answer, struct fo_error *error);

/* Where weights come from. kind: "sample" (default: the committed sample of real weights, cropped to N and K; shapes
 * beyond it fall back to random, and the answer says so), "random", "adversarial", or a .safetensors file with tensor.
 */
struct fo_weights_options {
    const char *kind, *tensor;
    uint64_t expert; /* for a file: first expert to use */
    uint64_t seed;
};

/* Ask a subject with inputs whose outputs name their source. */
struct fo_probe_options {
    const char *kind;    /* "identity", "coded", "random" */
    const char *subject; /* "rs" (default), "rs+none", "rs+FAULT[+FAULT]", "plugin:PATH.so", "module:PATH.ptx",
                            "files:FOLDER" */
    uint64_t P, N, K;    /* 0,0,0 for the default shape */
    struct fo_weights_options weights; /* coded makes its own and takes only the seed */
    int historical;                    /* identity only, the seed's case: one expert, one pass, x[p][p] = 1 */
    int64_t pass;                      /* identity only: only this pass; -1 for all */
    const char *on;
    const char *out; /* folder for scores.json and the maps; NULL writes nothing */
    fo_progress *progress;
    void *context;
};
int fo_probe(const struct fo_probe_options *o, struct fo_answer *answer, struct fo_error *error);

/* The same through files, for a kernel in any language. emit writes the inputs of every pass to a folder, score reads
 * the outputs that the kernel left there; fo_probe of the subject "files:FOLDER" is the same as score. */
struct fo_emit_options {
    uint64_t P, N, K;
    struct fo_weights_options weights;
    int historical;
    const char *out;        /* needed: folder */
    const char *kind;       /* "identity" (default), "coded", "random" */
    int dense;              /* one expert, one segment of all rows */
    int no_scales;          /* every scale 2^0, for weights of a type without scales */
    const char *weights_as; /* besides "mxfp4" (default): "bf16", "hopper" */
};
int fo_emit(const struct fo_emit_options *o, struct fo_answer *answer, struct fo_error *error);
struct fo_score_options {
    const char *in;  /* needed: the folder of emit, with outputs */
    const char *out; /* folder for scores.json and the maps; NULL writes nothing */
};
int fo_score(const struct fo_score_options *o, struct fo_answer *answer, struct fo_error *error);

/* Rewrite a PTX module so that every wgmma with A in registers records what it multiplies: see
 * kernels/fragoracle_device.h for the form of a capture, oracle/ATTACH.md for the way to use it. conforms: everything
 * else is as it was; differs: ptxas says that the tap added a spill or a (C75xx) line (OUT is written all the same). */
struct fo_tap_options {
    const char *in, *out;           /* needed: PTX files */
    uint64_t block, blocks;         /* linear index of the first block that records, and how many; default 0, 1 */
    uint64_t warpgroup, warpgroups; /* default 0, 4 */
    uint64_t iteration, iterations; /* default 0, 4 */
    int last;                       /* keep the last iterations instead of the first */
    int all;                        /* also wgmma with A in shared memory */
    int no_bytes;                   /* descriptors without the bytes that they name: fewer registers */
    const char *function;           /* only sites of functions whose name contains this; NULL for all */
    const char *sites;              /* only these numbers: "0,3,8-11"; NULL for all */
    const char *ptxas;              /* run this one on both modules and compare; NULL: no comparison */
};
/* What fo_tap returns where the module is understood but holds nothing that was asked for. */
#define FO_TAP_NOTHING 100
int fo_tap(const struct fo_tap_options *o, struct fo_answer *answer, struct fo_error *error);

/* Judge a capture: which element does each slot hold, and at which station (A, B descriptor, D, epilogue) does it go
 * wrong? Matrices are .npy, logical: a [M,K], b [K,N], out [M,N] in the terms of the instruction. The layout that a
 * kernel implements is inferred from its outputs alone, too: fo_diagnose with `unnamed`. */
struct fo_infer_options {
    const char
        *capture; /* needed: a folder of the injected library, an image, or an .npy of registers u4 [threads,regs] */
    const char *op, *operand; /* needed for an .npy of registers only */
    const char *matrix;       /* of A (or of `operand`): .npy, u1 u2 u4 as bits or f4, which is rounded to the type */
    const char *weights, *tensor; /* or decoded weights: a .safetensors file and a STEM */
    uint64_t expert;
    const char *b, *output; /* .npy of B [K,N] and of the output [M,N]; NULL: that station is not judged */
    const char *source;     /* how `matrix` is coded: "plain" (default), "int4", "int4-offset8", "mxfp4" */
    const char *scales;     /* .npy u1 [M,K/32] for source mxfp4 */
    const char *at;         /* "M,K": element at which the tile begins; NULL: search */
    uint64_t ulps;   /* values of A that are right when this far from it, in units in the last place; at most 1024 */
    int64_t site;    /* only this one; -1 for all */
    const char *out; /* folder for verdicts and maps; NULL writes nothing */
};
int fo_infer(const struct fo_infer_options *o, struct fo_answer *answer, struct fo_error *error);

/* Name the fault: which known fault, or which two, explain everything that coded probes see, exactly; the smallest case
 * that fails; and what the contract wants. Where no name explains all of it, the answer says unknown. conforms: nothing
 * is wrong. */
struct fo_diagnose_options {
    const char *subject; /* as fo_probe_options */
    uint64_t P, N, K;    /* 0,0,0 for 128,208,256 */
    uint64_t seed;       /* of the dense product */
    const char *on;
    const char *out; /* folder for diagnosis.json and pictures; NULL writes nothing */
    int unnamed; /* leave the known faults out: only what the kernel implements, stage by stage, from its source map */
    fo_progress *progress;
    void *context;
};
int fo_diagnose(const struct fo_diagnose_options *o, struct fo_answer *answer, struct fo_error *error);

/* From the layout of packed weights in memory to the A registers of an operation: address, shift and register order of
 * every thread, as C, as a CuTe layout and as a Triton linear layout; the widest load that needs no shuffle, or the
 * preswizzle that allows one. */
struct fo_derive_options {
    const char *op;     /* needed: A from registers, "wgmma.m64n64k16.f32.bf16.bf16.rs" */
    const char *from;   /* needed: "mxfp4-hopper", "mxfp4", "int4", "int4-offset8", "fp8", "bf16", or a JSON file */
    const char *format; /* "text" (default), "c", "cute", "linear" */
    const char *out;    /* folder for load.c, layout.txt and derive.json; NULL writes nothing */
};
int fo_derive(const struct fo_derive_options *o, struct fo_answer *answer, struct fo_error *error);

/* Offer changed copies of a PTX module to somebody's own test: which of them does it notice? conforms: every mutant
 * that changed the output was noticed; differs: there are survivors; undecided: no mutant came to a decision;
 * not-applicable without `run`. See oracle/mutate/README.md. */
struct fo_mutate_options {
    const char *in;     /* needed: the PTX file */
    const char *run;    /* the test, for sh: exit status 0 passes; {} and $FRAGORACLE_MUTANT are the file to test. NULL:
                           the mutants are listed, and kept if there is `keep` */
    const char *output; /* a file that the test writes: a mutant that leaves its bytes as they were is undecided. It is
                           removed before every run. NULL: whatever passes survives */
    const char *only;   /* "OPERATOR:INDEX" or a number of the list: only this mutant */
    const char *keep;   /* folder for the files of the mutants; NULL keeps none */
    const char *ptxas;  /* assemble each mutant with this one: what it refuses is not counted. NULL: not assembled */
    uint64_t count;     /* 0 for the default of 100; at most this many, of every operator in turn */
    uint64_t seed;      /* of that choice */
    uint64_t timeout;   /* seconds that one run may take; 0: ten times the unmutated one, at least 10 */
    fo_progress *progress;
    void *context;
};
int fo_mutate(const struct fo_mutate_options *o, struct fo_answer *answer, struct fo_error *error);

/* Everything, in trust order. */
struct fo_check_options {
    const char *subject; /* "rs" (default), "plugin:PATH.so" */
    const char *on;
    const char *out;   /* folder for results; NULL writes nothing */
    const char *junit; /* file */
    uint64_t pairs;    /* pairs of planted faults to name; default 12, or 200 when thorough */
    int thorough;      /* name every planted fault at three shapes instead of one */
    uint64_t outputs;  /* arithmetic outputs to compare with hardware, where there is a GPU; default 1,000,000 */
    uint64_t seed;
    fo_progress *progress;
    void *context;
};
int fo_check(const struct fo_check_options *o, struct fo_answer *answer, struct fo_error *error);

/* ---- plug-ins ----------------------------------------------------------------------------------------------------
 *
 * A kernel of yours as a subject: `--subject plugin:PATH.so`. The shared object exports one function, fo_plugin_open,
 * whose answer says what the kernel takes and holds the functions that run it. scripts/sample/plugin.c is an example of
 * 40 lines, oracle/SUBJECTS.md says the rest. It is loaded into a process of its own, fragoracle-subject: a crash, a
 * hang or a stray write there is an answer about the kernel, and never the end of who asks. */
#define FO_PLUGIN_VERSION 1

/* How one weight is written. Whoever asks has MXFP4 weights: FP4 codes, and a scale for each 32 along K. Every type but
 * MXFP4 gets them multiplied, exactly, or (block_scales) gets the value of the code alone and the scales beside it. */
enum fo_weight_type {
    FO_WEIGHT_BF16,         /* uint16_t bits */
    FO_WEIGHT_F16,          /* uint16_t bits */
    FO_WEIGHT_E4M3,         /* uint8_t bits */
    FO_WEIGHT_INT4,         /* two a byte, even k in the low nibble; two's complement */
    FO_WEIGHT_INT4_OFFSET8, /* the same, code - 8 */
    FO_WEIGHT_MXFP4         /* FP4 codes, two a byte, even k in the low nibble; always with scales */
};

enum fo_weight_layout {
    FO_LAYOUT_ROWS,  /* values [E,N,K], row-major; scales uint8_t E8M0 [E,N,K/32], as checkpoints store MXFP4 */
    FO_LAYOUT_HOPPER /* MXFP4 only: as fo_pack writes it, with pad_rows, pad_bytes and warps below */
};

enum fo_segments {
    FO_SEGMENTS_CHECKED, /* takes segments, bad ones too: their rows are zero, and *status names the lowest */
    FO_SEGMENTS_LEGAL,   /* takes legal segments, and is asked no others */
    FO_SEGMENTS_NONE     /* a dense product: one expert, one segment of all rows */
};

/* Weights, in the declared type and layout. They stay readable, and where they are, until the next load. */
struct fo_plugin_weights {
    uint64_t experts, N, K;
    const void *values;
    const uint8_t *scales; /* NULL for a type without */
    uint64_t value_bytes, scale_bytes;
};

/* One launch: out[p][n] = sum over k of x[p][k] * W[expert of p][n][k]. Segment a is rows starts[a] .. starts[a+1]-1
 * and has expert ids[a]; rows that no segment covers are zero. Inputs cannot be written to. Every element of out holds
 * a poison and is to be written. All pointers are to host memory. */
struct fo_plugin_launch {
    uint64_t rows, active;
    const uint16_t *x;      /* bf16 bits [rows,K] */
    const uint32_t *starts; /* [active+1] */
    const int32_t *ids;     /* [active] */
    uint16_t *out;          /* bf16 bits [rows,N] */
    uint32_t *status;       /* holds 0; 1 + the lowest bad segment where there is one */
};

/* Zero means the first or none of each; functions that return int return 0, or a number that is shown. */
struct fo_plugin {
    uint32_t version, size; /* FO_PLUGIN_VERSION, sizeof(struct fo_plugin) */
    const char *name;       /* of the kernel, shown in results */
    enum fo_weight_type type;
    enum fo_weight_layout layout;
    int block_scales;                    /* scales come beside the values; always so for MXFP4 */
    uint32_t pad_rows, pad_bytes, warps; /* of FO_LAYOUT_HOPPER; 0 for the defaults of fo_pack */
    uint32_t multiple_N, multiple_K;     /* N and K must be multiples of these */
    uint64_t most_rows;                  /* of one launch; 0: no limit */
    enum fo_segments segments;
    int on_gpu; /* the product is computed on a GPU: results are called hardware, otherwise approximate */
    int (*create)(void **self); /* NULL: *self is NULL */
    void (*destroy)(void *self);
    int (*load)(void *self, const struct fo_plugin_weights *weights); /* replaces earlier ones */
    int (*run)(void *self, const struct fo_plugin_launch *launch);    /* synchronous */
};

/* What a plug-in exports; never returns NULL. */
__attribute__((visibility("default"))) const struct fo_plugin *fo_plugin_open(void);

/* The whole of fragoracle-subject: serve `subject` on machine `on` to whoever holds the other end of `socket`, until it
 * is closed. Returns 0, or non-zero with a line where that end does not speak its language. */
int fo_subject_serve(int socket, const char *subject, const char *on, struct fo_error *error);

#ifdef __cplusplus
}
#endif
#endif
