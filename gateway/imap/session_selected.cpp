// The selected mailbox of a session: the view and its advances, IDLE, and what is pushed beside the reader.
#include "gateway/imap/session.h"

namespace gateway::imap {

void Session::select(source::MailboxPtr box, bool writable, Uid recent_from) {
  auto snapshot = box->current();
  selected_.emplace(Selected{std::move(box), View(std::move(snapshot), recent_from), writable});
  selected_->box->add_watcher(this);
  state_ = State::selected;
  ticket_->set_mailbox(selected_->box->info().name);
}

void Session::unselect() {
  if (!selected_) return;
  selected_->box->remove_watcher(this);
  selected_.reset();
  if (state_ == State::selected) state_ = State::authenticated;
  if (ticket_) ticket_->set_mailbox(std::string());
}

void Session::advance(bool may_expunge) {
  if (!selected_ || state_ == State::logout) return;
  if (selected_->box->gone()) {
    if (idling_) log_out("The selected mailbox is gone");
    return;
  }
  const bool writable = selected_->writable;
  const auto claim = [this, writable] {
    return writable ? account_->claim_recent(selected_->box) : selected_->box->info().first_recent;
  };
  const auto newest = selected_->box->current();
  selected_->view.advance(newest, wording(may_expunge), writable, claim, out_);
}

bool Session::change_to_push() const {
  return idling_ && selected_ && (selected_->box->gone() || selected_->box->current() != selected_->view.shown());
}

awaitable<std::optional<std::string>> Session::idle_until_line() {
  std::shared_ptr<void> watch;
  if (selected_) watch = account_->watch_owner(selected_->box);
  idling_ = true;
  auto line = co_await read_line();
  idling_ = false;
  co_return line;
}

void Session::on_changed() {
  if (parked_ && selected_ && !selected_->box->gone()) selected_->view.rest_on(selected_->box->current());
  if (idling_ && parked_) start_push();
}

void Session::must_leave(const std::string& why) {
  if (state_ == State::logout) return;
  leave_why_ = why;
  if (parked_) start_push();
}

void Session::start_push() {
  if (pushing_ || !pushes_) return;
  pushing_ = true;
  auto task = push(shared_from_this());
  pushes_->spawn("imap push", std::move(task));
}

awaitable<void> Session::push(std::shared_ptr<Session> self) {
  std::exception_ptr error;
  try {
    co_await self->push_changes();
  } catch (...) {
    error = std::current_exception();
  }
  self->pushing_ = false;
  if (error) std::rethrow_exception(error);
}

// Beside the reader, which is parked: only here and until it wakes may anybody else write.
awaitable<void> Session::push_changes() {
  while (parked_ && state_ != State::logout) {
    if (leave_why_) {
      log_out(*leave_why_);
    } else if (change_to_push()) {
      advance(true);
    } else {
      co_return;
    }
    co_await flush();
  }
  if (state_ == State::logout) co_await stream_->shutdown(std::chrono::seconds(2));
}

}  // namespace gateway::imap
