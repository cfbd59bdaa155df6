#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reference/ptx/tensor_map.h"

/* A map that is right: three dimensions of f16. */
static const struct vm_tensor_map good = {.rank = 3,
                                          .element_bytes = 2,
                                          .swizzle = 64,
                                          .address = 0x7f0012340,
                                          .extent = {100, 7, UINT32_MAX},
                                          .stride = {2, 208, UINT64_C(0xfffffffff0)},
                                          .box = {32, 256, 1},
                                          .step = {1, 8, 2},
                                          .fill_nan = 1,
                                          .type = VM_F16};

static void encode_all_fields_come_back(void **state)
{
    (void)state;
    uint8_t bytes[VM_TENSOR_BYTES];
    struct vm_tensor_map m;
    struct error e;
    assert_int_equal(vm_tensor_map_encode(&good, bytes, &e), STATUS_OK);
    assert_memory_equal(bytes, "MTOF", 4);
    assert_true(vm_tensor_map_decode(bytes, &m));
    assert_int_equal(m.rank, 3);
    assert_int_equal(m.element_bytes, 2);
    assert_int_equal(m.swizzle, 64);
    assert_int_equal(m.fill_nan, 1);
    assert_int_equal(m.address, 0x7f0012340);
    assert_memory_equal(m.extent, good.extent, sizeof good.extent);
    assert_memory_equal(m.stride, good.stride, sizeof good.stride);
    assert_memory_equal(m.box, good.box, sizeof good.box);
    assert_memory_equal(m.step, good.step, sizeof good.step);
    assert_int_equal(m.type, VM_F16);
}

static void encode_every_type_of_the_driver_is_taken(void **state)
{
    (void)state;
    static const struct {
        enum vm_type type;
        uint8_t bytes;
    } types[] = {{VM_U8, 1},  {VM_U16, 2},  {VM_U32, 4}, {VM_S32, 4},  {VM_U64, 8}, {VM_S64, 8},
                 {VM_F16, 2}, {VM_BF16, 2}, {VM_F32, 4}, {VM_TF32, 4}, {VM_F64, 8}};
    for (size_t n = 0; n < sizeof types / sizeof *types; n++) {
        struct vm_tensor_map m = {.rank = 1,
                                  .element_bytes = types[n].bytes,
                                  .address = 16,
                                  .extent = {1},
                                  .stride = {types[n].bytes},
                                  .box = {16},
                                  .step = {1},
                                  .type = (uint8_t)types[n].type};
        uint8_t bytes[VM_TENSOR_BYTES];
        assert_int_equal(vm_tensor_map_encode(&m, bytes, NULL), STATUS_OK);
        m.element_bytes = 3;
        assert_int_equal(vm_tensor_map_encode(&m, bytes, NULL), STATUS_BAD_ARGUMENT);
    }
}

#define CASE(text, ...)                                                                                                \
    do {                                                                                                               \
        struct vm_tensor_map m = good;                                                                                 \
        __VA_ARGS__;                                                                                                   \
        uint8_t bytes[VM_TENSOR_BYTES], before[VM_TENSOR_BYTES];                                                       \
        struct error e = {0};                                                                                          \
        memset(bytes, 0xa5, sizeof bytes);                                                                             \
        memcpy(before, bytes, sizeof bytes);                                                                           \
        assert_int_equal(vm_tensor_map_encode(&m, bytes, &e), STATUS_BAD_ARGUMENT);                                    \
        if (!strstr(e.why, text))                                                                                      \
            fail_msg("\"%s\" is not in \"%s\"", text, e.why);                                                          \
        assert_memory_equal(bytes, before, sizeof bytes);                                                              \
    } while (0)

static void encode_whatever_the_driver_refuses_is_refused(void **state)
{
    (void)state;
    CASE("rank 0", m.rank = 0);
    CASE("rank 6", m.rank = 6);
    CASE("type that no", m.type = VM_TYPES);
    CASE("type that no", m.type = VM_E4M3);
    CASE("elements of 4", m.element_bytes = 4);
    CASE("swizzle of 16", m.swizzle = 16);
    CASE("no floats", m.type = VM_U16);
    CASE("no floats", m.fill_nan = 2);
    CASE("aligned to 16", m.address += 8);
    CASE("no elements in dimension 0", m.extent[0] = 0);
    CASE("no elements in dimension 2", m.extent[2] = 0);
    CASE("first dimension has a stride of 4", m.stride[0] = 4);
    CASE("dimension 1 has a stride of 200", m.stride[1] = 200);
    CASE("dimension 2 has a stride of", m.stride[2] = UINT64_C(1) << 40);
    CASE("box of 0 elements in dimension 1", m.box[1] = 0);
    CASE("box of 257 elements in dimension 1", m.box[1] = 257);
    CASE("step of 0 in dimension 2", m.step[2] = 0);
    CASE("step of 9 in dimension 1", m.step[1] = 9);
    CASE("40 bytes in a row, not a multiple", m.box[0] = 20);
    CASE("80 bytes in a row, more than", m.box[0] = 40);
}

/* Dimensions above the rank are nobody's business. */
static void encode_dimensions_above_the_rank_are_not_looked_at(void **state)
{
    (void)state;
    struct vm_tensor_map m = good;
    uint8_t bytes[VM_TENSOR_BYTES];
    m.rank = 2;
    m.extent[2] = 0;
    m.box[2] = 0;
    assert_int_equal(vm_tensor_map_encode(&m, bytes, NULL), STATUS_OK);
}

static void decode_other_bytes_are_no_map(void **state)
{
    (void)state;
    uint8_t bytes[VM_TENSOR_BYTES] = {0};
    struct vm_tensor_map m;
    memset(&m, 0x5a, sizeof m);
    assert_false(vm_tensor_map_decode(bytes, &m));
    assert_int_equal(vm_tensor_map_encode(&good, bytes, NULL), STATUS_OK);
    unsigned refused = 0;
    /* The magic, the rank, what says the elements, and what must be zeros. */
    static const unsigned places[] = {0, 1, 2, 3, 4, 5, 6, 91, 92, 100, 127};
    for (size_t n = 0; n < sizeof places / sizeof *places; n++) {
        bytes[places[n]] ^= 0x80;
        refused += !vm_tensor_map_decode(bytes, &m);
        bytes[places[n]] ^= 0x80;
    }
    assert_int_equal(refused, sizeof places / sizeof *places);
    assert_int_equal(m.rank, 0x5a);
    assert_true(vm_tensor_map_decode(bytes, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_all_fields_come_back),
        cmocka_unit_test(encode_every_type_of_the_driver_is_taken),
        cmocka_unit_test(encode_whatever_the_driver_refuses_is_refused),
        cmocka_unit_test(encode_dimensions_above_the_rank_are_not_looked_at),
        cmocka_unit_test(decode_other_bytes_are_no_map),
    };
    return cmocka_run_group_tests_name("reference/ptx_tensor_map", tests, NULL, NULL);
}
