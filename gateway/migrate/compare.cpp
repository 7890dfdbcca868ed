#include "gateway/migrate/compare.h"

namespace gateway::migrate {

using storage::ModSeqMode;

namespace {

constexpr size_t examples_kept = 20;

std::string uid_text(storage::Uid uid) { return "uid " + std::to_string(uid.value); }

}  // namespace

MailboxCompare::MailboxCompare(std::string name, storage::MailboxSnapshotPtr copy, const SourceNumbers& numbers)
    : copy_(std::move(copy)) {
  out_.name = std::move(name);
  for (const char* key : {"uidvalidity", "uidnext", "highestmodseq", "missing", "extra", "flags", "internaldate",
                          "size", "modseq", "body"}) {
    out_.differences[key] = 0;
  }
  if (!copy_) {
    differ("missing", "the copy has no such mailbox");
    return;
  }
  const storage::MailboxInfo& info = copy_->info();
  auto number = [&](const char* key, uint64_t source, uint64_t ours) {
    if (source != ours)
      differ(key, std::to_string(source) + " at the source, " + std::to_string(ours) + " in the copy");
  };
  number("uidvalidity", numbers.uid_validity.value, info.uid_validity.value);
  if (numbers.uid_next) number("uidnext", numbers.uid_next->value, info.uid_next.value);
  modseqs_ = numbers.highest_modseq.has_value() && info.mode == ModSeqMode::mirror;
  if (modseqs_) number("highestmodseq", numbers.highest_modseq->value, info.highest_modseq.value);
}

void MailboxCompare::differ(const char* what, std::string example) {
  out_.equal = false;
  ++out_.differences[what];
  if (out_.examples.size() < examples_kept) out_.examples.push_back(std::string(what) + ": " + std::move(example));
}

void MailboxCompare::add(const source::Listed& m, const std::optional<storage::Sha256>& body) {
  ++out_.messages;
  if (!copy_) return;
  seen_.add(m.uid);
  const auto index = copy_->find(m.uid);
  const std::string uid = uid_text(m.uid);
  if (!index) {
    differ("missing", uid);
    return;
  }
  const storage::MessageInfo& ours = copy_->message(*index);
  if (m.flags && !(*m.flags == copy_->flags(*index))) differ("flags", uid);
  if (m.date && !(*m.date == ours.date)) differ("internaldate", uid);
  if (m.size && *m.size != ours.size) differ("size", uid);
  if (modseqs_ && m.modseq && *m.modseq != copy_->modseq(*index)) differ("modseq", uid);
  if (body && ours.body != body) differ("body", uid + (ours.body ? "" : ": not in the copy"));
}

void MailboxCompare::body_unreadable(storage::Uid uid, const std::string& why) {
  differ("body", uid_text(uid) + ": " + why);
}

VerifyReport::Mailbox MailboxCompare::finish() {
  if (copy_) {
    for (uint32_t i = 0; i < copy_->size(); ++i) {
      if (!seen_.contains(copy_->uid(i))) differ("extra", uid_text(copy_->uid(i)));
    }
  }
  return std::move(out_);
}

}  // namespace gateway::migrate
