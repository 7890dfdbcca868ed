#include "storage/repair_diff.h"

#include <algorithm>

namespace storage {
namespace {

using Put = std::function<Result<void>(const record::Op&)>;

MailboxChange all_of(const MailboxInfo& i) {
  return {i.name,           i.separator, i.attributes,   i.special_use, i.uid_next,
          i.highest_modseq, i.mode,      i.first_recent, i.mailbox_id,  {}};
}

std::string key_of(const Flags& flags) {
  std::string key(1, static_cast<char>(flags.system));
  std::vector<std::string> keywords = flags.keywords;
  std::sort(keywords.begin(), keywords.end());
  for (const std::string& k : keywords) key += k + '\n';
  return key;
}

// Messages of one mailbox; `log` may be empty.
Result<void> diff_messages(MailboxKey key, const MailboxSnapshot* log, const MailboxSnapshot& known, const Put& put) {
  UidSet gone;
  std::map<std::pair<uint64_t, std::string>, record::FlagUpdate> flags;
  uint32_t a = 0;
  const uint32_t had = log ? log->size() : 0;
  for (uint32_t i = 0; i < known.size(); ++i) {
    for (; a < had && log->uid(a) < known.uid(i); ++a) gone.add(log->uid(a));
    const Flags now = known.flags(i);
    if (a == had || log->uid(a) != known.uid(i)) {
      record::Message m{key, known.uid(i), known.modseq(i), now, known.message(i)};
      if (Result<void> r = put(m); !r) return r;
      continue;
    }
    const MessageInfo& info = known.message(i);
    if (info.body && log->message(a).body != info.body) {
      if (Result<void> r = put(record::BodyLink{key, known.uid(i), *info.body, info.size}); !r) return r;
    }
    if (log->modseq(a) != known.modseq(i) || key_of(log->flags(a)) != key_of(now)) {
      record::FlagUpdate& u = flags[{known.modseq(i).value, key_of(now)}];
      u.mailbox = key;
      u.modseq = known.modseq(i);
      u.change = {FlagsMode::replace, now};
      u.uids.add(known.uid(i));
    }
    ++a;
  }
  for (; a < had; ++a) gone.add(log->uid(a));
  if (!gone.empty()) {
    if (Result<void> r = put(record::Expunge{key, known.info().highest_modseq, gone}); !r) return r;
  }
  for (const auto& [value, update] : flags) {
    if (Result<void> r = put(update); !r) return r;
  }
  return {};
}

Result<void> diff_mailbox(const AccountState& log, const MailboxState& known, const Put& put) {
  const MailboxKey key = known.info().key;
  std::shared_ptr<const MailboxState> there = log.mailbox(key);
  std::vector<record::Op> ops;
  auto add = [&](const record::Op& op) -> Result<void> {
    ops.push_back(op);
    return {};
  };
  MailboxInfo base;
  if (!there) {
    ops.push_back(record::Mailbox{record::MailboxAction::create, key, known.info(), {}});
    base = known.info();
  } else if (there->info().uid_validity != known.info().uid_validity) {
    ops.push_back(record::Mailbox{record::MailboxAction::reset, key, known.info(), {}});
    there = nullptr;
  } else {
    base = there->info();
  }
  MailboxSnapshotPtr had = there ? there->snapshot() : nullptr;
  if (Result<void> r = diff_messages(key, had.get(), *known.snapshot(), add); !r) return r;
  const auto cursor = there ? there->cursor() : std::nullopt;
  if (known.cursor() && known.cursor() != cursor) ops.push_back(record::Cursor{key, *known.cursor()});
  if (ops.empty() && base == known.info()) return {};
  // What went when is known to nobody now: for clients that were away, the safe superset.
  record::Mailbox last{record::MailboxAction::change, key, {}, all_of(known.info())};
  last.change.history_floor = known.info().highest_modseq;
  ops.push_back(last);
  for (const record::Op& op : ops) {
    if (Result<void> r = put(op); !r) return r;
  }
  return {};
}

}  // namespace

Result<void> diff_states(const AccountState& log, const AccountState& known, const Put& put) {
  for (const auto& [key, slot] : log.slots()) {
    if (known.info(key) != nullptr) continue;
    if (Result<void> r = put(record::Mailbox{record::MailboxAction::remove, key, {}, {}}); !r) return r;
  }
  const MailboxTree tree = known.tree();
  for (const MailboxInfo& info : tree.mailboxes) {
    std::shared_ptr<const MailboxState> box = known.mailbox(info.key);
    if (!box) return Failure(Errc::io, "mailbox cannot be read");
    if (Result<void> r = diff_mailbox(log, *box, put); !r) return r;
  }
  for (const std::string& name : log.subscriptions()) {
    if (known.subscriptions().count(name) != 0) continue;
    if (Result<void> r = put(record::Subscription{name, false}); !r) return r;
  }
  for (const std::string& name : known.subscriptions()) {
    if (log.subscriptions().count(name) != 0) continue;
    if (Result<void> r = put(record::Subscription{name, true}); !r) return r;
  }
  for (const auto& [name, value] : log.annotations()) {
    if (known.annotations().count(name) != 0) continue;
    if (Result<void> r = put(record::Annotation{MailboxKey(0), name, ""}); !r) return r;
  }
  for (const auto& [name, value] : known.annotations()) {
    auto at = log.annotations().find(name);
    if (at != log.annotations().end() && at->second == value) continue;
    if (Result<void> r = put(record::Annotation{MailboxKey(0), name, value}); !r) return r;
  }
  return {};
}

}  // namespace storage
