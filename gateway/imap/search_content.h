// What the keys of a SEARCH look into: a message's bytes, or what was derived from them. Both give the same answers.
// Any one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/body.h"
#include "storage/derived.h"
#include "wire/mail/part.h"

namespace gateway::imap {

class SearchContent {
 public:
  virtual ~SearchContent() = default;
  // A header field of that name contains the folded needle; an empty one: the field is there.
  virtual bool field_contains(std::string_view name, std::string_view needle) = 0;
  virtual std::optional<int32_t> sent_day() = 0;  // of the Date header as written
  // Pieces of folded text, until visit() returns false: with `own_header` (TEXT) first the message's own header, then
  // for TEXT and BODY alike the rest.
  virtual void for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) = 0;
  // The content could not be read to its end: what was answered does not count.
  virtual bool lost() const { return false; }
};

class ScannedContent final : public SearchContent {
 public:
  explicit ScannedContent(const wire::mail::MessageScan& scan) : scan_(scan) {}
  bool field_contains(std::string_view name, std::string_view needle) override;
  std::optional<int32_t> sent_day() override;
  void for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) override;

 private:
  const wire::mail::MessageScan& scan_;
};

// Of the entry that the reader stands on. Made once for many messages. What the entry leaves to the message is read
// from there.
class DerivedContent final : public SearchContent {
 public:
  using Open = std::function<storage::Result<storage::BodyReader>(const storage::Sha256&)>;
  DerivedContent(storage::DerivedReader& reader, Open open) : reader_(reader), open_(std::move(open)) {}
  // Stands on a message whose entry has these marks. False: the entry does not have what `wanted` names.
  bool stand(const storage::Sha256& name, uint8_t marks, uint8_t wanted);
  bool field_contains(std::string_view name, std::string_view needle) override;
  std::optional<int32_t> sent_day() override;
  void for_each_text(bool own_header, const std::function<bool(std::string_view)>& visit) override;
  bool lost() const override { return lost_; }

 private:
  std::string_view column(size_t c);
  const wire::mail::MessageScan* message();  // of its bytes; null, and lost: they cannot be read
  bool read_message();
  storage::DerivedReader& reader_;
  const Open open_;
  storage::Sha256 name_{};
  bool in_message_ = false;                      // what is looked for in a text
  std::optional<wire::mail::MessageScan> scan_;  // of message_; none: not read yet
  std::string header_, message_;
  bool lost_ = false;
};

}  // namespace gateway::imap
