/*
 * Reading reference files: each file is read twice, first to check it whole, then to emit, so that nothing is sent from a
 * file with a mistake in its last line. YAML is for people (small, kept as a tree), CSV for fleets (read row by row).
 */
#include <inttypes.h>

#include "config/reference/reference_file.h"
#include "config/reference/reference_priv.h"
#include "config/yaml/document.h"

#define YAML_MAX_BYTES ((size_t)256 << 20)

static bool
name_ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);
	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Runs both readings through one of the two formats. */
static enum weir_class
read_twice(
    const char *path, struct weir_reference_reader *reader, weir_reference_emit_fn emit, const struct weir_yaml *root)
{
	for (int reading = 0; reading < 2; reading++) {
		reader->emit = reading == 0 ? NULL : emit;
		enum weir_class class = WEIR_OK;
		if (root != NULL)
			weir_reference_read_yaml(root, reader);
		else
			class = weir_reference_read_csv(path, reader);
		if (reading == 0 && class == WEIR_OK && reader->mistakes.count == 0)
			weir_reference_index_finish(reader->index, &reader->mistakes);
		if (class != WEIR_OK || reader->mistakes.count > 0)
			return WEIR_POISON;
		if (reader->stopped)
			return WEIR_RETRY;
	}
	return WEIR_OK;
}

enum weir_class
weir_reference_read(const char *path, weir_reference_emit_fn emit, void *ctx, uint64_t *count_out, struct weir_error *err)
{
	struct weir_reference_reader reader = {.mistakes = {.source = path, .err = err}, .ctx = ctx};
	struct weir_yaml root = {0};
	*count_out = 0;
	bool yaml = name_ends_with(path, ".yaml") || name_ends_with(path, ".yml");
	if (!yaml && !name_ends_with(path, ".csv"))
		return weir_error_set(err, WEIR_POISON, "%.300s: must be a name that ends in .yaml, .yml or .csv", path);
	if (yaml && weir_yaml_read(path, YAML_MAX_BYTES, &root, err) != WEIR_OK)
		return WEIR_POISON;
	reader.index = weir_reference_index_new();
	enum weir_class class = read_twice(path, &reader, emit, yaml ? &root : NULL);
	if (class == WEIR_RETRY)
		(void)weir_error_set(err, WEIR_RETRY, "%.300s: stopped after %" PRIu64 " messages", path, reader.count);
	weir_reference_index_free(reader.index);
	weir_buf_free(&reader.message);
	weir_yaml_free(&root);
	*count_out = reader.count;
	return class;
}
