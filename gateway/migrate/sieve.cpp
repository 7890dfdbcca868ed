#include "gateway/migrate/sieve.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>

#include "gateway/source/upstream_connect.h"
#include "imapc/endpoint.h"
#include "wire/net/connect.h"
#include "wire/net/pool.h"
#include "wire/net/tls.h"

namespace gateway::migrate {

using storage::Errc;
using storage::Failure;
using wire::base::iequals;
using wire::base::Result;

namespace {

constexpr uint16_t custom_port = 4190;
constexpr wire::net::Timeout connect_patience{5'000};
constexpr wire::net::Timeout step_patience{20'000};
constexpr size_t max_answer = 64 * 1024;

struct Word {
  bool quoted = false;  // a string, else an atom
  std::string text;
};
using Line = std::vector<Word>;
struct Answer {
  std::vector<Line> lines;
  std::string status;  // OK, NO, BYE
  std::string text;    // the stranger's
};

class Talk {
 public:
  explicit Talk(wire::net::StreamPtr stream) : stream_(std::move(stream)) {}

  awaitable<Result<void>> send(std::string text) {
    auto sent = co_await stream_->write_all(text, step_patience);
    control::wipe(text);
    co_return sent;
  }

  // Lines up to OK, NO or BYE.
  awaitable<Result<Answer>> answer() {
    Answer out;
    size_t taken = 0;
    for (;;) {
      auto line = co_await next_line(taken);
      if (!line) co_return line.error();
      if (line->empty()) continue;
      const Word& first = line->front();
      const bool last =
          !first.quoted && (iequals(first.text, "OK") || iequals(first.text, "NO") || iequals(first.text, "BYE"));
      if (!last) {
        out.lines.push_back(std::move(*line));
        continue;
      }
      out.status = first.text;
      if (line->size() > 1) out.text = line->back().text;
      co_return out;
    }
  }

  awaitable<Result<void>> start_tls(const SieveSecurity& security) {
    wire::net::TlsClientOptions options;
    options.verify = security.verify;
    options.ca_file = security.ca_file;
    auto tls = wire::net::TlsClient::make(std::move(options));
    if (!tls) co_return tls.error();
    // What came in plain text is forgotten: somebody else may have said it.
    in_.clear();
    co_return co_await stream_->start_tls_client(*tls, security.host, step_patience);
  }

  awaitable<void> leave() {
    std::string goodbye = "LOGOUT\r\n";
    (void)co_await send(std::move(goodbye));
    co_await stream_->shutdown(step_patience);
  }

 private:
  // Appends until `in_` has that many bytes.
  awaitable<Result<void>> need(size_t bytes, size_t& taken) {
    while (in_.size() < bytes) {
      char buffer[4096];
      auto n = co_await stream_->read_some(buffer, step_patience);
      if (!n) co_return n.error();
      if (*n == 0) co_return Failure(Errc::closed, "the ManageSieve server closed the connection");
      taken += *n;
      if (taken > max_answer) co_return Failure(Errc::limit, "the ManageSieve server sends too much");
      in_.append(buffer, *n);
    }
    co_return Result<void>();
  }

  // One line as words; literals are read with it (RFC 5804 4).
  awaitable<Result<Line>> next_line(size_t& taken) {
    Line out;
    size_t at = 0;
    for (;;) {
      if (auto ok = co_await need(at + 1, taken); !ok) co_return ok.error();
      const char c = in_[at];
      if (c == '\n') {
        in_.erase(0, at + 1);
        co_return out;
      }
      if (c == ' ' || c == '\r' || c == '(' || c == ')') {
        ++at;
        continue;
      }
      Word word;
      if (c == '"') {
        word.quoted = true;
        for (++at;; ++at) {
          if (auto ok = co_await need(at + 2, taken); !ok) co_return ok.error();
          if (in_[at] == '"') break;
          if (in_[at] == '\\') ++at;
          word.text += in_[at];
        }
        ++at;
      } else if (c == '{') {
        size_t end = at;
        while (in_[end] != '\n') {
          ++end;
          if (auto ok = co_await need(end + 1, taken); !ok) co_return ok.error();
        }
        size_t length = 0;
        const char* digits = in_.data() + at + 1;
        const auto parsed = std::from_chars(digits, in_.data() + end, length);
        if (parsed.ptr == digits || length > max_answer) {
          co_return Failure(Errc::malformed, "the ManageSieve server sent a literal that is none");
        }
        if (auto ok = co_await need(end + 1 + length, taken); !ok) co_return ok.error();
        word.quoted = true;
        word.text = in_.substr(end + 1, length);
        at = end + 1 + length;
      } else {
        while (in_[at] != ' ' && in_[at] != '\r' && in_[at] != '\n' && in_[at] != '(' && in_[at] != ')') {
          word.text += in_[at++];
          if (auto ok = co_await need(at + 1, taken); !ok) co_return ok.error();
        }
      }
      out.push_back(std::move(word));
    }
  }

  wire::net::StreamPtr stream_;
  std::string in_;
};

const std::string* capability(const Answer& hello, std::string_view name) {
  static const std::string present;
  for (const Line& line : hello.lines) {
    if (!line.front().quoted || !iequals(line.front().text, name)) continue;
    return line.size() > 1 ? &line[1].text : &present;
  }
  return nullptr;
}

bool has_word(const std::string& list, std::string_view word) {
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(' ', at), list.size());
    if (iequals(std::string_view(list).substr(at, end - at), word)) return true;
    at = end + 1;
  }
  return false;
}

std::string base64(const std::string& bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

awaitable<Result<SieveLogin>> login_of(source::Services& services, const config::Upstream& upstream, std::string user) {
  SieveLogin out;
  auto admin = source::admin_of(upstream);
  if (!admin) co_return admin.error();
  if (*admin) {
    const imapc::Admin& a = **admin;
    out.password = control::Secret(a.password.reveal());
    if (a.method == imapc::Admin::Method::authzid) {
      out.authzid = user;
      out.authcid = a.user;
    } else {
      out.authcid = user + a.separator + a.user;
    }
    co_return out;
  }
  control::Control* control = &services.control;
  auto look = [control, user] { return control->source_password(user); };
  auto known = co_await wire::net::run_on_pool(services.blocking, look);
  if (!known) co_return known.error();
  if (!*known) co_return Failure(Errc::auth, "the user's password at the source is not known here");
  out.authcid = user;
  out.password = control::Secret(std::move(**known));
  co_return out;
}

}  // namespace

awaitable<Result<std::vector<SieveScript>>> list_scripts(wire::net::StreamPtr stream, SieveSecurity security,
                                                         SieveLogin login) {
  const bool tls_already = stream->is_tls();
  Talk talk(std::move(stream));
  auto hello = co_await talk.answer();
  if (!hello) co_return hello.error();
  if (!iequals(hello->status, "OK")) {
    co_return Failure(Errc::unavailable, "the ManageSieve server takes no connection now", hello->text);
  }
  if (!tls_already && security.offer_tls && capability(*hello, "STARTTLS")) {
    std::string start = "STARTTLS\r\n";
    if (auto ok = co_await talk.send(std::move(start)); !ok) co_return ok.error();
    auto answer = co_await talk.answer();
    if (!answer) co_return answer.error();
    if (!iequals(answer->status, "OK")) co_return Failure(Errc::unavailable, "STARTTLS was refused", answer->text);
    if (auto ok = co_await talk.start_tls(security); !ok) co_return ok.error();
    hello = co_await talk.answer();
    if (!hello) co_return hello.error();
  } else if (!tls_already && security.demand_tls) {
    co_return Failure(Errc::unsupported, "the ManageSieve server offers no TLS, and a password needs it");
  }
  const std::string* mechanisms = capability(*hello, "SASL");
  if (!mechanisms || !has_word(*mechanisms, "PLAIN")) {
    co_return Failure(Errc::unsupported, "the ManageSieve server offers no login that is known here");
  }
  std::string plain = login.authzid;
  plain += '\0';
  plain += login.authcid;
  plain += '\0';
  plain += login.password.value();
  std::string command = "AUTHENTICATE \"PLAIN\" \"" + base64(plain) + "\"\r\n";
  control::wipe(plain);
  if (auto ok = co_await talk.send(std::move(command)); !ok) co_return ok.error();
  auto answer = co_await talk.answer();
  if (!answer) co_return answer.error();
  if (!iequals(answer->status, "OK")) co_return Failure(Errc::auth, "the ManageSieve server refused the login");
  std::string list = "LISTSCRIPTS\r\n";
  if (auto ok = co_await talk.send(std::move(list)); !ok) co_return ok.error();
  answer = co_await talk.answer();
  if (!answer) co_return answer.error();
  if (!iequals(answer->status, "OK")) co_return Failure(Errc::refused, "LISTSCRIPTS was refused", answer->text);
  std::vector<SieveScript> out;
  for (const Line& line : answer->lines) {
    if (!line.front().quoted) continue;
    SieveScript script;
    script.name = line.front().text;
    script.active = line.size() > 1 && iequals(line[1].text, "ACTIVE");
    out.push_back(std::move(script));
  }
  co_await talk.leave();
  co_return out;
}

awaitable<SieveLook> look_for_sieve(source::Services& services, const config::Upstream& upstream, std::string user) {
  SieveLook out;
  wire::net::ConnectOptions where;
  where.host = upstream.sieve ? upstream.sieve->host : upstream.imap->host;
  where.port = upstream.sieve ? upstream.sieve->port : custom_port;
  where.timeout = where.per_address = connect_patience;
  SieveSecurity security;
  security.offer_tls = !upstream.tls.off;
  security.demand_tls = upstream.imap && upstream.imap->scheme == "imaps";
  security.verify = upstream.tls.verify;
  security.ca_file = upstream.tls.ca_file;
  security.host = where.host;
  const std::string place = where.host + " port " + std::to_string(where.port);
  auto stream = co_await wire::net::connect(std::move(where));
  if (!stream) {
    if (!upstream.sieve) out.found = SieveLook::Found::nobody_answers;
    out.what = "no ManageSieve server answers at " + place;
    co_return out;
  }
  auto login = co_await login_of(services, upstream, std::move(user));
  if (!login) {
    out.what = login.error().describe();
    co_return out;
  }
  auto scripts = co_await list_scripts(std::move(*stream), std::move(security), std::move(*login));
  if (!scripts) {
    out.what = place + ": " + scripts.error().describe();
    co_return out;
  }
  out.found = SieveLook::Found::no_script;
  for (const SieveScript& s : *scripts) {
    if (!s.active) continue;
    out.found = SieveLook::Found::script;
    out.what = s.name;
  }
  co_return out;
}

}  // namespace gateway::migrate
