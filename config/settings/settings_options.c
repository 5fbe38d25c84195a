/* Which settings file a command reads, and its --set values; see settings_options.h. */
#include "config/settings/settings_options.h"

#include <unistd.h>

#include "config/base/exit.h"

const char *
weir_settings_options_path(const struct weir_settings_options *options)
{
	static const char *const places[] = {"weir.yaml", "/etc/weir/weir.yaml"};
	if (options->config != NULL)
		return options->config;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	return NULL;
}

uint32_t
weir_settings_options_sets(const struct weir_settings_options *options, struct weir_set *sets_out)
{
	for (uint32_t i = 0; i < options->sets.n; i++)
		sets_out[i].key_value = options->sets.v[i];
	return options->sets.n;
}

int
weir_settings_options_load(
    const struct weir_settings_options *options, const char *command, struct weir_settings **settings_out)
{
	struct weir_set sets[WEIR_WORDS_MAX];
	struct weir_error err = {0};
	uint32_t count = weir_settings_options_sets(options, sets);
	if (weir_settings_load(weir_settings_options_path(options), sets, count, settings_out, &err) == WEIR_OK)
		return WEIR_EXIT_OK;
	return weir_exit_fail(command, WEIR_EXIT_SETTINGS, &err);
}
