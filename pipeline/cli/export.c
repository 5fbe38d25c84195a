/*
 * `weir export`: cards as CSV, page by page as they are read, to stdout or a file. A file is written under a name of its
 * own and moved into place when it is whole, so that nobody takes a half one for an export.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/exit.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/query/csv.h"

#define PAGE 1000u

static const struct weir_usage usage = {
    .command = "export",
    .arguments = "",
    .text = "Writes cards as CSV: chosen columns of the cards that match all filters, and with --usage a column for each "
	    "day or\n"
	    "cycle. Days are dates of each card's carrier (2026-11-01), cycles the months that name them (2026-11).\n"
	    "Cards that come or change while it runs may be missed. Amounts are bytes, times UTC.\n",
};

struct export
{
	struct weir_csv csv;
	struct weir_card_query query;
	const char *path; /* NULL = stdout */
	char *part;       /* where it is written meanwhile */
	FILE *out;
	bool progress;
	uint64_t cards;
};

static bool
out_open(struct export *export, struct weir_error *err)
{
	export->out = stdout;
	if (export->path == NULL)
		return true;
	size_t len = strlen(export->path) + 16;
	export->part = weir_calloc(1, len);
	(void)snprintf(export->part, len, "%s.XXXXXX", export->path);
	int fd = mkstemp(export->part);
	export->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (export->out != NULL)
		return true;
	(void)weir_error_set(err, WEIR_FATAL, "%s: %s", export->path, strerror(errno));
	return false;
}

/* 0600 of a temporary file is not what a shell's redirection gives. */
static void
mode_as_usual(FILE *file)
{
	mode_t mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fileno(file), 0666 & ~mask);
}

static int
out_close(struct export *export, int code)
{
	struct weir_error err = {0};
	if (export->path == NULL) {
		if (code == WEIR_EXIT_OK && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
			(void)weir_error_set(&err, WEIR_FATAL, "stdout: %s", strerror(errno));
			code = weir_exit_fail("export", WEIR_EXIT_FAILED, &err);
		}
		return code;
	}
	if (export->out != NULL) {
		bool bad = fflush(export->out) != 0 || ferror(export->out) != 0;
		mode_as_usual(export->out);
		bad |= fclose(export->out) != 0;
		if (code == WEIR_EXIT_OK && (bad || rename(export->part, export->path) != 0)) {
			(void)weir_error_set(&err, WEIR_FATAL, "%s: %s", export->path, strerror(errno));
			code = weir_exit_fail("export", WEIR_EXIT_FAILED, &err);
		}
		if (code != WEIR_EXIT_OK)
			(void)unlink(export->part);
	}
	free(export->part);
	return code;
}

static void
show_progress(const struct export *export, const struct weir_card_page *page, uint64_t *examined)
{
	*examined += page->examined;
	if (export->progress)
		(void)fprintf(stderr, "\r%" PRIu64 " cards of %" PRIu64 " looked at", export->cards, *examined);
}

static int
export_run(struct weir_reading *reading, struct export *export)
{
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	struct weir_buf buf = {0};
	uint64_t examined = 0;
	enum weir_read answer;
	weir_csv_header(&export->csv, &buf);
	do {
		answer = weir_read_search(reading->reader, &export->query, page.next, PAGE, &page, &err);
		if (answer == WEIR_READ_OK)
			answer = weir_csv_rows(reading->reader, &export->csv, &page, &buf, &err);
		if (answer != WEIR_READ_OK)
			break;
		(void)fwrite(buf.data, 1, buf.len, export->out);
		buf.len = 0;
		export->cards += page.count;
		show_progress(export, &page, &examined);
	} while (page.next[0] != '\0' && ferror(export->out) == 0);
	weir_buf_free(&buf);
	if (export->progress)
		(void)fputc('\n', stderr);
	return answer == WEIR_READ_OK ? WEIR_EXIT_OK : weir_reading_fail(reading, answer, &err);
}

static int
list_fields(void)
{
	const char *name;
	for (uint32_t i = 0; (name = weir_csv_field_name(i)) != NULL; i++)
		(void)puts(name);
	return WEIR_EXIT_OK;
}

int
weir_cli_export(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct weir_filters filters = {0};
	struct export export = {0};
	const char *fields = NULL, *by = NULL, *usage_fields = NULL, *from = NULL, *to = NULL;
	bool list = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common), WEIR_OPTIONS_FILTERS(filters),
	    {.name = "fields",
		.placeholder = "A,B,C",
		.help = "columns, in order; --list-fields names them",
		.text = &fields},
	    {.name = "list-fields", .help = "print the names of all columns", .flag = &list},
	    {.name = "usage", .placeholder = "WORD", .help = "columns of usage: day or cycle", .text = &by},
	    {.name = "usage-fields",
		.placeholder = "A,B",
		.help = "of each window: used_bytes (the default), up_bytes, "
			"down_bytes, records, sessions",
		.text = &usage_fields},
	    {.name = "from",
		.placeholder = "DAY",
		.help = "first day (2026-11-01) or cycle (2026-11) of usage",
		.text = &from},
	    {.name = "to", .placeholder = "DAY", .help = "last one, itself included", .text = &to},
	    {.name = "output", .placeholder = "FILE", .help = "write to this file instead of stdout", .text = &export.path},
	    {.name = "progress", .help = "say on stderr how far it is", .flag = &export.progress}, {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (list)
		return list_fields();
	if (by == NULL && (from != NULL || to != NULL || usage_fields != NULL))
		(void)weir_error_set(
		    &err, WEIR_POISON, "--from, --to and --usage-fields need --usage day or --usage cycle");
	else if (weir_filters_query(&filters, &export.query, &err) &&
		 weir_csv_fields(&export.csv, fields, &err) == WEIR_READ_OK && by != NULL)
		(void)weir_csv_usage(&export.csv, by, from, to, usage_fields, weir_wall_now().us, &err);
	if (err.class != WEIR_OK)
		return weir_exit_fail("export", WEIR_EXIT_USAGE, &err);
	struct weir_reading reading;
	code = weir_reading_open(&reading, "export", &common);
	if (code == WEIR_EXIT_OK && !out_open(&export, &err))
		code = weir_exit_fail("export", WEIR_EXIT_FAILED, &err);
	if (code == WEIR_EXIT_OK)
		code = export_run(&reading, &export);
	code = out_close(&export, code);
	weir_reading_close(&reading);
	return code;
}
