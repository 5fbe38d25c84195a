/* SCRAM as the RFCs' own examples have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "consumers/wire/scram.h"

static bool
message_is(const struct weir_buf *said, const char *text)
{
	return weir_slice_equals((struct weir_slice){said->data, said->len}, text);
}

/* RFC 7677, section 3 */
static void
test_sha256(void **state)
{
	(void)state;
	struct scram scram = {.user = "user", .password = "pencil", .nonce = "rOprNGfwEbeRWgbNEkqO"};
	struct weir_buf out = {0};
	scram_first(&scram, &out);
	assert_true(message_is(&out, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
	out.len = 0;
	assert_true(scram_final(&scram,
	    weir_slice_of("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), &out));
	assert_true(message_is(&out, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				     "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
	assert_true(scram_verify(&scram, weir_slice_of("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	assert_false(scram_verify(&scram, weir_slice_of("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	assert_false(scram_verify(&scram, weir_slice_of("e=other-error")));
	scram_free(&scram);
	weir_buf_free(&out);
}

/* A server that hands back another nonce, asks for too few or too many rounds, or speaks nonsense. */
static void
test_bad_servers(void **state)
{
	(void)state;
	const char *const bad[] = {"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
	    "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=999999999", "r=abcd,s=!,i=4096",
	    "r=abcd,i=4096", "", "r=abcd,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-4096", "e=unknown-user"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram scram = {.user = "a=b,c", .password = "p", .nonce = "abc", .sha512 = true};
		struct weir_buf out = {0};
		scram_first(&scram, &out);
		assert_true(message_is(&out, "n,,n=a=3Db=2Cc,r=abc"));
		assert_false(scram_final(&scram, weir_slice_of(bad[i]), &out));
		scram_free(&scram);
		weir_buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_sha256), cmocka_unit_test(test_bad_servers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
