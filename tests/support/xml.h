/* xml: enough of XML to say whether a report is well-formed. Elements, attributes, the five entities; no comments. */
#ifndef FO_TESTS_SUPPORT_XML_H
#define FO_TESTS_SUPPORT_XML_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { XML_DEPTH = 16, XML_NAME = 32 };

/* The next place after an entity such as "&amp;", or NULL. */
static inline const char *xml_entity(const char *at)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (int i = 0; i < 5; i++)
        if (strncmp(at, entities[i], strlen(entities[i])) == 0)
            return at + strlen(entities[i]);
    return NULL;
}

/* Text up to `end`, which it stops at; NULL where it may not stand. */
static inline const char *xml_text(const char *at, char end)
{
    while (at && *at && *at != end) {
        if (*at == '<' || ((unsigned char)*at < ' ' && *at != '\n' && *at != '\t'))
            return NULL;
        at = *at == '&' ? xml_entity(at) : at + 1;
    }
    return at;
}

/* From behind '<' and the name to behind the '>': name="text" with a blank before each. *alone: ends with "/>". */
static inline const char *xml_attributes(const char *at, bool *alone)
{
    while (at && *at == ' ') {
        at += strspn(at, " ");
        size_t name = strcspn(at, "= <>&\"/");
        if (name == 0 || strncmp(at + name, "=\"", 2) != 0)
            break;
        at = xml_text(at + name + 2, '"');
        at = at && *at == '"' ? at + 1 : NULL;
    }
    if (!at)
        return NULL;
    *alone = *at == '/';
    at += *alone;
    return *at == '>' ? at + 1 : NULL;
}

static inline bool xml_well_formed(const char *at)
{
    static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    char open[XML_DEPTH][XML_NAME];
    int depth = 0, roots = 0;
    if (strncmp(at, head, sizeof head - 1) != 0)
        return false;
    for (at += sizeof head - 1; (at = xml_text(at, '<')) && *at == '<';) {
        bool closing = at[1] == '/', alone = false;
        at += 1 + closing;
        size_t length = strcspn(at, " />");
        if (length == 0 || length >= XML_NAME || depth == XML_DEPTH)
            return false;
        if (closing) {
            if (depth == 0 || strlen(open[depth - 1]) != length || strncmp(open[depth - 1], at, length) != 0 ||
                at[length] != '>')
                return false;
            depth--;
            at += length + 1;
            continue;
        }
        snprintf(open[depth], XML_NAME, "%.*s", (int)length, at);
        roots += depth == 0;
        at = xml_attributes(at + length, &alone);
        depth += !alone;
        if (!at)
            return false;
    }
    return at && depth == 0 && roots == 1;
}

/* Elements of this name. */
static inline int xml_count(const char *text, const char *name)
{
    char tag[XML_NAME + 2];
    int count = 0;
    snprintf(tag, sizeof tag, "<%s", name);
    for (const char *at = text; (at = strstr(at, tag)); at++)
        count += strchr(" />", at[strlen(tag)]) != NULL;
    return count;
}

#endif
