/* Places in logs: their text, and each verdict from the evidence that gives it (rule REC-9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "config/base/log_place.h"

static struct log_id
id_of(const char *text)
{
	struct log_id id;
	assert_true(log_id_parse(weir_slice_of(text), &id));
	return id;
}

/* Text and bytes of ids as Kafka's own Uuid class prints them. */
static void
test_id_text(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint8_t bytes[16];
	} KNOWN[] = {
	    {"AAECAwQFBgcICQoLDA0ODw", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	    {"_____________________w", {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
	    {"-_-_-_-_-_-_-_-_-_-_-g",
		{0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfb, 0xff, 0xbf, 0xfa}},
	};
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
		char text[LOG_ID_CHARS + 1];
		struct log_id id = id_of(KNOWN[i].text);
		assert_memory_equal(id.bytes, KNOWN[i].bytes, 16);
		log_id_text(&id, text);
		assert_string_equal(text, KNOWN[i].text);
	}
	static const char *const BAD[] = {"", "A", "AAECAwQFBgcICQoLDA0ODx", "AAECAwQFBgcICQoLDA0OD",
	    "AAECAwQFBgcICQoLDA0ODwA", "AAECAwQFBgcICQoLDA0OD=", "AAECAwQFBgcICQoLDA0O w", "AAAAAAAAAAAAAAAAAAAAAA"};
	struct log_id id;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
		assert_false(log_id_parse(weir_slice_of(BAD[i]), &id));
	assert_false(log_id_parse((struct weir_slice){(const uint8_t *)"AAECAwQFBgcICQoLDA0OD\0", 22}, &id));
}

static void
test_name_text(void **state)
{
	(void)state;
	static const char *const GOOD[] = {"AAECAwQFBgcICQoLDA0ODw 7", "AAECAwQFBgcICQoLDA0ODw 2147483647",
	    "AAECAwQFBgcICQoLDA0ODw 0", "AAECAwQFBgcICQoLDA0ODw -1", "- -1"};
	static const char *const BAD[] = {"", " ", "-", "- ", "-  1", "- 1 ", "- 12", "- 0", "- 01", "- -2", "- +1",
	    "- 2147483648", "- 99999999999", "x 1", "AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0ODw 1x"};
	struct log_name name;
	char text[LOG_TEXT_MAX];
	for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
		assert_true(log_name_parse(weir_slice_of(GOOD[i]), &name));
		log_name_text(&name, text);
		assert_string_equal(text, GOOD[i]);
	}
	for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
		assert_false(log_name_parse(weir_slice_of(BAD[i]), &name));
		assert_int_equal(name.epoch, LOG_EPOCH_UNKNOWN);
		assert_false(log_id_is_known(&name.id));
	}
}

/* Evidence of a log with that id from first to end, in which epoch 5 ends at epoch_end. */
static struct log_evidence
evidence_of(const char *id, int64_t first, int64_t end, int32_t found, int64_t epoch_end)
{
	return (struct log_evidence){.id = id_of(id),
	    .first_offset = first,
	    .end_offset = end,
	    .epoch_answered = true,
	    .epoch_found = found,
	    .epoch_end = epoch_end};
}

#define OURS "AAECAwQFBgcICQoLDA0ODw"
#define OTHER "_____________________w"

static void
test_verdicts(void **state)
{
	(void)state;
	const struct log_name name = {id_of(OURS), 5};
	static const struct {
		const char *id;
		int64_t first, end;
		int32_t found;
		int64_t epoch_end, next_offset;
		enum log_verdict verdict;
		int64_t resume;
	} CASES[] = {
	    {OURS, 0, 100, 5, 100, 100, LOG_SAME, 100},       /* at the end */
	    {OURS, 0, 300, 5, 200, 100, LOG_SAME, 100},       /* a later leader wrote behind it */
	    {OURS, 100, 300, 5, 200, 100, LOG_SAME, 100},     /* all that was counted has expired */
	    {OURS, 100, 300, 5, 250, 100, LOG_SAME, 100},     /* with its epoch: the answer is the first one's start */
	    {OURS, 0, 300, 3, 100, 100, LOG_SAME, 100},       /* compaction took the epoch away */
	    {OTHER, 0, 300, 5, 300, 100, LOG_REPLACED, -1},   /* longer than the old one */
	    {OTHER, 0, 10, -1, -1, 100, LOG_REPLACED, -1},    /* shorter */
	    {OTHER, 0, 10, -1, -1, -1, LOG_REPLACED, -1},     /* nothing was read, and it is another one all the same */
	    {OURS, 0, 350, 5, 100, 200, LOG_TRUNCATED, 100},  /* a stale follower was elected and written to */
	    {OURS, 0, 120, 5, 120, 200, LOG_TRUNCATED, 120},  /* and not written to yet */
	    {OURS, 0, 350, -1, -1, 200, LOG_TRUNCATED, -1},   /* it never heard of the epoch */
	    {OURS, 100, 350, 5, 100, 200, LOG_TRUNCATED, -1}, /* all that is left is new */
	    {OURS, 101, 350, 5, 300, 100, LOG_EXPIRED, 100},
	    {OURS, 0, 350, 5, 300, -1, LOG_SAME, -1},
	};
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct log_evidence evidence =
		    evidence_of(CASES[i].id, CASES[i].first, CASES[i].end, CASES[i].found, CASES[i].epoch_end);
		enum log_verdict verdict = log_verdict_of(&name, CASES[i].next_offset, &evidence);
		assert_string_equal(log_verdict_name(verdict), log_verdict_name(CASES[i].verdict));
		assert_int_equal(log_resume_offset(verdict, CASES[i].next_offset, &evidence), CASES[i].resume);
	}
}

/* What nobody said decides nothing. */
static void
test_unknown(void **state)
{
	(void)state;
	struct log_evidence none = LOG_NO_EVIDENCE, other = evidence_of(OTHER, 0, 300, 5, 300);
	const struct log_name name = {id_of(OURS), 5}, no_name = {{{0}}, 0};
	assert_int_equal(log_verdict_of(&name, 100, &none), LOG_SAME);
	assert_int_equal(log_verdict_of(&no_name, 100, &other), LOG_SAME);
	other.epoch_end = 50;
	assert_int_equal(log_verdict_of(&no_name, 100, &other), LOG_SAME); /* an end of no epoch of ours */
	other.id = (struct log_id){{0}};
	other.epoch_answered = false;
	assert_int_equal(log_verdict_of(&name, 100, &other), LOG_SAME);
	other.end_offset = 99; /* also where nothing else is known */
	assert_int_equal(log_verdict_of(&no_name, 100, &other), LOG_TRUNCATED);
}

static void
test_words(void **state)
{
	(void)state;
	struct weir_error err;
	const struct log_name name = {id_of(OURS), 5};
	struct log_evidence evidence = evidence_of(OTHER, 120, 350, 5, 150);
	assert_int_equal(log_verdict_error(&err, LOG_REPLACED, "weir.records", 3, &name, 100, &evidence), WEIR_FATAL);
	assert_non_null(strstr(err.text, "weir.records [3]"));
	assert_non_null(strstr(err.text, OURS));
	assert_non_null(strstr(err.text, OTHER));
	(void)log_verdict_error(&err, LOG_TRUNCATED, "weir.records", 3, &name, 200, &evidence);
	assert_non_null(strstr(err.text, "up to offset 150"));
	assert_non_null(strstr(err.text, "offset is 200"));
	(void)log_verdict_error(&err, LOG_EXPIRED, "weir.records", 3, &name, 100, &evidence);
	assert_non_null(strstr(err.text, "no longer holds offset 100"));
	assert_non_null(strstr(err.text, "begins at 120"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_id_text), cmocka_unit_test(test_name_text),
	    cmocka_unit_test(test_verdicts), cmocka_unit_test(test_unknown), cmocka_unit_test(test_words)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
