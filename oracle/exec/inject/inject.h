/* inject: the one door of libfragoracle_tap.so, and the one place that takes the headers of CUPTI. */
#ifndef FO_ORACLE_EXEC_INJECT_INJECT_H
#define FO_ORACLE_EXEC_INJECT_INJECT_H

#include <cupti.h>

/* Called by the driver while it starts. Always 1: a process that cannot be read shall run all the same. */
int InitializeInjection(void);

#endif
