// The literals of a session: small ones go into the line, messages to the store while they arrive.
#include "gateway/imap/session.h"
#include "gateway/imap/session_limits.h"

namespace gateway::imap {

awaitable<void> Session::on_literal() {
  const wire::imap::AnnouncedLiteral literal = framer_.announced();
  auto append = wire::imap::cmd::parse_append_so_far(framer_.text(), framer_.literals_so_far());
  if (append && (static_cast<uint8_t>(state_) & 6) != 0) {
    auto refusal = co_await prepare_append(*append);
    if (refusal) {
      refuse_literal("APPEND", append->mailbox.octets, *refusal);
      co_return;
    }
    framer_.stream();
  } else if (literal.size >
             (state_ == State::not_authenticated ? stranger_limits : wire::imap::FramerLimits()).max_inline_literal) {
    refuse_literal(std::string(), std::string(), Reply{Condition::bad, Code::limit, "Literal is too large here"});
    co_return;
  }
  if (literal.synchronizing) out_ += "+ OK\r\n";
}

void Session::refuse_literal(std::string command, std::string mailbox, const Reply& reply) {
  access_ = AccessRecord();
  access_.command = std::move(command);
  access_.mailbox = std::move(mailbox);
  command_start_ = std::chrono::steady_clock::now();
  bytes_out_before_ = stream_->bytes_written() + out_.size();
  finish_command(wire::imap::tag_of(framer_.text()), reply);
  framer_.refuse();
}

// What can be known before the message is sent is answered before (RFC 3501 6.3.11).
awaitable<std::optional<Reply>> Session::prepare_append(const wire::imap::cmd::Append& append) {
  incoming_.reset();
  if (append.messages.size() != 1) co_return Reply::no(Code::cannot, "One message at a time, please");
  const auto& message = append.messages.back();
  if (message.binary) co_return Reply::no(Code::unknown_cte, "Binary literals are not supported");
  if (message.size == 0) co_return Reply::no(Code::cannot, "A message cannot be empty");
  if (message.size > environment_->config->max_append_bytes) {
    co_return Reply::no(Code::too_big, "Message is larger than this server takes");
  }
  for (const std::string& keyword : message.flags.flags.keywords) {
    if (keyword.starts_with('\\')) co_return Reply::bad("Unknown system flag");
  }
  access_.command = "APPEND";
  auto tree = co_await account_->tree();
  if (!tree) co_return reply_to(tree.error(), asker());
  const storage::MailboxInfo* box = (*tree)->find(append.mailbox.octets);
  if (!box || (box->attributes & storage::non_existent)) co_return Reply::no(Code::try_create, "No such mailbox");
  if (box->attributes & storage::no_select) co_return Reply::no(Code::cannot, "Mailbox cannot hold messages");
  incoming_.emplace(IncomingMessage{account_->new_body(), 0, false, std::nullopt});
  co_return std::nullopt;
}

void Session::on_chunk() {
  const std::string_view chunk = framer_.chunk();
  incoming_->size += chunk.size();
  if (incoming_->nul || incoming_->failed) return;  // drained: the answer is due after the last byte
  if (chunk.find('\0') != std::string_view::npos) {
    incoming_->nul = true;
    incoming_->writer.discard();
    return;
  }
  auto written = incoming_->writer.write(wire::base::as_bytes(chunk));
  if (!written) incoming_->failed = written.error();
}

}  // namespace gateway::imap
