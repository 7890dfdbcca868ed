// TLS settings shared by many streams: certificates of a server, trust of a client. TLS 1.2 at least; no renegotiation,
// no session cache, no tickets (memory and nothing to steal).
//
// Any thread. Held by shared_ptr because a stream keeps what it was made with while reload() installs new ones.
// OpenSSL writes to sockets with write(2), so making one of these sets SIGPIPE to be ignored.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "wire/base/failure.h"

struct ssl_ctx_st;
struct ssl_st;

namespace wire::net {

using base::Errc;
using base::Failure;
using base::Result;

struct SslFree {
  void operator()(ssl_st* ssl) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslFree>;

class TlsServer {
 public:
  // PEM files. The key must belong to the certificate.
  static Result<std::shared_ptr<TlsServer>> load(std::string certificate_file, std::string key_file);
  // Reads the files again for the connections to come; on failure the old ones stay.
  Result<> reload();
  Result<SslPtr> new_session() const;

 private:
  TlsServer() = default;
  std::string certificate_file_, key_file_;
  mutable std::mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_;  // under mutex_; replaced by reload()
};

struct TlsClientOptions {
  bool verify = true;   // chain and host name
  std::string ca_file;  // PEM; empty: the system's store
};

class TlsClient {
 public:
  static Result<std::shared_ptr<TlsClient>> make(TlsClientOptions options);
  Result<SslPtr> new_session(const std::string& server_name) const;

 private:
  TlsClient() = default;
  TlsClientOptions options_;
  std::shared_ptr<ssl_ctx_st> context_;
};

// Why the handshake just failed on this thread, in words for an operator.
Failure describe_handshake_failure(ssl_st* ssl, bool server, const std::string& server_name);

}  // namespace wire::net
