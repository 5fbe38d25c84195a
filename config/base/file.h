/*
 * Whole small files: settings, secrets, zone files. Only regular files and only up to a stated size, so that a pipe or
 * a device named by mistake neither blocks nor fills the memory. (Secrets may come through /dev/fd pipes elsewhere; here
 * they are files, as orchestrators mount them.)
 */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include "config/base/error.h"
#include "config/base/slice.h"

/* Appends the file's bytes and a terminating zero that buf->len does not count. POISON: cannot be read, or too large. */
enum weir_class weir_file_read(const char *path, size_t size_max, struct weir_buf *buf, struct weir_error *err);

#endif
