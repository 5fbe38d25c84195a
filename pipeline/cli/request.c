/*
 * `weir request`: an operator's request on a card or a pool, sent to the topic of cards, and what became of it.
 *
 * The message is checked as a lane will check it before it is sent. It is done when the partition's position in Redis has
 * passed it; the reply is in the history under the request's id: what was done, or why it was refused. One that is not
 * there found no card or pool: its dead letter says so.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/amounts.h"
#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/base/nearest.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/kafka/admin.h"
#include "pipeline/kafka/producer.h"

#define DELIVERY_MS 10000
#define POLL_MS 100
#define REPLY_ID_CHARS 32 /* of an id, in a reply */

static const struct weir_usage usage = {
    .command = "request",
    .arguments = "ICCID|POOL ACTION [VALUE]",
    .text = "Sends an operator's request and waits for its reply. On cards:\n"
	    "  suspend, resume, activate, deactivate, cancel, rebind, reset (15 minutes off)\n"
	    "  limit AMOUNT|none    addon AMOUNT    renew [MONTHS]    flag REASON set|clear\n"
	    "On pools: addon AMOUNT, freeze, paid, enable. Amounts are bytes, or 500MiB, 1.5GiB.\n"
	    "A word that could be an ICCID is one, unless --pool says otherwise.\n"
	    "Exit code 1 when it was rejected or nobody has answered in time.\n",
};

static const char *const ACTIONS[] = {"suspend", "resume", "limit", "addon", "activate", "deactivate", "cancel", "renew",
    "rebind", "reset", "flag", "freeze", "paid", "enable"};
#define ACTION_COUNT ((uint32_t)(sizeof(ACTIONS) / sizeof(ACTIONS[0])))

struct asked {
	const char *subject, *action;
	const char *values[2];
	uint32_t value_count;
	bool is_pool, as_json, no_wait, keep;
	const char *id, *by, *cycle, *until;
	uint64_t wait_ms;
	char made_id[48];
};

struct sent {
	bool done;
	int32_t partition;
	int64_t offset;
	struct weir_error err;
};

/* ---- the message ---- */

static bool
mistake(struct weir_error *err, const char *fmt, const char *word)
{
	(void)weir_error_set(err, WEIR_POISON, fmt, word);
	return false;
}

static bool
check_action(const struct asked *asked, struct weir_error *err)
{
	for (uint32_t i = 0; i < ACTION_COUNT; i++)
		if (strcmp(ACTIONS[i], asked->action) == 0)
			return true;
	const char *nearest = weir_nearest(asked->action, ACTIONS, ACTION_COUNT);
	if (nearest == NULL)
		return mistake(err, "no action '%.40s'; --help lists them", asked->action);
	(void)weir_error_set(err, WEIR_POISON, "no action '%.40s'; did you mean '%s'?", asked->action, nearest);
	return false;
}

/* How many values the action takes: exactly `most`, renew none or one. */
static bool
check_values(const struct asked *asked, struct weir_error *err)
{
	bool is = strcmp(asked->action, "limit") == 0 || strcmp(asked->action, "addon") == 0;
	bool renew = strcmp(asked->action, "renew") == 0, flag = strcmp(asked->action, "flag") == 0;
	uint32_t most = flag ? 2 : is || renew ? 1 : 0, least = renew ? 0 : most;
	if (asked->value_count < least)
		return mistake(err, flag ? "%s needs a reason and set or clear" : "%s needs an amount", asked->action);
	if (asked->value_count > most)
		return mistake(err, "'%.40s' is one argument too many", asked->values[most]);
	if (flag && strcmp(asked->values[1], "set") != 0 && strcmp(asked->values[1], "clear") != 0)
		return mistake(err, "flag: '%.40s' is neither set nor clear", asked->values[1]);
	return true;
}

static bool
put_value(const struct asked *asked, struct weir_json *json, struct weir_error *err)
{
	uint64_t bytes;
	if (strcmp(asked->action, "limit") == 0) {
		if (strcmp(asked->values[0], "none") == 0)
			weir_json_null(json, "limit");
		else if (weir_amount_parse(asked->values[0], &bytes, err))
			weir_json_u64(json, "limit", bytes);
		else
			return false;
		if (asked->keep)
			weir_json_bool(json, "auto_restore", false);
	} else if (strcmp(asked->action, "addon") == 0) {
		if (!weir_amount_parse(asked->values[0], &bytes, err))
			return false;
		weir_json_u64(json, "bytes", bytes);
	} else if (strcmp(asked->action, "renew") == 0 && asked->value_count == 1) {
		char *end;
		unsigned long months = strtoul(asked->values[0], &end, 10);
		if (*end != '\0' || asked->values[0][0] < '0' || asked->values[0][0] > '9')
			return mistake(err, "renew: '%.40s' is no number of months", asked->values[0]);
		weir_json_u64(json, "months", months);
	} else if (strcmp(asked->action, "flag") == 0) {
		weir_json_text(json, "reason", asked->values[0]);
		weir_json_bool(json, "set", strcmp(asked->values[1], "set") == 0);
	}
	return true;
}

/* Checked by the parser that every lane uses. */
static bool
make_message(const struct asked *asked, struct weir_buf *buf, struct weir_error *err)
{
	struct weir_json json = {buf, false};
	struct weir_reference reference;
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "type", "request");
	weir_json_text(&json, asked->is_pool ? "pool" : "iccid", asked->subject);
	weir_json_text(&json, "action", asked->action);
	if (!put_value(asked, &json, err))
		return false;
	if (asked->cycle != NULL)
		weir_json_text(&json, "cycle", asked->cycle);
	if (asked->until != NULL)
		weir_json_text(&json, "until", asked->until);
	weir_json_text(&json, "id", asked->id);
	weir_json_text(&json, "by", asked->by);
	weir_json_i64(&json, "time", weir_wall_now().us / 1000);
	weir_json_close(&json, '}');
	return weir_reference_parse((struct weir_slice){buf->data, buf->len}, &reference, err) == WEIR_OK;
}

/* ---- sending ---- */

static void
on_delivery(void *ctx, const struct weir_delivery *delivery)
{
	struct sent *sent = ctx;
	sent->done = true;
	sent->partition = delivery->partition;
	sent->offset = delivery->offset;
	if (delivery->error != NULL)
		(void)weir_error_set(&sent->err, WEIR_RETRY, "not sent: %s", delivery->error);
}

/* Sends it and waits until Kafka has taken or refused it; what went wrong is in sent->err. */
static void
send_and_wait(struct weir_producer *producer, const struct weir_producer_message *message, struct sent *sent)
{
	struct weir_error why = {0};
	if (weir_producer_send(producer, message, &why) != WEIR_SENT_OK) {
		(void)weir_error_set(&sent->err, WEIR_RETRY, "not sent: %s", why.text);
		return;
	}
	for (int waited = 0; !sent->done && waited < DELIVERY_MS; waited += POLL_MS)
		weir_producer_poll(producer, POLL_MS);
	if (!sent->done)
		(void)weir_error_set(&sent->err, WEIR_RETRY, "not sent: Kafka has not taken it within 10 s");
}

static int
request_send(const struct weir_settings *settings, const char *key, const struct weir_buf *json, struct sent *sent)
{
	struct weir_error err = {0};
	struct weir_producer *producer = NULL;
	uint32_t partitions;
	const struct weir_producer_opts opts = {
	    .settings = settings, .on_delivery = on_delivery, .ctx = sent, .is_command = true};
	const struct weir_producer_message message = {.topic = settings->topic_cards,
	    .partition = WEIR_PARTITION_BY_KEY,
	    .key = weir_slice_of(key),
	    .value = {json->data, json->len}};
	if (weir_producer_open(&opts, &producer, &err) != WEIR_OK)
		return weir_exit_fail("request", WEIR_EXIT_SETTINGS, &err);
	int code = WEIR_EXIT_OK;
	if (weir_topic_partitions(weir_producer_handle(producer), settings->topic_cards, DELIVERY_MS, &partitions, &err) !=
	    WEIR_OK)
		code = weir_exit_fail("request", WEIR_EXIT_UNREACHABLE, &err);
	if (code == WEIR_EXIT_OK)
		send_and_wait(producer, &message, sent);
	if (code == WEIR_EXIT_OK && sent->err.class != WEIR_OK)
		code = weir_exit_fail("request", WEIR_EXIT_UNREACHABLE, &sent->err);
	weir_producer_close(producer, 0);
	return code;
}

/* ---- the reply ---- */

static void
answer_print(const struct asked *asked, const struct sent *sent, const char *result, const char *reply)
{
	if (!asked->as_json) {
		(void)printf("%s %s: %s%s%s\n", asked->action, asked->subject, result, reply[0] != '\0' ? ": " : "", reply);
		return;
	}
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, asked->is_pool ? "pool" : "iccid", asked->subject);
	weir_json_text(&json, "action", asked->action);
	weir_json_text(&json, "id", asked->id);
	weir_json_text(&json, "result", result);
	weir_json_text_or_null(&json, "reply", reply);
	weir_json_i64(&json, "partition", sent->partition);
	weir_json_i64(&json, "offset", sent->offset);
	weir_json_close(&json, '}');
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
}

/* Has the partition's stored position passed the message? */
static enum weir_read
is_taken(struct weir_reading *reading, const struct sent *sent, bool *taken_out, struct weir_error *err)
{
	const struct weir_partition_view *partitions;
	uint32_t count;
	enum weir_read answer = weir_read_partitions(reading->reader, &partitions, &count, err);
	*taken_out = false;
	if (answer != WEIR_READ_OK || sent->partition < 0 || (uint32_t)sent->partition >= count)
		return answer;
	const struct weir_partition_view *p = &partitions[sent->partition];
	for (uint32_t i = 0; i < p->topic_count; i++)
		if (strcmp(p->topics[i], reading->settings->topic_cards) == 0)
			*taken_out = p->offsets[i] > sent->offset;
	return WEIR_READ_OK;
}

/* The reply to our id: "<action> <id>: <reply>"; NULL when there is none. */
static const char *
find_reply(const struct weir_history *history, const struct asked *asked, bool *refused_out)
{
	char head[96];
	int len = snprintf(head, sizeof(head), "%s %.*s", asked->action, REPLY_ID_CHARS, asked->id);
	for (uint32_t i = 0; i < history->count; i++) {
		const struct weir_history_entry *e = &history->entries[i];
		*refused_out = strcmp(e->event, "refused") == 0;
		if ((strcmp(e->event, "request") != 0 && !*refused_out) || strncmp(e->reply, head, (size_t)len) != 0)
			continue;
		const char *colon = strstr(e->reply + len, ": ");
		return colon != NULL ? colon + 2 : "";
	}
	return NULL;
}

static int
print_reply(struct weir_reading *reading, const struct asked *asked, struct weir_iccid iccid, const struct sent *sent)
{
	struct weir_history history = {0};
	struct weir_error err = {0};
	enum weir_read answer = asked->is_pool ? weir_read_pool_history(reading->reader, asked->subject, &history, &err)
					       : weir_read_card_history(reading->reader, iccid, &history, &err);
	if (answer != WEIR_READ_OK && answer != WEIR_READ_MISSING)
		return weir_reading_fail(reading, answer, &err);
	bool refused = false;
	const char *reply = answer == WEIR_READ_OK ? find_reply(&history, asked, &refused) : NULL;
	if (reply != NULL) {
		answer_print(asked, sent, refused ? "rejected" : "done", reply);
		return refused ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
	}
	char why[160];
	(void)snprintf(why, sizeof(why), "%s; %s has the reason for %s partition %" PRId32 " offset %" PRId64,
	    answer == WEIR_READ_MISSING ? "there is no such card or pool" : "it was not applied",
	    reading->settings->topic_dead, reading->settings->topic_cards, sent->partition, sent->offset);
	answer_print(asked, sent, "rejected", why);
	return WEIR_EXIT_FAILED;
}

static int
wait_reply(struct weir_reading *reading, const struct asked *asked, struct weir_iccid iccid, const struct sent *sent)
{
	struct weir_steady until = weir_steady_in_ms((int64_t)asked->wait_ms);
	struct weir_error err = {0};
	bool taken = false;
	while (!taken) {
		enum weir_read answer = is_taken(reading, sent, &taken, &err);
		if (answer != WEIR_READ_OK)
			return weir_reading_fail(reading, answer, &err);
		if (!taken && weir_steady_reached(until)) {
			answer_print(asked, sent, "sent", "nobody has taken it yet; is weir running?");
			return WEIR_EXIT_FAILED;
		}
		if (!taken)
			(void)usleep(POLL_MS * 1000);
	}
	return print_reply(reading, asked, iccid, sent);
}

/* ---- the command ---- */

/* Ids and names of operators are words without spaces; what the machine calls its user may be anything. */
static const char *
operator_name(void)
{
	const char *name = getenv("USER");
	if (name == NULL || name[0] == '\0' || strlen(name) > 40 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(name))
		return "command-line";
	return name;
}

static bool
take_words(const struct weir_words *words, struct asked *asked, struct weir_iccid *iccid, struct weir_error *err)
{
	asked->subject = words->v[0];
	asked->action = words->v[1];
	for (uint32_t i = 2; i < words->n; i++)
		asked->values[asked->value_count++] = words->v[i];
	asked->is_pool |= !weir_iccid_parse((const uint8_t *)asked->subject, strlen(asked->subject), iccid);
	if (asked->by == NULL)
		asked->by = operator_name();
	if (asked->id == NULL) {
		(void)snprintf(
		    asked->made_id, sizeof(asked->made_id), "cli-%" PRId64 "-%d", weir_wall_now().us, (int)getpid());
		asked->id = asked->made_id;
	}
	return check_action(asked, err) && check_values(asked, err);
}

int
weir_cli_request(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct asked asked = {.wait_ms = 10000};
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "pool", .help = "the word is a pool's id, whatever it looks like", .flag = &asked.is_pool},
	    {.name = "id",
		.placeholder = "TEXT",
		.help = "of the request: a repeated one is told apart",
		.text = &asked.id},
	    {.name = "by", .placeholder = "NAME", .help = "who asks; else $USER", .text = &asked.by},
	    {.name = "cycle",
		.placeholder = "MONTH",
		.help = "addon: the cycle it is for, as 2026-11",
		.text = &asked.cycle},
	    {.name = "until", .placeholder = "TIME", .help = "renew: the new expiry", .text = &asked.until},
	    {.name = "keep", .help = "limit: a cut-off by it does not end with the cycle", .flag = &asked.keep},
	    {.name = "wait",
		.placeholder = "TIME",
		.help = "how long to wait for the reply (10s)",
		.duration_ms = &asked.wait_ms},
	    {.name = "no-wait", .help = "send it and be done", .flag = &asked.no_wait},
	    {.name = "json", .help = "one JSON object instead of a line", .flag = &asked.as_json}, {0}};
	struct weir_words words;
	struct weir_error err = {0};
	struct weir_iccid iccid = {0};
	struct weir_buf message = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 2, 4, &words, &code))
		return code;
	if (!take_words(&words, &asked, &iccid, &err) || !make_message(&asked, &message, &err)) {
		weir_buf_free(&message);
		return weir_exit_fail("request", WEIR_EXIT_USAGE, &err);
	}
	char key[WEIR_ID_MAX];
	if (asked.is_pool || weir_iccid_format(iccid, key) == 0) /* the key is the ICCID as records have it */
		(void)snprintf(key, sizeof(key), "%s", asked.subject);
	struct weir_reading reading;
	struct sent sent = {0};
	code = weir_reading_open(&reading, "request", &common);
	if (code == WEIR_EXIT_OK)
		code = request_send(reading.settings, key, &message, &sent);
	if (code == WEIR_EXIT_OK && asked.no_wait)
		answer_print(&asked, &sent, "sent", "");
	else if (code == WEIR_EXIT_OK)
		code = wait_reply(&reading, &asked, iccid, &sent);
	weir_reading_close(&reading);
	weir_buf_free(&message);
	return code;
}
