/* json: reading and writing JSON documents. The one home of jansson.
 *
 * Jansson's containers lose a member in silence when there is no memory for it, and so do json_pack and json_dumps; its
 * parser runs past its buffers. So every allocation of jansson goes through this module (a constructor calls
 * json_set_alloc_funcs). A parse without memory is left at once. Elsewhere the failure is remembered for the thread:
 * from then on nothing is written or parsed by this thread until json_forget, so who builds a document need not check
 * every step. A document is built and written by one thread. What jansson itself hands out as text (json_dumps) is not
 * for free(); json_text is. */
#ifndef FO_ORACLE_IO_JSON_H
#define FO_ORACLE_IO_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "reference/status.h"

/* Only the parse: duplicate keys are refused, *at says where and why. errors: STATUS_BAD_INPUT, STATUS_NO_MEMORY
 * (nothing is leaked, and the thread may go on). */
enum status json_load(const void *bytes, size_t size, json_t **out, json_error_t *at);
/* Parse; duplicate keys are refused. *out is a new reference. path names the input in errors. errors: STATUS_BAD_INPUT
 * with line and column, or when the member `schema` is not the one wanted (schema NULL: any); STATUS_NO_MEMORY. */
enum status json_parse(const char *path, const void *bytes, size_t size, const char *schema, json_t **out,
                       struct error *e);
/* The same for a whole file. errors: also STATUS_IO. */
enum status json_read(const char *path, const char *schema, json_t **out, struct error *e);
/* Write indented, keys in the order of insertion, with a final newline. Uses file_write. errors: STATUS_IO;
 * STATUS_NO_MEMORY, also when building the document ran out of it (document may be NULL then). */
enum status json_write(const char *path, const json_t *document, struct error *e);
/* The same text in memory; owned, NULL without memory as above. */
char *json_text(const json_t *document);
/* The failure is reported: this thread starts anew. Every public question ends with it. */
void json_forget(void);
/* Has an allocation failed since? For who takes a document apart: json_unpack needs memory of its own. */
bool json_starved(void);
/* A string from outside (a file name, or one that was cut): each byte of it beyond ASCII becomes ? where it is not
 * UTF-8, which is all that JSON can hold. */
json_t *json_name(const char *text);
/* A real that may be infinite or NaN: the strings "inf", "-inf" and "nan" where JSON has no number. */
json_t *json_number(double x);

#endif
