/* Formatting of errors; see error.h. */
#include "config/base/error.h"

#include <stdio.h>

enum weir_class
weir_error_set(struct weir_error *err, enum weir_class class, const char *fmt, ...)
{
	if (err == NULL)
		return class;
	err->class = class;
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return class;
}
