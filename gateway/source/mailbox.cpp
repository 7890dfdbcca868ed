#include "gateway/source/mailbox.h"

#include <algorithm>

namespace gateway::source {

void Mailbox::publish(MailboxSnapshotPtr next) {
  if (next == current_) return;
  current_ = std::move(next);
  auto watchers = watchers_;
  for (MailboxWatcher* w : watchers) w->on_changed();
}

void Mailbox::set_gone() {
  gone_ = true;
  auto watchers = watchers_;
  for (MailboxWatcher* w : watchers) w->on_changed();
}

void Mailbox::remove_watcher(MailboxWatcher* w) { std::erase(watchers_, w); }

}  // namespace gateway::source
