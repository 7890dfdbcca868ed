#include "tests/fault/store_view.h"

#include <random>
#include <sstream>

#include "storage/body_codec.h"
#include "storage/checkpoint.h"
#include "storage/crc32c.h"
#include "storage/space.h"

namespace storage {

std::string describe(const Account& account) {
  std::ostringstream out;
  MailboxTreePtr tree = account.tree();
  for (const std::string& s : tree->subscriptions) out << "sub " << s << '\n';
  if (auto prefix = account.annotation("namespace-prefix")) out << "prefix " << *prefix << '\n';
  for (const MailboxInfo& m : tree->mailboxes) {
    out << "box " << m.key.value << ' ' << m.name << ' ' << m.attributes << " v" << m.uid_validity.value << " n"
        << m.uid_next.value << " h" << m.highest_modseq.value << " m" << static_cast<int>(m.mode) << " r"
        << m.first_recent.value << ' ' << m.mailbox_id << '\n';
    if (std::optional<SyncCursor> c = account.cursor(m.key)) {
      out << "cursor " << c->uid_next.value << ' ' << c->highest_modseq.value << ' ' << c->complete << '\n';
    }
    MailboxSnapshotPtr s = account.snapshot(m.key);
    if (!s) {
      out << "UNREADABLE\n";
      continue;
    }
    out << "gone " << s->vanished_since(ModSeq(0)).to_string() << " | "
        << s->vanished_since(s->info().highest_modseq).to_string() << '\n';
    for (uint32_t i = 0; i < s->size(); ++i) {
      const MessageInfo& info = s->message(i);
      Flags f = s->flags(i);
      out << s->uid(i).value << " m" << s->modseq(i).value << " f" << static_cast<int>(f.system);
      for (const std::string& k : f.keywords) out << ' ' << k;
      out << " s" << info.size << " d" << info.date.seconds << '/' << info.date.zone_minutes << ' ' << info.uidl;
      if (info.body) {
        Result<BodyReader> r = account.open_body(*info.body);
        Result<std::string> text = r ? r->read_all(UINT64_MAX) : Result<std::string>(r.error());
        if (text) {
          out << " b" << text->size() << '/' << crc32c(wire::base::as_bytes(*text));
        } else {
          out << " NO BODY " << wire::base::to_string(text.error().code);
        }
      }
      out << '\n';
    }
  }
  return out.str();
}

std::string describe_all(const Account& account) {
  std::string text = describe(account);
  for (const MailboxInfo& m : account.tree()->mailboxes) {
    text += "keywords " + std::to_string(m.key.value);
    MailboxSnapshotPtr s = account.snapshot(m.key);
    for (const std::string& k : s ? s->keywords() : std::vector<std::string>{"UNREADABLE"}) text += ' ' + k;
    text += '\n';
  }
  return text;
}

Result<MailboxKey> create_mailbox(Account& account, const std::string& name, ModSeqMode mode) {
  Batch b = account.begin();
  MailboxInfo info;
  info.name = name;
  info.mode = mode;
  Result<MailboxKey> key = b.create_mailbox(info);
  if (!key) return key;
  if (Result<Lsn> r = account.commit(std::move(b)); !r) return r.error();
  return key;
}

Result<PreparedBody> prepare(Account& account, std::string_view text) {
  BodyWriter w = account.new_body();
  while (!text.empty()) {
    size_t n = std::min<size_t>(text.size(), 70000);
    if (Result<void> r = w.write(wire::base::as_bytes(text.substr(0, n))); !r) return r.error();
    text.remove_prefix(n);
  }
  return w.finish();
}

RewriteOptions eager() {
  RewriteOptions o;
  o.dead_share = 0.0001;
  o.small_bytes = 2000;
  return o;
}

Result<bool> rewrite(Account& account, const RewriteOptions& options, const std::function<void()>& between) {
  Result<std::unique_ptr<Rewrite>> begun = Space(account).begin(options);
  if (!begun) return begun.error();
  if (!*begun) return false;
  Rewrite& pass = **begun;
  auto failed = [&](const Failure& why) -> Result<bool> {
    (void)pass.cancel();
    return why;
  };
  auto pause = [&] {
    if (between) between();
  };
  for (Rewrite::Step step = Rewrite::Step::more; step != Rewrite::Step::done; pause()) {
    Result<Rewrite::Step> r = pass.survey(1500);
    if (!r) return failed(r.error());
    step = *r;
    if (step != Rewrite::Step::nothing) continue;
    if (Result<void> c = pass.cancel(); !c) return c.error();
    return false;
  }
  for (bool done = false; !done; pause()) {
    Result<bool> r = pass.condemn(2);
    if (!r) return failed(r.error());
    done = *r;
  }
  for (Rewrite::Step step = Rewrite::Step::more; step != Rewrite::Step::done; pause()) {
    Result<Rewrite::Step> r = pass.copy(1500);
    if (!r) return failed(r.error());
    step = *r;
  }
  for (bool done = false; !done; pause()) {
    Result<bool> r = pass.adopt(3);
    if (!r) return failed(r.error());
    done = *r;
  }
  return true;
}

Result<void> checkpoint_in_steps(Account& account, const std::function<void()>& between) {
  Result<std::unique_ptr<Checkpoint>> begun = Checkpoint::begin(account);
  if (!begun) return begun.error();
  if (!*begun) return {};
  auto pause = [&] {
    if (between) between();
  };
  Checkpoint& draft = **begun;
  pause();
  if (Result<void> r = draft.write(); !r) return r;
  pause();
  if (Result<void> r = draft.name(); !r) return r;
  pause();
  if (Result<void> r = draft.settle(); !r) return r;
  pause();
  return draft.end();
}

std::string noise(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string s(size, '\0');
  for (char& c : s) c = static_cast<char>(random());
  return s;
}

std::string letter_text(uint32_t i) {
  std::mt19937 random(i);
  std::string t = "Received: from mx" + std::to_string(random() % 9) + ".example.org by mail.example.net with id " +
                  std::to_string(random()) + "\r\nFrom: \"Sender, Some\" <s" + std::to_string(random() % 97) +
                  "@example.org>\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
  static constexpr const char* words[] = {"order",    "meeting",  "please", "invoice",
                                          "attached", "tomorrow", "for",    "the"};
  for (uint32_t n = 20 + random() % 60; n > 0; --n) t += std::string(words[random() % 8]) + (n % 12 ? " " : "\r\n");
  return t;
}

}  // namespace storage
