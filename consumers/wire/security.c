/* Security of the direct source's connections; see security.h. */
#include "consumers/wire/security.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* What is understood of the properties that begin with these: all others of them need librdkafka. */
static const char *const FAMILIES[] = {"ssl.", "sasl.", "enable.ssl.", "enable.sasl.", "security."};
static const char *const KNOWN[] = {"security.protocol", "ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
    "ssl.key.password", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification", "ssl.cipher.suites",
    "ssl.curves.list", "ssl.sigalgs.list", "sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"};
/* What changes where the bytes come from; no network of ours would see it. */
static const char *const ELSEWHERE[] = {"test.mock.num.brokers", "socket.fd", "broker.version.fallback"};

static const struct {
	const char *name;
	enum security_mechanism mechanism;
} MECHANISMS[] = {{"PLAIN", SECURITY_PLAIN}, {"SCRAM-SHA-256", SECURITY_SCRAM_256}, {"SCRAM-SHA-512", SECURITY_SCRAM_512}};

const char *
security_mechanism_name(enum security_mechanism mechanism)
{
	return mechanism == SECURITY_NO_SASL ? "" : MECHANISMS[mechanism - SECURITY_PLAIN].name;
}

const char *
security_property(const struct weir_settings *settings, const char *name)
{
	for (uint32_t i = settings->kafka_property_count; i > 0; i--)
		if (strcmp(settings->kafka_properties[i - 1].name, name) == 0)
			return settings->kafka_properties[i - 1].value;
	return NULL;
}

static bool
is_one_of(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static bool
is_foreign(const char *name)
{
	if (is_one_of(name, ELSEWHERE, sizeof(ELSEWHERE) / sizeof(ELSEWHERE[0])))
		return true;
	for (size_t i = 0; i < sizeof(FAMILIES) / sizeof(FAMILIES[0]); i++)
		if (strncmp(name, FAMILIES[i], strlen(FAMILIES[i])) == 0)
			return !is_one_of(name, KNOWN, sizeof(KNOWN) / sizeof(KNOWN[0]));
	return false;
}

static const char *
mechanism_text(const struct weir_settings *settings)
{
	const char *text = security_property(settings, "sasl.mechanisms");
	if (text == NULL)
		text = security_property(settings, "sasl.mechanism");
	return text == NULL ? "GSSAPI" : text; /* librdkafka's default */
}

static enum security_mechanism
mechanism_of(const char *text)
{
	for (size_t i = 0; i < sizeof(MECHANISMS) / sizeof(MECHANISMS[0]); i++)
		if (strcmp(text, MECHANISMS[i].name) == 0)
			return MECHANISMS[i].mechanism;
	return SECURITY_NO_SASL;
}

/* security.protocol: is it with TLS, with SASL? */
static void
read_protocol(const struct weir_settings *settings, bool *tls, bool *sasl)
{
	const char *protocol = security_property(settings, "security.protocol");
	*tls = protocol != NULL && (strcasecmp(protocol, "ssl") == 0 || strcasecmp(protocol, "sasl_ssl") == 0);
	*sasl = protocol != NULL && strncasecmp(protocol, "sasl_", 5) == 0;
}

const char *
security_unable(const struct weir_settings *settings, char *text, size_t size)
{
	bool tls, sasl;
	for (uint32_t i = 0; i < settings->kafka_property_count; i++) {
		if (!is_foreign(settings->kafka_properties[i].name))
			continue;
		(void)snprintf(text, size, "kafka.properties.%s", settings->kafka_properties[i].name);
		return text;
	}
	read_protocol(settings, &tls, &sasl);
	if (!sasl || mechanism_of(mechanism_text(settings)) != SECURITY_NO_SASL)
		return NULL;
	(void)snprintf(text, size, "SASL mechanism %s", mechanism_text(settings));
	return text;
}

static enum weir_class
bad_value(struct weir_error *err, const char *name, const char *value)
{
	char why[160] = "cannot be used";
	unsigned long code = ERR_peek_last_error();
	if (code != 0)
		ERR_error_string_n(code, why, sizeof(why));
	ERR_clear_error();
	return weir_error_set(err, WEIR_FATAL, "kafka.properties.%s %s: %s", name, value, why);
}

static enum weir_class
load_ca(SSL_CTX *tls, const struct weir_settings *settings, struct weir_error *err)
{
	const char *path = security_property(settings, "ssl.ca.location");
	struct stat stat_of;
	if (path == NULL || strcmp(path, "probe") == 0)
		return SSL_CTX_set_default_verify_paths(tls) == 1 ? WEIR_OK
								  : bad_value(err, "ssl.ca.location", "(default)");
	bool directory = stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
	int code = directory ? SSL_CTX_load_verify_dir(tls, path) : SSL_CTX_load_verify_file(tls, path);
	return code == 1 ? WEIR_OK : bad_value(err, "ssl.ca.location", path);
}

static int
on_password(char *out, int size, int writing, void *arg)
{
	(void)writing;
	const char *password = arg;
	size_t len = password == NULL ? 0 : strlen(password);
	if (len > (size_t)size)
		return -1;
	if (len > 0)
		memcpy(out, password, len);
	return (int)len;
}

static enum weir_class
load_own(SSL_CTX *tls, const struct weir_settings *settings, struct weir_error *err)
{
	const char *certificate = security_property(settings, "ssl.certificate.location");
	const char *key = security_property(settings, "ssl.key.location");
	SSL_CTX_set_default_passwd_cb(tls, on_password);
	SSL_CTX_set_default_passwd_cb_userdata(tls, (void *)(uintptr_t)security_property(settings, "ssl.key.password"));
	if (certificate != NULL && SSL_CTX_use_certificate_chain_file(tls, certificate) != 1)
		return bad_value(err, "ssl.certificate.location", certificate);
	if (key != NULL && SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		return bad_value(err, "ssl.key.location", key);
	return WEIR_OK;
}

static enum weir_class
set_lists(SSL_CTX *tls, const struct weir_settings *settings, struct weir_error *err)
{
	const char *ciphers = security_property(settings, "ssl.cipher.suites");
	const char *curves = security_property(settings, "ssl.curves.list");
	const char *algorithms = security_property(settings, "ssl.sigalgs.list");
	if (ciphers != NULL && SSL_CTX_set_cipher_list(tls, ciphers) != 1)
		return bad_value(err, "ssl.cipher.suites", ciphers);
	if (curves != NULL && SSL_CTX_set1_curves_list(tls, curves) != 1)
		return bad_value(err, "ssl.curves.list", curves);
	if (algorithms != NULL && SSL_CTX_set1_sigalgs_list(tls, algorithms) != 1)
		return bad_value(err, "ssl.sigalgs.list", algorithms);
	return WEIR_OK;
}

static enum weir_class
open_tls(struct security *security, const struct weir_settings *settings, struct weir_error *err)
{
	const char *verify = security_property(settings, "enable.ssl.certificate.verification");
	const char *algorithm = security_property(settings, "ssl.endpoint.identification.algorithm");
	security->tls = SSL_CTX_new(TLS_client_method());
	WEIR_CHECK(security->tls != NULL);
	bool verifies = verify == NULL || (strcasecmp(verify, "false") != 0 && strcmp(verify, "0") != 0);
	security->check_host = verifies && (algorithm == NULL || strcasecmp(algorithm, "none") != 0);
	SSL_CTX_set_verify(security->tls, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_mode(security->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_min_proto_version(security->tls, TLS1_2_VERSION);
	enum weir_class class = load_ca(security->tls, settings, err);
	if (class == WEIR_OK)
		class = load_own(security->tls, settings, err);
	return class == WEIR_OK ? set_lists(security->tls, settings, err) : class;
}

enum weir_class
security_open(struct security *security, const struct weir_settings *settings, struct weir_error *err)
{
	bool tls, sasl;
	*security = (struct security){0};
	read_protocol(settings, &tls, &sasl);
	if (sasl) {
		security->mechanism = mechanism_of(mechanism_text(settings));
		security->user = security_property(settings, "sasl.username");
		security->password = security_property(settings, "sasl.password");
		if (security->user == NULL || security->password == NULL)
			return weir_error_set(err, WEIR_FATAL,
			    "kafka.properties: SASL %s needs sasl.username and sasl.password",
			    security_mechanism_name(security->mechanism));
	}
	enum weir_class class = tls ? open_tls(security, settings, err) : WEIR_OK;
	if (class != WEIR_OK)
		security_close(security);
	return class;
}

void
security_close(struct security *security)
{
	SSL_CTX_free(security->tls);
	*security = (struct security){0};
}
