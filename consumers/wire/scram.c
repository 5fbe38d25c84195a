/* SCRAM; see scram.h. */
#include "consumers/wire/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#define ROUNDS_LEAST 4096
#define ROUNDS_MOST 1000000 /* a server that asks for more wants us busy */
#define SALT_MAX 256
#define TEXT_MAX 1024 /* base64 of a salt or signature */

static const EVP_MD *
digest_of(const struct scram *scram)
{
	return scram->sha512 ? EVP_sha512() : EVP_sha256();
}

static size_t
digest_len(const struct scram *scram)
{
	return scram->sha512 ? 64 : 32;
}

void
scram_free(struct scram *scram)
{
	weir_buf_free(&scram->auth);
	OPENSSL_cleanse(scram, sizeof(*scram));
}

/* A user's name with `=` and `,` written as the grammar wants them. */
static void
append_name(struct weir_buf *out, const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '=')
			weir_buf_append(out, "=3D", 3);
		else if (*name == ',')
			weir_buf_append(out, "=2C", 3);
		else
			weir_buf_append(out, name, 1);
}

void
scram_first(struct scram *scram, struct weir_buf *out)
{
	scram->auth.len = 0;
	weir_buf_append(&scram->auth, "n=", 2);
	append_name(&scram->auth, scram->user);
	weir_buf_append(&scram->auth, ",r=", 3);
	weir_buf_append(&scram->auth, scram->nonce, strlen(scram->nonce));
	weir_buf_append(out, "n,,", 3);
	weir_buf_append(out, scram->auth.data, scram->auth.len);
}

/* The value of `name=` up to the next comma. */
static struct weir_slice
attribute(struct weir_slice message, char name)
{
	const uint8_t *at = message.data, *end = at + message.len;
	while (at < end) {
		const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
		const uint8_t *stop = comma == NULL ? end : comma;
		if (stop - at >= 2 && at[0] == (uint8_t)name && at[1] == '=')
			return (struct weir_slice){at + 2, (size_t)(stop - at) - 2};
		at = comma == NULL ? end : comma + 1;
	}
	return (struct weir_slice){NULL, 0};
}

/* Bytes of a base64 text; -1 when it is none or does not fit. */
static int
unbase64(struct weir_slice text, uint8_t *out, size_t room)
{
	uint8_t bytes[TEXT_MAX];
	if (text.len == 0 || text.len > TEXT_MAX || text.len % 4 != 0)
		return -1;
	int len = EVP_DecodeBlock(bytes, text.data, (int)text.len);
	if (len < 0)
		return -1;
	len -= (text.data[text.len - 1] == '=') + (text.data[text.len - 2] == '=');
	if ((size_t)len > room)
		return -1;
	memcpy(out, bytes, (size_t)len);
	return len;
}

static void
append_base64(struct weir_buf *out, const uint8_t *bytes, size_t len)
{
	uint8_t text[TEXT_MAX];
	int got = EVP_EncodeBlock(text, bytes, (int)len);
	weir_buf_append(out, text, (size_t)got);
}

static long
number_of(struct weir_slice text)
{
	long value = 0;
	if (text.len == 0 || text.len > 9)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -1;
		value = value * 10 + (text.data[i] - '0');
	}
	return value;
}

static void
scram_hmac(const struct scram *scram, const uint8_t *key, const void *data, size_t len, uint8_t out[64])
{
	unsigned got = 0;
	WEIR_CHECK(HMAC(digest_of(scram), key, (int)digest_len(scram), data, len, out, &got) != NULL);
}

/* The client's proof, and the signature that the server will have to show. */
static void
client_proof(struct scram *scram, const uint8_t *salted, uint8_t proof[64])
{
	uint8_t key[64], stored[64], signature[64];
	unsigned got = 0;
	scram_hmac(scram, salted, "Client Key", 10, key);
	WEIR_CHECK(EVP_Digest(key, digest_len(scram), stored, &got, digest_of(scram), NULL) == 1);
	scram_hmac(scram, stored, scram->auth.data, scram->auth.len, signature);
	for (size_t i = 0; i < digest_len(scram); i++)
		proof[i] = key[i] ^ signature[i];
	scram_hmac(scram, salted, "Server Key", 10, key);
	scram_hmac(scram, key, scram->auth.data, scram->auth.len, scram->server_signature);
	OPENSSL_cleanse(key, sizeof(key));
}

bool
scram_final(struct scram *scram, struct weir_slice server_first, struct weir_buf *out)
{
	uint8_t salt[SALT_MAX], salted[64], proof[64];
	struct weir_slice nonce = attribute(server_first, 'r');
	int salt_len = unbase64(attribute(server_first, 's'), salt, sizeof(salt));
	long rounds = number_of(attribute(server_first, 'i'));
	size_t own = strlen(scram->nonce);
	if (nonce.len <= own || memcmp(nonce.data, scram->nonce, own) != 0 || salt_len < 0 || rounds < ROUNDS_LEAST ||
	    rounds > ROUNDS_MOST)
		return false;
	WEIR_CHECK(PKCS5_PBKDF2_HMAC(scram->password, (int)strlen(scram->password), salt, salt_len, (int)rounds,
		       digest_of(scram), (int)digest_len(scram), salted) == 1);
	size_t from = out->len;
	weir_buf_append(out, "c=biws,r=", 9);
	weir_buf_append(out, nonce.data, nonce.len);
	weir_buf_append(&scram->auth, ",", 1);
	weir_buf_append(&scram->auth, server_first.data, server_first.len);
	weir_buf_append(&scram->auth, ",", 1);
	weir_buf_append(&scram->auth, out->data + from, out->len - from);
	client_proof(scram, salted, proof);
	weir_buf_append(out, ",p=", 3);
	append_base64(out, proof, digest_len(scram));
	OPENSSL_cleanse(salted, sizeof(salted));
	return true;
}

bool
scram_verify(const struct scram *scram, struct weir_slice server_final)
{
	uint8_t signature[64];
	int len = unbase64(attribute(server_final, 'v'), signature, sizeof(signature));
	return len == (int)digest_len(scram) && CRYPTO_memcmp(signature, scram->server_signature, (size_t)len) == 0;
}
