/* Collecting mistakes; see mistakes.h. Control characters of the input never reach the text: it is one line. */
#include "config/base/mistakes.h"

static void
text_make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void
weir_mistake_add(struct weir_mistakes *mistakes, uint32_t line, const char *fmt, ...)
{
	struct weir_error one = {.class = WEIR_POISON};
	int used = line > 0 ? snprintf(one.text, sizeof(one.text), "%.200s:%u: ", mistakes->source, line)
			    : snprintf(one.text, sizeof(one.text), "%.200s: ", mistakes->source);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(one.text + used, sizeof(one.text) - (size_t)used, fmt, args);
	va_end(args);
	text_make_printable(one.text);
	if (mistakes->count++ == 0 && mistakes->err != NULL)
		*mistakes->err = one;
	if (mistakes->out != NULL)
		(void)fprintf(mistakes->out, "%s\n", one.text);
}
