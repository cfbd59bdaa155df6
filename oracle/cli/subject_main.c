/* subject_main: fragoracle-subject, the process in which a kernel under test runs. Started by fragoracle with a socket
 * as descriptor 3. */
#include <stdio.h>

#include "oracle/fragoracle.h"

enum { SOCKET = 3, TROUBLE = 2 };

int main(int argc, char **argv)
{
    struct fo_error error;
    if (argc != 3) {
        fprintf(stderr, "Usage: fragoracle-subject SUBJECT MACHINE\nStarted by fragoracle; use that.\n");
        return TROUBLE;
    }
    if (fo_subject_serve(SOCKET, argv[1], argv[2], &error) == 0)
        return 0;
    fprintf(stderr, "fragoracle-subject: %s\n", error.line);
    return TROUBLE;
}
