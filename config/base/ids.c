/* The rule for ids; see ids.h. */
#include "config/base/ids.h"

#include <stddef.h>
#include <string.h>

bool
weir_id_is_valid(const char *id)
{
	size_t len = 0;
	for (; id[len] != '\0' && len < WEIR_ID_MAX; len++)
		if (id[len] <= 0x20 || id[len] >= 0x7f || strchr("{}\"'", id[len]) != NULL)
			return false;
	return len >= 1 && len < WEIR_ID_MAX;
}

bool
weir_id_field_is_valid(const char id[WEIR_ID_MAX])
{
	size_t len = strnlen(id, WEIR_ID_MAX);
	for (size_t i = len; i < WEIR_ID_MAX; i++)
		if (id[i] != '\0')
			return false;
	return len < WEIR_ID_MAX && weir_id_is_valid(id);
}
