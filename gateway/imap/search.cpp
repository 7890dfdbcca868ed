#include "gateway/imap/search.h"

#include "gateway/derived/content.h"
#include "wire/mail/charset.h"
#include "wire/mail/fold.h"

namespace gateway::imap {
namespace {

using storage::Errc;
using storage::Failure;
using storage::Result;
using wire::imap::cmd::SearchKey;
using Op = SearchKey::Op;

constexpr uint64_t wide_bit = uint64_t{1} << 63;  // MailboxSnapshot::flag_bits(): only flags() tells all
constexpr size_t keyword_bits = 55;               // that fit between bit 8 and the wide bit

Verdict as_verdict(bool yes) { return yes ? Verdict::yes : Verdict::no; }

bool looks_into_body(Op op) { return op == Op::body || op == Op::text; }

bool looks_into_header(Op op) {
  switch (op) {
    case Op::bcc:
    case Op::cc:
    case Op::from:
    case Op::subject:
    case Op::to:
    case Op::header:
    case Op::sent_before:
    case Op::sent_on:
    case Op::sent_since:
      return true;
    default:
      return false;
  }
}

bool of_other_extension(Op op) {
  switch (op) {
    case Op::saved_before:
    case Op::saved_on:
    case Op::saved_since:
    case Op::save_date_supported:
    case Op::email_id:
    case Op::thread_id:
      return true;
    default:
      return false;
  }
}

std::string_view field_of(const SearchKey& key) {
  switch (key.op) {
    case Op::bcc:
      return "Bcc";
    case Op::cc:
      return "Cc";
    case Op::from:
      return "From";
    case Op::subject:
      return "Subject";
    case Op::to:
      return "To";
    default:
      return key.field;
  }
}

uint64_t keyword_mask(const storage::MailboxSnapshot& newest, std::string_view keyword) {
  const auto& known = newest.keywords();
  for (size_t k = 0; k < known.size(); ++k) {
    if (wire::base::iequals(known[k], keyword)) return k < keyword_bits ? uint64_t{1} << (8 + k) : wide_bit;
  }
  return 0;
}

bool sent_matches(const SearchKey& key, std::optional<int32_t> day) {
  if (!day) return false;
  if (key.op == Op::sent_before) return *day < key.day.days;
  if (key.op == Op::sent_on) return *day == key.day.days;
  return *day >= key.day.days;
}

// What a derived entry must have to answer the key.
uint8_t mark_of(Op op) {
  switch (op) {
    case Op::body:
      return derived::has_body_text;
    case Op::text:
      return derived::has_body_text | derived::has_header_text;
    case Op::sent_before:
    case Op::sent_on:
    case Op::sent_since:
      return 0;
    default:
      return derived::has_header_text;
  }
}

}  // namespace

Result<SearchProgram> SearchProgram::prepare(SearchArgs args, const storage::MailboxSnapshot& shown,
                                             const storage::MailboxSnapshot& newest, int64_t now) {
  SearchProgram out;
  out.now_ = now;
  out.prepared_.resize(args.keys.size());
  const uint32_t n = shown.size();
  size_t content_keys = 0;
  for (size_t i = 0; i < args.keys.size(); ++i) {
    const SearchKey& key = args.keys[i];
    Prepared& p = out.prepared_[i];
    if (of_other_extension(key.op)) return Failure(Errc::malformed, "Unknown search key");
    if (key.op == Op::seq_set) p.seqs = key.set.resolve(wire::base::SeqNo(n));
    if (key.op == Op::uid_set) p.uids = key.set.resolve(n > 0 ? shown.uid(n - 1) : storage::Uid());
    if (key.op == Op::keyword || key.op == Op::unkeyword) p.bits = keyword_mask(newest, key.text);
    if (looks_into_header(key.op) || looks_into_body(key.op)) {
      out.needs_content_ = true;
      out.marks_ |= mark_of(key.op);
      if (++content_keys > max_content_keys) return Failure(Errc::limit, "Too many keys look into messages");
      if (looks_into_body(key.op)) {
        out.needs_body_ = true;
        out.has_text_key_ = out.has_text_key_ || key.op == Op::text;
        p.text_key = out.text_keys_.size();
        out.text_keys_.push_back(i);
      }
      p.needle = wire::mail::fold(wire::mail::to_utf8(key.text, "UTF-8"));
    }
  }
  out.args_ = std::move(args);
  return out;
}

Verdict SearchProgram::match(const SearchMessage& message, SearchContent* content,
                             const std::atomic<bool>* cancelled) const {
  if (!content) return eval(0, message, nullptr);
  Content known{*content, cancelled, {}};
  return eval(0, message, &known);
}

// Decoding and folding cost far more than comparing: one walk over the message serves every needle.
void SearchProgram::look_at_text(Content& content) const {
  content.found.assign(text_keys_.size(), false);
  size_t missing = 0;
  for (size_t k = 0; k < text_keys_.size(); ++k) {
    content.found[k] = prepared_[text_keys_[k]].needle.empty();
    if (!content.found[k]) ++missing;
  }
  if (missing == 0) return;
  bool own_header = has_text_key_;  // which then comes first, and is nothing to BODY
  content.of.for_each_text(has_text_key_, [&](std::string_view folded) {
    for (size_t k = 0; k < text_keys_.size(); ++k) {
      if (content.stop()) return false;
      if (content.found[k] || (own_header && args_.keys[text_keys_[k]].op == Op::body)) continue;
      if (!wire::mail::contains(folded, prepared_[text_keys_[k]].needle)) continue;
      content.found[k] = true;
      --missing;
    }
    own_header = false;
    return missing > 0;
  });
}

// The depth is bounded by the parser (max_search_depth).
Verdict SearchProgram::eval(size_t at, const SearchMessage& m, Content* content) const {
  switch (args_.keys[at].op) {
    case Op::all_of:
    case Op::any_of:
      return eval_group(at, m, content);
    case Op::none_of: {
      const Verdict inner = eval(at + 1, m, content);
      if (inner == Verdict::unknown) return inner;
      return as_verdict(inner == Verdict::no);
    }
    default:
      return leaf(at, m, content);
  }
}

Verdict SearchProgram::eval_group(size_t at, const SearchMessage& m, Content* content) const {
  const bool all = args_.keys[at].op == Op::all_of;
  const Verdict decisive = all ? Verdict::no : Verdict::yes;
  Verdict result = all ? Verdict::yes : Verdict::no;
  for (size_t child = at + 1; child < args_.keys[at].end; child = args_.keys[child].end) {
    const Verdict v = eval(child, m, content);
    if (v == decisive) return v;
    if (v == Verdict::unknown) result = v;
  }
  return result;
}

bool SearchProgram::has_keyword(size_t at, const SearchMessage& m) const {
  const uint64_t mask = *prepared_[at].bits;
  if (mask == 0) return false;
  if (mask == wide_bit) return m.in->flags(m.index).has(args_.keys[at].text);
  return (m.in->flag_bits(m.index) & mask) != 0;
}

Verdict SearchProgram::in_content(size_t at, Content* content) const {
  if (!content || content->stop()) return Verdict::unknown;
  const SearchKey& key = args_.keys[at];
  const std::string& needle = prepared_[at].needle;
  bool yes = false;
  switch (key.op) {
    case Op::body:
    case Op::text:
      if (content->found.empty()) look_at_text(*content);
      if (content->stop()) return Verdict::unknown;
      yes = content->found[prepared_[at].text_key];
      break;
    case Op::sent_before:
    case Op::sent_on:
    case Op::sent_since:
      yes = sent_matches(key, content->of.sent_day());
      break;
    default:
      yes = content->of.field_contains(field_of(key), needle);
  }
  return content->of.lost() ? Verdict::unknown : as_verdict(yes);
}

Verdict SearchProgram::leaf(size_t at, const SearchMessage& m, Content* content) const {
  const SearchKey& key = args_.keys[at];
  const auto flag = [&m](uint8_t bit) { return (m.in->system_flags(m.index) & bit) != 0; };
  const auto day = [&m] { return wire::imap::day_of(m.in->message(m.index).date); };
  switch (key.op) {
    case Op::all:
      return Verdict::yes;
    case Op::answered:
      return as_verdict(flag(wire::base::answered));
    case Op::unanswered:
      return as_verdict(!flag(wire::base::answered));
    case Op::deleted:
      return as_verdict(flag(wire::base::deleted));
    case Op::undeleted:
      return as_verdict(!flag(wire::base::deleted));
    case Op::draft:
      return as_verdict(flag(wire::base::draft));
    case Op::undraft:
      return as_verdict(!flag(wire::base::draft));
    case Op::flagged:
      return as_verdict(flag(wire::base::flagged));
    case Op::unflagged:
      return as_verdict(!flag(wire::base::flagged));
    case Op::seen:
      return as_verdict(flag(wire::base::seen));
    case Op::unseen:
      return as_verdict(!flag(wire::base::seen));
    case Op::recent:
      return as_verdict(m.recent);
    case Op::old:
      return as_verdict(!m.recent);
    case Op::fresh:
      return as_verdict(m.recent && !flag(wire::base::seen));
    case Op::keyword:
      return as_verdict(has_keyword(at, m));
    case Op::unkeyword:
      return as_verdict(!has_keyword(at, m));
    case Op::before:
      return as_verdict(day() < key.day);
    case Op::on:
      return as_verdict(day() == key.day);
    case Op::since:
      return as_verdict(day() >= key.day);
    case Op::larger:
      return as_verdict(m.in->message(m.index).size > key.number);
    case Op::smaller:
      return as_verdict(m.in->message(m.index).size < key.number);
    case Op::older:
      return as_verdict(now_ - m.in->message(m.index).date.seconds >= static_cast<int64_t>(key.number));
    case Op::younger:
      return as_verdict(now_ - m.in->message(m.index).date.seconds <= static_cast<int64_t>(key.number));
    case Op::seq_set:
      return as_verdict(prepared_[at].seqs.contains(m.seq));
    case Op::uid_set:
      return as_verdict(prepared_[at].uids.contains(m.in->uid(m.index)));
    case Op::modseq:
      return as_verdict(m.in->modseq(m.index).value >= key.number);
    default:
      return in_content(at, content);
  }
}

}  // namespace gateway::imap
