/* compare: setp set selp slct.
 *
 * Two values are less, equal, greater or unordered; a comparison is the set of those for which it holds.
 * source: PTX ISA 9.0, "Comparison and Selection Instructions". */
#include "reference/ptx/ops/real.h"

enum relation { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };
enum { FOR_BITS = 1, FOR_UNSIGNED = 2, FOR_SIGNED = 4, FOR_FLOAT = 8, FOR_ALL = 15, FOR_ORDER = 14 };

static const struct {
    const char *word;
    unsigned holds, types;
} comparisons[] = {
    {"eq", EQUAL, FOR_ALL},
    {"ne", LESS | GREATER, FOR_ALL},
    {"lt", LESS, FOR_ORDER},
    {"le", LESS | EQUAL, FOR_ORDER},
    {"gt", GREATER, FOR_ORDER},
    {"ge", GREATER | EQUAL, FOR_ORDER},
    {"lo", LESS, FOR_UNSIGNED},
    {"ls", LESS | EQUAL, FOR_UNSIGNED},
    {"hi", GREATER, FOR_UNSIGNED},
    {"hs", GREATER | EQUAL, FOR_UNSIGNED},
    {"equ", EQUAL | UNORDERED, FOR_FLOAT},
    {"neu", LESS | GREATER | UNORDERED, FOR_FLOAT},
    {"ltu", LESS | UNORDERED, FOR_FLOAT},
    {"leu", LESS | EQUAL | UNORDERED, FOR_FLOAT},
    {"gtu", GREATER | UNORDERED, FOR_FLOAT},
    {"geu", GREATER | EQUAL | UNORDERED, FOR_FLOAT},
    {"num", LESS | EQUAL | GREATER, FOR_FLOAT},
    {"nan", UNORDERED, FOR_FLOAT},
};
enum { COMPARISONS = sizeof comparisons / sizeof *comparisons };

static const char *const combines[] = {"and", "or", "xor", NULL};
enum { COMBINE_AND = 1, COMBINE_OR, COMBINE_XOR };

/* extra */
enum { HOLDS, COMBINE, FLUSH };

/* The bits of enum relation, without a branch. */
static unsigned relate(uint64_t x, uint64_t y)
{
    return (unsigned)(x < y) * LESS | (unsigned)(x == y) * EQUAL | (unsigned)(x > y) * GREATER;
}

static unsigned relate_real(double x, double y)
{
    return (unsigned)(x < y) * LESS | (unsigned)(x == y) * EQUAL | (unsigned)(x > y) * GREATER |
           (unsigned)(x != x || y != y) * UNORDERED;
}

static double flushed(enum vm_type t, double x)
{
    double least = t == VM_F32 ? 0x1p-126 : t == VM_F16 ? 0x1p-14 : 0;
    return fabs(x) < least ? 0 : x;
}

/* holds[l]: 1 where the comparison does. shift: where in the sources the values begin. */
static void compare(const struct vm_instruction *i, struct lanes *x, unsigned shift, uint64_t holds[VM_LANES])
{
    enum vm_type t = vm_type_part(i->type);
    unsigned bits = vm_type_bits(t), set = (unsigned)i->extra[HOLDS];
    if (vm_type_float(t)) {
        for (unsigned l = 0; l < VM_LANES; l++) {
            double a = real_decode(t, x->s[0][l] >> shift), b = real_decode(t, x->s[1][l] >> shift);
            if (i->extra[FLUSH]) {
                a = flushed(t, a);
                b = flushed(t, b);
            }
            holds[l] = (relate_real(a, b) & set) != 0;
        }
        return;
    }
    /* With the sign turned around, order of signed numbers is order of bits. */
    uint64_t mask = lanes_mask(bits), turn = vm_type_signed(t) ? UINT64_C(1) << (bits - 1) : 0;
    for (unsigned l = 0; l < VM_LANES; l++)
        holds[l] = (relate((x->s[0][l] & mask) ^ turn, (x->s[1][l] & mask) ^ turn) & set) != 0;
}

static void combine(const struct vm_instruction *i, const uint64_t *with, const uint64_t holds[VM_LANES], bool negate,
                    uint64_t d[VM_LANES])
{
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t t = holds[l] ^ negate;
        d[l] = i->extra[COMBINE] == COMBINE_AND  ? t & with[l]
               : i->extra[COMBINE] == COMBINE_OR ? t | with[l]
                                                 : t ^ (i->extra[COMBINE] == COMBINE_XOR ? with[l] : 0);
    }
}

static enum vm_step run_setp(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    const struct vm_program *p = vm_warp_program(w);
    const struct vm_operand *to = vm_argument(p, i, 0);
    bool packed = i->type != vm_type_part(i->type);
    struct lanes x;
    uint64_t first[VM_LANES], second[VM_LANES], d[VM_LANES], e[VM_LANES];
    lanes_read(w, i, &x, i->extra[COMBINE] ? 3 : 2);
    compare(i, &x, 0, first);
    combine(i, x.s[2], first, false, d);
    if (packed)
        compare(i, &x, 16, second);
    combine(i, x.s[2], packed ? second : first, !packed, e);
    vm_write_operand(w, to->kind == VM_PAIR ? &p->element[to->first] : to, d, lanes);
    if (to->kind == VM_PAIR)
        vm_write_operand(w, &p->element[to->first + 1], e, lanes);
    return VM_NEXT;
}

static enum vm_step run_set(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    uint64_t holds[VM_LANES], d[VM_LANES];
    uint64_t one =
        vm_type_float(i->type2) ? real_encode(i->type2, 1, REAL_RN, false) : lanes_mask(vm_type_bits(i->type2));
    struct lanes x;
    lanes_read(w, i, &x, i->extra[COMBINE] ? 3 : 2);
    compare(i, &x, 0, holds);
    combine(i, x.s[2], holds, false, d);
    for (unsigned l = 0; l < VM_LANES; l++)
        d[l] = d[l] & 1 ? one : 0;
    return lanes_write(w, i, d, lanes);
}

static unsigned class_of(enum vm_type t)
{
    if (t == VM_B16 || t == VM_B32 || t == VM_B64)
        return FOR_BITS;
    if (t == VM_U16 || t == VM_U32 || t == VM_U64)
        return FOR_UNSIGNED;
    if (t == VM_S16 || t == VM_S32 || t == VM_S64)
        return FOR_SIGNED;
    t = vm_type_part(t);
    return t == VM_F16 || t == VM_BF16 || t == VM_F32 || t == VM_F64 ? FOR_FLOAT : 0;
}

/* Comparison, the operation that combines it with a predicate, and .ftz. */
static bool take_comparison(struct vm_instruction *i)
{
    unsigned class = class_of(i->type);
    int with = vm_take_of(i, combines);
    bool found = false;
    i->extra[COMBINE] = (uint64_t)(with + 1);
    i->extra[FLUSH] = vm_take(i, "ftz");
    for (int c = 0; c < COMPARISONS && !found; c++)
        if ((comparisons[c].types & class) && vm_take(i, comparisons[c].word)) {
            i->extra[HOLDS] = comparisons[c].holds;
            found = true;
        }
    if (i->extra[FLUSH] && i->type != VM_F32 && vm_type_part(i->type) != VM_F16)
        return false;
    return found && !vm_words_left(i);
}

static bool is_predicate(const struct vm_operand *o)
{
    return o->kind == VM_SINK || (o->kind == VM_REGISTER && o->bits == 1);
}

/* The destination is a predicate or two. */
static const char *setp_operands(const struct vm_program *p, const struct vm_instruction *i)
{
    const struct vm_operand *to = vm_argument(p, i, 0);
    bool packed = i->type != vm_type_part(i->type), two = to->kind == VM_PAIR && to->count == 2;
    const char *why = lanes_sources(p, i, i->extra[COMBINE] ? 3 : 2);
    if (why)
        return why;
    if (two)
        return is_predicate(&p->element[to->first]) && is_predicate(&p->element[to->first + 1]) ? NULL
                                                                                                : lanes_no_operands;
    return is_predicate(to) && !packed ? NULL : lanes_no_operands;
}

static const char *prepare_setp(const struct vm_program *p, struct vm_instruction *i)
{
    i->type = vm_take_type(i);
    if (class_of(i->type) == 0 || !take_comparison(i))
        return lanes_no_form;
    i->run = run_setp;
    return setp_operands(p, i);
}

static const char *prepare_set(const struct vm_program *p, struct vm_instruction *i)
{
    enum vm_type to = vm_take_type(i), from = vm_take_type(i);
    bool writes =
        to == VM_U32 || to == VM_S32 || to == VM_F32 || to == VM_F16 || to == VM_BF16 || to == VM_U16 || to == VM_S16;
    i->type = from;
    i->type2 = to;
    if (!writes || class_of(from) == 0 || from != vm_type_part(from) || !take_comparison(i))
        return lanes_no_form;
    i->run = run_set;
    return lanes_operands(p, i, i->extra[COMBINE] ? 3 : 2);
}

LANES_KERNEL(select_predicate, z & 1 ? x : y)
LANES_KERNEL(select_signed, (int32_t)z >= 0 ? x : y)
/* -0 is not below 0; a NaN is. */
LANES_KERNEL(select_real, real_f32(z) >= 0 ? x : y)
LANES_KERNEL(select_flushed, real_flush(real_f32(z)) >= 0 ? x : y)

#define T LANES_TYPE
#define DATA                                                                                                           \
    (T(VM_B16) | T(VM_B32) | T(VM_B64) | T(VM_U16) | T(VM_U32) | T(VM_U64) | T(VM_S16) | T(VM_S32) | T(VM_S64) |       \
     T(VM_F32) | T(VM_F64))

static const struct lanes_op table[] = {
    {"selp", {NULL}, DATA | T(VM_F16) | T(VM_BF16), 3, 0, 0, LANES_SAME, select_predicate, false},
    {"slct", {"s32"}, DATA, 3, 0, 0, LANES_SAME, select_signed, false},
    {"slct", {"f32"}, DATA, 3, 0, 0, LANES_SAME, select_real, false},
    {"slct", {"ftz", "f32"}, DATA, 3, 0, 0, LANES_SAME, select_flushed, false},
    {.name = NULL},
};

static const char *prepare_select(const struct vm_program *p, struct vm_instruction *i)
{
    return lanes_prepare(p, i, table);
}

const struct vm_op vm_ops_compare[] = {
    {"setp", prepare_setp}, {"set", prepare_set}, {"selp", prepare_select}, {"slct", prepare_select}, {NULL, NULL},
};
