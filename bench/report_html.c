/*
 * One self-contained page of results: no script, no font, no request. Light or dark as the reader's system is; prints well.
 */
#include <errno.h>
#include <string.h>

#include "bench/report.h"
#include "bench/report_priv.h"

enum { FIGURES_OPEN = 24 }; /* more are folded away */

static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>"
    "<title>weir bench</title><style>"
    ":root{--bg:#f7f8fa;--card:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe3e9;--grid:#e8ebf0;"
    "--c0:#2563eb;--c1:#d97706;--c2:#059669;--c3:#db2777;--c4:#7c3aed;--c5:#0891b2;--c6:#65a30d;--c7:#b91c1c;color-scheme:"
    "light}"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2028;--ink:#e6eaf0;--soft:#9aa6b5;--line:#2c3541;"
    "--grid:#262e39;--c0:#6ea8fe;--c1:#fbbf24;--c2:#34d399;--c3:#f472b6;--c4:#a78bfa;--c5:#22d3ee;--c6:#a3e635;--c7:#"
    "f87171;"
    "color-scheme:dark}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}h1{font-size:22px;margin:0 0 "
    "4px}h2{font-size:19px;margin:0 0 2px}"
    "h3{font-size:15px;margin:22px 0 6px}p{margin:6px 0}.soft{color:var(--soft)}nav a{margin-right:14px;color:var(--c0)}"
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:20px}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:10px 0;font-size:13px}dt{color:var(--soft)}"
    "dd{margin:0;overflow-wrap:anywhere}dd span{white-space:nowrap;display:inline-block;margin-right:14px}"
    "dd b{font-weight:400;color:var(--soft);margin-right:5px}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;min-width:50%}"
    "th,td{padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:500}.n{text-align:right}tbody tr:last-child td{border-bottom:0}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:18px;margin-top:16px;"
    "align-items:start}"
    "figure{margin:0;max-width:700px;border:1px solid "
    "var(--line);border-radius:8px;padding:12px}figcaption{font-weight:600;font-size:14px}"
    "svg{display:block;width:100%;height:auto;margin-top:6px}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}"
    "svg text.name{fill:var(--ink)}.grid{stroke:var(--grid)}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".legend{font-size:12px;color:var(--soft);display:flex;flex-wrap:wrap;gap:2px 14px;margin-top:4px}"
    ".key{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px}"
    "summary{cursor:pointer;font-weight:600;margin:22px 0 6px}@media print{section{break-inside:avoid}}";

static void
put_scalar(FILE *out, const json_t *value)
{
	char text[32] = "";
	if (json_is_string(value)) {
		report_html_text(out, json_string_value(value));
		return;
	}
	if (json_is_boolean(value))
		(void)snprintf(text, sizeof(text), "%s", json_is_true(value) ? "yes" : "no");
	else
		report_number(json_number_value(value), text);
	(void)fputs(text, out);
}

static void
put_members(FILE *out, const json_t *result, const char *name)
{
	const char *key;
	json_t *value, *object = json_object_get(result, name);
	(void)fprintf(out, "<dt>%s<dd>", name);
	json_object_foreach(object, key, value)
	{
		if (json_is_string(value) && json_string_length(value) == 0)
			continue;
		(void)fputs("<span><b>", out);
		report_html_text(out, key);
		(void)fputs("</b>", out);
		put_scalar(out, value);
		(void)fputs("</span> ", out);
	}
}

static void
put_figures(FILE *out, const json_t *figures)
{
	static const char *const columns[] = {"median", "min", "max"};
	json_t *figure;
	size_t i;
	if (json_array_size(figures) == 0)
		return;
	(void)fprintf(
	    out, "<details%s><summary>All figures</summary>", json_array_size(figures) <= FIGURES_OPEN ? " open" : "");
	(void)fputs("<div class=scroll><table><thead><tr><th>figure<th class=n>median<th class=n>min<th "
		    "class=n>max<th>unit<tbody>",
	    out);
	json_array_foreach(figures, i, figure)
	{
		bool one = json_integer_value(json_object_get(figure, "samples")) == 1;
		(void)fputs("<tr><td>", out);
		report_html_text(out, report_text_of(figure, "name"));
		for (size_t k = 0; k < 3; k++) {
			(void)fputs("<td class=n>", out);
			if (k == 0 || !one)
				put_scalar(out, json_object_get(figure, columns[k]));
		}
		(void)fputs("<td>", out);
		report_html_text(out, report_text_of(figure, "unit"));
	}
	(void)fputs("</table></div></details>", out);
}

static void
put_table(FILE *out, const json_t *table)
{
	json_t *row, *cell, *first = json_array_get(json_object_get(table, "rows"), 0);
	size_t i, k;
	(void)fputs("<h3>", out);
	report_html_text(out, report_text_of(table, "title"));
	(void)fputs("</h3><div class=scroll><table><thead><tr>", out);
	json_array_foreach(json_object_get(table, "columns"), k, cell)
	{
		(void)fprintf(out, "<th%s>", json_is_number(json_array_get(first, k)) ? " class=n" : "");
		put_scalar(out, cell);
	}
	(void)fputs("<tbody>", out);
	json_array_foreach(json_object_get(table, "rows"), i, row)
	{
		(void)fputs("<tr>", out);
		json_array_foreach(row, k, cell)
		{
			(void)fprintf(out, "<td%s>", json_is_number(cell) ? " class=n" : "");
			put_scalar(out, cell);
		}
	}
	(void)fputs("</table></div>", out);
}

static void
put_result(FILE *out, const json_t *result, size_t number)
{
	json_t *item;
	size_t i;
	(void)fprintf(out, "<section id=r%zu><h2>", number);
	report_html_text(out, report_text_of(result, "bench"));
	(void)fputs("</h2><p class=soft>", out);
	report_html_text(out, report_text_of(result, "at"));
	(void)fprintf(
	    out, ", seed %" JSON_INTEGER_FORMAT ", result hash ", json_integer_value(json_object_get(result, "seed")));
	report_html_text(out, report_text_of(result, "hash"));
	(void)fputs("</p>", out);
	json_array_foreach(json_object_get(result, "notes"), i, item)
	{
		(void)fputs("<p>", out);
		put_scalar(out, item);
		(void)fputs("</p>", out);
	}
	(void)fputs("<div class=charts>", out);
	json_array_foreach(json_object_get(result, "charts"), i, item) report_svg(out, item);
	(void)fputs("</div>", out);
	json_array_foreach(json_object_get(result, "tables"), i, item) put_table(out, item);
	put_figures(out, json_object_get(result, "figures"));
	(void)fputs("<h3>What ran, and where</h3><dl>", out);
	put_members(out, result, "config");
	put_members(out, result, "machine");
	put_members(out, result, "versions");
	(void)fputs("</dl></section>", out);
}

static void
put_page(FILE *out, const json_t *results)
{
	json_t *result;
	size_t i;
	(void)fputs(head, out);
	for (unsigned c = 0; c < REPORT_COLOURS; c++)
		(void)fprintf(out,
		    ".line.c%u{stroke:var(--c%u)}.dot.c%u,.bar.c%u{fill:var(--c%u)}.key.c%u{background:var(--c%u)}", c, c,
		    c, c, c, c, c);
	(void)fputs("</style><main><h1>weir bench</h1>", out);
	if (json_array_size(results) > 1) {
		(void)fputs("<nav>", out);
		json_array_foreach(results, i, result)
		{
			(void)fprintf(out, "<a href='#r%zu'>", i);
			report_html_text(out, report_text_of(result, "bench"));
			(void)fputs("</a>", out);
		}
		(void)fputs("</nav>", out);
	}
	json_array_foreach(results, i, result) put_result(out, result, i);
	(void)fputs("</main></html>\n", out);
}

enum weir_class
report_html(const json_t *results, const char *path, struct weir_error *err)
{
	FILE *out = fopen(path, "we");
	if (out == NULL)
		return weir_error_set(err, WEIR_FATAL, "%s: %s", path, strerror(errno));
	put_page(out, results);
	bool bad = ferror(out) != 0;
	if (fclose(out) != 0 || bad)
		return weir_error_set(err, WEIR_FATAL, "%s: could not be written whole", path);
	return WEIR_OK;
}
