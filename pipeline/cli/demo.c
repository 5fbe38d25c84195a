/* `weir demo`: its options; the demo itself is in pipeline/demo. */
#include "pipeline/demo/demo.h"

#include <unistd.h>

#include "config/base/options.h"
#include "pipeline/cli/cli.h"

static const struct weir_usage usage = {
    .command = "demo",
    .arguments = "[--for 20s] [--json]",
    .text =
	"Everything at once on this machine, with nothing set up before: a broker inside the process, a private\n"
	"redis-server, a carrier's API, a fleet of cards, and traffic in three formats with duplicates, late and\n"
	"reordered records. At the end every card's counters in Redis are compared with sums that the traffic's\n"
	"generator kept for itself, and the carrier's cards with what each should be. Exit code 1 when anything differs.\n"
	"Without --for it runs until Ctrl-C. The last line is a JSON object with --json.\n",
};

int
weir_cli_demo(int argc, char **argv)
{
	uint64_t for_ms = 0, rate = 20000, cards = 4000, seed = 1;
	bool json = false;
	const struct weir_option options[] = {{.name = "for",
						  .placeholder = "TIME",
						  .help = "generate traffic for this long, then check and end",
						  .duration_ms = &for_ms},
	    {.name = "json", .help = "no screen; the last line is a JSON object", .flag = &json},
	    {.name = "rate",
		.placeholder = "N",
		.help = "records a second, default 20000",
		.number = &rate,
		.min = 10,
		.max = 200000},
	    {.name = "cards",
		.placeholder = "N",
		.help = "cards of the fleet, default 4000",
		.number = &cards,
		.min = 100,
		.max = 200000},
	    {.name = "seed", .placeholder = "N", .help = "traffic's seed, default 1", .number = &seed}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	const struct weir_demo_opts opts = {
	    .for_ms = for_ms,
	    .rate = (uint32_t)rate,
	    .cards = (uint32_t)cards,
	    .seed = seed,
	    .json = json,
	    .screen = !json && isatty(STDOUT_FILENO) == 1,
	};
	return weir_demo_run(&opts);
}
