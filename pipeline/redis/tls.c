/*
 * TLS to Redis, where the hiredis at hand has it (1.0 and later, its own library hiredis_ssl; found when the build is
 * configured). Certificates are checked against the trusted ones in the directory that SSL_CERT_DIR names, as for OpenSSL's
 * own tools, or /etc/ssl/certs; the server name is sent (SNI). hiredis does not compare the certificate's name with the
 * host's: docs/redis.md says so.
 */
#include <hiredis/hiredis.h>

#include "pipeline/redis/connection_priv.h"

#ifdef WEIR_HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
init_openssl(void)
{
	(void)redisInitOpenSSL();
}

enum weir_class
weir_redis_tls_start(struct redisContext *redis, const struct weir_redis_url *url, struct weir_error *err)
{
	(void)pthread_once(&once, init_openssl);
	redisSSLContextError why = REDIS_SSL_CTX_NONE;
	const char *trusted_dir = getenv("SSL_CERT_DIR");
	if (trusted_dir == NULL)
		trusted_dir = "/etc/ssl/certs";
	redisSSLContext *tls = redisCreateSSLContext(NULL, trusted_dir, NULL, NULL, url->host, &why);
	if (tls == NULL)
		return weir_error_set(err, WEIR_FATAL, "TLS: %s", redisSSLContextGetError(why));
	int result = redisInitiateSSLWithContext(redis, tls);
	redisFreeSSLContext(tls); /* the connection holds its own reference */
	if (result != REDIS_OK)
		return weir_error_set(err, WEIR_RETRY, "TLS handshake: %s", redis->errstr);
	return WEIR_OK;
}
#else
enum weir_class
weir_redis_tls_start(struct redisContext *redis, const struct weir_redis_url *url, struct weir_error *err)
{
	(void)redis;
	return weir_error_set(err, WEIR_FATAL,
	    "redis.url asks for TLS to %s, but this build's hiredis has none (needs hiredis_ssl 1.0 or later)", url->host);
}
#endif
