/* json: reading and writing JSON documents. The one home of jansson, besides safetensors.c, which parses a header with
 * it. */
#ifndef FO_ORACLE_IO_JSON_H
#define FO_ORACLE_IO_JSON_H

#include <jansson.h>

#include "reference/status.h"

/* Parse a whole file; duplicate keys are refused. *out is a new reference. errors: STATUS_IO; STATUS_BAD_INPUT with
 * line and column, or when the member `schema` is not the one wanted (schema NULL: any). */
enum status json_read(const char *path, const char *schema, json_t **out, struct error *e);
/* Write indented, keys in the order of insertion, with a final newline. Uses file_write. */
enum status json_write(const char *path, const json_t *document, struct error *e);
/* The same text in memory; owned, NULL without memory. */
char *json_text(const json_t *document);
/* A real that may be infinite or NaN: the strings "inf", "-inf" and "nan" where JSON has no number. */
json_t *json_number(double x);

#endif
