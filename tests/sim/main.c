/* weir_sim: runs seeds; see docs/simulator.md. */
#include "tests/sim/sim.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "config/base/clock.h"

/* True when the seed holds. */
static bool
run_seed(struct sim *sim, uint64_t seed, const struct sim_options *options)
{
	sim_init(sim, seed, options);
	bool holds = setjmp(sim->failed) == 0;
	if (holds)
		sim_run(sim);
	else
		(void)printf(
		    "seed %llu, step %llu: %s\n", (unsigned long long)seed, (unsigned long long)sim->steps, sim->failure);
	return holds;
}

struct args {
	struct sim_options options;
	uint64_t from, seeds;
	bool keep_going, examples;
};

static bool
parse(struct args *args, int argc, char **argv)
{
	*args = (struct args){.from = 1, .seeds = 1000};
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "--trace") == 0)
			args->options.trace = true;
		else if (strcmp(argv[i], "--keep-going") == 0)
			args->keep_going = true;
		else if (strcmp(argv[i], "--examples") == 0)
			args->examples = true;
		else if (strcmp(argv[i], "--strict") == 0)
			args->options.strict = true;
		else if (strcmp(argv[i], "--cards-only") == 0)
			args->options.cards_only = true;
		else if (strcmp(argv[i], "--seeds") == 0 && more)
			args->seeds = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--from") == 0 && more)
			args->from = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && more) {
			args->from = strtoull(argv[++i], NULL, 10);
			args->seeds = 1;
		} else
			return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	struct args args;
	if (!parse(&args, argc, argv)) {
		(void)fprintf(stderr, "weir_sim [--from SEED] [--seeds N] [--keep-going] [--cards-only] [--strict] | "
				      "--seed SEED [--trace] | --examples\n");
		return 2;
	}
	/* Slabs come in chunks of 2 MiB of which a seed touches a page or two. */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	struct sim *sim = weir_calloc(1, sizeof(*sim));
	if (args.examples) {
		bool hold = sim_examples(sim, &args.options);
		free(sim);
		return hold ? 0 : 1;
	}
	uint64_t failed = 0, hash = 0, steps = 0;
	struct weir_steady began = weir_steady_now();
	for (uint64_t i = 0; i < args.seeds && (failed == 0 || args.keep_going); i++) {
		uint64_t seed = args.from + i;
		if (!run_seed(sim, seed, &args.options)) {
			failed++;
			(void)printf("replay: %s --seed %llu --trace\n", argv[0], (unsigned long long)seed);
		}
		hash = (hash ^ sim->hash) * 0x9e3779b97f4a7c15u;
		steps += sim->steps;
		sim_free(sim);
	}
	double took = (double)weir_steady_since_us(began) / 1e6;
	(void)printf("%llu seeds from %llu: %llu failed; %llu steps in %.1f s, %.2f ms a seed; hash %016llx\n",
	    (unsigned long long)args.seeds, (unsigned long long)args.from, (unsigned long long)failed,
	    (unsigned long long)steps, took, took * 1000 / (double)args.seeds, (unsigned long long)hash);
	free(sim);
	return failed == 0 ? 0 : 1;
}
