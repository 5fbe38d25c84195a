/*
 * SCRAM (RFC 5802, RFC 7677), the client's side, as a pure function of what was said so far. No channel binding.
 */
#ifndef WEIR_CONSUMERS_SCRAM_H
#define WEIR_CONSUMERS_SCRAM_H

#include <stdbool.h>

#include "config/base/slice.h"

#define SCRAM_NONCE_MAX 64

struct scram {
	bool sha512;
	const char *user, *password;
	char nonce[SCRAM_NONCE_MAX]; /* ours: printable, no comma */
	struct weir_buf auth;        /* what is signed: the messages so far without proof */
	uint8_t server_signature[64];
};

void scram_free(struct scram *scram);
/* The first message, appended to out. */
void scram_first(struct scram *scram, struct weir_buf *out);
/* The answer to the server's first message; false: it is not one, or asks for too few or too many rounds. */
bool scram_final(struct scram *scram, struct weir_slice server_first, struct weir_buf *out);
/* Does the server know the password too? */
bool scram_verify(const struct scram *scram, struct weir_slice server_final);

#endif
