// What a mailbox or account has beyond mail: rights, quota, annotations (RFC 4314, 9208, 5464).
#include "imapc/commands.h"

namespace imapc {

using wire::imap::Writer;

namespace {

constexpr size_t max_lines = 1000;

// Keeps the untagged replies of one kind as text: few, short, and read by a person.
class LinesCommand : public TypedCommand<std::vector<std::string>> {
 public:
  LinesCommand(Session& session, const char* command, std::string reply)
      : TypedCommand(session.executor(), command), reply_(std::move(reply)) {}
  Result<bool> take(wire::imap::Response& reply, bool) override {
    auto* unknown = std::get_if<wire::imap::UnknownData>(&reply);
    if (!unknown || !unknown->text.starts_with(reply_)) return false;
    if (value.size() == max_lines) return Failure(Errc::limit, "the server sent too many lines for one command");
    value.push_back(unknown->text.substr(reply_.size()));
    return true;
  }

 private:
  const std::string reply_;
};

}  // namespace

Call<std::vector<std::string>> Connection::get_acl(std::string mailbox) {
  auto command = std::make_shared<LinesCommand>(*session_, "GETACL", "ACL ");
  session_->submit(command, [&mailbox](Writer& w) { w.raw("GETACL ").astring(mailbox); });
  return Call<std::vector<std::string>>(command);
}

Call<std::vector<std::string>> Connection::get_quota_root(std::string mailbox) {
  auto command = std::make_shared<LinesCommand>(*session_, "GETQUOTAROOT", "QUOTA ");
  session_->submit(command, [&mailbox](Writer& w) { w.raw("GETQUOTAROOT ").astring(mailbox); });
  return Call<std::vector<std::string>>(command);
}

Call<std::vector<std::string>> Connection::get_comments(std::string mailbox) {
  auto command = std::make_shared<LinesCommand>(*session_, "GETMETADATA", "METADATA ");
  session_->submit(command, [&mailbox](Writer& w) {
    w.raw("GETMETADATA ").astring(mailbox).raw(" (/private/comment /shared/comment)");
  });
  return Call<std::vector<std::string>>(command);
}

}  // namespace imapc
