/* Names that no setting has: a mistake that names the nearest one that is. */
#include <string.h>

#include "config/base/nearest.h"
#include "config/settings/settings_priv.h"

#define CANDIDATES_MAX (WEIR_SETTINGS_MAX + 16) /* sections too */

void
weir_settings_unknown(struct weir_settings_reader *reader, uint32_t line, const char *prefix, const char *name,
    const struct weir_setting *rows, uint32_t count, const char *const *sections)
{
	const char *words[CANDIDATES_MAX];
	uint32_t word_count = 0;
	const char *near = NULL;
	for (uint32_t i = 0; i < count; i++) {
		const char *dot = strrchr(rows[i].name, '.');
		if (dot != NULL && strcmp(dot + 1, name) == 0)
			near = rows[i].name; /* right word, section forgotten */
		words[word_count++] = rows[i].name;
	}
	for (; sections != NULL && *sections != NULL; sections++)
		words[word_count++] = *sections;
	if (near == NULL)
		near = weir_nearest(name, words, word_count);
	weir_mistake_add(&reader->mistakes, line, "%.100s%.100s: unknown key%s%s%s", prefix, name,
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}
