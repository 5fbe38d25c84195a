/* `weir bench report`: results that were kept with --json, as text or as one page. */
#include "bench/bench.h"
#include "bench/report.h"
#include "config/base/exit.h"

int
bench_report(int argc, char **argv)
{
	const char *html = NULL;
	const struct weir_option options[] = {
	    {.name = "html", .placeholder = "FILE", .help = "write a page with charts instead of text", .text = &html},
	    {0}};
	struct weir_words words;
	struct weir_error err;
	int code;
	if (!bench_accept("report",
		"Reads results that were printed with --json (lines that are none are skipped) and shows them as text, or\n"
		"writes one HTML page of all of them, which needs nothing beside itself.\n",
		options, argc, argv, 1, WEIR_WORDS_MAX, &words, &code))
		return code;
	json_t *results = json_array(), *result;
	size_t i;
	code = WEIR_EXIT_OK;
	for (uint32_t k = 0; k < words.n && code == WEIR_EXIT_OK; k++)
		if (report_read(words.v[k], results, &err) != WEIR_OK)
			code = bench_fail("report", WEIR_EXIT_FAILED, &err);
	if (code == WEIR_EXIT_OK && html != NULL && report_html(results, html, &err) != WEIR_OK)
		code = bench_fail("report", WEIR_EXIT_FAILED, &err);
	if (code == WEIR_EXIT_OK && html == NULL)
		json_array_foreach(results, i, result)
		{
			(void)fputs(i > 0 ? "\n" : "", stdout);
			report_print(result, stdout);
		}
	json_decref(results);
	return code;
}
