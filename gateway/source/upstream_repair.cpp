// Bytes that the copy had and cannot read any more, taken from the source once more. Changes nothing in the copy: what
// comes is compared with the name that it had, and the caller stores it.

#include "gateway/source/upstream_authority.h"
#include "imapc/sink.h"

namespace gateway::source {

using storage::Errc;
using storage::Failure;
using wire::imap::SequenceSet;
using wire::imap::cmd::Fetch;

namespace {

class ExactSink final : public imapc::FetchSink {
 public:
  ExactSink(storage::BodyWriter& writer, const std::map<Uid, storage::Sha256>& wanted, std::vector<WantedBody>& got)
      : writer_(writer), wanted_(wanted), got_(got) {}

  void on_body_begin(const imapc::FetchItem&, const imapc::FetchSection&, uint64_t) override {
    body_.reset();
    writer_.discard();
  }
  void on_body_bytes(std::string_view bytes) override {
    if (failure_) return;
    if (auto ok = writer_.write(wire::base::as_bytes(bytes)); !ok) failure_ = ok.error();
  }
  void on_body_end() override {
    if (failure_) return;
    auto done = writer_.finish();
    if (!done) {
      failure_ = done.error();
      return;
    }
    body_.emplace(std::move(*done));
  }
  void on_message(const imapc::FetchItem& item) override {
    if (!item.uid || !body_) return;
    const auto at = wanted_.find(*item.uid);
    if (at != wanted_.end() && at->second == body_->name()) got_.push_back({*item.uid, std::move(*body_)});
    body_.reset();
  }
  const std::optional<Failure>& failure() const { return failure_; }

 private:
  storage::BodyWriter& writer_;
  const std::map<Uid, storage::Sha256>& wanted_;
  std::vector<WantedBody>& got_;
  std::optional<storage::PreparedBody> body_;
  std::optional<Failure> failure_;
};

}  // namespace

awaitable<Result<std::vector<WantedBody>>> UpstreamAuthority::fetch_exact(std::string name, UidValidity validity,
                                                                          std::map<Uid, storage::Sha256> wanted) {
  auto examined = co_await examine(name);
  if (!examined) co_return examined.error();
  if (examined->numbers.uid_validity != validity) {
    co_return Failure(Errc::conflict, "the source has another mailbox under the name '" + name + "' now");
  }
  std::vector<WantedBody> got;
  storage::BodyWriter writer = copy_.store().new_body();
  UidSet uids;
  for (const auto& [uid, body] : wanted) uids.add(uid);
  ExactSink sink(writer, wanted, got);
  Fetch request;
  request.uid = true;
  request.set = SequenceSet::of(uids);
  request.items = Fetch::uid_item;
  Fetch::Part whole;
  whole.peek = true;
  request.parts.push_back(whole);
  auto call = examined->lease->uid_fetch(std::move(request), sink);
  auto done = co_await call.get();
  if (sink.failure()) co_return *sink.failure();
  // A refusal of one message leaves what came before it.
  if (!done && got.empty()) co_return done.error();
  co_return std::move(got);
}

}  // namespace gateway::source
