/* How a lane waits: on its bell, and on the source's own input between two rounds. */
#include <poll.h>
#include <unistd.h>

#include "pipeline/engine/lane_priv.h"

static void
wait_on(struct weir_lane *lane, int source_fd, int64_t timeout_us)
{
	struct pollfd fds[2] = {{.fd = lane->bell_fd, .events = POLLIN}, {.fd = source_fd, .events = POLLIN}};
	lane_heartbeat(lane);
	int timeout_ms = timeout_us <= 0 ? 0 : (int)((timeout_us + 999) / 1000);
	if (poll(fds, 2, timeout_ms) > 0 && fds[0].revents != 0) {
		uint64_t rings;
		(void)!read(lane->bell_fd, &rings, sizeof(rings));
	}
	(void)lane_store_answers(lane);
}

void
lane_wait(struct weir_lane *lane, int64_t timeout_us)
{
	wait_on(lane, -1, timeout_us); /* nobody would take what the source has */
}

void
lane_rest(struct weir_lane *lane, int64_t timeout_us)
{
	wait_on(lane, lane->source_fd, timeout_us);
}
