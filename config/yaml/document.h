/*
 * One YAML document as a tree of nodes that know their lines.
 *
 * Settings, feeds and reference files are small and written by people, so they are read whole and every mistake can name
 * its line. A strict subset: one document, no aliases (an alias bomb expands a kilobyte to gigabytes), no tags, scalar
 * keys, no key twice in a map, at most 32 levels. Scalars keep their text and whether it was quoted; what they mean is the
 * reader's matter, as YAML's guesses (`no` = false, 0777 = octal) are traps for ids. Built on libyaml's events. Rejected:
 * libyaml's document API, which does not look for repeated keys and expands aliases.
 */
#ifndef WEIR_CONFIG_YAML_DOCUMENT_H
#define WEIR_CONFIG_YAML_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/base/error.h"
#include "config/base/slice.h"

enum weir_yaml_kind { WEIR_YAML_SCALAR, WEIR_YAML_MAP, WEIR_YAML_LIST };

struct weir_yaml {
	enum weir_yaml_kind kind;
	uint32_t line;
	bool quoted;                /* scalar in quotes or a block: always a string */
	char *name;                 /* member's name when the parent is a map, else NULL */
	char *text;                 /* scalar's text, else NULL; holds no zero byte */
	struct weir_yaml *children; /* of a map or list */
	uint32_t child_count;
	uint32_t child_cap;
};

/* Parses text; an empty document gives an empty map. POISON with err "source:line: …". Free the tree with weir_yaml_free.
 */
enum weir_class weir_yaml_parse(
    struct weir_slice text, const char *source, struct weir_yaml *root_out, struct weir_error *err);
/* Reads and parses a file of at most size_max bytes. */
enum weir_class weir_yaml_read(const char *path, size_t size_max, struct weir_yaml *root_out, struct weir_error *err);
void weir_yaml_free(struct weir_yaml *root);

/* Empty, `~` or `null`, not quoted. */
bool weir_yaml_is_null(const struct weir_yaml *node);
/* The member of a map, NULL if absent or node is no map. */
const struct weir_yaml *weir_yaml_member(const struct weir_yaml *map, const char *name);
/* Writes text as a double-quoted YAML scalar. */
void weir_yaml_print_text(const char *text, FILE *out);
/* "a text", "a map", "a list": for messages. */
const char *weir_yaml_kind_name(enum weir_yaml_kind kind);

#endif
