/* What is built in: the console (pipeline/console) and the description of the API (docs/openapi.yaml). */
#include <string.h>

#include "pipeline/http/api/api_priv.h"

#include "api_files.h"

const struct weir_api_file *
weir_api_file_find(const char *path)
{
	for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
		if (strcmp(FILES[i].path, path) == 0)
			return &FILES[i];
	return NULL;
}

const struct weir_api_file *
weir_api_file_openapi(void)
{
	return &FILES[0];
}
