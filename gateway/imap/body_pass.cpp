#include "gateway/imap/body_pass.h"

namespace gateway::imap {
namespace {

// Shared with the pool, which runs to its end even when the session is cancelled.
struct BodyPass {
  LookAtBody look;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::shared_ptr<BodyBatch> batch;
  size_t position = 0;  // in the batch

  bool run(Slices::Clock::time_point until) {
    for (bool first = true; position < batch->bodies.size() && !*cancelled; ++position, first = false) {
      if (!first && Slices::Clock::now() > until) return false;
      if (!batch->bodies[position].failed) look(batch->bodies[position]);
    }
    return true;
  }
};

}  // namespace

awaitable<bool> pass_over_bodies(Session& s, Slices& slices, const std::vector<uint32_t>& indexes, BodyNeeds needs,
                                 LookAtBody look, std::string trouble) {
  auto pass = std::make_shared<BodyPass>();
  pass->look = std::move(look);
  pass->cancelled = slices.cancelled();
  BodyLoader loader(s, indexes, std::move(needs));
  while (!loader.done()) {
    pass->batch = co_await loader.next();
    pass->position = 0;
    Slices::Work work = [pass](Slices::Clock::time_point until) { return pass->run(until); };
    const bool wanted = co_await slices.run(std::move(work));
    if (!wanted) co_return false;
    for (const LoadedBody& body : pass->batch->bodies) {
      if (!body.failed || body.expunged) continue;
      // One message's problem stays its own: the rest of the answer is right.
      s.out() += "* NO [UNAVAILABLE] Message with uid " + std::to_string(body.uid.value) + " " + trouble + "\r\n";
    }
    co_await s.flush_if_full();
  }
  co_return true;
}

}  // namespace gateway::imap
