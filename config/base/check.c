/* What asserts and unfailing allocation do when they fail: say where, abort. See check.h. */
#include "config/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void
weir_check_failed(const char *file, int line, const char *func, const char *what)
{
	(void)fprintf(stderr, "weir: check failed: %s at %s:%d in %s\n", what, file, line, func);
	abort();
}

void *
weir_calloc(size_t count, size_t size)
{
	void *ptr = calloc(count, size);
	WEIR_CHECK(ptr != NULL);
	return ptr;
}

void *
weir_realloc(void *ptr, size_t size)
{
	void *out = realloc(ptr, size);
	WEIR_CHECK(out != NULL);
	return out;
}

char *
weir_strdup(const char *text)
{
	return weir_strndup(text, strlen(text));
}

char *
weir_strndup(const char *text, size_t len)
{
	char *out = weir_calloc(len + 1, 1);
	memcpy(out, text, len);
	return out;
}
