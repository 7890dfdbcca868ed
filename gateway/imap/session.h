// One client's IMAP session (RFC 3501): reads commands, dispatches them by the table in commands.cpp, writes replies.
//
// Lives on one core at a time: that of the listener until the login, that of the account afterwards. Held by a
// shared_ptr, because an IDLE's pushes run beside the coroutine that waits for DONE. What commands use is public; the
// rest is the loop's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/imap/reply.h"
#include "gateway/imap/server.h"
#include "gateway/imap/view.h"
#include "gateway/source/account.h"
#include "wire/imap/cmd/append.h"
#include "wire/imap/command.h"
#include "wire/imap/framer.h"
#include "wire/imap/writer.h"

namespace gateway::imap {

// Bits, for the table.
enum class State : uint8_t { not_authenticated = 1, authenticated = 2, selected = 4, logout = 8 };

// The selected mailbox. CLOSE, UNSELECT and another SELECT destroy it.
struct Selected {
  source::MailboxPtr box;
  View view;
  bool writable;
};

// An APPEND whose message is on its way in: made when its literal is announced, used when the line is complete.
struct IncomingMessage {
  storage::BodyWriter writer;
  uint64_t size = 0;
  bool nul = false;
  std::optional<Failure> failed;
};

class Session final : public std::enable_shared_from_this<Session>,
                      public source::AccountWatcher,
                      public source::MailboxWatcher {
 public:
  // `hold`: what its stream counts for.
  Session(std::shared_ptr<const Environment> environment, wire::net::StreamPtr stream, config::ListenSecurity security,
          source::Descriptors::Hold hold = {});
  ~Session() override;

  // Until the client is gone, or, after a login, until the session must go on elsewhere: then moves_to() is set.
  awaitable<void> run();
  // The core that the session must be run on next. The caller rebinds nothing: continue_on() does.
  std::optional<asio::any_io_executor> moves_to() const { return moves_to_; }
  void continue_on(asio::any_io_executor core);  // the last call on the old core

  // On the session's core: say BYE and go; at once if the client is idle, else after the running command.
  void must_leave(const std::string& why);

  // --- for commands
  const Environment& environment() const { return *environment_; }
  wire::net::Stream& stream() { return *stream_; }
  State state() const { return state_; }
  Asker asker() const;
  const std::string& client_address() const { return client_address_; }

  // Replies are collected and leave in one write when the client waits, or beyond 64 KiB.
  std::string& out() { return out_; }
  awaitable<void> flush();  // throws FailureError when the client is gone
  bool full() const { return out_.size() >= 64 * 1024; }
  awaitable<void> flush_if_full();  // also lets the core's other sessions have their turn

  // Not before the login.
  source::MailAccount& account() { return *account_; }
  const source::MailAccountPtr& account_ptr() { return account_; }
  Selected* selected() { return selected_ ? &*selected_ : nullptr; }
  const storage::MailboxSnapshotPtr& newest() const { return selected_->box->current(); }
  Wording wording(bool may_expunge) const { return {may_expunge, qresync_, condstore_}; }

  // It was asked to go and will, once the running command is done.
  bool leaving() const { return leave_why_.has_value(); }
  bool condstore() const { return condstore_; }
  bool qresync() const { return qresync_; }
  // A CONDSTORE enabling command (RFC 7162 3.1): the first one with a mailbox selected tells HIGHESTMODSEQ.
  void enable_condstore();
  void enable_qresync();

  bool login_allowed() const;  // a password may be said on this stream
  awaitable<Reply> log_in(std::string user, std::string authzid, std::string password);
  // STARTTLS: sends `reply`, then the handshake. Errc::refused: pipelined bytes followed (RFC 3501 6.2.1).
  awaitable<Result<void>> start_tls(std::string reply);
  bool tls_possible() const;
  // The client's next line, as for AUTHENTICATE and IDLE; empty when the client is gone (state is logout then).
  awaitable<std::optional<std::string>> read_line();

  void select(source::MailboxPtr box, bool writable, Uid recent_from);
  void unselect();
  // Leads the client to the newest snapshot, as far as allowed now.
  void advance(bool may_expunge);
  // IDLE: pushes changes until the client sends its next line.
  awaitable<std::optional<std::string>> idle_until_line();

  void log_out(std::string bye);  // writes the BYE
  std::optional<IncomingMessage> take_incoming() { return std::exchange(incoming_, std::nullopt); }

  // What the access log says of the running command.
  void about(std::string mailbox, uint64_t count) {
    access_.mailbox = std::move(mailbox);
    access_.count = count;
  }
  void counted(uint64_t n) { access_.count = n; }

  // --- watchers
  void on_must_leave(const std::string& why) override { must_leave(why); }
  void on_changed() override;

 private:
  awaitable<void> greet();
  awaitable<bool> next_frame();  // false: the session is over
  awaitable<bool> fill();
  awaitable<void> on_literal();
  void refuse_literal(std::string command, std::string mailbox, const Reply& reply);
  awaitable<std::optional<Reply>> prepare_append(const wire::imap::cmd::Append& append);
  void on_chunk();
  awaitable<void> execute();
  awaitable<Reply> dispatch(wire::imap::CommandLine& line);
  void finish_command(const std::string& tag, const Reply& reply);
  void tagged(const std::string& tag, const Reply& reply);
  void attach_account();
  void detach();
  static awaitable<void> push(std::shared_ptr<Session> self);
  awaitable<void> push_changes();
  void start_push();
  bool change_to_push() const;
  std::chrono::milliseconds patience() const;

  const std::shared_ptr<const Environment> environment_;
  const source::Descriptors::Hold descriptor_;
  wire::net::StreamPtr stream_;
  const config::ListenSecurity security_;
  std::string client_address_;
  std::unique_ptr<Sessions::Ticket> ticket_;

  State state_ = State::not_authenticated;
  bool greeted_ = false;
  std::optional<asio::any_io_executor> moves_to_;

  wire::imap::Framer framer_;
  std::string buffer_;      // empty while parked
  std::string_view input_;  // what of it is not consumed
  std::string out_;

  source::MailAccountPtr account_;
  std::optional<Selected> selected_;
  bool condstore_ = false, qresync_ = false;
  std::optional<IncomingMessage> incoming_;

  bool parked_ = false;   // waiting for the client with nothing to write
  bool idling_ = false;   // in IDLE
  bool pushing_ = false;  // a push is spawned and not done
  std::optional<std::string> leave_why_;
  std::optional<wire::net::TaskGroup> pushes_;

  uint32_t wrong_passwords_ = 0, bad_commands_ = 0;
  AccessRecord access_;
  const std::chrono::steady_clock::time_point connected_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point command_start_;
  uint64_t bytes_in_before_ = 0, bytes_out_before_ = 0;
};

}  // namespace gateway::imap
