/* What the reading commands share; see reading.h. */
#include "pipeline/cli/reading.h"

#include <stdio.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/base/nearest.h"
#include "pipeline/cli/cli.h"

int
weir_reading_open(struct weir_reading *reading, const char *command, const struct weir_settings_options *common)
{
	*reading = (struct weir_reading){.command = command};
	int code = weir_settings_options_load(common, command, &reading->settings);
	if (code == WEIR_EXIT_OK)
		reading->reader = weir_reader_new(&(struct weir_reader_opts){.settings = reading->settings});
	return code;
}

void
weir_reading_close(struct weir_reading *reading)
{
	weir_reader_free(reading->reader);
	if (reading->settings != NULL)
		weir_settings_free(reading->settings);
	*reading = (struct weir_reading){0};
}

int
weir_reading_fail(const struct weir_reading *reading, enum weir_read answer, const struct weir_error *err)
{
	static const enum weir_exit codes[] = {
	    WEIR_EXIT_OK, WEIR_EXIT_FAILED, WEIR_EXIT_USAGE, WEIR_EXIT_UNREACHABLE, WEIR_EXIT_UNREACHABLE};
	return weir_exit_fail(reading->command, codes[answer], err);
}

bool
weir_filters_given(const struct weir_filters *f)
{
	return f->reasons.n > 0 || f->statuses.n > 0 || f->carrier != NULL || f->plan != NULL || f->pool != NULL ||
	       f->tag != NULL || f->from != NULL || f->to != NULL;
}

static bool
unknown_word(const char *option, const char *word, const char *const *names, uint32_t count, struct weir_error *err)
{
	const char *nearest = weir_nearest(word, names, count);
	if (nearest != NULL)
		(void)weir_error_set(
		    err, WEIR_POISON, "--%s %.40s: there is no such %s; did you mean %s?", option, word, option, nearest);
	else
		(void)weir_error_set(err, WEIR_POISON, "--%s %.40s: there is no such %s", option, word, option);
	return false;
}

static bool
take_words(const char *option, const struct weir_words *words, const char *const *names, uint32_t count, uint32_t *bits_out,
    struct weir_error *err)
{
	*bits_out = 0;
	for (uint32_t w = 0; w < words->n; w++) {
		uint32_t i = 0;
		while (i < count && strcmp(names[i], words->v[w]) != 0)
			i++;
		if (i == count)
			return unknown_word(option, words->v[w], names, count, err);
		*bits_out |= 1u << i;
	}
	return true;
}

static bool
take_iccid(const char *option, const char *text, struct weir_iccid *iccid_out, struct weir_error *err)
{
	if (text == NULL || weir_iccid_parse((const uint8_t *)text, strlen(text), iccid_out))
		return true;
	(void)weir_error_set(err, WEIR_POISON, "--%s %.40s: an ICCID has 19 or 20 letters and digits", option, text);
	return false;
}

bool
weir_filters_query(const struct weir_filters *f, struct weir_card_query *query_out, struct weir_error *err)
{
	const char *reasons[WEIR_REASON_COUNT], *statuses[WEIR_STATUS_CANCELLED + 1];
	uint32_t reason_bits;
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		reasons[i] = weir_reason_name(i);
	for (unsigned i = 0; i <= WEIR_STATUS_CANCELLED; i++)
		statuses[i] = weir_status_name((enum weir_card_status)i);
	*query_out = (struct weir_card_query){.carrier = f->carrier, .plan = f->plan, .pool = f->pool, .tag = f->tag};
	if (!take_words("reason", &f->reasons, reasons, WEIR_REASON_COUNT, &reason_bits, err) ||
	    !take_words("status", &f->statuses, statuses, WEIR_STATUS_CANCELLED + 1, &query_out->statuses, err))
		return false;
	query_out->reasons = (uint16_t)reason_bits;
	return take_iccid("first", f->from, &query_out->from, err) && take_iccid("last", f->to, &query_out->to, err);
}

bool
weir_reading_put(struct weir_buf *buf)
{
	weir_buf_append(buf, "\n", 1);
	bool ok = fwrite(buf->data, 1, buf->len, stdout) == buf->len;
	buf->len = 0;
	return ok;
}

const char *
weir_reasons_text(uint16_t reasons, char out[WEIR_REASONS_TEXT_MAX])
{
	size_t len = 0;
	(void)snprintf(out, WEIR_REASONS_TEXT_MAX, "-");
	for (unsigned i = 0; i < WEIR_REASON_COUNT && len < WEIR_REASONS_TEXT_MAX; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			len += (size_t)snprintf(
			    out + len, WEIR_REASONS_TEXT_MAX - len, "%s%s", len > 0 ? ", " : "", weir_reason_name(i));
	return out;
}
