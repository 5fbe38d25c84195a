/* The parts of buffers that are not inline; see slice.h. */
#include "config/base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
weir_buf_printf(struct weir_buf *buf, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	va_list again;
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	WEIR_CHECK(need >= 0);
	weir_buf_reserve(buf, (size_t)need + 1);
	(void)vsnprintf((char *)buf->data + buf->len, (size_t)need + 1, fmt, again);
	va_end(again);
	buf->len += (size_t)need;
}

void
weir_buf_free(struct weir_buf *buf)
{
	free(buf->data);
	*buf = (struct weir_buf){0};
}
