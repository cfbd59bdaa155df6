#include "oracle/exec/module_read.h"

#include <stdio.h>
#include <string.h>

enum { FIELD = MODULE_FIELD + 40, WHY = 200 };

enum status module_refuse(const struct module_reader *r, const char *field, const char *why)
{
    error_set(r->e, STATUS_BAD_INPUT, "%s", why);
    error_at_path(r->e, r->m->path);
    return error_at_field(r->e, field), STATUS_BAD_INPUT;
}

enum status module_read_expression(const struct module_reader *r, const json_t *value, const char *field,
                                   char to[MODULE_EXPRESSION])
{
    const char *text = json_string_value(value);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        snprintf(to, MODULE_EXPRESSION, "%lld", (long long)json_integer_value(value));
    else if (!text || strlen(text) >= MODULE_EXPRESSION)
        return module_refuse(r, field,
                             "wanted a number, or an expression of P, N, K, E and A in at most 127 "
                             "characters");
    else
        snprintf(to, MODULE_EXPRESSION, "%s", text);
    if (module_expression_check(to, r->e) == STATUS_OK)
        return STATUS_OK;
    error_at_path(r->e, r->m->path);
    return error_at_field(r->e, field), STATUS_BAD_INPUT;
}

enum status module_read_expressions(const struct module_reader *r, const json_t *list, const char *field, size_t least,
                                    size_t most, char (*to)[MODULE_EXPRESSION], size_t *count)
{
    char at[FIELD], why[WHY];
    size_t there = json_array_size(list);
    if (!json_is_array(list) || there < least || there > most) {
        if (least == most)
            snprintf(why, sizeof why, "wanted a list of %zu numbers or expressions", least);
        else
            snprintf(why, sizeof why, "wanted a list of %zu to %zu numbers or expressions", least, most);
        return module_refuse(r, field, why);
    }
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < there; i++) {
        snprintf(at, sizeof at, "%s[%zu]", field, i);
        s = module_read_expression(r, json_array_get(list, i), at, to[i]);
    }
    if (s == STATUS_OK && count)
        *count = there;
    return s;
}

enum status module_read_number(const struct module_reader *r, const json_t *value, const char *field, uint64_t least,
                               uint64_t most, uint64_t *out)
{
    char why[WHY];
    if (!value)
        return STATUS_OK;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || (uint64_t)number < least || (uint64_t)number > most) {
        snprintf(why, sizeof why, "wanted a number from %llu to %llu", (unsigned long long)least,
                 (unsigned long long)most);
        return module_refuse(r, field, why);
    }
    *out = (uint64_t)number;
    return STATUS_OK;
}

enum status module_read_choice(const struct module_reader *r, const json_t *value, const char *field,
                               const char *const *words, size_t *out)
{
    const char *word = json_string_value(value);
    char why[WHY] = "wanted ";
    if (!value)
        return STATUS_OK;
    for (size_t i = 0; words[i]; i++) {
        size_t used = strlen(why);
        if (word && strcmp(word, words[i]) == 0) {
            *out = i;
            return STATUS_OK;
        }
        snprintf(why + used, sizeof why - used, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    }
    return module_refuse(r, field, why);
}

enum status module_read_only(const struct module_reader *r, json_t *object, const char *where, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        char field[FIELD + 60];
        snprintf(field, sizeof field, "%s%.60s", where, key);
        if (!known[i])
            return module_refuse(r, field, "no such field");
    }
    return STATUS_OK;
}
