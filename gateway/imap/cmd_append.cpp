// RFC 3501 6.3.11, APPENDUID (RFC 4315), APPENDLIMIT (RFC 7889). The message has come in already, chunk by chunk
// (Session::on_literal); an APPEND belongs to the moment in which its last byte arrived (design 9).
#include "gateway/imap/commands.h"
#include "wire/imap/cmd/append.h"

namespace gateway::imap {

awaitable<Reply> cmd_append(Session& s, wire::imap::CommandLine& line) {
  auto incoming = s.take_incoming();
  auto args = wire::imap::parse_args<wire::imap::cmd::Append>(line);
  if (!args) co_return reply_to(args.error(), s.asker());
  if (!incoming || args->messages.size() != 1) co_return Reply::bad("Exactly one message, as a literal");
  s.about(args->mailbox.octets, 1);
  if (incoming->nul) co_return Reply::no(Code::cannot, "The message contains NUL bytes, which IMAP cannot carry");
  if (incoming->failed) co_return reply_to(*incoming->failed, s.asker());
  auto body = incoming->writer.finish();
  if (!body) co_return reply_to(body.error(), s.asker());
  auto& message = args->messages.front();
  source::AppendItem item{std::move(message.flags.flags), message.date, std::move(*body)};
  auto outcome = co_await s.account().append(std::move(args->mailbox.octets), std::move(item));
  if (!outcome) co_return reply_to(outcome.error(), s.asker(), Code::try_create);
  if (!outcome->uid_validity) co_return Reply::ok("Appended");
  RespCode code(Code::append_uid);
  code.uid_validity = outcome->uid_validity;
  code.uids.ranges.push_back({outcome->uid, outcome->uid});
  co_return Reply::ok(std::move(code), "Appended");
}

}  // namespace gateway::imap
