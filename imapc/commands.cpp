#include "imapc/commands.h"

#include <algorithm>

namespace imapc {

using wire::imap::Code;
using wire::imap::Condition;
using wire::imap::Response;
using wire::imap::Status;

namespace {
Failure too_much() { return Failure(Errc::limit, "the server's answer is larger than any mailbox may be"); }

FlagChange change_of(FetchItem& item) {
  FlagChange change;
  if (item.uid) change.uid = *item.uid;
  change.seq = item.seq;
  if (item.modseq) change.modseq = *item.modseq;
  change.flags = std::move(item.flags);
  return change;
}
}  // namespace

bool may_contain(const wire::imap::SequenceSet& set, Uid uid) {
  for (const auto& [first, last] : set.ranges) {
    if (first == 0 || last == 0) return true;
    if (uid.value >= std::min(first, last) && uid.value <= std::max(first, last)) return true;
  }
  return false;
}

Result<bool> ListCommand::take(Response& reply, bool) {
  if (auto* data = std::get_if<wire::imap::ListData>(&reply)) {
    if (data->lsub != lsub_) return false;
    if (value.mailboxes.size() == limit_) return Failure(Errc::limit, "the server lists too many mailboxes");
    value.mailboxes.push_back(std::move(*data));
    return true;
  }
  auto* status = std::get_if<StatusData>(&reply);
  if (!status || !with_status_) return false;
  if (value.status.size() == limit_) return Failure(Errc::limit, "the server lists too many mailboxes");
  value.status.push_back(std::move(*status));
  return true;
}

Result<bool> StatusCommand::take(Response& reply, bool head) {
  auto* data = std::get_if<StatusData>(&reply);
  if (!data) return false;
  // The oldest takes it in any case: some servers write a name in another form than they were asked.
  if (!head && data->name.octets != mailbox_) return false;
  value = std::move(*data);
  return true;
}

SelectCommand::SelectCommand(Session& session, bool examine)
    : TypedCommand(session.executor(), examine ? "EXAMINE" : "SELECT"),
      examine_(examine),
      limit_(session.options().limits.max_results),
      selected_(session.selected) {
  value.read_only = examine;
}

bool SelectCommand::take_code(wire::imap::RespCode& code) {
  switch (code.code) {
    case Code::uid_validity:
      value.uid_validity = UidValidity(static_cast<uint32_t>(code.number));
      return true;
    case Code::uid_next:
      value.uid_next = Uid(static_cast<uint32_t>(code.number));
      return true;
    case Code::highest_modseq:
      value.highest_modseq = ModSeq(code.number);
      return true;
    case Code::no_modseq:
      value.highest_modseq = ModSeq();
      return true;
    case Code::permanent_flags:
      value.permanent_flags = std::move(code.flags);
      return true;
    case Code::uid_not_sticky:
      value.uid_not_sticky = true;
      return true;
    case Code::mailbox_id:
      value.mailbox_id = std::move(code.text);
      return true;
    case Code::read_only:
      value.read_only = true;
      return true;
    case Code::read_write:
      value.read_only = examine_;
      return true;
    case Code::unseen:
      return true;
    case Code::closed: {
      // What came before was about the mailbox selected until now (RFC 7162 3.2.11).
      const bool read_only = value.read_only;
      value = Selected();
      value.read_only = read_only;
      return true;
    }
    default:
      return false;
  }
}

Result<bool> SelectCommand::take(Response& reply, bool head) {
  if (!head) return false;
  if (auto* status = std::get_if<Status>(&reply)) return status->condition == Condition::ok && take_code(status->code);
  if (auto* exists = std::get_if<wire::imap::ExistsData>(&reply)) return value.exists = exists->count, true;
  if (std::holds_alternative<wire::imap::RecentData>(reply)) return true;
  if (auto* flags = std::get_if<wire::imap::FlagsData>(&reply)) return value.flags = std::move(flags->flags), true;
  if (auto* vanished = std::get_if<wire::imap::VanishedData>(&reply)) {
    results_ += vanished->uids.ranges().size();
    if (results_ > limit_) return too_much();
    value.vanished.add(vanished->uids);
    return true;
  }
  auto* item = std::get_if<FetchItem>(&reply);
  if (!item || !item->sections.empty()) return false;
  if (++results_ > limit_) return too_much();
  value.changed.push_back(change_of(*item));
  return true;
}

void SelectCommand::succeed(Status& status) {
  take_code(status.code);
  selected_->selected = true;
  selected_->read_only = value.read_only;
}

Errc SelectCommand::refusal(const Status& status) const {
  selected_->selected = false;
  return Command::refusal(status);
}

void FetchCommand::abandon() {
  Command::abandon();
  sink_ = nullptr;
}

bool FetchCommand::takes_body(const FetchItem& so_far, const FetchSection&) const {
  return !request_.parts.empty() && (!so_far.uid || may_contain(request_.set, *so_far.uid));
}

// A reply to a UID FETCH always has its UID (RFC 3501 6.4.8). The oldest command takes what has anything it asked for,
// since a server may spread one message over several replies; a younger one only what has all of it.
bool FetchCommand::answers(const FetchItem& item, bool head) const {
  if (!item.uid || !may_contain(request_.set, *item.uid)) return false;
  using Fetch = wire::imap::cmd::Fetch;
  int asked = 0, there = 0;
  auto count = [&](bool wanted, bool present) {
    asked += wanted;
    there += wanted && present;
  };
  count(request_.wants(Fetch::flags), item.flags.has_value());
  count(request_.wants(Fetch::internal_date), item.internal_date.has_value());
  count(request_.wants(Fetch::rfc822_size), item.size.has_value());
  count(request_.wants(Fetch::envelope), !item.envelope.empty());
  count(request_.wants(Fetch::body), !item.body.empty());
  count(request_.wants(Fetch::body_structure), !item.body_structure.empty());
  count(request_.wants(Fetch::modseq) || request_.changed_since.has_value(), item.modseq.has_value());
  count(!request_.parts.empty(), !item.sections.empty());
  if (asked == 0) return true;  // UID alone, or object ids, which a message may lack
  return head ? there > 0 : there == asked;
}

Result<bool> FetchCommand::take(Response& reply, bool head) {
  if (auto* vanished = std::get_if<wire::imap::VanishedData>(&reply)) {
    if (!vanished->earlier || !request_.vanished) return false;
    if (sink_) sink_->on_vanished(vanished->uids);
    return true;
  }
  auto* item = std::get_if<FetchItem>(&reply);
  if (!item || !answers(*item, head)) return false;
  if (!sink_) return true;
  for (const FetchSection& section : item->sections) {
    if (section.value.kind == wire::imap::StringRef::Kind::streamed) continue;  // has passed already
    const std::string_view bytes = section.value.bytes();
    sink_->on_body_begin(*item, section, bytes.size());
    if (!bytes.empty()) sink_->on_body_bytes(bytes);
    sink_->on_body_end();
  }
  sink_->on_message(*item);
  return true;
}

Result<bool> StoreCommand::take(Response& reply, bool) {
  auto* item = std::get_if<FetchItem>(&reply);
  if (!item || !item->sections.empty() || (!item->flags && !item->modseq)) return false;
  if (!item->uid || !may_contain(set_, *item->uid)) return false;
  if (value.changed.size() == limit_) return too_much();
  value.changed.push_back(change_of(*item));
  return true;
}

void StoreCommand::succeed(Status& status) {
  if (status.code.code == Code::modified) value.modified = std::move(status.code.modified);
}

bool CopyCommand::take_code(wire::imap::RespCode& code) {
  if (code.code != Code::copy_uid) return false;
  value.uid_validity = code.uid_validity;
  value.source = std::move(code.source);
  value.uids = std::move(code.uids);
  return true;
}

// MOVE tells COPYUID in an untagged OK, before its EXPUNGEs (RFC 6851 4.3).
Result<bool> CopyCommand::take(Response& reply, bool) {
  auto* status = std::get_if<Status>(&reply);
  return status && status->condition == Condition::ok && take_code(status->code);
}

void CopyCommand::succeed(Status& status) { take_code(status.code); }

Result<bool> ExpungeCommand::take(Response& reply, bool head) {
  if (!head) return false;
  if (auto* expunge = std::get_if<wire::imap::ExpungeData>(&reply)) {
    if (value.seqs.size() == limit_) return too_much();
    value.seqs.push_back(expunge->seq);
    return true;
  }
  auto* vanished = std::get_if<wire::imap::VanishedData>(&reply);
  if (!vanished || vanished->earlier) return false;
  if (value.vanished.ranges().size() > limit_) return too_much();
  value.vanished.add(vanished->uids);
  return true;
}

Result<bool> SearchCommand::take(Response& reply, bool) {
  if (auto* data = std::get_if<wire::imap::SearchData>(&reply)) {
    std::sort(data->numbers.begin(), data->numbers.end());
    for (uint32_t n : data->numbers) value.uids.add(Uid(n));
    if (data->modseq) value.modseq = *data->modseq;
    return true;
  }
  auto* data = std::get_if<wire::imap::EsearchData>(&reply);
  if (!data || (!data->tag.empty() && data->tag != tag())) return false;
  if (data->all) value.uids.add(data->all->resolve(Uid()));
  if (data->modseq) value.modseq = *data->modseq;
  return true;
}

void AppendCommand::succeed(Status& status) {
  if (status.code.code != Code::append_uid || status.code.uids.ranges.empty()) return;
  value.uid_validity = status.code.uid_validity;
  value.uid = status.code.uids.ranges.front().first;
}

Result<bool> NamespaceCommand::take(Response& reply, bool) {
  auto* data = std::get_if<wire::imap::NamespaceData>(&reply);
  if (data) value = std::move(*data);
  return data != nullptr;
}

Result<bool> CapabilityCommand::take(Response& reply, bool) {
  if (auto* data = std::get_if<wire::imap::CapabilityData>(&reply)) return value = data->capabilities, true;
  if (auto* data = std::get_if<wire::imap::EnabledData>(&reply)) return value = data->capabilities, true;
  return false;
}

void CompressCommand::succeed(Status&) {
  const Result<> on = stream_->switch_on();
  if (!on) session_.break_off(on.error());
}

Errc LoginCommand::refusal(const Status& status) const {
  const Errc code = Command::refusal(status);
  return code == Errc::refused && status.condition == Condition::no ? Errc::auth : code;
}

}  // namespace imapc
