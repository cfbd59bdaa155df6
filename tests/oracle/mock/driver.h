/* A driver and a CUPTI that are not there: one shared library, which calls the injected library back as they would. */
#ifndef FO_TESTS_ORACLE_MOCK_DRIVER_H
#define FO_TESTS_ORACLE_MOCK_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle/exec/inject/inject.h"

/* What a launch names: a function, a CUkernel of a function, or a kernel that only its library knows. */
enum mock_handle { MOCK_PLAIN = 1, MOCK_TAPPED, MOCK_KERNEL, MOCK_LIBRARY, MOCK_PLAIN_KERNEL };

struct mock {
    uint8_t *head, *data; /* the variables of the rewritten module, in host memory */
    size_t head_bytes, data_bytes;
    CUresult synchronise, set, copy, launched; /* what the calls return */
    CUstreamCaptureStatus capturing;
    CUresult asked_capturing;
    CUptiResult subscribed;
    bool launch_inside; /* the driver's own functions launch something */
    /* What happened. */
    unsigned synchronised, zeroed, copied, depth, deepest;
    bool dirty_at_launch; /* data were not zero when the kernel began */
    bool relaxed;         /* the mode of this thread, now */
    unsigned strict;      /* calls made in a mode that forbids them while another thread captures */
};
extern struct mock mock;

/* A launch through one of the six calls; the kernel sets every word of data to `value`. */
void mock_launch(CUpti_CallbackId id, enum mock_handle kernel, const char *name, uint32_t value);
/* Is this call reported at all? */
bool mock_reports(CUpti_CallbackId id);

#endif
