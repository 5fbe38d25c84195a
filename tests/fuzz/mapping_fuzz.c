/*
 * Mappings from any YAML: no crash, and what compiles prints as YAML that compiles and prints the same again. A mapping
 * that compiled must also build a decoder, so the decoder's asserts hold for every mapping that settings let through.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/mapping/mapping.h"
#include "consumers/decode/decode.h"
#include "tests/unit/decode_samples.h"

static char *
print_mapping(const struct weir_mapping *mapping, size_t *len_out)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len_out);
	if (out == NULL)
		abort();
	weir_mapping_print(mapping, 0, out);
	(void)fclose(out);
	return text;
}

static void
decoder_check(const struct weir_mapping *mapping)
{
	struct weir_decoder *decoder = weir_decoder_new(mapping, 1 << 16);
	struct weir_records out = {0};
	for (int i = 0; i < 2; i++) {
		(void)weir_decode(decoder, (struct weir_slice){0}, weir_slice_of(KORE_RECORD), 0, &out);
		(void)weir_decode(decoder, (struct weir_slice){0}, weir_slice_of(EMNIFY_RECORD), 0, &out);
	}
	weir_records_free(&out);
	weir_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_mapping *mapping = NULL, *again = NULL;
	struct weir_error err = {0};
	if (weir_mapping_parse("feed", (struct weir_slice){data, size}, &mapping, &err) != WEIR_OK)
		return 0;
	size_t len = 0, len_again = 0;
	char *text = print_mapping(mapping, &len);
	if (weir_mapping_parse("feed", (struct weir_slice){(const uint8_t *)text, len}, &again, &err) != WEIR_OK)
		abort();
	char *text_again = print_mapping(again, &len_again);
	if (len != len_again || memcmp(text, text_again, len) != 0)
		abort();
	decoder_check(mapping);
	free(text);
	free(text_again);
	weir_mapping_free(mapping);
	weir_mapping_free(again);
	return 0;
}
