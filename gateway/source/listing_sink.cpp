#include "gateway/source/listing_sink.h"

namespace gateway::source {

using storage::Failure;
using wire::imap::StringRef;

Listed listed(const imapc::FetchItem& item) {
  Listed out;
  if (item.uid) out.uid = *item.uid;
  if (item.flags) out.flags = item.flags->flags;
  out.modseq = item.modseq;
  out.date = item.internal_date;
  out.size = item.size;
  out.save_date = item.save_date;
  out.email_id = item.email_id;
  out.thread_id = item.thread_id;
  return out;
}

void FlagSink::on_message(const imapc::FetchItem& item) {
  if (!item.uid) return;
  uids.add(*item.uid);
  if (item.flags) messages.push_back(listed(item));
}

ListingSink::ListingSink(Importer& importer, storage::BodyWriter* writer,
                         std::function<void(const ImportCounts&)> on_counts)
    : importer_(importer), writer_(writer), on_counts_(std::move(on_counts)) {}

void ListingSink::note(const Result<void>& outcome) {
  if (!outcome && !failure_) failure_ = outcome.error();
}

void ListingSink::on_body_begin(const imapc::FetchItem&, const imapc::FetchSection& section, uint64_t) {
  body_.reset();
  nil_ = section.value.kind == StringRef::Kind::nil;
  if (writer_) writer_->discard();
}

void ListingSink::on_body_bytes(std::string_view bytes) {
  if (!writer_ || failure_) return;
  note(writer_->write(wire::base::as_bytes(bytes)));
}

void ListingSink::on_body_end() {
  if (!writer_ || failure_ || nil_) return;
  auto done = writer_->finish();
  if (!done) {
    failure_ = done.error();
    return;
  }
  body_.emplace(std::move(*done));
}

void ListingSink::on_message(const imapc::FetchItem& item) {
  if (failure_ || !item.uid) {
    body_.reset();
    return;
  }
  Listed message = listed(item);
  // A server that cannot read a message may say NIL, or an empty literal for a message with a size: that is not mail.
  const bool empty_lie = body_ && body_->size() == 0 && message.size.value_or(0) != 0;
  if (body_ && !empty_lie) {
    message.body = std::move(body_);
    with_body_.add(message.uid);
  } else if (writer_ && (nil_ || empty_lie)) {
    nil_body_.add(message.uid);
  }
  body_.reset();
  nil_ = false;
  note(importer_.add(std::move(message)));
  if (on_counts_) on_counts_(importer_.counts());
}

}  // namespace gateway::source
