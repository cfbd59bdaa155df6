/* folder: a sound folder for readers that take one. The target replaces its JSON file with the bytes of a case; bytes
 * after a first NUL replace a second file. */
#ifndef FO_TESTS_FUZZ_FOLDER_H
#define FO_TESTS_FUZZ_FOLDER_H

#include "reference/status.h"

struct folder {
    enum status (*make)(const char *path, struct error *e); /* fills the folder */
    const char *json, *second;
};
/* What pack writes; what emit writes, with outputs of a kernel; one tile of arithmetic. Small, and always the same. */
extern const struct folder folder_layout, folder_emit, folder_capture;

/* Put a case into the folder of this process, which is made at the first call and removed at the end. Returns its path.
 */
const char *folder_case(const struct folder *f, const uint8_t *bytes, size_t size);

/* A public question about the folder answered no: with a line of its own about what lies there, not for want of memory
 * or because of the operating system, unless a file that its JSON names is not there. */
void folder_check_refusal(const char *path, enum status s, const char *line);

#endif
