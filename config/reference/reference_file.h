/* The two formats of reference files; each reads a file once and hands its rows to weir_reference_row. */
#ifndef WEIR_CONFIG_REFERENCE_FILE_H
#define WEIR_CONFIG_REFERENCE_FILE_H

#include "config/reference/reference_priv.h"
#include "config/yaml/document.h"

void weir_reference_read_yaml(const struct weir_yaml *root, struct weir_reference_reader *reader);
/* POISON also fills the reader's error when the file cannot be read. */
enum weir_class weir_reference_read_csv(const char *path, struct weir_reference_reader *reader);

#endif
