/* Lines and lists of `weir card` and `weir pool`; see find.h. */
#include "pipeline/cli/find.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define PAGE 500u
#define NAME_WIDTH 14

void
weir_find_line(const char *name, const char *fmt, ...)
{
	va_list args;
	(void)printf("%-*s", NAME_WIDTH, name);
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	(void)putchar('\n');
}

void
weir_find_line_list(const char *name, const char *const *values, uint32_t count)
{
	if (count == 0)
		return;
	(void)printf("%-*s", NAME_WIDTH, name);
	for (uint32_t i = 0; i < count; i++)
		(void)printf("%s%s", i > 0 ? ", " : "", values[i]);
	(void)putchar('\n');
}

void
weir_find_list_begin(
    struct weir_find_list *list, const struct weir_column *columns, const char *spare, uint64_t max, bool as_json)
{
	*list = (struct weir_find_list){.max = max, .as_json = as_json};
	weir_table_init(&list->table, columns);
	weir_table_spare(&list->table, spare);
}

uint32_t
weir_find_list_room(const struct weir_find_list *list)
{
	return list->max - list->shown < PAGE ? (uint32_t)(list->max - list->shown) : PAGE;
}

bool
weir_find_list_goes_on(struct weir_find_list *list, uint32_t count, const char *next)
{
	list->shown += count;
	return next[0] != '\0' && list->shown < list->max && ferror(stdout) == 0;
}

int
weir_find_list_end(struct weir_find_list *list, const struct weir_reading *reading, enum weir_read answer, const char *next,
    const struct weir_error *err)
{
	weir_table_print(&list->table, stdout);
	weir_table_free(&list->table);
	weir_buf_free(&list->buf);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, err);
	if (next[0] != '\0' && !list->as_json)
		(void)fprintf(stderr, "the first %" PRIu64 "; --max N shows more\n", list->shown);
	return WEIR_EXIT_OK;
}
