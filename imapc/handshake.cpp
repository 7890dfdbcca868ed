// From the first byte to a connection that may carry a password: greeting, capabilities, STARTTLS.
#include "imapc/session.h"
#include "wire/imap/cmd/simple.h"
#include "wire/imap/command.h"
#include "wire/net/tls.h"

namespace imapc {

using wire::imap::Condition;
using wire::imap::Framer;
using wire::imap::Response;
using wire::imap::Status;

namespace {
constexpr size_t early_buffer = 4096;
// A server that says more than this before its answer to STARTTLS is not worth waiting for.
constexpr size_t max_early_lines = 1000;

Failure silent_end() { return Failure(Errc::unavailable, "the server closed the connection before it was of use"); }
}  // namespace

// One reply, read without the reader task. What follows it stays in early_.
awaitable<Result<Response>> Session::next_response() {
  for (;;) {
    std::string_view in(early_);
    const Result<Framer::Event> event = framer_->next(in);
    if (!event) co_return event.error();
    if (*event == Framer::Event::frame) {
      Result<Response> response = wire::imap::parse_response(framer_->frame(), options_.leniency);
      early_.erase(0, early_.size() - in.size());
      co_return response;
    }
    early_.erase(0, early_.size() - in.size());
    if (*event != Framer::Event::more) continue;
    char buffer[early_buffer];
    const Result<size_t> n = co_await stream_->read_some(buffer, options_.login_timeout);
    if (!n) co_return n.error();
    if (*n == 0) co_return silent_end();
    early_.append(buffer, *n);
  }
}

// A command without arguments, awaited alone.
awaitable<Result<Status>> Session::early_command(std::string name) {
  const std::string tag = "f" + std::to_string(++last_tag_);
  const std::string line = tag + ' ' + name + "\r\n";
  const Result<> sent = co_await stream_->write_all(line, options_.write_timeout);
  if (!sent) co_return sent.error();
  ++commands_sent;
  for (size_t i = 0; i < max_early_lines; ++i) {
    Result<Response> response = co_await next_response();
    if (!response) co_return response.error();
    learn(*response);
    const Status* status = std::get_if<Status>(&*response);
    if (!status) continue;
    if (status->condition == Condition::bye) {
      co_return Failure(Errc::unavailable, "the server ended the connection (BYE)", status->text);
    }
    if (status->tag == tag) co_return *status;
    if (status->tagged()) co_return Failure(Errc::malformed, "the server answered a command that is not in flight");
  }
  co_return Failure(Errc::limit, "the server sends too much that nobody asked for");
}

awaitable<Result<>> Session::greet(Endpoint endpoint) {
  Result<Response> first = co_await next_response();
  if (!first) {
    if (first.error().code == Errc::malformed)
      co_return Failure(Errc::unsupported, "what answers there is no IMAP server");
    co_return first.error();
  }
  const Status* hello = std::get_if<Status>(&*first);
  if (!hello || hello->tagged()) co_return Failure(Errc::unsupported, "what answers there is no IMAP server");
  greeting = *hello;
  learn(*first);
  if (hello->condition == Condition::bye) {
    co_return Failure(Errc::unavailable, "the server takes no connection now (BYE)", hello->text);
  }
  const bool wanted = endpoint.security == Security::starttls || endpoint.security == Security::starttls_if_offered;
  if (!wanted || stream_->is_tls()) co_return Result<>();
  const bool demanded = endpoint.security == Security::starttls;
  if (hello->condition == Condition::preauth) {
    // RFC 3501 7.1.4 with 6.2.1: STARTTLS is not possible any more, and an attacker may have said so.
    if (demanded) co_return Failure(Errc::refused, "the server skips the login, so TLS cannot be started");
    co_return Result<>();
  }
  if (capabilities.empty()) {
    const Result<Status> asked = co_await early_command("CAPABILITY");
    if (!asked) co_return asked.error();
  }
  if (!can("STARTTLS")) {
    if (demanded) co_return Failure(Errc::unsupported, "the server does not offer STARTTLS");
    co_return Result<>();
  }
  wire::net::TlsClientOptions tls_options;
  tls_options.verify = endpoint.verify;
  tls_options.ca_file = endpoint.ca_file;
  Result<std::shared_ptr<wire::net::TlsClient>> tls = wire::net::TlsClient::make(std::move(tls_options));
  if (!tls) co_return tls.error();
  const Result<Status> answer = co_await early_command("STARTTLS");
  if (!answer) co_return answer.error();
  if (answer->condition != Condition::ok) {
    if (demanded) co_return Failure(Errc::unavailable, "STARTTLS was refused", answer->text);
    co_return Result<>();
  }
  // Whatever was said in plain text is forgotten: somebody else may have said it (RFC 3501 6.2.1).
  early_.clear();
  framer_ = std::make_unique<Framer>(Framer::Side::client, options_.limits.framer, options_.leniency);
  capabilities = wire::imap::Capabilities();
  server_id = wire::imap::IdParams();
  co_return co_await stream_->start_tls_client(*tls, endpoint.host, options_.login_timeout);
}

}  // namespace imapc
