#include "gateway/source/write_gate.h"

namespace gateway::source {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;

awaitable<Result<WriteGate::Pass>> WriteGate::enter(wire::net::Timeout patience) {
  auto is_open = [this] { return !shut_; };
  const bool opened = co_await changed_.wait_for(is_open, patience);
  if (!opened) co_return Failure(Errc::unavailable, "the account is being moved; try again in a moment");
  co_return Pass(this);
}

awaitable<bool> WriteGate::drained(wire::net::Timeout patience) {
  auto is_empty = [this] { return inside_ == 0; };
  co_return co_await changed_.wait_for(is_empty, patience);
}

}  // namespace gateway::source
