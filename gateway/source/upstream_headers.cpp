// What is asked of the source without bringing anything into the copy: headers of messages, numbers of mailboxes.

#include "gateway/source/upstream_authority.h"
#include "imapc/list.h"

namespace gateway::source {

using storage::Failure;
using storage::MailboxInfo;
using wire::imap::SequenceSet;
using wire::imap::StatusItems;
using wire::imap::cmd::Fetch;

namespace {

constexpr size_t messages_a_command = 200;
constexpr size_t commands_at_once = 4;
constexpr size_t longest_header = 256 * 1024;  // a longer one comes with its message
constexpr size_t most_bytes = 8 << 20;         // of one call; the rest comes with its messages

Fetch header_fetch(const UidSet& uids) {
  Fetch f;
  f.uid = true;
  f.set = SequenceSet::of(uids);
  f.items = Fetch::uid_item;
  Fetch::Part header;
  header.peek = true;
  header.section.kind = wire::imap::Section::Kind::header;
  f.parts.push_back(header);
  return f;
}

class HeaderSink final : public imapc::FetchSink {
 public:
  explicit HeaderSink(size_t& room) : room_(room) {}
  void on_body_begin(const imapc::FetchItem&, const imapc::FetchSection& section, uint64_t) override {
    text_.clear();
    wanted_ = section.section.kind == wire::imap::Section::Kind::header;
  }
  void on_body_bytes(std::string_view bytes) override {
    if (text_.size() + bytes.size() > longest_header) wanted_ = false;
    if (wanted_) text_ += bytes;
  }
  void on_message(const imapc::FetchItem& item) override {
    if (item.uid && wanted_ && text_.size() <= room_ && is_whole_header(text_)) {
      room_ -= text_.size();
      found.emplace(*item.uid, std::make_shared<const std::string>(std::move(text_)));
    }
    text_.clear();
    wanted_ = false;
  }
  std::unordered_map<Uid, HeaderBytes> found;

 private:
  size_t& room_;
  std::string text_;
  bool wanted_ = false;
};

}  // namespace

awaitable<Result<HeaderOutcome>> UpstreamAuthority::headers(MailboxPtr box, UidSet uids) {
  HeaderOutcome out;
  const MailboxInfo info = box->info();
  std::vector<UidSet> pages;
  size_t in_page = messages_a_command;
  uids.for_each([&](Uid uid) {
    if (HeaderBytes known = headers_.find(info.key, info.uid_validity, uid)) {
      out.headers.emplace(uid, std::move(known));
      return;
    }
    if (in_page == messages_a_command) {
      pages.emplace_back();
      in_page = 0;
    }
    pages.back().add(uid);
    ++in_page;
  });
  if (pages.empty()) co_return out;
  auto lease = co_await selected(info, false);
  if (!lease) co_return lease.error();
  size_t room = most_bytes;
  for (size_t at = 0; at < pages.size(); at += commands_at_once) {
    struct Asked {
      HeaderSink sink;
      std::optional<imapc::Call<imapc::Nothing>> call;
      explicit Asked(size_t& r) : sink(r) {}
    };
    std::vector<std::unique_ptr<Asked>> asked;
    for (size_t n = at; n < std::min(at + commands_at_once, pages.size()); ++n) {
      asked.push_back(std::make_unique<Asked>(room));
      asked.back()->call.emplace((*lease)->uid_fetch(header_fetch(pages[n]), asked.back()->sink));
    }
    for (auto& a : asked) {
      auto done = co_await a->call->get();
      // A page that is refused for one message's sake comes with its messages, one by one.
      if (!done && is_broken(done.error())) co_return done.error();
      for (auto& [uid, header] : a->sink.found) {
        headers_.put(info.key, info.uid_validity, uid, header);
        out.headers.emplace(uid, std::move(header));
      }
    }
  }
  co_return out;
}

awaitable<Result<std::vector<bool>>> UpstreamAuthority::up_to_date(std::vector<std::string> names) {
  std::vector<Result<imapc::StatusData>> told;
  bool numbers = false;
  {
    auto lease = co_await link_.any();
    if (!lease) co_return lease.error();
    numbers = has_numbers(**lease);
    StatusItems items;
    items.bits = StatusItems::messages | StatusItems::uid_next | StatusItems::uid_validity;
    if (numbers) items.bits |= StatusItems::highest_modseq;
    told = co_await imapc::status_of(**lease, names, items);
  }
  std::vector<SourceMailbox> seen(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    seen[i].name = names[i];
    if (!told[i]) continue;  // without a UIDVALIDITY it counts as changed: who asks for it alone gets the reason
    seen[i].uid_validity = told[i]->uid_validity;
    seen[i].uid_next = told[i]->uid_next;
    seen[i].highest_modseq = told[i]->highest_modseq;
    if (told[i]->messages) seen[i].messages = *told[i]->messages;
  }
  co_return co_await unchanged(seen);
}

}  // namespace gateway::source
