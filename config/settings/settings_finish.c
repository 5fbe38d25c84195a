/* What only the whole can tell: inputs and the feeds they name, topics that collide, pairs of limits that contradict. */
#include <string.h>

#include "config/base/check.h"
#include "config/mapping/mapping.h"
#include "config/settings/settings_priv.h"

static const struct weir_mapping *
mapping_find(const struct weir_settings *settings, const char *name)
{
	for (uint32_t i = 0; i < settings->mapping_count; i++)
		if (strcmp(settings->mapping_names[i], name) == 0)
			return settings->mappings[i];
	return NULL;
}

static void
input_resolve(struct weir_settings_reader *reader, uint32_t index)
{
	struct weir_settings *settings = reader->settings;
	struct weir_input *input = &settings->inputs[index];
	if (strcmp(input->format, "canonical") == 0 || strcmp(input->format, "packed") == 0)
		return;
	input->mapping = mapping_find(settings, input->format);
	if (input->mapping != NULL)
		return;
	const char *near =
	    weir_nearest(input->format, (const char *const *)settings->mapping_names, settings->mapping_count);
	weir_mistake_add(&reader->mistakes, reader->input_lines[index],
	    "inputs: format '%.64s': unknown; must be canonical, packed or a name under feeds%s%s%s", input->format,
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

#define OWN_TOPICS 8
static const char *const OWN_NAMES = "topics.cards, dead, audit, partials, alerts, pool_hourly, pool_daily and card_daily";

static void
own_topics(const struct weir_settings *settings, const char *topics_out[OWN_TOPICS])
{
	const char *const topics[OWN_TOPICS] = {settings->topic_cards, settings->topic_dead, settings->topic_audit,
	    settings->topic_partials, settings->topic_alerts, settings->topic_pool_hourly, settings->topic_pool_daily,
	    settings->topic_card_daily};
	memcpy(topics_out, topics, sizeof(topics));
}

static void
input_check_topic(struct weir_settings_reader *reader, uint32_t index)
{
	const struct weir_settings *settings = reader->settings;
	const char *topic = settings->inputs[index].topic;
	const char *others[OWN_TOPICS];
	own_topics(settings, others);
	for (uint32_t i = 0; i < OWN_TOPICS; i++)
		if (strcmp(topic, others[i]) == 0)
			weir_mistake_add(&reader->mistakes, reader->input_lines[index],
			    "inputs: topic '%.100s' is also one of %s", topic, OWN_NAMES);
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(topic, settings->inputs[i].topic) == 0)
			weir_mistake_add(
			    &reader->mistakes, reader->input_lines[index], "inputs: topic '%.100s' given twice", topic);
	if (strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(topic))
		weir_mistake_add(&reader->mistakes, reader->input_lines[index],
		    "inputs: topic '%.100s': must be letters, digits, dots, underscores and hyphens", topic);
}

static void
finish_inputs(struct weir_settings_reader *reader)
{
	struct weir_settings *settings = reader->settings;
	if (settings->input_count == 0 && reader->mistakes.count == 0) {
		settings->inputs[0].topic = weir_strdup("weir.records");
		settings->inputs[0].format = weir_strdup("canonical");
		settings->input_count = 1;
	}
	const char *source = reader->mistakes.source;
	if (reader->input_source[0] != '\0')
		reader->mistakes.source = reader->input_source;
	for (uint32_t i = 0; i < settings->input_count; i++) {
		input_resolve(reader, i);
		input_check_topic(reader, i);
	}
	reader->mistakes.source = source;
}

static void
finish_carriers(struct weir_settings_reader *reader)
{
	for (uint32_t i = 0; i < reader->settings->carrier_count; i++) {
		const struct weir_carrier_settings *carrier = &reader->settings->carriers[i];
		if (carrier->retry_min_ms > carrier->retry_max_ms)
			weir_mistake_add(&reader->mistakes, 0, "carriers.%s: retry_min_ms above retry_max_ms", carrier->id);
		if (strcmp(carrier->adapter, "cisco") == 0 && carrier->url[0] == '\0')
			weir_mistake_add(
			    &reader->mistakes, 0, "carriers.%s.url: missing; adapter cisco needs it", carrier->id);
	}
}

void
weir_settings_finish(struct weir_settings_reader *reader)
{
	const struct weir_settings *settings = reader->settings;
	finish_inputs(reader);
	finish_carriers(reader);
	if (settings->dedupe_fresh_h > settings->dedupe_horizon_h)
		weir_mistake_add(&reader->mistakes, 0, "dedupe.fresh_h: above dedupe.horizon_h");
	if ((settings->api_tls_cert_file[0] == '\0') != (settings->api_tls_key_file[0] == '\0'))
		weir_mistake_add(&reader->mistakes, 0, "api.tls_cert_file and api.tls_key_file: both or none");
	const char *topics[OWN_TOPICS];
	own_topics(settings, topics);
	bool differ = true;
	for (uint32_t i = 0; i < OWN_TOPICS; i++)
		for (uint32_t j = 0; j < i; j++)
			differ &= topics[i][0] == '\0' || strcmp(topics[i], topics[j]) != 0; /* empty: no such feed */
	if (!differ)
		weir_mistake_add(&reader->mistakes, 0, "%s must differ", OWN_NAMES);
}
