/*
 * Writes the manual pages, weir(1) and weir.yaml(5), from the tables that the program itself goes by: commands and their
 * --help, settings. Run by the build; what it prints goes through man without a warning (tests/ops). Text that is not in a
 * table stands here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/base/check.h"
#include "config/settings/settings.h"
#include "pipeline/cli/cli.h"

/* Plain text as roff: nothing in it is a request or an escape, hyphens and quotes stay what they are in ASCII. */
static void
put_text(const char *text, size_t len)
{
	bool line_start = true;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (line_start && (c == '.' || c == '\''))
			(void)fputs("\\&", stdout);
		line_start = c == '\n';
		switch (c) {
		case '\\':
			(void)fputs("\\e", stdout);
			break;
		case '-':
			(void)fputs("\\-", stdout);
			break;
		case '\'':
			(void)fputs("\\(aq", stdout);
			break;
		case '`':
			(void)fputs("\\(ga", stdout);
			break;
		case '^':
			(void)fputs("\\(ha", stdout);
			break;
		case '~':
			(void)fputs("\\(ti", stdout);
			break;
		default:
			(void)fputc(c, stdout);
		}
	}
}

static void
put_escaped(const char *text)
{
	put_text(text, strlen(text));
}

/* Text of the tables between backquotes is a word to be typed: bold. */
static void
put_marked(const char *text)
{
	for (bool bold = false; *text != '\0'; bold = !bold) {
		size_t len = strcspn(text, "`");
		(void)fputs(bold ? "\\fB" : "", stdout);
		put_text(text, len);
		(void)fputs(bold ? "\\fR" : "", stdout);
		text += len + (text[len] == '`');
	}
	(void)fputc('\n', stdout);
}

static void
put_head(const char *name, const char *section)
{
	/* no date: two builds of one source give the same bytes */
	(void)printf(".TH %s %s \"\" \"weir %s\" \"weir\"\n.nh\n.ad l\n", name, section, WEIR_VERSION);
}

/* What a command says to --help: run in a child, as a command may hand over to another program (weir bench does). */
static void
help_child(const struct weir_command *command, int to)
{
	char name[32], help[] = "--help";
	(void)snprintf(name, sizeof(name), "%s", command->name);
	char *args[] = {name, help, NULL};
	WEIR_CHECK(dup2(to, STDOUT_FILENO) >= 0);
	int code = command->run(2, args);
	_exit(fflush(stdout) == 0 ? code : 1);
}

static char *
help_of(const struct weir_command *command)
{
	int to = memfd_create("help", 0), status;
	WEIR_CHECK(to >= 0);
	(void)fflush(stdout);
	pid_t child = fork();
	WEIR_CHECK(child >= 0);
	if (child == 0)
		help_child(command, to);
	WEIR_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	off_t len = lseek(to, 0, SEEK_END);
	char *text = weir_calloc((size_t)len + 1, 1);
	WEIR_CHECK(pread(to, text, (size_t)len, 0) == (ssize_t)len);
	(void)close(to);
	return text;
}

static void
put_command(const struct weir_command *command)
{
	char *help = help_of(command);
	(void)printf(".SS ");
	put_escaped(command->name);
	(void)printf("\n");
	put_escaped(command->help);
	(void)printf(".\n.PP\n.nf\n");
	put_escaped(help);
	(void)printf(".fi\n");
	free(help);
}

static void
page_weir(void)
{
	static const struct {
		const char *code, *text;
	} exits[] = {{"0", "Done."}, {"1", "Failed, not found, or not equal."}, {"2", "The command line is wrong."},
	    {"3", "Settings or reference data are wrong."}, {"4", "Kafka or Redis cannot be reached, or refuse."},
	    {"5", "The engine stopped by itself; its last line says why."}};
	put_head("WEIR", "1");
	(void)puts(".SH NAME\nweir \\- usage of every SIM card, exactly, and cut\\-offs in milliseconds\n"
		   ".SH SYNOPSIS\n.B weir\n.I COMMAND\n.RI [ ARGUMENTS ]\n"
		   ".SH DESCRIPTION\nReads the traffic records of SIM cards from Kafka, keeps in Redis what every card and "
		   "pool used in its\n"
		   "billing cycle, each record counted once, and has carriers cut cards off and bring them back.\n"
		   ".SH COMMANDS");
	for (const struct weir_command *command = weir_cli_commands(); command->name != NULL; command++)
		if (strcmp(command->name, "help") != 0)
			put_command(command);
	(void)puts(".SH EXIT STATUS");
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		(void)printf(".TP\n.B %s\n%s\n", exits[i].code, exits[i].text);
	(void)puts(".SH SIGNALS\n.B weir run\nends in order at SIGTERM and SIGINT: it flushes and lets go of its "
		   "partitions. After SIGKILL nothing is\n"
		   "lost: the next owner goes on from the stored position.\n"
		   ".SH ENVIRONMENT\n.TP\n.BR WEIR_ ...\nOne variable a setting, see\n.BR weir.yaml (5).\n"
		   ".TP\n.BR NOTIFY_SOCKET \", \" WATCHDOG_USEC\nSet by systemd: where\n.B weir run\nsays that it is ready "
		   "and that it lives.\n"
		   ".SH FILES\n.TP\n.I weir.yaml\nin the current directory, else\n.TP\n.I /etc/weir/weir.yaml\nSettings, "
		   "when no\n.B \\-\\-config\nis given.\n"
		   ".SH SEE ALSO\n.BR weir.yaml (5).\n.br\nOperations, formats and metrics:\n.I /usr/share/doc/weir");
}

/* ---- weir.yaml(5) ---- */

static void
put_setting(void *ctx, const struct weir_setting_words *words)
{
	bool *in_carriers = ctx;
	if (words->of_carrier && !*in_carriers)
		(void)printf(".SH CARRIERS\nMembers of\n.BI carriers. id\\fR;\nthe id\n.B default\nserves carriers that "
			     "are not named.\n");
	*in_carriers = words->of_carrier;
	(void)printf(".TP\n.B ");
	put_escaped(words->name);
	(void)printf("\n");
	put_marked(words->text);
	(void)printf(".br\n");
	put_escaped(words->type);
	if (words->range[0] != '\0') {
		(void)printf(", ");
		put_escaped(words->range);
	}
	if (words->default_text[0] != '\0') {
		(void)printf("; default ");
		put_escaped(words->default_text);
	}
	(void)printf("\n");
}

static void
page_settings(void)
{
	bool in_carriers = false;
	put_head("WEIR.YAML", "5");
	(void)puts(".SH NAME\nweir.yaml \\- settings of weir\n"
		   ".SH DESCRIPTION\nOne YAML file, then environment variables, then\n.BR \\-\\-set ;\nthe later wins. "
		   "Everything has a default. Keys are\n"
		   "written nested\n.RB ( \"kafka: {brokers: a}\" )\nor with dots\n.RB ( \"kafka.brokers: a\" ).\nThe "
		   "variable of\n.B kafka.brokers\nis\n.BR WEIR_KAFKA_BROKERS .\n"
		   "Sizes in bytes may end in KiB, MiB or GiB.\n.B weir check\nnames every mistake with its line;\n.B weir "
		   "check \\-\\-effective\nprints what holds.\n"
		   ".SH SETTINGS");
	weir_settings_each(put_setting, &in_carriers);
	(void)puts(".SH SECTIONS\n.TP\n.B inputs\nList of 1 to 8\n.BR \"{topic, format}\" ;\nformat canonical, packed, or "
		   "a name under feeds.\n"
		   ".TP\n.B feeds\nMap from a name to where the fields of a record lie in a producer\\(aqs JSON.\n"
		   ".TP\n.B carriers\nMap from a carrier\\(aqs id to the members above.\n"
		   ".TP\n.B kafka.properties\nMap of librdkafka properties, passed on as they are; a name that ends in "
		   "_file names a file with the value.\n"
		   ".SH SECRETS\nA secret is given as a file, of which the first line counts, or in the environment:\n.B "
		   "WEIR_REDIS_PASSWORD\nand\n"
		   ".BI WEIR_CARRIER_ ID _API_KEY\\fR.\nPrinted settings and logs never show one.\n"
		   ".SH EXAMPLE\n.nf\nkafka: {brokers: \"kafka\\-1:9092,kafka\\-2:9092\", group: weir}\nredis:\n"
		   "  url: redis://redis\\-1:6379\n  password_file: "
		   "/run/credentials/weir.service/redis_password\ncarriers:\n  default: {adapter: log}\n.fi\n"
		   ".SH FILES\n.I /etc/weir/weir.yaml\n.br\n.I /usr/share/doc/weir/examples/weir.yaml\n.SH SEE ALSO\n.BR "
		   "weir (1).\n.br\n"
		   ".I /usr/share/doc/weir/configuration.md");
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "weir.1") == 0)
		page_weir();
	else if (argc == 2 && strcmp(argv[1], "weir.yaml.5") == 0)
		page_settings();
	else
		return 2;
	return fflush(stdout) == 0 ? 0 : 1;
}
