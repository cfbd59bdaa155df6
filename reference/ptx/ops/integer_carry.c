/* integer_carry: sums and products that set or read the carry of a lane (CC.CF): add.cc addc sub.cc subc mad.lo.cc
 * mad.hi.cc madc, and the dot products dp4a and dp2a.
 * source: PTX ISA 9.0, "Extended-Precision Integer Arithmetic Instructions"; a subtraction keeps its borrow there. */
#include <string.h>

#include "reference/ptx/ops/lanes.h"

__extension__ typedef __int128 wide_signed;
__extension__ typedef unsigned __int128 wide_unsigned;

enum carry_kind { CARRY_ADD, CARRY_SUB, CARRY_MAD_LO, CARRY_MAD_HI };

/* extra: kind, carry in, carry out. */
enum { KIND, IN, OUT, BITS };

/* What a is multiplied to; a plain sum takes it as it is. */
static uint64_t first(const struct vm_instruction *i, uint64_t a, uint64_t b)
{
    unsigned bits = (unsigned)i->extra[BITS];
    if (i->extra[KIND] == CARRY_MAD_LO)
        return a * b & lanes_mask(bits);
    if (i->extra[KIND] == CARRY_MAD_HI && vm_type_signed(i->type))
        return (uint64_t)((wide_signed)(int64_t)a * (int64_t)b >> bits) & lanes_mask(bits);
    if (i->extra[KIND] == CARRY_MAD_HI)
        return (uint64_t)((wide_unsigned)a * b >> bits);
    return a & lanes_mask(bits);
}

static enum vm_step run_carry(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    bool multiplies = i->extra[KIND] == CARRY_MAD_LO || i->extra[KIND] == CARRY_MAD_HI;
    unsigned bits = (unsigned)i->extra[BITS];
    struct lanes x;
    uint32_t out = 0;
    lanes_read(w, i, &x, multiplies ? 3 : 2);
    for (unsigned n = 0; n < 2; n++)
        lanes_extend(&x, n, bits, multiplies && vm_type_signed(i->type));
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t a = first(i, x.s[0][l], x.s[1][l]), b = x.s[multiplies ? 2 : 1][l] & lanes_mask(bits);
        unsigned in = i->extra[IN] ? w->carry >> l & 1 : 0;
        wide_unsigned sum = i->extra[KIND] == CARRY_SUB ? (wide_unsigned)a - b - in : (wide_unsigned)a + b + in;
        x.d[l] = (uint64_t)sum & lanes_mask(bits);
        out |= (uint32_t)(sum >> bits & 1) << l;
    }
    if (i->extra[OUT])
        w->carry = (w->carry & ~lanes) | (out & lanes);
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_carry(const struct vm_program *p, struct vm_instruction *i)
{
    static const struct {
        const char *name, *mode[LANES_MODES];
        enum carry_kind kind;
        bool in, out;
    } forms[] = {
        {"add.cc", {NULL}, CARRY_ADD, false, true},       {"addc", {NULL}, CARRY_ADD, true, false},
        {"addc", {"cc"}, CARRY_ADD, true, true},          {"sub.cc", {NULL}, CARRY_SUB, false, true},
        {"subc", {NULL}, CARRY_SUB, true, false},         {"subc", {"cc"}, CARRY_SUB, true, true},
        {"mad.lo.cc", {NULL}, CARRY_MAD_LO, false, true}, {"mad.hi.cc", {NULL}, CARRY_MAD_HI, false, true},
        {"madc", {"lo"}, CARRY_MAD_LO, true, false},      {"madc", {"hi"}, CARRY_MAD_HI, true, false},
        {"madc", {"lo", "cc"}, CARRY_MAD_LO, true, true}, {"madc", {"hi", "cc"}, CARRY_MAD_HI, true, true},
    };
    enum vm_type t = vm_take_type(i);
    if (t != VM_U32 && t != VM_S32 && t != VM_U64 && t != VM_S64)
        return lanes_no_form;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        if (strcmp(forms[f].name, i->opcode) == 0 && lanes_take_all(i, forms[f].mode)) {
            i->type = t;
            i->run = run_carry;
            i->extra[KIND] = forms[f].kind;
            i->extra[IN] = forms[f].in;
            i->extra[OUT] = forms[f].out;
            i->extra[BITS] = vm_type_bits(t);
            return lanes_operands(p, i, forms[f].kind >= CARRY_MAD_LO ? 3 : 2);
        }
    return lanes_no_form;
}

/* Element n of a word. */
static int64_t element(uint64_t word, unsigned n, unsigned bits, bool is_signed)
{
    uint64_t v = word >> n * bits & lanes_mask(bits), sign = UINT64_C(1) << (bits - 1);
    return (int64_t)(is_signed ? (v ^ sign) - sign : v);
}

enum { TERMS, FIRST_BYTE };

static enum vm_step run_dot(struct vm_warp *w, const struct vm_instruction *i, uint32_t lanes)
{
    unsigned terms = (unsigned)i->extra[TERMS], from = (unsigned)i->extra[FIRST_BYTE];
    struct lanes x;
    lanes_read(w, i, &x, 3);
    for (unsigned l = 0; l < VM_LANES; l++) {
        uint64_t sum = x.s[2][l];
        for (unsigned n = 0; n < terms; n++)
            sum += (uint64_t)(element(x.s[0][l], n, 32 / terms, vm_type_signed(i->type)) *
                              element(x.s[1][l], from + n, 8, vm_type_signed(i->type2)));
        x.d[l] = sum & UINT32_MAX;
    }
    return lanes_write(w, i, x.d, lanes);
}

static const char *prepare_dot(const struct vm_program *p, struct vm_instruction *i)
{
    static const char *const halves[] = {"lo", "hi", NULL};
    bool four = strcmp(i->opcode, "dp4a") == 0;
    int half = four ? 0 : vm_take_of(i, halves);
    i->type = vm_take_type(i);
    i->type2 = vm_take_type(i);
    if (half < 0 || (i->type != VM_U32 && i->type != VM_S32) || (i->type2 != VM_U32 && i->type2 != VM_S32))
        return lanes_no_form;
    i->run = run_dot;
    i->extra[TERMS] = four ? 4 : 2;
    i->extra[FIRST_BYTE] = 2 * (unsigned)half;
    return vm_words_left(i) ? lanes_no_form : lanes_operands(p, i, 3);
}

const struct vm_op vm_ops_integer_carry[] = {
    {"add.cc", prepare_carry},    {"addc", prepare_carry},
    {"sub.cc", prepare_carry},    {"subc", prepare_carry},
    {"mad.lo.cc", prepare_carry}, {"mad.hi.cc", prepare_carry},
    {"madc", prepare_carry},      {"dp4a", prepare_dot},
    {"dp2a", prepare_dot},        {NULL, NULL},
};
