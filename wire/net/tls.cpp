#include "wire/net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <csignal>

namespace wire::net {

namespace {

using ContextPtr = std::shared_ptr<ssl_ctx_st>;

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return reason ? reason : "unknown reason";
}

Result<ContextPtr> new_context(const SSL_METHOD* method) {
  std::signal(SIGPIPE, SIG_IGN);
  ContextPtr context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) return Failure(Errc::internal, "TLS: " + openssl_reason());
  SSL_CTX* ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  // A mail protocol says itself where it ends, and many servers leave without close_notify.
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                               SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_read_ahead(ctx, 1);  // one recv a record instead of two
  return context;
}

Result<ContextPtr> server_context(const std::string& certificate, const std::string& key) {
  Result<ContextPtr> made = new_context(TLS_server_method());
  if (!made) return made;
  SSL_CTX* ctx = made->get();
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(ctx, certificate.c_str()) != 1) {
    return Failure(Errc::usage, "certificate " + certificate + ": " + openssl_reason());
  }
  if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Failure(Errc::usage, "key " + key + ": " + openssl_reason());
  }
  if (SSL_CTX_check_private_key(ctx) != 1) {
    return Failure(Errc::usage, "key " + key + " does not belong to certificate " + certificate);
  }
  return made;
}

bool is_numeric_address(const std::string& name) {
  unsigned char buffer[16];
  return inet_pton(AF_INET, name.c_str(), buffer) == 1 || inet_pton(AF_INET6, name.c_str(), buffer) == 1;
}

// Which certificate a verification failed on: the handshake forgets it.
int failed_certificate_slot() {
  static const int slot = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* certificate, CRYPTO_EX_DATA*, int, long, void*) { X509_free(static_cast<X509*>(certificate)); });
  return slot;
}

int keep_failed_certificate(int ok, X509_STORE_CTX* store) {
  if (ok) return ok;
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (certificate && !SSL_get_ex_data(ssl, failed_certificate_slot())) {
    X509_up_ref(certificate);
    SSL_set_ex_data(ssl, failed_certificate_slot(), certificate);
  }
  return ok;
}

// The DNS names of a certificate, for an operator who has to see what is wrong.
std::string names_of(const X509* certificate) {
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0, n = names ? sk_GENERAL_NAME_num(names) : 0; i < n && out.size() < 200; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    if (!out.empty()) out += ", ";
    out.append(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
               static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  if (!out.empty()) return out;
  char common[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, sizeof common);
  return common;
}

std::string time_text(const ASN1_TIME* time) {
  tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

Failure describe_certificate_failure(long verdict, const X509* certificate, const std::string& server_name) {
  const std::string of = "the certificate of " + server_name;
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Failure(Errc::refused,
                     of + " has expired" + (certificate ? " on " + time_text(X509_get0_notAfter(certificate)) : ""));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Failure(Errc::refused, of + " is not valid yet");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Failure(Errc::refused, of + " is for another name", certificate ? names_of(certificate) : "");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return Failure(Errc::refused, of + " is self-signed and not trusted here");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return Failure(Errc::refused, of + " is signed by a self-signed authority that is not trusted here");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Failure(Errc::refused,
                     of + " is signed by an authority that is not trusted here, or its chain is incomplete");
    default:
      return Failure(Errc::refused, of + ": " + X509_verify_cert_error_string(verdict));
  }
}

}  // namespace

void SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Result<std::shared_ptr<TlsServer>> TlsServer::load(std::string certificate_file, std::string key_file) {
  std::shared_ptr<TlsServer> server(new TlsServer);
  server->certificate_file_ = std::move(certificate_file);
  server->key_file_ = std::move(key_file);
  Result<> loaded = server->reload();
  if (!loaded) return loaded.error();
  return server;
}

Result<> TlsServer::reload() {
  Result<ContextPtr> made = server_context(certificate_file_, key_file_);
  if (!made) return made.error();
  const std::lock_guard lock(mutex_);
  context_ = std::move(*made);
  return {};
}

Result<SslPtr> TlsServer::new_session() const {
  ContextPtr context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  SslPtr ssl(SSL_new(context.get()));  // holds a reference to the context
  if (!ssl) return Failure(Errc::internal, "TLS: " + openssl_reason());
  return ssl;
}

Result<std::shared_ptr<TlsClient>> TlsClient::make(TlsClientOptions options) {
  Result<ContextPtr> made = new_context(TLS_client_method());
  if (!made) return made.error();
  SSL_CTX* ctx = made->get();
  if (options.verify) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, keep_failed_certificate);
    ERR_clear_error();
    const int loaded = options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(ctx)
                                               : SSL_CTX_load_verify_locations(ctx, options.ca_file.c_str(), nullptr);
    if (loaded != 1) return Failure(Errc::usage, "authorities " + options.ca_file + ": " + openssl_reason());
  }
  std::shared_ptr<TlsClient> client(new TlsClient);
  client->options_ = std::move(options);
  client->context_ = std::move(*made);
  return client;
}

Result<SslPtr> TlsClient::new_session(const std::string& server_name) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (!ssl) return Failure(Errc::internal, "TLS: " + openssl_reason());
  const bool numeric = is_numeric_address(server_name);
  if (!numeric && !server_name.empty() && SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) != 1) {
    return Failure(Errc::usage, "not a host name");
  }
  if (!options_.verify) return ssl;
  if (server_name.empty()) return Failure(Errc::usage, "a certificate cannot be verified without a host name");
  const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), server_name.c_str())
                          : SSL_set1_host(ssl.get(), server_name.c_str());
  if (set != 1) return Failure(Errc::usage, "not a host name");
  return ssl;
}

Failure describe_handshake_failure(ssl_st* ssl, bool server, const std::string& server_name) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const long verdict = SSL_get_verify_result(ssl);
  if (!server && verdict != X509_V_OK && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER)) {
    auto* certificate = static_cast<X509*>(SSL_get_ex_data(ssl, failed_certificate_slot()));
    Failure failure = describe_certificate_failure(verdict, certificate, server_name);
    ERR_clear_error();
    return failure;
  }
  const std::string peer = server ? "the client" : server_name;
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      ERR_clear_error();
      return Failure(Errc::unsupported, peer + " does not speak TLS on this port");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
      ERR_clear_error();
      return Failure(Errc::unsupported, peer + " speaks no TLS version from 1.2 on");
    default:
      break;
  }
  if (code == 0) return Failure(Errc::closed, peer + " ended the connection in the TLS handshake");
  return Failure(Errc::closed, "TLS handshake with " + peer + " failed: " + openssl_reason());
}

}  // namespace wire::net
