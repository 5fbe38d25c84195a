/*
 * simdjson's first stage behind a C face; the only C++ of the project. No exception leaves it: simdjson is asked for error
 * codes, and allocation is nothrow.
 *
 * Only the first stage, because the second builds doubles (volumes must convert exactly from their text), refuses integers
 * of 2^64 and more (valid JSON that may stand in a member nobody asks for), and needs a padded copy. On Demand was rejected
 * because it validates only what it is asked for; a message must be all or nothing. The grammar over the places found here
 * is walked in json_walk.c.
 */
#include "consumers/decode/json_full.h"

#include <memory>
#include <new>

#include <simdjson.h>

struct weir_json_index {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
	size_t capacity = 0;
};

extern "C" struct weir_json_index *
weir_json_index_new(void)
{
	return new (std::nothrow) weir_json_index;
}

extern "C" void
weir_json_index_free(struct weir_json_index *index)
{
	delete index;
}

static bool
grow(struct weir_json_index *index, size_t len) noexcept
{
	size_t capacity = index->capacity ? index->capacity : 16384;
	while (capacity < len)
		capacity *= 2;
	index->capacity = 0;
	index->parser.reset();
	const auto *implementation = static_cast<const simdjson::implementation *>(simdjson::get_active_implementation());
	if (implementation->create_dom_parser_implementation(capacity, 1, index->parser) != simdjson::SUCCESS)
		return false;
	index->capacity = capacity;
	return true;
}

extern "C" bool
weir_json_index_run(
    struct weir_json_index *index, const uint8_t *data, size_t len, const uint32_t **places_out, uint32_t *count_out)
{
	if (len == 0 || (len > index->capacity && !grow(index, len)))
		return false;
	if (index->parser->stage1(data, len, simdjson::stage1_mode::regular) != simdjson::SUCCESS)
		return false;
	*places_out = index->parser->structural_indexes.get();
	*count_out = index->parser->n_structural_indexes;
	return true;
}
