/* module_read: what the readers of a sidecar share. Every refusal names the path and the field. */
#ifndef FO_ORACLE_EXEC_MODULE_READ_H
#define FO_ORACLE_EXEC_MODULE_READ_H

#include "oracle/exec/module_sidecar.h"
#include "oracle/io/json.h"

/* What is read, and where an error is. */
struct module_reader {
    struct module_sidecar *m;
    json_t *document;
    struct error *e;
};

enum status module_refuse(const struct module_reader *r, const char *field, const char *why);
/* A number, or an expression. */
enum status module_read_expression(const struct module_reader *r, const json_t *value, const char *field,
                                   char to[MODULE_EXPRESSION]);
/* A list of `least` to `most` of them; *count: how many there are, may be NULL. Those that are missing are left. */
enum status module_read_expressions(const struct module_reader *r, const json_t *list, const char *field, size_t least,
                                    size_t most, char (*to)[MODULE_EXPRESSION], size_t *count);
/* A number, or what *out is without. */
enum status module_read_number(const struct module_reader *r, const json_t *value, const char *field, uint64_t least,
                               uint64_t most, uint64_t *out);
/* One of a NULL-ended list of words, by its place in it, or what *out is without. */
enum status module_read_choice(const struct module_reader *r, const json_t *value, const char *field,
                               const char *const *words, size_t *out);
/* Is every member of the object one of these words? where: "limits.", "" for the document. */
enum status module_read_only(const struct module_reader *r, json_t *object, const char *where,
                             const char *const *known);

/* The member `arguments`: module_arguments.c. */
enum status module_read_arguments(const struct module_reader *r);
/* An object {"array": ..., "type": ...} of a tensor map: module_tensor.c. *out is one more of m->tensor. */
enum status module_read_tensor(const struct module_reader *r, json_t *object, const char *field, uint32_t *out);
/* An array of the launch by its name; marks it as used. */
enum status module_read_buffer(const struct module_reader *r, const char *name, const char *field,
                               enum module_buffer *out);

#endif
