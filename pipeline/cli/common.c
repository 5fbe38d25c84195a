/* Settings, signals and clocks for commands; see common.h. */
#include "pipeline/cli/common.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/cli/cli.h"

const char *
weir_common_path(const struct weir_common *common)
{
	static const char *const places[] = {"weir.yaml", "/etc/weir/weir.yaml"};
	if (common->config != NULL)
		return common->config;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			return places[i];
	return NULL;
}

uint32_t
weir_common_sets(const struct weir_common *common, struct weir_set *sets_out)
{
	for (uint32_t i = 0; i < common->sets.n; i++)
		sets_out[i].key_value = common->sets.v[i];
	return common->sets.n;
}

int
weir_common_load(const struct weir_common *common, const char *command, struct weir_settings **settings_out)
{
	struct weir_set sets[WEIR_WORDS_MAX];
	struct weir_error err = {0};
	uint32_t count = weir_common_sets(common, sets);
	if (weir_settings_load(weir_common_path(common), sets, count, settings_out, &err) == WEIR_OK)
		return WEIR_EXIT_OK;
	return weir_cli_fail(command, WEIR_EXIT_SETTINGS, &err);
}

static sigset_t
signal_set(void)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	return set;
}

void
weir_signal_block(void)
{
	sigset_t set = signal_set();
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
weir_signal_unblock(void)
{
	sigset_t set = signal_set();
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int
weir_signal_wait(uint64_t timeout_ms)
{
	sigset_t set = signal_set();
	struct timespec timeout = {(time_t)(timeout_ms / 1000), (long)(timeout_ms % 1000) * 1000000};
	int number = sigtimedwait(&set, NULL, &timeout);
	return number > 0 ? number : 0;
}

static int64_t
clock_read(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
weir_clock_us(void)
{
	return clock_read(CLOCK_REALTIME);
}

int64_t
weir_clock_steady_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}
