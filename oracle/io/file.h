/* file: whole files in, and out without ever leaving half of one. */
#ifndef FO_ORACLE_IO_FILE_H
#define FO_ORACLE_IO_FILE_H

#include <limits.h>

#include "reference/status.h"

/* FOLDER/NAME into path. errors: STATUS_BAD_ARGUMENT (too long). */
enum status file_path(const char *folder, const char *name, char path[PATH_MAX], struct error *e);

/* Read a whole regular file. *data is owned by the caller (free), never NULL on success, size may be 0.
 * limit: refuse anything larger (0 = no limit). errors: STATUS_IO, STATUS_BAD_INPUT (not a regular file, too large),
 * STATUS_NO_MEMORY; with the path. */
enum status file_read(const char *path, size_t limit, uint8_t **data, size_t *size, struct error *e);

/* Write aside (in the same folder), flush, fsync, then rename over `path` (through symbolic links). On failure the old
 * file, if any, is untouched and nothing half-written stays. A device or pipe is written in place.
 * errors: STATUS_IO with the path. */
enum status file_write(const char *path, const void *data, size_t size, struct error *e);

/* mkdir -p. */
enum status file_make_folder(const char *path, struct error *e);

/* SHA-256 as 64 hex digits and a NUL. */
void file_sha256(const void *data, size_t size, char hex[65]);

#endif
