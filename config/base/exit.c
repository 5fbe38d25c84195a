/* The line a failed command ends with; see exit.h. */
#include "config/base/exit.h"

#include <stdio.h>

int
weir_exit_fail(const char *command, enum weir_exit code, const struct weir_error *err)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "weir %s: %s\n", command, err->text);
	return (int)code;
}
