/* Blocked signals, taken with sigtimedwait; see signals.h. */
#include "config/base/signals.h"

#include <signal.h>
#include <time.h>

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
