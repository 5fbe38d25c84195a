/* Effective values as YAML that loads again (but for secrets, which are masked), and the table as Markdown. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/mapping/mapping.h"
#include "config/settings/settings_priv.h"
#include "config/yaml/document.h"

#define MASK "***"

/* A URL without the password it may hold: scheme://user:***@host. */
static void
print_url(const char *url, FILE *out)
{
	const char *begin = strstr(url, "://");
	const char *at = begin == NULL ? NULL : strrchr(begin, '@');
	const char *colon = at == NULL ? NULL : memchr(begin + 3, ':', (size_t)(at - begin - 3));
	if (colon == NULL) {
		weir_yaml_print_text(url, out);
		return;
	}
	struct weir_buf buf = {0};
	weir_buf_printf(&buf, "%.*s:" MASK "%s", (int)(colon - url), url, at);
	weir_yaml_print_text((const char *)buf.data, out);
	weir_buf_free(&buf);
}

static void
print_row(const struct weir_setting *row, const unsigned char *base, FILE *out)
{
	const unsigned char *field = base + row->offset;
	if (row->type == WEIR_SETTING_SECRET_FILE || (row->secret && (*(char *const *)field)[0] == '\0'))
		return;
	(void)fprintf(out, "%s: ", row->name);
	if (row->secret)
		(void)fputs("\"" MASK "\"", out);
	else if (row->type == WEIR_SETTING_TEXT)
		print_url(*(char *const *)field, out);
	else if (row->type == WEIR_SETTING_BOOL)
		(void)fputs(*(const bool *)field ? "true" : "false", out);
	else if (row->type == WEIR_SETTING_U32)
		(void)fprintf(out, "%" PRIu32, *(const uint32_t *)field);
	else
		(void)fprintf(out, "%" PRIu64, *(const uint64_t *)field);
	(void)fputc('\n', out);
}

static void
print_inputs(const struct weir_settings *settings, FILE *out)
{
	(void)fputs("inputs:\n", out);
	for (uint32_t i = 0; i < settings->input_count; i++) {
		(void)fputs("  - {topic: ", out);
		weir_yaml_print_text(settings->inputs[i].topic, out);
		(void)fputs(", format: ", out);
		weir_yaml_print_text(settings->inputs[i].format, out);
		(void)fputs("}\n", out);
	}
}

static void
print_carriers(const struct weir_settings *settings, FILE *out)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_carrier_table(&count);
	(void)fputs(settings->carrier_count > 0 ? "carriers:\n" : "", out);
	for (uint32_t i = 0; i < settings->carrier_count; i++) {
		(void)fputs("  ", out);
		weir_yaml_print_text(settings->carriers[i].id, out);
		(void)fputs(":\n", out);
		for (uint32_t j = 0; j < count; j++) {
			bool shown = rows[j].type != WEIR_SETTING_SECRET_FILE &&
				     !(rows[j].secret && settings->carriers[i].api_key[0] == '\0');
			(void)fputs(shown ? "    " : "", out);
			print_row(&rows[j], (const unsigned char *)&settings->carriers[i], out);
		}
	}
}

static void
print_properties(const struct weir_settings *settings, FILE *out)
{
	(void)fputs(settings->kafka_property_count > 0 ? "kafka.properties:\n" : "", out);
	for (uint32_t i = 0; i < settings->kafka_property_count; i++) {
		const struct weir_property *property = &settings->kafka_properties[i];
		(void)fputs("  ", out);
		weir_yaml_print_text(property->name, out);
		(void)fputs(": ", out);
		weir_yaml_print_text(weir_settings_property_is_secret(property->name) ? MASK : property->value, out);
		(void)fputc('\n', out);
	}
}

void
weir_settings_print(const struct weir_settings *settings, FILE *out)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	for (uint32_t i = 0; i < count; i++)
		print_row(&rows[i], (const unsigned char *)settings, out);
	print_properties(settings, out);
	print_inputs(settings, out);
	print_carriers(settings, out);
	(void)fputs(settings->mapping_count > 0 ? "feeds:\n" : "", out);
	for (uint32_t i = 0; i < settings->mapping_count; i++) {
		(void)fprintf(out, "  %s:\n", settings->mapping_names[i]);
		weir_mapping_print(settings->mappings[i], 4, out);
	}
}

static void
each_row(const struct weir_setting *rows, uint32_t count, bool of_carrier, weir_setting_words_fn fn, void *ctx)
{
	static const char *const types[] = {"text", "integer", "integer", "true/false", "file"};
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_setting *row = &rows[i];
		struct weir_setting_words words = {.of_carrier = of_carrier,
		    .name = row->name,
		    .type = row->secret ? "secret" : types[row->type],
		    .default_text = row->default_text,
		    .text = row->text};
		if (row->type == WEIR_SETTING_U32 || row->type == WEIR_SETTING_U64)
			(void)snprintf(words.range, sizeof(words.range), "%" PRIu64 "-%" PRIu64 "%s%s", row->min, row->max,
			    row->unit[0] ? " " : "", row->unit);
		fn(ctx, &words);
	}
}

void
weir_settings_each(weir_setting_words_fn fn, void *ctx)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	each_row(rows, count, false, fn, ctx);
	rows = weir_settings_carrier_table(&count);
	each_row(rows, count, true, fn, ctx);
}

struct table_printer {
	FILE *out;
	bool begun, carriers;
};

static void
print_title(FILE *out, const char *title)
{
	(void)fprintf(out, "## %s\n\n", title);
}

static void
print_words(void *ctx, const struct weir_setting_words *words)
{
	struct table_printer *printer = ctx;
	FILE *out = printer->out;
	if (!printer->begun)
		print_title(out, "Settings");
	if (words->of_carrier && !printer->carriers) {
		(void)fputc('\n', out);
		print_title(out, "Members of `carriers.<id>`");
	}
	printer->begun = true;
	printer->carriers = words->of_carrier;
	(void)fprintf(out, "- `%s` (%s%s%s", words->name, words->type, words->range[0] != '\0' ? ", " : "", words->range);
	if (words->default_text[0] != '\0')
		(void)fprintf(out, ", default `%s`", words->default_text);
	(void)fprintf(out, "):\n  %s\n", words->text);
}

void
weir_settings_print_table(FILE *out)
{
	struct table_printer printer = {.out = out};
	weir_settings_each(print_words, &printer);
}
