#include "gateway/imap/view.h"

#include <charconv>

namespace gateway::imap {
namespace {

constexpr uint64_t recent_bit = 32;               // free in MailboxSnapshot::flag_bits()
constexpr uint64_t wide_bit = uint64_t{1} << 63;  // flags() knows more than the bits say
constexpr size_t max_texts = 4096;                // combinations of flags that are kept rendered
// Snapshots that are kept for what was told of them. Beyond that a client hears some flags twice.
constexpr size_t max_told = 16;

std::string flags_as_text(const Flags& flags, bool recent) {
  std::string out;
  auto add = [&out](std::string_view word) {
    if (!out.empty()) out += ' ';
    out += word;
  };
  if (flags.system & wire::base::answered) add("\\Answered");
  if (flags.system & wire::base::flagged) add("\\Flagged");
  if (flags.system & wire::base::deleted) add("\\Deleted");
  if (flags.system & wire::base::seen) add("\\Seen");
  if (flags.system & wire::base::draft) add("\\Draft");
  if (recent) add("\\Recent");
  for (const std::string& keyword : flags.keywords) add(keyword);
  return out;
}

}  // namespace

void append_number(std::string& out, uint64_t n) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

View::View(MailboxSnapshotPtr first, Uid recent_from) : shown_(std::move(first)) {
  if (uint32_t n = shown_->size(); n > 0 && shown_->uid(n - 1) >= recent_from) {
    recent_.add(recent_from, shown_->uid(n - 1));
  }
  keywords_known_ = shown_->keywords().size();
}

uint32_t View::recent_count() const {
  uint32_t n = 0;
  for (const auto& range : recent_.ranges()) {
    n += shown_->lower_bound(range.last.next()) - shown_->lower_bound(range.first);
  }
  return n;
}

View::Now View::now(uint32_t shown_index, const MailboxSnapshotPtr& newest) const {
  if (newest == shown_) return {shown_.get(), shown_index, false};
  if (auto found = newest->find(shown_->uid(shown_index))) return {newest.get(), *found, false};
  return {shown_.get(), shown_index, true};
}

const std::string& View::flag_text(const MailboxSnapshot& in, uint32_t index) {
  const bool is_recent = !recent_.empty() && recent_.contains(in.uid(index));
  const uint64_t bits = in.flag_bits(index);
  if (bits & wide_bit) {
    text_ = flags_as_text(in.flags(index), is_recent);
    return text_;
  }
  const uint64_t key = is_recent ? bits | recent_bit : bits;
  if (auto it = texts_.find(key); it != texts_.end()) return it->second;
  if (texts_.size() >= max_texts) texts_.clear();
  return texts_.emplace(key, flags_as_text(in.flags(index), is_recent)).first->second;
}

void View::write_fetch(uint32_t seq_index, const MailboxSnapshot& in, uint32_t index, bool with_uid, bool with_modseq,
                       std::string& out) {
  out += "* ";
  append_number(out, seq_index + 1);
  out += " FETCH (";
  if (with_uid) {
    out += "UID ";
    append_number(out, in.uid(index).value);
    out += ' ';
  }
  if (with_modseq) {
    out += "MODSEQ (";
    append_number(out, in.modseq(index).value);
    out += ") ";
  }
  out += "FLAGS (";
  out += flag_text(in, index);
  out += "))\r\n";
}

void View::tell_flags(uint32_t shown_index, const MailboxSnapshotPtr& newest, const Wording& how, bool with_uid,
                      std::string& out) {
  const Now m = now(shown_index, newest);
  if (m.expunged) return;
  write_fetch(shown_index, *m.in, m.index, with_uid || how.modseq, how.modseq, out);
  knows(m.in->uid(m.index), newest);
}

void View::tell_modseq(uint32_t shown_index, const MailboxSnapshotPtr& newest, bool with_uid, std::string& out) {
  const Now m = now(shown_index, newest);
  if (m.expunged) return;
  out += "* ";
  append_number(out, shown_index + 1);
  out += " FETCH (";
  if (with_uid) {
    out += "UID ";
    append_number(out, m.in->uid(m.index).value);
    out += ' ';
  }
  out += "MODSEQ (";
  append_number(out, m.in->modseq(m.index).value);
  out += "))\r\n";
  knows(m.in->uid(m.index), newest);
}

void View::knows(Uid first, Uid last, const MailboxSnapshotPtr& newest) {
  if (newest == shown_) return;
  if (told_.empty() || told_.back().in != newest) {
    if (told_.size() == max_told) told_.erase(told_.begin());
    told_.push_back({newest, {}});
  }
  told_.back().uids.add(first, last);
}

// What was said last of this message is what it is `now`.
bool View::was_told(Uid uid, uint32_t index, const MailboxSnapshot& now) const {
  for (auto it = told_.rbegin(); it != told_.rend(); ++it) {
    if (!it->uids.contains(uid)) continue;
    if (it->in.get() == &now) return true;
    const auto then = it->in->find(uid);
    if (!then || it->in->modseq(*then) != now.modseq(index)) return false;
    const uint64_t bits = now.flag_bits(index);
    return it->in->flag_bits(*then) == bits && (!(bits & wide_bit) || it->in->flags(*then) == now.flags(index));
  }
  return false;
}

void View::write_flag_lists(const MailboxSnapshot& in, bool writable, std::string& out) {
  std::string all = flags_as_text(Flags{0xff, {}}, false);
  for (const std::string& keyword : in.keywords()) {
    all += ' ';
    all += keyword;
  }
  out += "* FLAGS (" + all + ")\r\n* OK [PERMANENTFLAGS (";
  if (writable) out += all + " \\*";
  out += writable ? ")] Flags permitted\r\n" : ")] Read-only mailbox\r\n";
  keywords_known_ = in.keywords().size();
}

bool View::advance(const MailboxSnapshotPtr& newest, const Wording& how, bool writable,
                   const std::function<Uid()>& claim, std::string& out) {
  if (newest == shown_) return true;
  const auto diff = storage::SnapshotDiff::between(*shown_, *newest);
  if (!diff.expunged.empty() && !how.may_expunge) return false;

  if (!diff.expunged.empty()) {
    if (how.vanished) {
      UidSet gone;
      for (uint32_t index : diff.expunged) gone.add(shown_->uid(index));
      out += "* VANISHED " + gone.to_string() + "\r\n";
    } else {
      // From the end, so that no number has to be corrected for those before it.
      for (auto it = diff.expunged.rbegin(); it != diff.expunged.rend(); ++it) {
        out += "* ";
        append_number(out, *it + 1);
        out += " EXPUNGE\r\n";
      }
    }
  }
  shown_ = newest;
  if (diff.added > 0) {
    const Uid from = claim();
    const Uid last = shown_->uid(shown_->size() - 1);
    const Uid first_new = shown_->uid(shown_->size() - diff.added);
    if (from <= last) recent_.add(std::max(from, first_new), last);
    out += "* ";
    append_number(out, shown_->size());
    out += " EXISTS\r\n* ";
    append_number(out, recent_count());
    out += " RECENT\r\n";
  }
  if (shown_->keywords().size() > keywords_known_) write_flag_lists(*shown_, writable, out);
  for (uint32_t index : diff.changed) {
    if (!told_.empty() && was_told(shown_->uid(index), index, *shown_)) continue;
    write_fetch(index, *shown_, index, how.modseq, how.modseq, out);
  }
  told_.clear();
  return true;
}

}  // namespace gateway::imap
