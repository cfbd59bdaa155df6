/* A CUDA driver that is not there, for modules: memory is the host's, and a launch calls a function of the test. */
#ifndef FO_TESTS_ORACLE_MOCK_MODULE_DRIVER_H
#define FO_TESTS_ORACLE_MOCK_MODULE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

struct mock_launch {
    unsigned grid[3], block[3], shared;
    void **parameters;
    unsigned cluster[3]; /* 0: not stated */
};

struct module_mock {
    /* What the calls return; 0 is success. */
    int init, retain, load, function, alloc, copy_to, copy_from, launch, query, tensor_map;
    int not_ready;   /* so many queries say that the kernel runs, before `query` */
    const char *log; /* of a load that fails */
    void (*kernel)(const struct mock_launch *l);
    /* What happened. */
    char entry[64], image[64];
    size_t buffers, contexts, modules; /* that live */
    int launches, shared_attribute, cluster_attribute;
    /* The tensor map that was made last; its bytes are 0 .. 127. */
    struct {
        int type, interleave, swizzle, promotion, fill;
        unsigned rank, box[5], step[5];
        uint64_t address, extent[5], stride[4];
    } map;
};
extern struct module_mock module_mock;
/* As at first; frees the buffers that a lost context left. */
void module_mock_reset(void);

#endif
