/* The program: everything it can do is a row of the command table in cli.c. */
#include "config/base/jemalloc_conf.h"
#include "pipeline/cli/cli.h"

int
main(int argc, char **argv)
{
	return weir_cli_main(argc, argv);
}
