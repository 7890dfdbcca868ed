#include "storage/state.h"

#include <algorithm>

namespace storage {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it

std::optional<std::string> unless(bool fits, const char* what) {
  if (fits) return {};
  return what;
}

}  // namespace

std::string AccountState::normal(std::string_view name) {
  return wire::base::iequals(name, "INBOX") ? std::string("INBOX") : std::string(name);
}

bool AccountState::same_name(std::string_view a, std::string_view b) {
  return a == b || (wire::base::iequals(a, "INBOX") && wire::base::iequals(b, "INBOX"));
}

AccountState::Slot* AccountState::slot(MailboxKey key) const {
  if (auto it = slots_.find(key); it != slots_.end()) return &it->second;
  if (base_ == nullptr || removed_.count(key) != 0) return nullptr;
  return base_->slot(key);
}

const MailboxInfo* AccountState::info(MailboxKey key) const {
  const Slot* s = slot(key);
  return s ? &s->current() : nullptr;
}

const MailboxInfo* AccountState::find(std::string_view name) const {
  const std::string wanted = normal(name);
  if (auto it = by_name_.find(wanted); it != by_name_.end()) return &slots_.at(it->second).current();
  const MailboxInfo* below = base_ ? base_->find(wanted) : nullptr;
  // What this layer has touched goes by the name that it has here.
  if (!below || slots_.count(below->key) != 0 || removed_.count(below->key) != 0) return nullptr;
  return below;
}

void AccountState::rename(MailboxKey key, const std::string* before, const std::string* after) {
  if (before != nullptr) {
    auto it = by_name_.find(normal(*before));
    if (it != by_name_.end() && it->second == key) by_name_.erase(it);
  }
  if (after != nullptr) by_name_[normal(*after)] = key;
}

void AccountState::restore(MailboxKey key, Slot slot) {
  rename(key, nullptr, &slot.current().name);
  slots_[key] = std::move(slot);
}

bool AccountState::unload(MailboxKey key, const std::shared_ptr<const MailboxState>& written) {
  auto it = slots_.find(key);
  if (it == slots_.end() || !it->second.mailbox) return false;
  Slot& s = it->second;
  if (written ? s.mailbox != written : s.token != 0) return false;
  s.info = s.mailbox->info();
  s.cursor = s.mailbox->cursor();
  s.mailbox = nullptr;
  s.token = 0;
  return true;
}

void AccountState::replace(MailboxKey key, const MailboxState::Replacements& chunks) {
  auto it = slots_.find(key);
  if (it == slots_.end() || !it->second.mailbox) return;
  it->second.mailbox = it->second.mailbox->with(chunks);
}

std::shared_ptr<const MailboxState> AccountState::mailbox(MailboxKey key) const {
  if (auto it = slots_.find(key); it != slots_.end()) {
    Slot& s = it->second;
    if (!s.mailbox && loader_) s.mailbox = loader_(key, s);
    return s.mailbox;
  }
  if (base_ == nullptr || removed_.count(key) != 0) return nullptr;
  return base_->mailbox(key);
}

std::optional<SyncCursor> AccountState::cursor(MailboxKey key) const {
  const Slot* s = slot(key);
  if (s == nullptr) return {};
  return s->mailbox ? s->mailbox->cursor() : s->cursor;
}

bool AccountState::subscribed(std::string_view name) const {
  const std::string wanted = normal(name);
  if (auto it = subscribed_.find(wanted); it != subscribed_.end()) return it->second;
  return base_ ? base_->subscribed(wanted) : subscriptions_.count(wanted) != 0;
}

const std::map<std::string, std::string>& AccountState::annotations() const {
  static const std::map<std::string, std::string> none;
  if (annotations_) return *annotations_;
  return base_ ? base_->annotations() : none;
}

UidValidity AccountState::highest_validity(std::string_view name) const {
  UidValidity below = base_ ? base_->highest_validity(name) : UidValidity(0);
  auto it = validities_.find(normal(name));
  return it == validities_.end() ? below : std::max(below, it->second);
}

std::optional<UidValidity> AccountState::fresh_validity(std::string_view name, int64_t now) const {
  // What a source gave may lie close to the end: then names are kept apart as far as they can be.
  constexpr uint32_t room = 1u << 24;
  const uint32_t of_name = highest_validity(name).value;
  const uint32_t above = highest_of_all_.value < UINT32_MAX - room ? highest_of_all_.value : of_name;
  if (above == UINT32_MAX) return {};
  // Seconds are above what a name had in a store that was lost, too.
  return UidValidity(std::max(above + 1, static_cast<uint32_t>(std::clamp<int64_t>(now, 1, UINT32_MAX))));
}

MailboxTree AccountState::tree() const {
  MailboxTree t;
  std::vector<MailboxList::Element> all;
  std::vector<MailboxTree::Named> names;
  all.reserve(slots_.size());
  names.reserve(slots_.size());
  for (const auto& [key, s] : slots_) {
    names.push_back({normal(s.current().name), key});
    all.push_back(std::make_shared<const MailboxInfo>(s.current()));
  }
  // Two of one name, which only a damaged log has: the first one is it.
  std::stable_sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  names.erase(std::unique(names.begin(), names.end(), [](const auto& a, const auto& b) { return a.name == b.name; }),
              names.end());
  t.mailboxes = MailboxList(std::move(all));
  t.names = decltype(t.names)(std::move(names));
  t.subscriptions = std::vector<std::string>(subscriptions_.begin(), subscriptions_.end());
  return t;
}

MailboxTree AccountState::tree_after(const MailboxTree& before, const Touched& touched) const {
  const size_t changes = touched.mailboxes.size() + touched.removed.size() + touched.subscriptions.size();
  const bool damaged = before.names.size() != before.mailboxes.size();  // two of one name
  if (damaged || changes > 64 + slots_.size() / 8) return tree();
  MailboxTree t = before;
  auto forget = [&](MailboxKey key, const std::string* now) {
    const MailboxInfo* then = before.mailboxes.find(key);
    if (then != nullptr && (now == nullptr || then->name != *now)) t.names.erase(std::string_view(normal(then->name)));
  };
  for (MailboxKey key : touched.removed) {
    forget(key, nullptr);
    t.mailboxes.erase(key);
  }
  for (MailboxKey key : touched.mailboxes) forget(key, &info(key)->name);
  for (MailboxKey key : touched.mailboxes) {
    const MailboxInfo& now = *info(key);
    const MailboxTree::Named* there = t.names.find(std::string_view(normal(now.name)));
    if (there == nullptr) {
      t.names.put({normal(now.name), key});
    } else if (there->key != key) {
      return tree();
    }
    t.mailboxes.put(now);
  }
  for (const auto& [name, on] : touched.subscriptions) {
    if (on) {
      t.subscriptions.put(name);
    } else {
      t.subscriptions.erase(name);
    }
  }
  return t;
}

void AccountState::restore(std::set<std::string> subscriptions, std::map<std::string, std::string> annotations,
                           std::map<std::string, UidValidity> validities, MailboxKey next, Epoch epoch) {
  subscriptions_ = std::move(subscriptions);
  annotations_ = std::move(annotations);
  validities_ = std::move(validities);
  for (const auto& [name, v] : validities_) highest_of_all_ = std::max(highest_of_all_, v);
  next_key_ = next;
  epoch_ = epoch;
}

AccountState::Touched AccountState::merge(AccountState layer) {
  Touched touched;
  for (MailboxKey key : layer.removed_) {
    auto it = slots_.find(key);
    if (it == slots_.end()) continue;
    touched.removed.push_back(key);
    rename(key, &it->second.current().name, nullptr);
    slots_.erase(it);
  }
  for (auto& [key, s] : layer.slots_) {
    auto [it, fresh] = slots_.try_emplace(key);
    const std::string& name = s.current().name;
    if (fresh || it->second.current().name != name) {
      rename(key, fresh ? nullptr : &it->second.current().name, &name);
    }
    it->second = std::move(s);
    touched.mailboxes.push_back(key);
  }
  for (const auto& [name, on] : layer.subscribed_) {
    if (on) {
      subscriptions_.insert(name);
    } else {
      subscriptions_.erase(name);
    }
  }
  touched.subscriptions = std::move(layer.subscribed_);
  if (layer.annotations_) annotations_ = std::move(layer.annotations_);
  for (const auto& [name, v] : layer.validities_) note_validity(name, v);
  next_key_ = std::max(next_key_, layer.next_key_);
  raise_epoch(layer.epoch_);
  return touched;
}

void AccountState::note_validity(const std::string& name, UidValidity v) {
  UidValidity& highest = validities_[normal(name)];
  highest = std::max(highest, v);
  highest_of_all_ = std::max(highest_of_all_, v);
}

MailboxState* AccountState::writable(uint64_t token, MailboxKey key) {
  std::shared_ptr<const MailboxState> current = mailbox(key);
  if (!current) return nullptr;
  Slot& own = slots_[key];
  if (own.token == token && own.mailbox) return const_cast<MailboxState*>(own.mailbox.get());  // made below, by us
  auto copy = std::make_shared<MailboxState>(*current);
  MailboxState* p = copy.get();
  if (base_ != nullptr && !own.mailbox) rename(key, nullptr, &p->info().name);
  own.mailbox = std::move(copy);
  own.token = token;
  return p;
}

std::optional<std::string> AccountState::apply(uint64_t token, record::Op op) {
  return std::visit(Overloaded{
                        [&](record::Message& m) {
                          MailboxState* box = writable(token, m.mailbox);
                          return unless(box && box->add(token, std::move(m)), "message that does not fit its mailbox");
                        },
                        [&](record::BodyLink& l) {
                          MailboxState* box = writable(token, l.mailbox);
                          if (box) box->link(token, l);
                          return unless(box != nullptr, "body in a mailbox that is not there");
                        },
                        [&](record::FlagUpdate& u) {
                          MailboxState* box = writable(token, u.mailbox);
                          return unless(box && box->change_flags(token, u), "flags in a mailbox that is not there");
                        },
                        [&](record::Expunge& e) {
                          MailboxState* box = writable(token, e.mailbox);
                          bool fits = box && box->expunge(token, e);
                          if (fits) box->forget_tombstones(token, tombstone_ranges_);
                          return unless(fits, "expunge of messages that are not there");
                        },
                        [&](record::Mailbox& m) -> std::optional<std::string> {
                          if (m.action == record::MailboxAction::create) {
                            if (slot(m.key) != nullptr) return "mailbox made twice";
                            note_validity(m.info.name, m.info.uid_validity);
                            next_key_ = std::max(next_key_, m.key.next());
                            Slot& made = slots_[m.key];
                            rename(m.key, nullptr, &m.info.name);
                            made.mailbox = std::make_shared<MailboxState>(std::move(m.info));
                            made.token = token;
                            return {};
                          }
                          if (m.action == record::MailboxAction::remove) {
                            const Slot* gone = slot(m.key);
                            const bool there = gone != nullptr;
                            if (there) rename(m.key, &gone->current().name, nullptr);
                            slots_.erase(m.key);
                            if (base_ != nullptr) removed_.insert(m.key);
                            return unless(there, "removal of a mailbox that is not there");
                          }
                          MailboxState* box = writable(token, m.key);
                          if (!box) return "change of a mailbox that is not there";
                          bool fits = true;
                          if (m.action == record::MailboxAction::reset) {
                            box->reset(token, m.info);
                          } else {
                            const std::string before = box->info().name;
                            fits = box->change(token, m.change);
                            if (box->info().name != before) rename(m.key, &before, &box->info().name);
                          }
                          note_validity(box->info().name, box->info().uid_validity);
                          return unless(fits, "mailbox that cannot become a mirror again");
                        },
                        [&](record::Subscription& s) -> std::optional<std::string> {
                          if (base_ != nullptr) {
                            subscribed_[normal(s.name)] = s.on;
                          } else if (s.on) {
                            subscriptions_.insert(normal(s.name));
                          } else {
                            subscriptions_.erase(normal(s.name));
                          }
                          return {};
                        },
                        [&](record::Annotation& a) -> std::optional<std::string> {
                          // Those of mailboxes come with METADATA; until then their frames are only kept.
                          if (a.mailbox.value != 0) return {};
                          if (!annotations_) annotations_ = annotations();
                          if (a.value.empty()) {
                            annotations_->erase(a.name);
                          } else {
                            (*annotations_)[a.name] = std::move(a.value);
                          }
                          return {};
                        },
                        [&](record::Cursor& c) {
                          MailboxState* box = writable(token, c.mailbox);
                          if (box) box->set_cursor(token, c.cursor);
                          return unless(box != nullptr, "cursor of a mailbox that is not there");
                        },
                        [&](record::EpochRaised& e) -> std::optional<std::string> {
                          raise_epoch(e.epoch);
                          return {};
                        },
                        [](record::Checkpoint&) -> std::optional<std::string> { return {}; },
                        [](record::Dictionary&) -> std::optional<std::string> { return {}; },
                        [](record::Nothing&) -> std::optional<std::string> { return {}; },
                    },
                    op);
}

}  // namespace storage
